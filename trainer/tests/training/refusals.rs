//! What is refused before a run leaves anything behind, or before a policy leaves for the robot.

use crate::installed::onnxruntime_library;
use crate::support::{Bench, SIX_NUMBERS};
use std::process::Command;

/// A short run on BEHAVIOR's episodes with the R1 Pro's layout.
const BEHAVIOR: &str = "run.steps = 1\nrun.batch_size = 1\ndata.state = \"behavior-2025-top32\"\n\
    data.action = \"behavior-2025-top32\"\n";
const BUNDLE: &str = "bundle.write = true\nbundle.layout = \"behavior-2025-top32\"\n";

/// What the program says when it refuses.
fn refusal(mut command: Command) -> String {
    let output = command.env("ORT_DYLIB_PATH", onnxruntime_library()).output().unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_bundle_at_another_rate_than_the_robots_is_refused_before_the_first_step() {
    let bench = Bench::behavior();
    let message = refusal(bench.command("run", &format!("{BEHAVIOR}{BUNDLE}data.frame_stride = 2\n")));
    assert!(message.contains("15 a second") && message.contains("30 a second"), "{message}");
    assert!(!bench.output("run").exists());
}

#[test]
fn a_bundle_of_numbers_in_another_order_is_refused_before_the_first_step() {
    let bench = Bench::behavior();
    let swapped = "data.action = [\"left_arm\", \"base\", \"torso\", \"left_gripper\", \"right_arm\", \
        \"right_gripper\"]\n";
    let state = "run.steps = 1\ndata.state = \"behavior-2025-top32\"\n";
    let message = refusal(bench.command("run", &format!("{state}{swapped}{BUNDLE}")));
    assert!(message.contains("number 0 of the action"), "{message}");
    assert!(message.contains("left_arm_joint1") && message.contains("base_vx"), "{message}");
    assert!(!bench.output("run").exists());
}

#[test]
fn a_policy_of_another_rate_is_not_exported_later_either() {
    let bench = Bench::behavior();
    let outcome = bench.train("run", &format!("{BEHAVIOR}data.frame_stride = 2\n")).unwrap();
    let bundle = bench.output("bundle");
    let mut command = Command::new(env!("CARGO_BIN_EXE_sinew-trainer"));
    command.args(["export", "--layout", "behavior-2025-top32", "--trust-names", "--checkpoint"]);
    command.arg(outcome.last.join("pretrained_model")).arg("--output").arg(&bundle);
    let message = refusal(command);
    assert!(message.contains("15 a second") && message.contains("30 a second"), "{message}");
    assert!(!bundle.exists());
}

#[test]
fn a_cache_of_what_is_trained_leaves_no_run_behind() {
    let bench = Bench::new();
    let error =
        bench.train("run", "policy.train_expert_only = false\ncache.mode = \"prefix\"\n").unwrap_err();
    assert!(error.to_string().contains("cache.mode"), "{error}");
    assert!(!bench.output("run").exists());
}

#[test]
fn a_run_does_not_go_on_with_another_seed_batch_augmentation_or_learner() {
    let bench = Bench::recorded("mixed");
    bench.train("run", &format!("{SIX_NUMBERS}run.steps = 2\n")).unwrap();
    for more in [
        "run.seed = 9\n",
        "run.batch_size = 2\n",
        "augment.state_noise = 0.1\n",
        "loss.action_penalty = 0.1\n",
        "policy.train_state_proj = false\n",
        "policy.chunk_size = 7\n",
    ] {
        let error = bench.resume("run", &format!("{SIX_NUMBERS}run.steps = 3\n{more}")).unwrap_err();
        assert!(error.to_string().contains("base policy, episodes"), "{more}: {error}");
    }
    // Less is trained than was: what was learned of the rest would be lost.
    let all = "policy.train_expert_only = false\npolicy.freeze_vision_encoder = false\n";
    bench.train("all", &format!("{SIX_NUMBERS}{all}run.steps = 2\n")).unwrap();
    let error = bench.resume("all", &format!("{SIX_NUMBERS}run.steps = 3\n")).unwrap_err();
    assert!(error.to_string().contains("[policy]"), "{error}");
    bench.resume("run", &format!("{SIX_NUMBERS}run.steps = 3\n")).unwrap();
}

#[test]
fn what_is_not_there_cannot_go_on() {
    let bench = Bench::new();
    let error = bench.resume("mistyped", "").unwrap_err().to_string();
    assert!(error.contains("there is no run in") && error.contains("mistyped"), "{error}");
    let last = bench.train("run", "run.steps = 2\n").unwrap().last;
    std::fs::remove_dir_all(last).unwrap();
    let error = bench.resume("run", "").unwrap_err().to_string();
    assert!(error.contains("checkpoints/last"), "{error}");
}
