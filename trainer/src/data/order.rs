//! Which frames an epoch shows, in which order. A pure function of (data, options, seed, epoch).
//!
//! With one dataset every frame that may start a sample is drawn once. With several, an epoch has as many draws as all
//! of them have such frames, shared out by weight: a dataset with a share above its size is gone through more than once,
//! one with a share below it in part, other parts in other epochs.

use crate::Error;
use crate::data::corpus::{Corpus, EpisodeId};
use crate::data::describe::first_video;
use crate::data::limits::invalid;
use crate::data::options::{DataOptions, Phase, Shuffle, SubEpisode};
use crate::data::sample::{Draw, FrameId};
use crate::data::weighting::{SampleWeights, normalize_mean};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::ops::Range;

/// The order of every epoch.
#[derive(Clone, Debug)]
pub struct Order {
    seed: u64,
    /// Episodes by dataset.
    datasets: Vec<Vec<Candidate>>,
    /// Shares of the draws, by dataset.
    shares: Vec<f64>,
    frame_stride: usize,
    sub_episode: Option<SubEpisode>,
    curriculum: Vec<Phase>,
    shuffle: Shuffle,
    weights: SampleWeights,
}

/// An episode and the rows of it that may start a sample.
#[derive(Clone, Debug)]
struct Candidate {
    episode: EpisodeId,
    kept: Range<usize>,
}

/// Rows of an episode that are drawn near each other.
#[derive(Clone, Copy, Debug)]
struct Block {
    dataset: usize,
    /// The episode's place in its dataset's list.
    place: usize,
    /// The first row; the others follow with the stride.
    first_row: usize,
    row_count: usize,
}

impl Order {
    /// The order over the training episodes. Reads their rows if still frames are trimmed or segments weighted, else
    /// nothing.
    ///
    /// # Errors
    /// If an episode cannot be read, a name of the weights is unknown, or nothing is left to train on.
    pub fn new(corpus: &Corpus, options: &DataOptions, seed: u64) -> Result<Self, Error> {
        let weights = SampleWeights::new(corpus, &options.weights)?;
        let mut datasets = vec![Vec::new(); corpus.dataset_count()];
        for episode in corpus.train_episodes() {
            let kept = match options.trim_idle {
                Some(_) => corpus.numbers(episode.dataset, episode.episode_index)?.kept_rows(),
                None => 0..episode.length,
            };
            datasets[episode.dataset].push(Candidate { episode: *episode, kept });
        }
        let order = Self {
            seed,
            datasets,
            shares: corpus.weights().to_vec(),
            frame_stride: options.frame_stride,
            sub_episode: options.sub_episode,
            curriculum: options.curriculum.clone(),
            shuffle: resolve_shuffle(corpus, options.shuffle),
            weights,
        };
        let mut first_epoch = 0;
        for phase in 0..order.curriculum.len().max(1) {
            order.check_not_empty(corpus, first_epoch)?;
            first_epoch += order.curriculum.get(phase).map_or(0, |phase| phase.epochs);
        }
        Ok(order)
    }

    /// The draws of an epoch, counted from 0, their weights 1 on average.
    #[must_use]
    pub fn epoch(&self, epoch: u64) -> Vec<Draw> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(epoch);
        let candidates: Vec<Vec<Block>> =
            (0..self.datasets.len()).map(|dataset| self.blocks(dataset, epoch, &mut rng)).collect();
        let counts: Vec<usize> = candidates.iter().map(|blocks| row_count(blocks)).collect();
        let mut blocks = Vec::new();
        for (candidates, wanted) in candidates.iter().zip(apportion(&counts, &self.shares)) {
            draw_blocks(candidates, wanted, &mut rng, &mut blocks);
        }
        blocks.shuffle(&mut rng);
        let mut draws = Vec::with_capacity(row_count(&blocks));
        let mut group = 0;
        for window in blocks.chunks(self.shuffle.window_blocks) {
            let longest = window.iter().map(|block| block.row_count).max().unwrap_or(0);
            for first in (0..longest).step_by(self.shuffle.mixed_rows) {
                let start = draws.len();
                for block in window {
                    let part = first..(first + self.shuffle.mixed_rows).min(block.row_count);
                    draws.extend(part.map(|number| self.draw(block, number, epoch, group)));
                }
                draws[start..].shuffle(&mut rng);
                group += 1;
            }
        }
        normalize_mean(&mut draws);
        draws
    }

    /// Draws of a group at most: within it the shuffle mixes freely.
    #[must_use]
    pub fn group_draw_count(&self) -> usize {
        self.shuffle.mixed_rows * self.shuffle.window_blocks
    }

    /// A dataset's frames of this epoch, in blocks.
    fn blocks(&self, dataset: usize, epoch: u64, rng: &mut ChaCha8Rng) -> Vec<Block> {
        let mut blocks = Vec::new();
        for (place, candidate) in self.datasets[dataset].iter().enumerate() {
            let rows = self.rows(candidate, epoch, rng);
            let first_row = rows.start.next_multiple_of(self.frame_stride);
            let count = rows.end.saturating_sub(first_row).div_ceil(self.frame_stride);
            for start in (0..count).step_by(self.shuffle.block_rows) {
                blocks.push(Block {
                    dataset,
                    place,
                    first_row: first_row + start * self.frame_stride,
                    row_count: self.shuffle.block_rows.min(count - start),
                });
            }
        }
        blocks
    }

    /// The rows of an episode that this epoch shows, before the stride: not trimmed, of the curriculum's phase, of the
    /// stretch drawn.
    fn rows(&self, candidate: &Candidate, epoch: u64, rng: &mut ChaCha8Rng) -> Range<usize> {
        let mut rows = candidate.kept.clone();
        if let Some(phase) = self.phase(epoch) {
            let at = |fraction: f64| (fraction * rows.len() as f64).round() as usize;
            rows = rows.start + at(phase.from)..rows.start + at(phase.to);
        }
        if let Some(SubEpisode { length, early_bias }) = self.sub_episode
            && length < rows.len()
        {
            let latest = rows.len() - length;
            let way = rng.random::<f64>().powf(1.0 + early_bias);
            let start = rows.start + ((way * (latest + 1) as f64) as usize).min(latest);
            rows = start..start + length;
        }
        rows
    }

    fn phase(&self, epoch: u64) -> Option<Phase> {
        let mut end: u64 = 0;
        let current = self.curriculum.iter().find(|phase| {
            end = end.saturating_add(phase.epochs);
            epoch < end
        });
        current.or(self.curriculum.last()).copied()
    }

    /// The draw of a block's row, by its number in the block.
    fn draw(&self, block: &Block, number: usize, epoch: u64, group: usize) -> Draw {
        let EpisodeId { dataset, episode_index, length } = self.datasets[block.dataset][block.place].episode;
        let frame = FrameId { dataset, episode_index, row: block.first_row + number * self.frame_stride };
        Draw { frame, epoch, weight: self.weights.of(frame, length), group }
    }

    fn check_not_empty(&self, corpus: &Corpus, epoch: u64) -> Result<(), Error> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        for dataset in 0..self.datasets.len() {
            if row_count(&self.blocks(dataset, epoch, &mut rng)) == 0 {
                return Err(invalid(
                    &format!("datasets `{}`", corpus.dataset_name(dataset)),
                    format!("without a frame in epoch {epoch}"),
                    "episodes long enough for frame_stride and curriculum, and one more than validation takes",
                ));
            }
        }
        Ok(())
    }
}

/// With a key frame every so many pictures or fewer, any picture is about as cheap as the next one.
const FEW_PICTURES: u64 = 8;
const BLOCK_ROWS: usize = 64;
/// With eight blocks 128 draws: at BEHAVIOR-1K's sizes, 0.4 GB of pictures.
const MIXED_ROWS: usize = 16;

/// What is left open is chosen; the length of blocks by a video of each camera.
fn resolve_shuffle(corpus: &Corpus, shuffle: Shuffle) -> Shuffle {
    let block_rows = if shuffle.block_rows > 0 { shuffle.block_rows } else { usual_block_rows(corpus) };
    let mixed_rows = if shuffle.mixed_rows > 0 { shuffle.mixed_rows } else { MIXED_ROWS };
    Shuffle { block_rows, mixed_rows: mixed_rows.min(block_rows), ..shuffle }
}

fn usual_block_rows(corpus: &Corpus) -> usize {
    let videos = corpus.cameras().iter().flat_map(|camera| camera.names.iter().enumerate());
    let is_random_cheap = videos.into_iter().all(|(dataset, camera)| {
        first_video(corpus.dataset(dataset), camera)
            .and_then(|video| video.key_frame_interval)
            .is_some_and(|interval| interval <= FEW_PICTURES)
    });
    if is_random_cheap { 1 } else { BLOCK_ROWS }
}

fn row_count(blocks: &[Block]) -> usize {
    blocks.iter().map(|block| block.row_count).sum()
}

/// Shares out the sum of `counts` by weight: rounded down, and what is left to the largest remainders.
fn apportion(counts: &[usize], weights: &[f64]) -> Vec<usize> {
    let total: usize = counts.iter().sum();
    let sum: f64 = weights.iter().sum();
    let exact: Vec<f64> = weights.iter().map(|weight| total as f64 * weight / sum).collect();
    let mut shares: Vec<usize> = exact.iter().map(|share| share.floor() as usize).collect();
    let mut by_remainder: Vec<usize> = (0..counts.len()).collect();
    by_remainder.sort_by(|a, b| exact[*b].fract().total_cmp(&exact[*a].fract()));
    let left = total.saturating_sub(shares.iter().sum());
    by_remainder.iter().take(left).for_each(|dataset| shares[*dataset] += 1);
    shares
}

/// Appends blocks of `wanted` rows: all of `candidates` as often as they fit, then a random part of them.
fn draw_blocks(candidates: &[Block], wanted: usize, rng: &mut ChaCha8Rng, blocks: &mut Vec<Block>) {
    // `Order::new` has seen that there are some.
    let count = row_count(candidates).max(1);
    for _ in 0..wanted / count {
        blocks.extend_from_slice(candidates);
    }
    let mut left = wanted % count;
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    order.shuffle(rng);
    for place in order {
        if left == 0 {
            return;
        }
        let block = candidates[place];
        let taken = block.row_count.min(left);
        blocks.push(Block { row_count: taken, ..block });
        left -= taken;
    }
}
