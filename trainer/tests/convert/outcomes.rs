//! What becomes of logs, and what is said of it.

use crate::support::{add_logs, convert, dataset, logs, program, said, tasks};
use serde_json::json;
use std::fs;
use std::process::Command;

fn short() -> serde_json::Value {
    json!({"seconds": 0.7, "camera_hz": 15.0})
}

#[test]
fn each_log_that_is_left_out_or_refused_is_said_and_the_others_go_on() {
    let folder = logs(&[
        short(),
        json!({"seconds": 0.7, "outcome": "discard"}),
        json!({"silent": {"head": [0.8, 1.2]}}),
        json!({"silent": {"torso": [0.8, 1.2]}}),
        json!({"frozen": {"left_wrist": [0.5, 1.5]}}),
        json!({"damage": {"input": "left_arm", "at": 0.5, "kind": "nan"}, "seconds": 0.7}),
        json!({"damage": {"input": "right_arm", "command": true, "at": 0.5, "kind": "nan"}, "seconds": 0.7}),
        json!({"damage": {"input": "head", "at": 0.5, "kind": "jpeg"}, "seconds": 0.7}),
        json!({"damage": {"input": "torso", "at": 0.5, "kind": "short"}, "seconds": 0.7}),
        json!({"words": [], "seconds": 0.7}),
        json!({"is_described": false, "seconds": 0.7}),
        json!({"name": "episode_000011.mcap.part", "seconds": 0.7}),
        short(),
        json!({"outcome": null, "seconds": 0.7, "camera_hz": 15.0}),
    ]);
    let torn = folder.path().join("logs/episode_000012.mcap");
    let mut bytes = fs::read(&torn).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    fs::write(&torn, bytes).unwrap();
    fs::create_dir(folder.path().join("logs/episode_000014.mcap")).unwrap();
    // What `recover` mended stays beside what it made of it.
    fs::write(folder.path().join("logs/episode_000000.mcap.part"), "torn").unwrap();
    let (code, said) = convert(folder.path(), &[]);
    assert_eq!(code, 1, "{said}");
    let of = |number: usize| -> String {
        let name = format!("episode_{number:06}.mcap");
        said.lines().filter(|line| line.contains(&name)).collect()
    };
    for (number, parts) in [
        (0, vec!["episode 0, "]),
        (1, vec!["left out: marked `discard`"]),
        (2, vec!["after its first row: no observation within 50 ms (none for 4", "camera head"]),
        (3, vec!["no observation within 50 ms", "feedback of torso"]),
        (4, vec!["no observation within 50 ms", "camera left_wrist", "in a row are equal"]),
        (
            5,
            vec![
                "/hdas/feedback_arm_left at 1760000500.5",
                "position of left_arm: expected finite numbers, found NaN",
            ],
        ),
        (6, vec!["/motion_target/target_joint_state_arm_right at 1760000600.5", "set-point of right_arm"]),
        (7, vec!["/hdas/camera_head/left_raw/image_raw_color/compressed at 1760000700.5", "JPEG"]),
        (8, vec!["/hdas/feedback_torso at 1760000800.5", "sensor_msgs/msg/JointState"]),
        (9, vec!["--instruction"]),
        (10, vec!["--robot"]),
        (11, vec!["left out", "sinew-runtime recover"]),
        (12, vec!["episode_000012.mcap"]),
        (13, vec!["episode 1, "]),
        (14, vec!["episode_000014.mcap", "directory"]),
    ] {
        for part in parts {
            assert!(of(number).contains(part), "{number}: {part}: {}", of(number));
        }
    }
    for line in
        ["logs              15", "converted          2", "left out           2", "refused           11"]
    {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert_eq!(dataset(folder.path()).episode_count(), 2);
}

#[test]
fn repeating_adds_what_is_new_and_only_successful_leaves_the_rest_out() {
    let folder = logs(&[short(), json!({"seconds": 0.7, "outcome": "failure"})]);
    let run = |more: &[&str]| convert(folder.path(), more);
    let (code, said) = run(&["--only-successful"]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("marked `failure`, and only successful ones are wanted"), "{said}");
    assert_eq!(dataset(folder.path()).episode_count(), 1);
    add_logs(folder.path(), 2, &[json!({"seconds": 0.7, "words": [[0.0, "stack the cubes"]]})]);
    let (code, said) = run(&[]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("episode_000000.mcap: in already, as episode 0"), "{said}");
    let set = dataset(folder.path());
    assert_eq!(set.episode_count(), 3);
    assert_eq!(tasks(&set, 2)[0], "stack the cubes");
    let (code, said) = run(&[]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("in already         3"), "{said}");
    // A dataset of something else is not added to.
    let (code, said) = run(&["--rate", "10"]);
    assert!(code == 1 && said.contains("fps"), "{code}: {said}");
    let (code, said) = run(&["--cameras", "head"]);
    assert!(code == 1 && said.contains("features"), "{code}: {said}");
}

#[test]
fn formats_are_written_and_converted_into_each_other() {
    let folder = logs(&[short(), short()]);
    let (code, said_of_logs) = convert(folder.path(), &["--v21"]);
    assert_eq!(code, 0, "{said_of_logs}");
    let info = fs::read_to_string(folder.path().join("dataset/meta/info.json")).unwrap();
    assert!(info.contains("\"v2.1\""), "{info}");
    let rewrite = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sinew-trainer"));
        command.arg("convert").arg(folder.path().join("dataset"));
        said(&command.arg("--output").arg(folder.path().join("v30")).args(more).output().unwrap())
    };
    let (code, said) = rewrite(&["--rate", "10"]);
    assert!(code == 2 && said.contains("--rate is for logs"), "{said}");
    let (code, said) = rewrite(&[]);
    assert!(code == 0 && said.contains("2 episodes written; 6 videos copied"), "{said}");
    let (old, new) =
        (dataset(folder.path()), sinew_dataset::Dataset::open(folder.path().join("v30")).unwrap());
    for index in 0..2 {
        let [old, new] = [&old, &new].map(|set| set.episode(index).unwrap());
        assert_eq!(old.action().unwrap().values(), new.action().unwrap().values());
    }
}

#[test]
fn what_does_not_exist_is_named() {
    let folder = logs(&[short()]);
    for (more, expected) in [
        (vec!["--layout", "behavior-2025-top3"], "behavior-2025-top32"),
        (vec!["--cameras", "heat"], "`head`"),
        (vec!["--rate", "0"], "--rate is 0"),
    ] {
        let (code, said) = convert(folder.path(), &more);
        assert!(code != 0 && said.contains(expected), "{more:?}: {said}");
        assert!(!folder.path().join("dataset").exists());
    }
    fs::create_dir(folder.path().join("empty")).unwrap();
    let mut command = program(&folder.path().join("empty"), &[]);
    let (code, said) = said(&command.output().unwrap());
    assert!(code != 0 && said.contains("logs"), "{said}");
}
