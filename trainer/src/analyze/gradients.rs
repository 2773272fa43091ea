//! What the loss pulls at: each dimension's share of loss and gradient, and how much of the gradient is signal.

use crate::Error;
use crate::data::{Draw, FrameId, Sample};
use crate::train::frames::{FrameSource, Purpose};
use crate::train::learner::{Learner, Shown};
use crate::train::noising::{Draws, Noised, error_weights};
use crate::train::optimizer::Gradients;
use crate::train::setup::Setup;
use candle_core::Tensor;
use std::path::Path;

/// Frames that gradients are taken of.
const FRAME_COUNT: usize = 8;

/// Loss and gradient of the training's own objective, over a few training frames.
#[derive(Clone, Debug, PartialEq)]
pub struct Pull {
    /// Each dimension's share of the loss.
    pub loss_share: Vec<f64>,
    /// Each dimension's gradient norm over the sum of all dimensions' norms.
    pub gradient_share: Vec<f64>,
    /// Squared norm of the mean gradient over its expected squared norm if single samples' gradients were nothing but
    /// noise around 0: about 1 is noise.
    pub signal_to_noise: f64,
}

/// Measures it.
///
/// # Errors
/// If a frame cannot be read or the model cannot compute.
pub fn measure(setup: &Setup, frames: &[FrameId], seed: u64) -> Result<Option<Pull>, Error> {
    let camera_valid = setup.slots.iter().map(Option::is_some).collect();
    let learner = Learner::new(&setup.base.weights, setup.selection(), camera_valid)?;
    let source = FrameSource::new(setup, &learner, Path::new(""))?;
    let stride = frames.len().div_ceil(FRAME_COUNT).max(1);
    let draws = frames.iter().step_by(stride).copied().map(Draw::of);
    let samples = source.read(draws.collect::<Vec<_>>().into_iter(), Purpose::Validation)?;
    let samples: Vec<Sample> = samples.collect::<Result<_, _>>()?;
    if samples.len() < 2 {
        return Ok(None);
    }
    let shown = source.show(&learner, &samples, Purpose::Validation)?;
    let probe = Probe { learner: &learner, shown: &shown, seed };
    let width = setup.dimension_weights.len();
    let (mut losses, mut norms) = (Vec::new(), Vec::new());
    for dimension in 0..width {
        let mut only = vec![0.0; width];
        only[dimension] = setup.dimension_weights[dimension];
        let (loss, gradient) = probe.gradient(0..shown.len(), &only)?;
        losses.push(loss);
        norms.push(square(&gradient)?.sqrt());
    }
    let singles = (0..shown.len())
        .map(|sample| Ok(probe.gradient(sample..sample + 1, &setup.dimension_weights)?.1))
        .collect::<Result<Vec<_>, Error>>()?;
    let share = |values: Vec<f64>| {
        let sum: f64 = values.iter().sum();
        values.into_iter().map(|value| if sum > 0.0 { value / sum } else { 0.0 }).collect()
    };
    Ok(Some(Pull {
        loss_share: share(losses),
        gradient_share: share(norms),
        signal_to_noise: signal_to_noise(&singles)?,
    }))
}

/// Computes gradients of some of the samples.
struct Probe<'a> {
    learner: &'a Learner<'a>,
    shown: &'a [Shown],
    seed: u64,
}

impl Probe<'_> {
    fn gradient(&self, range: std::ops::Range<usize>, weights: &[f32]) -> Result<(f64, Vec<Tensor>), Error> {
        let shown = &self.shown[range.clone()];
        let noised: Vec<Noised> = shown
            .iter()
            .zip(range)
            .map(|(shown, sample)| {
                let draws = Draws::new(self.seed, sample as u64, shown.numbers.actions.len(), 0);
                Noised::new(&shown.numbers.actions, &shown.numbers.action_is_pad, &draws)
            })
            .collect();
        let counts: Vec<&[bool]> = noised.iter().map(|noised| noised.counts.as_slice()).collect();
        let weights = error_weights(&counts, &vec![1.0; shown.len()], weights);
        self.learner.use_trained()?;
        let loss = self.learner.loss(shown, &noised, &weights, 0.0)?;
        let total = f64::from(loss.total.to_dtype(candle_core::DType::F32)?.to_scalar::<f32>()?);
        let gradients = Gradients::collect(self.learner.params(), &mut loss.total.backward()?)?;
        Ok((total, gradients.iter().flatten().cloned().collect()))
    }
}

fn square(gradient: &[Tensor]) -> Result<f64, Error> {
    let part = |tensor: &Tensor| Ok(f64::from(tensor.sqr()?.sum_all()?.to_scalar::<f32>()?));
    gradient.iter().map(part).sum()
}

fn signal_to_noise(singles: &[Vec<Tensor>]) -> Result<f64, Error> {
    let count = singles.len() as f64;
    let noise =
        singles.iter().map(|gradient| square(gradient)).sum::<Result<f64, Error>>()? / (count * count);
    let mut signal = 0.0;
    for place in 0..singles[0].len() {
        let mut sum = singles[0][place].clone();
        for gradient in &singles[1..] {
            sum = (sum + &gradient[place])?;
        }
        signal += f64::from(sum.sqr()?.sum_all()?.to_scalar::<f32>()?) / (count * count);
    }
    Ok(if noise > 0.0 { signal / noise } else { 0.0 })
}
