//! Layers that both transformers share: a weight's name and shape, and the operation it is for.

use crate::ops::{Heads, Ops, Rope};

/// `x wᵀ + b` with `<path>.weight` `[width, in]` and `<path>.bias`.
pub(crate) fn linear<O: Ops>(
    ops: &O,
    path: &str,
    x: &O::Tensor,
    width: usize,
) -> Result<O::Tensor, O::Error> {
    let w = ops.param(&format!("{path}.weight"), &[width, last_width(ops, x)])?;
    let b = ops.param(&format!("{path}.bias"), &[width])?;
    ops.linear(x, &w, Some(&b))
}

/// [`linear`] without a bias.
pub(crate) fn projection<O: Ops>(
    ops: &O,
    path: &str,
    x: &O::Tensor,
    width: usize,
) -> Result<O::Tensor, O::Error> {
    let w = ops.param(&format!("{path}.weight"), &[width, last_width(ops, x)])?;
    ops.linear(x, &w, None)
}

/// Layer norm with `<path>.weight` and `<path>.bias`.
pub(crate) fn layer_norm<O: Ops>(
    ops: &O,
    path: &str,
    x: &O::Tensor,
    eps: f64,
) -> Result<O::Tensor, O::Error> {
    let width = last_width(ops, x);
    let w = ops.param(&format!("{path}.weight"), &[width])?;
    let b = ops.param(&format!("{path}.bias"), &[width])?;
    ops.layer_norm(x, &w, &b, eps)
}

/// RMS norm with `<path>.weight`.
pub(crate) fn rms_norm<O: Ops>(ops: &O, path: &str, x: &O::Tensor, eps: f64) -> Result<O::Tensor, O::Error> {
    let w = ops.param(&format!("{path}.weight"), &[last_width(ops, x)])?;
    ops.rms_norm(x, &w, eps)
}

fn last_width<O: Ops>(ops: &O, x: &O::Tensor) -> usize {
    ops.shape(x).last().copied().unwrap_or(0)
}

/// One Llama-style layer of the text model or the expert. The two differ in width only; who attends to whom is
/// the caller's business, so attention itself is not here.
pub(crate) struct DecoderLayer {
    pub(crate) path: String,
    pub(crate) hidden_size: usize,
    pub(crate) intermediate_size: usize,
    pub(crate) heads: Heads,
    pub(crate) eps: f64,
}

impl DecoderLayer {
    /// The input of the attention's projections.
    pub(crate) fn attention_input<O: Ops>(&self, ops: &O, x: &O::Tensor) -> Result<O::Tensor, O::Error> {
        rms_norm(ops, &format!("{}.input_layernorm", self.path), x, self.eps)
    }

    /// Rotated queries.
    pub(crate) fn query<O: Ops>(
        &self,
        ops: &O,
        normed: &O::Tensor,
        positions: &O::Tensor,
        rope: &Rope,
    ) -> Result<O::Tensor, O::Error> {
        let q = self.project(ops, "q_proj", normed, self.heads.query_width())?;
        ops.rope(&q, positions, rope)
    }

    /// Keys before rotation, of the layer's own input or of another stack's keys.
    pub(crate) fn key<O: Ops>(&self, ops: &O, x: &O::Tensor) -> Result<O::Tensor, O::Error> {
        self.project(ops, "k_proj", x, self.heads.key_value_width())
    }

    /// Values, as [`Self::key`].
    pub(crate) fn value<O: Ops>(&self, ops: &O, x: &O::Tensor) -> Result<O::Tensor, O::Error> {
        self.project(ops, "v_proj", x, self.heads.key_value_width())
    }

    /// What follows the attention: `h = x + o_proj(attended)`, then `h + down(silu(gate(n)) · up(n))`, n = norm(h).
    pub(crate) fn finish<O: Ops>(
        &self,
        ops: &O,
        x: &O::Tensor,
        attended: &O::Tensor,
    ) -> Result<O::Tensor, O::Error> {
        let h = ops.add(x, &self.project(ops, "o_proj", attended, self.hidden_size)?)?;
        let n = rms_norm(ops, &format!("{}.post_attention_layernorm", self.path), &h, self.eps)?;
        let gate = projection(ops, &format!("{}.mlp.gate_proj", self.path), &n, self.intermediate_size)?;
        let up = projection(ops, &format!("{}.mlp.up_proj", self.path), &n, self.intermediate_size)?;
        let inner = ops.mul(&ops.silu(&gate)?, &up)?;
        ops.add(&h, &projection(ops, &format!("{}.mlp.down_proj", self.path), &inner, self.hidden_size)?)
    }

    fn project<O: Ops>(
        &self,
        ops: &O,
        name: &str,
        x: &O::Tensor,
        width: usize,
    ) -> Result<O::Tensor, O::Error> {
        projection(ops, &format!("{}.self_attn.{name}", self.path), x, width)
    }
}
