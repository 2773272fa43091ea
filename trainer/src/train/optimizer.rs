//! AdamW with bias correction and decoupled decay, and gradient clipping.

use crate::Error;
use crate::train::params::Params;
use candle_core::backprop::GradStore;
use candle_core::{DType, Tensor};
use serde::{Deserialize, Serialize};

/// AdamW's constants.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdamWOptions {
    /// Decay of the mean gradient and of the mean squared gradient.
    pub betas: [f64; 2],
    /// Added to the root of the mean squared gradient.
    pub eps: f64,
    /// Decay of the weights a step, times the learning rate.
    pub weight_decay: f64,
    /// Largest L2 norm of all gradients together; larger ones are scaled down to it. 0 is off.
    pub grad_clip_norm: f64,
}

impl Default for AdamWOptions {
    fn default() -> Self {
        Self { betas: [0.9, 0.95], eps: 1e-8, weight_decay: 1e-10, grad_clip_norm: 10.0 }
    }
}

/// Running means of one weight.
#[derive(Clone, Debug)]
pub struct Moments {
    /// Mean gradient.
    pub mean: Tensor,
    /// Mean squared gradient.
    pub mean_square: Tensor,
}

/// The optimiser's state: one entry a trained weight, in their order.
#[derive(Debug)]
pub struct AdamW {
    options: AdamWOptions,
    step_count: u64,
    moments: Vec<Moments>,
}

impl AdamW {
    /// Before the first step.
    ///
    /// # Errors
    /// If candle fails.
    pub fn new(options: AdamWOptions, params: &Params) -> Result<Self, Error> {
        let zeros = |entry: &crate::train::params::Trained| -> Result<Moments, Error> {
            let zeros = || entry.var.as_tensor().zeros_like();
            Ok(Moments { mean: zeros()?, mean_square: zeros()? })
        };
        let moments = params.entries().iter().map(zeros).collect::<Result<_, _>>()?;
        Ok(Self { options, step_count: 0, moments })
    }

    /// As it was after `step_count` steps.
    pub fn restored(options: AdamWOptions, step_count: u64, moments: Vec<Moments>) -> Self {
        Self { options, step_count, moments }
    }

    /// Steps taken.
    pub fn step_count(&self) -> u64 {
        self.step_count
    }

    /// One entry a trained weight.
    pub fn moments(&self) -> &[Moments] {
        &self.moments
    }

    /// Clips the gradients to the largest norm, moves every weight, and returns the norm before clipping.
    ///
    /// # Errors
    /// If candle fails, or the norm is not finite; no weight has moved then.
    pub fn step(&mut self, params: &Params, gradients: &Gradients, learning_rate: f64) -> Result<f64, Error> {
        let norm = gradients.norm()?;
        if !norm.is_finite() {
            return Err(Error::NotFinite { what: "gradient norm".to_owned(), found: norm, sample: None });
        }
        let AdamWOptions { betas: [beta1, beta2], eps, weight_decay, grad_clip_norm } = self.options;
        let limit = if grad_clip_norm > 0.0 { grad_clip_norm } else { f64::INFINITY };
        let coefficient = (limit / (norm + 1e-6)).min(1.0);
        self.step_count += 1;
        let correct = |beta: f64| 1.0 - beta.powf(self.step_count as f64);
        let (correct1, correct2) = (correct(beta1), correct(beta2));
        for ((entry, moments), gradient) in params.entries().iter().zip(&mut self.moments).zip(&gradients.0) {
            let Some(gradient) = gradient else { continue };
            let gradient = (gradient * coefficient)?;
            let mean = ((&moments.mean * beta1)? + (&gradient * (1.0 - beta1))?)?;
            let mean_square = ((&moments.mean_square * beta2)? + (gradient.sqr()? * (1.0 - beta2))?)?;
            let spread = ((mean_square.sqrt()? / correct2.sqrt())? + eps)?;
            let update = ((&mean / &spread)? * (learning_rate / correct1))?;
            let decayed = (entry.var.as_tensor() * (1.0 - learning_rate * weight_decay))?;
            entry.var.set(&(decayed - update)?)?;
            *moments = Moments { mean, mean_square };
        }
        Ok(norm)
    }
}

/// Gradients of the trained weights, in their order; none where the loss does not depend on one.
#[derive(Debug)]
pub struct Gradients(Vec<Option<Tensor>>);

impl Gradients {
    /// Takes what `backward` found.
    ///
    /// # Errors
    /// If candle fails.
    pub fn collect(params: &Params, store: &mut GradStore) -> Result<Self, Error> {
        let take = |entry: &crate::train::params::Trained| store.remove(entry.var.as_tensor());
        // Gradients carry the history of the backward pass; without it they are plain numbers.
        Ok(Self(params.entries().iter().map(take).map(|g| g.map(|g| g.detach())).collect()))
    }

    /// Adds those of another part of the batch.
    ///
    /// # Errors
    /// If candle fails.
    pub fn add(&mut self, other: Self) -> Result<(), Error> {
        for (sum, other) in self.0.iter_mut().zip(other.0) {
            *sum = match (sum.take(), other) {
                (Some(a), Some(b)) => Some((a + b)?),
                (a, b) => a.or(b),
            };
        }
        Ok(())
    }

    /// One entry a trained weight.
    pub fn iter(&self) -> impl Iterator<Item = Option<&Tensor>> {
        self.0.iter().map(Option::as_ref)
    }

    /// The L2 norm of all gradients together.
    ///
    /// # Errors
    /// If candle fails.
    pub fn norm(&self) -> Result<f64, Error> {
        let mut sum = 0.0;
        for gradient in self.0.iter().flatten() {
            sum += f64::from(gradient.sqr()?.sum_all()?.to_dtype(DType::F32)?.to_scalar::<f32>()?);
        }
        Ok(sum.sqrt())
    }
}
