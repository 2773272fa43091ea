//! How the run is doing, as stock ROS 2 types and Prometheus' own parser read it.

use crate::kit::{Program, ask_oracle, bundle};
use crate::motion::{motion_plan, token};
use serde_json::{Value, json};
use sinew_runtime::diagnostics::{Facts, Part, Seen, page};
use std::io::{Read, Write};
use std::net::TcpStream;
use tempfile::TempDir;
use zenoh::Wait;

const ARM: &str = "/motion_target/target_joint_state_arm_left";

/// Runs a bundle that moves the robot, so configured.
fn run(folder: &TempDir, configuration: &str) -> (Program, String) {
    let path = folder.path().join("moving.toml");
    std::fs::write(&path, format!("[setpoints]\npublish = true\n{configuration}")).unwrap();
    let bundle = bundle();
    Program::run(&bundle, &["--config", path.to_str().unwrap(), "--instruction", "hold still"])
}

/// A robot that works until a part of the run is in a state.
fn robot_until(folder: &TempDir, locator: &str, part: &str, state: &str) -> Program {
    let mut plan = motion_plan(folder, locator);
    plan["chunk_count"] = json!(0);
    plan["diagnostics"] = json!({"part": part, "state": state});
    plan["tokens"] = json!([token("MS", ARM, "sensor_msgs/msg/JointState")]);
    Program::robot(folder, &plan)
}

/// Says something as the operator does.
fn say(locator: &str, key: &'static str) {
    let mut config = zenoh::Config::default();
    for (key, value) in [
        ("mode", "\"client\"".to_owned()),
        ("connect/endpoints", format!("[\"{locator}\"]")),
        ("scouting/multicast/enabled", "false".to_owned()),
    ] {
        config.insert_json5(key, &value).unwrap();
    }
    let session = zenoh::open(config).wait().unwrap();
    session.put(key, "").wait().unwrap();
    session.close().wait().unwrap();
}

fn statuses(array: &Value) -> &[Value] {
    array["status"].as_array().unwrap()
}

fn status<'a>(array: &'a Value, part: &str) -> &'a Value {
    statuses(array)
        .iter()
        .find(|status| status["name"] == part)
        .unwrap_or_else(|| panic!("no {part} in {array}"))
}

fn value<'a>(array: &'a Value, part: &str, key: &str) -> &'a str {
    let values = status(array, part)["values"].as_array().unwrap();
    let found = values.iter().find(|value| value["key"] == key);
    found.unwrap_or_else(|| panic!("no {key} of {part} in {values:?}"))["value"].as_str().unwrap()
}

#[test]
fn ros_2_reads_how_every_part_is_doing_and_hears_each_change() {
    let folder = TempDir::new().unwrap();
    let (runtime, locator) = run(&folder, "");
    let robot = robot_until(&folder, &locator, "sinew/motion", "stopped");
    runtime.event_where("motion", |event| event["state"] == "running");
    // Readings come once a second, and a rate is one of a second at least: three of the robot's own.
    let captured_at_ns = |event: &Value| event["captured_at_ns"].as_i64().unwrap();
    let first_ns = captured_at_ns(&runtime.event("chunk"));
    runtime.event_where("chunk", |event| captured_at_ns(event) > first_ns + 3_000_000_000);
    say(&locator, "sinew/stop");
    let (lines, ended) = robot.rest();
    assert!(ended.success());
    runtime.signal("TERM");
    let (events, ended) = runtime.rest();
    assert!(ended.success(), "{ended}");
    let arrays = lines.last().unwrap().as_array().unwrap();

    let states: Vec<&str> = arrays.iter().map(|array| value(array, "sinew/motion", "state")).collect();
    let mut changes = states.clone();
    changes.dedup();
    assert!(changes.ends_with(&["running", "stopped"]), "{changes:?}");
    let last = arrays.last().unwrap();
    let motion = status(last, "sinew/motion");
    assert_eq!(
        (&motion["level"], &motion["message"]),
        (&json!(2), &json!("stopped: the operator said stop"))
    );
    assert_eq!(value(last, "sinew/motion", "reason"), "operator_stop");
    assert_eq!(status(last, "sinew")["level"], 2);
    assert!(arrays.iter().flat_map(statuses).all(|status| status["hardware_id"] == "r1pro"));

    let running = &arrays[states.iter().rposition(|state| *state == "running").unwrap()];
    for part in ["sinew/camera/head", "sinew/feedback/left_arm", "sinew/inference", "sinew/network"] {
        assert_eq!(status(running, part)["level"], 0, "{}", status(running, part));
    }
    // The robot sends thirty a second, on a machine that does other things as well.
    let rate: f64 = value(running, "sinew/camera/head", "rate_hz").parse().unwrap();
    assert!(rate > 1.0 && rate < 60.0, "{rate}");
    assert_eq!(value(running, "sinew/camera/head", "malformed"), "0");
    assert_eq!(value(running, "sinew/run", "instruction"), "hold still");
    assert!(value(running, "sinew/control", "ticks").parse::<u64>().unwrap() > 10);
    let arm = format!("listeners.{}", ARM.trim_start_matches('/'));
    assert_eq!(value(running, "sinew/outputs", &arm), "1: sensor_msgs/msg/JointState");
    assert_eq!(status(running, "sinew/outputs")["level"], 1, "nobody listens to the torso");

    let ticks = &events.last().unwrap()["ticks"];
    assert!(ticks["lateness"]["count"].as_u64().unwrap() > 10, "{ticks}");
}

/// The samples of a page with this name.
fn samples<'a>(page: &'a [Value], name: &str) -> Vec<&'a Value> {
    page.iter().filter(|sample| sample["name"] == name).collect()
}

#[test]
fn prometheus_reads_the_page_of_a_run() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("page.toml");
    std::fs::write(&path, "[setpoints]\npublish = true\n[diagnostics]\nprometheus = \"127.0.0.1:0\"\n")
        .unwrap();
    let bundle = bundle();
    let arguments = ["run", "--bundle", bundle.path().to_str().unwrap(), "--listen", "tcp/127.0.0.1:0"];
    let configured = ["--config", path.to_str().unwrap(), "--instruction", "hold still"];
    let runtime = Program::runtime(arguments.into_iter().chain(configured));
    let ready = runtime.event("ready");
    let robot = robot_until(&folder, ready["locators"][0].as_str().unwrap(), "sinew/motion", "running");
    assert!(robot.rest().1.success());
    let mut stream = TcpStream::connect(ready["prometheus"].as_str().unwrap()).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: robot\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("text/plain; version=0.0.4"), "{head}");
    assert!(head.contains(&format!("Content-Length: {}", body.len())), "{head}");
    let page = ask_oracle("prometheus_page.py", body);
    let received = samples(&page, "sinew_stream_messages_total")
        .into_iter()
        .find(|sample| sample["labels"] == json!({"stream": "camera.head", "kind": "received"}));
    assert!(received.unwrap()["value"].as_f64().unwrap() > 0.0);
    let states: f64 =
        samples(&page, "sinew_state").iter().map(|sample| sample["value"].as_f64().unwrap()).sum();
    assert_eq!(states, 1.0);
    let ticks = samples(&page, "sinew_tick_lateness_seconds_count")[0];
    assert_eq!((&ticks["type"], ticks["value"].as_f64().unwrap() > 0.0), (&json!("summary"), true));
    assert_eq!(samples(&page, "sinew_info")[0]["labels"]["robot"], "r1pro");
    runtime.signal("TERM");
    assert!(runtime.rest().1.success());
}

#[test]
fn names_and_numbers_of_any_kind_survive_the_page() {
    let odd = "a \"quoted\" name of C:\\new\nof two lines, with {braces} and = signs, ä";
    let facts = Facts { robot: odd.to_owned(), ..Facts::default() };
    let mut seen = Seen::default();
    seen.summary.seconds = f64::INFINITY;
    seen.summary.observation_to_publish.p50_ms = f64::NAN;
    let parts = [Part { name: odd.to_owned(), ..Part::default() }];
    let read = ask_oracle("prometheus_page.py", &page(&facts, &seen, &parts));
    assert_eq!(samples(&read, "sinew_info")[0]["labels"]["robot"], odd);
    assert_eq!(samples(&read, "sinew_level")[0]["labels"], json!({"part": odd}));
}

#[test]
fn a_page_that_others_could_read_is_refused_unless_it_is_asked_for() {
    let (bundle, folder) = (bundle(), TempDir::new().unwrap());
    let path = folder.path().join("open.toml");
    std::fs::write(&path, "[diagnostics]\nprometheus = \"0.0.0.0:9464\"\n").unwrap();
    let arguments = ["run", "--bundle", bundle.path().to_str().unwrap(), "--config", path.to_str().unwrap()];
    let (code, _, stderr) = crate::kit::complete(&arguments);
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("0.0.0.0:9464") && stderr.contains("prometheus_remote"), "{stderr}");
}

fn ask(locator: &str, flags: &[&str]) -> (i32, String, String) {
    crate::kit::complete(&[&["status", "--connect", locator, "--timeout", "30"], flags].concat())
}

#[test]
fn another_terminal_sees_how_the_run_is_doing_and_its_exit_code_says_it_too() {
    let folder = TempDir::new().unwrap();
    let (runtime, locator) = run(&folder, "");
    let (code, stdout, _) = ask(&locator, &[]);
    assert_eq!(code, 1, "{stdout}");
    assert!(stdout.starts_with("r1pro: "), "{stdout}");
    let line = stdout.lines().find(|line| line.contains("sinew/camera/head")).unwrap();
    assert!(line.contains("STALE") && line.ends_with("nothing has arrived yet"), "{line}");

    // Without set-points there is nothing that needs listeners; until the robot is heard of, nothing is well.
    runtime.signal("TERM");
    assert!(runtime.rest().1.success());
    let (runtime, locator) = Program::run(&bundle(), &["--instruction", "hold still"]);
    let mut plan = crate::robot::plan(&folder, &locator);
    plan["chunk_count"] = json!(0);
    let mut robot = Program::robot(&folder, &plan);
    let watched = ["status", "--connect", &locator, "--watch"];
    let watcher = Program::runtime(watched);
    let well = watcher.line_where("reading", |reading| reading["level"] == "ok");
    let head = well["parts"].as_array().unwrap().iter().find(|part| part["name"] == "sinew/camera/head");
    assert_eq!((&well["robot"], &head.unwrap()["level"]), (&json!("r1pro"), &json!("ok")));
    watcher.signal("INT");
    drop(watcher.rest());
    robot.hang_up();
    drop(robot.rest());
    runtime.signal("TERM");
    assert!(runtime.rest().1.success());
}

#[test]
fn nobody_who_answers_is_an_exit_code_of_its_own() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let endpoint = format!("tcp/127.0.0.1:{port}");
    for mode in ["peer", "client"] {
        let arguments = ["status", "--mode", mode, "--connect", &endpoint, "--timeout", "0.2"];
        let (code, stdout, stderr) = crate::kit::complete(&arguments);
        assert_eq!((code, stdout.as_str()), (3, ""), "{stderr}");
        assert!(stderr.contains("nobody said"), "{stderr}");
    }
}
