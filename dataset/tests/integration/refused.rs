//! What the writer does not take, and what it says then.

use std::fs;

use sinew_dataset::{
    Description, Error, Feature, Format, NewEpisode, Numbers, Options, PictureError, VideoCodec, Writer,
};

use crate::synthetic::{HEAD, WRIST, description, episode, frame};
use crate::written::{check, files, options, write};

/// The error that an episode gets after `change`; the set must stay as it is.
fn error_of(change: impl FnOnce(&mut NewEpisode)) -> String {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("set");
    let mut writer = Writer::open(&root, description(), options(Format::V30, VideoCodec::H264)).unwrap();
    writer.add(episode(0)).unwrap();
    let before = files(&root);
    let mut bad = episode(1);
    change(&mut bad);
    let error = writer.add(bad).unwrap_err();
    assert!(files(&root) == before, "{error}");
    // The writer goes on.
    writer.add(episode(1)).unwrap();
    writer.finish().unwrap();
    check(&root, 2);
    error.to_string()
}

fn expect(error: &str, parts: &[&str]) {
    assert!(parts.iter().all(|part| error.contains(part)), "{error} has {parts:?}");
}

#[test]
fn numbers_that_are_not_finite_or_not_as_described() {
    let state = |values: Numbers| move |bad: &mut NewEpisode| bad.columns[0].1 = values;
    let error = error_of(|bad| {
        let Numbers::Float32(values) = &mut bad.columns[1].1 else { panic!() };
        values[5] = f32::NAN;
    });
    expect(&error, &["episode 1", "action", "row 2", "dimension 1", "finite", "NaN"]);
    let error = error_of(state(Numbers::Float32(vec![0.0; 25])));
    expect(&error, &["observation.state", "rows of 3", "25"]);
    let error = error_of(state(Numbers::Float64(vec![0.0; 24])));
    expect(&error, &["observation.state", "float32", "float64"]);
    let error = error_of(state(Numbers::Float32(vec![0.0; 21])));
    expect(&error, &["rows of column action", "7", "8"]);
    let error = error_of(|bad| drop(bad.columns.remove(0)));
    expect(&error, &["observation.state", "none"]);
    let error = error_of(|bad| bad.columns.push(("effort".to_owned(), Numbers::Float32(vec![0.0; 8]))));
    expect(&error, &["effort"]);
    let error = error_of(|bad| bad.tasks = vec!["a".to_owned(), "b".to_owned()]);
    expect(&error, &["tasks", "8", "2"]);
}

#[test]
fn pictures_of_another_size_number_or_order() {
    let film = |wrong: fn(usize) -> sinew_dataset::Frame, count: usize| {
        move |bad: &mut NewEpisode| {
            bad.pictures[1].1 = Box::new((0..count).map(move |row| Ok::<_, PictureError>(wrong(row))));
        }
    };
    let error = error_of(film(|row| frame(1, row, (64, if row == 3 { 66 } else { 64 })), 8));
    expect(&error, &["size of picture 3", WRIST, "64 x 64", "64 x 66"]);
    let error = error_of(film(|row| frame(1, row, (64, 64)), 7));
    expect(&error, &[WRIST, "8, one a row", "found 7"]);
    let error = error_of(film(|row| frame(1, row, (64, 64)), 9));
    expect(&error, &[WRIST, "8, one a row", "more"]);
    let error = error_of(film(|row| frame(1, row + row / 4, (64, 64)), 8));
    expect(&error, &["row of picture 4", WRIST, "found 5"]);
    let error = error_of(|bad| drop(bad.pictures.remove(0)));
    expect(&error, &[HEAD, "none"]);
    let error = error_of(|bad| {
        bad.pictures[0].1 = Box::new([Err(PictureError::from("the camera was off"))].into_iter());
    });
    expect(&error, &[HEAD, "row 0", "the camera was off"]);
}

#[test]
fn episodes_that_do_not_go_with_the_set_name_both_sides() {
    let folder = tempfile::tempdir().unwrap();
    let fine = options(Format::V30, VideoCodec::H264);
    write(folder.path(), &fine, 0..1);
    let before = files(folder.path());
    let error_of = |change: &dyn Fn(&mut Description), options: &Options| {
        let mut other = description();
        change(&mut other);
        let error = Writer::open(folder.path(), other, options.clone()).unwrap_err();
        assert!(matches!(error, Error::Differs { .. }), "{error}");
        assert!(files(folder.path()) == before, "{error}");
        error.to_string()
    };
    expect(&error_of(&|other| other.fps = 20, &fine), &["fps", "has 10", "have 20"]);
    expect(&error_of(&|other| other.robot_type = None, &fine), &["robot_type", "two_joints", "None"]);
    expect(&error_of(&|other| drop(other.features.remove(5)), &fine), &["features", "observation.counter"]);
    let renamed = |other: &mut Description| other.features[1] = Feature::numbers("action", ["right", "left"]);
    expect(&error_of(&renamed, &fine), &["names of action", r#"["left", "right"]"#, r#"["right", "left"]"#]);
    let larger = |other: &mut Description| other.features[2] = Feature::pictures(HEAD, 128, 96);
    expect(&error_of(&larger, &fine), &[HEAD, "64", "128"]);
    expect(&error_of(&|_| (), &options(Format::V21, VideoCodec::H264)), &["format", "v3.0", "v2.1"]);
    expect(&error_of(&|_| (), &options(Format::V30, VideoCodec::Av1)), &["codec", "h264", "av1"]);
}

#[test]
fn a_folder_of_something_else_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("thesis.tex"), "years of work").unwrap();
    let error = Writer::open(folder.path(), description(), Options::default()).unwrap_err();
    assert!(matches!(error, Error::NotEmpty { .. }), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn two_writers_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let open = || Writer::open(folder.path(), description(), options(Format::V30, VideoCodec::H264));
    let first = open().unwrap();
    let error = open().unwrap_err();
    assert!(matches!(error, Error::Locked { .. }), "{error}");
    drop(first);
    open().unwrap();
}

#[test]
fn features_that_cannot_be_written() {
    let error_of = |feature: Feature| {
        let folder = tempfile::tempdir().unwrap();
        let other =
            Description { features: vec![Feature::numbers("action", ["x"]), feature], ..description() };
        Writer::open(folder.path(), other, options(Format::V30, VideoCodec::Av1)).unwrap_err().to_string()
    };
    let typed = |dtype: &str| Feature { dtype: dtype.to_owned(), ..Feature::numbers("note", ["x"]) };
    expect(&error_of(typed("string")), &["feature note", "string"]);
    expect(&error_of(Feature::numbers("index", ["x"])), &["feature index", "taken"]);
    expect(&error_of(Feature::pictures("a/b", 64, 64)), &["a/b"]);
    expect(&error_of(Feature::pictures("depth", 64, 64)), &["feature depth", "RGB camera"]);
    expect(&error_of(Feature::pictures("small", 32, 64)), &["small", "64 pixels", "64 x 32"]);
    expect(&error_of(Feature::pictures("odd", 65, 64)), &["odd", "even"]);
}

/// Sets of other writers can be appended to; ours begins new files then.
#[test]
fn lerobots_own_set_goes_on() {
    let scratch = crate::scratch::Scratch::copy_of("lerobot_v30_sample/dataset");
    let source = scratch.open().unwrap();
    let open = || Writer::open(scratch.path(""), Description::of(&source).unwrap(), Options::default());
    let episode = source.episode(1).unwrap();
    let column = |name: &str| (name.to_owned(), episode.numbers(name).unwrap().0);
    let film = |name: &str| {
        let frames = episode.frames(name).unwrap().map(|frame| frame.map_err(PictureError::from));
        (name.to_owned(), Box::new(frames) as sinew_dataset::Pictures)
    };
    let mut writer = open().unwrap();
    let again = NewEpisode {
        id: None,
        tasks: vec!["a third task".to_owned()],
        columns: vec![column("observation.state"), column("action")],
        pictures: vec![film("observation.images.head"), film("observation.images.right_wrist")],
    };
    assert_eq!(writer.add(again).unwrap(), 3);
    writer.finish().unwrap();
    let grown = scratch.open().unwrap();
    assert_eq!((grown.episode_count(), grown.frame_count()), (4, 220));
    let added = grown.episode(3).unwrap();
    assert_eq!(added.state().unwrap(), episode.state().unwrap());
    assert_eq!(added.task(0), Some("a third task"));
    assert!(added.frames("observation.images.head").unwrap().all(|frame| frame.is_ok()));
}
