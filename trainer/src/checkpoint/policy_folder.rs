//! `pretrained_model/`: the policy as LeRobot saves and loads it.

use crate::Error;
use crate::checkpoint::tensors::{self, Entry};
use crate::checkpoint::trained_on::TrainedOn;
use candle_core::Tensor;
use serde::Serialize;
use serde_json::{Map, Value, json};
use sinew_models::checkpoint::Checkpoint;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const PREPROCESSOR: &str = "policy_preprocessor";
const POSTPROCESSOR: &str = "policy_postprocessor";
const NORMALIZER: &str = "normalizer_processor";
const UNNORMALIZER: &str = "unnormalizer_processor";

/// Numbers of a feature by the statistic's name, `mean` and the like.
pub type FeatureNumbers = BTreeMap<String, Vec<f32>>;

/// What training changes of a policy's description.
#[derive(Clone, Debug, PartialEq)]
pub struct Changes {
    /// Width of the state.
    pub state_dim: usize,
    /// Width of the action.
    pub action_dim: usize,
    /// The policy's camera keys that are kept, in its order; others are dropped.
    pub cameras: Vec<String>,
    /// From the dataset's camera to the policy's key, where they differ.
    pub rename_map: BTreeMap<String, String>,
    /// Normalisation by the type of feature: `STATE`, `ACTION`.
    pub norm_map: BTreeMap<String, String>,
    /// Statistics by feature.
    pub statistics: BTreeMap<String, FeatureNumbers>,
    /// What the numbers are called, and how far apart the actions are.
    pub trained_on: TrainedOn,
    /// Other keys of `config.json`.
    pub config: Map<String, Value>,
}

/// Everything of a policy's folder but its weights.
#[derive(Debug)]
pub struct PolicyFolder {
    config: Value,
    preprocessor: Value,
    postprocessor: Value,
    statistics: BTreeMap<String, FeatureNumbers>,
    trained_on: TrainedOn,
    train_config: Value,
    tokenizer: PathBuf,
    vlm_config: Option<PathBuf>,
}

impl PolicyFolder {
    /// The folder of a policy that starts from `base`.
    ///
    /// # Errors
    /// If a file of `base` cannot be read or is not what LeRobot writes.
    pub fn new(base: &Checkpoint, changes: &Changes) -> Result<Self, Error> {
        let folder = &base.folder;
        let mut config = read_json(&folder.join("config.json"))?;
        let inputs = input_features(&config["input_features"], changes);
        let outputs = json!({"action": {"type": "ACTION", "shape": [changes.action_dim]}});
        config["input_features"] = inputs.clone();
        config["output_features"] = outputs.clone();
        for (kind, mode) in &changes.norm_map {
            config["normalization_mapping"][kind] = json!(mode);
        }
        // LeRobot 0.4 refuses this key of 0.6's, whose default is none.
        if let Some(config) = config
            .as_object_mut()
            .filter(|config| config.get("pretrained_revision").is_some_and(Value::is_null))
        {
            config.shift_remove("pretrained_revision");
        }
        for (key, value) in &changes.config {
            config[key] = value.clone();
        }
        let mut both = inputs;
        both["action"] = outputs["action"].clone();
        let mut preprocessor = read_json(&folder.join(format!("{PREPROCESSOR}.json")))?;
        set_step(&mut preprocessor, NORMALIZER, PREPROCESSOR, &both, &changes.norm_map)?;
        if let Some(step) = step(&mut preprocessor, "rename_observations_processor") {
            step["config"]["rename_map"] = json!(changes.rename_map);
        }
        let path = folder.join(format!("{POSTPROCESSOR}.json"));
        let mut postprocessor = read_json(&path)?;
        set_step(&mut postprocessor, UNNORMALIZER, POSTPROCESSOR, &outputs, &changes.norm_map)?;
        let vlm_config = Some(folder.join("vlm_config.json")).filter(|path| path.exists());
        Ok(Self {
            config,
            preprocessor,
            postprocessor,
            statistics: changes.statistics.clone(),
            trained_on: changes.trained_on.clone(),
            train_config: Value::Null,
            tokenizer: base.tokenizer.clone(),
            vlm_config,
        })
    }

    /// `config.json`.
    pub fn config(&self) -> &Value {
        &self.config
    }

    /// What `train_config.json` says.
    pub fn set_train_config(&mut self, train_config: Value) {
        self.train_config = train_config;
    }

    /// Writes the folder. Weights are those of `base`, but `trained` ones by name in float32; whatever else the
    /// base's file holds is kept as it is stored there.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn write(
        &self,
        folder: &Path,
        base: &Checkpoint,
        trained: &BTreeMap<String, Tensor>,
    ) -> Result<(), Error> {
        fs::create_dir_all(folder).map_err(Error::io(folder))?;
        let mut weights = BTreeMap::new();
        for name in base.weights.names() {
            if let Some((dtype, shape, bytes)) = base.weights.stored(name) {
                weights.insert(name.to_owned(), Entry::stored(dtype, shape, bytes));
            }
        }
        for (name, tensor) in trained {
            weights.insert(name.clone(), Entry::computed(tensor)?);
        }
        tensors::write(&folder.join("model.safetensors"), &weights)?;
        write_json(&folder.join("config.json"), &self.config, b"    ")?;
        self.trained_on.write(folder)?;
        write_json(&folder.join("train_config.json"), &self.train_config, b"    ")?;
        write_json(&folder.join(format!("{PREPROCESSOR}.json")), &self.preprocessor, b"  ")?;
        write_json(&folder.join(format!("{POSTPROCESSOR}.json")), &self.postprocessor, b"  ")?;
        let statistics = self.statistics.iter().flat_map(|(feature, numbers)| {
            numbers.iter().map(move |(name, numbers)| {
                (format!("{feature}.{name}"), Entry::numbers(numbers, &[numbers.len()]))
            })
        });
        let statistics: BTreeMap<String, Entry<'_>> = statistics.collect();
        for file in [&self.preprocessor, &self.postprocessor].into_iter().flat_map(state_files) {
            tensors::write(&folder.join(file), &statistics)?;
        }
        copy(&self.tokenizer, &folder.join("tokenizer.json"))?;
        if let Some(vlm) = &self.vlm_config {
            copy(vlm, &folder.join("vlm_config.json"))?;
        }
        tensors::sync(folder)
    }
}

/// The state and the kept cameras, in the base's order, with the new width of the state.
fn input_features(base: &Value, changes: &Changes) -> Value {
    let mut inputs = Map::new();
    for (name, feature) in base.as_object().into_iter().flatten() {
        match feature["type"].as_str() {
            Some("STATE") => {}
            Some("VISUAL") if !changes.cameras.contains(name) => continue,
            _ => {
                inputs.insert(name.clone(), feature.clone());
                continue;
            }
        }
        inputs.insert(name.clone(), json!({"type": "STATE", "shape": [changes.state_dim]}));
    }
    Value::Object(inputs)
}

fn step<'a>(pipeline: &'a mut Value, registry_name: &str) -> Option<&'a mut Value> {
    let steps = pipeline["steps"].as_array_mut()?;
    steps.iter_mut().find(|step| step["registry_name"] == registry_name)
}

/// Gives the (un)normalising step of a pipeline its features, modes and file of statistics.
fn set_step(
    pipeline: &mut Value,
    registry_name: &str,
    pipeline_name: &str,
    features: &Value,
    norm_map: &BTreeMap<String, String>,
) -> Result<(), Error> {
    let place = pipeline["steps"]
        .as_array()
        .and_then(|steps| steps.iter().position(|step| step["registry_name"] == registry_name));
    let (Some(place), Some(step)) = (place, step(pipeline, registry_name)) else {
        let path = format!("{pipeline_name}.json");
        let message = format!("has no step `{registry_name}`");
        return Err(sinew_models::Error::file(Path::new(&path), message).into());
    };
    step["config"]["features"] = features.clone();
    for (kind, mode) in norm_map {
        step["config"]["norm_map"][kind] = json!(mode);
    }
    step["state_file"] = json!(format!("{pipeline_name}_step_{place}_{registry_name}.safetensors"));
    Ok(())
}

fn state_files(pipeline: &Value) -> Vec<String> {
    let steps = pipeline["steps"].as_array();
    let files = steps.into_iter().flatten().filter_map(|step| step["state_file"].as_str());
    files.map(str::to_owned).collect()
}

fn read_json(path: &Path) -> Result<Value, Error> {
    let text = fs::read_to_string(path).map_err(Error::io(path))?;
    Ok(serde_json::from_str(&text).map_err(|e| sinew_models::Error::file(path, e))?)
}

/// Writes JSON as Python's `json.dump` with this indent would, and makes it durable.
///
/// # Errors
/// If the file cannot be written.
pub fn write_json(path: &Path, value: &Value, indent: &[u8]) -> Result<(), Error> {
    let mut text = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(indent);
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, formatter);
    value.serialize(&mut serializer).map_err(|e| sinew_models::Error::file(path, e))?;
    fs::write(path, text).map_err(Error::io(path))?;
    tensors::sync(path)
}

fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    fs::copy(from, to).map_err(Error::io(to))?;
    tensors::sync(to)
}
