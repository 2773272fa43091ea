//! Chunks to messages: order, units, limits.

use crate::manifest::{manifest, robot};
use sinew_models::contract::Manifest;
use sinew_models::unit::Unit;
use sinew_proto::Stamp;
use sinew_proto::msg::builtin_interfaces::{Duration, Time};
use sinew_runtime::Error;
use sinew_runtime::command::{Chunk, Clamp, CommandPlan, Messages};

const STEPS: usize = 50;

fn plan(manifest: &Manifest) -> Result<CommandPlan, Error> {
    CommandPlan::new(manifest, &robot())
}

/// The same value in all steps of each dimension.
fn values(manifest: &Manifest, value: impl Fn(&str) -> f32) -> Vec<f32> {
    let step: Vec<f32> = manifest.action.dimensions.iter().map(|dimension| value(&dimension.name)).collect();
    step.repeat(STEPS)
}

/// The number behind a prefix, such as the joint's.
fn number(name: &str, prefix: &str) -> Option<f32> {
    name.strip_prefix(prefix)?.parse().ok()
}

fn messages(manifest: &Manifest, values: Vec<f32>) -> Result<Messages, Error> {
    let captured_at = Stamp::from_ns(1_700_000_000_999_000_000);
    let chunk = Chunk { sequence: 7, instruction: "hold still".to_owned(), captured_at, values };
    plan(manifest)?.messages(&chunk, Stamp::from_ns(1_700_000_001_100_000_000))
}

#[test]
fn each_group_gets_its_joints_in_the_robots_order_and_units() {
    let manifest = manifest();
    let value = |name: &str| match name {
        "base_vx" => -1.0,
        "base_vyaw" => 0.5,
        "left_gripper" => -0.4,
        "right_gripper" => 1.0,
        name => number(name, "right_arm_joint").map_or(0.0, |joint| joint / 10.0),
    };
    let Messages { groups, clamps, .. } = messages(&manifest, values(&manifest, value)).unwrap();
    let names = ["base", "torso", "left_arm", "left_gripper", "right_arm", "right_gripper"];
    assert_eq!(plan(&manifest).unwrap().group_names().collect::<Vec<_>>(), names);
    let [base, torso, _, left_gripper, right_arm, right_gripper] = &groups[..] else { panic!("{groups:?}") };
    assert_eq!(base.trajectory.joint_names, ["base_vx", "base_vy", "base_vyaw"]);
    assert_eq!(base.trajectory.points[0].velocities, [-0.75, 0.0, 0.5]);
    assert!(base.trajectory.points[0].positions.is_empty());
    assert_eq!(
        torso.trajectory.joint_names,
        ["torso_joint1", "torso_joint2", "torso_joint3", "torso_joint4"]
    );
    assert!((left_gripper.trajectory.points[49].positions[0] - 30.0).abs() < 1e-5);
    assert!(left_gripper.trajectory.points[49].velocities.is_empty());
    assert_eq!(right_gripper.trajectory.points[0].positions, [100.0]);
    // The right arm's joint 2 ends at 0.1745, joint 4 at 0.3491.
    let expected = [0.1, 0.1745, 0.3, 0.3491, 0.5, 0.6, 0.7];
    for (found, expected) in right_arm.trajectory.points[10].positions.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
    }
    let clamped: Vec<&str> = clamps.iter().map(|clamp| clamp.joint.as_str()).collect();
    assert_eq!(clamped, ["right_arm_joint2", "right_arm_joint4"]);
}

#[test]
fn the_order_of_the_bundle_does_not_matter_to_the_robot() {
    let mut manifest = manifest();
    manifest.action.dimensions.reverse();
    let value = |name: &str| number(name, "left_arm_joint").map_or(0.0, |joint| joint / 100.0);
    let found = messages(&manifest, values(&manifest, value)).unwrap();
    assert_eq!(found.chunk.names[0], "right_gripper");
    let left_arm = &found.groups[2].trajectory;
    assert_eq!(left_arm.joint_names[0], "left_arm_joint1");
    assert!((left_arm.points[0].positions[0] - 0.01).abs() < 1e-6);
    assert!((left_arm.points[0].positions[6] - 0.07).abs() < 1e-6);
}

#[test]
fn times_start_at_the_observation() {
    let manifest = manifest();
    let found = messages(&manifest, values(&manifest, |_| 0.0)).unwrap();
    let stamp = Time { sec: 1_700_000_000, nanosec: 999_000_000 };
    let trajectory = &found.groups[0].trajectory;
    assert_eq!((trajectory.header.stamp, trajectory.points.len()), (stamp, STEPS));
    assert_eq!(trajectory.points[0].time_from_start, Duration { sec: 0, nanosec: 0 });
    assert_eq!(trajectory.points[3].time_from_start, Duration { sec: 0, nanosec: 99_999_999 });
    assert_eq!(trajectory.points[49].time_from_start, Duration { sec: 1, nanosec: 633_333_317 });
    found.chunk.validate().unwrap();
    assert_eq!((found.chunk.header.stamp, found.chunk.step_times[0]), (stamp, stamp));
    assert_eq!(found.chunk.step_times[3], Time { sec: 1_700_000_001, nanosec: 98_999_999 });
    assert_eq!(found.chunk.published_at, Time { sec: 1_700_000_001, nanosec: 100_000_000 });
    assert_eq!((found.chunk.sequence, found.chunk.instruction.as_str()), (7, "hold still"));
    assert_eq!(found.chunk.bundle_id, manifest.bundle_id);
    assert_eq!(&found.chunk.units[..4], ["", "", "", "rad"]);
}

#[test]
fn what_is_outside_a_limit_is_held_there_and_counted_but_not_in_the_policys_own_words() {
    let manifest = manifest();
    let mut values = values(&manifest, |_| 0.0);
    let width = manifest.action.dimensions.len();
    let joint1 = manifest.action.dimensions.iter().position(|d| d.name == "left_arm_joint1").unwrap();
    values[10 * width + joint1] = 2.0;
    values[11 * width + joint1] = -5.0;
    values[12 * width + joint1] = 1.309;
    let found = messages(&manifest, values).unwrap();
    let points = &found.groups[2].trajectory.points;
    assert_eq!((points[10].positions[0], points[11].positions[0]), (1.309, -4.4506));
    let [Clamp { joint, step_count: 2, worst }] = &found.clamps[..] else { panic!("{:?}", found.clamps) };
    assert!(joint == "left_arm_joint1" && (worst - 0.691).abs() < 1e-6, "{joint} {worst}");
    assert_eq!(found.chunk.step(10).unwrap()[joint1], 2.0);
}

#[test]
fn a_number_that_is_none_withholds_the_chunk() {
    let manifest = manifest();
    let mut values = values(&manifest, |_| 0.0);
    values[4 * manifest.action.dimensions.len() + 14] = f32::NAN;
    let error = messages(&manifest, values).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the policy's `left_gripper` in step 4 is NaN, expected a finite number: chunk withheld"
    );
}

#[test]
fn a_bundle_that_does_not_fit_the_robot_is_refused_with_both_sides() {
    type Change = fn(&mut Manifest);
    let cases: [(Change, &[&str]); 4] = [
        (
            |m| {
                let lacking = ["left_arm_joint3", "left_arm_joint6"];
                m.action.dimensions.retain(|d| !lacking.contains(&d.name.as_str()));
            },
            &["`left_arm`", "7 joints", "`left_arm_joint3`, `left_arm_joint6`"],
        ),
        (
            |m| m.action.dimensions[7].name = "left_arm_jiont1".to_owned(),
            &["`left_arm_jiont1`", "`r1pro`", "the nearest is `left_arm_joint1`"],
        ),
        (|m| m.action.dimensions[7].unit = Unit::Metre, &["`left_arm_joint1`", "`m`", "`rad`"]),
        (
            |m| m.action.dimensions[14].name = "right_gripper".to_owned(),
            &["joint `right_gripper`", "one command", "`right_gripper` and `right_gripper`"],
        ),
    ];
    for (change, expected) in cases {
        let mut manifest = manifest();
        change(&mut manifest);
        let error = plan(&manifest).unwrap_err();
        assert!(error.is_usage(), "{error}");
        for words in expected {
            assert!(error.to_string().contains(words), "`{error}` does not say {words}");
        }
    }
}
