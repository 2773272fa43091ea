//! Stop pressed in every state: the robot stands, and stays until it is let go.

use super::{Expected, Station};
use crate::kit::peer;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use zenoh::Wait;

const STOPPED: Expected<'static> = Expected {
    fault: "stop",
    input: "the operator",
    state: "stopped",
    reason: "operator_stop",
    watchdog_ms: 0.0,
};

impl Station {
    /// Lets a stopped robot go on. One that was heard while the robot still braked is no resume, so it is said again.
    pub(super) fn resume_until_it_runs(&mut self) {
        self.ask(&json!({"await": "rest", "for_ms": super::REST_MS}));
        self.ask(&json!({"say": "resume"}));
        self.runs();
    }
}

/// A hand on the dead man's switch, until it is dropped.
struct Hand {
    is_off: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Hand {
    const PERIOD: Duration = Duration::from_millis(50);

    fn on_the_switch(locator: &str) -> Self {
        let session = peer(locator);
        let is_off = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&is_off);
        let hold = move || {
            while !ends.load(Ordering::SeqCst) {
                session.put("sinew/alive", "").wait().unwrap();
                std::thread::sleep(Self::PERIOD);
            }
        };
        let thread = std::thread::Builder::new().name("hand".to_owned()).spawn(hold).unwrap();
        Self { is_off, thread: Some(thread) }
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        self.is_off.store(true, Ordering::SeqCst);
        self.thread.take().map(JoinHandle::join);
    }
}

#[test]
fn the_dead_mans_switch_is_let_go() {
    const SWITCH_MS: f64 = 600.0;
    let safety = format!("dead_man = true\nmax_operator_age_ms = {SWITCH_MS}\n");
    let (mut station, locator) = Station::waiting("dead-man", 1, &safety);
    for _ in 0..2 {
        let hand = Hand::on_the_switch(&locator);
        station.runs();
        station.ask(&json!({"await": "motion"}));
        drop(hand);
        station.ask(&json!({"mark": true}));
        let let_go = Expected {
            fault: "let go",
            input: "the dead man's switch",
            state: "holding",
            reason: "dead_man",
            watchdog_ms: SWITCH_MS,
        };
        station.motion(let_go.state, Some(let_go.reason));
        station.stands(&let_go);
    }
    station.end(0);
}

#[test]
fn stop_in_every_state() {
    let mut station = Station::new("operator", 1);
    let stop = json!({"say": "stop"});
    station.measure(&stop, &Expected { fault: "stop while running", ..STOPPED });
    // Once more: it stays as it is, and what is said to it in the farewell is the same posture.
    station.ask(&stop);
    station.stands(&Expected { fault: "stop while stopped", ..STOPPED });
    station.resume_until_it_runs();

    station.measure(
        &json!({"fault": "lost", "input": "left_arm"}),
        &Expected {
            fault: "lost",
            input: "left_arm",
            state: "holding",
            reason: "stale_feedback",
            watchdog_ms: super::FEEDBACK_MS,
        },
    );
    station.ask(&stop);
    station.motion("stopped", Some("operator_stop"));
    station.stands(&Expected { fault: "stop while holding", ..STOPPED });

    // Resumed without its left arm's feedback it waits.
    station.ask(&json!({"say": "resume"}));
    station.motion("waiting", Some("stale_feedback"));
    station.ask(&stop);
    station.motion("stopped", Some("operator_stop"));
    station.stands(&Expected { fault: "stop while waiting for feedback", ..STOPPED });

    // With an arm outside its limits it is ready, and does not begin.
    station.ask(&json!({"heal": "*"}));
    station.ask(&json!({"fault": "jump", "input": "left_arm", "by": 2.0}));
    station.ask(&json!({"say": "resume"}));
    station.motion("ready", Some("outside_limits"));
    station.ask(&stop);
    station.motion("stopped", Some("operator_stop"));
    station.stands(&Expected { fault: "stop while ready", ..STOPPED });

    station.ask(&json!({"heal": "*"}));
    station.resume_until_it_runs();
    station.ask(&json!({"await": "motion"}));
    station.ask(&json!({"mark": true}));
    station.runtime.signal("USR1");
    station.motion("stopped", Some("operator_stop"));
    station.stands(&Expected { fault: "SIGUSR1 while running", ..STOPPED });
    station.end(0);
}
