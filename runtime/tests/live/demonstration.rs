//! The demonstration ends by itself.

use crate::kit::{bundle, complete, dataset, kinematic_rig, swing};
use serde_json::Value;

#[test]
fn the_demonstration_shows_chunks_ends_by_itself_and_leaves_a_picture() {
    let bundle = bundle();
    let picture = bundle.path().join("demo.png");
    let (code, stdout, stderr) = complete(&[
        "demo",
        "--bundle",
        bundle.path().to_str().unwrap(),
        "--dataset",
        dataset().to_str().unwrap(),
        "--seconds",
        "4",
        "--plot",
        picture.to_str().unwrap(),
        "--json",
    ]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("put the red cube in the tray"), "{stderr}");
    let summary: Value = serde_json::from_str(&stdout).unwrap();
    let chunk_count = summary["run"]["chunk_count"].as_u64().unwrap();
    assert!(chunk_count > 0);
    assert_eq!(summary["watch"]["chunk_count"], chunk_count);
    assert_eq!(summary["watch"]["trajectory_counts"]["left_arm"], chunk_count);
    assert!(std::fs::metadata(&picture).unwrap().len() > 10_000);
}

/// With an even seed one of two tasks can be done, with an odd one none.
#[test]
fn with_a_rig_the_demonstration_says_what_was_done_and_draws_it() {
    let bundle = swing(1);
    let picture = bundle.path().join("tasks.png");
    let (folder, rig) = (bundle.path().to_str().unwrap(), kinematic_rig(""));
    let show = |seeds: &str| {
        let plot = picture.to_str().unwrap();
        complete(&["demo", "--bundle", folder, "--rig", &rig, "--seeds", seeds, "--plot", plot])
    };
    let (code, _, stderr) = show("0");
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("Scene 0, left: done after"), "{stderr}");
    assert!(stderr.contains("Told to reach right, it did so in 0 of 1 scenes"), "{stderr}");
    assert!(std::fs::read(&picture).unwrap().starts_with(b"\x89PNG"));
    assert_eq!(show("1").0, 3);
}
