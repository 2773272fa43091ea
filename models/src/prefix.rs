//! The prefix: images, language and state to each text layer's keys and values.
//!
//! Images and language never look at the state. With a frozen VLM their rows are constants of a frame, so the prefix
//! also comes in two halves: [`SmolVla::context`] without the state, and [`SmolVla::append_state`] for the one row
//! that a gradient has to pass through.

use crate::nn::{linear, rms_norm};
use crate::ops::Ops;
use crate::smolvla::{LayerCache, SmolVla, TEXT};

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

/// The inputs of the prefix's first half: images and language.
#[derive(Debug)]
pub struct ContextInputs<'a, T> {
    /// One entry a camera slot, as [`SmolVla::vision`] returns them.
    pub image_tokens: &'a [T],
    /// `[batch, language tokens]`, integers.
    pub token_ids: &'a T,
    /// `[batch, context tokens, context tokens]`, of [`crate::masks::PrefixLayout::context_mask`].
    pub mask: &'a T,
    /// `[batch, context tokens]`, integers, of [`crate::masks::PrefixLayout::context_positions`].
    pub positions: &'a T,
}

/// The inputs of the prefix's second half: the state.
#[derive(Debug)]
pub struct StateInputs<'a, T> {
    /// `[batch, max_state_dim]`.
    pub state: &'a T,
    /// `[batch, 1, context tokens + 1]`, of [`crate::masks::PrefixLayout::state_mask`].
    pub mask: &'a T,
    /// `[batch, 1]`, integers, of [`crate::masks::PrefixLayout::state_position`].
    pub position: &'a T,
}

impl SmolVla<'_> {
    /// Runs the prefix and keeps what each expert layer needs of it.
    ///
    /// # Errors
    /// If a weight or a shape does not fit.
    pub fn prefix<O: Ops>(
        &self,
        ops: &O,
        inputs: &PrefixInputs<'_, O::Tensor>,
    ) -> Result<Vec<LayerCache<O::Tensor>>, O::Error> {
        let context = self.embed_context(ops, inputs.image_tokens, inputs.token_ids)?;
        let x = ops.concat(&[&context, &self.embed_state(ops, inputs.state)?], 1)?;
        let x = ops.tag("prefix.embs", &self.pad(ops, x)?)?;
        let layers = self.text_layers(ops, x, inputs.mask, inputs.positions)?;
        self.all_for_expert(ops, layers)
    }

    /// Runs the prefix without the state. The result depends on frozen weights only if the VLM is frozen, and is
    /// not yet projected for the expert.
    ///
    /// # Errors
    /// If a weight or a shape does not fit.
    pub fn context<O: Ops>(
        &self,
        ops: &O,
        inputs: &ContextInputs<'_, O::Tensor>,
    ) -> Result<Vec<LayerCache<O::Tensor>>, O::Error> {
        let x = self.embed_context(ops, inputs.image_tokens, inputs.token_ids)?;
        self.text_layers(ops, x, inputs.mask, inputs.positions)
    }

    /// Runs the state through the text layers over a context: what [`Self::prefix`] returns, but for rows that are
    /// padding and that nothing reads.
    ///
    /// # Errors
    /// If a weight or a shape does not fit.
    pub fn append_state<O: Ops>(
        &self,
        ops: &O,
        context: &[LayerCache<O::Tensor>],
        inputs: &StateInputs<'_, O::Tensor>,
    ) -> Result<Vec<LayerCache<O::Tensor>>, O::Error> {
        let mut x = self.embed_state(ops, inputs.state)?;
        let mut cache = Vec::with_capacity(context.len());
        for (index, seen) in context.iter().enumerate() {
            let layer = self.text_layer(index);
            let rope = self.config.rope(ops.shape(inputs.mask)[2]);
            let normed = layer.attention_input(ops, &x)?;
            let key = ops.rope(&layer.key(ops, &normed)?, inputs.position, &rope)?;
            let key = ops.concat(&[&seen.key, &key], 1)?;
            let value = ops.concat(&[&seen.value, &layer.value(ops, &normed)?], 1)?;
            if index + 1 < context.len() {
                let query = layer.query(ops, &normed, inputs.position, &rope)?;
                let attended = ops.attention(&query, &key, &value, Some(inputs.mask), layer.heads)?;
                x = layer.finish(ops, &x, &attended)?;
            }
            cache.push(LayerCache { key: self.pad(ops, key)?, value: self.pad(ops, value)? });
        }
        self.all_for_expert(ops, cache)
    }

    /// Every text layer's rotated keys and its values, of tokens that look at each other as `mask` says.
    fn text_layers<O: Ops>(
        &self,
        ops: &O,
        mut x: O::Tensor,
        mask: &O::Tensor,
        positions: &O::Tensor,
    ) -> Result<Vec<LayerCache<O::Tensor>>, O::Error> {
        let rope = self.config.rope(ops.shape(&x)[1]);
        let layer_count = self.config.layer_count();
        let mut cache = Vec::with_capacity(layer_count);
        for index in 0..layer_count {
            let layer = self.text_layer(index);
            let normed = layer.attention_input(ops, &x)?;
            let key = ops.rope(&layer.key(ops, &normed)?, positions, &rope)?;
            let key = ops.tag(&format!("kv.k.{index}"), &key)?;
            let value = ops.tag(&format!("kv.v.{index}"), &layer.value(ops, &normed)?)?;
            if index + 1 < layer_count || self.last_layer_in_full {
                let query = layer.query(ops, &normed, positions, &rope)?;
                let attended = ops.attention(&query, &key, &value, Some(mask), layer.heads)?;
                x = ops.tag(&format!("prefix.hidden.{index}"), &layer.finish(ops, &x, &attended)?)?;
            }
            cache.push(LayerCache { key, value });
        }
        if self.last_layer_in_full {
            ops.tag(
                "prefix.final",
                &rms_norm(ops, &format!("{TEXT}.norm"), &x, self.config.text.rms_norm_eps)?,
            )?;
        }
        Ok(cache)
    }

    fn all_for_expert<O: Ops>(
        &self,
        ops: &O,
        layers: Vec<LayerCache<O::Tensor>>,
    ) -> Result<Vec<LayerCache<O::Tensor>>, O::Error> {
        let layers = layers.into_iter().enumerate();
        layers.map(|(index, layer)| self.for_expert(ops, index, layer.key, layer.value)).collect()
    }

    fn embed_context<O: Ops>(
        &self,
        ops: &O,
        image_tokens: &[O::Tensor],
        token_ids: &O::Tensor,
    ) -> Result<O::Tensor, O::Error> {
        let hidden = self.config.text.hidden_size;
        let batch = ops.shape(token_ids)[0];
        // Images and language are scaled, state and special tokens are not.
        let scale = (hidden as f64).sqrt();
        let table =
            ops.param(&format!("{TEXT}.embed_tokens.weight"), &[self.config.text.vocab_size, hidden])?;
        let special = |ids: &[i64]| {
            let rows = ops.embedding(&table, &ops.constant_ids(ids, &[1, ids.len()])?)?;
            ops.expand(&rows, &[batch, ids.len(), hidden])
        };
        let mut parts = Vec::new();
        for tokens in image_tokens {
            let image = ops.scale(tokens, scale)?;
            match self.config.image_special_tokens {
                Some([fake, global]) => parts.extend([special(&[fake, global])?, image, special(&[fake])?]),
                None => parts.push(image),
            }
        }
        parts.push(ops.scale(&ops.embedding(&table, token_ids)?, scale)?);
        ops.concat(&parts.iter().collect::<Vec<_>>(), 1)
    }

    /// `[batch, 1, text hidden]`.
    fn embed_state<O: Ops>(&self, ops: &O, state: &O::Tensor) -> Result<O::Tensor, O::Error> {
        let hidden = self.config.text.hidden_size;
        let row = linear(ops, "model.state_proj", state, hidden)?;
        ops.reshape(&row, &[ops.shape(state)[0], 1, hidden])
    }

    /// Zeros after the tokens of `x` `[batch, tokens, width]`, up to the length that the configuration asks for.
    fn pad<O: Ops>(&self, ops: &O, x: O::Tensor) -> Result<O::Tensor, O::Error> {
        let shape = ops.shape(&x);
        let (batch, width) = (shape[0], shape[2]);
        let missing = self.config.prefix_length.saturating_sub(shape[1]);
        if missing == 0 {
            return Ok(x);
        }
        let zeros = ops.constant(&vec![0.0; missing * width], &[1, missing, width])?;
        ops.concat(&[&x, &ops.expand(&zeros, &[batch, missing, width])?], 1)
    }
}
