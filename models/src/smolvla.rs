//! SmolVLA: the VLM's prefix and the action expert that attends to it.
//!
//! Images, language and state form the prefix. Each text layer's keys and values are all that the expert sees of
//! it, so the prefix runs once and the expert once per denoising step. Two kinds of expert layers alternate:
//! in a *self* layer the actions attend to the prefix's keys and to each other; in a *cross* layer to the prefix
//! alone, through projections of its keys and values that depend on nothing but the prefix and are made with it.

use crate::config::ModelConfig;
use crate::nn::{DecoderLayer, linear, rms_norm};
use crate::ops::{Ops, Rope};
use crate::siglip;

const TEXT: &str = "model.vlm_with_expert.vlm.model.text_model";
const EXPERT: &str = "model.vlm_with_expert.lm_expert";

/// What one expert layer sees of the prefix.
#[derive(Clone, Debug)]
pub struct LayerCache<T> {
    /// `[batch, prefix tokens, key_value heads · dim]`.
    pub key: T,
    /// As `key`.
    pub value: T,
}

/// One sample batch's inputs of the prefix.
#[derive(Debug)]
pub struct PrefixInputs<'a, T> {
    /// One entry a camera slot, as [`SmolVla::vision`] returns them.
    pub image_tokens: &'a [T],
    /// `[batch, language tokens]`, integers.
    pub token_ids: &'a T,
    /// `[batch, max_state_dim]`.
    pub state: &'a T,
    /// `[batch, prefix tokens, prefix tokens]`, of [`crate::masks::PrefixLayout::mask`].
    pub mask: &'a T,
    /// `[batch, prefix tokens]`, integers.
    pub positions: &'a T,
}

/// One denoising evaluation's inputs.
#[derive(Debug)]
pub struct SuffixInputs<'a, T> {
    /// `[batch, chunk, max_action_dim]`.
    pub x_t: &'a T,
    /// `[batch, chunk]`: every step may have a time of its own.
    pub time: &'a T,
    /// `[batch, chunk, prefix tokens + chunk]`, of [`crate::masks::PrefixLayout::suffix_mask`].
    pub mask: &'a T,
    /// `[batch, chunk]`, integers.
    pub positions: &'a T,
}

/// The network of one configuration.
#[derive(Clone, Debug)]
pub struct SmolVla<'a> {
    config: &'a ModelConfig,
    last_layer_in_full: bool,
}

impl<'a> SmolVla<'a> {
    /// The network as it is trained and run.
    pub fn new(config: &'a ModelConfig) -> Self {
        Self { config, last_layer_in_full: false }
    }

    /// Also computes what the last text layer makes of its attention. Nothing reads it; parity tests compare it.
    pub fn with_last_layer_in_full(self) -> Self {
        Self { last_layer_in_full: true, ..self }
    }

    /// One camera's images to tokens.
    ///
    /// # Shapes
    /// `pixels` `[batch, 3, image_size, image_size]`, −1 … 1; the result `[batch, image tokens, text hidden]`.
    ///
    /// # Errors
    /// If a weight or a shape does not fit.
    pub fn vision<O: Ops>(&self, ops: &O, pixels: &O::Tensor) -> Result<O::Tensor, O::Error> {
        siglip::image_tokens(ops, self.config, pixels)
    }

    /// Runs the prefix and keeps what each expert layer needs of it.
    ///
    /// # Errors
    /// If a weight or a shape does not fit.
    pub fn prefix<O: Ops>(
        &self,
        ops: &O,
        inputs: &PrefixInputs<'_, O::Tensor>,
    ) -> Result<Vec<LayerCache<O::Tensor>>, O::Error> {
        let mut x = ops.tag("prefix.embs", &self.embed_prefix(ops, inputs)?)?;
        let rope = self.config.rope(ops.shape(&x)[1]);
        let layer_count = self.config.layer_count();
        let mut cache = Vec::with_capacity(layer_count);
        for index in 0..layer_count {
            let layer = self.text_layer(index);
            let normed = layer.attention_input(ops, &x)?;
            let key = ops.rope(&layer.key(ops, &normed)?, inputs.positions, &rope)?;
            let key = ops.tag(&format!("kv.k.{index}"), &key)?;
            let value = ops.tag(&format!("kv.v.{index}"), &layer.value(ops, &normed)?)?;
            if index + 1 < layer_count || self.last_layer_in_full {
                let query = layer.query(ops, &normed, inputs.positions, &rope)?;
                let attended = ops.attention(&query, &key, &value, Some(inputs.mask), layer.heads)?;
                x = ops.tag(&format!("prefix.hidden.{index}"), &layer.finish(ops, &x, &attended)?)?;
            }
            cache.push(self.for_expert(ops, index, key, value)?);
        }
        if self.last_layer_in_full {
            ops.tag(
                "prefix.final",
                &rms_norm(ops, &format!("{TEXT}.norm"), &x, self.config.text.rms_norm_eps)?,
            )?;
        }
        Ok(cache)
    }

    /// The velocity at `x_t`.
    ///
    /// # Shapes
    /// The result is shaped as `x_t`.
    ///
    /// # Errors
    /// If a weight or a shape does not fit.
    pub fn velocity<O: Ops>(
        &self,
        ops: &O,
        inputs: &SuffixInputs<'_, O::Tensor>,
        cache: &[LayerCache<O::Tensor>],
    ) -> Result<O::Tensor, O::Error> {
        let mut x = ops.tag("suffix.embs", &self.embed_suffix(ops, inputs)?)?;
        for (index, cached) in cache.iter().enumerate() {
            let layer = self.expert_layer(index);
            let normed = layer.attention_input(ops, &x)?;
            let attended = if self.config.cross_layers[index] {
                self.attend_to_prefix(ops, &layer, &normed, cached, inputs)?
            } else {
                self.attend_to_all(ops, &layer, &normed, cached, inputs)?
            };
            x = ops.tag(&format!("suffix.hidden.{index}"), &layer.finish(ops, &x, &attended)?)?;
        }
        let out = rms_norm(ops, &format!("{EXPERT}.norm"), &x, self.config.text.rms_norm_eps)?;
        let out = ops.tag("suffix.out", &out)?;
        ops.tag("suffix.v_t", &linear(ops, "model.action_out_proj", &out, self.config.max_action_dim)?)
    }

    fn embed_prefix<O: Ops>(
        &self,
        ops: &O,
        inputs: &PrefixInputs<'_, O::Tensor>,
    ) -> Result<O::Tensor, O::Error> {
        let hidden = self.config.text.hidden_size;
        let batch = ops.shape(inputs.token_ids)[0];
        // Images and language are scaled, state and special tokens are not.
        let scale = (hidden as f64).sqrt();
        let table =
            ops.param(&format!("{TEXT}.embed_tokens.weight"), &[self.config.text.vocab_size, hidden])?;
        let special = |ids: &[i64]| {
            let rows = ops.embedding(&table, &ops.constant_ids(ids, &[1, ids.len()])?)?;
            ops.expand(&rows, &[batch, ids.len(), hidden])
        };
        let mut parts = Vec::new();
        for tokens in inputs.image_tokens {
            let image = ops.scale(tokens, scale)?;
            match self.config.image_special_tokens {
                Some([fake, global]) => parts.extend([special(&[fake, global])?, image, special(&[fake])?]),
                None => parts.push(image),
            }
        }
        parts.push(ops.scale(&ops.embedding(&table, inputs.token_ids)?, scale)?);
        let state = linear(ops, "model.state_proj", inputs.state, hidden)?;
        parts.push(ops.reshape(&state, &[batch, 1, hidden])?);
        let token_count: usize = parts.iter().map(|part| ops.shape(part)[1]).sum();
        if token_count < self.config.prefix_length {
            let missing = self.config.prefix_length - token_count;
            let zeros = ops.constant(&vec![0.0; missing * hidden], &[1, missing, hidden])?;
            parts.push(ops.expand(&zeros, &[batch, missing, hidden])?);
        }
        ops.concat(&parts.iter().collect::<Vec<_>>(), 1)
    }

    fn embed_suffix<O: Ops>(
        &self,
        ops: &O,
        inputs: &SuffixInputs<'_, O::Tensor>,
    ) -> Result<O::Tensor, O::Error> {
        let width = self.config.expert_hidden_size;
        let action = linear(ops, "model.action_in_proj", inputs.x_t, width)?;
        let time = ops.sinusoid(inputs.time, &self.config.time_frequencies())?;
        let time = ops.tag("suffix.time_emb", &time)?;
        let both = ops.concat(&[&action, &time], 2)?;
        let inner = ops.silu(&linear(ops, "model.action_time_mlp_in", &both, width)?)?;
        linear(ops, "model.action_time_mlp_out", &inner, width)
    }

    /// Cross layers re-project the text layer's rotated keys and its values; they are not rotated again.
    fn for_expert<O: Ops>(
        &self,
        ops: &O,
        index: usize,
        key: O::Tensor,
        value: O::Tensor,
    ) -> Result<LayerCache<O::Tensor>, O::Error> {
        if !self.config.cross_layers[index] {
            return Ok(LayerCache { key, value });
        }
        let layer = self.expert_layer(index);
        Ok(LayerCache { key: layer.key(ops, &key)?, value: layer.value(ops, &value)? })
    }

    fn attend_to_all<O: Ops>(
        &self,
        ops: &O,
        layer: &DecoderLayer,
        normed: &O::Tensor,
        cached: &LayerCache<O::Tensor>,
        inputs: &SuffixInputs<'_, O::Tensor>,
    ) -> Result<O::Tensor, O::Error> {
        let rope = self.prefix_rope(ops, cached);
        let query = layer.query(ops, normed, inputs.positions, &rope)?;
        let key = ops.rope(&layer.key(ops, normed)?, inputs.positions, &rope)?;
        let key = ops.concat(&[&cached.key, &key], 1)?;
        let value = ops.concat(&[&cached.value, &layer.value(ops, normed)?], 1)?;
        ops.attention(&query, &key, &value, Some(inputs.mask), layer.heads)
    }

    /// Queries are rotated from position 0 on, whatever stands before them.
    fn attend_to_prefix<O: Ops>(
        &self,
        ops: &O,
        layer: &DecoderLayer,
        normed: &O::Tensor,
        cached: &LayerCache<O::Tensor>,
        inputs: &SuffixInputs<'_, O::Tensor>,
    ) -> Result<O::Tensor, O::Error> {
        let chunk = self.config.chunk_size;
        let positions = ops.constant_ids(&(0..chunk as i64).collect::<Vec<_>>(), &[1, chunk])?;
        let query = layer.query(ops, normed, &positions, &self.prefix_rope(ops, cached))?;
        let mask = ops.slice(inputs.mask, 2, 0, ops.shape(&cached.key)[1])?;
        ops.attention(&query, &cached.key, &cached.value, Some(&mask), layer.heads)
    }

    fn prefix_rope<O: Ops>(&self, ops: &O, cached: &LayerCache<O::Tensor>) -> Rope {
        self.config.rope(ops.shape(&cached.key)[1])
    }

    fn text_layer(&self, index: usize) -> DecoderLayer {
        DecoderLayer {
            path: format!("{TEXT}.layers.{index}"),
            hidden_size: self.config.text.hidden_size,
            intermediate_size: self.config.text.intermediate_size,
            heads: self.config.heads(),
            eps: self.config.text.rms_norm_eps,
        }
    }

    fn expert_layer(&self, index: usize) -> DecoderLayer {
        DecoderLayer {
            path: format!("{EXPERT}.layers.{index}"),
            hidden_size: self.config.expert_hidden_size,
            intermediate_size: self.config.expert_intermediate_size,
            heads: self.config.heads(),
            eps: self.config.text.rms_norm_eps,
        }
    }
}
