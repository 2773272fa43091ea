//! Softmax attention over blocks of queries, whose scores stay in the cache.

use super::norm::softmax;
use super::product::{Matrix, multiply};
use super::{filled, refused, vectorised, with_values};
use crate::Error;
use candle_core::Tensor;
use rayon::prelude::*;
use sinew_models::ops::Heads;

/// Queries of a task: their scores over a picture's 1024 patches fill half a megabyte.
const QUERIES_PER_TASK: usize = 128;

/// Attention as [`sinew_models::ops::Ops::attention`] defines it.
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
    let nothing = Tensor::zeros(0, candle_core::DType::F32, q.device())?;
    filled(q.dims(), |output| {
        with_values([q, k, v, mask.unwrap_or(&nothing)], |[q, k, v, mask]| {
            let sizes = Sizes { keys, heads };
            let per_sample = if mask.len() == queries * keys { 0 } else { queries * keys };
            let samples = output.par_chunks_exact_mut(queries * width).enumerate();
            samples.for_each(|(sample, output)| {
                let inputs = Inputs {
                    q: &q[sample * queries * width..][..queries * width],
                    k: &k[sample * keys * k_width..][..keys * k_width],
                    v: &v[sample * keys * k_width..][..keys * k_width],
                    mask: (!mask.is_empty()).then(|| &mask[sample * per_sample..][..queries * keys]),
                };
                sample_attention(output, &inputs, sizes);
            });
        })
    })
}

#[derive(Clone, Copy)]
struct Sizes {
    keys: usize,
    heads: Heads,
}

/// One sample's numbers, shaped as the tensors without their first axis.
struct Inputs<'a> {
    q: &'a [f32],
    k: &'a [f32],
    v: &'a [f32],
    mask: Option<&'a [f32]>,
}

fn sample_attention(output: &mut [f32], inputs: &Inputs<'_>, sizes: Sizes) {
    let width = sizes.heads.query_width();
    let blocks = output.par_chunks_mut(QUERIES_PER_TASK * width).enumerate();
    blocks.for_each_init(
        || vec![0.0; QUERIES_PER_TASK * sizes.keys],
        |scores, (block, output)| {
            for head in 0..sizes.heads.query {
                block_attention(output, scores, inputs, sizes, block * QUERIES_PER_TASK, head);
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
    let kv_start = head / (heads.query / heads.key_value) * heads.dim;
    let q = Matrix::new(&inputs.q[first * width + head * heads.dim..], rows, heads.dim, width);
    let k = Matrix::new(&inputs.k[kv_start..], keys, heads.dim, kv_width);
    let v = Matrix::new(&inputs.v[kv_start..], keys, heads.dim, kv_width);
    let scale = (heads.dim as f32).powf(-0.5);
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
    let weights = Matrix::new(scores, rows, keys, keys);
    multiply(&mut output[head * heads.dim..], width, false, 1.0, weights, v, 1);
}
