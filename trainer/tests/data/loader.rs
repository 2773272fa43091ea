//! The loader hands out what the dataset holds, in the order of the draws, and says what it cannot.

use crate::support::{BEHAVIOR, Scratch, V21, V30, V30_FILES, all_of, all_of_folder};
use sinew_dataset::Videos;
use sinew_trainer::data::{Corpus, Draw, FrameId, Loader, LoaderOptions, Order, Picture};
use std::sync::Arc;

/// An order that mixes all episodes.
fn shuffled(corpus: &Corpus, dataset: &str) -> Vec<Draw> {
    let mut options = all_of(dataset);
    options.shuffle.block_rows = 5;
    options.shuffle.window_blocks = 4;
    Order::new(corpus, &options, 7).unwrap().epoch(0)
}

fn cameras(corpus: &Corpus) -> Vec<usize> {
    (0..corpus.cameras().len()).collect()
}

/// Room for a few draws at a time.
const SMALL: LoaderOptions = LoaderOptions { worker_count: 3, memory_mb: 20, frame_cache_mb: 0 };

/// One picture at a time, with a reader of its own.
fn expected(corpus: &Corpus, frame: FrameId, camera: usize) -> Picture {
    let decoded = corpus.picture(&Videos::new(1), frame, camera).unwrap();
    Picture { width: decoded.width as usize, height: decoded.height as usize, rgb: decoded.rgb }
}

#[test]
fn samples_are_the_frames_drawn_in_the_order_of_the_draws() {
    for dataset in [V21, V30, V30_FILES] {
        let corpus = Arc::new(Corpus::open(&all_of(dataset), 10).unwrap());
        let draws = shuffled(&corpus, dataset);
        let cameras = cameras(&corpus);
        let loader =
            Loader::start(corpus.clone(), cameras.clone(), draws.iter().copied(), SMALL, 4, |_| true)
                .unwrap();
        assert!((2..draws.len() / 3).contains(&loader.window_draw_count()), "{}", loader.window_draw_count());
        let samples: Vec<_> = loader.map(Result::unwrap).collect();
        assert_eq!(samples.iter().map(|sample| sample.draw).collect::<Vec<_>>(), draws);
        for sample in samples.iter().step_by(7) {
            let frame = sample.draw.frame;
            assert_eq!(sample.example, corpus.example(frame).unwrap());
            assert_eq!(sample.pictures.len(), cameras.len());
            for (camera, picture) in cameras.iter().zip(&sample.pictures) {
                assert!(
                    *picture == expected(&corpus, frame, *camera),
                    "{dataset}: {frame:?}, camera {camera}"
                );
            }
        }
    }
}

#[test]
fn pictures_that_nobody_needs_are_not_decoded() {
    let scratch = Scratch::copy_of(V21);
    std::fs::remove_dir_all(scratch.path("videos")).unwrap();
    let corpus = Arc::new(Corpus::open(&all_of_folder(scratch.folder()), 10).unwrap());
    let draws = shuffled(&corpus, V21);
    let loader =
        Loader::start(corpus.clone(), cameras(&corpus), draws.iter().copied(), SMALL, 4, |_| false).unwrap();
    let samples: Vec<_> = loader.map(Result::unwrap).collect();
    assert_eq!(samples.len(), draws.len());
    assert!(samples.iter().all(|sample| sample.pictures.is_empty()));
}

#[test]
fn a_sample_that_cannot_be_had_is_named_after_those_before_it() {
    let scratch = Scratch::copy_of(V30_FILES);
    let corpus = Arc::new(Corpus::open(&all_of_folder(scratch.folder()), 10).unwrap());
    let draws = shuffled(&corpus, V30_FILES);
    let last = corpus.train_episodes().last().unwrap().episode_index;
    let first_bad = draws.iter().position(|draw| draw.frame.episode_index == last).unwrap();
    // Each episode of this set has a file of its own.
    let mut videos = Vec::new();
    find_files(&scratch.path("videos"), &mut videos);
    videos.sort();
    std::fs::remove_file(videos.last().unwrap()).unwrap();
    let loader =
        Loader::start(corpus.clone(), cameras(&corpus), draws.iter().copied(), SMALL, 4, |_| true).unwrap();
    let mut samples: Vec<_> = loader.collect();
    let error = samples.pop().unwrap().unwrap_err().to_string();
    assert_eq!(samples.len(), first_bad);
    assert!(samples.iter().all(Result::is_ok));
    let row = draws[first_bad].frame.row;
    assert!(error.contains(&format!("episode {last}: row {row}: ")), "{error}");
}

fn find_files(folder: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() {
            find_files(&entry.path(), found);
        } else {
            found.push(entry.path());
        }
    }
}

#[test]
fn a_loader_that_is_dropped_early_stops() {
    let corpus = Arc::new(Corpus::open(&all_of(BEHAVIOR), 10).unwrap());
    let draws = shuffled(&corpus, BEHAVIOR);
    let endless = draws.iter().copied().cycle();
    let mut loader = Loader::start(corpus.clone(), cameras(&corpus), endless, SMALL, 4, |_| true).unwrap();
    assert_eq!(loader.next().unwrap().unwrap().draw, draws[0]);
    drop(loader);
    assert_eq!(Arc::strong_count(&corpus), 1);
}

#[test]
fn kept_pictures_are_the_same_when_they_are_shown_again() {
    let corpus = Arc::new(Corpus::open(&all_of(V30), 10).unwrap());
    let draws: Vec<Draw> = shuffled(&corpus, V30).into_iter().take(30).collect();
    let twice = draws.iter().chain(&draws).copied().collect::<Vec<_>>();
    let options = LoaderOptions { frame_cache_mb: 30, ..SMALL };
    let loader =
        Loader::start(corpus.clone(), cameras(&corpus), twice.into_iter(), options, 4, |_| true).unwrap();
    let samples: Vec<_> = loader.map(Result::unwrap).collect();
    for (first, second) in samples.iter().zip(&samples[30..]) {
        assert!(first.pictures == second.pictures, "{:?}", first.draw);
    }
}
