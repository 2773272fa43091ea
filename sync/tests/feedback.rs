//! Feedback against the robot description.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use sinew_models::embodiment::{Embodiment, Field};
use sinew_proto::Message;
use sinew_proto::msg::builtin_interfaces::Time;
use sinew_proto::msg::geometry_msgs::{Twist, TwistStamped, Vector3};
use sinew_proto::msg::sensor_msgs::JointState;
use sinew_proto::msg::std_msgs::Header;
use sinew_sync::{Error, ExtraElements, FeedbackConfig, FeedbackReader, JointNames};

const STRICT: FeedbackConfig =
    FeedbackConfig { joint_names: JointNames::Check, extra_elements: ExtraElements::Refuse };

fn reader(group: &str, needs: &[Field], config: FeedbackConfig) -> FeedbackReader {
    let robot = Embodiment::built_in("r1pro").unwrap();
    let group = &robot.groups[robot.group_index(group).unwrap()];
    FeedbackReader::new(group, needs, config).unwrap()
}

fn header() -> Header {
    Header { stamp: Time { sec: 12, nanosec: 5 }, frame_id: String::new() }
}

fn arm(change: impl FnOnce(&mut JointState)) -> Vec<u8> {
    let mut message = JointState {
        header: header(),
        name: (1..=7).map(|joint| format!("left_arm_joint{joint}")).collect(),
        position: (1..=7).map(f64::from).collect(),
        velocity: vec![0.5; 7],
        effort: Vec::new(),
    };
    change(&mut message);
    message.to_cdr()
}

fn refusal(needs: &[Field], config: FeedbackConfig, message: &[u8]) -> String {
    reader("left_arm", needs, config).read(message).unwrap_err().to_string()
}

#[test]
fn names_may_be_left_out_but_not_be_others() {
    let reader = reader("left_arm", &[Field::Position], STRICT);
    let (stamp, feedback) = reader.read(&arm(|_| {})).unwrap();
    assert_eq!((stamp.ns(), feedback.position[6]), (12_000_000_005, 7.0));
    assert!(reader.read(&arm(|message| message.name.clear())).is_ok());
    let swapped = reader.read(&arm(|message| message.name.swap(0, 1))).unwrap_err();
    assert!(matches!(swapped, Error::Mismatch { .. }));
    let sides = [
        "the robot description says `left_arm_joint1`, `left_arm_joint2`",
        "its feedback says `left_arm_joint2`",
    ];
    for words in sides {
        assert!(swapped.to_string().contains(words), "{swapped}");
    }
}

#[test]
fn trusting_the_order_is_the_users_choice() {
    let config = FeedbackConfig { joint_names: JointNames::Ignore, ..STRICT };
    let swapped = arm(|message| message.name.swap(0, 1));
    assert!(reader("left_arm", &[Field::Position], config).read(&swapped).is_ok());
}

#[test]
fn lengths_are_those_of_the_group_unless_the_user_allows_more() {
    let needs = [Field::Position, Field::Velocity];
    let eighth = arm(|message| {
        message.name.push("left_gripper".to_owned());
        message.position.push(8.0);
        message.velocity.push(8.0);
    });
    assert!(refusal(&needs, STRICT, &eighth).contains("left_gripper"));
    let unnamed = arm(|message| {
        message.name.clear();
        message.position.push(8.0);
    });
    assert_eq!(
        refusal(&needs, STRICT, &unnamed),
        "position of left_arm: expected 7 numbers, one a joint, found 8"
    );
    let lenient = FeedbackConfig { extra_elements: ExtraElements::Ignore, ..STRICT };
    let (_, feedback) = reader("left_arm", &needs, lenient).read(&eighth).unwrap();
    assert_eq!(feedback.position, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
    let short = arm(|message| message.position.truncate(6));
    assert!(reader("left_arm", &needs, lenient).read(&short).is_err());
}

#[test]
fn what_the_state_needs_must_be_there_and_finite() {
    let without_velocity = arm(|message| message.velocity.clear());
    assert!(reader("left_arm", &[Field::Position], STRICT).read(&without_velocity).is_ok());
    assert_eq!(
        refusal(&[Field::Velocity], STRICT, &without_velocity),
        "velocity of left_arm: expected 7 numbers, one a joint, found 0"
    );
    let broken = arm(|message| message.position[3] = f64::NAN);
    assert_eq!(
        refusal(&[Field::Position], STRICT, &broken),
        "position of left_arm: expected finite numbers, found NaN"
    );
    // The policy would take it for infinite.
    let absurd = arm(|message| message.velocity[3] = 1e39);
    assert_eq!(
        refusal(&[Field::Velocity], STRICT, &absurd),
        "velocity of left_arm: expected finite numbers, found 1000000000000000000000000000000000000000"
    );
    let timeless = arm(|message| message.header.stamp = Time::default());
    assert_eq!(
        refusal(&[Field::Position], STRICT, &timeless),
        "header.stamp: expected the time of capture, found 0"
    );
}

#[test]
fn a_base_reports_a_twist() {
    let twist =
        Twist { linear: Vector3 { x: 0.1, y: 0.2, z: 9.0 }, angular: Vector3 { x: 9.0, y: 9.0, z: 0.3 } };
    let message = TwistStamped { header: header(), twist }.to_cdr();
    let (_, feedback) = reader("base", &[Field::Velocity], STRICT).read(&message).unwrap();
    assert_eq!(feedback.velocity, [0.1, 0.2, 0.3]);
}
