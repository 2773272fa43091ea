//! `inspect` and `stats`: what they print, what they find, and how they end.

use crate::support::{BEHAVIOR, Scratch, V21, V30, V30_FILES, Written, fixture};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sinew-trainer")).args(arguments).output().unwrap()
}

fn inspect(folder: &Path, more: &[&str]) -> (i32, Value) {
    let output = run(&[&["inspect", folder.to_str().unwrap(), "--json"], more].concat());
    (output.status.code().unwrap(), serde_json::from_slice(&output.stdout).unwrap())
}

/// The faults by episode.
fn faults(findings: &Value) -> Vec<(u64, String)> {
    let findings = findings["findings"].as_array().unwrap().iter();
    findings
        .filter(|finding| finding["severity"] == "fault")
        .map(|finding| {
            (finding["episode_index"].as_u64().unwrap(), finding["message"].as_str().unwrap().to_owned())
        })
        .collect()
}

#[test]
fn sound_datasets_are_described() {
    for (dataset, format) in [(V21, "v2.1"), (V30, "v3.0"), (V30_FILES, "v3.0")] {
        let (code, found) = inspect(&fixture(dataset), &["--decode"]);
        assert_eq!((code, faults(&found)), (0, vec![]), "{dataset}");
        let found = &found["dataset"];
        assert_eq!((found["format"].as_str(), found["fps"].as_f64()), (Some(format), Some(15.0)));
        assert_eq!(found["episode_length"], serde_json::json!([50, 63]));
        assert_eq!(found["tasks"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum::<u64>(), 3);
        let head = &found["cameras"][0];
        assert_eq!(
            (head["codec"].as_str(), head["width"].as_u64(), head["key_frame_interval"].as_u64()),
            (Some("av1"), Some(256), Some(2))
        );
    }
    let text = run(&["inspect", fixture(BEHAVIOR).to_str().unwrap()]);
    assert_eq!(text.status.code(), Some(0));
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("2 episodes of 180 to 180 rows, 360 in all"), "{text}");
    assert!(
        text.contains("observation.images.rgb.head  hevc 720x720, a key frame every 180 pictures"),
        "{text}"
    );
}

#[test]
fn every_faulty_episode_is_told_and_the_others_are_looked_at_too() {
    let scratch = Scratch::copy_of(V21);
    let rows = |episode| scratch.path(&format!("data/chunk-000/episode_00000{episode}.parquet"));
    let head = |episode| {
        scratch.path(&format!("videos/chunk-000/observation.images.head/episode_00000{episode}.mp4"))
    };
    scratch.truncate("data/chunk-000/episode_000000.parquet", 900);
    fs::remove_file(head(1)).unwrap();
    // Episode 0 has 63 pictures, episode 2 57 rows.
    fs::copy(head(0), head(2)).unwrap();
    let (code, found) = inspect(scratch.folder(), &[]);
    assert_eq!(code, 3);
    let found = faults(&found);
    assert_eq!(found.iter().map(|(episode, _)| *episode).collect::<Vec<_>>(), [0, 1, 2], "{found:?}");
    assert!(found[0].1.contains(rows(0).to_str().unwrap()), "{found:?}");
    assert!(found[1].1.contains(head(1).to_str().unwrap()) && found[1].1.contains("not found"), "{found:?}");
    assert!(found[2].1.contains("episode 2: observation.images.head: 63 pictures for 57 rows"), "{found:?}");
}

/// As of a dataset on the hub of which the others were never fetched.
#[test]
fn some_episodes_can_be_looked_at_without_the_others() {
    let scratch = Scratch::copy_of(V21);
    for episode in [0, 2] {
        fs::remove_file(scratch.path(&format!("data/chunk-000/episode_00000{episode}.parquet"))).unwrap();
    }
    let (code, found) = inspect(scratch.folder(), &["--episodes", "1"]);
    assert_eq!((code, faults(&found)), (0, vec![]));
    let folder = scratch.folder().to_str().unwrap();
    let output = run(&["stats", folder, "--episodes", "1", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["statistics"]["action"]["count"], serde_json::json!([50]));
    assert!(found["findings"].to_string().contains("statistics are of 1 of 3 episodes"), "{found}");
    let (code, found) = inspect(scratch.folder(), &["--episodes", "0-1"]);
    assert_eq!((code, faults(&found).len()), (3, 1));
    let output = run(&["inspect", folder, "--episodes", "7"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("episode 7"), "an unknown one");
}

#[test]
fn shifted_times_short_videos_and_damaged_pictures_are_found() {
    let scratch = Scratch::copy_of(V21);
    let file = |episode| format!("videos/chunk-000/observation.images.head/episode_00000{episode}.mp4");
    fs::copy(scratch.path(&file(1)), scratch.path(&file(0))).unwrap();
    scratch.damage_middle(&file(2));
    let (code, found) = inspect(scratch.folder(), &[]);
    let found = faults(&found);
    assert_eq!((code, found.len()), (3, 1), "{found:?}");
    assert!(found[0].1.contains("video too short, expected at least 63 pictures, found 50"), "{found:?}");
    let (_, found) = inspect(scratch.folder(), &["--decode"]);
    assert!(
        faults(&found).iter().any(|(episode, message)| *episode == 2 && message.contains("decode")),
        "{found}"
    );

    // 15 rows a second, said to be 14: every second row is late.
    let scratch = Scratch::copy_of(V21);
    scratch.replace("meta/info.json", "\"fps\": 15,", "\"fps\": 14,");
    let (code, found) = inspect(scratch.folder(), &[]);
    let found = faults(&found);
    assert_eq!((code, found.len()), (3, 3));
    assert!(
        found[0].1.contains("episode 0: timestamp of row 1: expected 0.071429 s, found 0.066667 s"),
        "{found:?}"
    );
}

#[test]
fn statistics_are_written_as_lerobot_has_them() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("stats.json");
    let dataset = fixture(V30);
    let ran = run(&["stats", dataset.to_str().unwrap(), "--output", output.to_str().unwrap()]);
    assert_eq!(ran.status.code(), Some(0), "{}", String::from_utf8_lossy(&ran.stderr));
    let read = |path: &Path| -> Value { serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap() };
    let (ours, theirs) = (read(&output), read(&dataset.join("meta/stats.json")));
    for feature in ["observation.state", "action"] {
        let keys = |json: &Value| {
            let mut keys: Vec<String> = json[feature].as_object().unwrap().keys().cloned().collect();
            keys.sort();
            keys
        };
        assert_eq!(keys(&ours), keys(&theirs));
        assert_eq!(ours[feature]["count"], theirs[feature]["count"]);
        assert_eq!(ours[feature]["max"], theirs[feature]["max"]);
    }
}

#[test]
fn statistics_leave_faulty_episodes_out_and_say_so() {
    let mut written = Written::ramps(&[4, 5, 6]);
    written.episodes[1].1[2].1[0] = f32::NAN;
    let folder = written.write();
    let ran = run(&["stats", folder.path().to_str().unwrap(), "--json"]);
    assert_eq!(ran.status.code(), Some(3));
    let found: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(found["statistics"]["action"]["count"][0], 10);
    assert_eq!(found["statistics"]["action"]["min"][0], -5.0);
    let found = faults(&found);
    assert_eq!(found.len(), 1);
    assert!(
        found[0].1.contains("episode 1: 1 numbers of action are not finite, the first is NaN in row 2, `a`")
    );
}

#[test]
fn selected_dimensions_only() {
    let behavior = fixture(BEHAVIOR);
    for (state, count) in [("behavior-2025-top32", 32), ("left_hand, torso_joint1.pos", 4)] {
        let ran = run(&["stats", behavior.to_str().unwrap(), "--json", "--state", state]);
        assert_eq!(ran.status.code(), Some(0));
        let found: Value = serde_json::from_slice(&ran.stdout).unwrap();
        assert_eq!(found["statistics"]["observation.state"]["mean"].as_array().unwrap().len(), count);
    }
    let ran = run(&["stats", behavior.to_str().unwrap(), "--state", "left_hnd"]);
    assert_eq!(ran.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&ran.stderr).contains("left_hand"));
}
