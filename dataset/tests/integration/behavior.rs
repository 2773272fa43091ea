//! BEHAVIOR-1K's layout. The numbers and hashes below were read from the fixture with pyarrow and the ffmpeg command.

use sha2::{Digest, Sha256};
use sinew_dataset::{Dataset, Error};

use crate::fixtures::fixture;

const HEAD: &str = "observation.images.rgb.head";

fn open() -> Dataset {
    Dataset::open(fixture("behavior_sim")).unwrap()
}

#[test]
fn only_rgb_videos_are_cameras() {
    let dataset = open();
    let cameras: Vec<_> = dataset.cameras().iter().map(|camera| camera.name.as_str()).collect();
    assert_eq!(
        cameras,
        [
            "observation.images.rgb.left_wrist",
            "observation.images.rgb.right_wrist",
            "observation.images.rgb.head"
        ]
    );
    let depth = dataset.episode(60010).unwrap().frames("observation.images.depth.head");
    assert!(matches!(depth, Err(Error::UnknownCamera { known, .. }) if known.len() == 3));
}

#[test]
fn sparse_episodes_are_found_by_number() {
    let dataset = open();
    assert_eq!(dataset.episodes().iter().map(|e| e.episode_index).collect::<Vec<_>>(), [60010, 60020]);
    assert_eq!(dataset.episode(60020).unwrap().task(179), Some("put the egg in the tray"));
    for absent in [0, 1, 60011] {
        let error = dataset.episode(absent).unwrap_err();
        assert!(matches!(error, Error::UnknownEpisode { episode_count: 2, first: 60010, last: 60020, .. }));
    }
}

#[test]
fn rows_equal_pyarrows() {
    let episode = open().episode(60020).unwrap();
    let (state, action) = (episode.state().unwrap(), episode.action().unwrap());
    assert_eq!((state.row_count(), state.width(), action.width()), (180, 256, 23));
    assert_eq!(
        state.row(100).unwrap()[158..165],
        [-0.10499886, -0.08470104, -0.06034888, -1.344084, -0.022846181, 0.5499776, 0.09138222]
    );
    assert_eq!(action.row(100).unwrap()[14..16], [-1.0, 0.3]);
    let sum: f64 = state.values().iter().map(|value| f64::from(*value)).sum();
    assert!((sum - 6_659.982_662_552_64).abs() < 1e-6, "{sum}");
    assert_eq!(episode.timestamp_s()[179], 5.966666666666667);
}

/// HEVC with one key frame for all 180 pictures.
#[test]
fn pictures_equal_ffmpegs() {
    let mut reader = open().episode(60020).unwrap().frames(HEAD).unwrap();
    assert_eq!((reader.width(), reader.height()), (720, 720));
    for (row, hash) in [
        (179, "d7907acf5da2ffd93838df68884de9e46f9d6a3164f1c87996c41a6b5c09f224"),
        (0, "7b8443bf3e1e3fbed4ea350d1e15ea4a5e8eec0898b2e03fc575476e8156e784"),
        (100, "dcab00acee5ee1fb958b3ce28eacda32d5eb54a049c8365cef2d3d7b3bf5791e"),
    ] {
        let planes = reader.planes_at(row).unwrap();
        let found =
            Sha256::new().chain_update(planes.y).chain_update(planes.u).chain_update(planes.v).finalize();
        assert_eq!(format!("{found:x}"), hash, "row {row}");
    }
}

#[test]
fn rows_of_varying_length_are_refused_by_name() {
    let error = open().episode(60010).unwrap().column("observation.task_info").unwrap_err();
    assert!(matches!(error, Error::Column { column, .. } if column == "observation.task_info"));
}
