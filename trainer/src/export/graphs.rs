//! The three graphs of a bundle, wired from the one model.

use super::{Dtype, Graph, GraphDtype, GraphOps, Tensor};
use crate::Error;
use sinew_models::config::ModelConfig;
use sinew_models::contract::io;
use sinew_models::smolvla::{LayerCache, PrefixInputs, SmolVla, SuffixInputs};
use sinew_models::weights::Weights;

/// How the graphs are wired.
#[derive(Clone, Copy, Debug)]
pub struct Wiring<'a> {
    /// The network.
    pub model: &'a ModelConfig,
    /// Its weights.
    pub weights: &'a Weights,
    /// Cameras; every one has a slot of its own in the prefix.
    pub camera_count: usize,
    /// What linear layers are stored and computed in.
    pub dtype: GraphDtype,
    /// Makes every tagged value an output, for parity tests.
    pub expose_tags: bool,
}

impl<'a> Wiring<'a> {
    /// `vision.onnx`: one image to its tokens.
    ///
    /// # Errors
    /// If a weight or a shape does not fit.
    pub fn vision(&self) -> Result<Graph, Error> {
        let size = self.model.vision.image_size;
        let ops = self.ops("vision");
        let pixels = ops.input(io::PIXELS, Dtype::F32, &[1, 3, size, size])?;
        ops.output(io::IMAGE_TOKENS, &self.network().vision(&ops, &pixels)?)?;
        Ok(ops.finish())
    }

    /// `prefix.onnx`: image tokens, language and state to each layer's keys and values, those of cross layers
    /// already projected for the expert.
    ///
    /// # Errors
    /// If a weight or a shape does not fit.
    pub fn prefix(&self) -> Result<Graph, Error> {
        let (language, tokens) = (self.model.language_token_count, self.prefix_token_count());
        let image = [1, self.model.image_token_count(), self.model.text.hidden_size];
        let ops = self.ops("prefix");
        let image_tokens = (0..self.camera_count)
            .map(|slot| ops.input(&io::image_tokens(slot), Dtype::F32, &image))
            .collect::<Result<Vec<_>, _>>()?;
        let inputs = PrefixInputs {
            image_tokens: &image_tokens,
            token_ids: &ops.input(io::TOKEN_IDS, Dtype::I64, &[1, language])?,
            state: &ops.input(io::STATE, Dtype::F32, &[1, self.model.max_state_dim])?,
            mask: &ops.input(io::MASK, Dtype::F32, &[1, tokens, tokens])?,
            positions: &ops.input(io::POSITIONS, Dtype::I64, &[1, tokens])?,
        };
        for (layer, cached) in self.network().prefix(&ops, &inputs)?.iter().enumerate() {
            ops.output(&io::key(layer), &cached.key)?;
            ops.output(&io::value(layer), &cached.value)?;
        }
        Ok(ops.finish())
    }

    /// `denoise.onnx`: one velocity evaluation.
    ///
    /// # Errors
    /// If a weight or a shape does not fit.
    pub fn denoise(&self) -> Result<Graph, Error> {
        let (chunk, tokens) = (self.model.chunk_size, self.prefix_token_count());
        let width = self.model.heads().key_value_width();
        let ops = self.ops("denoise");
        let inputs = SuffixInputs {
            x_t: &ops.input(io::X_T, Dtype::F32, &[1, chunk, self.model.max_action_dim])?,
            time: &ops.input(io::TIME, Dtype::F32, &[1, chunk])?,
            mask: &ops.input(io::MASK, Dtype::F32, &[1, chunk, tokens + chunk])?,
            positions: &ops.input(io::POSITIONS, Dtype::I64, &[1, chunk])?,
        };
        let cached = |layer: usize| -> Result<LayerCache<Tensor>, Error> {
            Ok(LayerCache {
                key: ops.input(&io::key(layer), Dtype::F32, &[1, tokens, width])?,
                value: ops.input(&io::value(layer), Dtype::F32, &[1, tokens, width])?,
            })
        };
        let cache = (0..self.model.layer_count()).map(cached).collect::<Result<Vec<_>, _>>()?;
        ops.output(io::VELOCITY, &self.network().velocity(&ops, &inputs, &cache)?)?;
        Ok(ops.finish())
    }

    /// Tokens of the prefix, with an instruction of full length.
    pub fn prefix_token_count(&self) -> usize {
        self.model.prefix_token_count(self.camera_count, self.model.language_token_count)
    }

    fn ops(&self, name: &str) -> GraphOps<'a> {
        let ops = GraphOps::new(name, self.dtype, self.weights);
        if self.expose_tags { ops.expose_tags() } else { ops }
    }

    fn network(&self) -> SmolVla<'a> {
        let network = SmolVla::new(self.model);
        if self.expose_tags { network.with_last_layer_in_full() } else { network }
    }
}
