//! What the writer knows of an episode that is in the dataset.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Number, Value, json};

use super::description::Plan;
use super::summary::{NAMES, Summary};
use super::tables::Kind;
use crate::error::{Error, Result};
use crate::statistics::Gathered;
use crate::v30::FileNumber;

/// An episode and where it lies.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) episode_index: u64,
    pub(crate) length: usize,
    pub(crate) tasks: Vec<String>,
    /// Rows of all episodes before.
    pub(crate) first_index: u64,
    /// By feature, pictures as three numbers.
    pub(crate) statistics: BTreeMap<String, Summary>,
    /// The file of its rows; of no meaning in v2.1.
    pub(crate) data: FileNumber,
    /// The files of its pictures, by camera; of no meaning in v2.1.
    pub(crate) videos: Vec<VideoPlace>,
    /// The file of its line in the episodes table; of no meaning in v2.1.
    pub(crate) table: FileNumber,
}

/// A place in a video file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct VideoPlace {
    pub(crate) file: FileNumber,
    pub(crate) first_picture: u64,
}

/// Statistics of all episodes so far, by feature.
#[derive(Debug, Clone, Default)]
pub(crate) struct Totals(BTreeMap<String, Gathered>);

impl Totals {
    /// Adds an episode's. `path` is the file they were read from.
    pub(crate) fn add(&mut self, path: &Path, entry: &Entry) -> Result<()> {
        for (feature, summary) in &entry.statistics {
            self.0.entry(feature.clone()).or_default().add(summary).map_err(|found| {
                Error::EpisodeMismatch {
                    path: path.to_owned(),
                    episode_index: entry.episode_index,
                    what: format!("statistics of {feature}"),
                    expected: "count, mean, std, min and max, as wide as in the episodes before".to_owned(),
                    found,
                }
            })?;
        }
        Ok(())
    }

    /// As `stats.json` has them.
    pub(crate) fn to_json(&self, plan: &Plan) -> Value {
        let finished: BTreeMap<String, Summary> =
            self.0.iter().map(|(feature, gathered)| (feature.clone(), gathered.finish())).collect();
        statistics_json(plan, &finished)
    }
}

/// Statistics as LeRobot spells them: feature, then statistic, then numbers, those of pictures in lists of one.
pub(crate) fn statistics_json(plan: &Plan, statistics: &BTreeMap<String, Summary>) -> Value {
    let integer = |value: &f64| Value::Number(Number::from(*value as i64));
    let mut features = Map::new();
    for (feature, kind) in plan.statistics() {
        let Some(summary) = statistics.get(&feature) else { continue };
        let of_feature = NAMES.iter().filter_map(|name| {
            let values = summary.get(*name)?;
            let is_extreme = matches!(*name, "min" | "max");
            let numbers = match kind {
                _ if *name == "count" => values.iter().map(integer).collect(),
                Kind::Integers if is_extreme => values.iter().map(integer).collect(),
                Kind::Booleans if is_extreme => values.iter().map(|value| json!(*value != 0.0)).collect(),
                Kind::Pictures => values.iter().map(|value| json!([[value]])).collect(),
                Kind::Integers | Kind::Booleans | Kind::Reals => {
                    values.iter().map(|value| json!(value)).collect()
                }
            };
            Some(((*name).to_owned(), Value::Array(numbers)))
        });
        let of_feature: Map<String, Value> = of_feature.collect();
        features.insert(feature, Value::Object(of_feature));
    }
    Value::Object(features)
}

/// The numbers of nested lists, end to end.
pub(crate) fn flattened(value: &Value) -> Option<Vec<f64>> {
    match value {
        Value::Bool(value) => Some(vec![f64::from(u8::from(*value))]),
        Value::Number(number) => number.as_f64().map(|number| vec![number]),
        Value::Array(values) => {
            let parts: Option<Vec<_>> = values.iter().map(flattened).collect();
            parts.map(|parts| parts.concat())
        }
        _ => None,
    }
}
