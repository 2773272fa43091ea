//! The weights that are trained, and how they stand in for the checkpoint's.

use crate::Error;
use crate::candle_ops::CandleOps;
use crate::config::LoraTarget;
use crate::train::freeze::Freezing;
use crate::train::lora::{Adapter, Lora};
use candle_core::{DType, Device, Tensor, Var};
use sinew_models::config::ModelConfig;
use sinew_models::weights::{Weights, expected_tensors};
use std::collections::BTreeMap;

/// One trained weight, in float32 whatever the checkpoint stores.
#[derive(Debug)]
pub struct Trained {
    /// Its name in `model.safetensors`, or an adapter's.
    pub name: String,
    /// Its place in LeRobot's `policy.parameters()`, frozen ones counted; adapters come after all of those.
    pub index: usize,
    /// Its numbers.
    pub var: Var,
}

/// Every trained weight, in the order of LeRobot's `policy.parameters()`, adapters last.
#[derive(Debug)]
pub struct Params {
    entries: Vec<Trained>,
    adapters: Vec<Adapter>,
}

/// What decides the trained weights.
#[derive(Clone, Copy, Debug)]
pub struct Selection<'a> {
    /// The model, of which the state's projection may be wider than the checkpoint's.
    pub model: &'a ModelConfig,
    /// What is frozen.
    pub freezing: Freezing,
    /// Low-rank adapters.
    pub lora: Option<Lora>,
    /// Where the weights are.
    pub device: &'a Device,
    /// What matrix products are computed in; the trained weights themselves stay float32.
    pub product_dtype: DType,
}

impl Selection<'_> {
    /// Whether no gradient passes through images and language.
    pub fn context_is_frozen(&self) -> bool {
        self.vision_is_frozen() && self.lora.is_none_or(|lora| lora.target != LoraTarget::Text)
    }

    /// Whether no gradient passes through the vision tower and the connector.
    pub fn vision_is_frozen(&self) -> bool {
        self.freezing.train_expert_only
    }
}

impl Params {
    /// Loads what is trained. A projection of the state that the checkpoint has narrower than the model gets zero
    /// columns for the new dimensions, so that the policy starts as it was.
    ///
    /// # Errors
    /// If a weight is missing or misshapen.
    pub fn new(weights: &Weights, selection: &Selection<'_>) -> Result<Self, Error> {
        let Selection { model, device, .. } = *selection;
        let specs = expected_tensors(model);
        let (mut entries, mut adapters, mut adapter_entries) = (Vec::new(), Vec::new(), Vec::new());
        for (index, spec) in specs.iter().enumerate().filter(|(_, spec)| spec.used) {
            let load = |shape: &[usize], values| Tensor::from_vec(values, shape, device);
            if let Some(lora) = selection.lora.filter(|lora| lora.covers(&spec.name, model)) {
                if let [out, input] = spec.shape[..] {
                    let base = load(&spec.shape, weights.load(&spec.name, &spec.shape)?)?;
                    let index = specs.len() + adapter_entries.len();
                    adapter_entries.extend(lora.entries(&spec.name, index, [out, input], device)?);
                    adapters.push(Adapter { name: spec.name.clone(), base, scale: lora.scale() });
                }
                continue;
            }
            let widened = weights.shape(&spec.name).is_some_and(|shape| shape != spec.shape);
            if widened || selection.freezing.is_trained(&spec.name, model) {
                let values = load_widened(weights, &spec.name, &spec.shape)?;
                let var = Var::from_tensor(&load(&spec.shape, values)?)?;
                entries.push(Trained { name: spec.name.clone(), index, var });
            }
        }
        entries.extend(adapter_entries);
        Ok(Self { entries, adapters })
    }

    /// These weights, without adapters.
    #[cfg(test)]
    pub(crate) fn of(entries: Vec<Trained>) -> Self {
        Self { entries, adapters: Vec::new() }
    }

    /// The trained weights in order.
    pub fn entries(&self) -> &[Trained] {
        &self.entries
    }

    /// The numbers of the trained weights in order.
    pub fn values(&self) -> Vec<Tensor> {
        self.entries.iter().map(|entry| entry.var.as_tensor().clone()).collect()
    }

    /// How many numbers are trained.
    pub fn number_count(&self) -> usize {
        self.entries.iter().map(|entry| entry.var.elem_count()).sum()
    }

    /// Whether a checkpoint's file holds the trained numbers themselves, not something made of them.
    pub fn are_weights(&self) -> bool {
        self.adapters.is_empty()
    }

    /// Makes `ops` compute with these weights, so that a gradient reaches them.
    ///
    /// # Errors
    /// If candle fails.
    pub fn bind(&self, ops: &CandleOps<'_>) -> Result<(), Error> {
        self.bind_values(ops, &self.values())
    }

    /// Makes `ops` compute with other numbers for the trained weights, in their order.
    ///
    /// # Errors
    /// If candle fails.
    pub fn bind_values(&self, ops: &CandleOps<'_>, values: &[Tensor]) -> Result<(), Error> {
        for (name, tensor) in self.policy_weights(values)? {
            ops.set_param(&name, tensor);
        }
        Ok(())
    }

    /// The policy's weights that these numbers make, by their names in `model.safetensors`.
    ///
    /// # Errors
    /// If candle fails.
    pub fn policy_weights(&self, values: &[Tensor]) -> Result<BTreeMap<String, Tensor>, Error> {
        let plain = self.entries.len() - 2 * self.adapters.len();
        let mut weights = BTreeMap::new();
        for (entry, value) in self.entries.iter().zip(&values[..plain]) {
            weights.insert(entry.name.clone(), value.clone());
        }
        for (adapter, pair) in self.adapters.iter().zip(values[plain..].chunks_exact(2)) {
            weights.insert(adapter.name.clone(), adapter.merged(&pair[0], &pair[1])?);
        }
        Ok(weights)
    }
}

/// A weight's numbers; the state's projection gets zero columns where the checkpoint has fewer.
fn load_widened(weights: &Weights, name: &str, shape: &[usize]) -> Result<Vec<f32>, Error> {
    let found = weights.shape(name).unwrap_or(shape);
    match (shape, found) {
        ([out, width], [found_out, found_width])
            if name == "model.state_proj.weight" && out == found_out && found_width < width =>
        {
            let narrow = weights.load(name, found)?;
            let mut wide = vec![0.0; out * width];
            for (wide, narrow) in wide.chunks_exact_mut(*width).zip(narrow.chunks_exact(*found_width)) {
                wide[..*found_width].copy_from_slice(narrow);
            }
            Ok(wide)
        }
        _ => Ok(weights.load(name, shape)?),
    }
}
