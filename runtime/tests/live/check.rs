//! What is found before motion, against a robot made of other people's software.

use crate::kit::{Program, bundle, complete, router};
use crate::motion::{motion_plan, token};
use crate::robot::{HEAD, LEFT_ARM};
use serde_json::{Value, json};
use sinew_proto::Message;
use sinew_proto::msg::hdas_msg::{Bms, ControllerSignal, ControllerSignalStamped};
use std::fs;
use tempfile::TempDir;

const JOINT_STATE: &str = "sensor_msgs/msg/JointState";
const COMPRESSED: &str = "sensor_msgs/msg/CompressedImage";
const TWIST_STAMPED: &str = "geometry_msgs/msg/TwistStamped";

/// Tokens of receivers for everything that would move an R1 Pro.
fn receivers() -> Vec<String> {
    let joints = [
        "joint_state_torso",
        "joint_state_arm_left",
        "position_gripper_left",
        "joint_state_arm_right",
        "position_gripper_right",
    ];
    let joints = joints.map(|name| token("MS", &format!("/motion_target/target_{name}"), JOINT_STATE));
    let base = ["target_speed_chassis", "chassis_acc_limit"];
    let base = base.map(|name| token("MS", &format!("/motion_target/{name}"), TWIST_STAMPED));
    joints.into_iter().chain(base).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What the robot says of itself.
fn said(mode: u8, capital: f32) -> Value {
    let data = ControllerSignal { mode, ..ControllerSignal::default() };
    let remote = ControllerSignalStamped { data, ..Default::default() };
    let battery = Bms { capital, ..Bms::default() };
    json!({"controller": hex(&remote.to_cdr()), "hdas/bms": hex(&battery.to_cdr())})
}

/// What a check of a robot finds, once the robot has been changed; the exit code and the findings.
struct Checked {
    code: i32,
    report: Value,
}

impl Checked {
    fn with_robot(change: impl FnOnce(&mut Value)) -> Self {
        let (bundle, folder) = (bundle(), TempDir::new().unwrap());
        let (router, locator) = router();
        let mut plan = motion_plan(&folder, &locator);
        plan["mode"] = json!("client");
        plan["chunk_count"] = json!(0);
        plan["commands"] = json!({});
        plan["tokens"] = json!(receivers());
        plan["raw"] = said(5, 80.0);
        plan["strangers"] = json!(true);
        change(&mut plan);
        let mut robot = Program::robot(&folder, &plan);
        let path = folder.path().join("moving.toml");
        fs::write(&path, "[setpoints]\npublish = true\n[safety]\nmax_tick_gap_ms = 100\n").unwrap();
        let checked =
            check(&bundle, &["--mode", "client", "--connect", &locator, "--config", path.to_str().unwrap()]);
        robot.hang_up();
        let (lines, ended) = robot.rest();
        assert!(ended.success());
        assert_eq!(lines.last(), Some(&json!([])), "the check published something");
        drop(router);
        checked
    }

    fn finding(&self, subject: &str) -> &Value {
        let findings = self.report["findings"].as_array().unwrap();
        let found = findings.iter().find(|finding| finding["subject"] == subject);
        found.unwrap_or_else(|| panic!("nothing about {subject} in {findings:#?}"))
    }

    fn verdict(&self, subject: &str) -> &str {
        self.finding(subject)["verdict"].as_str().unwrap()
    }

    /// The subjects with a verdict.
    fn subjects(&self, verdict: &str) -> Vec<&str> {
        let findings = self.report["findings"].as_array().unwrap().iter();
        let wanted = findings.filter(|finding| finding["verdict"] == verdict);
        wanted.map(|finding| finding["subject"].as_str().unwrap()).collect()
    }

    /// Asserts that there is a finding with this verdict that says these words, and what to do.
    fn assert_says(&self, subject: &str, verdict: &str, words: &str) {
        let finding = self.finding(subject);
        assert_eq!(finding["verdict"], verdict, "{finding}");
        assert!(finding["found"].as_str().unwrap().contains(words), "{finding} does not say {words}");
        assert!(!finding["advice"].as_str().unwrap().is_empty());
    }
}

fn check(bundle: &TempDir, flags: &[&str]) -> Checked {
    let fixed = ["check", "--bundle", bundle.path().to_str().unwrap(), "--seconds", "3", "--json"];
    let instructed = ["--instruction", "hold still"];
    let (code, stdout, stderr) = complete(&[&fixed[..], &instructed[..], flags].concat());
    let report = serde_json::from_str(&stdout).unwrap_or_else(|_| panic!("{stdout}{stderr}"));
    Checked { code, report }
}

#[test]
fn nothing_is_against_the_motion_of_a_healthy_robot() {
    let checked = Checked::with_robot(|_| {});
    assert_eq!(checked.subjects("refused"), Vec::<&str>::new(), "{:#}", checked.report);
    assert_eq!(checked.code, 0);
    // On a machine that does much else, messages come less often than a robot sends them: no line about rates is asked for.
    for subject in [
        "bundle",
        "robot",
        "set-points",
        "policy",
        "instruction",
        "network",
        "clock of camera.head",
        "clock of feedback.torso",
        "/controller",
        "/hdas/bms",
        "motion_target/target_joint_state_torso",
        "motion_target/target_speed_chassis",
        "base: acceleration",
        "motion",
    ] {
        assert_eq!(checked.verdict(subject), "ok", "{}", checked.finding(subject));
    }
    for (subject, words) in [("camera.head", " a second on hdas/camera_head"), ("observation", "a second")] {
        assert!(checked.finding(subject)["found"].as_str().unwrap().contains(words));
    }
    // The test's robot says nothing of faults, nor of the base's speed.
    checked.assert_says("/hdas/feedback_status_torso", "warning", "did not say");
    checked.assert_says("base: speed", "warning", "nothing on motion_control/chassis_speed");
}

#[test]
fn a_wrong_type_on_either_side_is_refused() {
    let checked = Checked::with_robot(|plan| {
        let tokens = plan["tokens"].as_array_mut().unwrap();
        tokens[1] = json!(token(
            "MS",
            "/motion_target/target_joint_state_arm_left",
            "std_msgs/msg/Float64MultiArray"
        ));
        tokens.push(json!(token("MP", HEAD, "sensor_msgs/msg/Image")));
        tokens.push(json!(token("MP", LEFT_ARM, JOINT_STATE)));
    });
    assert_eq!(checked.code, 2);
    checked.assert_says("camera.head", "refused", &format!("sensor_msgs/msg/Image, not {COMPRESSED}"));
    checked.assert_says("motion_target/target_joint_state_arm_left", "refused", "Float64MultiArray");
    assert_ne!(checked.verdict("feedback.left_arm"), "refused");
}

#[test]
fn a_silent_robot_is_refused_stream_by_stream() {
    let checked = Checked::with_robot(|plan| {
        plan["cameras"] = json!({});
        plan["joints"].as_object_mut().unwrap().remove(LEFT_ARM);
        plan["tokens"].as_array_mut().unwrap().push(json!(token("MP", LEFT_ARM, JOINT_STATE)));
    });
    assert_eq!(checked.code, 2);
    checked.assert_says("camera.head", "refused", "nothing on hdas/camera_head");
    checked.assert_says("feedback.left_arm", "refused", "nothing on");
    assert!(checked.finding("feedback.left_arm")["advice"].as_str().unwrap().contains("allow list"));
    assert_ne!(checked.verdict("feedback.right_arm"), "refused");
    checked.assert_says("observation", "refused", "nothing from camera head yet");
    checked.assert_says("motion", "refused", "no feedback of `left_arm` yet");
}

#[test]
fn a_clock_that_is_off_by_ten_seconds_is_refused_either_way() {
    for (delay_s, words) in [(10.0, "at least 10.0 s old"), (-10.0, "10.0 s ahead")] {
        let checked = Checked::with_robot(|plan| {
            let topics =
                plan["cameras"].as_object().unwrap().keys().chain(plan["joints"].as_object().unwrap().keys());
            plan["delay_s"] =
                topics.map(|topic| (topic.clone(), json!(delay_s))).collect::<serde_json::Map<_, _>>().into();
        });
        assert_eq!(checked.code, 2);
        for subject in ["clock of camera.head", "clock of feedback.left_arm"] {
            checked.assert_says(subject, "refused", words);
            assert!(checked.finding(subject)["advice"].as_str().unwrap().contains("chrony"));
        }
        assert_eq!(checked.verdict("camera.head"), "refused");
        assert_eq!(checked.verdict("motion"), "refused");
    }
}

#[test]
fn nobody_who_listens_is_spoken_of_and_a_robot_that_is_driven_or_empty_is_refused() {
    let checked = Checked::with_robot(|plan| {
        plan["tokens"].as_array_mut().unwrap().drain(..1);
        plan["raw"] = said(2, 20.0);
    });
    assert_eq!(checked.code, 2);
    checked.assert_says(
        "motion_target/target_joint_state_torso",
        "warning",
        "nobody listens; `torso` would not move",
    );
    assert_eq!(checked.verdict("motion_target/target_joint_state_arm_left"), "ok");
    checked.assert_says("/controller", "refused", "(mode 2)");
    checked.assert_says("/hdas/bms", "refused", "20 %, at least 25 % is needed");
    checked.assert_says("motion", "refused", "remote control");
}

#[test]
fn the_bundle_and_this_computer_are_looked_at_where_nobody_answers() {
    let (whole, folder) = (bundle(), TempDir::new().unwrap());
    let record = folder.path().join("file/episodes");
    fs::write(folder.path().join("file"), "").unwrap();
    let path = folder.path().join("alone.toml");
    fs::write(&path, format!("[record]\nfolder = \"{}\"\n", record.display())).unwrap();
    let alone = check(&whole, &["--config", path.to_str().unwrap(), "--listen", "tcp/127.0.0.1:0"]);
    assert_eq!(alone.code, 2);
    for subject in ["bundle", "robot", "policy"] {
        assert_eq!(alone.verdict(subject), "ok", "{}", alone.finding(subject));
    }
    alone.assert_says("network", "refused", "no zenoh peer or router");
    alone.assert_says("recording", "refused", "cannot be written");
    alone.assert_says("set-points", "warning", "nothing moves the robot");
    alone.finding("real-time priority");
    alone.finding("shared memory");

    let graph = whole.path().join("denoise.onnx");
    let mut content = fs::read(&graph).unwrap();
    *content.last_mut().unwrap() ^= 1;
    fs::write(&graph, content).unwrap();
    let damaged = check(&whole, &[]);
    assert_eq!(damaged.code, 2);
    damaged.assert_says("bundle", "refused", "sha256");
    damaged.assert_says("network", "warning", "not looked at");

    let (code, table, _) = complete(&["check", "--bundle", whole.path().to_str().unwrap()]);
    assert_eq!(code, 2);
    assert!(
        table.starts_with("REFUSED  bundle")
            && table.contains("→")
            && table.contains("Motion would be refused"),
        "{table}"
    );
}
