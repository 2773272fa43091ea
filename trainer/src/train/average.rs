//! Exponential average of the trained weights, which can make a steadier policy than the last step's.

use crate::Error;
use crate::train::params::Params;
use candle_core::Tensor;

/// The average, one entry a trained weight.
#[derive(Debug)]
pub struct Average {
    decay: f64,
    values: Vec<Tensor>,
}

impl Average {
    /// Begins at the weights as they are.
    ///
    /// # Errors
    /// If candle fails.
    pub fn new(decay: f64, params: &Params) -> Result<Self, Error> {
        let values = params.values().iter().map(Tensor::copy).collect::<Result<_, _>>()?;
        Ok(Self { decay, values })
    }

    /// As it was.
    pub fn restored(decay: f64, values: Vec<Tensor>) -> Self {
        Self { decay, values }
    }

    /// The averaged numbers, in the order of the trained weights.
    pub fn values(&self) -> &[Tensor] {
        &self.values
    }

    /// Takes in the weights after a step, counted from 1. Early on the average forgets faster, or it would keep its
    /// first numbers for `1 / (1 − decay)` steps.
    ///
    /// # Errors
    /// If candle fails.
    pub fn update(&mut self, params: &Params, step: u64) -> Result<(), Error> {
        let decay = self.decay.min((1 + step) as f64 / (10 + step) as f64);
        for (average, value) in self.values.iter_mut().zip(params.values()) {
            *average = ((&*average * decay)? + (value.detach() * (1.0 - decay))?)?;
        }
        Ok(())
    }
}
