//! Low-rank adapters: a frozen weight plus the product of two thin trained ones.

use crate::Error;
use crate::train::params::Trained;
use candle_core::{Device, Tensor, Var};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sinew_models::config::ModelConfig;

use crate::config::LoraTarget;

/// Which weights get adapters, and how large they are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lora {
    /// Width of the waist.
    pub rank: usize,
    /// The product counts `alpha / rank`.
    pub alpha: f64,
    /// Whose layers.
    pub target: LoraTarget,
    /// Decides the first numbers.
    pub seed: u64,
}

impl Lora {
    /// Whether the weight is of a layer that gets adapters. Its matrices get them; its norms stay frozen.
    pub fn covers(&self, name: &str, model: &ModelConfig) -> bool {
        match self.target {
            LoraTarget::Expert => name.starts_with("model.vlm_with_expert.lm_expert.layers."),
            LoraTarget::Text => {
                let layers = "model.vlm_with_expert.vlm.model.text_model.layers.";
                // Nothing but keys and values is read of the last layer; it is frozen without adapters too.
                let last = format!("{layers}{}.", model.layer_count() - 1);
                name.starts_with(layers) && !name.starts_with(&last)
            }
        }
    }

    /// What the product counts.
    pub fn scale(&self) -> f64 {
        self.alpha / self.rank as f64
    }

    /// The two thin weights of a weight `[out, input]`: `down` `[rank, input]`, uniform up to `1 / √input`, and `up`
    /// `[out, rank]`, zero, so that the policy starts as it was.
    ///
    /// # Errors
    /// If candle fails.
    pub fn entries(
        &self,
        name: &str,
        index: usize,
        [out, input]: [usize; 2],
        device: &Device,
    ) -> Result<[Trained; 2], Error> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(index as u64);
        let bound = 1.0 / (input as f32).sqrt();
        let down: Vec<f32> = (0..self.rank * input).map(|_| rng.random_range(-bound..bound)).collect();
        let down = Var::from_tensor(&Tensor::from_vec(down, (self.rank, input), device)?)?;
        let up = Var::zeros((out, self.rank), candle_core::DType::F32, device)?;
        Ok([
            Trained { name: format!("{name}.lora_down"), index, var: down },
            Trained { name: format!("{name}.lora_up"), index: index + 1, var: up },
        ])
    }
}

/// A frozen weight with an adapter.
#[derive(Debug)]
pub struct Adapter {
    /// Its name in `model.safetensors`.
    pub name: String,
    /// The frozen numbers.
    pub base: Tensor,
    /// What the adapter's product counts.
    pub scale: f64,
}

impl Adapter {
    /// The weight with the adapter in it.
    ///
    /// # Errors
    /// If candle fails.
    pub fn merged(&self, down: &Tensor, up: &Tensor) -> Result<Tensor, Error> {
        let product = (up.matmul(down)? * self.scale)?;
        Ok((&self.base + product)?)
    }
}
