//! What a checkpoint holds.

use crate::installed::onnxruntime_library;
use crate::support::{Bench, SIX_NUMBERS, fixture, floats, tensors};
use sinew_models::checkpoint::Checkpoint;
use sinew_models::contract::{Bundle, Training};
use std::fs;
use std::path::Path;
use std::process::Command;

const VISION: &str = "model.vlm_with_expert.vlm.model.vision_model.";
const TEXT: &str = "model.vlm_with_expert.vlm.model.text_model.layers.";
const EXPERT: &str = "model.vlm_with_expert.lm_expert.";

/// Names of the tensors that differ from the base's.
fn changed(bench: &Bench, checkpoint: &Path) -> Vec<String> {
    let before = tensors(&bench.policy().join("model.safetensors"));
    let after = tensors(&checkpoint.join("pretrained_model/model.safetensors"));
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    let differs = |name: &&String| before[*name].2 != after[*name].2;
    before.keys().filter(differs).cloned().collect()
}

#[test]
fn it_keeps_every_tensor_and_what_is_frozen_as_it_was_stored() {
    let bench = Bench::recorded("mixed");
    let outcome = bench.train("run", SIX_NUMBERS).unwrap();
    let changed = changed(&bench, &outcome.last);
    let before = tensors(&bench.policy().join("model.safetensors"));
    let after = tensors(&outcome.last.join("pretrained_model/model.safetensors"));
    assert!(before.values().any(|(dtype, ..)| dtype == "BF16"));
    for (name, (dtype, shape, _)) in &after {
        assert_eq!(shape, &before[name].1, "{name}");
        let is_trained = !name.starts_with("model.vlm_with_expert.vlm.");
        assert_eq!(changed.contains(name), is_trained, "{name}");
        let expected = if is_trained { "F32" } else { before[name].0.as_str() };
        assert_eq!(dtype, expected, "{name}");
    }
    let reopened = Checkpoint::open(&outcome.last.join("pretrained_model"), None).unwrap();
    assert!(reopened.unexpected_tensors.is_empty());
    let renamed = &reopened.processors.rename_map;
    assert_eq!(renamed["observation.images.head"], "observation.images.camera1");
}

#[test]
fn unfrozen_parts_are_really_trained_and_what_gets_no_gradient_is_not() {
    let bench = Bench::new();
    let vision_too = "policy.train_expert_only = false\npolicy.freeze_vision_encoder = false\n";
    let outcome = bench.train("all", vision_too).unwrap();
    let all = changed(&bench, &outcome.last);
    let has = |names: &[String], prefix: &str| names.iter().any(|name| name.starts_with(prefix));
    assert!(has(&all, VISION) && has(&all, &format!("{TEXT}0.")) && has(&all, EXPERT));
    assert!(!has(&all, &format!("{TEXT}3.")), "the last text layer");
    let outcome = bench.train("text", "policy.train_expert_only = false\n").unwrap();
    let text = changed(&bench, &outcome.last);
    assert!(!has(&text, VISION) && has(&text, &format!("{TEXT}0.")));
}

/// LeRobot trains so: a VLM that was trained before, and an expert that begins at random.
#[test]
fn a_new_policy_may_take_over_another_ones_vlm() {
    let bench = Bench::new();
    let (golden, policy) = (fixture("golden/cameras1"), bench.output("taken_over"));
    let init = |of: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sinew-trainer"));
        command.arg("init").arg("--config").arg(bench.policy().join("config.json"));
        command.arg("--vlm").arg(golden.join("vlm_config.json"));
        command.arg("--tokenizer").arg(golden.join("tokenizer.json"));
        command.args(["--seed", "7", "--vlm-of"]).arg(fixture(of)).arg("--output").arg(&policy);
        command.output().unwrap()
    };
    let refused = String::from_utf8(init("golden/r1pro").stderr).unwrap();
    assert!(refused.contains("expected") && refused.contains("model.vlm_with_expert.vlm."), "{refused}");
    assert!(!policy.exists());
    assert!(init("golden/cameras1").status.success());
    let [random, other, new] =
        [bench.policy(), &golden, &policy].map(|folder| tensors(&folder.join("model.safetensors")));
    for (name, tensor) in &new {
        let origin = if name.starts_with("model.vlm_with_expert.vlm.") { &other } else { &random };
        assert!(tensor == &origin[name], "{name}");
    }
}

#[test]
fn adapters_are_merged_and_add_no_more_than_their_rank() {
    let bench = Bench::new();
    let outcome = bench.train("run", "policy.lora.rank = 1\noptimizer.lr = 1e-2\n").unwrap();
    let name = format!("{EXPERT}layers.0.mlp.gate_proj.weight");
    assert!(changed(&bench, &outcome.last).contains(&name));
    let before = tensors(&bench.policy().join("model.safetensors"));
    let after = tensors(&outcome.last.join("pretrained_model/model.safetensors"));
    let width = before[&name].1[1];
    let difference: Vec<f32> =
        floats(&before[&name].2).iter().zip(floats(&after[&name].2)).map(|(a, b)| b - a).collect();
    // Every row of a product of rank 1 is a multiple of the first.
    let (first, rest) = difference.split_at(width);
    let largest = (0..width).max_by(|a, b| first[*a].abs().total_cmp(&first[*b].abs())).unwrap();
    assert!(first[largest].abs() > 1e-5);
    for row in rest.chunks_exact(width) {
        let factor = row[largest] / first[largest];
        for (a, b) in first.iter().zip(row) {
            assert!((a * factor - b).abs() < 1e-5, "{a} · {factor} is not {b}");
        }
    }
    assert!(!changed(&bench, &outcome.last).contains(&format!("{EXPERT}layers.0.input_layernorm.weight")));
}

#[test]
fn the_newest_and_the_best_are_kept() {
    let bench = Bench::new();
    let outcome = bench
        .train("run", "checkpoints.keep_last = 1\nvalidation.every = 4\nvalidation.frames = 8\n")
        .unwrap();
    let folder = bench.output("run").join("checkpoints");
    let best = fs::read_link(folder.join("best")).unwrap();
    let mut kept: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name != "best" && name != "last")
        .collect();
    kept.sort();
    let mut expected = vec!["000012".to_owned(), best.to_string_lossy().into_owned()];
    expected.sort();
    expected.dedup();
    assert_eq!(kept, expected);
    assert_eq!(outcome.best.unwrap().file_name().unwrap(), best.as_os_str());
}

#[test]
fn a_run_on_behavior_episodes_ends_with_a_bundle_for_the_robot() {
    let bench = Bench::behavior();
    let more = "run.steps = 2\nrun.batch_size = 1\nbundle.write = true\nbundle.layout = \"behavior-2025-top32\"\n\
        data.state = \"behavior-2025-top32\"\ndata.action = \"behavior-2025-top32\"\n\
        data.validation_fraction = 0.5\nloss.max_clean_steps = 6\n";
    let output = bench.command("run", more).env("ORT_DYLIB_PATH", onnxruntime_library()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let bundle = Bundle::open(&bench.output("run").join("bundle")).unwrap();
    assert_eq!(bundle.manifest.provenance.step, Some(2));
    assert_eq!(bundle.manifest.state.dimensions.len(), 32);
    // The base has the statistics of both episodes, the run of the one that is not for validation.
    let first = &bundle.manifest.state.dimensions[0];
    let trained =
        Checkpoint::open(&bench.output("run").join("checkpoints/last/pretrained_model"), None).unwrap();
    let statistics = trained.processors.feature("observation.state", "STATE", 32).unwrap();
    assert_eq!(first.statistics, statistics.dimensions[0]);
    let base = Checkpoint::open(bench.policy(), None).unwrap();
    let base = base.processors.feature("observation.state", "STATE", 32).unwrap();
    assert_ne!(first.statistics, base.dimensions[0]);
    // How it wants to be run: both episodes begin in this posture, base and grippers included.
    let Training { max_clean_steps, start_posture } = bundle.manifest.training;
    assert_eq!(max_clean_steps, 6);
    let (left, right) =
        ([0.3, 0.15, 0.0, -1.4, 0.0, 0.0, 0.0, 0.6], [0.3, -0.15, 0.0, -1.4, 0.0, 0.0, 0.0, 0.6]);
    let expected = [&[0.0, 0.0, 0.0, 0.65, -1.2, -0.65, 0.0], &left[..], &right].concat();
    assert_eq!(start_posture.len(), expected.len());
    for (found, expected) in start_posture.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-6, "{start_posture:?}");
    }
}
