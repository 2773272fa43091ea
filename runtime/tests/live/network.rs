//! A robot made of `eclipse-zenoh` and `rosbags` on the other side, as peers and through a router.

use crate::kit::{Program, bundle, router};
use crate::robot::{HEAD, LEFT_WRIST, LEFT_WRIST_RECT, assert_holds_still, plan};
use serde_json::{Value, json};
use sinew_proto::Message;
use sinew_proto::msg::sensor_msgs::Image;
use sinew_runtime::config::Config;
use sinew_runtime::net;
use tempfile::TempDir;
use zenoh::Wait;
use zenoh::bytes::ZBytes;

const INSTRUCTION: &str = "pick up the red cube";
/// Sum of its token ids, as LeRobot's tokenizer gives them (`tests/fixtures/golden/tiny/tokenizer_cases.json`).
const TOKEN_SUM: f64 = (310 + 313 + 261 + 298 + 276 + 201) as f64;

/// Lets a robot see some chunks and checks them.
fn see_chunks(folder: &TempDir, mut plan: Value) {
    plan["chunk_count"] = json!(3);
    let (chunks, status) = Program::robot(folder, &plan).rest();
    assert!(status.success());
    assert_eq!(chunks.len(), 3);
    let first = chunks[0]["chunk"]["sequence"].as_u64().unwrap();
    for (index, seen) in chunks.iter().enumerate() {
        assert_eq!(seen["chunk"]["sequence"].as_u64(), Some(first + index as u64));
        assert_holds_still(seen, INSTRUCTION, TOKEN_SUM);
    }
}

#[test]
fn a_peer_gets_fifty_finite_steps_for_each_group_in_its_own_order_and_units() {
    let (bundle, folder) = (bundle(), TempDir::new().unwrap());
    let (runtime, locator) = Program::run(&bundle, &["--instruction", INSTRUCTION]);
    see_chunks(&folder, plan(&folder, &locator));
    runtime.signal("TERM");
    let (events, status) = runtime.rest();
    assert!(status.success(), "{status}");
    let summary = events.last().unwrap();
    assert_eq!(summary["event"], "summary");
    assert!(summary["chunk_count"].as_u64().unwrap() >= 3);
    assert_eq!(summary["failed_chunk_count"], 0);
    assert_eq!(summary["streams"]["camera.head"]["malformed"], 0);
    assert!(summary["observation_to_publish"]["p50_ms"].as_f64().unwrap() > 0.0);
}

/// Releases of the R1 Pro's software differ in a topic's name, and other robots send raw pictures, blue first.
#[test]
fn cameras_are_found_under_either_name_and_may_send_raw_pictures() {
    let (bundle, folder) = (bundle(), TempDir::new().unwrap());
    let path = folder.path().join("cameras.toml");
    let table = "[cameras.head]\ntopic = \"/head/image_raw\"\nmessage = \"sensor_msgs/msg/Image\"\n";
    std::fs::write(&path, table).unwrap();
    let arguments = ["--config", path.to_str().unwrap(), "--instruction", INSTRUCTION];
    let (runtime, locator) = Program::run(&bundle, &arguments);
    let mut plan = plan(&folder, &locator);
    plan["cameras"].as_object_mut().unwrap().remove(HEAD);
    let head = json!({"encoding": "bgr8", "size": [128, 96], "color": [200, 60, 20]});
    plan["raw_cameras"] = json!({"/head/image_raw": head});
    let wrist = plan["cameras"].as_object_mut().unwrap().remove(LEFT_WRIST).unwrap();
    plan["cameras"][LEFT_WRIST_RECT] = wrist.clone();
    see_chunks(&folder, plan.clone());
    plan["cameras"][LEFT_WRIST] = wrist;
    see_chunks(&folder, plan);
    runtime.signal("TERM");
    let (events, _) = runtime.rest();
    let streams = &events.last().unwrap()["streams"];
    assert!(streams["camera.head"]["shared"].as_u64() > Some(0), "{streams}");
    let contests: Vec<&Value> = events.iter().filter(|event| event["event"] == "camera_topics").collect();
    let [contest] = contests[..] else { panic!("{contests:?}") };
    assert_eq!(
        (contest["camera"].as_str(), contest["used"].as_str()),
        (Some("left_wrist"), Some(&LEFT_WRIST[1..]))
    );
    assert_eq!(contest["ignored"], LEFT_WRIST_RECT[1..]);
}

/// What arrives, and whether through shared memory, of a picture that another process sends.
fn picture_of_another_process(shared_memory: bool) -> (ZBytes, bool) {
    let listen = "listen = [\"tcp/127.0.0.1:0\"]";
    let config =
        Config::parse(&format!("[zenoh]\n{listen}\nshared_memory = {shared_memory}\n"), "test").unwrap();
    let session = net::open(&config.zenoh).unwrap();
    let (sender, pictures) = std::sync::mpsc::sync_channel(64);
    let take = move |sample: zenoh::sample::Sample| drop(sender.try_send(sample.payload().clone()));
    let _subscriber = session.declare_subscriber("head/image_raw").callback(take).wait().unwrap();
    let folder = TempDir::new().unwrap();
    let picture = json!({"encoding": "rgb8", "size": [640, 480], "color": [200, 60, 20]});
    let plan = json!({"connect": net::locators(&session), "raw_cameras": {"/head/image_raw": picture}});
    let _robot = Program::robot(&folder, &plan);
    // Both ends set their memory up with the first large message.
    let picture = pictures.iter().nth(10).unwrap();
    let is_shared = picture.as_shm().is_some();
    (picture, is_shared)
}

#[test]
fn pictures_from_this_machine_come_through_shared_memory_if_both_ends_have_it() {
    for shared_memory in [true, false] {
        let (picture, is_shared) = picture_of_another_process(shared_memory);
        assert_eq!(is_shared, shared_memory);
        let bytes = picture.to_bytes();
        let image = Image::from_cdr(&bytes).unwrap();
        assert_eq!((image.width, image.height, image.data.len()), (640, 480, 640 * 480 * 3));
        assert!(image.data[3..].as_chunks().0.iter().all(|pixel| *pixel == [200, 60, 20]));
    }
}

#[test]
fn through_a_router_and_behind_a_namespace_it_is_the_same() {
    let (router, locator) = router();
    let (bundle, folder) = (bundle(), TempDir::new().unwrap());
    let arguments = [
        "run",
        "--bundle",
        bundle.path().to_str().unwrap(),
        "--mode",
        "client",
        "--connect",
        &locator,
        "--namespace",
        "lab/r1",
        "--instruction",
        INSTRUCTION,
    ];
    let runtime = Program::runtime(arguments);
    let ready = runtime.event("ready");
    assert_eq!(ready["outputs"][0], "lab/r1/sinew/action_chunk");
    let mut plan = plan(&folder, &locator);
    plan["mode"] = json!("client");
    plan["namespace"] = json!("lab/r1");
    see_chunks(&folder, plan);
    runtime.signal("INT");
    let (_, status) = runtime.rest();
    assert!(status.success(), "{status}");
    router.close().wait().unwrap();
}

#[test]
fn a_client_without_a_router_fails_and_says_where_it_looked() {
    let bundle = bundle();
    let folder = bundle.path().to_str().unwrap();
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let endpoint = format!("tcp/127.0.0.1:{port}");
    let (code, _, stderr) =
        crate::kit::complete(&["run", "--bundle", folder, "--mode", "client", "--connect", &endpoint]);
    assert_eq!(code, 1, "{stderr}");
    assert!(stderr.contains(&endpoint), "{stderr}");
}
