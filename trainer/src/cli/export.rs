//! `sinew-trainer export`

use super::print;
use crate::Error;
use crate::checkpoint::trained_on::TrainedOn;
use crate::export::bundle::{self, Request};
use crate::export::engine::Engine;
use crate::export::{GraphDtype, layout};
use clap::{Args, ValueEnum};
use sinew_models::checkpoint::Checkpoint;
use sinew_models::contract::{Manifest, Mode, Vector};
use sinew_models::embodiment::Embodiment;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What linear layers are stored and computed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum DtypeFlag {
    F32,
    F16,
}

impl DtypeFlag {
    /// Allowed error: float32 as the reference against itself elsewhere; float16 has 11 bits and ten steps to
    /// lose them in.
    fn default_tolerance(self) -> f64 {
        match self {
            Self::F32 => 1e-4,
            Self::F16 => 2e-2,
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct Export {
    /// LeRobot's policy folder (config.json, model.safetensors, policy_preprocessor.json …).
    #[arg(long)]
    checkpoint: PathBuf,
    /// The bundle's folder; must not exist.
    #[arg(long)]
    output: PathBuf,
    /// A built-in robot, or the file of another.
    #[arg(long, default_value = "r1pro")]
    robot: String,
    /// What the numbers of state and action are: a layout of the robot, or a file. May be left out where only one
    /// layout has the policy's widths.
    #[arg(long)]
    layout: Option<String>,
    /// The robot's camera for one of the policy's camera keys; may be repeated.
    #[arg(long = "camera", value_name = "KEY=NAME", value_parser = parse_camera)]
    cameras: Vec<(String, String)>,
    /// The layout is right although the training's data call the numbers otherwise.
    #[arg(long)]
    trust_names: bool,
    /// tokenizer.json, if the checkpoint has none.
    #[arg(long)]
    tokenizer: Option<PathBuf>,
    /// stats.json of a dataset, in place of the checkpoint's statistics.
    #[arg(long)]
    stats: Option<PathBuf>,
    /// What linear layers are stored and computed in.
    #[arg(long, value_enum, default_value = "f32")]
    dtype: DtypeFlag,
    /// Allowed error of each stage, relative to max(1, largest value) [default: 1e-4 for f32, 2e-2 for f16].
    #[arg(long)]
    tolerance: Option<f64>,
    /// ONNX Runtime's shared library [default: what ORT_DYLIB_PATH names].
    #[arg(long)]
    onnxruntime: Option<PathBuf>,
    /// Print the manifest to stdout.
    #[arg(long)]
    json: bool,
}

fn parse_camera(text: &str) -> Result<(String, String), String> {
    let (key, name) = text.split_once('=').ok_or("expected KEY=NAME")?;
    Ok((key.to_owned(), name.to_owned()))
}

impl Export {
    pub(super) fn run(&self, command: &str) -> Result<(), Error> {
        let engine = Engine::load(self.onnxruntime.as_deref())?;
        let mut checkpoint = Checkpoint::open(&self.checkpoint, self.tokenizer.as_deref())?;
        for name in &checkpoint.unexpected_tensors {
            tracing::warn!("tensor `{name}` is no part of this SmolVLA: left out");
        }
        if let Some(stats) = &self.stats {
            checkpoint.processors.replace_statistics(stats)?;
        }
        let embodiment = Embodiment::named(&self.robot)?;
        let trained_on = TrainedOn::read(&checkpoint.folder)?;
        let derived_count = trained_on.map_or(0, |trained_on| trained_on.derived.len());
        let state_dim = checkpoint.policy.state_dim()?.saturating_sub(derived_count);
        let action_dim = checkpoint.policy.action_dim()?;
        let layout = layout::resolve(&embodiment, self.layout.as_deref(), state_dim, action_dim)?;
        let cameras: BTreeMap<String, String> = self.cameras.iter().cloned().collect();
        let request = Request {
            checkpoint: &checkpoint,
            embodiment: &embodiment,
            layout: &layout,
            cameras: &cameras,
            trust_names: self.trust_names,
            dtype: match self.dtype {
                DtypeFlag::F32 => GraphDtype::F32,
                DtypeFlag::F16 => GraphDtype::F16,
            },
            tolerance: self.tolerance.unwrap_or(self.dtype.default_tolerance()),
            output: &self.output,
            command,
        };
        let manifest = bundle::export(&engine, &request)?;
        describe(&manifest, &self.output);
        if self.json {
            let text = serde_json::to_string_pretty(&manifest);
            let text = text.map_err(|e| sinew_models::Error::file(&self.output, e))?;
            print(&text)?;
        }
        Ok(())
    }
}

/// What was written, in plain words, on stderr.
fn describe(manifest: &Manifest, output: &Path) {
    let say = |line: String| tracing::info!("{line}");
    let vector = |name: &str, vector: &Vector| {
        let how = match vector.normalization {
            Mode::MeanStd => "by mean and standard deviation",
            Mode::Range => "by range",
            Mode::Identity => "not at all, as the checkpoint says",
        };
        say(format!("{name}: {} numbers, normalised {how}", vector.dimensions.len()));
    };
    let cameras: Vec<&str> = manifest.cameras.iter().map(|camera| camera.name.as_str()).collect();
    say(format!("robot {}, cameras {}", manifest.embodiment, cameras.join(", ")));
    vector("state", &manifest.state);
    vector("action", &manifest.action);
    for graph in [&manifest.graphs.vision, &manifest.graphs.prefix, &manifest.graphs.denoise] {
        let sizes =
            graph.weight_bytes.iter().map(|(dtype, bytes)| format!("{dtype} {:.2} MB", *bytes as f64 / 1e6));
        say(format!("{}: {}", graph.file, sizes.collect::<Vec<_>>().join(", ")));
    }
    for stage in &manifest.parity.stages {
        say(format!(
            "{}: largest error {:.1e} of values up to {:.3}",
            stage.stage, stage.max_abs_error, stage.max_abs_reference
        ));
    }
    say(format!("bundle {} written to {}", manifest.bundle_id, output.display()));
}
