//! The action expert: noisy actions, attending to the prefix, to a velocity.
//!
//! Two kinds of layers alternate: in a *self* layer the actions attend to the prefix's keys and to each other; in a
//! *cross* layer to the prefix alone, through projections of its keys and values that depend on nothing but the
//! prefix and are made with it.

use crate::nn::{DecoderLayer, linear, rms_norm};
use crate::ops::{Ops, Rope};
use crate::smolvla::{EXPERT, LayerCache, SmolVla};

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

impl SmolVla<'_> {
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

    /// Cross layers re-project the text layer's rotated keys and its values; they are not rotated again.
    pub(crate) fn for_expert<O: Ops>(
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
}
