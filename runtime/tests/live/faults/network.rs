//! Processes and clocks: what connects robot and runtime goes away and comes back.

use super::{Expected, FEEDBACK_MS, Station, configuration, path};
use crate::kit::{Program, check_log, clock_to_set, swing};
use serde_json::{Value, json};
use std::fs;
use std::net::TcpListener;
use tempfile::TempDir;

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn last_message_ms(report: &Value) -> f64 {
    let groups = report["since"].as_object().unwrap();
    groups.values().filter_map(|group| group["last_message_ms"].as_f64()).fold(0.0, f64::max)
}

/// Through a router: it is killed and comes back, then the runtime is killed and another takes its place.
#[test]
fn the_router_and_the_runtime_are_killed() {
    let (folder, bundle) = (TempDir::new().unwrap(), swing(1));
    fs::write(folder.path().join("run.toml"), configuration("")).unwrap();
    let router_at = format!("tcp/127.0.0.1:{}", free_port());
    let router = Program::router(&router_at);
    let start_runtime = || {
        let (bundle, config) = (bundle.path().to_str().unwrap().to_owned(), path(&folder, "run.toml"));
        let arguments = [
            "run",
            "--bundle",
            &bundle,
            "--config",
            &config,
            "--instruction",
            "swing",
            "--mode",
            "client",
            "--connect",
            &router_at,
        ];
        let runtime = Program::runtime(arguments);
        runtime.event("ready");
        runtime
    };
    let runtime = start_runtime();
    let log = path(&folder, "log.npz");
    let robot = Program::simulated(&["--mode", "client", "--connect", &router_at, "--log", &log]);
    let mut station = Station {
        name: "network",
        folder: TempDir::new().unwrap(),
        bundle: TempDir::new().unwrap(),
        runtime,
        robot,
    };
    station.runs();

    station.ask(&json!({"await": "motion"}));
    station.ask(&json!({"mark": true}));
    router.signal("KILL");
    station.motion("holding", Some("stale_feedback"));
    let killed = Expected {
        fault: "killed",
        input: "the router",
        state: "holding",
        reason: "stale_feedback",
        watchdog_ms: FEEDBACK_MS,
    };
    station.stands(&killed);
    drop(router);
    let router = Program::router(&router_at);
    station.runs();

    station.ask(&json!({"await": "motion"}));
    station.ask(&json!({"mark": true}));
    station.runtime.signal("KILL");
    let ended =
        Expected { fault: "killed", input: "the runtime", state: "gone", reason: "-", watchdog_ms: 0.0 };
    station.stands(&ended);
    let report = station.ask(&json!({"report": true}));
    assert!(last_message_ms(&report) < super::GRACE_MS, "{report}");
    station.ask(&json!({"note": "restarted"}));
    station.runtime = start_runtime();
    station.runs();
    station.ask(&json!({"await": "motion"}));

    let Station { runtime, mut robot, .. } = station;
    runtime.signal("TERM");
    let (_, status) = runtime.rest();
    assert!(status.success(), "{status}");
    robot.hang_up();
    let (_, status) = robot.rest();
    assert!(status.success(), "{status}");
    drop(router);
    // The second runtime began where the joints were.
    check_log(&folder.path().join("log.npz"), &folder.path().join("run.toml"));
}

/// This computer's clock, by a library between the program and the system.
#[test]
fn this_computers_clock_is_set() {
    let (folder, bundle) = (TempDir::new().unwrap(), swing(1));
    fs::write(folder.path().join("run.toml"), configuration("")).unwrap();
    let clock = clock_to_set(&folder);
    let arguments = ["--config", &path(&folder, "run.toml"), "--instruction", "swing"];
    let (runtime, locator) = Program::run_with_clock(&bundle, &clock, &arguments);
    let robot = Program::simulated(&["--connect", &locator, "--log", &path(&folder, "log.npz")]);
    let mut station = Station { name: "own-clock", folder, bundle, runtime, robot };
    station.runs();
    for (seconds, what) in [(10_i64, "set 10 s forward"), (-10, "set 10 s back")] {
        station.ask(&json!({"await": "motion"}));
        station.ask(&json!({"mark": true}));
        clock.set(seconds);
        station.motion("holding", Some("clock_step"));
        // With stamps that mean something else than before there are no more chunks either.
        station.stands(&Expected {
            fault: what,
            input: "this computer's clock",
            state: "holding",
            reason: "clock_step",
            watchdog_ms: 0.0,
        });
        clock.set(0);
        station.ask(&json!({"await": "motion"}));
    }
    station.end(0);
}
