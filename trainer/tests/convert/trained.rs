//! From logs to a bundle and a report in one command, and again after an interruption.

use crate::installed::onnxruntime_library;
use crate::support::{add_logs, convert, logs, said};
use serde_json::{Value, json};
use sinew_models::contract::Bundle;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn policy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/golden/r1pro")
}

fn train(folder: &Path, steps: &str, more: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sinew-trainer"));
    command.env("ORT_DYLIB_PATH", onnxruntime_library()).arg("train");
    command.arg("--logs").arg(folder.join("logs")).arg("--base").arg(policy());
    command.arg("--output").arg(folder.join("run")).args(["--analysis-frames", "2", "--codec", "h264"]);
    command.args(more).args([
        "--run.steps",
        steps,
        "--run.batch_size",
        "2",
        "--data.validation_fraction",
        "0.4",
    ]);
    said(&command.output().unwrap())
}

fn json_of(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn one_command_leaves_dataset_checkpoints_bundle_and_report_and_goes_on() {
    let spec = json!({"seconds": 1.0, "camera_hz": 15.0});
    let folder = logs(&[spec.clone(), spec.clone()]);
    let run = folder.path().join("run");
    // As if the conversion had been stopped after two of the logs.
    let (code, said) = convert(folder.path(), &["--codec", "h264"]);
    assert_eq!(code, 0, "{said}");
    fs::create_dir(&run).unwrap();
    fs::rename(folder.path().join("dataset"), run.join("dataset")).unwrap();
    add_logs(folder.path(), 2, &[spec.clone(), json!({"silent": {"head": [0.8, 1.2]}})]);

    let (code, said) = train(folder.path(), "3", &[]);
    assert!(code == 1 && said.contains("run exists"), "{code}: {said}");
    let (code, said) = train(folder.path(), "3", &["--resume"]);
    assert_eq!(code, 0, "{said}");
    for part in [
        "in already, as episode 1",
        "no observation within 50 ms",
        "1 of 4 logs refused: the training goes on",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let info = json_of(&run.join("dataset/meta/info.json"));
    assert_eq!(info["total_episodes"], 3);
    let bundle = Bundle::open(&run.join("bundle")).unwrap().manifest;
    assert_eq!((bundle.embodiment.as_str(), bundle.rate_hz), ("r1pro", 30.0));
    assert_eq!(bundle.action.dimensions[7].name, "left_arm_joint1");
    let found = json_of(&run.join("analysis/data/statistics.json"));
    assert_eq!(found["subject"]["trained_steps"], 3);
    assert!(fs::metadata(run.join("analysis/report.html")).unwrap().len() > 10_000);
    // What the policy is normalised with is what the run says of the data.
    let statistics = json_of(&run.join("statistics.json"));
    let mean = statistics["action"]["mean"][7].as_f64().unwrap();
    assert!((bundle.action.dimensions[7].statistics.mean - mean).abs() < 1e-6);

    // Further steps on the same episodes, whatever was recorded since.
    add_logs(folder.path(), 4, &[spec]);
    let (code, said) = train(folder.path(), "4", &["--resume"]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("goes on after step 3"), "{said}");
    assert_eq!(json_of(&run.join("dataset/meta/info.json"))["total_episodes"], 3);
    assert_eq!(json_of(&run.join("analysis/data/statistics.json"))["subject"]["trained_steps"], 4);
    assert_eq!(Bundle::open(&run.join("bundle")).unwrap().manifest.provenance.step, Some(4));
}

#[test]
fn flags_for_logs_need_logs_and_logs_need_a_policy() {
    for (arguments, expected) in [
        (vec!["train", "--layout", "behavior-2025-top32"], "--layout is about --logs"),
        (vec!["train", "--logs", "somewhere"], "--base"),
        (vec!["train", "--base", "somewhere"], "--logs"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_sinew-trainer")).args(arguments).output().unwrap();
        let (code, said) = said(&output);
        assert!(code == 2 && said.contains(expected), "{code}: {said}");
    }
}
