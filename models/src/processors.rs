//! LeRobot's `policy_preprocessor.json` and its statistics: what the policy's vectors are normalised with. LeRobot undoes it
//! for actions with what `policy_postprocessor.json` says; the two have to agree.

use crate::contract::{Mode, Statistics};
use crate::error::Error;
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

const FILE: &str = "policy_preprocessor.json";
const NORMALIZER: &str = "normalizer_processor";
const POST_FILE: &str = "policy_postprocessor.json";
const UNNORMALIZER: &str = "unnormalizer_processor";
const TOKENIZER: &str = "tokenizer_processor";

/// Normalisation of one feature: the mode, and one entry a dimension.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureStatistics {
    /// How it is normalised.
    pub mode: Mode,
    /// Added to the standard deviation, or standing in for a zero range.
    pub eps: f64,
    /// One entry a dimension.
    pub dimensions: Vec<Statistics>,
}

/// What the processors' files say.
#[derive(Clone, Debug)]
pub struct Processors {
    normalizer: Rules,
    /// Of the actions; nothing where a folder has no file for it.
    unnormalizer: Option<Rules>,
    /// Renamed observations: from the dataset's key to the policy's.
    pub rename_map: BTreeMap<String, String>,
    /// Name of the tokenizer, if the file says.
    pub tokenizer_name: Option<String>,
}

/// How numbers are normalised, by feature.
#[derive(Clone, Debug)]
struct Rules {
    config: NormalizerConfig,
    statistics: HashMap<String, BTreeMap<String, Vec<f64>>>,
    place: String,
}

#[derive(Deserialize)]
struct Pipeline {
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    registry_name: String,
    config: serde_json::Value,
    state_file: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
struct NormalizerConfig {
    eps: f64,
    norm_map: HashMap<String, String>,
}

impl Processors {
    /// Reads the files of a policy's folder.
    ///
    /// # Errors
    /// If they are missing or are not what LeRobot writes.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(FILE);
        let pipeline = Pipeline::read(&path)?;
        let step = |name: &str| pipeline.steps.iter().find(|step| step.registry_name == name);
        let rename_map = step("rename_observations_processor")
            .and_then(|step| step.config.get("rename_map"))
            .map(|map| serde_json::from_value(map.clone()).map_err(|e| Error::file(&path, e)))
            .transpose()?
            .unwrap_or_default();
        let tokenizer_name = step(TOKENIZER)
            .and_then(|step| step.config.get("tokenizer_name"))
            .and_then(|name| name.as_str().map(str::to_owned));
        let post_path = folder.join(POST_FILE);
        let unnormalizer =
            if post_path.exists() { Some(Rules::read(&post_path, UNNORMALIZER)?) } else { None };
        Ok(Self { normalizer: Rules::read(&path, NORMALIZER)?, unnormalizer, rename_map, tokenizer_name })
    }

    /// Replaces statistics by those of a dataset's `stats.json`: feature → statistic → numbers.
    ///
    /// # Errors
    /// If the file cannot be read or is something else.
    pub fn replace_statistics(&mut self, path: &Path) -> Result<(), Error> {
        let text = std::fs::read_to_string(path).map_err(Error::io(path))?;
        let all: BTreeMap<String, BTreeMap<String, serde_json::Value>> =
            serde_json::from_str(&text).map_err(|e| Error::file(path, e))?;
        for (feature, statistics) in all {
            let vectors = statistics.into_iter().filter_map(|(name, value)| {
                // Statistics of pictures are nested lists; SmolVLA does not normalise pictures.
                serde_json::from_value(value).ok().map(|vector: Vec<f64>| (name, vector))
            });
            let vectors: BTreeMap<_, _> = vectors.collect();
            for rules in std::iter::once(&mut self.normalizer).chain(&mut self.unnormalizer) {
                rules.statistics.insert(feature.clone(), vectors.clone());
            }
        }
        self.normalizer.place = path.display().to_string();
        Ok(())
    }

    /// Normalisation of a vector feature of `width` numbers. `kind` is its type in `norm_map`, e.g. `STATE`.
    ///
    /// # Errors
    /// If the mode is unknown, or a statistic that it needs is missing, of another width, or not finite: the reference
    /// would pass the numbers through unchanged without a word. If actions are not turned back as they were normalised.
    pub fn feature(&self, feature: &str, kind: &str, width: usize) -> Result<FeatureStatistics, Error> {
        let found = self.normalizer.feature(feature, kind, width)?;
        if let Some(unnormalizer) = self.unnormalizer.as_ref().filter(|_| kind == "ACTION") {
            let undone = unnormalizer.feature(feature, kind, width)?;
            let is_same = |place: &usize| {
                let (a, b) = (&found.dimensions[*place], &undone.dimensions[*place]);
                match found.mode {
                    Mode::Identity => true,
                    Mode::MeanStd => (a.mean, a.std) == (b.mean, b.std),
                    Mode::Range => (a.low, a.high) == (b.low, b.high),
                }
            };
            let is_undone_alike = undone.mode == found.mode;
            let at = (0..width).find(|place| is_undone_alike && !is_same(place));
            if !is_undone_alike || at.is_some() {
                let said = |rules: &FeatureStatistics| match at {
                    Some(place) => format!("{:?} for number {place}", rules.dimensions[place]),
                    None => format!("{:?}", rules.mode),
                };
                return Err(Error::Mismatch {
                    what: format!("normalisation of `{feature}`"),
                    left_name: self.normalizer.place.clone(),
                    left: said(&found),
                    right_name: unnormalizer.place.clone(),
                    right: said(&undone),
                });
            }
        }
        Ok(found)
    }
}

impl Pipeline {
    fn read(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(Error::io(path))?;
        serde_json::from_str(&text).map_err(|e| Error::file(path, e))
    }
}

impl Rules {
    /// Those of a step of the pipeline in `path`, with the statistics that lie beside it.
    fn read(path: &Path, step: &str) -> Result<Self, Error> {
        let pipeline = Pipeline::read(path)?;
        let found = pipeline.steps.into_iter().find(|found| found.registry_name == step);
        let found = found.ok_or_else(|| Error::file(path, format!("has no step `{step}`")))?;
        let state = found.state_file.map(|file| path.with_file_name(file));
        Ok(Self {
            config: serde_json::from_value(found.config)
                .map_err(|e| Error::file(path, format!("step `{step}`: {e}")))?,
            statistics: state.as_deref().map(read_statistics).transpose()?.unwrap_or_default(),
            place: state.as_deref().unwrap_or(path).display().to_string(),
        })
    }

    fn feature(&self, feature: &str, kind: &str, width: usize) -> Result<FeatureStatistics, Error> {
        let mode = self.config.norm_map.get(kind).map_or("IDENTITY", String::as_str);
        let (mode, range) = match mode {
            "IDENTITY" => (Mode::Identity, None),
            "MEAN_STD" => (Mode::MeanStd, None),
            "MIN_MAX" => (Mode::Range, Some(("min", "max"))),
            "QUANTILES" => (Mode::Range, Some(("q01", "q99"))),
            "QUANTILE10" => (Mode::Range, Some(("q10", "q90"))),
            other => {
                return Err(Error::Config {
                    key: format!("norm_map.{kind}"),
                    found: other.to_owned(),
                    expected: "IDENTITY, MEAN_STD, MIN_MAX, QUANTILES or QUANTILE10".to_owned(),
                });
            }
        };
        let get = |statistic: &str| self.statistic(feature, statistic, width);
        let (mean, std) = match mode {
            Mode::MeanStd => (get("mean")?, get("std")?),
            _ => (get("mean").unwrap_or(vec![0.0; width]), get("std").unwrap_or(vec![1.0; width])),
        };
        let range = range.map(|(low, high)| Ok::<_, Error>((get(low)?, get(high)?))).transpose()?;
        let dimension = |i: usize| Statistics {
            mean: mean[i],
            std: std[i],
            low: range.as_ref().map(|(low, _)| low[i]),
            high: range.as_ref().map(|(_, high)| high[i]),
        };
        Ok(FeatureStatistics { mode, eps: self.config.eps, dimensions: (0..width).map(dimension).collect() })
    }

    fn statistic(&self, feature: &str, statistic: &str, width: usize) -> Result<Vec<f64>, Error> {
        let missing = |found: String| Error::MissingStatistics {
            statistic: statistic.to_owned(),
            feature: feature.to_owned(),
            place: self.place.clone(),
            found,
        };
        let Some(statistics) = self.statistics.get(feature) else {
            let mut features: Vec<&str> = self.statistics.keys().map(String::as_str).collect();
            features.sort_unstable();
            return Err(missing(format!("statistics of [{}]", features.join(", "))));
        };
        let values = statistics.get(statistic).ok_or_else(|| {
            missing(format!("[{}]", statistics.keys().cloned().collect::<Vec<_>>().join(", ")))
        })?;
        if values.len() != width {
            return Err(Error::Shape {
                name: format!("{feature}.{statistic} in {}", self.place),
                expected: vec![width],
                found: vec![values.len()],
            });
        }
        match values.iter().position(|value| !value.is_finite()) {
            Some(index) => Err(Error::NotFinite {
                name: format!("{feature}.{statistic}[{index}] in {}", self.place),
                found: values[index],
            }),
            None => Ok(values.clone()),
        }
    }
}

/// Keys are `<feature>.<statistic>`, split at the last dot.
fn read_statistics(path: &Path) -> Result<HashMap<String, BTreeMap<String, Vec<f64>>>, Error> {
    let bytes = std::fs::read(path).map_err(Error::io(path))?;
    let tensors = SafeTensors::deserialize(&bytes).map_err(|e| Error::file(path, e))?;
    let mut statistics: HashMap<String, BTreeMap<String, Vec<f64>>> = HashMap::new();
    for (name, view) in tensors.tensors() {
        let Some((feature, statistic)) = name.rsplit_once('.') else {
            return Err(Error::file(path, format!("tensor `{name}` is not named `<feature>.<statistic>`")));
        };
        let values: Vec<f64> = match view.dtype() {
            Dtype::F32 => {
                view.data().as_chunks().0.iter().map(|b| f64::from(f32::from_le_bytes(*b))).collect()
            }
            Dtype::F64 => view.data().as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect(),
            // Counts are integers, and no normalisation uses them.
            _ => continue,
        };
        statistics.entry(feature.to_owned()).or_default().insert(statistic.to_owned(), values);
    }
    Ok(statistics)
}
