//! What is done to episodes, or to a policy's folder, to plant a fault.

use crate::planted::stirring::{Episode, GRIPPER, NOISE_RAD, Posture, WRIST_ROLL};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use sinew_trainer::checkpoint::tensors::{self, Entry};
use sinew_trainer::data::{Corpus, DataOptions, Statistics};
use std::collections::BTreeMap;
use std::f64::consts::TAU;
use std::fs;
use std::path::{Path, PathBuf};

/// How far a joint that hardly moves stands elsewhere in the validation episodes, in rad.
const MOUNTING_ERROR_RAD: f64 = 0.02;

/// Standard deviation of what an encoder says that is not connected, in rad.
const LOOSE_ENCODER_RAD: f64 = 0.05;

/// How far a lever goes to either side, in rad.
const LEVER_RAD: f64 = 0.7;

/// Standard deviation of a worn encoder, in rad.
const WORN_ENCODER_RAD: f64 = 0.15;

/// Standard deviation of where somebody pushes the wrist, in rad, and over how many rows the pushes are smoothed: where it
/// is tells 98 % of the variance one row ahead, 73 % four and 6 % twelve (e^(−k²/2s²)).
const PUSHED_RAD: f64 = 0.5;
const SMOOTHED_ROWS: f64 = 5.0;

fn stream(number: usize) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(77);
    rng.set_stream(number as u64);
    rng
}

fn normal(rng: &mut ChaCha8Rng) -> f64 {
    rng.sample(StandardNormal)
}

/// The wrist is locked: it moves by a micrometre's noise, around a place that is another one in some episodes.
pub fn lock_wrist(episodes: &mut [Episode], mounted_elsewhere: &[usize]) {
    for (number, episode) in episodes.iter_mut().enumerate() {
        let mut rng = stream(number);
        let place = 0.3 + if mounted_elsewhere.contains(&number) { MOUNTING_ERROR_RAD } else { 0.0 };
        for row in episode.state.iter_mut().chain(&mut episode.action) {
            row[WRIST_ROLL] = (place + 1e-6 * normal(&mut rng)) as f32;
        }
    }
}

/// The wrist is recorded in hundredths of a radian.
pub fn scale_wrist(episodes: &mut [Episode]) {
    for row in episodes.iter_mut().flat_map(|episode| episode.state.iter_mut().chain(&mut episode.action)) {
        row[WRIST_ROLL] *= 100.0;
    }
}

/// Two columns of the action change places.
pub fn swap_actions(episodes: &mut [Episode], left: usize, right: usize) {
    episodes.iter_mut().flat_map(|episode| &mut episode.action).for_each(|row| row.swap(left, right));
}

/// The wrist is turned by somebody else, in a rhythm that is different in every episode; its encoder is loose.
pub fn hide_wrist(episodes: &mut [Episode]) {
    for (number, episode) in episodes.iter_mut().enumerate() {
        let mut rng = stream(number);
        let (period_rows, phase) = (rng.random_range(25.0..70.0), rng.random_range(0.0..TAU));
        loosen_encoder(&mut episode.state, &mut rng);
        for (row, action) in episode.action.iter_mut().enumerate() {
            action[WRIST_ROLL] = (0.7 * (phase + TAU * row as f64 / period_rows).sin()) as f32;
        }
    }
}

/// The wrist is turned to one side or to the other for a whole episode, which no encoder shows. Both sides are as
/// frequent among `validation` as among the other episodes.
pub fn toss_wrist(episodes: &mut [Episode], validation: &[usize]) {
    let mut tossed = [0_usize; 2];
    for (number, episode) in episodes.iter_mut().enumerate() {
        let mut rng = stream(number);
        let count = &mut tossed[usize::from(validation.contains(&number))];
        *count += 1;
        let side = if count.is_multiple_of(2) { 0.6 } else { -0.6 };
        loosen_encoder(&mut episode.state, &mut rng);
        for action in &mut episode.action {
            action[WRIST_ROLL] = (side + 0.02 * normal(&mut rng)) as f32;
        }
    }
}

/// The wrist rests but for a short tug in some of the turns, when both circles are at their right ends.
pub fn rest_wrist(episodes: &mut [Episode]) {
    // 1 at the right end of a circle, 0 beyond this part of it.
    let right = |x: f32, y: f32, from: f32| ((x / x.hypot(y) - from) / (1.0 - from)).max(0.0);
    for row in episodes.iter_mut().flat_map(|episode| episode.state.iter_mut().chain(&mut episode.action)) {
        row[WRIST_ROLL] = 0.3 + 0.6 * right(row[0], row[1], 0.85).powi(2) * right(row[2], row[3], 0.0);
    }
}

/// A lever says where the wrist goes, and a worn encoder where the lever is. If the wrist `is_there` already, its own
/// place says it better; else it may be anywhere.
pub fn pull_lever(episodes: &mut [Episode], is_there: bool) {
    for (number, episode) in episodes.iter_mut().enumerate() {
        let mut rng = stream(number);
        let [lever, elsewhere] = [(); 2].map(|()| rng.random_range(-LEVER_RAD..LEVER_RAD));
        let wrist = if is_there { lever } else { elsewhere };
        for row in &mut episode.state {
            row[GRIPPER] = (lever + WORN_ENCODER_RAD * normal(&mut rng)) as f32;
            row[WRIST_ROLL] = (wrist + NOISE_RAD * normal(&mut rng)) as f32;
        }
        for row in &mut episode.action {
            row[WRIST_ROLL] = (lever + NOISE_RAD * normal(&mut rng)) as f32;
        }
    }
}

/// Somebody pushes the wrist about at random: where it is says where it will be soon, and nothing of later.
pub fn push_wrist(episodes: &mut [Episode]) {
    let reach = 3 * SMOOTHED_ROWS as usize;
    let kernel: Vec<f64> = (0..=2 * reach)
        .map(|row| (-((row as f64 - reach as f64) / SMOOTHED_ROWS).powi(2) / 2.0).exp())
        .collect();
    let scale = PUSHED_RAD / kernel.iter().map(|share| share * share).sum::<f64>().sqrt();
    for (number, episode) in episodes.iter_mut().enumerate() {
        let mut rng = stream(number);
        let pushes: Vec<f64> = (0..=episode.state.len() + kernel.len()).map(|_| normal(&mut rng)).collect();
        let wrist_rad = |row: usize| {
            let smooth: f64 = kernel.iter().zip(&pushes[row..]).map(|(share, push)| share * push).sum();
            (scale * smooth) as f32
        };
        for (row, (state, action)) in episode.state.iter_mut().zip(&mut episode.action).enumerate() {
            (state[WRIST_ROLL], action[WRIST_ROLL]) = (wrist_rad(row), wrist_rad(row + 1));
        }
    }
}

fn loosen_encoder(state: &mut [Posture], rng: &mut ChaCha8Rng) {
    state.iter_mut().for_each(|row| row[WRIST_ROLL] = (LOOSE_ENCODER_RAD * normal(rng)) as f32);
}

/// The encoders' zeros are elsewhere in every episode, by more than any joint moves.
pub fn lose_zeros(episodes: &mut [Episode]) {
    for (number, episode) in episodes.iter_mut().enumerate() {
        let rows = episode.state.iter_mut().chain(&mut episode.action);
        rows.flatten().for_each(|position| *position += 4.0 * number as f32);
    }
}

/// The states are recorded in degrees, the actions stay in radians.
pub fn record_states_in_degrees(episodes: &mut [Episode]) {
    episodes
        .iter_mut()
        .flat_map(|episode| &mut episode.state)
        .flatten()
        .for_each(|position| *position = position.to_degrees());
}

/// The dataset's files say what another dataset is like.
pub fn describe_as(dataset: &Path, other: &Path) {
    let file = "meta/episodes_stats.jsonl";
    fs::copy(other.join(file), dataset.join(file)).unwrap();
}

/// An arm of another make that does the same: its encoders have other zeros and other gears.
pub fn change_make(episodes: &mut [Episode]) {
    for row in episodes.iter_mut().flat_map(|episode| episode.state.iter_mut().chain(&mut episode.action)) {
        row.iter_mut().enumerate().for_each(|(joint, position)| {
            *position = *position * (1.4 + 0.2 * joint as f32) + if joint % 2 == 0 { 0.8 } else { -0.5 };
        });
    }
}

/// The wrist stands still.
pub fn stop_wrist(episodes: &mut [Episode]) {
    let rows = episodes.iter_mut().flat_map(|episode| episode.state.iter_mut().chain(&mut episode.action));
    rows.for_each(|row| row[WRIST_ROLL] = 0.3);
}

/// Gives a policy the statistics of another dataset.
pub fn take_statistics_of(policy: &Path, dataset: &Path) {
    give_statistics(policy, &statistics_of(dataset).tensors());
}

/// Gives a policy the dataset's statistics, and a scale of 1 for the wrist's action.
pub fn scale_wrist_by_one(policy: &Path, dataset: &Path) {
    let mut statistics = statistics_of(dataset).floored(1e-3).0;
    statistics.action.std[WRIST_ROLL] = 1.0;
    give_statistics(policy, &statistics.tensors());
}

fn statistics_of(dataset: &Path) -> Statistics {
    Statistics::of(&Corpus::open(&DataOptions::of(dataset.to_str().unwrap()), 1).unwrap()).unwrap()
}

fn give_statistics(policy: &Path, statistics: &BTreeMap<String, Vec<f32>>) {
    let entries: BTreeMap<String, Entry<'_>> = statistics
        .iter()
        .map(|(name, values)| (name.clone(), Entry::numbers(values, &[values.len()])))
        .collect();
    let is_statistics = |path: &PathBuf| path.to_string_lossy().ends_with("normalizer_processor.safetensors");
    let files = fs::read_dir(policy).unwrap().map(|file| file.unwrap().path()).filter(is_statistics);
    assert_eq!(files.map(|path| tensors::write(&path, &entries).unwrap()).count(), 2);
}
