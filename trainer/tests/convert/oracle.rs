//! Rows against those that a program of other people's packages works out from the same log.

use crate::support::{CAMERAS, convert, dataset, logs, oracle, picture_numbers, tasks};
use serde_json::{Value, json};
use std::path::Path;

fn expected(folder: &Path, number: usize, more: &[&str]) -> Vec<Value> {
    let log = folder.join(format!("logs/episode_{number:06}.mcap"));
    let output = oracle("converted.py").arg(log).args(more).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn assert_equal(folder: &Path, episode_index: u64, cameras: &[&str], expected: &[Value]) {
    let dataset = dataset(folder);
    let episode = dataset.episode(episode_index).unwrap();
    assert_eq!(episode.row_count(), expected.len(), "episode {episode_index}");
    assert_eq!(
        tasks(&dataset, episode_index),
        expected.iter().map(|row| row["task"].as_str().unwrap()).collect::<Vec<_>>()
    );
    for (place, camera) in cameras.iter().enumerate() {
        let pictures: Vec<u64> =
            expected.iter().map(|row| row["pictures"][place].as_u64().unwrap()).collect();
        assert_eq!(picture_numbers(&dataset, episode_index, camera), pictures, "{camera}");
    }
    let (state, action) = (episode.state().unwrap(), episode.action().unwrap());
    for (row, expected) in expected.iter().enumerate() {
        for (name, found) in [("state", state.row(row).unwrap()), ("action", action.row(row).unwrap())] {
            let expected = expected[name].as_array().unwrap();
            assert_eq!(found.len(), expected.len());
            for (dimension, (found, expected)) in found.iter().zip(expected).enumerate() {
                let error = (f64::from(*found) - expected.as_f64().unwrap()).abs();
                assert!(error < 1e-5, "{name} {dimension} of row {row}: {found}, expected {expected}");
            }
        }
        assert!((episode.timestamp_s()[row] - row as f64 / dataset.fps()).abs() < 1e-6);
    }
}

#[test]
fn rows_are_what_other_programs_find_in_the_log() {
    let specs = [
        json!({}),
        // The base for a while, an arm late, words that change, another command rate, a Twist without a time.
        json!({
            "commanded": {"base": [0.3, 0.9], "left_arm": [0.5, 1.2], "right_gripper": [0.0, 9.0]},
            "words": [[0.1, "put the egg in the tray"], [1.0, "now the cube"]],
            "command_hz": 100.0, "base_message": "geometry_msgs/msg/Twist"
        }),
        // Cameras at half the rate.
        json!({"camera_hz": 15.0, "command_hz": 10.0}),
        // Lost pictures, and an arm that says nothing for less than matters.
        json!({"silent": {"head": [0.5, 0.56], "left_wrist": [0.99, 1.02], "left_arm": [1.3, 1.33]}}),
    ];
    let folder = logs(&specs);
    let (code, said) = convert(folder.path(), &[]);
    assert_eq!(code, 0, "{said}");
    for number in 0..specs.len() {
        assert_equal(folder.path(), number as u64, &CAMERAS, &expected(folder.path(), number, &[]));
    }
    let dataset = dataset(folder.path());
    assert_eq!((dataset.fps(), dataset.robot_type()), (30.0, Some("r1pro")));
    for notice in
        ["base: not commanded in 3 episodes", "left_arm: first commanded after the first row in 1 episodes"]
    {
        assert!(said.contains(notice), "{notice}: {said}");
    }
}

#[test]
fn rate_cameras_and_reference_can_be_chosen() {
    let folder = logs(&[json!({})]);
    let (code, said) =
        convert(folder.path(), &["--rate", "10", "--cameras", "right_wrist,head", "--codec", "h264"]);
    assert_eq!(code, 0, "{said}");
    let expected = expected(folder.path(), 0, &["10", "right_wrist,head"]);
    assert_equal(folder.path(), 0, &["right_wrist", "head"], &expected);
}
