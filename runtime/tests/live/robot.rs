//! What the robot of `robot.py` reports and shows, and what "hold still" makes of it.

use crate::kit::pictures;
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const HEAD: &str = "/hdas/camera_head/left_raw/image_raw_color/compressed";
pub(crate) const LEFT_WRIST: &str = "/hdas/camera_wrist_left/color/image_raw/compressed";
/// Where older releases of the robot's software have the left wrist's camera.
pub(crate) const LEFT_WRIST_RECT: &str = "/hdas/camera_wrist_left/color/image_rect_raw/compressed";
pub(crate) const RIGHT_WRIST: &str = "/hdas/camera_wrist_right/color/image_raw/compressed";
pub(crate) const LEFT_ARM: &str = "/hdas/feedback_arm_left";
pub(crate) const GROUPS: [&str; 6] =
    ["base", "torso", "left_arm", "left_gripper", "right_arm", "right_gripper"];

/// Where each joint is, in the robot's units, and what it is called there.
pub(crate) const POSTURE: [(&str, &str, &[f64]); 5] = [
    ("torso", "/hdas/feedback_torso", &[0.3, -0.6, -0.2, 0.4]),
    ("left_arm", LEFT_ARM, &[0.31, 0.52, -0.23, -1.04, 0.45, 0.36, -0.27]),
    ("left_gripper", "/hdas/feedback_gripper_left", &[30.0]),
    ("right_arm", "/hdas/feedback_arm_right", &[-0.32, -0.53, 0.24, -1.05, -0.46, -0.37, 0.28]),
    ("right_gripper", "/hdas/feedback_gripper_right", &[85.0]),
];

/// Names of a group's joints, as the R1 Pro's description has them.
pub(crate) fn joint_names(group: &str) -> Vec<String> {
    match group {
        "base" => ["base_vx", "base_vy", "base_vyaw"].map(str::to_owned).to_vec(),
        "left_gripper" | "right_gripper" => vec![group.to_owned()],
        _ => {
            let count = if group == "torso" { 4 } else { 7 };
            (1..=count).map(|joint| format!("{group}_joint{joint}")).collect()
        }
    }
}

/// The plan of a robot that connects to a locator, with pictures in a folder.
pub(crate) fn plan(folder: &TempDir, locator: &str) -> Value {
    let joint = |(group, topic, position): &(&str, &str, &[f64])| {
        let joints = json!({
            "name": joint_names(group),
            "position": position,
            "velocity": vec![0.0; position.len()],
        });
        ((*topic).to_owned(), joints)
    };
    let camera = |name, size, color| json!({"jpegs": pictures(folder, name, size, color)});
    json!({
        "connect": [locator],
        "cameras": {
            HEAD: camera("head", [128, 96], [200, 60, 20]),
            LEFT_WRIST: camera("left_wrist", [96, 96], [30, 150, 90]),
            RIGHT_WRIST: camera("right_wrist", [96, 96], [70, 10, 120]),
        },
        "joints": POSTURE.iter().map(joint).collect::<serde_json::Map<String, Value>>(),
        "groups": GROUPS,
    })
}

/// What one group is to do at one step. The sum of the instruction's token ids lifts the left arm's first joint.
pub(crate) fn expected(group: &str, step: usize, token_sum: f64) -> Vec<f64> {
    if group == "base" {
        // Head pictures of 128 × 96 pixels fill three quarters of the square; the base scales by its top speed.
        return vec![0.75 * 0.75 * 200.0 / 255.0, 0.75 * 150.0 / 255.0, 120.0 / 255.0];
    }
    let (.., position) = POSTURE.iter().find(|(name, ..)| *name == group).unwrap();
    let mut position = position.to_vec();
    if group == "left_arm" {
        position[0] += step as f64 * 1e-6 * token_sum;
    }
    position
}

/// Checks a chunk as `robot.py` saw it.
pub(crate) fn assert_holds_still(seen: &Value, instruction: &str, token_sum: f64) {
    let chunk = &seen["chunk"];
    assert_eq!(chunk["instruction"], instruction);
    assert_eq!((chunk["step_count"].as_u64(), chunk["dimension_count"].as_u64()), (Some(50), Some(23)));
    for group in GROUPS {
        let trajectory = &seen["groups"][group];
        assert_eq!(trajectory["joint_names"], json!(joint_names(group)), "{group}");
        assert_eq!(trajectory["header"]["stamp"], chunk["header"]["stamp"], "{group}");
        let points = trajectory["points"].as_array().unwrap();
        assert_eq!(points.len(), 50, "{group}");
        let (field, empty) =
            if group == "base" { ("velocities", "positions") } else { ("positions", "velocities") };
        for (step, point) in points.iter().enumerate() {
            let after = &point["time_from_start"];
            let after_ns =
                after["sec"].as_i64().unwrap() * 1_000_000_000 + after["nanosec"].as_i64().unwrap();
            assert_eq!(after_ns, step as i64 * 33_333_333, "{group}");
            assert_eq!(point[empty], json!([]), "{group}");
            let found: Vec<f64> =
                point[field].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
            let expected = expected(group, step, token_sum);
            assert_eq!(found.len(), expected.len(), "{group}");
            // A JPEG keeps a colour to 1 in 255; float32 keeps a stroke of 100 mm to 1e-4.
            let tolerance = match group {
                "base" => 0.005,
                "left_gripper" | "right_gripper" => 2e-3,
                _ => 2e-5,
            };
            for (found, expected) in found.iter().zip(&expected) {
                assert!(
                    (found - expected).abs() < tolerance,
                    "{group}, step {step}: {found} is not {expected}"
                );
            }
        }
    }
}
