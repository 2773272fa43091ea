//! Samples a second of `sinew-trainer train` at full size, in the first epoch and in cached ones, and LeRobot's.
//!
//!     cargo bench --package sinew-trainer --bench training -- CHECKPOINT PYTHON
//!
//! Ours are whole steps on decoded episodes, LeRobot's are steps on a batch that lies ready in memory.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark stops at the first surprise")]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

const BATCH: usize = 8;
/// Frames of the training: two batches an epoch.
const FRAMES: usize = 16;
const STEPS: usize = 6;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [checkpoint, python] = arguments.as_slice() else {
        println!("usage: training CHECKPOINT PYTHON (scripts/bench has both)");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (fresh, cached, memory_gb) = ours(Path::new(checkpoint), folder.path());
    println!(
        "Sinew, first epoch: {fresh:.3} samples/s; cached: {cached:.3} samples/s; peak memory {memory_gb:.1} GB"
    );
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/lerobot_training.py");
    let output =
        Command::new(python).arg(script).args([checkpoint, &BATCH.to_string(), "2"]).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let Ok(seconds) = printed.lines().last().unwrap_or_default().trim().parse::<f64>() else {
        panic!("{}", String::from_utf8_lossy(&output.stderr));
    };
    let lerobot = BATCH as f64 / seconds;
    println!("LeRobot: {lerobot:.3} samples/s");
    println!(
        "first epoch: {:.2} of LeRobot's; cached: {:.1} of LeRobot's",
        fresh / lerobot,
        cached / lerobot
    );
}

/// The best rates of a run over a few frames, and its peak memory.
fn ours(checkpoint: &Path, folder: &Path) -> (f64, f64, f64) {
    let dataset = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/behavior_sim");
    let config = folder.join("train.toml");
    let text = format!(
        // So strong a bias begins every epoch's stretch at row 0: the same frames each time.
        "run = {{ output = {:?}, steps = {STEPS}, batch_size = {BATCH}, log_every = 1 }}\n\
         policy.checkpoint = {checkpoint:?}\ncheckpoints.every = 1000\nvalidation.every = 0\n\
         cache.mode = \"prefix\"\n[data]\nstate = \"behavior-2025-top32\"\nvalidation_fraction = 0.0\n\
         sub_episode = {{ length = {FRAMES}, early_bias = 1e9 }}\n\
         [[data.datasets]]\npath = {dataset:?}\nepisodes = [60010]\n",
        folder.join("run")
    );
    std::fs::write(&config, text).unwrap();
    let program = env!("CARGO_BIN_EXE_sinew-trainer");
    let mut child = Command::new(program).args(["train", "--config"]).arg(&config).spawn().unwrap();
    let mut memory_kb = 0.0;
    while child.try_wait().unwrap().is_none() {
        memory_kb = peak_memory_kb(child.id()).unwrap_or(memory_kb);
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(child.wait().unwrap().success());
    let log = std::fs::read_to_string(folder.join("run/metrics.jsonl")).unwrap();
    let rates: Vec<f64> = log
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["samples_per_s"].as_f64().unwrap()
        })
        .collect();
    let best = |rates: &[f64]| rates.iter().copied().fold(0.0, f64::max);
    let epoch = FRAMES / BATCH;
    (best(&rates[..epoch]), best(&rates[epoch..]), memory_kb / 1e6)
}

/// What the system says of a process: the most memory it ever had.
fn peak_memory_kb(process: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
