//! Damaged datasets: the error names what is wrong with which episode.

use crate::support::{Scratch, V21, Written, all_of_folder, options};
use sinew_trainer::data::{Corpus, FrameId};
use std::path::Path;

fn example(folder: &Path, episode_index: u64) -> String {
    let corpus = match Corpus::open(&all_of_folder(folder), 4) {
        Ok(corpus) => corpus,
        Err(error) => return error.to_string(),
    };
    match corpus.example(FrameId { dataset: 0, episode_index, row: 0 }) {
        Ok(_) => "fine".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_number_that_is_not_finite_is_named() {
    for (value, is_action) in [(f32::NAN, true), (f32::NEG_INFINITY, false)] {
        let mut written = Written::ramps(&[5, 6]);
        let (state, action) = &mut written.episodes[1].1[3];
        if is_action {
            action[0] = value
        } else {
            state[0] = value
        }
        let folder = written.write();
        assert_eq!(example(folder.path(), 0), "fine");
        let error = example(folder.path(), 1);
        let feature = if is_action { "action `a`" } else { "observation.state `x`" };
        let place = folder.path().display();
        assert_eq!(error, format!("{feature} is {value}, at {place}: episode 1: row 3"));
    }
}

#[test]
fn a_number_that_is_not_taken_may_be_anything() {
    let mut written = Written::ramps(&[3]);
    written.state_names = Some(vec!["x", "y"]);
    written.episodes[0].1.iter_mut().for_each(|(state, _)| state.push(f32::NAN));
    let folder = written.write();
    assert!(example(folder.path(), 0).contains("`y` is NaN"));
    let options = sinew_trainer::data::DataOptions {
        datasets: all_of_folder(folder.path()).datasets,
        ..options(V21, "state = [\"x\"]")
    };
    let corpus = Corpus::open(&options, 1).unwrap();
    assert_eq!(corpus.example(FrameId { dataset: 0, episode_index: 0, row: 2 }).unwrap().state, [2.0]);
}

#[test]
fn damaged_files_are_named_with_their_episode() {
    let second = "data/chunk-000/episode_000001.parquet";
    let scratch = Scratch::copy_of(V21);
    scratch.truncate(second, 900);
    assert_eq!(example(scratch.folder(), 0), "fine");
    assert!(example(scratch.folder(), 1).contains(second));

    let scratch = Scratch::copy_of(V21);
    std::fs::remove_file(scratch.path(second)).unwrap();
    assert!(example(scratch.folder(), 1).contains("expected the rows of episode 1"));

    let scratch = Scratch::copy_of(V21);
    scratch.replace("meta/info.json", "\"total_frames\": 170", "\"total_frames\": 171");
    assert!(example(scratch.folder(), 0).contains("expected 171, found 170"));
}
