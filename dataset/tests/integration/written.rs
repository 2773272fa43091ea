//! What the writer writes, read back.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use sinew_dataset::{Dataset, Description, Format, Options, VideoCodec, Videos, Writer};

use crate::synthetic::{CAMERAS, action, description, episode, frame, id, length, state, task};

/// How far pictures may be off after encoding, over all channels of one.
const CODEC_ERROR: f64 = 4.0;

pub(crate) fn options(format: Format, codec: VideoCodec) -> Options {
    Options { format, codec, ..Options::default() }
}

/// Writes synthetic episodes as `options` say.
pub(crate) fn write(root: &Path, options: &Options, numbers: Range<usize>) {
    let mut writer = Writer::open(root, description(), options.clone()).unwrap();
    for number in numbers {
        assert_eq!(writer.add(episode(number)).unwrap(), number as u64);
    }
    writer.finish().unwrap();
}

/// Everything in the set is what was given to the writer.
pub(crate) fn check(root: &Path, episode_count: usize) {
    let dataset = Dataset::open(root).unwrap();
    assert_eq!(dataset.episode_count(), episode_count);
    assert_eq!(dataset.frame_count(), (0..episode_count).map(length).sum::<usize>());
    assert_eq!(Description::of(&dataset).unwrap(), description());
    for number in 0..episode_count {
        let read = dataset.episode(number as u64).unwrap();
        assert_eq!(read.info().tasks, [task(number)]);
        assert_eq!(read.task(read.row_count() - 1), Some(task(number).as_str()));
        assert_eq!(read.state().unwrap().values(), state(number));
        assert_eq!(read.action().unwrap().values(), action(number));
        assert_eq!(read.timestamp_s()[1], f64::from(0.1_f32));
        for (camera, width, height) in CAMERAS {
            let frames: Vec<_> = read.frames(camera).unwrap().map(Result::unwrap).collect();
            assert_eq!(frames.len(), length(number));
            for found in frames {
                let source = frame(number, found.row, (width, height));
                assert_eq!((found.width, found.height), (width, height));
                let differences = found.rgb.iter().zip(&source.rgb).map(|(a, b)| f64::from(a.abs_diff(*b)));
                let mean = differences.sum::<f64>() / source.rgb.len() as f64;
                assert!(mean < CODEC_ERROR, "{camera} of {number}, row {}: {mean}", found.row);
            }
        }
    }
}

/// All files below `root`, by their paths.
pub(crate) fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                files.insert(path.strip_prefix(root).unwrap().to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    files
}

/// The same files with the same bytes, but for videos: x264 does not always make the same of the same pictures.
pub(crate) fn assert_same_files(a: &Path, b: &Path) {
    let (a, b) = (files(a), files(b));
    assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>());
    for (path, bytes) in a {
        let is_video = path.extension().is_some_and(|extension| extension == "mp4");
        assert!(is_video || bytes == b[&path], "{} differs", path.display());
    }
}

#[test]
fn both_formats_and_codecs_are_read_back_as_they_were_written() {
    for format in [Format::V30, Format::V21] {
        for codec in [VideoCodec::Av1, VideoCodec::H264] {
            println!("{format:?} {codec:?}");
            let folder = tempfile::tempdir().unwrap();
            let root = folder.path().join("set");
            write(&root, &options(format, codec), 0..4);
            check(&root, 4);
            let reader = Dataset::open(&root).unwrap();
            let video = reader.episode(2).unwrap().frames(CAMERAS[0].0).unwrap().video_info();
            assert_eq!((video.codec.as_str(), video.key_frame_interval), (codec.name(), Some(2)));
            assert!(!root.join(".sinew-writing").exists());
        }
    }
}

#[test]
fn a_video_kept_open_gives_the_pictures_of_one_opened_anew() {
    for format in [Format::V30, Format::V21] {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("set");
        write(&root, &options(format, VideoCodec::H264), 0..4);
        let dataset = Dataset::open(&root).unwrap();
        let videos = Videos::new(1);
        for (number, row) in [(2, 3), (2, 1), (0, 4), (3, 0), (3, 4), (1, 2)] {
            for (camera, ..) in CAMERAS {
                let kept_open = videos.frame(&dataset, number, camera, row).unwrap();
                let anew = dataset.episode(number).unwrap().frames(camera).unwrap().frame_at(row).unwrap();
                assert!(kept_open == anew, "{format:?}: row {row} of episode {number}, {camera}");
            }
        }
        let past_the_end = videos.frame(&dataset, 0, CAMERAS[0].0, length(0));
        assert!(past_the_end.is_err(), "the next episode's first picture");
    }
}

#[test]
fn appending_makes_the_same_files_as_writing_at_once() {
    let small =
        Options { chunks_size: 2, data_files_size_mb: 0, video_files_size_mb: 0, ..Options::default() };
    let h264 = |options: Options| Options { codec: VideoCodec::H264, ..options };
    let v21 = Options { format: Format::V21, chunks_size: 2, ..Options::default() };
    for options in [h264(Options::default()), h264(small), h264(v21)] {
        println!("{options:?}");
        let folder = tempfile::tempdir().unwrap();
        let [once, twice] = ["once", "twice"].map(|name| folder.path().join(name));
        write(&once, &options, 0..5);
        write(&twice, &options, 0..2);
        write(&twice, &options, 2..5);
        check(&twice, 5);
        assert_same_files(&once, &twice);
    }
}

#[test]
fn files_end_at_their_limits_and_folders_too() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        codec: VideoCodec::H264,
        chunks_size: 2,
        data_files_size_mb: 0,
        video_files_size_mb: 0,
        ..Options::default()
    };
    write(folder.path(), &options, 0..3);
    check(folder.path(), 3);
    for kind in ["data", "meta/episodes", "videos/observation.images.head"] {
        let kind = folder.path().join(kind);
        for (chunk, count) in [("chunk-000", 2), ("chunk-001", 1)] {
            assert_eq!(fs::read_dir(kind.join(chunk)).unwrap().count(), count, "{} {chunk}", kind.display());
        }
    }
}

#[test]
fn the_caller_can_ask_which_episodes_are_in() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(Format::V30, VideoCodec::H264);
    write(folder.path(), &options, 0..2);
    let mut writer = Writer::open(folder.path(), description(), options).unwrap();
    assert_eq!(writer.episode_count(), 2);
    assert_eq!((writer.episode_of(&id(1)), writer.episode_of(&id(2))), (Some(1), None));
    assert_eq!(writer.ids().count(), 2);
    let error = writer.add(episode(1)).unwrap_err().to_string();
    assert!(error.contains("id") && error.contains("that of episode 1"), "{error}");
}

/// For `tests/oracles/dataset/lerobot_reads.py`, which says how to run it.
#[test]
#[ignore = "writes outside the temporary folder"]
fn keep_for_lerobot() {
    let root = PathBuf::from(std::env::var("SINEW_KEEP").unwrap());
    for (name, format) in [("v30", Format::V30), ("v21", Format::V21)] {
        write(&root.join(name), &options(format, VideoCodec::Av1), 0..4);
    }
}
