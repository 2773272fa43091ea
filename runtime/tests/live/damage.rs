//! Damaged, late and contradicting senders.

use crate::kit::{Program, bundle};
use crate::robot::{HEAD, LEFT_ARM, LEFT_WRIST, RIGHT_WRIST, plan};
use serde_json::json;
use tempfile::TempDir;

#[test]
fn damaged_messages_are_counted_and_never_fatal() {
    let (bundle, folder) = (bundle(), TempDir::new().unwrap());
    let (runtime, locator) = Program::run(&bundle, &["--instruction", "open the drawer"]);
    let mut plan = plan(&folder, &locator);
    // Half a JPEG, half a joint state, a joint state that claims 4 billion names, and an instruction without its end.
    plan["cameras"][LEFT_WRIST]["cut"] = json!(300);
    plan["raw"] = json!({
        &LEFT_ARM[1..]: "000100000700",
        "hdas/feedback_torso": "00010000070000000000000001000000000000 00ffffffff",
        "sinew/instruction": "00010000ff000000616263",
    });
    let robot = Program::robot(&folder, &plan);
    for stream in ["camera.left_wrist", "feedback.left_arm", "feedback.torso", "instruction"] {
        let event = runtime.event_where("unusable", |event| event["stream"] == stream);
        assert_eq!(event["fault"], "malformed");
        assert!(event["count"].as_u64().unwrap() > 0 && !event["message"].as_str().unwrap().is_empty());
    }
    let waiting = runtime.event("not_ready");
    assert_eq!((&waiting["reason"], &waiting["stream"]), (&json!("malformed"), &json!("camera left_wrist")));
    drop(robot);
    // The same run works once the robot is whole.
    plan["cameras"][LEFT_WRIST]["cut"] = json!(0);
    plan["raw"] = json!({});
    let robot = Program::robot(&folder, &plan);
    runtime.event("chunk");
    runtime.signal("TERM");
    drop(robot);
    let (events, status) = runtime.rest();
    assert!(status.success(), "{status}");
    assert!(events.last().unwrap()["streams"]["camera.left_wrist"]["malformed"].as_u64().unwrap() > 0);
}

#[test]
fn other_joint_names_than_the_robots_end_the_run_before_the_first_chunk() {
    let (bundle, folder) = (bundle(), TempDir::new().unwrap());
    let (runtime, locator) = Program::run(&bundle, &["--instruction", "open the drawer"]);
    let mut plan = plan(&folder, &locator);
    plan["joints"][LEFT_ARM]["name"][2] = json!("left_elbow");
    let robot = Program::robot(&folder, &plan);
    let (events, status) = runtime.rest();
    drop(robot);
    assert_eq!(status.code(), Some(2));
    assert!(events.iter().all(|event| event["event"] != "chunk"), "{events:?}");
}

#[test]
fn late_streams_are_named_and_nothing_is_published() {
    let (bundle, folder) = (bundle(), TempDir::new().unwrap());
    let (runtime, locator) = Program::run(&bundle, &["--instruction", "open the drawer"]);
    let mut plan = plan(&folder, &locator);
    plan["delay_s"] = json!({RIGHT_WRIST: 0.2});
    let robot = Program::robot(&folder, &plan);
    // Of a robot that is just starting, another camera may be a frame behind the first for a moment.
    runtime.event_where("not_ready", |event| {
        event["reason"] == "skewed" && event["stream"] == "camera right_wrist"
    });
    drop(robot);
    plan["delay_s"] = json!({HEAD: 5.0});
    let robot = Program::robot(&folder, &plan);
    let waiting = runtime.event_where("not_ready", |event| event["reason"] == "late");
    assert_eq!(waiting["stream"], "camera head");
    drop(robot);
    let waiting = runtime.event_where("not_ready", |event| event["reason"] == "lost");
    assert_eq!(waiting["stream"], "camera head");
    plan["delay_s"] = json!({LEFT_ARM: -2.0});
    let robot = Program::robot(&folder, &plan);
    let is_ahead =
        |event: &serde_json::Value| event["stream"] == "feedback.left_arm" && event["fault"] == "ahead";
    let ahead = runtime.event_where("unusable", is_ahead);
    assert!(ahead["message"].as_str().unwrap().contains("ms ahead"), "{ahead}");
    let waiting = runtime.event_where("not_ready", |event| event["reason"] == "ahead");
    assert_eq!(waiting["stream"], "feedback of left_arm");
    runtime.signal("TERM");
    drop(robot);
    let (events, _) = runtime.rest();
    let summary = events.last().unwrap();
    assert_eq!(summary["chunk_count"], 0);
    assert!(summary["streams"]["camera.head"]["late"].as_u64() > Some(0), "{summary}");
    assert!(summary["streams"]["camera.head"]["lost"].as_u64() > Some(0), "{summary}");
}

/// A driver that hangs repeats its last picture with new stamps, or sends on without looking at the clock.
#[test]
fn a_camera_that_shows_the_same_for_ever_is_frozen() {
    let (bundle, folder) = (bundle(), TempDir::new().unwrap());
    let (runtime, locator) = Program::run(&bundle, &["--instruction", "open the drawer"]);
    let mut plan = plan(&folder, &locator);
    let robot = Program::robot(&folder, &plan);
    runtime.event("chunk");
    drop(robot);
    let alive = plan["cameras"][HEAD]["jpegs"].take();
    plan["cameras"][HEAD]["jpegs"] = json!([alive[0]]);
    let robot = Program::robot(&folder, &plan);
    let waiting = runtime.event_where("not_ready", |event| event["reason"] == "frozen");
    assert_eq!(waiting["stream"], "camera head");
    drop(robot);
    plan["cameras"][HEAD] = json!({"jpegs": alive});
    plan["cameras"][RIGHT_WRIST]["standing"] = json!(true);
    let robot = Program::robot(&folder, &plan);
    // Its stamp stands, and is soon from long ago.
    runtime.event_where("not_ready", |event| {
        event["stream"] == "camera right_wrist"
            && (event["reason"] == "duplicate" || event["reason"] == "late")
    });
    drop(robot);
    plan["cameras"][RIGHT_WRIST]["standing"] = json!(false);
    let robot = Program::robot(&folder, &plan);
    runtime.event("chunk");
    runtime.signal("TERM");
    drop(robot);
    let (events, _) = runtime.rest();
    let streams = &events.last().unwrap()["streams"];
    assert!(streams["camera.head"]["frozen"].as_u64() > Some(0), "{streams}");
    assert!(streams["camera.right_wrist"]["duplicate"].as_u64() > Some(0), "{streams}");
}

#[test]
fn frames_of_another_size_are_mentioned_once() {
    let (bundle, folder) = (bundle(), TempDir::new().unwrap());
    crate::kit::edit_manifest(&bundle, |manifest| manifest["cameras"][0]["width"] = json!(720));
    let (runtime, locator) = Program::run(&bundle, &["--instruction", "open the drawer"]);
    let robot = Program::robot(&folder, &plan(&folder, &locator));
    let event = runtime.event("frame_size");
    assert_eq!(event["camera"], "head");
    assert_eq!((&event["bundle"], &event["found"]), (&json!([720, 96]), &json!([128, 96])));
    runtime.event("chunk");
    runtime.event("chunk");
    runtime.signal("TERM");
    drop(robot);
    let (events, _) = runtime.rest();
    assert!(events.iter().all(|event| event["event"] != "frame_size"));
}
