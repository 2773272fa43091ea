//! What does not fit is refused, with both sides named.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use serde_json::{Value, json};
use sinew_models::checkpoint::Checkpoint;
use sinew_models::contract::Mode;
use sinew_models::embodiment::{Embodiment, Source};
use sinew_models::preprocess::{Normalizer, ResizePlan};
use sinew_models::unit::Unit;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn tiny() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/golden/tiny")
}

/// A copy of the tiny policy that a test may spoil.
fn copy() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(tiny()).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    folder
}

fn edit_config(folder: &Path, key: &str, value: Value) {
    let path = folder.join("config.json");
    let mut config: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    config[key] = value;
    std::fs::write(path, serde_json::to_vec(&config).unwrap()).unwrap();
}

fn refusal(folder: &Path) -> String {
    Checkpoint::open(folder, None).unwrap_err().to_string()
}

/// Rewrites the weights; `change` maps each tensor to its new name and shape, or drops it.
fn edit_weights(folder: &Path, change: impl Fn(&str, &[usize]) -> Option<(String, Vec<usize>)>) {
    let path = folder.join("model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut tensors = HashMap::new();
    for (name, view) in file.tensors() {
        if let Some((name, shape)) = change(&name, view.shape()) {
            tensors.insert(name, TensorView::new(view.dtype(), shape, view.data()).unwrap());
        }
    }
    let edited = safetensors::serialize(tensors, None).unwrap();
    std::fs::write(path, edited).unwrap();
}

#[test]
fn unknown_keys_are_tolerated_and_missing_ones_take_lerobots_defaults() {
    let folder = copy();
    edit_config(folder.path(), "a_key_of_tomorrow", json!({"x": 1}));
    let path = folder.path().join("config.json");
    let mut config: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    config.as_object_mut().unwrap().remove("num_steps");
    std::fs::write(path, serde_json::to_vec(&config).unwrap()).unwrap();
    assert_eq!(Checkpoint::open(folder.path(), None).unwrap().model.denoise_step_count, 10);
}

#[test]
fn configurations_that_smolvla_cannot_have_are_refused_by_key() {
    let cases = [
        ("type", json!("pi0"), "expected `smolvla`"),
        ("num_vlm_layers", json!(7), "num_vlm_layers"),
        ("num_expert_layers", json!(2), "num_expert_layers"),
        ("n_action_steps", json!(51), "n_action_steps"),
        ("chunk_size", json!(0), "chunk_size"),
        ("chunk_size", json!(-1), "config.json"),
        ("resize_imgs_with_padding", json!([256, 256]), "resize_imgs_with_padding"),
        ("resize_imgs_with_padding", json!(null), "resize_imgs_with_padding"),
        ("adapt_to_pi_aloha", json!(true), "adapt_to_pi_aloha"),
        ("pad_language_to", json!("shortest"), "shortest"),
        ("vlm_model_name", json!("someone/else"), "someone/else"),
    ];
    for (key, value, expected) in cases {
        let folder = copy();
        edit_config(folder.path(), key, value.clone());
        if key == "vlm_model_name" {
            std::fs::remove_file(folder.path().join("vlm_config.json")).unwrap();
        }
        let error = refusal(folder.path());
        assert!(error.contains(expected), "{key} = {value}: {error}");
    }
}

#[test]
fn tensors_that_are_missing_or_misshapen_are_named() {
    let folder = copy();
    edit_weights(folder.path(), |name, shape| {
        (name != "model.state_proj.bias").then(|| (name.to_owned(), shape.to_vec()))
    });
    let error = refusal(folder.path());
    assert!(error.contains("`model.state_proj.bias` [96] is missing"), "{error}");

    let folder = copy();
    edit_weights(folder.path(), |name, shape| {
        let flat = vec![shape.iter().product()];
        Some((name.to_owned(), if name == "model.action_in_proj.weight" { flat } else { shape.to_vec() }))
    });
    let error = refusal(folder.path());
    assert!(error.contains("model.action_in_proj.weight") && error.contains("[72, 32]"), "{error}");
    assert!(error.contains("[2304]"), "{error}");
}

#[test]
fn tensors_that_nobody_knows_are_named_and_unused_ones_may_be_absent() {
    let folder = copy();
    edit_weights(folder.path(), |name, shape| {
        let name = if name.ends_with("lm_head.weight") { "model.left_over" } else { name };
        Some((name.to_owned(), shape.to_vec()))
    });
    let checkpoint = Checkpoint::open(folder.path(), None).unwrap();
    assert_eq!(checkpoint.unexpected_tensors, ["model.left_over"]);
}

#[test]
fn truncated_files_are_errors_that_name_the_file() {
    for name in [
        "config.json",
        "model.safetensors",
        "policy_preprocessor.json",
        "policy_postprocessor.json",
        "tokenizer.json",
    ] {
        let folder = copy();
        let path = folder.path().join(name);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        let error = refusal(folder.path());
        assert!(error.contains(name), "{error}");
    }
}

#[test]
fn statistics_that_match_no_feature_are_refused_where_lerobot_would_pass_numbers_through() {
    let checkpoint = Checkpoint::open(&tiny(), None).unwrap();
    let processors = &checkpoint.processors;
    assert_eq!(processors.feature("action", "ACTION", 6).unwrap().mode, Mode::MeanStd);
    let error = processors.feature("so100.action", "ACTION", 6).unwrap_err().to_string();
    assert!(error.contains("so100.action") && error.contains("observation.state"), "{error}");
    let error = processors.feature("action", "ACTION", 7).unwrap_err().to_string();
    assert!(error.contains("[7]") && error.contains("[6]"), "{error}");
}

/// LeRobot would train on numbers normalised in one way and drive with them turned back in another.
#[test]
fn actions_that_are_not_turned_back_as_they_were_normalised_are_refused() {
    let folder = copy();
    let path = folder.path().join("policy_postprocessor.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let (old, new) = ("\"ACTION\": \"MEAN_STD\"", "\"ACTION\": \"IDENTITY\"");
    assert!(text.contains(old), "{text}");
    std::fs::write(&path, text.replace(old, new)).unwrap();
    refused_actions(folder.path(), "normalisation of `action`");
    // The last number of one tensor.
    let folder = copy();
    let path = folder.path().join("policy_postprocessor_step_0_unnormalizer_processor.safetensors");
    let mut bytes = std::fs::read(&path).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let end =
        tensors.tensor("action.std").unwrap().data().as_ptr_range().end as usize - bytes.as_ptr() as usize;
    bytes[end - 1] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    refused_actions(folder.path(), "number 5");
}

fn refused_actions(folder: &Path, complaint: &str) {
    let checkpoint = Checkpoint::open(folder, None).unwrap();
    assert!(checkpoint.processors.feature("observation.state", "STATE", 6).is_ok());
    let error = checkpoint.processors.feature("action", "ACTION", 6).unwrap_err().to_string();
    let files = ["policy_preprocessor", "policy_postprocessor", complaint];
    assert!(files.iter().all(|part| error.contains(part)), "{error}");
}

#[test]
fn names_and_units_that_the_robot_does_not_have_are_refused_with_the_nearest() {
    let robot = Embodiment::built_in("r1pro").unwrap();
    let error = robot.signal("left_arm_jont1.pos", Unit::Radian).unwrap_err().to_string();
    assert!(error.contains("left_arm_jont1") && error.contains("`left_arm_joint1`"), "{error}");
    let error = robot.command("left_arm_joint1", Unit::Degree).unwrap_err().to_string();
    assert!(error.contains("`deg`") && error.contains("`rad`"), "{error}");
    let error = robot.layout("behaviour-2025-top32").unwrap_err().to_string();
    assert!(error.contains("`behavior-2025-top32`"), "{error}");
    let error = Embodiment::built_in("r2pro").unwrap_err().to_string();
    assert!(error.contains("r2pro") && error.contains("r1pro"), "{error}");
}

/// A built-in description with one place changed, as a file of the user's.
fn altered(text: &str, from: &str, to: &str) -> Result<Embodiment, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.toml");
    assert!(text.contains(from), "{from}");
    std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
    Embodiment::named(path.to_str().unwrap()).map_err(|error| error.to_string())
}

#[test]
fn a_robot_in_a_file_may_be_any_but_not_contradict_itself() {
    let open = |from, to| altered(include_str!("../embodiments/so101.toml"), from, to);
    assert_eq!(open("name = \"so101\"", "name = \"mine\"").unwrap().name, "mine");
    let cases = [
        ("velocity = 120.0", "velocity = 301.0", "operating velocity 301 is more than the 300"),
        ("velocity = 120.0", "velocity = 0.0", "velocity is 0, expected more than 0"),
        ("acceleration = 600.0", "acceleration = [600.0, 600.0]", "2 numbers, expected 1 or 5"),
        ("margin = 2.0", "margin = 95.0", "`wrist_flex`: margin 95"),
        ("margin = 2.0, lead = 30.0", "margin = 2.0", "a position group has a margin and a lead"),
        ("lower = [-0.3,", "lower = [0.9,", "is no box"),
        ("link = \"gripperframe\"", "link = \"griperframe\"", "no joint carries link `griperframe`"),
        ("lead = 30.0", "leed = 30.0", "leed"),
    ];
    for (from, to, expected) in cases {
        let error = open(from, to).unwrap_err();
        assert!(error.contains(expected) && error.contains("mine.toml"), "{to}: {error}");
    }
}

#[test]
fn shapes_that_are_none_and_those_that_cannot_be_held_apart_are_refused() {
    let open = |from, to| altered(include_str!("../embodiments/r1pro.toml"), from, to);
    let cases = [
        ("radius = 0.065", "radius = 0.0", "a capsule of `torso` on `torso_link1` is no shape"),
        (
            "size = [0.17, 0.3, 0.38]",
            "size = [0.17, -0.3, 0.38]",
            "a block of `torso` on `torso_link4` is no shape",
        ),
        (
            "[\"left_arm\", \"torso\"]",
            "[\"left_leg\", \"torso\"]",
            "`left_leg`: it has no capsules or blocks",
        ),
        ("[\"left_arm\", \"torso\"]", "[\"base\", \"torso\"]", "`base` and `torso`: both have blocks"),
        ("distance = 0.01", "distance = -0.01", "clearance of `left_arm` and `torso` is -0.01 m"),
    ];
    for (from, to, expected) in cases {
        let error = open(from, to).unwrap_err();
        assert!(error.contains(expected) && error.contains("mine.toml"), "{to}: {error}");
    }
}

#[test]
fn grippers_and_base_convert_as_the_robots_interface_says() {
    let robot = Embodiment::built_in("r1pro").unwrap();
    let stroke_mm = |name, unit, x| robot.command(name, unit).unwrap().to_wire.apply(x);
    assert_eq!([-1.0, 0.0, 1.0].map(|a| stroke_mm("left_gripper", Unit::One, a)), [0.0, 50.0, 100.0]);
    assert_eq!(stroke_mm("right_gripper", Unit::Metre, 0.05), 100.0);
    assert_eq!(stroke_mm("base_vx", Unit::One, 1.0), 0.75);
    assert_eq!(stroke_mm("base_vyaw", Unit::One, -1.0), -1.0);
    let finger = robot.signal("left_gripper_finger_joint2.pos", Unit::Metre).unwrap();
    let Source::Joint { from_wire, .. } = finger else { panic!("a finger is a joint") };
    assert!((from_wire.apply(100.0) - 0.05).abs() < 1e-12);
}

#[test]
fn frames_and_vectors_of_another_size_are_refused() {
    assert!(ResizePlan::new(0, 480, 512).is_err());
    assert!(ResizePlan::new(100_000, 1, 64).is_err());
    let plan = ResizePlan::new(4, 2, 8).unwrap();
    let error = plan.apply(&[0; 23], &mut [0.0; 192]).unwrap_err().to_string();
    assert!(error.contains("[2, 4, 3]") && error.contains("[23]"), "{error}");
    let checkpoint = Checkpoint::open(&tiny(), None).unwrap();
    let statistics = checkpoint.processors.feature("observation.state", "STATE", 6).unwrap();
    let dimension = |(i, statistics)| sinew_models::contract::Dimension {
        name: format!("joint{i}"),
        unit: Unit::Radian,
        source_index: Some(i),
        derived: None,
        statistics,
    };
    let vector = sinew_models::contract::Vector {
        normalization: statistics.mode,
        eps: statistics.eps,
        dimensions: statistics.dimensions.into_iter().enumerate().map(dimension).collect(),
    };
    let normalizer = Normalizer::new(&vector).unwrap();
    assert!(normalizer.normalize(&[0.0; 5], 32).is_err());
    let error = normalizer.normalize(&[0.0, 0.0, f32::NAN, 0.0, 0.0, 0.0], 32).unwrap_err().to_string();
    assert!(error.contains("joint2") && error.contains("NaN"), "{error}");
}
