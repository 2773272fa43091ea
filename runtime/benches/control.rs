//! How long a command takes to follow feedback: a joint state from the robot's session to the runtime's, through the
//! control tick, and the set-point back to the robot's, as if the tick came just then. And how late ticks are in a run.
//!
//!     cargo bench --package sinew-runtime --bench control [-- SECONDS]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

#[expect(dead_code, reason = "a bundle, a robot's posture and nothing else of the tests' kit")]
#[path = "../tests/live/kit.rs"]
mod kit;
#[expect(dead_code, reason = "a bundle, a robot's posture and nothing else of the tests' kit")]
#[path = "../tests/live/robot.rs"]
mod robot;

use kit::Program;
use robot::{LEFT_ARM, POSTURE};
use serde_json::json;
use sinew_models::contract::Bundle;
use sinew_proto::Message;
use sinew_proto::msg::builtin_interfaces::Time;
use sinew_proto::msg::sensor_msgs::JointState;
use sinew_proto::msg::std_msgs::Header;
use sinew_runtime::clock;
use sinew_runtime::config::Config;
use sinew_runtime::control::{Heard, MotionPlan, Pilot, SetpointPublisher};
use sinew_runtime::motion::Measured;
use sinew_runtime::net;
use sinew_runtime::plan::Plan;
use sinew_runtime::ros::Ros;
use sinew_runtime::safety::{Operator, RobotStatus, State};
use sinew_runtime::schedule::RobotChunk;
use sinew_runtime::telemetry::Histogram;
use sinew_sync::Feedback;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use zenoh::Wait;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PATIENCE: Duration = Duration::from_millis(200);
const ROUNDS: u64 = 2000;
const WARM_UP: u64 = 200;
const ARM_TARGET: &str = "motion_target/target_joint_state_arm_left";

fn main() {
    let seconds = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(30);
    let bundle = kit::bundle();
    follow(&bundle);
    jitter(&bundle, seconds);
}

fn follow(bundle: &TempDir) {
    let mut config = Config::built_in().unwrap();
    config.zenoh.listen = vec!["tcp/127.0.0.1:0".to_owned()];
    config.setpoints.publish = true;
    let plan = Plan::new(Bundle::open(bundle.path()).unwrap(), &config).unwrap();
    let motion = MotionPlan::new(&plan, &config).unwrap().unwrap();
    let ros = Ros::open(&config.zenoh).unwrap();
    let session = ros.session();
    config.zenoh.connect = net::locators(session);
    let robot = net::open(&config.zenoh).unwrap();
    let publisher = SetpointPublisher::declare(&ros, "", motion.outputs.clone()).unwrap();
    let (seen, sightings) = sync_channel(1);
    let see = move |_| {
        let _ = seen.try_send(Instant::now());
    };
    let _onlooker = robot.declare_subscriber(ARM_TARGET).callback(see).wait().unwrap();
    let input = plan.feedback.iter().find(|input| input.name == "left_arm").unwrap();
    let reader = input.reader.clone();
    let (felt, feelings) = sync_channel::<Feedback>(1);
    let feel = move |sample: zenoh::sample::Sample| {
        let (_, feedback) = reader.read(&sample.payload().to_bytes()).unwrap();
        drop(felt.try_send(feedback));
    };
    let _subscriber =
        session.declare_subscriber(input.key.as_str().to_owned()).callback(feel).wait().unwrap();
    let arm = robot.declare_publisher(LEFT_ARM.trim_start_matches('/')).wait().unwrap();

    let joints = &motion.joints;
    let mut pilot = Pilot::new(motion.drive(), motion.safety.clone(), joints);
    let mut measured = Measured::nothing(joints);
    let mut times = Histogram::default();
    let mut round = 0;
    let start = Instant::now();
    while round < WARM_UP + ROUNDS {
        assert!(start.elapsed().as_secs() < 120, "the robot does not move");
        // Whatever else the tick needs is there.
        let now = clock::moment();
        for (index, group) in joints.groups().iter().enumerate().filter(|(index, _)| *index != input.group) {
            let position =
                POSTURE.iter().find(|(name, ..)| *name == group.name).map(|(.., position)| *position);
            let zeros = vec![0.0; group.span.len()];
            match position {
                Some(position) => measured.update(joints, index, now, position, &[]),
                None => measured.update(joints, index, now, &[], &zeros),
            }
        }
        if round.is_multiple_of(20) {
            let values = still(joints.count(), &measured);
            let chunk = RobotChunk { sequence: round, captured_at: now, values: &values };
            let _ = pilot.accept(chunk, now);
        }
        let others = vec![Some(now); motion.camera_count + motion.status.len()];
        let stamp: Time = clock::now().try_into().unwrap();
        let posture = POSTURE.iter().find(|(_, topic, _)| *topic == LEFT_ARM).unwrap().2;
        let state = JointState {
            header: Header { stamp, frame_id: String::new() },
            position: posture.to_vec(),
            velocity: vec![0.0; 7],
            ..JointState::default()
        };

        let sent_at = Instant::now();
        arm.put(state.to_cdr()).wait().unwrap();
        // Until both sessions know of each other's subscriptions, messages go nowhere.
        let Ok(Feedback { position, velocity, .. }) = feelings.recv_timeout(PATIENCE) else { continue };
        let now = clock::moment();
        measured.update(joints, input.group, now, &position, &velocity);
        let heard = Heard {
            measured: &measured,
            others: &others,
            wall: clock::now(),
            operator: Operator::default(),
            robot: RobotStatus::default(),
            is_ending: false,
        };
        let told = pilot.tick(now, &heard);
        let is_running = told.state == State::Running;
        let Some(command) = told.command else { continue };
        publisher.publish(&command.values, clock::now()).unwrap();
        let Ok(seen_at) = sightings.recv_timeout(PATIENCE) else { continue };
        while pilot.drive_mut().next_ending().is_some() {}
        if is_running {
            round += 1;
            if round > WARM_UP {
                times.record((seen_at - sent_at).as_nanos() as i64);
            }
        }
    }
    let times = times.percentiles();
    println!(
        "a joint state to the set-point that follows it, both over TCP on this machine; {ROUNDS} rounds"
    );
    println!("p50 {:.3} ms   p99 {:.3} ms   target for p99: 1 ms", times.p50_ms, times.p99_ms);
}

/// A chunk that leaves everything where it is.
fn still(joint_count: usize, measured: &Measured) -> Vec<f64> {
    let step: Vec<f64> = measured.position().iter().map(|x| if x.is_finite() { *x } else { 0.0 }).collect();
    assert_eq!(step.len(), joint_count);
    step.repeat(50)
}

fn jitter(bundle: &TempDir, seconds: u64) {
    let folder = TempDir::new().unwrap();
    let config = folder.path().join("motion.toml");
    std::fs::write(&config, "[setpoints]\npublish = true\n").unwrap();
    let arguments = ["--config", config.to_str().unwrap(), "--instruction", "hold still"];
    let (runtime, locator) = Program::run(bundle, &arguments);
    let mut plan = robot::plan(&folder, &locator);
    plan["rate_hz"] = json!(30);
    let robot = Program::robot(&folder, &plan);
    std::thread::sleep(Duration::from_secs(seconds));
    runtime.signal("TERM");
    let (events, _) = runtime.rest();
    drop(robot);
    println!(
        "ticks of {seconds} s at 100 Hz, of a policy that computes next to nothing: {}",
        events.last().unwrap()["ticks"]
    );
}
