//! A run that was stopped, killed or could not write goes on as if nothing had happened.

use crate::support::{Bench, tensors};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

fn weights(checkpoint: &Path) -> Vec<u8> {
    fs::read(checkpoint.join("pretrained_model/model.safetensors")).unwrap()
}

/// Waits until the log has come to a step.
fn wait_for_step(bench: &Bench, name: &str, step: u64, child: &mut Child) {
    while !bench.losses(name).contains_key(&step) {
        assert!(child.try_wait().unwrap().is_none(), "ended before step {step}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn after_kill_9_losses_and_weights_are_those_of_a_run_that_was_let_be() {
    let bench = Bench::new();
    let long = "run.steps = 60\n";
    let whole = bench.train("whole", long).unwrap();
    for killed_at in [1, 6, 13] {
        let name = format!("killed{killed_at}");
        let mut child = bench.command(&name, long).stderr(Stdio::null()).spawn().unwrap();
        wait_for_step(&bench, &name, killed_at, &mut child);
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(9));
        let resumed = bench.resume(&name, long).unwrap();
        assert_eq!(resumed.step, 60);
        assert_eq!(bench.losses(&name), bench.losses("whole"), "killed at step {killed_at}");
        assert_eq!(weights(&resumed.last), weights(&whole.last), "killed at step {killed_at}");
    }
}

#[test]
fn a_line_of_the_log_that_a_kill_cut_in_two_is_the_uninterrupted_run_s() {
    let bench = Bench::new();
    // Checkpoints at 4 and 8: in the middle of the second and the third line's steps.
    let sparse = "run.steps = 30\nrun.log_every = 3\n";
    bench.train("whole", sparse).unwrap();
    let mut child = bench.command("killed", sparse).stderr(Stdio::null()).spawn().unwrap();
    wait_for_step(&bench, "killed", 6, &mut child);
    child.kill().unwrap();
    child.wait().unwrap();
    bench.resume("killed", sparse).unwrap();
    let lines = |name: &str| -> Vec<serde_json::Value> {
        let text = fs::read_to_string(bench.output(name).join("metrics.jsonl")).unwrap();
        let mut lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        lines.iter_mut().for_each(|line| line["samples_per_s"] = 0.into());
        lines
    };
    assert_eq!(lines("killed"), lines("whole"));
}

#[test]
fn averages_adapters_clean_prefixes_and_draws_go_on_too() {
    let bench = Bench::new();
    let variants = [
        ("average", "optimizer.ema_decay = 0.9\n"),
        ("adapters", "policy.lora.rank = 2\n"),
        ("prefixes", "loss.max_clean_steps = 5\nrun.accumulation = 2\n"),
        ("draws", "loss.draws_per_sample = 3\nrun.accumulation = 4\nrun.parts_at_once = 3\n"),
    ];
    for (name, more) in variants {
        let whole = bench.train(&format!("{name}-whole"), more).unwrap();
        let part = format!("{name}-part");
        bench.train(&part, &format!("{more}run.steps = 5\n")).unwrap();
        let resumed = bench.resume(&part, more).unwrap();
        assert_eq!(bench.losses(&part), bench.losses(&format!("{name}-whole")), "{name}");
        assert_eq!(weights(&resumed.last), weights(&whole.last), "{name}");
    }
}

#[test]
fn an_interrupted_run_saves_and_succeeds() {
    let bench = Bench::new();
    let mut child =
        bench.command("run", "").args(["--run.steps", "100000"]).stderr(Stdio::piped()).spawn().unwrap();
    wait_for_step(&bench, "run", 2, &mut child);
    let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let last = *bench.losses("run").keys().last().unwrap();
    let saved = fs::read_link(bench.output("run").join("checkpoints/last")).unwrap();
    assert_eq!(saved, Path::new(&format!("{last:06}")));
}

#[test]
fn a_full_disk_is_reported_and_leaves_the_checkpoint_before() {
    let bench = Bench::new();
    bench.train("run", "").unwrap();
    let before = tensors(&bench.output("run").join("checkpoints/last/pretrained_model/model.safetensors"));
    // A limit on the size of files stands in for a full disk: the write fails half-way.
    let [config, _] = bench.config("run", "");
    let script = "trap '' XFSZ; ulimit -f 40; exec \"$0\" train --resume --config \"$1\" --run.steps 16";
    let program = env!("CARGO_BIN_EXE_sinew-trainer");
    let output = Command::new("bash").args(["-c", script, program]).arg(config).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("model.safetensors") && said.contains("File too large"), "{said}");
    let folder = bench.output("run").join("checkpoints");
    assert_eq!(fs::read_link(folder.join("last")).unwrap(), Path::new("000012"));
    let after = tensors(&folder.join("last/pretrained_model/model.safetensors"));
    assert_eq!(before, after);
    assert!(
        !fs::read_dir(&folder).unwrap().any(|entry| entry
            .unwrap()
            .file_name()
            .to_string_lossy()
            .starts_with('.'))
    );
}

/// The damaged episode is the one that is validated with in one of the cases: nothing is read of it before.
#[test]
fn a_validation_that_cannot_be_read_does_not_cost_the_steps_before_it() {
    let bench = Bench::new();
    let mut saved = Vec::new();
    for episode in 0..3 {
        let name = format!("damaged-{episode}");
        let dataset = bench.output(&format!("{name}-dataset"));
        let copied = Command::new("cp").arg("-r").arg(bench.dataset()).arg(&dataset).status().unwrap();
        assert!(copied.success());
        let video = format!("videos/chunk-000/observation.images.head/episode_{episode:06}.mp4");
        let video = fs::OpenOptions::new().write(true).open(dataset.join(video)).unwrap();
        video.set_len(video.metadata().unwrap().len() / 2).unwrap();
        let more = format!(
            "checkpoints.every = 1000\nvalidation.every = 4\ndata.validation_fraction = 0.3\ndata.datasets = [{{ path = {dataset:?} }}]\n"
        );
        let error = bench.train(&name, &more).unwrap_err().to_string();
        assert!(error.contains(&format!("episode_{episode:06}.mp4")), "{error}");
        saved.extend(fs::read_link(bench.output(&name).join("checkpoints/last")));
    }
    assert!(saved.contains(&PathBuf::from("000004")), "{saved:?}");
}

#[test]
fn a_run_is_not_overwritten_nor_resumed_on_other_data() {
    let bench = Bench::new();
    bench.train("run", "").unwrap();
    let error = bench.train("run", "").unwrap_err().to_string();
    assert!(error.contains("exists"), "{error}");
    let error = bench.resume("run", "data.split_seed = 5\n").unwrap_err().to_string();
    assert!(error.contains("the run says") && error.contains("the configuration says"), "{error}");
}
