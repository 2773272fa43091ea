//! A small policy with random weights, a real dataset, and ways to run a training.

use safetensors::SafeTensors;
use sinew_trainer::Error;
use sinew_trainer::checkpoint::random::{self, NewPolicy};
use sinew_trainer::config::TrainConfig;
use sinew_trainer::train::run::{self, Outcome};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicBool;
use tempfile::TempDir;

/// A path in the fixtures all crates share.
pub(crate) fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures").join(path)
}

/// As many numbers of the dataset as the recorded policies have.
pub(crate) const SIX_NUMBERS: &str = "data.state = [\"torso\", \"left_gripper\", \"right_gripper\"]\n\
    data.action = [\"torso\", \"left_gripper\", \"right_gripper\"]\n";

/// A folder with a policy to start from.
pub(crate) struct Bench {
    folder: TempDir,
    policy: PathBuf,
    dataset: PathBuf,
    cameras: &'static str,
}

impl Bench {
    /// A policy with random weights and one camera, over episodes as LeRobot wrote them.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let golden = fixture("golden/cameras1");
        let text = fs::read_to_string(golden.join("config.json")).unwrap();
        let mut config: serde_json::Value = serde_json::from_str(&text).unwrap();
        config["chunk_size"] = 8.into();
        config["n_action_steps"] = 8.into();
        config["input_features"] = serde_json::json!({
            "observation.state": {"type": "STATE", "shape": [23]},
            "observation.images.head": {"type": "VISUAL", "shape": [3, 192, 256]},
        });
        config["output_features"]["action"]["shape"] = serde_json::json!([23]);
        let path = folder.path().join("config.json");
        fs::write(&path, config.to_string()).unwrap();
        let policy = folder.path().join("policy");
        let (vlm, tokenizer) = (golden.join("vlm_config.json"), golden.join("tokenizer.json"));
        let new =
            NewPolicy { config: &path, vlm: Some(&vlm), vlm_weights: None, tokenizer: &tokenizer, seed: 7 };
        random::write_policy(&new, &policy).unwrap();
        let dataset = fixture("lerobot_v21_sample/dataset");
        Self { folder, policy, dataset, cameras: "\"observation.images.head\" = \"observation.images.head\"" }
    }

    /// A recorded policy of LeRobot's, with two cameras and six numbers each way.
    pub(crate) fn recorded(case: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let policy = fixture("golden").join(case);
        let dataset = fixture("lerobot_v21_sample/dataset");
        let cameras = "\"observation.images.camera1\" = \"observation.images.head\"\n\
            \"observation.images.camera2\" = \"observation.images.right_wrist\"";
        Self { folder, policy, dataset, cameras }
    }

    /// The R1 Pro's recorded policy over BEHAVIOR's layout.
    pub(crate) fn behavior() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let cameras = "\"observation.images.rgb.head\" = \"observation.images.rgb.head\"\n\
            \"observation.images.rgb.left_wrist\" = \"observation.images.rgb.left_wrist\"\n\
            \"observation.images.rgb.right_wrist\" = \"observation.images.rgb.right_wrist\"";
        Self { folder, policy: fixture("golden/r1pro"), dataset: fixture("behavior_sim"), cameras }
    }

    pub(crate) fn policy(&self) -> &Path {
        &self.policy
    }

    pub(crate) fn dataset(&self) -> &Path {
        &self.dataset
    }

    pub(crate) fn output(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The configuration files of a run: what all have in common, and `more` over it.
    pub(crate) fn config(&self, name: &str, more: &str) -> [PathBuf; 2] {
        let path = self.folder.path().join(format!("{name}.toml"));
        let text = format!(
            "run.output = {:?}\npolicy.checkpoint = {:?}\nrun.batch_size = 4\nrun.log_every = 1\nrun.steps = 12\n\
             checkpoints.every = 4\nvalidation.every = 0\nschedule.kind = \"constant\"\nschedule.warmup_steps = 2\n\
             data.shuffle.block_rows = 4\n[data.cameras]\n{}\n[[data.datasets]]\npath = {:?}\n",
            self.output(name),
            self.policy,
            self.cameras,
            self.dataset
        );
        fs::write(&path, text).unwrap();
        let overlay = self.folder.path().join(format!("{name}.more.toml"));
        fs::write(&overlay, more).unwrap();
        [path, overlay]
    }

    /// Trains in this process.
    pub(crate) fn train(&self, name: &str, more: &str) -> Result<Outcome, Error> {
        self.train_or_resume(name, more, false)
    }

    /// Goes on with a run in this process.
    pub(crate) fn resume(&self, name: &str, more: &str) -> Result<Outcome, Error> {
        self.train_or_resume(name, more, true)
    }

    fn train_or_resume(&self, name: &str, more: &str, resume: bool) -> Result<Outcome, Error> {
        let config = TrainConfig::read(&self.config(name, more), &[])?;
        run::train(config, "a test", resume, &AtomicBool::new(false))
    }

    /// The program with a run's configuration.
    pub(crate) fn command(&self, name: &str, more: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sinew-trainer"));
        command.arg("train");
        for path in self.config(name, more) {
            command.arg("--config").arg(path);
        }
        command
    }

    /// The loss of every step that the log has, as the bits of the number.
    pub(crate) fn losses(&self, name: &str) -> BTreeMap<u64, u64> {
        let text = fs::read_to_string(self.output(name).join("metrics.jsonl")).unwrap_or_default();
        let lines = text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let trained = lines.filter(|line| line["kind"] == "train");
        let pair = |line: serde_json::Value| {
            (line["step"].as_u64().unwrap(), line["loss"].as_f64().unwrap().to_bits())
        };
        trained.map(pair).collect()
    }
}

/// A safetensors file's tensors: data type, shape and bytes by name.
pub(crate) fn tensors(path: &Path) -> BTreeMap<String, (String, Vec<usize>, Vec<u8>)> {
    let bytes = fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let entry = |(name, view): (String, safetensors::tensor::TensorView<'_>)| {
        (name, (format!("{:?}", view.dtype()), view.shape().to_vec(), view.data().to_vec()))
    };
    file.tensors().into_iter().map(entry).collect()
}

/// The numbers of a float32 tensor.
pub(crate) fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}
