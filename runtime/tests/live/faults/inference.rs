//! A policy that is slow, hangs, or answers with what is no number. The head camera's picture makes it do so: see `swing.py`.

use super::{Expected, INFERENCE_MS, Station};
use serde_json::{Value, json};

/// The program's code where a chunk did not come out.
const FELL_SHORT: i32 = 3;
/// Blue in the head's picture.
const SLOW: u8 = 80;
const NAN: u8 = 150;
const HUNG: u8 = 255;

fn show(blue: u8) -> Value {
    json!({"color": [0, 0, blue], "input": "head"})
}

#[test]
fn not_a_number_then_hung() {
    let mut station = Station::new("inference", 100);
    let expected = |fault| Expected {
        fault,
        input: "the policy",
        state: "holding",
        reason: "stale_inference",
        watchdog_ms: INFERENCE_MS,
    };
    station.measure(&show(NAN), &expected("answers with what is no number"));
    station.ask(&show(0));
    station.runs();
    station.measure(&show(HUNG), &expected("hangs"));
    // A program whose policy hangs still ends when it is told to; it says that chunks were not sent.
    station.end(FELL_SHORT);
}

/// Ten times the work: chunks come later, and where one comes too late for the old one's steps, the robot stands meanwhile.
#[test]
fn ten_times_slower() {
    let mut station = Station::new("slow", 500);
    let latency_ms = |event: &Value| event["latency_ms"].as_f64().unwrap();
    station.ask(&json!({"await": "motion"}));
    let merged = || latency_ms(&station.runtime.event("merged"));
    let usual_ms = (0..5).map(|_| merged()).fold(f64::INFINITY, f64::min);
    station.ask(&show(SLOW));
    // The robot may hold for want of chunks meanwhile, if the machine is slow too: it goes on with the next.
    let slow = station.runtime.event_where("merged", |event| latency_ms(event) > 2.0 * usual_ms);
    let chunk_ms = 50.0 * 1e3 / 30.0;
    for _ in 0..3 {
        let merged = station.runtime.event("merged");
        assert!(latency_ms(&merged) < chunk_ms || merged["was_idle"] == true, "{merged}, {slow}");
    }
    let expected = Expected {
        fault: "ten times slower",
        input: "the policy",
        state: "running",
        reason: "-",
        watchdog_ms: INFERENCE_MS,
    };
    station.tabulate(&expected, None);
    station.ask(&show(0));
    station.runtime.event_where("merged", |event| latency_ms(event) < latency_ms(&slow));
    station.end(0);
}
