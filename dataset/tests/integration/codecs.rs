//! Codecs and colour tags that the samples do not have. `codecs/SOURCE.md` says how clips and hashes were made.

use std::fs;
use std::path::PathBuf;

use sha2::{Digest, Sha256};
use sinew_dataset::{Error, FrameReader};

use crate::scratch::Scratch;

const CAMERA: &str = "observation.images.head";
const ROW_COUNT: usize = 63;

fn clip(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/integration/codecs").join(name)
}

/// A reader of a clip of 63 pictures, put in the place of episode 0's head video.
fn read_clip(name: &str) -> FrameReader {
    let scratch = Scratch::copy_of("lerobot_v21_sample/dataset");
    let video = scratch.path(&format!("videos/chunk-000/{CAMERA}/episode_000000.mp4"));
    fs::copy(clip(&format!("{name}.mp4")), video).unwrap();
    // An open file outlives its folder.
    scratch.open().unwrap().episode(0).unwrap().frames(CAMERA).unwrap()
}

fn check_hashes(name: &str, rows: impl Iterator<Item = usize>) {
    let hashes = fs::read_to_string(clip(&format!("{name}.sha256"))).unwrap();
    let hashes: Vec<_> = hashes.lines().collect();
    let mut reader = read_clip(name);
    for row in rows {
        let planes = reader.planes_at(row).unwrap_or_else(|error| panic!("{name} row {row}: {error}"));
        let found =
            Sha256::new().chain_update(planes.y).chain_update(planes.u).chain_update(planes.v).finalize();
        assert_eq!(format!("{found:x}"), hashes[row], "{name} row {row}");
    }
}

/// In an open group the pictures just before a key frame are lost when decoding starts at it.
#[test]
fn any_picture_of_open_groups_is_found() {
    for name in ["h265_open_group", "h264_open_group"] {
        check_hashes(name, 0..ROW_COUNT);
        check_hashes(name, (0..ROW_COUNT).rev());
        check_hashes(name, (0..ROW_COUNT).map(|n| n * 23 % ROW_COUNT));
    }
}

#[test]
fn any_picture_of_h264_is_found() {
    check_hashes("h264_bt709", 0..ROW_COUNT);
    check_hashes("h264_bt709", (0..ROW_COUNT).map(|n| n * 23 % ROW_COUNT));
}

/// Read as BT.601 this picture is wrong by up to 24 levels.
#[test]
fn a_colour_tag_is_followed() {
    let frame = read_clip("h264_bt709").frame_at(40).unwrap();
    let expected = fs::read(clip("h264_bt709.40.rgb")).unwrap();
    assert_eq!(frame.rgb.len(), expected.len());
    let worst = frame.rgb.iter().zip(&expected).map(|(found, expected)| found.abs_diff(*expected)).max();
    assert!(worst <= Some(3), "{worst:?}");
}

/// As `ffprobe` shows them: codec, size, and where the key frames are.
#[test]
fn a_video_says_what_it_is() {
    for (name, codec, key_frame_interval) in
        [("h264_bt709", "h264", 30), ("h265_open_group", "hevc", 12), ("h264_open_group", "h264", 12)]
    {
        let info = read_clip(name).video_info();
        assert_eq!((info.codec.as_str(), info.width, info.height), (codec, 96, 64), "{name}");
        assert_eq!(info.key_frame_interval, Some(key_frame_interval), "{name}");
        assert_eq!(info.surplus_picture_count, Some(0), "{name}");
    }
    assert_eq!(read_clip("h264_without_picture_30").video_info().surplus_picture_count, Some(1));
}

/// Pictures belong to rows by time: a lost one is reported, and those after it do not move up.
#[test]
fn a_lost_picture_is_reported_and_shifts_no_other() {
    let mut reader = read_clip("h264_without_picture_30");
    for (row, expected_s, found_s) in [(30, 2.0, 31.0 / 15.0), (30, 2.0, 31.0 / 15.0)] {
        let Err(Error::NoPicture { episode_index: 0, row: 30, expected_s: expected, found_s: found, .. }) =
            reader.frame_at(row)
        else {
            panic!("row 30 has no picture")
        };
        assert!((expected - expected_s).abs() < 1e-6 && (found - found_s).abs() < 1e-6, "{expected} {found}");
    }
    for row in [29, 31, 62] {
        assert_eq!(reader.frame_at(row).unwrap().row, row);
    }
    let in_order: Vec<_> = read_clip("h264_without_picture_30").collect();
    assert_eq!(in_order.iter().filter(|frame| frame.is_ok()).count(), 30);
    assert!(matches!(in_order.last(), Some(Err(Error::NoPicture { row: 30, .. }))));
}
