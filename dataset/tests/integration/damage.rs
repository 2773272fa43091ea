//! Broken, incomplete and contradictory datasets: the right error, naming the file, and never a panic.

use std::fs;
use std::sync::Arc;

use arrow_array::{Float64Array, Int64Array};
use sinew_dataset::{Dataset, Error};

use crate::scratch::Scratch;

const V21: &str = "lerobot_v21_sample/dataset";
const V30: &str = "lerobot_v30_sample/dataset";
const MULTIFILE: &str = "lerobot_v30_sample/dataset_multifile";
const HEAD: &str = "observation.images.head";
const V21_ROWS: &str = "data/chunk-000/episode_000000.parquet";
const V21_VIDEO: &str = "videos/chunk-000/observation.images.head/episode_000000.mp4";
const V30_EPISODES: &str = "meta/episodes/chunk-000/file-000.parquet";

/// Opens the set, an episode, its columns and all pictures of its head camera.
fn read_all(scratch: &Scratch, episode_index: u64) -> Result<(), Error> {
    let episode = scratch.open()?.episode(episode_index)?;
    episode.state()?;
    episode.action()?;
    episode.frames(HEAD)?.try_for_each(|frame| frame.map(drop))
}

/// The error after `break_it`, whose message must name `file`.
fn error_of(dataset: &str, file: &str, break_it: impl FnOnce(&Scratch)) -> Error {
    let scratch = Scratch::copy_of(dataset);
    read_all(&scratch, 0).unwrap();
    break_it(&scratch);
    let error = read_all(&scratch, 0).unwrap_err();
    assert!(error.to_string().contains(file), "{error} names {file}");
    error
}

#[test]
fn other_formats_are_refused_by_version() {
    for version in ["v2.0", "v1.6", "v3.1", "2.1"] {
        let error = error_of(V21, "meta/info.json", |scratch| {
            scratch.replace("meta/info.json", "\"v2.1\"", &format!("{version:?}"));
        });
        assert!(matches!(&error, Error::Version { found, .. } if found == version), "{error}");
        assert!(error.to_string().contains("v2.1 and v3.0"), "{error}");
    }
}

#[test]
fn wrong_types_in_info_are_refused_by_key() {
    let changes = [
        ("\"fps\": 15", "\"fps\": \"15\"", "string \"15\""),
        ("\"total_episodes\": 3", "\"total_episodes\": -1", "integer `-1`"),
        ("\"features\": {", "\"features\": [], \"others\": {", "expected an object"),
        ("\"data_path\"", "\"no_path\"", "missing field `data_path`"),
        ("\"codebase_version\"", "\"version\"", "missing field `codebase_version`"),
        ("\"dtype\": \"float32\"", "\"dtype\": 32", "integer `32`"),
    ];
    for (from, to, complaint) in changes {
        let error = error_of(V21, "meta/info.json", |scratch| scratch.replace("meta/info.json", from, to));
        assert!(matches!(error, Error::Json { .. }) && error.to_string().contains(complaint), "{error}");
    }
}

#[test]
fn impossible_values_in_info_are_refused() {
    let error = error_of(V21, "meta/info.json", |s| s.replace("meta/info.json", "\"fps\": 15", "\"fps\": 0"));
    assert!(matches!(error, Error::Inconsistent { .. }), "{error}");
    let error = error_of(V21, "meta/info.json", |s| {
        s.replace("meta/info.json", "\"chunks_size\": 1000", "\"chunks_size\": 0")
    });
    assert!(matches!(error, Error::Inconsistent { .. }), "{error}");
    let error = error_of(V21, "meta/info.json", |s| {
        s.replace("meta/info.json", "{episode_index:06d}", "{shard:06d}")
    });
    assert!(matches!(error, Error::Template { key: "data_path", .. }), "{error}");
}

#[test]
fn a_missing_file_is_named_with_what_it_should_hold() {
    let files = [
        (V21, "meta/info.json", "description"),
        (V21, "meta/episodes.jsonl", "episodes table"),
        (V21, "meta/tasks.jsonl", "tasks table"),
        (V21, V21_ROWS, "rows of episode 0"),
        (V21, V21_VIDEO, "video of episode 0"),
        (V30, V30_EPISODES, "episodes table"),
        (V30, "meta/tasks.parquet", "tasks table"),
        (V30, "data/chunk-000/file-000.parquet", "rows of episode 0"),
        (V30, "videos/observation.images.head/chunk-000/file-000.mp4", "video of episode 0"),
    ];
    for (dataset, file, what) in files {
        let error = error_of(dataset, file, |scratch| fs::remove_file(scratch.path(file)).unwrap());
        assert!(matches!(&error, Error::Missing { what: found, .. } if found.contains(what)), "{error}");
    }
    let error =
        error_of(V30, "meta/episodes", |scratch| fs::remove_dir_all(scratch.path("meta/episodes")).unwrap());
    assert!(matches!(error, Error::Missing { .. }), "{error}");
}

#[test]
fn a_set_cut_off_while_copying_still_gives_the_episodes_it_has() {
    let scratch = Scratch::copy_of(MULTIFILE);
    fs::remove_file(scratch.path("data/chunk-001/file-000.parquet")).unwrap();
    read_all(&scratch, 0).unwrap();
    read_all(&scratch, 1).unwrap();
    let error = read_all(&scratch, 2).unwrap_err().to_string();
    assert!(error.contains("data/chunk-001/file-000.parquet") && error.contains("episode 2"), "{error}");
}

#[test]
fn tables_that_disagree_with_the_totals_are_refused() {
    for (from, to) in [
        ("\"total_episodes\": 3", "\"total_episodes\": 4"),
        ("\"total_frames\": 170", "\"total_frames\": 171"),
    ] {
        for (dataset, table) in [(V21, "meta/episodes.jsonl"), (V30, "meta/episodes")] {
            let error = error_of(dataset, table, |scratch| scratch.replace("meta/info.json", from, to));
            assert!(matches!(error, Error::Inconsistent { .. }), "{error}");
        }
    }
}

#[test]
fn a_bad_line_is_named() {
    let error = error_of(V21, "meta/episodes.jsonl", |scratch| {
        scratch.replace("meta/episodes.jsonl", "{\"episode_index\": 1,", "{\"episode\": 1,");
    });
    assert!(matches!(error, Error::Json { line: 2, .. }), "{error}");
}

#[test]
fn an_episode_listed_twice_is_refused() {
    let error = error_of(V21, "meta/episodes.jsonl", |scratch| {
        scratch.replace("meta/episodes.jsonl", "\"episode_index\": 1", "\"episode_index\": 2");
    });
    assert!(matches!(error, Error::EpisodeMismatch { episode_index: 2, .. }), "{error}");
}

#[test]
fn rows_that_are_not_the_episodes_are_refused() {
    // Another episode's file in place of this one's.
    let error = error_of(V21, V21_ROWS, |scratch| {
        fs::copy(scratch.path("data/chunk-000/episode_000001.parquet"), scratch.path(V21_ROWS)).unwrap();
    });
    let Error::EpisodeMismatch { episode_index: 0, expected, found, .. } = error else { panic!("{error}") };
    assert_eq!((expected.as_str(), found.as_str()), ("63", "50"));

    let counter = |name: &'static str, at: usize, value: i64| {
        move |scratch: &Scratch| {
            let mut counter: Vec<i64> = if name == "frame_index" { (0..63).collect() } else { vec![0; 63] };
            counter[at] = value;
            scratch.rewrite_table(V21_ROWS, &[(name, Arc::new(Int64Array::from(counter)))], 63);
        }
    };
    for (name, value) in [("episode_index", 1), ("frame_index", 41), ("task_index", 2)] {
        let error = error_of(V21, V21_ROWS, counter(name, 40, value));
        assert!(error.to_string().contains(&format!("{name} of row 40")), "{error}");
    }
}

#[test]
fn the_first_row_off_its_time_is_named() {
    for wrong_s in [62.5 / 15.0, 62.0 / 15.0 + 2e-4, f64::NAN, f64::INFINITY] {
        let error = error_of(V21, V21_ROWS, |scratch| {
            let mut times: Vec<f64> = (0..63).map(|row| f64::from(row) / 15.0).collect();
            times[62] = wrong_s;
            scratch.rewrite_table(V21_ROWS, &[("timestamp", Arc::new(Float64Array::from(times)))], 63);
        });
        assert!(error.to_string().contains("timestamp of row 62"), "{error}");
    }
    let error =
        error_of(V21, V21_ROWS, |scratch| scratch.replace("meta/info.json", "\"fps\": 15", "\"fps\": 30"));
    assert!(error.to_string().contains("timestamp of row 1"), "{error}");
}

#[test]
fn places_that_do_not_fit_the_length_are_refused() {
    let video = "videos/observation.images.head/to_timestamp";
    let error = error_of(V30, "meta/episodes", |scratch| {
        scratch.rewrite_table(
            V30_EPISODES,
            &[(video, Arc::new(Float64Array::from(vec![4.0, 7.533333, 11.333333])))],
            3,
        );
    });
    assert!(matches!(&error, Error::EpisodeMismatch { expected, .. } if expected == "63"), "{error}");

    let error = error_of(V30, "meta/episodes", |scratch| {
        scratch.rewrite_table(
            V30_EPISODES,
            &[("dataset_to_index", Arc::new(Int64Array::from(vec![62, 113, 170])))],
            3,
        );
    });
    assert!(matches!(error, Error::EpisodeMismatch { episode_index: 0, .. }), "{error}");
}

#[test]
fn a_video_shorter_than_the_rows_is_refused() {
    let error = error_of(V21, V21_VIDEO, |scratch| {
        let shorter = scratch.path("videos/chunk-000/observation.images.head/episode_000001.mp4");
        fs::copy(shorter, scratch.path(V21_VIDEO)).unwrap();
    });
    assert!(
        matches!(error, Error::VideoTooShort { episode_index: 0, expected: 63, found: 50, .. }),
        "{error}"
    );
}

#[test]
fn a_row_past_the_end_is_refused() {
    let scratch = Scratch::copy_of(V21);
    let episode = scratch.open().unwrap().episode(0).unwrap();
    let error = episode.frames(HEAD).unwrap().frame_at(63).unwrap_err();
    assert!(matches!(error, Error::RowOutOfRange { row: 63, row_count: 63 }), "{error}");
    let error = episode.action().unwrap().chunk(63, 0..50).unwrap_err();
    assert!(matches!(error, Error::RowOutOfRange { row: 63, row_count: 63 }), "{error}");
    assert_eq!(episode.task(63), None);
}

/// The last episode is read, which lies at the end of a joined video. In `tail` bytes lies nothing that is needed: the
/// v2.1 videos end in the name of the program that wrote them.
#[test]
fn truncated_files_end_in_an_error() {
    let joined_video = "videos/observation.images.head/chunk-000/file-000.mp4";
    for (dataset, episode_index, file, tail) in [
        (V21, 0, V21_ROWS, 0),
        (V21, 0, V21_VIDEO, 105),
        (V30, 2, V30_EPISODES, 0),
        (V30, 2, "meta/tasks.parquet", 0),
        (V30, 2, joined_video, 0),
    ] {
        let length = fs::metadata(Scratch::copy_of(dataset).path(file)).unwrap().len() as usize - tail;
        for part in [0, 1, 4, length / 4, length / 2, length * 3 / 4, length - 9, length - 1] {
            let scratch = Scratch::copy_of(dataset);
            scratch.truncate(file, part);
            let error =
                read_all(&scratch, episode_index).expect_err(&format!("{part} of {length} bytes of {file}"));
            let is_right = match file.rsplit('.').next() {
                Some("parquet") => matches!(error, Error::Parquet { .. }),
                _ => matches!(error, Error::Video { .. } | Error::VideoTooShort { .. }),
            };
            assert!(is_right && error.to_string().contains(file), "{part} of {length} bytes: {error}");
        }
    }
}

/// Single bits that make the parquet crate (60.1) panic: in a footer's sizes, a page's encoding, a page's lengths.
#[test]
fn damage_that_panics_the_parquet_crate_is_an_error() {
    for (at, bit) in [(1691, 1), (8458, 1), (10809, 1), (10852, 0), (11903, 0), (12480, 4), (12817, 7)] {
        let error = error_of(V21, V21_ROWS, |scratch| {
            let mut bytes = fs::read(scratch.path(V21_ROWS)).unwrap();
            bytes[at] ^= 1 << bit;
            fs::write(scratch.path(V21_ROWS), bytes).unwrap();
        });
        assert!(matches!(error, Error::Parquet { .. }), "{error}");
    }
}

/// Most flips go unnoticed (neither format has checksums by default); none may bring the reader down.
#[test]
fn flipped_bits_never_panic() {
    for file in [V21_ROWS, V21_VIDEO, "meta/info.json", "meta/episodes.jsonl"] {
        let scratch = Scratch::copy_of(V21);
        let intact = fs::read(scratch.path(file)).unwrap();
        let mut seed: u64 = 1;
        for _ in 0..40 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let mut bytes = intact.clone();
            bytes[(seed >> 33) as usize % intact.len()] ^= 1 << (seed >> 30 & 7);
            fs::write(scratch.path(file), bytes).unwrap();
            let _ = read_all(&scratch, 0);
        }
    }
}

#[test]
fn a_folder_that_is_no_dataset_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = Dataset::open(folder.path()).unwrap_err();
    assert!(matches!(&error, Error::Missing { path, .. } if path.ends_with("meta/info.json")), "{error}");
}
