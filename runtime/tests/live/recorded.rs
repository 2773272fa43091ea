//! Episodes on disk, as other people's readers see them.

use crate::kit::{Program, bundle, complete, pictures, read_log, router};
use crate::motion::{CHASSIS, JOINT_TOPICS, motion_plan, numbers};
use crate::robot::{HEAD, LEFT_ARM, LEFT_WRIST, RIGHT_WRIST, plan};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

fn text(words: &str) -> Value {
    json!({ "data": words })
}

fn logs(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut logs: Vec<PathBuf> = entries.collect();
    logs.sort();
    logs
}

fn messages<'a>(log: &'a Value, topic: &str) -> &'a Vec<Value> {
    log["topics"][topic]["messages"].as_array().unwrap_or_else(|| panic!("{topic} is not in the log"))
}

/// A run with set-points: the log has what the robot's own programs published and saw, and what was decided.
#[test]
fn an_episode_is_what_was_received_sent_and_decided() {
    let (bundle, folder) = (bundle(), TempDir::new().unwrap());
    let episodes = folder.path().join("episodes");
    let config = folder.path().join("motion.toml");
    fs::write(&config, "[setpoints]\npublish = true\n").unwrap();
    let arguments = ["--config", config.to_str().unwrap(), "--instruction", "hold still"];
    let arguments = [arguments.as_slice(), &["--record", episodes.to_str().unwrap()]].concat();
    let (runtime, locator) = Program::run(&bundle, &arguments);
    let mut plan = motion_plan(&folder, &locator);
    plan["marks"] = json!(["note: the egg was wet", "success"]);
    let (mut seen, status) = Program::robot(&folder, &plan).rest();
    assert!(status.success());
    let ended = runtime.event_where("recording", |event| event["state"] == "ended");
    assert_eq!(ended["outcome"], "success");
    runtime.signal("TERM");
    let (events, status) = runtime.rest();
    assert!(status.success(), "{status}");
    assert_eq!(events.last().unwrap()["recording"]["episode_count"], 1);

    let [path] = &logs(&episodes)[..] else { panic!("one episode, one file: {:?}", logs(&episodes)) };
    assert_eq!(path.file_name().unwrap(), "episode_000000.mcap");
    let log = read_log(path);
    assert_eq!((&log["profile"], &log["compressions"]), (&json!("ros2"), &json!(["zstd"])));
    let about = &log["metadata"]["sinew"];
    assert_eq!(about["robot"], "r1pro");
    let manifest: Value = serde_json::from_str(log["attachments"]["bundle.json"].as_str().unwrap()).unwrap();
    assert_eq!(about["bundle_id"], manifest["bundle_id"]);
    assert!(log["attachments"]["config.toml"].as_str().unwrap().contains("publish = true"));
    assert!(log["attachments"]["robot.toml"].as_str().unwrap().contains("target_joint_state_arm_left"));
    let ending = &log["metadata"]["sinew.episode"];
    assert_eq!((&ending["outcome"], &ending["notes"]), (&json!("success"), &json!("the egg was wet")));

    assert_eq!(messages(&log, "/sinew/instruction")[0], text("hold still"));
    assert_eq!(messages(&log, "/sinew/episode"), &["start", "note: the egg was wet", "success"].map(text));
    let seen = seen.pop().unwrap();
    for topic in JOINT_TOPICS.map(|(_, topic, _)| topic).into_iter().chain([CHASSIS]) {
        let recorded = messages(&log, topic);
        // What the robot saw before it set the mark; what came after is not the episode's.
        let common: Vec<&Value> =
            seen[topic].as_array().unwrap().iter().filter(|message| recorded.contains(message)).collect();
        assert!(common.len() >= 60, "{topic}: {} of {}", common.len(), recorded.len());
        assert!(recorded.len() >= common.len());
    }
    for camera in [HEAD, LEFT_WRIST, RIGHT_WRIST] {
        let sent = plan["cameras"][camera]["jpegs"].as_array().unwrap().iter();
        let sent: Vec<String> = sent.map(|path| sha256(&fs::read(path.as_str().unwrap()).unwrap())).collect();
        let is_one = |message: &Value| sent.iter().any(|hash| message["data"] == *hash);
        assert!(messages(&log, camera).iter().all(is_one), "{camera}");
    }
    let arm = messages(&log, LEFT_ARM);
    assert_eq!(arm[0]["position"], plan["joints"][LEFT_ARM]["position"]);
    let parse = |message: &Value| serde_json::from_str::<Value>(message["data"].as_str().unwrap()).unwrap();
    let decided: Vec<Value> = messages(&log, "/sinew/events").iter().map(parse).collect();
    assert!(decided.iter().any(|event| event["event"] == "motion" && event["state"] == "running"));
    let chunk_count = decided.iter().filter(|event| event["event"] == "chunk").count();
    assert!(messages(&log, "/sinew/action_chunk").len() >= chunk_count && chunk_count >= 3);
    assert!(messages(&log, "/left_arm_controller/joint_trajectory").len() >= chunk_count);
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `record` in a folder, the robot of `robot.py` in front of it.
fn recorder(folder: &TempDir, arguments: &[&str]) -> (Program, String) {
    let episodes = folder.path().join("episodes");
    let fixed = ["record", "--folder", episodes.to_str().unwrap(), "--listen", "tcp/127.0.0.1:0"];
    let program = Program::runtime(fixed.into_iter().chain(arguments.iter().copied()));
    let ready = program.event("recorder_ready");
    (program, ready["locators"][0].as_str().unwrap().to_owned())
}

fn teleoperated(folder: &TempDir, locator: &str) -> Value {
    let jpegs = pictures(folder, "head", [64, 48], [200, 30, 90]);
    json!({
        "connect": [locator],
        "rate_hz": 100,
        "cameras": {HEAD: {"jpegs": jpegs}},
        "joints": {
            LEFT_ARM: {"position": [0.1, 0.2, 0.3, -0.4, 0.5, 0.6, 0.7]},
            "/motion_target/target_joint_state_arm_left": {"position": [0.1, 0.2, 0.3, -0.4, 0.5, 0.6, 0.7]},
        },
    })
}

/// Somebody else drives: what the robot says and what it is told, an episode from one mark to the next.
#[test]
fn marks_part_a_recording_into_episodes() {
    let folder = TempDir::new().unwrap();
    let (program, locator) = recorder(&folder, &["--instruction", "put the egg in the tray"]);
    let mut plan = teleoperated(&folder, &locator);
    plan["marks"] = json!(["failure", "succes", "success", "start", "discard", "start"]);
    plan["marks_after_s"] = json!(0.3);
    let robot = Program::robot(&folder, &plan);
    let refused = program.event_where("recording", |event| event["state"] == "mark_refused");
    assert!(refused["message"].as_str().unwrap().contains("`succes`"), "{refused}");
    let refused = program.event_where("recording", |event| event["state"] == "mark_refused");
    assert!(refused["message"].as_str().unwrap().contains("no episode"), "{refused}");
    for _ in 0..2 {
        program.event_where("recording", |event| event["state"] == "started");
    }
    program.signal("QUIT");
    let (events, status) = program.rest();
    assert!(status.success(), "{status}");
    assert_eq!(events.last().unwrap()["recording"]["episode_count"], 3);
    drop(robot);
    let logs: Vec<Value> = logs(&folder.path().join("episodes")).iter().map(|path| read_log(path)).collect();
    let outcomes: Vec<&Value> = logs.iter().map(|log| &log["metadata"]["sinew.episode"]["outcome"]).collect();
    assert_eq!(outcomes, [&json!("failure"), &json!("discard"), &Value::Null]);
    for log in &logs {
        assert_eq!(messages(log, "/sinew/instruction"), &[text("put the egg in the tray")]);
    }
    let commands = messages(&logs[0], "/motion_target/target_joint_state_arm_left");
    assert_eq!(commands.last().unwrap()["position"][3], -0.4);
}

/// Wherever kill -9 falls, nothing but the last moments is missing from what is mended, and other people's readers
/// take it.
#[test]
fn a_recording_killed_at_any_of_fifty_moments_is_mended() {
    const ROUND_COUNT: usize = 5;
    const RECORDER_COUNT: usize = 10;
    const LONGEST_MS: u64 = 2_000;
    let folder = TempDir::new().unwrap();
    let (router, locator) = router();
    let robot = Program::robot(&folder, &teleoperated(&folder, &locator));
    for _ in 0..ROUND_COUNT {
        let folders = [(); RECORDER_COUNT].map(|()| TempDir::new().unwrap());
        let recorders = folders.each_ref().map(|folder| {
            let fixed = ["record", "--folder", folder.path().to_str().unwrap(), "--mode", "client"];
            Program::runtime(fixed.into_iter().chain(["--connect", &locator]))
        });
        for recorder in &recorders {
            recorder.event_where("recording", |event| event["state"] == "started");
        }
        let (started, started_at) = (Instant::now(), since_1970());
        let mut moments = [(); RECORDER_COUNT].map(|()| rand::random_range(0..LONGEST_MS));
        moments.sort_unstable();
        println!("killed after {moments:?} ms");
        for (recorder, moment) in recorders.iter().zip(moments) {
            std::thread::sleep(Duration::from_millis(moment).saturating_sub(started.elapsed()));
            recorder.signal("KILL");
        }
        for recorder in recorders {
            assert!(!recorder.rest().1.success());
        }
        for (folder, moment) in folders.iter().zip(moments) {
            check_mended(folder.path(), started_at, started_at + Duration::from_millis(moment));
        }
    }
    drop((robot, router));
}

fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

/// Of a recording that was under way at `started_at` and was killed at `killed_at` or a little later.
fn check_mended(folder: &Path, started_at: Duration, killed_at: Duration) {
    let [torn] = &logs(folder)[..] else { panic!("one episode, one file") };
    assert!(torn.to_str().unwrap().ends_with("episode_000000.mcap.part"), "{}", torn.display());
    let (code, stdout, stderr) = complete(&["recover", torn.to_str().unwrap(), "--json"]);
    assert_eq!(code, 0, "{stderr}");
    let recovered: Value = serde_json::from_str(&stdout).unwrap();
    let mended = PathBuf::from(recovered["path"].as_str().unwrap());
    assert_eq!(mended, torn.with_extension(""));
    let log = read_log(&mended);
    assert_eq!(log["message_count"], recovered["message_count"]);
    assert_eq!(log["metadata"]["sinew"]["robot"], "r1pro");
    let last_at = Duration::from_nanos(recovered["last_at_ns"].as_u64().unwrap()).max(started_at);
    let missing = killed_at.saturating_sub(last_at);
    assert!(missing < Duration::from_secs(1), "{missing:?} are missing");
    let (code, _, stderr) = complete(&["recover", torn.to_str().unwrap()]);
    assert!(code != 0 && stderr.contains("expected no such file yet"), "{stderr}");
}

/// More than may wait comes at once: what was before is kept, and everybody is told.
#[test]
fn what_is_too_much_for_the_queue_ends_the_recording_and_nothing_else() {
    let folder = TempDir::new().unwrap();
    let config = folder.path().join("small.toml");
    fs::write(&config, "[record]\nmax_waiting_mb = 1\n").unwrap();
    let (program, locator) = recorder(&folder, &["--config", config.to_str().unwrap()]);
    let mut plan = teleoperated(&folder, &locator);
    plan["raw_after_s"] = json!(0.5);
    plan["raw"] = json!({"hdas/bms": "00".repeat(1_100_000)});
    let robot = Program::robot(&folder, &plan);
    let failed = program.event_where("recording", |event| event["state"] == "failed");
    assert!(failed["message"].as_str().unwrap().contains("slower than the robot"), "{failed}");
    program.signal("TERM");
    let (_, status) = program.rest();
    assert_eq!(status.code(), Some(3));
    drop(robot);
    let log = read_log(&folder.path().join("episodes/episode_000000.mcap"));
    assert!(messages(&log, LEFT_ARM).len() > 10);
    assert_eq!(log["metadata"]["sinew.episode"]["ended_by"], "the disk was too slow");
}

/// The disk is full: recording says so and stops, the policy goes on.
#[test]
fn a_full_disk_does_not_stop_the_robot() {
    let (bundle, folder) = (bundle(), TempDir::new().unwrap());
    let episodes = folder.path().join("episodes");
    let arguments = ["--instruction", "hold still", "--record", episodes.to_str().unwrap()];
    let (runtime, locator) = Program::run_with_file_limit(&bundle, 160, &arguments);
    let plan = plan(&folder, &locator);
    let robot = Program::robot(&folder, &plan);
    let failed = runtime.event_where("recording", |event| event["state"] == "failed");
    assert!(failed["message"].as_str().unwrap().contains("episode_000000.mcap.part"), "{failed}");
    for _ in 0..3 {
        runtime.event("chunk");
    }
    runtime.signal("TERM");
    let (_, status) = runtime.rest();
    assert_eq!(status.code(), Some(3));
    drop(robot);
    let torn = episodes.join("episode_000000.mcap.part");
    let (code, _, stderr) = complete(&["recover", torn.to_str().unwrap()]);
    assert_eq!(code, 0, "{stderr}");
    assert!(read_log(&torn.with_extension(""))["message_count"].as_u64().unwrap() > 0);
}

/// A session with set-points, recorded; where its log is, and the folder that holds it.
fn session(bundle: &TempDir) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let episodes = folder.path().join("episodes");
    let config = folder.path().join("motion.toml");
    fs::write(&config, "[setpoints]\npublish = true\n").unwrap();
    let arguments = ["--config", config.to_str().unwrap(), "--instruction", "hold still"];
    let arguments = [arguments.as_slice(), &["--record", episodes.to_str().unwrap()]].concat();
    let (runtime, locator) = Program::run(bundle, &arguments);
    let (_, status) = Program::robot(&folder, &motion_plan(&folder, &locator)).rest();
    assert!(status.success());
    runtime.signal("TERM");
    assert!(runtime.rest().1.success());
    (folder, episodes.join("episode_000000.mcap"))
}

/// Time and numbers of every set-point of a topic.
fn positions(log: &Value, topic: &str) -> Vec<(i64, Vec<f64>)> {
    let times = log["topics"][topic]["times"].as_array().unwrap().iter().map(|time| time.as_i64().unwrap());
    times.zip(messages(log, topic).iter().map(|message| numbers(&message["position"]))).collect()
}

#[test]
fn a_session_goes_through_the_pure_core_to_the_same_bytes_every_time() {
    let bundle = bundle();
    let (folder, log) = session(&bundle);
    let rehearse = |name: &str, configuration: &str| {
        let (output, config) = (folder.path().join(name), folder.path().join(format!("{name}.toml")));
        fs::write(&config, configuration).unwrap();
        let paths = [&log, bundle.path(), &output, &config].map(|path: &Path| path.to_str().unwrap());
        let [log, bundle, to, config] = paths;
        let arguments = ["rehearse", log, "--bundle", bundle, "--output", to, "--config", config, "--json"];
        let (code, stdout, stderr) = complete(&arguments);
        assert_eq!(code, 0, "{stderr}");
        (output, serde_json::from_str::<Value>(&stdout).unwrap())
    };
    let (first, summary) = rehearse("first.mcap", "");
    let (second, again) = rehearse("second.mcap", "");
    assert_eq!(summary, again);
    assert!(fs::read(&first).unwrap() == fs::read(&second).unwrap(), "the same log gave other bytes");
    let states: Vec<&str> = summary["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| change["state"].as_str().unwrap())
        .collect();
    assert!(states.contains(&"running"), "{states:?}");
    assert!(
        summary["observation_count"].as_u64().unwrap() >= 3 && summary["chunk_count"].as_u64().unwrap() >= 3
    );

    // What was sent then, to within what ticks at other times make of it.
    let arm = JOINT_TOPICS[1].1;
    let (sent, rehearsed) = (read_log(&log), read_log(&first));
    let (sent, rehearsed) = (positions(&sent, arm), positions(&rehearsed, arm));
    assert!(rehearsed.len() > 60);
    let mut compared = 0;
    for (time, found) in &rehearsed {
        let Some((_, expected)) = sent.iter().find(|(at, _)| (at - time).abs() < 20_000_000) else {
            continue;
        };
        compared += 1;
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 0.02, "{found} is not {expected}");
        }
    }
    assert!(compared > 40, "{compared} of {}", rehearsed.len());

    let (tighter, _) = rehearse("tighter.mcap", "[safety]\nspeed_scale = 0.3\n");
    let caps = messages(&read_log(&tighter), arm)[0]["velocity"].clone();
    assert!((numbers(&caps)[0] - 0.48).abs() < 1e-9, "{caps}");
}
