//! Stop pressed in every state: the robot stands, and stays until it is let go.

use super::{Expected, Station};
use serde_json::json;

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
