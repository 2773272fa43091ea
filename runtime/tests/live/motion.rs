//! Set-points as a robot made of other people's software sees them.

use crate::kit::{Program, bundle, edit_manifest};
use crate::robot::{POSTURE, expected, plan};
use serde_json::{Value, json};
use std::fs;
use tempfile::TempDir;

const JOINT_STATE: &str = "sensor_msgs/msg/JointState";
const TWIST_STAMPED: &str = "geometry_msgs/msg/TwistStamped";
pub(crate) const CHASSIS: &str = "/motion_target/target_speed_chassis";
const CHASSIS_LIMIT: &str = "/motion_target/chassis_acc_limit";
/// Group, topic, largest speeds.
pub(crate) const JOINT_TOPICS: [(&str, &str, &[f64]); 5] = [
    ("torso", "/motion_target/target_joint_state_torso", &[0.5; 4]),
    ("left_arm", "/motion_target/target_joint_state_arm_left", &[1.6, 1.6, 1.6, 1.6, 4.0, 4.0, 4.0]),
    ("left_gripper", "/motion_target/target_position_gripper_left", &[]),
    ("right_arm", "/motion_target/target_joint_state_arm_right", &[1.6, 1.6, 1.6, 1.6, 4.0, 4.0, 4.0]),
    ("right_gripper", "/motion_target/target_position_gripper_right", &[]),
];

pub(crate) fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

pub(crate) fn token(kind: &str, topic: &str, message: &str) -> String {
    let escaped = |text: &str| text.trim_start_matches('/').replace('/', "§");
    format!("@/a1b2c3/@ros2_lv/{kind}/{}/{}/:1::1,10", escaped(topic), escaped(message))
}

pub(crate) fn motion_plan(folder: &TempDir, locator: &str) -> Value {
    let mut plan = plan(folder, locator);
    let mut commands: serde_json::Map<String, Value> =
        JOINT_TOPICS.iter().map(|(_, topic, _)| ((*topic).to_owned(), json!(JOINT_STATE))).collect();
    commands.extend([CHASSIS, CHASSIS_LIMIT].map(|topic| (topic.to_owned(), json!(TWIST_STAMPED))));
    plan["commands"] = Value::Object(commands);
    plan["chunk_count"] = json!(3);
    plan["min_commands"] = json!(60);
    plan
}

/// Runs a bundle with set-points until a robot has seen some. Returns what the robot saw and the runtime's events.
fn run(bundle: &TempDir, configuration: &str) -> (Value, Vec<Value>) {
    run_with(bundle, configuration, |_| {})
}

fn run_with(bundle: &TempDir, configuration: &str, change: impl FnOnce(&mut Value)) -> (Value, Vec<Value>) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("motion.toml");
    fs::write(&path, format!("[setpoints]\npublish = true\n{configuration}")).unwrap();
    let arguments = ["--config", path.to_str().unwrap(), "--instruction", "hold still"];
    let (runtime, locator) = Program::run(bundle, &arguments);
    let mut plan = motion_plan(&folder, &locator);
    change(&mut plan);
    let (mut seen, status) = Program::robot(&folder, &plan).rest();
    assert!(status.success());
    runtime.signal("TERM");
    let (events, status) = runtime.rest();
    assert!(status.success(), "{status}");
    (seen.pop().unwrap(), events)
}

#[test]
fn every_controller_gets_its_set_points_and_every_chunk_is_accounted_for() {
    for mode in ["sync", "rtc"] {
        let configuration = format!("[schedule]\nmode = \"{mode}\"\nexecute_steps = 10\n");
        let (seen, events) = run(&bundle(), &configuration);
        for (group, topic, speeds) in JOINT_TOPICS {
            let messages = seen[topic].as_array().unwrap();
            for message in messages {
                assert_eq!(numbers(&message["velocity"]), speeds, "{topic}");
                let position = numbers(&message["position"]);
                // The arm is lifted by hundredths of a radian a chunk; everything else is as it stands.
                for (found, expected) in position.iter().zip(expected(group, 0, 0.0)) {
                    assert!((found - expected).abs() < 0.1, "{mode}, {topic}: {found} is not {expected}");
                }
            }
        }
        let chassis = &seen[CHASSIS].as_array().unwrap();
        let moving =
            chassis.iter().filter(|message| message["twist"]["linear"]["x"].as_f64().unwrap() > 0.05);
        assert!(moving.count() > 0, "{mode}: the base never moved");
        let limit = &seen[CHASSIS_LIMIT][0]["twist"];
        assert_eq!((&limit["linear"]["x"], &limit["angular"]["z"]), (&json!(0.6), &json!(0.8)));
        let summary = events.last().unwrap();
        let ends: u64 =
            summary["chunk_ends"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum();
        assert_eq!(Some(ends), summary["chunk_count"].as_u64(), "{mode}: {summary}");
        let merged: Vec<&Value> = events.iter().filter(|event| event["event"] == "merged").collect();
        assert!(merged[0]["seam"]["left_arm"]["offered"].as_f64().unwrap() < 0.1, "{:?}", merged[0]);
        assert_eq!(merged[0]["was_idle"], true);
    }
}

/// The trained start posture is a little off from where the robot stands: it is gone to slowly, before the policy.
#[test]
fn the_policy_takes_over_in_its_start_posture() {
    let bundle = bundle();
    let (.., torso) = POSTURE[0];
    edit_manifest(&bundle, |manifest| {
        let mut posture = vec![0.0; 23];
        for (index, dimension) in manifest["action"]["dimensions"].as_array().unwrap().iter().enumerate() {
            let name = dimension["name"].as_str().unwrap();
            let joint = |prefix: &str| Some(name.strip_prefix(prefix)?.parse::<usize>().ok()? - 1);
            let place = |prefix: &str, group: usize| Some(POSTURE[group].2[joint(prefix)?]);
            let stroke = match name {
                "left_gripper" => Some(30.0 / 50.0 - 1.0),
                "right_gripper" => Some(85.0 / 50.0 - 1.0),
                _ => None,
            };
            posture[index] = place("torso_joint", 0)
                .or_else(|| place("left_arm_joint", 1))
                .or_else(|| place("right_arm_joint", 3))
                .or(stroke)
                .unwrap_or(0.0);
            if name == "torso_joint1" {
                posture[index] += 0.02;
            }
        }
        manifest["training"] = json!({"max_clean_steps": 0, "start_posture": posture});
    });
    let (seen, _) = run(&bundle, "");
    let torso_seen: Vec<f64> =
        seen[JOINT_TOPICS[0].1].as_array().unwrap().iter().map(|m| numbers(&m["position"])[0]).collect();
    let highest = torso_seen.iter().copied().fold(f64::MIN, f64::max);
    assert!((highest - torso[0] - 0.02).abs() < 1e-4, "{highest}");
    let rises = torso_seen.windows(2).take_while(|pair| pair[1] >= pair[0]);
    assert!(rises.count() > 10, "{torso_seen:?}");
}

/// Some R1 Pros take a twist without a time, and say so only in a token of the bridge. One whose torso nobody drives is
/// spoken of.
#[test]
fn the_base_is_told_in_the_form_that_the_robot_takes() {
    const TWIST: &str = "geometry_msgs/msg/Twist";
    let (seen, events) = run_with(&bundle(), "", |plan| {
        plan["commands"][CHASSIS] = json!(TWIST);
        let arm = JOINT_TOPICS[1].1;
        plan["tokens"] = json!([token("MS", CHASSIS, TWIST), token("MS", arm, JOINT_STATE)]);
    });
    assert!(seen[CHASSIS].as_array().unwrap().iter().all(|message| message.get("header").is_none()));
    let listeners: Vec<&Value> = events.iter().filter(|event| event["event"] == "listeners").collect();
    let of = |event: &Value, topic: &str| event["outputs"][topic.trim_start_matches('/')].clone();
    let is_there = |event: &&&Value| {
        of(event, CHASSIS) == json!({"count": 1, "messages": [TWIST]})
            && of(event, JOINT_TOPICS[1].1)["count"] == 1
    };
    let there = listeners.iter().find(is_there).unwrap();
    assert_eq!(of(there, JOINT_TOPICS[0].1)["count"], 0);
    // The robot left before the runtime did.
    assert_eq!(of(listeners.last().unwrap(), CHASSIS)["count"], 0);
}

/// Nodes with rmw_zenoh: one that knows type hashes, and one of Humble's. The base listens for the other form of twist,
/// which is another key there.
#[test]
fn nodes_with_rmw_zenoh_are_heard_and_see_us() {
    const TWIST: &str = "geometry_msgs/msg/Twist";
    for knows_hashes in [true, false] {
        let configuration = format!(
            "[zenoh]\nkeys = \"rmw_zenoh\"\ndomain = 41\nnamespace = \"lab\"\ntype_hashes = {knows_hashes}\n"
        );
        let (seen, events) = run_with(&bundle(), &configuration, |plan| {
            plan["rmw_zenoh"] = json!({"domain": 41, "knows_hashes": knows_hashes});
            plan["namespace"] = json!("lab");
            plan["commands"][CHASSIS] = json!(TWIST);
        });
        let chassis = seen[CHASSIS].as_array().unwrap();
        assert!(chassis.iter().all(|message| message.get("header").is_none()));
        let arm = "/motion_target/target_joint_state_arm_left";
        let listens = |event: &&Value| {
            event["event"] == "listeners"
                && event["outputs"]["lab/motion_target/target_speed_chassis"]["count"] == 1
        };
        assert!(events.iter().any(|event| listens(&event)), "{events:?}");

        let sent = |topic: &str| seen["attachments"][topic].as_array().unwrap();
        let mut identities = std::collections::HashSet::new();
        for topic in [arm, CHASSIS] {
            identities.insert(sent(topic)[0][2].as_str().unwrap());
            for pair in sent(topic).windows(2) {
                let [before, after] = pair else { continue };
                assert_eq!(after[0].as_i64(), before[0].as_i64().map(|number| number + 1), "{topic}");
                assert!(after[1].as_i64() > before[1].as_i64() && after[2] == before[2], "{topic}");
            }
        }
        assert_eq!(identities.len(), 2);

        let ours = |end: &str| {
            let tokens = seen["tokens"].as_array().unwrap().iter().map(|token| token.as_str().unwrap());
            tokens.filter(|token| token.contains("sinew_runtime") && token.contains(end)).count()
        };
        // What rosbags makes of the definition that ROS 2 has.
        let hash = if knows_hashes {
            "RIHS01_a13ee3a330e346c9d87b5aa18d24e11690752bd33a0350f11c5882bc9179260e"
        } else {
            "TypeHashNotSupported"
        };
        assert_eq!(ours("/0/0/NN/%/%/sinew_runtime"), 1, "{}", seen["tokens"]);
        let command = format!(
            "sinew_runtime/%lab{}/sensor_msgs::msg::dds_::JointState_/{hash}/",
            arm.replace('/', "%")
        );
        let feedback = command.replace("motion_target%target_joint_state_arm_left", "hdas%feedback_arm_left");
        assert_eq!((ours(&command), ours(&feedback)), (1, 1), "{}", seen["tokens"]);
        let head =
            "%hdas%camera_head%left_raw%image_raw_color%compressed/sensor_msgs::msg::dds_::CompressedImage_/";
        assert_eq!(ours(head), 1, "{}", seen["tokens"]);
    }
}
