//! The weights that are trained, and how they stand in for the checkpoint's.

use crate::Error;
use crate::candle_ops::CandleOps;
use crate::train::freeze::Freezing;
use candle_core::{DType, Device, Tensor, Var};
use sinew_models::config::ModelConfig;
use sinew_models::weights::{Weights, expected_tensors};

/// One trained weight, in float32 whatever the checkpoint stores.
#[derive(Debug)]
pub struct Trained {
    /// Its name in `model.safetensors`.
    pub name: String,
    /// Its place in LeRobot's `policy.parameters()`, frozen ones counted.
    pub index: usize,
    /// Its numbers.
    pub var: Var,
}

/// Every trained weight, in the order of LeRobot's `policy.parameters()`.
#[derive(Debug)]
pub struct Params {
    entries: Vec<Trained>,
    compute_dtype: DType,
}

impl Params {
    /// Loads what is trained. A projection of the state that the checkpoint has narrower than the model gets zero
    /// columns for the new dimensions, so that the policy starts as it was.
    ///
    /// # Errors
    /// If a weight is missing or misshapen.
    pub fn new(
        weights: &Weights,
        model: &ModelConfig,
        freezing: &Freezing,
        device: &Device,
        compute_dtype: DType,
    ) -> Result<Self, Error> {
        let mut entries = Vec::new();
        for (index, spec) in expected_tensors(model).into_iter().enumerate() {
            let widened = weights.shape(&spec.name).is_some_and(|shape| shape != spec.shape);
            if !spec.used || !(widened || freezing.is_trained(&spec.name, model)) {
                continue;
            }
            let values = if widened {
                widen(weights, &spec.name, &spec.shape)?
            } else {
                weights.load(&spec.name, &spec.shape)?
            };
            let var = Var::from_tensor(&Tensor::from_vec(values, spec.shape.as_slice(), device)?)?;
            entries.push(Trained { name: spec.name, index, var });
        }
        Ok(Self { entries, compute_dtype })
    }

    /// The trained weights in order.
    pub fn entries(&self) -> &[Trained] {
        &self.entries
    }

    /// How many numbers are trained.
    pub fn number_count(&self) -> usize {
        self.entries.iter().map(|entry| entry.var.elem_count()).sum()
    }

    /// Makes `ops` compute with these weights, so that a gradient reaches them.
    ///
    /// # Errors
    /// If candle fails.
    pub fn bind(&self, ops: &CandleOps<'_>) -> Result<(), Error> {
        for entry in &self.entries {
            ops.set_param(&entry.name, entry.var.as_tensor().to_dtype(self.compute_dtype)?);
        }
        Ok(())
    }
}

/// `[out, wider]` from the checkpoint's `[out, narrower]`: old columns kept, new ones zero.
fn widen(weights: &Weights, name: &str, shape: &[usize]) -> Result<Vec<f32>, Error> {
    let found = weights.shape(name).unwrap_or_default();
    let ([out, width], [found_out, found_width]) = (shape, found) else {
        return Ok(weights.load(name, shape)?);
    };
    if name != "model.state_proj.weight" || out != found_out || found_width > width {
        return Ok(weights.load(name, shape)?);
    }
    let narrow = weights.load(name, found)?;
    let mut wide = vec![0.0; out * width];
    for (wide, narrow) in wide.chunks_exact_mut(*width).zip(narrow.chunks_exact(*found_width)) {
        wide[..*found_width].copy_from_slice(narrow);
    }
    Ok(wide)
}
