//! The fault matrix: a robot that moves, one thing that goes wrong with it, and how long it takes until nothing moves any more.
//!
//! The robot is `tests/sim/robot.py` without physics, the policy is `swing.py`'s, the runtime the real program. Time to hold is measured by the robot: from
//! when the fault begins to the last set-point that still moved. Bounds come from the watchdogs as configured here, plus what braking takes and much grace for
//! a machine that does much else; they are no measure of speed. Each test's log of commands is judged by `tests/sim/check_log.py`.
//!
//! Where `SINEW_FAULT_TABLE` names a folder, each case leaves a line there; `scripts/fault-table` makes the table in `docs/safety.md` of them.

mod inference;
mod inputs;
mod network;
mod operator;

use crate::kit::{Program, check_log, python_tests, swing};
use serde_json::{Value, json};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use tempfile::TempDir;

/// Watchdogs, milliseconds. Shorter than by default, so that the matrix does not take long.
const FEEDBACK_MS: f64 = 200.0;
const CAMERA_MS: f64 = 500.0;
const STATUS_MS: f64 = 2500.0;
const INFERENCE_MS: f64 = 1500.0;
/// The slowest joints brake for half a second.
const BRAKING_MS: f64 = 500.0;
/// For a machine that does much else.
const GRACE_MS: f64 = 2000.0;
/// How long nothing has to move to count as standing.
const REST_MS: u64 = 300;

fn configuration(extra: &str) -> String {
    format!(
        "[setpoints]\npublish = true\n{extra}\n[safety]\nmax_feedback_age_ms = {FEEDBACK_MS}\nmax_camera_age_ms = {CAMERA_MS}\n\
         max_status_age_ms = {STATUS_MS}\nmax_inference_age_ms = {INFERENCE_MS}\nrecovery_ms = 100\n"
    )
}

/// A runtime and a robot that it moves.
struct Station {
    name: &'static str,
    folder: TempDir,
    bundle: TempDir,
    runtime: Program,
    robot: Program,
}

/// A checker that sees nothing would pass everything.
#[test]
fn the_checker_of_logs_sees_each_planted_violation() {
    python_tests("test_check_log");
}

/// What is expected of a fault.
struct Expected<'a> {
    /// What went wrong, for people.
    fault: &'a str,
    /// With which input.
    input: &'a str,
    /// The state that follows, and why.
    state: &'a str,
    reason: &'a str,
    /// The watchdog that notices, milliseconds.
    watchdog_ms: f64,
}

impl Station {
    /// With a policy that computes so many matrix products a chunk.
    fn new(name: &'static str, busy: u32) -> Self {
        let (station, _) = Self::waiting(name, busy, "");
        station.runs();
        station
    }

    /// One that may need something else before it runs, with more under `[safety]`; also where it can be reached.
    fn waiting(name: &'static str, busy: u32, safety: &str) -> (Self, String) {
        let (folder, bundle) = (TempDir::new().unwrap(), swing(busy));
        fs::write(folder.path().join("run.toml"), configuration("") + safety).unwrap();
        let arguments = ["--config", &path(&folder, "run.toml"), "--instruction", "swing"];
        let (runtime, locator) = Program::run(&bundle, &arguments);
        let robot = Program::simulated(&["--connect", &locator, "--log", &path(&folder, "log.npz")]);
        (Self { name, folder, bundle, runtime, robot }, locator)
    }

    /// Waits until the robot may move.
    fn runs(&self) {
        self.motion("running", None);
    }

    /// Waits for a state.
    fn motion(&self, state: &str, reason: Option<&str>) -> Value {
        let is_it =
            |event: &Value| event["state"] == state && reason.is_none_or(|reason| event["reason"] == reason);
        self.runtime.event_where("motion", is_it)
    }

    fn ask(&mut self, command: &Value) -> Value {
        let answer = self.robot.ask(command);
        assert!(answer.get("error").is_none(), "{answer}");
        answer
    }

    /// Lets something go wrong while the robot moves, waits until it stands and says how long that took.
    fn measure(&mut self, command: &Value, expected: &Expected<'_>) -> f64 {
        self.ask(&json!({"await": "motion"}));
        self.ask(command);
        self.motion(expected.state, Some(expected.reason));
        self.stands(expected)
    }

    /// Waits until nothing moves and judges how long that took since the fault.
    fn stands(&mut self, expected: &Expected<'_>) -> f64 {
        let report = self.ask(&json!({"await": "rest", "for_ms": REST_MS}));
        let groups = report["since"].as_object().unwrap();
        let last_ms =
            groups.values().filter_map(|group| group["last_motion_ms"].as_f64()).fold(0.0, f64::max);
        let bound_ms = expected.watchdog_ms + BRAKING_MS + GRACE_MS;
        assert!(
            last_ms <= bound_ms,
            "{} of {}: something moved {last_ms} ms later, bound {bound_ms} ms",
            expected.fault,
            expected.input
        );
        self.tabulate(expected, Some(last_ms));
        last_ms
    }

    /// Ends the fault and waits until the robot goes on.
    fn heal(&mut self) {
        self.ask(&json!({"heal": "*"}));
        self.runs();
    }

    fn tabulate(&self, expected: &Expected<'_>, measured_ms: Option<f64>) {
        let Some(folder) = std::env::var_os("SINEW_FAULT_TABLE").map(PathBuf::from) else { return };
        fs::create_dir_all(&folder).unwrap();
        let row = json!({
            "fault": expected.fault, "input": expected.input, "state": expected.state, "reason": expected.reason,
            "watchdog_ms": expected.watchdog_ms, "measured_ms": measured_ms,
        });
        let path = folder.join(format!("{}.jsonl", self.name));
        let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        writeln!(file, "{row}").unwrap();
    }

    /// Ends the run, which says by its code whether every chunk came out. Every limit must have been kept in what the robot was told, and every chunk
    /// accounted for.
    fn end(self, code: i32) {
        let Self { folder, bundle, runtime, mut robot, .. } = self;
        runtime.signal("TERM");
        let (events, status) = runtime.rest();
        assert_eq!(status.code(), Some(code));
        robot.hang_up();
        let (_, status) = robot.rest();
        assert!(status.success(), "{status}");
        let summary = events.last().unwrap();
        let ends: u64 =
            summary["chunk_ends"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
        assert_eq!(Some(ends), summary["chunk_count"].as_u64(), "{summary}");
        check_log(&folder.path().join("log.npz"), &folder.path().join("run.toml"));
        drop(bundle);
    }
}

fn path(folder: &TempDir, name: &str) -> String {
    folder.path().join(name).to_str().unwrap().to_owned()
}
