//! Validation: the loss, and how far predicted chunks are from what was done, in the robot's units.

use crate::Error;
use crate::train::learner::{Learner, Shown};
use crate::train::noising::{Draws, Noised, error_weights};
use candle_core::DType;
use serde::Serialize;
use sinew_models::preprocess::Normalizer;
use std::collections::BTreeMap;

/// The seed of validation's draws: the same at every step and in every run, so that curves can be compared.
const SEED: u64 = 0x5349_4e45;

/// What validation found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Flow-matching loss at one drawn time a frame.
    pub loss: f64,
    /// Mean absolute error of predicted chunks, normalised: what the best checkpoint has lowest.
    pub error: f64,
    /// The same for a policy that always says the training's mean action.
    pub error_of_mean: f64,
    /// Mean absolute error by dimension, in its own unit.
    pub error_by_dimension: BTreeMap<String, f64>,
    /// Frames looked at.
    pub frame_count: usize,
}

/// Sums over frames.
#[derive(Debug)]
pub struct Validation<'a> {
    names: &'a [String],
    normalizer: &'a Normalizer,
    mean_action: Vec<f32>,
    loss: f64,
    frame_count: usize,
    step_count: usize,
    normalised: f64,
    normalised_of_mean: f64,
    by_dimension: Vec<f64>,
}

impl<'a> Validation<'a> {
    /// For actions of these names; the baseline always says `mean_action`, which is normalised.
    pub fn new(names: &'a [String], normalizer: &'a Normalizer, mean_action: Vec<f32>) -> Self {
        Self {
            names,
            normalizer,
            mean_action,
            loss: 0.0,
            frame_count: 0,
            step_count: 0,
            normalised: 0.0,
            normalised_of_mean: 0.0,
            by_dimension: vec![0.0; names.len()],
        }
    }

    /// Looks at some frames, the `first`-th of the validation and those after it.
    ///
    /// # Errors
    /// If the model fails.
    pub fn add(&mut self, learner: &Learner<'_>, shown: &[Shown], first: usize) -> Result<(), Error> {
        let (Some(sample), width) = (shown.first(), self.names.len()) else { return Ok(()) };
        let padded_width = sample.numbers.actions.len() / sample.numbers.action_is_pad.len();
        let draws: Vec<Draws> = (first..first + shown.len())
            .map(|frame| Draws::new(SEED, frame as u64, sample.numbers.actions.len(), 0))
            .collect();
        self.add_loss(learner, shown, &draws, width)?;
        let noise: Vec<f32> = draws.iter().flat_map(|draws| draws.noise.iter().copied()).collect();
        let predicted = learner.predict(shown, &noise)?;
        for (shown, predicted) in shown.iter().zip(predicted.chunks_exact(sample.numbers.actions.len())) {
            let said = self.normalizer.unnormalize(predicted, padded_width)?;
            let done = self.normalizer.unnormalize(&shown.numbers.actions, padded_width)?;
            for (step, is_pad) in shown.numbers.action_is_pad.iter().enumerate() {
                if *is_pad {
                    continue;
                }
                self.step_count += 1;
                for dimension in 0..width {
                    let (real, padded) = (step * width + dimension, step * padded_width + dimension);
                    self.by_dimension[dimension] += f64::from((said[real] - done[real]).abs());
                    let target = shown.numbers.actions[padded];
                    self.normalised += f64::from((predicted[padded] - target).abs());
                    self.normalised_of_mean += f64::from((self.mean_action[dimension] - target).abs());
                }
            }
        }
        self.frame_count += shown.len();
        Ok(())
    }

    fn add_loss(
        &mut self,
        learner: &Learner<'_>,
        shown: &[Shown],
        draws: &[Draws],
        width: usize,
    ) -> Result<(), Error> {
        let noised: Vec<Noised> = shown
            .iter()
            .zip(draws)
            .map(|(shown, draws)| Noised::new(&shown.numbers.actions, &shown.numbers.action_is_pad, draws))
            .collect();
        let counts: Vec<&[bool]> = noised.iter().map(|noised| noised.counts.as_slice()).collect();
        let weights = error_weights(&counts, &vec![1.0; shown.len()], &vec![1.0; width]);
        let loss = learner.loss(shown, &noised, &weights, 0.0)?;
        self.loss += f64::from(loss.total.to_dtype(DType::F32)?.to_scalar::<f32>()?) * shown.len() as f64;
        Ok(())
    }

    /// The averages.
    pub fn report(self) -> Report {
        let number_count = (self.step_count * self.names.len()).max(1) as f64;
        let per_step = |sum: f64| sum / self.step_count.max(1) as f64;
        Report {
            loss: self.loss / self.frame_count.max(1) as f64,
            error: self.normalised / number_count,
            error_of_mean: self.normalised_of_mean / number_count,
            error_by_dimension: self
                .names
                .iter()
                .cloned()
                .zip(self.by_dimension.into_iter().map(per_step))
                .collect(),
            frame_count: self.frame_count,
        }
    }
}
