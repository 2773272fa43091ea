//! The instruction, at the start and live.

use crate::kit::{Program, bundle, complete};
use crate::robot::{assert_holds_still, plan};
use serde_json::json;
use tempfile::TempDir;

/// Sums of token ids, from `tests/fixtures/golden/tiny/tokenizer_cases.json`.
const CUBE: (&str, f64) = ("pick up the red cube", (310 + 313 + 261 + 298 + 276 + 201) as f64);
const DRAWER: (&str, f64) = ("open the drawer", (316 + 261 + 297 + 201) as f64);
/// More than the bundle's 16 tokens.
const LONG: &str = "Stack 3 cubes, then push them 12 cm to the right, then open the drawer and stop.";

#[test]
fn a_live_instruction_is_followed_by_a_later_chunk() {
    let (bundle, folder) = (bundle(), TempDir::new().unwrap());
    let (runtime, locator) = Program::run(&bundle, &["--instruction", CUBE.0]);
    let mut plan = plan(&folder, &locator);
    plan["instruction"] = json!({"after": 1, "text": DRAWER.0});
    plan["until"] = json!(DRAWER.0);
    let robot = Program::robot(&folder, &plan);
    let heard = runtime.event("instruction");
    assert_eq!((&heard["text"], &heard["accepted"]), (&json!(DRAWER.0), &json!(true)));
    let (chunks, _) = robot.rest();
    assert_holds_still(&chunks[0], CUBE.0, CUBE.1);
    assert_holds_still(chunks.last().unwrap(), DRAWER.0, DRAWER.1);
}

#[test]
fn without_an_instruction_nothing_moves_until_one_comes() {
    let (bundle, folder) = (bundle(), TempDir::new().unwrap());
    let (runtime, locator) = Program::run(&bundle, &[]);
    let mut plan = plan(&folder, &locator);
    plan["chunk_count"] = json!(1);
    plan["instruction"] = json!({"after": 0, "text": DRAWER.0});
    let waiting = runtime.event("not_ready");
    assert_eq!(waiting["reason"], "no_instruction");
    let (chunks, _) = Program::robot(&folder, &plan).rest();
    assert_holds_still(&chunks[0], DRAWER.0, DRAWER.1);
}

#[test]
fn one_that_is_too_long_is_refused_and_the_old_one_stays() {
    let (bundle, folder) = (bundle(), TempDir::new().unwrap());
    let (runtime, locator) = Program::run(&bundle, &["--instruction", CUBE.0]);
    let mut plan = plan(&folder, &locator);
    plan["instruction"] = json!({"after": 1, "text": LONG});
    let mut robot = Program::robot(&folder, &plan);
    let heard = runtime.event("instruction");
    assert_eq!(heard["accepted"], false);
    let refusal = heard["refusal"].as_str().unwrap();
    assert!(refusal.contains("1 to 16 tokens") && refusal.contains(LONG), "{refusal}");
    runtime.event("chunk");
    runtime.event("chunk");
    robot.hang_up();
    let (chunks, _) = robot.rest();
    assert_holds_still(chunks.last().unwrap(), CUBE.0, CUBE.1);
}

#[test]
fn one_that_is_too_long_at_the_start_is_bad_usage() {
    let bundle = bundle();
    let folder = bundle.path().to_str().unwrap();
    let (code, stdout, stderr) = complete(&["run", "--bundle", folder, "--instruction", LONG]);
    assert_eq!((code, stdout.as_str()), (2, ""), "{stderr}");
    assert!(stderr.contains("1 to 16 tokens"), "{stderr}");
}
