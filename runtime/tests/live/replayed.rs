//! An episode played as live topics, and what an onlooker sees of the whole.

use crate::kit::{Program, bundle, complete, dataset, dataset_v30};
use crate::robot::{HEAD, LEFT_WRIST, RIGHT_WRIST};
use serde_json::Value;
use sinew_proto::Message;
use sinew_proto::msg::sensor_msgs::{CompressedImage, JointState};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::sync_channel;
use zenoh::{Session, Wait};

fn peer(locator: &str) -> Session {
    let mut config = zenoh::Config::default();
    config.insert_json5("scouting/multicast/enabled", "false").unwrap();
    config.insert_json5("connect/endpoints", &serde_json::json!([locator]).to_string()).unwrap();
    zenoh::open(config).wait().unwrap()
}

#[test]
fn an_episode_comes_as_the_robot_would_send_it() {
    comes_as_the_robot_would_send_it(&dataset());
}

#[test]
fn an_episode_of_format_v30_comes_alike() {
    comes_as_the_robot_would_send_it(dataset_v30().path());
}

/// The episode's own numbers (columns 197:204 of its table are the right arm) come out in order, once a row, with all
/// cameras of a row at one time.
fn comes_as_the_robot_would_send_it(folder: &Path) {
    let arguments = [
        "replay",
        "--dataset",
        folder.to_str().unwrap(),
        "--episode",
        "60020",
        "--wait-for-subscriber",
        "--speed",
        "2",
        "--listen",
        "tcp/127.0.0.1:0",
    ];
    let replay = Program::runtime(arguments);
    let ready = replay.event("ready");
    assert_eq!(ready["task"], "put the egg in the tray");
    let session = peer(ready["locators"][0].as_str().unwrap());
    let (sender, samples) = sync_channel(1 << 16);
    let arm = sender.clone();
    let _arm = session
        .declare_subscriber("hdas/feedback_arm_right")
        .callback(move |sample| arm.send(("arm", sample.payload().to_bytes().into_owned())).unwrap())
        .wait()
        .unwrap();
    let _cameras: Vec<_> = [HEAD, LEFT_WRIST, RIGHT_WRIST]
        .map(|topic| {
            let sender = sender.clone();
            session
                .declare_subscriber(&topic[1..])
                .callback(move |sample| {
                    sender.send((topic, sample.payload().to_bytes().into_owned())).unwrap()
                })
                .wait()
                .unwrap()
        })
        .into();
    let (events, status) = replay.rest();
    assert!(status.success());
    assert_eq!(events.last().unwrap()["row_count"], 180);
    session.close().wait().unwrap();
    drop(sender);
    let mut stamps: BTreeMap<&str, Vec<(i32, u32)>> = BTreeMap::new();
    let mut arms = Vec::new();
    for (topic, message) in samples {
        let stamp = if topic == "arm" {
            let joints = JointState::from_cdr(&message).unwrap();
            arms.push(joints.position);
            joints.header.stamp
        } else {
            let image = CompressedImage::from_cdr(&message).unwrap();
            let size = turbojpeg::read_header(&image.data).unwrap();
            let expected = if topic == HEAD { 720 } else { 480 };
            assert_eq!((size.width, size.height), (expected, expected));
            image.header.stamp
        };
        stamps.entry(topic).or_default().push((stamp.sec, stamp.nanosec));
    }
    let recorded = sinew_dataset::Dataset::open(dataset()).unwrap();
    let state = recorded.episode(60020).unwrap().state().unwrap();
    let expected: Vec<Vec<f64>> =
        state.iter().map(|row| row[197..204].iter().map(|x| f64::from(*x)).collect()).collect();
    assert_eq!(arms, expected);
    let reference = &stamps["arm"];
    assert!(reference.is_sorted());
    // A frame may be dropped on the way, but each that came belongs to a row.
    for (topic, stamps) in &stamps {
        assert!(stamps.iter().all(|stamp| reference.contains(stamp)), "{topic}");
        assert!(stamps.len() > 90, "{topic}: {}", stamps.len());
    }
}

#[test]
fn an_onlooker_sees_every_chunk_and_draws_the_last() {
    let (bundle, folder) = (bundle(), dataset());
    let picture = bundle.path().join("last.png");
    let (runtime, policy) = Program::run(&bundle, &["--instruction", "open the drawer"]);
    let here = ["--listen", "tcp/127.0.0.1:0"];
    let replay = ["replay", "--loop", "--wait-for-subscriber", "--connect", &policy, "--dataset"];
    let replay = Program::runtime(replay.into_iter().chain([folder.to_str().unwrap()]).chain(here));
    let robot = replay.event("ready")["locators"][0].as_str().unwrap().to_owned();
    let watch = ["watch", "--count", "5", "--connect", &policy, "--connect", &robot, "--plot"];
    let watch = Program::runtime(watch.into_iter().chain([picture.to_str().unwrap()]).chain(here));
    let (events, status) = watch.rest();
    assert!(status.success(), "{status}");
    let seen: Vec<&Value> = events.iter().filter(|event| event["event"] == "seen").collect();
    let chunks: Vec<&&Value> = seen.iter().filter(|event| event["group"] == "chunk").collect();
    assert_eq!(chunks.len(), 5);
    for chunk in chunks {
        let of_chunk: Vec<&&Value> =
            seen.iter().filter(|event| event["sequence"] == chunk["sequence"]).collect();
        assert_eq!(of_chunk.len(), 7, "the chunk itself and six groups");
        for event in of_chunk {
            assert_eq!(event["step_count"], 50);
            assert!(event["age_ms"].as_f64().unwrap() >= event["latency_ms"].as_f64().unwrap());
            assert_eq!(event["first"].as_array().unwrap().len(), event["names"].as_array().unwrap().len());
        }
    }
    assert_eq!(events.last().unwrap()["lost_chunk_count"], 0);
    let png = std::fs::read(&picture).unwrap();
    assert_eq!((&png[..8], &png[16..24]), (&b"\x89PNG\r\n\x1a\n"[..], &[0, 0, 6, 64, 0, 0, 5, 40][..]));
    for program in [runtime, replay] {
        program.signal("TERM");
        let (_, status) = program.rest();
        assert!(status.success(), "{status}");
    }
}

#[test]
fn an_episode_nobody_has_is_refused() {
    let folder = dataset();
    let (code, _, stderr) = complete(&["replay", "--dataset", folder.to_str().unwrap(), "--episode", "7"]);
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains('7') && stderr.contains("60010"), "{stderr}");
    let (code, _, stderr) = complete(&["replay", "--dataset", folder.to_str().unwrap(), "--speed", "0"]);
    assert_eq!(code, 2, "{stderr}");
}
