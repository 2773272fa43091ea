//! From a checkpoint to a bundle: the folder that the robot's computer is given.
//!
//! The bundle is written whole or not at all: into a temporary folder beside its place, checked there, then renamed.

use super::engine::Engine;
use super::graphs::Wiring;
use super::{Graph, GraphDtype, audit, parity, write};
use crate::Error;
use crate::checkpoint::trained_on::TrainedOn;
use crate::data::DerivedNumber;
use sinew_models::checkpoint::{Checkpoint, PAD_ID};
use sinew_models::contract::{
    self, BLANK_ID, CameraSpec, Dimension, FORMAT_VERSION, FileEntry, Graphs, InstructionRule, MANIFEST_FILE,
    Manifest, Parity, Provenance, StageParity, Statistics, TOKENIZER_FILE, Training, Vector,
};
use sinew_models::embodiment::{Embodiment, Layout, LayoutDimension};
use sinew_models::formula::{Formula, Operand};
use sinew_models::nearest_name;
use sinew_models::preprocess::InstructionTokenizer;
use sinew_models::unit::Unit;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What the parity check says to the policy: any words do, most of the instruction's slots stay padding.
const SAMPLE_INSTRUCTION: &str = "pick up the red cube";

/// What to export, and how.
#[derive(Debug)]
pub struct Request<'a> {
    /// The policy.
    pub checkpoint: &'a Checkpoint,
    /// The robot.
    pub embodiment: &'a Embodiment,
    /// What the policy's numbers are.
    pub layout: &'a Layout,
    /// The robot's camera for a policy's camera key, where the robot's description does not say.
    pub cameras: &'a BTreeMap<String, String>,
    /// Whether names of a training that differ from the layout's are right all the same.
    pub trust_names: bool,
    /// What linear layers are stored and computed in.
    pub dtype: GraphDtype,
    /// Allowed error of each stage, relative to `max(1, largest reference value)`.
    pub tolerance: f64,
    /// The folder to write.
    pub output: &'a Path,
    /// The command line, for the record.
    pub command: &'a str,
}

/// Writes a bundle and returns its manifest.
///
/// # Errors
/// If the output exists, the layout or a camera does not fit the policy, a graph cannot be written, or what was
/// written does not compute what the checkpoint does. Nothing is left behind then.
pub fn export(engine: &Engine, request: &Request<'_>) -> Result<Manifest, Error> {
    if request.output.exists() {
        return Err(Error::Exists { path: request.output.to_owned() });
    }
    let parts = Parts::resolve(request)?;
    let partial = partial_path(request.output);
    fs::create_dir_all(&partial).map_err(Error::io(&partial))?;
    let manifest = write_parts(engine, request, parts, &partial);
    match manifest.and_then(|manifest| publish(&partial, request.output).map(|()| manifest)) {
        Ok(manifest) => Ok(manifest),
        Err(error) => {
            // The first error is the one to report; a folder that cannot be removed has a telling name.
            let _ = fs::remove_dir_all(&partial);
            Err(error)
        }
    }
}

/// What the manifest says of the policy's inputs and outputs.
struct Parts {
    cameras: Vec<CameraSpec>,
    state: Vector,
    action: Vector,
    training: Training,
}

impl Parts {
    fn resolve(request: &Request<'_>) -> Result<Self, Error> {
        let (policy, layout) = (&request.checkpoint.policy, request.layout);
        let sources = request.embodiment.source_indices(layout)?;
        let mut state = reported(&layout.state, sources);
        let action = reported(&layout.action, 0..layout.action.len());
        let mut training = Training::default();
        if let Some(trained_on) = TrainedOn::read(&request.checkpoint.folder)? {
            trained_on.check(layout, request.trust_names)?;
            state.extend(derived(&trained_on, layout, request.embodiment)?);
            training = trained_on.training;
        }
        let state = vector(request, "observation.state", "STATE", policy.state_dim()?, state)?;
        let action = vector(request, "action", "ACTION", policy.action_dim()?, action)?;
        Ok(Self { cameras: cameras(request)?, state, action, training })
    }
}

/// A number of a vector, but for its statistics.
struct Described {
    name: String,
    unit: Unit,
    source_index: Option<usize>,
    derived: Option<Formula<Operand>>,
}

fn reported(layout: &[LayoutDimension], sources: impl IntoIterator<Item = usize>) -> Vec<Described> {
    let described = |(dimension, source): (&LayoutDimension, usize)| Described {
        name: dimension.name.clone(),
        unit: dimension.unit,
        source_index: Some(source),
        derived: None,
    };
    layout.iter().zip(sources).map(described).collect()
}

fn derived(trained_on: &TrainedOn, layout: &Layout, robot: &Embodiment) -> Result<Vec<Described>, Error> {
    let formulas = trained_on.formulas(layout, robot)?;
    let described = |(number, formula): (&DerivedNumber, Formula<Operand>)| {
        let (name, unit) = (number.name.clone(), formula.unit(&number.name)?);
        Ok(Described { name, unit, source_index: None, derived: Some(formula) })
    };
    trained_on.derived.iter().zip(formulas).map(described).collect()
}

fn vector(
    request: &Request<'_>,
    feature: &str,
    kind: &str,
    width: usize,
    described: Vec<Described>,
) -> Result<Vector, Error> {
    if described.len() != width {
        return Err(sinew_models::Error::Mismatch {
            what: format!("width of `{feature}`"),
            left_name: "the checkpoint".to_owned(),
            left: width.to_string(),
            right_name: format!("layout `{}`", request.layout.name),
            right: described.len().to_string(),
        }
        .into());
    }
    let statistics = request.checkpoint.processors.feature(feature, kind, width)?;
    let dimension = |(described, statistics): (Described, Statistics)| Dimension {
        name: described.name,
        unit: described.unit,
        source_index: described.source_index,
        derived: described.derived,
        statistics,
    };
    let dimensions = described.into_iter().zip(statistics.dimensions).map(dimension).collect();
    Ok(Vector { normalization: statistics.mode, eps: statistics.eps, dimensions })
}

/// The policy's cameras by the robot's names, in token order. Placeholders for absent cameras are masked wherever
/// the policy runs, so they get no slot.
fn cameras(request: &Request<'_>) -> Result<Vec<CameraSpec>, Error> {
    let known = &request.embodiment.cameras;
    let mut cameras = Vec::new();
    for (key, feature) in request.checkpoint.policy.cameras()? {
        if key.starts_with("observation.images.empty_camera_") {
            continue;
        }
        let name = match request.cameras.get(&key) {
            Some(name) => known.iter().find(|camera| camera.name == *name),
            None => known.iter().find(|camera| camera.features.contains(&key)),
        };
        let name = name.ok_or_else(|| {
            let asked = request.cameras.get(&key).unwrap_or(&key);
            sinew_models::Error::UnknownName {
                kind: "camera",
                name: asked.clone(),
                place: format!(
                    "robot `{}` (say which one it is with --camera {key}=NAME)",
                    request.embodiment.name
                ),
                nearest: nearest_name(asked, known.iter().map(|camera| camera.name.as_str())),
            }
        })?;
        let [_, height, width] = feature.shape[..] else {
            return Err(sinew_models::Error::Config {
                key: format!("input_features.{key}.shape"),
                found: format!("{:?}", feature.shape),
                expected: "[channels, height, width]".to_owned(),
            }
            .into());
        };
        cameras.push(CameraSpec { name: name.name.clone(), key, width, height });
    }
    if cameras.is_empty() {
        return Err(sinew_models::Error::Config {
            key: "input_features".to_owned(),
            found: "no camera".to_owned(),
            expected: "at least one VISUAL feature".to_owned(),
        }
        .into());
    }
    Ok(cameras)
}

fn write_parts(
    engine: &Engine,
    request: &Request<'_>,
    parts: Parts,
    folder: &Path,
) -> Result<Manifest, Error> {
    let checkpoint = request.checkpoint;
    let wiring = Wiring {
        model: &checkpoint.model,
        weights: &checkpoint.weights,
        camera_count: parts.cameras.len(),
        dtype: request.dtype,
        expose_tags: false,
    };
    let mut files = BTreeMap::new();
    let graphs = Graphs {
        vision: write_graph(&wiring, wiring.vision()?, folder, &mut files)?,
        prefix: write_graph(&wiring, wiring.prefix()?, folder, &mut files)?,
        denoise: write_graph(&wiring, wiring.denoise()?, folder, &mut files)?,
    };
    let tokenizer = folder.join(TOKENIZER_FILE);
    fs::copy(&checkpoint.tokenizer, &tokenizer).map_err(Error::io(&checkpoint.tokenizer))?;
    files.insert(TOKENIZER_FILE.to_owned(), contract::hash_file(&tokenizer)?);
    let instruction =
        InstructionRule { max_token_count: checkpoint.policy.tokenizer_max_length, pad_id: PAD_ID };
    let words = InstructionTokenizer::open(&tokenizer, instruction.max_token_count, instruction.pad_id)?
        .encode(SAMPLE_INSTRUCTION)?;
    let stages = parity::measure(engine, &wiring, &checkpoint.weights, words, folder)?;
    check_parity(&stages, request.tolerance)?;
    let mut manifest = Manifest {
        format_version: FORMAT_VERSION,
        bundle_id: BLANK_ID.to_owned(),
        embodiment: request.embodiment.name.clone(),
        rate_hz: request.layout.rate_hz,
        model: checkpoint.model.clone(),
        instruction,
        cameras: parts.cameras,
        state: parts.state,
        action: parts.action,
        graphs,
        files,
        training: parts.training,
        provenance: provenance(request)?,
        parity: Parity { tolerance: request.tolerance, execution_provider: "cpu".to_owned(), stages },
    };
    manifest.validate()?;
    let path = folder.join(MANIFEST_FILE);
    fs::write(&path, manifest.seal()?).map_err(Error::io(&path))?;
    Ok(manifest)
}

fn write_graph(
    wiring: &Wiring<'_>,
    graph: Graph,
    folder: &Path,
    files: &mut BTreeMap<String, FileEntry>,
) -> Result<contract::Graph, Error> {
    let written = write(&graph, wiring.weights, folder)?;
    audit::check_dtype(&written.model, wiring.dtype)?;
    for path in std::iter::once(&written.model).chain(&written.data) {
        files.insert(file_name(path), contract::hash_file(path)?);
    }
    Ok(contract::Graph {
        file: file_name(&written.model),
        weight_bytes: audit::weight_bytes(&written.model)?,
    })
}

fn check_parity(stages: &[StageParity], tolerance: f64) -> Result<(), Error> {
    for stage in stages {
        let error = stage.max_abs_error / stage.max_abs_reference.max(1.0);
        if error > tolerance || error.is_nan() {
            return Err(Error::Parity { stage: stage.stage.clone(), error, tolerance });
        }
    }
    Ok(())
}

/// What the checkpoint says of its training: LeRobot keeps `train_config.json` in it and names its folder's parent
/// after the step.
fn provenance(request: &Request<'_>) -> Result<Provenance, Error> {
    let folder = &request.checkpoint.folder;
    let training = fs::read_to_string(folder.join("train_config.json")).ok();
    let training: Option<serde_json::Value> = training.and_then(|text| serde_json::from_str(&text).ok());
    let dataset = training.as_ref().and_then(|config| config["dataset"]["repo_id"].as_str());
    let absolute = fs::canonicalize(folder).map_err(Error::io(folder))?;
    let step = absolute.parent().map(file_name).and_then(|name| name.parse().ok());
    Ok(Provenance {
        checkpoint: file_name(&absolute),
        checkpoint_sha256: contract::hash_file(request.checkpoint.weights.path())?.sha256,
        dataset: dataset.map(str::to_owned),
        step,
        command: request.command.to_owned(),
        sinew_version: env!("CARGO_PKG_VERSION").to_owned(),
    })
}

fn partial_path(output: &Path) -> PathBuf {
    output.with_file_name(format!(".{}.partial-{}", file_name(output), std::process::id()))
}

/// Makes the folder durable and gives it its name.
fn publish(partial: &Path, output: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(partial).map_err(Error::io(partial))? {
        sync(&entry.map_err(Error::io(partial))?.path())?;
    }
    sync(partial)?;
    fs::rename(partial, output).map_err(Error::io(output))?;
    match output.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => sync(parent),
        None => Ok(()),
    }
}

fn sync(path: &Path) -> Result<(), Error> {
    fs::File::open(path).and_then(|file| file.sync_all()).map_err(Error::io(path))
}

fn file_name(path: impl AsRef<Path>) -> String {
    path.as_ref().file_name().unwrap_or_default().to_string_lossy().into_owned()
}
