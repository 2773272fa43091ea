//! Whole chunks from frames: each frame is shown to the policy alone, and what it answers is set beside what was done
//! from that frame on. No action is ever kept for another frame.

use crate::Error;
use crate::analyze::journal::{Entry, Journal};
use crate::analyze::policy::{Asked, Policy};
use crate::analyze::predictions::{PredictionSet, Predictions};
use crate::analyze::sampling;
use crate::data::{Corpus, Draw, FrameId, Picture, Sample};
use crate::train::noising::Draws;
use indicatif::ProgressBar;
use std::sync::atomic::{AtomicBool, Ordering};

/// A picture is remembered as this many by as many grey squares, for the simple predictors.
const LOOK_SIDE: usize = 4;

/// What is predicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Frames of each side.
    pub frame_count: usize,
    /// Frames of each side's sequence.
    pub sequence_frame_count: usize,
    /// Further noises tried on the first frames.
    pub noise_count: usize,
    /// How many frames those are.
    pub noise_frame_count: usize,
    /// Samples computed together.
    pub batch_size: usize,
    /// Seed of frames and noises.
    pub seed: u64,
}

impl Default for Extent {
    fn default() -> Self {
        Self {
            frame_count: 64,
            sequence_frame_count: 64,
            noise_count: 4,
            noise_frame_count: 8,
            batch_size: 8,
            seed: 0,
        }
    }
}

/// One list of frames to predict from.
struct Part {
    frames: Vec<FrameId>,
    /// The noise's stream; two parts with the same frames differ in it.
    stream: u64,
}

/// Predicts, or takes from the journal what an interrupted analysis predicted before. Absent if it was stopped.
///
/// # Errors
/// If a frame cannot be read, the policy cannot compute, or the journal not be written.
pub fn predict(
    policy: &Policy,
    extent: Extent,
    journal: &mut Journal,
    bar: &ProgressBar,
    stop: &AtomicBool,
) -> Result<Option<Predictions>, Error> {
    let asked = policy.open()?;
    let parts = parts(policy.corpus(), extent)?;
    bar.set_length(parts.iter().map(|part| part.frames.len() as u64).sum());
    let mut done = Vec::with_capacity(parts.len());
    for (number, part) in parts.iter().enumerate() {
        let predictor = Predictor { policy, asked: &asked, extent, bar, stop };
        match predictor.run(number, part, journal)? {
            Some(answers) => done.push(answers),
            None => return Ok(None),
        }
    }
    Ok(Some(assemble(policy, extent, &parts, &done)?))
}

/// Train, validation, their sequences, then the judged side's first frames again and again.
fn parts(corpus: &Corpus, extent: Extent) -> Result<Vec<Part>, Error> {
    let sides = [corpus.train_episodes(), corpus.validation_episodes()];
    let mut lists = Vec::new();
    for side in sides {
        lists.push(sampling::sampled(corpus, side, extent.frame_count, extent.seed)?);
    }
    for side in sides {
        lists.push(match side.first() {
            Some(episode) => sampling::sequence(corpus, episode, extent.sequence_frame_count)?,
            None => Vec::new(),
        });
    }
    let judged = if lists[1].is_empty() { &lists[0] } else { &lists[1] };
    let first: Vec<FrameId> = judged.iter().copied().take(extent.noise_frame_count).collect();
    lists.extend(std::iter::repeat_n(first, extent.noise_count));
    Ok(lists.into_iter().zip(0..).map(|(frames, stream)| Part { frames, stream }).collect())
}

/// What one part's predictions are made with.
struct Predictor<'a> {
    policy: &'a Policy,
    asked: &'a Asked<'a>,
    extent: Extent,
    bar: &'a ProgressBar,
    stop: &'a AtomicBool,
}

impl Predictor<'_> {
    /// A part's answers, in the order of its frames.
    fn run(&self, number: usize, part: &Part, journal: &mut Journal) -> Result<Option<Vec<Entry>>, Error> {
        let mut answers = journal.take(number);
        self.bar.inc(answers.len() as u64);
        let rest = part.frames[answers.len().min(part.frames.len())..].to_vec();
        let draws = rest.into_iter().map(Draw::of);
        let mut samples = self.asked.read(draws)?;
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let batch = samples.by_ref().take(self.extent.batch_size).collect::<Result<Vec<_>, _>>()?;
            if batch.is_empty() {
                return Ok(Some(answers));
            }
            let found = self.answer(&batch, part.stream, answers.len())?;
            journal.append(number, &found)?;
            self.bar.inc(found.len() as u64);
            answers.extend(found);
        }
    }

    /// The policy's answers to a batch, the first of which is the part's `first`-th.
    fn answer(&self, batch: &[Sample], stream: u64, first: usize) -> Result<Vec<Entry>, Error> {
        let model = self.policy.model();
        let chunk_len = model.chunk_size * model.max_action_dim;
        let seed = self.extent.seed.wrapping_add(stream.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let noise = |place: usize| Draws::new(seed, (first + place) as u64, chunk_len, 0).noise;
        let noise: Vec<f32> = (0..batch.len()).flat_map(noise).collect();
        let predicted = self.asked.predict(batch, &noise)?;
        let normalizer = self.policy.action();
        let entry = |(sample, predicted): (&Sample, &[f32])| {
            let chunk = normalizer.unnormalize(predicted, model.max_action_dim)?;
            if let Some(bad) = chunk.iter().find(|value| !value.is_finite()) {
                return Err(Error::NotFinite {
                    what: "a predicted action".to_owned(),
                    found: f64::from(*bad),
                    sample: Some(format!(
                        "row {} of episode {}",
                        sample.draw.frame.row, sample.draw.frame.episode_index
                    )),
                });
            }
            Ok(Entry { chunk, look: sample.pictures.iter().flat_map(look).collect() })
        };
        batch.iter().zip(predicted.chunks_exact(chunk_len)).map(entry).collect()
    }
}

/// How many numbers of an entry are a chunk's, and how many a look's.
pub fn entry_lens(policy: &Policy) -> (usize, usize) {
    let chunk = policy.model().chunk_size * policy.corpus().action_names().len();
    (chunk, policy.camera_count() * LOOK_SIDE * LOOK_SIDE)
}

/// The mean grey, 0 to 1, of each square of a picture.
fn look(picture: &Picture) -> Vec<f32> {
    let mut sums = [0_u64; LOOK_SIDE * LOOK_SIDE];
    let mut counts = [0_u64; LOOK_SIDE * LOOK_SIDE];
    for (index, pixel) in picture.rgb.chunks_exact(3).enumerate() {
        let (x, y) = (index % picture.width, index / picture.width);
        let square = (y * LOOK_SIDE / picture.height) * LOOK_SIDE + x * LOOK_SIDE / picture.width;
        sums[square] += pixel.iter().map(|value| u64::from(*value)).sum::<u64>();
        counts[square] += 1;
    }
    let mean = |(sum, count): (u64, u64)| sum as f32 / (count.max(1) * 3 * 255) as f32;
    sums.into_iter().zip(counts).map(mean).collect()
}

fn assemble(
    policy: &Policy,
    extent: Extent,
    parts: &[Part],
    answers: &[Vec<Entry>],
) -> Result<Predictions, Error> {
    let set = |number: usize| set(policy.corpus(), &parts[number].frames, &answers[number]);
    let resampled = answers[4..].iter().flatten().flat_map(|entry| entry.chunk.iter().copied()).collect();
    Ok(Predictions {
        chunk_size: policy.model().chunk_size,
        action_dim: policy.corpus().action_names().len(),
        state_dim: policy.corpus().state_names().len(),
        train: set(0)?,
        validation: set(1)?,
        train_sequence: set(2)?,
        validation_sequence: set(3)?,
        resampled,
        noise_count: extent.noise_count,
    })
}

fn set(corpus: &Corpus, frames: &[FrameId], answers: &[Entry]) -> Result<PredictionSet, Error> {
    let mut set = PredictionSet { frames: frames.to_vec(), ..PredictionSet::default() };
    for (frame, answer) in frames.iter().zip(answers) {
        let example = corpus.example(*frame)?;
        set.episode_lengths.push(corpus.numbers(frame.dataset, frame.episode_index)?.row_count());
        set.tasks.push(example.task.to_string());
        set.predicted.extend_from_slice(&answer.chunk);
        set.truth.extend(example.actions);
        set.is_pad.extend(example.action_is_pad);
        set.state.extend(example.state);
        set.look.extend_from_slice(&answer.look);
    }
    Ok(set)
}
