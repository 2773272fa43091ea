//! The statistics that a dataset keeps of itself.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::info::{Version, read_text};

/// Feature, then statistic (`min`, `max`, `mean`, `std`, `q01` …), then one number a dimension.
pub type Statistics = BTreeMap<String, BTreeMap<String, Vec<f64>>>;

pub(crate) const WHOLE_SET: &str = "meta/stats.json";
pub(crate) const BY_EPISODE: &str = "meta/episodes_stats.jsonl";

/// As the files spell it: pictures have nested lists, counts integers.
type Raw = BTreeMap<String, BTreeMap<String, Value>>;

/// Reads the statistics of vector features, those of v2.1 gathered from its episodes as LeRobot does; `None` if the set
/// has none.
pub(crate) fn read(root: &Path, version: Version) -> Result<Option<Statistics>> {
    let missing_is_none = |result: Result<Statistics>| match result {
        Err(Error::Missing { .. }) => Ok(None),
        result => result.map(Some),
    };
    missing_is_none(match version {
        Version::V21 => read_by_episode(&root.join(BY_EPISODE)),
        Version::V30 => read_whole(&root.join(WHOLE_SET)),
    })
}

fn read_whole(path: &Path) -> Result<Statistics> {
    let text = read_text(path, "statistics")?;
    let raw: Raw = serde_json::from_str(&text).map_err(|source| Error::Json {
        path: path.to_owned(),
        line: 1,
        source,
    })?;
    Ok(vectors(raw))
}

#[derive(Deserialize)]
struct EpisodeLine {
    stats: Raw,
}

/// Line by line: the file of a large set does not fit into memory comfortably.
fn read_by_episode(path: &Path) -> Result<Statistics> {
    let io_error = |source: std::io::Error| match source.kind() {
        ErrorKind::NotFound => Error::Missing { path: path.to_owned(), what: "statistics".to_owned() },
        _ => Error::Io { path: path.to_owned(), source },
    };
    let mut gathered: BTreeMap<String, Gathered> = BTreeMap::new();
    for (index, line) in BufReader::new(File::open(path).map_err(io_error)?).lines().enumerate() {
        let line = line.map_err(io_error)?;
        if line.trim().is_empty() {
            continue;
        }
        let EpisodeLine { stats } = serde_json::from_str(&line).map_err(|source| Error::Json {
            path: path.to_owned(),
            line: index + 1,
            source,
        })?;
        for (feature, statistics) in vectors(stats) {
            let place = format!("statistics of {feature} in line {}", index + 1);
            gathered.entry(feature).or_default().add(&statistics).map_err(|found| Error::Inconsistent {
                path: path.to_owned(),
                what: place,
                expected: "count, mean, std, min and max, as wide as in the lines before".to_owned(),
                found,
            })?;
        }
    }
    Ok(gathered.into_iter().map(|(feature, gathered)| (feature, gathered.finish())).collect())
}

/// Leaves out what is no list of numbers.
fn vectors(raw: Raw) -> Statistics {
    let numbers = |value: Value| serde_json::from_value::<Vec<f64>>(value).ok();
    let of_feature = |statistics: BTreeMap<String, Value>| -> BTreeMap<String, Vec<f64>> {
        statistics.into_iter().filter_map(|(name, value)| Some((name, numbers(value)?))).collect()
    };
    raw.into_iter()
        .map(|(feature, statistics)| (feature, of_feature(statistics)))
        .filter(|(_, statistics)| statistics.contains_key("mean"))
        .collect()
}

/// Statistics of the episodes so far: LeRobot's `aggregate_stats`, for one feature.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gathered {
    count: f64,
    mean: Vec<f64>,
    /// Count times variance.
    squares: Vec<f64>,
    min: Vec<f64>,
    max: Vec<f64>,
    /// Count times quantile, of those that all episodes have.
    quantiles: BTreeMap<String, Vec<f64>>,
}

impl Gathered {
    /// Adds the statistics of one episode. The error says what is missing or of another width.
    pub(crate) fn add(&mut self, statistics: &BTreeMap<String, Vec<f64>>) -> std::result::Result<(), String> {
        let get = |name: &str| statistics.get(name).ok_or_else(|| format!("no {name}"));
        let [mean, std, min, max] = [get("mean")?, get("std")?, get("min")?, get("max")?];
        let [count] = get("count")?[..] else { return Err("a count that is not one number".to_owned()) };
        if self.count == 0.0 {
            self.mean = vec![0.0; mean.len()];
            self.squares = vec![0.0; mean.len()];
            self.min = vec![f64::INFINITY; mean.len()];
            self.max = vec![f64::NEG_INFINITY; mean.len()];
            let quantiles = statistics.keys().filter(|name| is_quantile(name));
            self.quantiles = quantiles.map(|name| (name.clone(), vec![0.0; mean.len()])).collect();
        }
        let width = self.mean.len();
        if let Some(other) = [mean, std, min, max].iter().find(|values| values.len() != width) {
            return Err(format!("{} numbers after {width}", other.len()));
        }
        self.quantiles.retain(|name, sums| match statistics.get(name) {
            Some(values) if values.len() == width => {
                sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += count * value);
                true
            }
            _ => false,
        });
        let total = self.count + count;
        for place in 0..width {
            let difference = mean[place] - self.mean[place];
            self.squares[place] +=
                count * std[place] * std[place] + difference * difference * self.count * count / total;
            self.mean[place] += difference * count / total;
            self.min[place] = self.min[place].min(min[place]);
            self.max[place] = self.max[place].max(max[place]);
        }
        self.count = total;
        Ok(())
    }

    /// The statistics of all episodes. Quantiles are the means of the episodes', weighted by their rows: those of all
    /// rows cannot be had from them.
    pub(crate) fn finish(&self) -> BTreeMap<String, Vec<f64>> {
        let divided = |sums: &[f64]| sums.iter().map(|sum| sum / self.count).collect::<Vec<_>>();
        let std = self.squares.iter().map(|squares| (squares / self.count).sqrt()).collect();
        let named = [
            ("mean", self.mean.clone()),
            ("std", std),
            ("min", self.min.clone()),
            ("max", self.max.clone()),
            ("count", vec![self.count]),
        ];
        let named = named.into_iter().map(|(name, values)| (name.to_owned(), values));
        named.chain(self.quantiles.iter().map(|(name, sums)| (name.clone(), divided(sums)))).collect()
    }
}

/// `q01`, `q50` …
fn is_quantile(name: &str) -> bool {
    name.strip_prefix('q')
        .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}
