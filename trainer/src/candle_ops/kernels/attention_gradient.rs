//! Gradients of softmax attention, from weights computed anew: they take less time than memory to keep.

use super::attention::{Inputs, QUERIES_PER_TASK, Sizes, attention_weights, with_batch};
use super::norm::dot;
use super::product::{Matrix, multiply};
use super::{vectorised, with_values};
use crate::Error;
use candle_core::{Device, Tensor};
use rayon::prelude::*;
use sinew_models::ops::Heads;

/// Gradients of queries, keys and values; none for a constant.
pub(super) fn attention_gradients(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    mask: Option<&Tensor>,
    heads: Heads,
    gradient: &Tensor,
) -> Result<[Option<Tensor>; 3], Error> {
    let sizes = Sizes { keys: k.dim(1)?, heads };
    let (of_query, of_key) = (q.dim(1)? * heads.query_width(), sizes.keys * heads.key_value_width());
    let mut of_q = vec![0.0; q.elem_count()];
    let (mut of_k, mut of_v) = (vec![0.0; k.elem_count()], vec![0.0; v.elem_count()]);
    with_batch(q, k, v, mask, |batch| {
        with_values([gradient], |[gradient]| {
            let outputs = of_q.par_chunks_exact_mut(of_query).zip(of_k.par_chunks_exact_mut(of_key));
            let outputs = outputs.zip(of_v.par_chunks_exact_mut(of_key)).enumerate();
            outputs.for_each(|(sample, ((q, k), v))| {
                let gradient = &gradient[sample * of_query..][..of_query];
                sample_gradients(&mut Outputs { q, k, v }, &batch.sample(sample, sizes), sizes, gradient);
            });
        })
    })??;
    let tensor = |of: &Tensor, values: Vec<f32>| -> Result<Option<Tensor>, Error> {
        Ok(if of.track_op() { Some(Tensor::from_vec(values, of.dims(), &Device::Cpu)?) } else { None })
    };
    Ok([tensor(q, of_q)?, tensor(k, of_k)?, tensor(v, of_v)?])
}

/// One sample's gradients.
struct Outputs<'a> {
    q: &'a mut [f32],
    k: &'a mut [f32],
    v: &'a mut [f32],
}

fn sample_gradients(outputs: &mut Outputs<'_>, inputs: &Inputs<'_>, sizes: Sizes, gradient: &[f32]) {
    let width = sizes.heads.query_width();
    let block_len = QUERIES_PER_TASK.min(gradient.len() / width) * sizes.keys;
    let (mut weights, mut slopes) = (vec![0.0; block_len], vec![0.0; block_len]);
    for (block, gradient) in gradient.chunks(QUERIES_PER_TASK * width).enumerate() {
        let used = gradient.len() / width * sizes.keys;
        for head in 0..sizes.heads.query {
            let scratch = (&mut weights[..used], &mut slopes[..used]);
            block_gradients(outputs, scratch, inputs, sizes, block * QUERIES_PER_TASK, head, gradient);
        }
    }
}

/// Adds what one head of the queries from `first` on contributes; `gradient` is that of their rows.
fn block_gradients(
    outputs: &mut Outputs<'_>,
    (weights, slopes): (&mut [f32], &mut [f32]),
    inputs: &Inputs<'_>,
    sizes: Sizes,
    first: usize,
    head: usize,
    gradient: &[f32],
) {
    let Sizes { keys, heads } = sizes;
    let (dim, width, kv_width) = (heads.dim, heads.query_width(), heads.key_value_width());
    let rows = gradient.len() / width;
    let (q_start, kv_start) = (first * width + head * dim, sizes.key_value_start(head));
    let of_rows = Matrix::new(&gradient[head * dim..], rows, dim, width);
    attention_weights(weights, inputs, sizes, first, head);
    let v = Matrix::new(&inputs.v[kv_start..], keys, dim, kv_width);
    multiply(slopes, keys, false, 1.0, of_rows, v.transposed(), 1);
    let of_weights = Matrix::new(weights, rows, keys, keys).transposed();
    multiply(&mut outputs.v[kv_start..], kv_width, true, 1.0, of_weights, of_rows, 1);
    // From what a weight is worth to what its score is: softmax weighs each against the mean.
    vectorised(
        #[inline(always)]
        || {
            for (slopes, weights) in slopes.chunks_exact_mut(keys).zip(weights.chunks_exact(keys)) {
                let mean = dot(slopes, weights);
                for (slope, weight) in slopes.iter_mut().zip(weights) {
                    *slope = weight * (*slope - mean);
                }
            }
        },
    );
    let slopes = Matrix::new(slopes, rows, keys, keys);
    let k = Matrix::new(&inputs.k[kv_start..], keys, dim, kv_width);
    let q = Matrix::new(&inputs.q[q_start..], rows, dim, width);
    multiply(&mut outputs.q[q_start..], width, false, sizes.scale(), slopes, k, 1);
    multiply(&mut outputs.k[kv_start..], kv_width, true, sizes.scale(), slopes.transposed(), q, 1);
}
