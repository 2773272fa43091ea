//! Links and shapes are where MuJoCo has them, at 1,000 random postures of each robot.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use serde_json::Value;
use sinew_models::embodiment::Embodiment;
use sinew_models::kinematics::Frame;
use sinew_models::separation::Separation;
use std::path::Path;

const POSTURE_COUNT: usize = 1000;

fn postures(file: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/kinematics");
    let file: Value = serde_json::from_slice(&std::fs::read(folder.join(file)).unwrap()).unwrap();
    assert_eq!(file["postures"].as_array().unwrap().len(), POSTURE_COUNT);
    file
}

fn numbers(posture: &Value, key: &str) -> Vec<f64> {
    posture[key].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

fn farthest_axis(found: [f64; 3], expected: &[f64]) -> f64 {
    found.iter().zip(expected).map(|(found, expected)| (found - expected).abs()).fold(0.0, f64::max)
}

/// Positions of the R1 Pro's groups in a posture, by group and joint.
fn r1pro_position(robot: &Embodiment, posture: &Value) -> impl Fn(usize, usize) -> f64 {
    let groups = ["torso", "left_arm", "right_arm"]
        .map(|group| (robot.group_index(group).unwrap(), numbers(posture, &format!("{group}_rad"))));
    move |group, joint| groups.iter().find(|(index, _)| *index == group).unwrap().1[joint]
}

#[test]
fn the_r1_pros_hands_are_where_mujoco_puts_them() {
    let robot = Embodiment::built_in("r1pro").unwrap();
    let mut worst_m = 0.0_f64;
    for posture in postures("hand_positions.json")["postures"].as_array().unwrap() {
        let position = r1pro_position(&robot, posture);
        for (hand, side) in ["left", "right"].iter().enumerate() {
            let found = robot.kinematics.hand_position_m(hand, &position);
            worst_m = worst_m.max(farthest_axis(found, &numbers(posture, &format!("{side}_hand_mujoco_m"))));
        }
    }
    assert!(worst_m < 1e-5, "the largest distance is {worst_m} m");
}

#[test]
fn the_so101s_hand_is_where_mujoco_puts_it_though_its_joints_are_in_degrees() {
    let robot = Embodiment::built_in("so101").unwrap();
    let mut worst_m = 0.0_f64;
    for posture in postures("so101.json")["postures"].as_array().unwrap() {
        let arm_deg = numbers(posture, "arm_deg");
        let radians = |group: usize| robot.groups[group].unit.radians().unwrap();
        let found = robot.kinematics.hand_position_m(0, |group, joint| arm_deg[joint] * radians(group));
        worst_m = worst_m.max(farthest_axis(found, &numbers(posture, "hand_m")));
    }
    assert!(worst_m < 1e-5, "the largest distance is {worst_m} m");
}

struct Distances {
    /// The parts of each pair.
    pairs: Vec<[String; 2]>,
    /// For every posture, which has MuJoCo's distances: what we find.
    postures: Vec<(Value, Vec<f64>)>,
}

fn r1pro_distances() -> Distances {
    let robot = Embodiment::built_in("r1pro").unwrap();
    let separation = Separation::new(&robot);
    let mut frames = vec![Frame::BASE; robot.kinematics.link_count()];
    let mut placed = separation.room();
    let file = postures("hand_positions.json");
    let pairs: Vec<[String; 2]> = serde_json::from_value(file["distances_between"].clone()).unwrap();
    assert_eq!(pairs, separation.pairs().iter().map(|pair| pair.parts.clone()).collect::<Vec<_>>());
    let of_posture = |posture: &Value| {
        robot.kinematics.frames(&r1pro_position(&robot, posture), &mut frames);
        separation.place(&frames, &mut placed);
        let distances_m: Vec<_> = (0..pairs.len()).map(|pair| separation.distance_m(pair, &placed)).collect();
        for (pair, found_m) in distances_m.iter().enumerate() {
            assert!(separation.are_apart(pair, &placed, found_m - 1e-9));
            assert!(!separation.are_apart(pair, &placed, found_m + 1e-9));
        }
        (posture.clone(), distances_m)
    };
    let postures = file["postures"].as_array().unwrap().iter().map(of_posture).collect();
    Distances { pairs, postures }
}

#[test]
fn the_r1_pros_parts_are_as_far_apart_as_mujoco_says() {
    let robot = Embodiment::built_in("r1pro").unwrap();
    let Distances { pairs, postures } = r1pro_distances();
    let has_block = |parts: &[String; 2]| robot.blocks.iter().any(|block| parts.contains(&block.part));
    let (mut worst_m, mut overlap_counts) = (0.0_f64, [0, 0]);
    for (posture, distances_m) in postures {
        let expected_m = numbers(&posture, "distances_m");
        for ((parts, found_m), expected_m) in pairs.iter().zip(distances_m).zip(expected_m) {
            overlap_counts[usize::from(has_block(parts))] += usize::from(expected_m < 0.0);
            // How deep a capsule is in a block nobody asks.
            let is_deep = has_block(parts) && expected_m < 0.0 && found_m < 0.0;
            worst_m = worst_m.max(if is_deep { 0.0 } else { (found_m - expected_m).abs() });
        }
    }
    assert!(worst_m < 1e-5, "the largest difference is {worst_m} m");
    assert!(
        overlap_counts.iter().all(|count| *count >= 5),
        "overlaps that were compared: {overlap_counts:?}"
    );
}

#[test]
fn nothing_of_the_simulated_r1_pro_sticks_out_of_its_shapes() {
    let Distances { pairs, postures } = r1pro_distances();
    for (posture, distances_m) in postures {
        let scene_m = numbers(&posture, "scene_distances_m");
        for ((parts, found_m), scene_m) in pairs.iter().zip(distances_m).zip(scene_m) {
            assert!(found_m < scene_m.max(0.0), "{parts:?} are {scene_m} m apart, not {found_m}: {posture}");
        }
    }
}
