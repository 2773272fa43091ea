//! The simulated robot without a wall clock, for evaluation: it waits for each chunk.

use crate::kit::{Program, swing};
use serde_json::Value;

/// Whatever the machine does meanwhile, the same seed and policy end in the same place.
#[test]
fn in_lock_step_a_run_repeats_itself() {
    let bundle = swing(1);
    let run = |step_count: &str| -> Value {
        let (runtime, locator) = Program::run(&bundle, &["--instruction", "swing"]);
        let arguments = ["--connect", &locator, "--lock-step", "10", "--steps", step_count, "--seed", "3"];
        let (lines, status) = Program::simulated(&arguments).rest();
        assert!(status.success(), "{status}");
        runtime.signal("TERM");
        let (_, status) = runtime.rest();
        assert!(status.success(), "{status}");
        lines.last().unwrap()["reported"].clone()
    };
    let end = run("60");
    assert_eq!(run("60"), end);
    assert_ne!(run("70"), end);
}
