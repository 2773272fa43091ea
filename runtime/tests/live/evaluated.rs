//! A policy that swings its arms, evaluated on a simulated robot without physics. Of its tasks the left one can be done with
//! even seeds, the right one never.

use crate::kit::{complete, kinematic_rig as rig, onnxruntime, swing};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// Evaluates; the report, if there is one, and the exit code and standard error.
fn evaluate(
    bundle: &TempDir,
    folder: &TempDir,
    rig: &str,
    arguments: &[&str],
) -> (Option<String>, i32, String) {
    let (bundle, output) = (bundle.path().to_str().unwrap(), folder.path().to_str().unwrap());
    let fixed = ["eval", "--bundle", bundle, "--output", output, "--rig", rig];
    let arguments: Vec<&str> = fixed.iter().chain(arguments).copied().collect();
    let (code, _, stderr) = complete(&arguments);
    (fs::read_to_string(folder.path().join("eval.json")).ok(), code, stderr)
}

fn report(bundle: &TempDir, arguments: &[&str]) -> (Value, String, TempDir) {
    let folder = TempDir::new().unwrap();
    let (text, code, stderr) = evaluate(bundle, &folder, &rig(""), arguments);
    assert_eq!(code, 0, "{stderr}");
    let text = text.unwrap();
    (serde_json::from_str(&text).unwrap(), text, folder)
}

/// Task, seed and cause of each episode.
fn outcomes(report: &Value) -> Vec<(String, u64, Option<String>)> {
    let outcome = |episode: &Value| {
        let cause = episode["cause"].as_str().map(str::to_owned);
        assert_eq!(episode["success"] == true, cause.is_none(), "{episode}");
        (episode["task"].as_str().unwrap().to_owned(), episode["seed"].as_u64().unwrap(), cause)
    };
    report["episodes"].as_array().unwrap().iter().map(outcome).collect()
}

#[test]
fn in_lock_step_an_evaluation_repeats_itself_and_counts() {
    let bundle = swing(1);
    let arguments = ["--seeds", "0..1", "--show-successes", "--max-seconds", "3"];
    let (report, text, folder) = self::report(&bundle, &arguments);
    let (_, again, _) = self::report(&bundle, &arguments);
    assert_eq!(text, again);
    let outcome = |task: &str, seed, cause: Option<&str>| (task.to_owned(), seed, cause.map(str::to_owned));
    let (never, wrong) = (Some("never_touched"), Some("wrong_object"));
    let expected = [
        outcome("left", 0, None),
        outcome("left", 1, never),
        outcome("right", 0, wrong),
        outcome("right", 1, never),
    ];
    assert_eq!(outcomes(&report), expected);
    let left = &report["tasks"]["left"];
    assert_eq!((&left["words"], &left["success_count"]), (&"reach left".into(), &1.into()));
    assert_eq!(report["is_complete"], true);
    assert_eq!((&report["mode"], &report["all"]["other_task_count"]), (&"lock_step".into(), &1.into()));
    let manifest = fs::read_to_string(bundle.path().join("bundle.json")).unwrap();
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    assert_eq!(report["bundle_id"], manifest["bundle_id"]);
    assert!(left["seams"]["left_arm"]["largest_offered"].as_f64().unwrap() > 0.0, "{left}");
    // Once a look: more pictures than one, and as many chunks as 25 steps each make of 3 s.
    assert_eq!(report["episodes"][1]["chunk_count"], 4);
    for name in ["failures.png", "successes.png"] {
        assert!(fs::read(folder.path().join(name)).unwrap().starts_with(b"\x89PNG"), "{name}");
    }
}

/// The robot executes what the safety core lets through, and chunks arrive when they are said to.
#[test]
fn in_lock_step_safety_and_latency_are_those_of_a_run() {
    let bundle = swing(1);
    let folder = TempDir::new().unwrap();
    let config = folder.path().join("slow.toml");
    fs::write(&config, "[safety]\nspeed_scale = 0.05\n").unwrap();
    let fixed = ["--seeds", "0", "--task", "left", "--max-seconds", "3"];
    let seconds = |arguments: &[&str]| {
        let arguments: Vec<&str> = fixed.iter().chain(arguments).copied().collect();
        let (report, ..) = self::report(&bundle, &arguments);
        let velocity = report["all"]["limit_hits"]["left_arm_joint1"]["velocity"].as_u64().unwrap_or(0);
        (report["episodes"][0]["seconds_to_success"].as_f64(), velocity)
    };
    let (plain_s, plain_hits) = seconds(&[]);
    assert!(plain_s.is_some() && plain_hits == 0, "{plain_s:?} {plain_hits}");
    let (slow_s, slow_hits) = seconds(&["--config", config.to_str().unwrap()]);
    assert!(slow_s.is_none_or(|slow_s| slow_s > plain_s.unwrap()) && slow_hits > 0, "{slow_s:?} {slow_hits}");
    let (late_s, _) = seconds(&["--extra-latency-ms", "400"]);
    let later_s = late_s.unwrap() - plain_s.unwrap();
    assert!((0.3..0.6).contains(&later_s), "{later_s}");
}

#[test]
fn in_real_time_the_whole_run_is_evaluated() {
    // What is left of an episode does not disturb the next. A machine with other work takes longer.
    let arguments = ["--seeds", "0,2", "--task", "left", "--real-time", "--max-seconds", "60"];
    let (report, ..) = report(&swing(1), &arguments);
    assert_eq!(outcomes(&report), [0, 2].map(|seed| ("left".to_owned(), seed, None)));
    let timing = &report["tasks"]["left"]["timing"];
    assert!(timing["latency_p50_ms"].as_f64().unwrap() > 0.0, "{timing}");
    assert!(timing["chunk_ends"]["published"].as_u64().unwrap() > 1, "{timing}");
}

#[test]
fn what_cannot_be_evaluated_is_refused() {
    let bundle = swing(1);
    for (rig, arguments, said) in [
        (rig(""), &["--task", "spoon"][..], "it has no task `spoon`, but `left`, `right`"),
        (rig("--no-such-flag"), &[], "its program ended"),
        (rig("--stepped"), &["--real-time"], "its time stands still"),
        (rig(""), &["--seeds", "3..1"], "`--seeds`"),
        (rig(""), &["--hold-seconds", "61"], "`--hold-seconds`"),
    ] {
        let folder = TempDir::new().unwrap();
        let (report, code, stderr) = evaluate(&bundle, &folder, &rig, arguments);
        assert_eq!((report, code), (None, 2), "{stderr}");
        assert!(stderr.contains(said), "{stderr}");
    }
}

/// The second episode would not end for an hour.
#[test]
fn what_was_done_before_an_interruption_is_kept() {
    let (bundle, folder) = (swing(1), TempDir::new().unwrap());
    let mut command = Command::new(env!("CARGO_BIN_EXE_sinew-runtime"));
    command.args(["eval", "--seeds", "0,1", "--task", "left", "--max-seconds", "3600", "--rig", &rig("")]);
    command.arg("--bundle").arg(bundle.path()).arg("--output").arg(folder.path());
    let mut child = command.env("ORT_DYLIB_PATH", onnxruntime()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("left, seed 0: success")));
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(kill.unwrap().success());
    let said: Vec<String> = lines.collect();
    assert_eq!(child.wait().unwrap().code(), Some(2), "{said:?}");
    assert!(said.iter().any(|line| line.contains("interrupted")), "{said:?}");
    let report = fs::read_to_string(folder.path().join("eval.json")).unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["is_complete"], false);
    assert_eq!(outcomes(&report), [("left".to_owned(), 0, None)]);
}
