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
        // Detached, or every average would drag along the ones before it.
        let copy = |value: &Tensor| value.detach().copy();
        let values = params.values().iter().map(copy).collect::<Result<_, _>>()?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::params::Trained;
    use candle_core::{Device, Var};

    #[test]
    fn it_follows_the_weights_and_keeps_no_history() {
        let var = Var::new(&[1.0_f32], &Device::Cpu).unwrap();
        let params = Params::of(vec![Trained { name: "w".to_owned(), index: 0, var: var.clone() }]);
        let mut average = Average::new(0.5, &params).unwrap();
        var.set(&Tensor::new(&[3.0_f32], &Device::Cpu).unwrap()).unwrap();
        // After the first step the decay is 2 / 11.
        average.update(&params, 1).unwrap();
        let expected = 1.0 * 2.0 / 11.0 + 3.0 * 9.0 / 11.0;
        let found = average.values()[0].to_vec1::<f32>().unwrap()[0];
        assert!((found - expected).abs() < 1e-6, "{found}");
        assert!(average.values().iter().all(|value| !value.track_op()));
    }
}
