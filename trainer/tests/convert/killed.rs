//! The program stopped at any moment by kill -9.

use crate::support::{convert, dataset, files, logs, program};
use serde_json::json;
use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const LOG_COUNT: usize = 8;
const KILL_COUNT: usize = 50;

#[test]
fn kill_9_leaves_whole_episodes_and_the_same_dataset_in_the_end() {
    let spec = json!({"seconds": 0.4, "camera_hz": 15.0, "feedback_hz": 60.0});
    let folder = logs(&vec![spec; LOG_COUNT]);
    let once = folder.path().join("dataset");
    let begun = SystemTime::now();
    let (code, said) = convert(folder.path(), &["--codec", "h264"]);
    assert_eq!(code, 0, "{said}");
    let whole_us = begun.elapsed().unwrap().as_micros() as u64;
    let expected = files(&once);
    std::fs::remove_dir_all(&once).unwrap();
    let mut random = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    println!("seed {random}");
    let (mut count, mut rounds) = (0, 1);
    for kill in 0..KILL_COUNT {
        if count == LOG_COUNT {
            std::fs::remove_dir_all(&once).unwrap();
            (count, rounds) = (0, rounds + 1);
        }
        let mut child = program(folder.path(), &["--codec", "h264"]).stderr(Stdio::null()).spawn().unwrap();
        // Knuth's MMIX constants.
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        std::thread::sleep(Duration::from_micros((random >> 33) % (whole_us / 2)));
        child.kill().unwrap();
        child.wait().unwrap();
        let now =
            if once.join("meta/info.json").exists() { dataset(folder.path()).episode_count() } else { 0 };
        assert!(now >= count, "{now} episodes after {count}, kill {kill}");
        for index in 0..now {
            let episode = dataset(folder.path()).episode(index as u64).unwrap();
            for camera in ["head", "left_wrist", "right_wrist"] {
                let frames = episode.frames(&format!("observation.images.{camera}")).unwrap();
                assert_eq!(frames.map(Result::unwrap).count(), episode.row_count());
            }
        }
        count = now;
    }
    println!("{rounds} rounds, {count} episodes at the end");
    let (code, said) = convert(folder.path(), &["--codec", "h264"]);
    assert_eq!(code, 0, "{said}");
    let found = files(&once);
    assert_eq!(names(&found), names(&expected));
    for ((name, found), (_, expected)) in found.iter().zip(&expected) {
        assert!(found == expected, "{} differs", name.display());
    }
}

fn names(files: &[(std::path::PathBuf, Vec<u8>)]) -> Vec<&std::path::Path> {
    files.iter().map(|(name, _)| name.as_path()).collect()
}
