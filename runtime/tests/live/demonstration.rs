//! The demonstration ends by itself.

use crate::kit::{bundle, complete, dataset};
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
