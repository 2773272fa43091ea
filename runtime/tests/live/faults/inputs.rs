//! Cameras, joints and what the robot says of itself: lost, repeated, late, damaged.

use super::{CAMERA_MS, Expected, FEEDBACK_MS, STATUS_MS, Station};
use serde_json::{Value, json};

/// Longer than any watchdog on joints allows, and than a frame may be old.
const DELAY_MS: f64 = 400.0;
/// How long the equal pictures take that a camera may send, 30 a second.
const EQUAL_PICTURES_MS: f64 = 10.0 * 1e3 / 30.0;

fn fault(kind: &str, input: &str) -> Value {
    json!({"fault": kind, "input": input, "ms": DELAY_MS})
}

fn go_through(station: &mut Station, input: &str, cases: &[(&str, &str, &str, f64)]) {
    for (kind, what, reason, watchdog_ms) in cases {
        let expected = Expected { fault: what, input, state: "holding", reason, watchdog_ms: *watchdog_ms };
        station.measure(&fault(kind, input), &expected);
        station.heal();
    }
}

/// Each is noticed by what does not come any more: a frame that can be used.
#[test]
fn cameras() {
    let mut station = Station::new("cameras", 1);
    for camera in ["head", "left_wrist", "right_wrist"] {
        let cases = [
            ("lost", "lost", "stale_input", CAMERA_MS),
            ("repeated", "the same message again and again", "stale_input", CAMERA_MS),
            ("corrupted", "messages cut in half", "stale_input", CAMERA_MS),
            ("future", "stamps 0.4 s ahead", "stale_input", CAMERA_MS),
            ("delayed", "0.4 s late", "stale_input", CAMERA_MS),
            ("frozen", "the same picture, with new stamps", "stale_input", CAMERA_MS + EQUAL_PICTURES_MS),
        ];
        go_through(&mut station, camera, &cases);
    }
    station.end(0);
}

fn joints(name: &'static str, groups: &[&str]) {
    let mut station = Station::new(name, 1);
    for group in groups {
        let cases = [
            ("lost", "lost", "stale_feedback", FEEDBACK_MS),
            ("repeated", "the same message again and again", "stale_feedback", FEEDBACK_MS),
            ("corrupted", "messages cut in half", "stale_feedback", FEEDBACK_MS),
            ("nan", "positions are no numbers", "stale_feedback", FEEDBACK_MS),
            ("future", "stamps 0.4 s ahead", "stale_feedback", FEEDBACK_MS),
            ("delayed", "0.4 s late", "stale_feedback", FEEDBACK_MS),
        ];
        go_through(&mut station, group, &cases);
    }
    station.end(0);
}

#[test]
fn torso_and_left_joints() {
    joints("left", &["torso", "left_arm", "left_gripper"]);
}

#[test]
fn right_joints() {
    joints("right", &["right_arm", "right_gripper"]);
}

/// Numbers that rest look like a joint that rests. Commands never lead it by more than the robot's description allows, and what braking takes.
#[test]
fn joints_that_only_seem_to_rest() {
    const LEAD_RAD: [f64; 7] = [0.3, 0.3, 0.3, 0.3, 0.6, 0.6, 0.6];
    let mut station = Station::new("frozen", 1);
    station.ask(&json!({"await": "motion"}));
    station.ask(&fault("frozen", "left_arm"));
    let numbers = |value: &Value| -> Vec<f64> {
        value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
    };
    let frozen = numbers(&station.ask(&json!({"report": true}))["reported"]["left_arm"]);
    for _ in 0..20 {
        let report = station.ask(&json!({"await": "motion"}));
        let command = numbers(&report["since"]["left_arm"]["last"]);
        for (joint, (command, frozen)) in command.iter().zip(&frozen).enumerate() {
            assert!(
                (command - frozen).abs() <= 1.5 * LEAD_RAD[joint],
                "joint {joint}: {command} of {frozen}"
            );
        }
    }
    let expected = Expected {
        fault: "the same numbers, with new stamps",
        input: "left_arm",
        state: "running",
        reason: "-",
        watchdog_ms: 0.0,
    };
    station.tabulate(&expected, None);
    station.ask(&json!({"heal": "*"}));
    station.end(0);
}

/// What the operator has to look at before the robot goes on.
#[test]
fn what_stops_a_robot() {
    let mut station = Station::new("stops", 1);
    let cases = [
        (
            json!({"fault": "jump", "input": "left_arm", "by": 0.5}),
            "positions jump by 0.5 rad",
            "left_arm",
            "feedback_jump",
            0.0,
            json!({"heal": "*"}),
        ),
        (
            json!({"mode": 2}),
            "somebody drives by remote control",
            "controller",
            "taken_over",
            0.0,
            json!({"mode": 5}),
        ),
        (json!({"battery": 20}), "20 %", "bms", "low_battery", 0.0, json!({"battery": 80})),
        (json!({"error": 12}), "a fault", "status_arm_left", "fault", 0.0, json!({"error": 0})),
    ];
    for (command, what, input, reason, watchdog_ms, remedy) in cases {
        let expected = Expected { fault: what, input, state: "stopped", reason, watchdog_ms };
        station.measure(&command, &expected);
        station.ask(&remedy);
        station.resume_until_it_runs();
    }
    let lost = Expected {
        fault: "lost",
        input: "controller",
        state: "holding",
        reason: "stale_input",
        watchdog_ms: STATUS_MS,
    };
    station.measure(&fault("lost", "controller"), &lost);
    station.heal();
    station.end(0);
}

/// All stamps of the robot, one way and the other.
#[test]
fn the_robots_clock_is_set() {
    let mut station = Station::new("robot-clock", 1);
    for (seconds, what) in [(10.0, "set 10 s forward"), (-10.0, "set 10 s back")] {
        let expected = Expected {
            fault: what,
            input: "the robot's clock",
            state: "holding",
            reason: "stale_feedback",
            watchdog_ms: FEEDBACK_MS,
        };
        station.measure(&json!({"fault": "clock", "input": "*", "s": seconds}), &expected);
        station.heal();
    }
    station.end(0);
}
