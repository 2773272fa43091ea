//! A dataset's numbers as the robot would report them.

use crate::manifest::robot;
use sinew_proto::msg::sensor_msgs::JointState;
use sinew_proto::{Message, Stamp};
use sinew_runtime::replay::{GroupFeedback, groups};

fn joints(groups: &[GroupFeedback], name: &str, state: &[f32]) -> JointState {
    let group = groups.iter().find(|group| group.name == name).unwrap();
    JointState::from_cdr(&group.message(state, Stamp::from_ns(5_000_000_007)).unwrap()).unwrap()
}

/// Indices as BEHAVIOR-1K publishes them.
#[test]
fn the_256_numbers_of_behavior_become_arms_torso_and_grippers() {
    let state: Vec<f32> = (0..256).map(|index| index as f32 / 4.0).collect();
    let groups = groups(&robot(), 256, None, "demos").unwrap();
    let names: Vec<&str> = groups.iter().map(|group| group.name.as_str()).collect();
    assert_eq!(names, ["torso", "left_arm", "left_gripper", "right_arm", "right_gripper"]);
    let numbers = |range: std::ops::Range<usize>| range.map(|index| index as f64 / 4.0).collect::<Vec<f64>>();
    let left = joints(&groups, "left_arm", &state);
    assert_eq!((left.position, left.velocity), (numbers(158..165), numbers(179..186)));
    assert_eq!((left.header.stamp.sec, left.header.stamp.nanosec), (5, 7));
    assert_eq!(left.name[6], "left_arm_joint7");
    assert_eq!(joints(&groups, "right_arm", &state).position, numbers(197..204));
    let torso = joints(&groups, "torso", &state);
    assert_eq!((torso.position, torso.velocity), (numbers(236..240), numbers(240..244)));
}

#[test]
fn two_fingers_in_metres_are_one_stroke_in_millimetres() {
    let mut state = vec![0.0_f32; 61];
    (state[24], state[25]) = (0.010, 0.020);
    (state[49], state[50]) = (0.05, 0.05);
    let groups = groups(&robot(), 61, None, "demos").unwrap();
    let stroke = |name| joints(&groups, name, &state).position[0];
    assert!((stroke("left_gripper") - 30.0).abs() < 1e-4, "{}", stroke("left_gripper"));
    assert!((stroke("right_gripper") - 100.0).abs() < 1e-4);
}

#[test]
fn names_of_the_robots_joints_need_no_table() {
    let names: Vec<String> = (1..=4).rev().map(|joint| format!("torso_joint{joint}.pos")).collect();
    let groups = groups(&robot(), 4, Some(&names), "demos").unwrap();
    assert_eq!(joints(&groups, "torso", &[4.0, 3.0, 2.0, 1.0]).position, [1.0, 2.0, 3.0, 4.0]);
    assert!(joints(&groups, "torso", &[0.0; 4]).velocity.is_empty());
}

#[test]
fn numbers_nobody_knows_are_refused() {
    let refusal = groups(&robot(), 57, None, "demos").unwrap_err();
    let text = refusal.to_string();
    assert!(refusal.is_usage() && text.contains("57") && text.contains("256 or 61"), "{text}");
    let names = ["left_arm_joint1.pos".to_owned(), "left_arm_joint2.pos".to_owned()];
    let text = groups(&robot(), 2, Some(&names), "demos").unwrap_err().to_string();
    assert!(text.contains("whole group"), "{text}");
}
