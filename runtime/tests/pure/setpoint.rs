//! Set-points to messages, and how chunks are made to go on from each other.

use crate::manifest::{bundle, robot};
use sinew_models::embodiment::{Embodiment, GroupKind};
use sinew_models::flow::{Conditioning, PrefixSchedule, sample};
use sinew_proto::Message;
use sinew_proto::msg::builtin_interfaces::Time;
use sinew_proto::msg::geometry_msgs::{Twist, TwistStamped};
use sinew_proto::msg::sensor_msgs::JointState;
use sinew_runtime::clock::Moment;
use sinew_runtime::command::CommandPlan;
use sinew_runtime::config::Config;
use sinew_runtime::motion::Joints;
use sinew_runtime::safety::{JointLimits, Safety};
use sinew_runtime::schedule::{
    Conditioner, Continuation, Merge, Pace, RobotChunk, Schedule, ScheduleOptions,
};
use sinew_runtime::setpoint::{SetpointOutput, setpoint_outputs};
use std::collections::BTreeMap;
use std::convert::Infallible;

const STAMP: Time = Time { sec: 1_700_000_000, nanosec: 5 };

fn outputs(change: impl FnOnce(&mut Embodiment)) -> Vec<SetpointOutput> {
    let mut robot = robot();
    change(&mut robot);
    let joints = Joints::new(&robot, |_| true);
    setpoint_outputs(&robot, &joints, &limits(&robot, &joints, "")).unwrap()
}

/// The limits in force with a configuration.
fn limits(robot: &Embodiment, joints: &Joints, config: &str) -> Vec<JointLimits> {
    let config = Config::parse(config, "test").unwrap();
    Safety::new(robot, joints, &config.safety, Vec::new()).unwrap().limits().to_vec()
}

/// Lengths are those of an independent encoder: a joint state of 7 positions and 7 velocities, and one with positions
/// only, a twist with a time and one without.
#[test]
fn each_controller_gets_its_own_message() {
    let setpoint: Vec<f64> = (0..23).map(f64::from).collect();
    let outputs = outputs(|_| {});
    let encoded: BTreeMap<&str, Vec<u8>> =
        outputs.iter().map(|output| (output.topic.as_str(), output.encode(&setpoint, STAMP))).collect();
    let arm = &encoded["/motion_target/target_joint_state_arm_right"];
    assert_eq!(arm.len(), 152);
    let arm = JointState::from_cdr(arm).unwrap();
    assert_eq!((arm.header.stamp, arm.position), (STAMP, (15..22).map(f64::from).collect()));
    assert_eq!(arm.velocity, [1.6, 1.6, 1.6, 1.6, 4.0, 4.0, 4.0]);
    let gripper = JointState::from_cdr(&encoded["/motion_target/target_position_gripper_left"]).unwrap();
    assert_eq!((gripper.position, gripper.velocity), (vec![14.0], vec![]));
    let base = &encoded["/motion_target/target_speed_chassis"];
    assert_eq!(base.len(), 68);
    let base = TwistStamped::from_cdr(base).unwrap();
    assert_eq!([base.twist.linear.x, base.twist.linear.y, base.twist.angular.z], [0.0, 1.0, 2.0]);
    let limit = TwistStamped::from_cdr(&encoded["/motion_target/chassis_acc_limit"]).unwrap().twist;
    assert_eq!([limit.linear.x, limit.linear.y, limit.angular.z], [0.6, 0.6, 0.8]);
}

/// What limits commands here has to limit who follows them too.
#[test]
fn tighter_limits_are_told_to_the_receivers() {
    let robot = robot();
    let joints = Joints::new(&robot, |_| true);
    let limits = limits(&robot, &joints, "[safety]\nspeed_scale = 0.5\nacceleration_scale = 0.5\n");
    let outputs = setpoint_outputs(&robot, &joints, &limits).unwrap();
    let encoded = |topic: &str| {
        let output = outputs.iter().find(|output| output.topic.ends_with(topic)).unwrap();
        output.encode(&[0.0; 23], STAMP)
    };
    assert_eq!(JointState::from_cdr(&encoded("joint_state_torso")).unwrap().velocity, [0.25; 4]);
    assert_eq!(TwistStamped::from_cdr(&encoded("chassis_acc_limit")).unwrap().twist.linear.x, 0.3);
}

#[test]
fn a_chassis_that_takes_a_plain_twist_gets_one() {
    let outputs = outputs(|robot| {
        robot.groups[0].command.as_mut().unwrap().message = Twist::TYPE_NAME.to_owned();
    });
    let base = outputs.iter().find(|output| output.topic == "/motion_target/target_speed_chassis").unwrap();
    let encoded = base.encode(&[0.25; 23], STAMP);
    assert_eq!(encoded.len(), 52);
    assert_eq!(Twist::from_cdr(&encoded).unwrap().angular.z, 0.25);
}

/// The description says one, the robot at hand takes the other.
#[test]
fn a_base_is_told_in_the_form_it_takes() {
    let mut outputs = outputs(|_| {});
    let base =
        outputs.iter_mut().find(|output| output.topic == "/motion_target/target_speed_chassis").unwrap();
    assert_eq!(base.message(), TwistStamped::TYPE_NAME);
    base.adapt(&[TwistStamped::TYPE_NAME.to_owned()]).unwrap();
    base.adapt(&[Twist::TYPE_NAME.to_owned()]).unwrap();
    assert_eq!(base.encode(&[0.0; 23], STAMP).len(), 52);
    let error = base.adapt(&["std_msgs/msg/Float32".to_owned()]).unwrap_err().to_string();
    assert!(error.contains("target_speed_chassis") && error.contains("Float32"), "{error}");
    // An onlooker must not take the base's zero away from its driver.
    let both = [Twist::TYPE_NAME, TwistStamped::TYPE_NAME].map(str::to_owned);
    let error = base.adapt(&both).unwrap_err().to_string();
    assert!(both.iter().all(|message| error.contains(message)), "{error}");
    assert_eq!(base.message(), Twist::TYPE_NAME);
    let arm = outputs.iter_mut().find(|output| output.topic.contains("arm_left")).unwrap();
    assert!(arm.adapt(&[Twist::TYPE_NAME.to_owned()]).is_err());
}

#[test]
fn a_message_nobody_knows_is_refused() {
    let mut robot = robot();
    robot.groups[1].command.as_mut().unwrap().message = "std_msgs/msg/Float32".to_owned();
    let joints = Joints::new(&robot, |_| true);
    let limits = limits(&robot, &joints, "");
    let error = setpoint_outputs(&robot, &joints, &limits).unwrap_err();
    assert!(error.is_usage());
    let words = error.to_string();
    assert!(words.contains("`torso`") && words.contains("std_msgs/msg/Float32 of 4 joints"), "{words}");
    // A group that is not commanded gets no set-points.
    let joints = Joints::new(&robot, |group| group > 1);
    assert_eq!(setpoint_outputs(&robot, &joints, &limits).unwrap().len(), 4);
}

#[test]
fn a_chunk_in_the_robots_terms_has_its_order_and_units_whatever_the_bundles_are() {
    let mut manifest = bundle(|_| {}).manifest;
    manifest.action.dimensions.reverse();
    let robot = robot();
    let commands = CommandPlan::new(&manifest, &robot).unwrap();
    let joints = Joints::new(&robot, |group| commands.commands_group(group));
    let value = |name: &str| match name {
        "base_vx" => 1.0,
        "left_arm_joint3" => 0.3,
        "right_gripper" => -0.5,
        _ => 0.0,
    };
    let step: Vec<f32> = manifest.action.dimensions.iter().map(|dimension| value(&dimension.name)).collect();
    let values = commands.robot_values(&step.repeat(2), &joints);
    assert_eq!(values.len(), 46);
    for row in values.chunks_exact(23) {
        // 0.75 m/s; 25 mm of 100.
        assert_eq!((row[0], row[22]), (0.75, 25.0));
        assert!((row[9] - 0.3).abs() < 1e-7);
        // Zero of a gripper is half open.
        assert_eq!(row[14], 50.0);
    }
}

const PERIOD_NS: i64 = 1_000;
const CHUNK: usize = 20;

/// A schedule that plays chunk 7, computed from an observation at time 0 and there two and a half periods later.
fn playing(schedule: &mut Schedule) {
    schedule.resume(Moment::from_ns(-1), &[0.0]);
    let values: Vec<f64> = (0..CHUNK).map(|step| step as f64).collect();
    let chunk = RobotChunk { sequence: 7, captured_at: Moment::from_ns(0), values: &values };
    schedule.accept(chunk, Moment::from_ns(2_500)).unwrap();
    schedule.tick(Moment::from_ns(2_500), &mut [0.0]);
}

fn schedule() -> Schedule {
    let options = ScheduleOptions {
        period_ns: PERIOD_NS,
        chunk: CHUNK,
        execute_steps: CHUNK,
        merge: Merge::Replace,
        pace: Pace::After { steps: 0 },
        latency_window: 10,
        latency_quantile: 1.0,
    };
    Schedule::new(options, &[GroupKind::Position])
}

fn conditioning(continuation: Continuation, captured_ns: i64) -> Conditioning {
    let mut schedule = schedule();
    playing(&mut schedule);
    let mut conditioner = Conditioner::new(continuation, 1, (CHUNK, 2));
    conditioner.remember(6, vec![-1.0; 2 * CHUNK]);
    conditioner.remember(7, (0..CHUNK).flat_map(|step| [step as f32, 99.0]).collect());
    conditioner.remember(8, vec![-2.0; 2 * CHUNK]);
    conditioner.condition(&schedule.brief(), Moment::from_ns(captured_ns)).unwrap()
}

/// What a network that says nothing makes of noise 50.
fn chunk(conditioning: &Conditioning) -> Vec<f32> {
    let mut x_t = vec![50.0; 2 * CHUNK];
    sample(10, &mut x_t, CHUNK, conditioning, |x, _| Ok::<_, Infallible>(vec![0.0; x.len()])).unwrap();
    x_t.chunks_exact(2).map(|row| row[0]).collect()
}

/// The robot stood until 2500, so at 6500 it is at step 4. The delay is 3 periods, and one step more is committed.
#[test]
fn a_clean_prefix_is_what_the_robot_will_do_until_the_chunk_is_there() {
    let found = chunk(&conditioning(Continuation::Clean { max_steps: 9 }, 6_500));
    assert_eq!(found[..5], [4.0, 5.0, 6.0, 7.0, 50.0]);
    // Trained with less: what is beyond is up to the policy.
    let found = chunk(&conditioning(Continuation::Clean { max_steps: 2 }, 6_500));
    assert_eq!(found[..3], [4.0, 5.0, 50.0]);
    // Between two steps.
    let found = chunk(&conditioning(Continuation::Clean { max_steps: 9 }, 6_750));
    assert_eq!(found[..2], [4.25, 5.25]);
    // Near the end of the old chunk there is less to go on from.
    let found = chunk(&conditioning(Continuation::Clean { max_steps: 9 }, 2_500 + 18 * PERIOD_NS));
    assert_eq!(found[..3], [18.0, 19.0, 50.0]);
}

#[test]
fn guidance_pulls_to_the_same_steps_and_lets_go_at_the_horizon() {
    let guided = Continuation::Guided { schedule: PrefixSchedule::Linear, max_weight: 10.0, fade_steps: 4 };
    let found = chunk(&conditioning(guided, 6_500));
    for (step, found) in found.iter().enumerate() {
        let old = 4.0 + step as f32;
        match step {
            0..4 => assert!((found - old).abs() < 0.02 * (50.0 - old), "step {step}: {found}"),
            4..8 => assert!(*found > old && *found < 50.0, "step {step}: {found}"),
            _ => assert_eq!(*found, 50.0, "step {step}"),
        }
    }
}

#[test]
fn there_is_nothing_to_go_on_from_once_the_old_chunk_is_over_or_unknown() {
    let guided = |captured_ns| conditioning(Continuation::Clean { max_steps: 9 }, captured_ns);
    assert_eq!(guided(2_500 + 20 * PERIOD_NS), Conditioning::Free);
    assert_eq!(conditioning(Continuation::None, 6_500), Conditioning::Free);
    let mut schedule = schedule();
    playing(&mut schedule);
    let conditioner = Conditioner::new(Continuation::Clean { max_steps: 9 }, 1, (CHUNK, 2));
    let found = conditioner.condition(&schedule.brief(), Moment::from_ns(6_500)).unwrap();
    assert_eq!(found, Conditioning::Free);
    schedule.hold(Moment::from_ns(7_000));
    assert_eq!(conditioner.condition(&schedule.brief(), Moment::from_ns(7_500)).unwrap(), Conditioning::Free);
}
