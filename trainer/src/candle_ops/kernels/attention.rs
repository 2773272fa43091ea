//! Softmax attention over blocks of queries, whose scores stay in the cache.

use super::attention_gradient::attention_gradients;
use super::norm::softmax;
use super::product::{Matrix, multiply};
use super::recorded::record3;
use super::{filled, refused, vectorised, with_values};
use crate::Error;
use candle_core::Tensor;
use rayon::prelude::*;
use sinew_models::ops::Heads;

/// Queries of a task: their scores over a picture's 1024 patches fill half a megabyte.
pub(super) const QUERIES_PER_TASK: usize = 128;

/// Queries of a task without a gradient. Each puts the keys in order for its product anew, so there are few tasks where
/// there are many queries.
const MOST_QUERIES_PER_TASK: usize = 256;

/// Attention as [`sinew_models::ops::Ops::attention`] defines it, with gradients of queries, keys and values.
pub(crate) fn attention(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    mask: Option<&Tensor>,
    heads: Heads,
) -> Result<Tensor, Error> {
    let (batch, queries, width) = q.dims3()?;
    let (k_batch, keys, k_width) = k.dims3()?;
    let is_mask_right = mask.is_none_or(
        |mask| matches!(mask.dims(), [b, q, k] if (*b == 1 || *b == batch) && [*q, *k] == [queries, keys]),
    );
    if [width, k_width] != [heads.query_width(), heads.key_value_width()]
        || k_batch != batch
        || v.dims() != k.dims()
        || !is_mask_right
    {
        return Err(refused(format!(
            "attention of {:?} to {:?} and {:?} with {heads:?}",
            q.dims(),
            k.dims(),
            v.dims()
        )));
    }
    let sizes = Sizes { keys, heads };
    let result = filled(q.dims(), |output| {
        with_batch(q, k, v, mask, |batch| {
            let samples = output.par_chunks_exact_mut(queries * width).enumerate();
            samples
                .for_each(|(sample, output)| sample_attention(output, &batch.sample(sample, sizes), sizes));
        })
    })?;
    let mask = mask.map(Tensor::detach);
    record3("attention", [q, k, v], result, move |[q, k, v], gradient| {
        attention_gradients(q, k, v, mask.as_ref(), heads, gradient)
    })
}

/// Calls `f` with the operands' numbers.
pub(super) fn with_batch<R>(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    mask: Option<&Tensor>,
    f: impl FnOnce(Batch<'_>) -> R,
) -> Result<R, Error> {
    let queries = q.dim(1)?;
    let no_mask = Tensor::zeros(0, candle_core::DType::F32, q.device())?;
    with_values([q, k, v, mask.unwrap_or(&no_mask)], |[q, k, v, mask]| f(Batch { q, k, v, mask, queries }))
}

/// All samples' numbers; no mask is an empty one, and one may be shared.
#[derive(Clone, Copy)]
pub(super) struct Batch<'a> {
    q: &'a [f32],
    k: &'a [f32],
    v: &'a [f32],
    mask: &'a [f32],
    queries: usize,
}

impl<'a> Batch<'a> {
    pub(super) fn sample(&self, sample: usize, sizes: Sizes) -> Inputs<'a> {
        let of_queries = self.queries * sizes.heads.query_width();
        let of_keys = sizes.keys * sizes.heads.key_value_width();
        let of_mask = self.queries * sizes.keys;
        let mask = if self.mask.len() == of_mask {
            self.mask
        } else {
            self.mask.get(sample * of_mask..).unwrap_or(&[])
        };
        Inputs {
            q: &self.q[sample * of_queries..][..of_queries],
            k: &self.k[sample * of_keys..][..of_keys],
            v: &self.v[sample * of_keys..][..of_keys],
            mask: mask.get(..of_mask),
        }
    }
}

#[derive(Clone, Copy)]
pub(super) struct Sizes {
    pub(super) keys: usize,
    pub(super) heads: Heads,
}

impl Sizes {
    pub(super) fn scale(&self) -> f32 {
        (self.heads.dim as f32).powf(-0.5)
    }

    /// Where in a row of keys or values those of a query head begin.
    pub(super) fn key_value_start(&self, head: usize) -> usize {
        head / (self.heads.query / self.heads.key_value) * self.heads.dim
    }
}

/// One sample's numbers, shaped as the tensors without their first axis.
pub(super) struct Inputs<'a> {
    pub(super) q: &'a [f32],
    pub(super) k: &'a [f32],
    pub(super) v: &'a [f32],
    mask: Option<&'a [f32]>,
}

fn sample_attention(output: &mut [f32], inputs: &Inputs<'_>, sizes: Sizes) {
    let width = sizes.heads.query_width();
    let queries = output.len() / width;
    let per_task = queries.div_ceil(4).clamp(QUERIES_PER_TASK, MOST_QUERIES_PER_TASK).min(queries);
    let blocks = output.par_chunks_mut(per_task * width).enumerate();
    blocks.for_each_init(
        || vec![0.0; per_task * sizes.keys],
        |scores, (block, output)| {
            for head in 0..sizes.heads.query {
                block_attention(output, scores, inputs, sizes, block * per_task, head);
            }
        },
    );
}

/// One head of the queries from `first` on, as many as `output` has rows.
fn block_attention(
    output: &mut [f32],
    scores: &mut [f32],
    inputs: &Inputs<'_>,
    sizes: Sizes,
    first: usize,
    head: usize,
) {
    let Sizes { keys, heads, .. } = sizes;
    let (width, kv_width) = (heads.query_width(), heads.key_value_width());
    let rows = output.len() / width;
    let scores = &mut scores[..rows * keys];
    let kv_start = sizes.key_value_start(head);
    let v = Matrix::new(&inputs.v[kv_start..], keys, heads.dim, kv_width);
    attention_weights(scores, inputs, sizes, first, head);
    let weights = Matrix::new(scores, rows, keys, keys);
    multiply(&mut output[head * heads.dim..], width, false, 1.0, weights, v, 1);
}

/// What each query of a head from `first` on gives each key, `[queries, keys]`.
pub(super) fn attention_weights(
    scores: &mut [f32],
    inputs: &Inputs<'_>,
    sizes: Sizes,
    first: usize,
    head: usize,
) {
    let Sizes { keys, heads } = sizes;
    let (width, kv_width) = (heads.query_width(), heads.key_value_width());
    let q = Matrix::new(&inputs.q[first * width + head * heads.dim..], scores.len() / keys, heads.dim, width);
    let k = Matrix::new(&inputs.k[sizes.key_value_start(head)..], keys, heads.dim, kv_width);
    let scale = sizes.scale();
    multiply(scores, keys, false, scale, q, k.transposed(), 1);
    vectorised(
        #[inline(always)]
        || {
            for (row, scores) in scores.chunks_exact_mut(keys).enumerate() {
                if let Some(mask) = inputs.mask {
                    let mask = &mask[(first + row) * keys..][..keys];
                    for (score, mask) in scores.iter_mut().zip(mask) {
                        *score += mask;
                    }
                }
                softmax(scores);
            }
        },
    );
}
