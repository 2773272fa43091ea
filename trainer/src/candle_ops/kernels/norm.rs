//! Normalisation of rows, and what it shares with softmax.

use super::exp::exp;
use super::recorded::{record2, record3};
use super::{ROWS_PER_TASK, filled, refused, vectorised, with_values};
use crate::Error;
use candle_core::Tensor;
use rayon::prelude::*;

/// Partial results of a fold; as many as four of the widest vectors hold, so that none waits for the one before.
const LANES: usize = 64;

/// Folds a row in lanes: a compiler may not reorder a sum of floats by itself.
#[inline(always)]
fn fold(row: &[f32], first: f32, step: impl Fn(f32, f32) -> f32, join: impl Fn(f32, f32) -> f32) -> f32 {
    let (chunks, rest) = row.as_chunks::<LANES>();
    let mut lanes = [first; LANES];
    for chunk in chunks {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane = step(*lane, *x);
        }
    }
    let rest = rest.iter().fold(first, |sum, x| step(sum, *x));
    lanes.into_iter().fold(rest, join)
}

#[inline(always)]
fn sum(row: &[f32]) -> f32 {
    fold(
        row,
        0.0,
        #[inline(always)]
        |sum, x| sum + x,
        |a, b| a + b,
    )
}

#[inline(always)]
fn sum_of_squares(row: &[f32]) -> f32 {
    fold(
        row,
        0.0,
        #[inline(always)]
        |sum, x| x.mul_add(x, sum),
        |a, b| a + b,
    )
}

/// `Σ a b`.
#[inline(always)]
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a_chunks, a_rest) = a.as_chunks::<LANES>();
    let (b_chunks, b_rest) = b.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for (a, b) in a_chunks.iter().zip(b_chunks) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane = a.mul_add(*b, *lane);
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    lanes.iter().sum::<f32>() + rest
}

/// `eˣ / Σ eˣ` in place.
#[inline(always)]
pub(super) fn softmax(row: &mut [f32]) {
    let largest = fold(
        row,
        f32::MIN,
        #[inline(always)]
        |a, b| if b > a { b } else { a },
        f32::max,
    );
    let (chunks, rest) = row.as_chunks_mut::<LANES>();
    let mut lanes = [0.0; LANES];
    for chunk in chunks {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *x = exp(*x - largest);
            *lane += *x;
        }
    }
    let mut total = 0.0;
    for x in rest {
        *x = exp(*x - largest);
        total += *x;
    }
    let scale = 1.0 / lanes.into_iter().fold(total, |a, b| a + b);
    for x in row.iter_mut() {
        *x *= scale;
    }
}

/// Normalises rows to mean 0 and (biased) variance 1, then `· w + b`, with a gradient.
pub(crate) fn layer_norm(x: &Tensor, w: &Tensor, b: &Tensor, eps: f64) -> Result<Tensor, Error> {
    let width = row_width(x, &[w, b])?;
    let result = filled(x.dims(), |output| {
        with_values([x, w, b], |[x, w, b]| {
            each_row(
                output,
                x,
                width,
                #[inline(always)]
                |output, row| {
                    centre(output, row);
                    let scale = inverse_rms(output, eps);
                    for ((output, w), b) in output.iter_mut().zip(w).zip(b) {
                        *output = (*output * scale).mul_add(*w, *b);
                    }
                },
            );
        })
    })?;
    // It is the RMS norm of the centred rows, and a gradient is centred as the rows are.
    record3("layer_norm", [x, w, b], result, move |[x, w, b], gradient| {
        let rows = centred(x)?;
        let of_x = || centred(&rms_norm_input_gradient(&rows, w, gradient, eps)?);
        let of_x = if x.track_op() { Some(of_x()?) } else { None };
        let of_w = if w.track_op() { Some(rms_norm_weight_gradient(&rows, gradient, eps)?) } else { None };
        let of_b = if b.track_op() { Some(row_sum(gradient)?) } else { None };
        Ok([of_x, of_w, of_b])
    })
}

/// Rows minus their mean.
fn centred(x: &Tensor) -> Result<Tensor, Error> {
    let width = row_width(x, &[])?;
    filled(x.dims(), |output| with_values([x], |[x]| each_row(output, x, width, centre)))
}

#[inline(always)]
fn centre(output: &mut [f32], row: &[f32]) {
    let mean = sum(row) / row.len() as f32;
    for (output, x) in output.iter_mut().zip(row) {
        *output = x - mean;
    }
}

/// All rows together.
pub(super) fn row_sum(x: &Tensor) -> Result<Tensor, Error> {
    let width = row_width(x, &[])?;
    filled(&[width], |output| {
        with_values([x], |[x]| {
            vectorised(
                #[inline(always)]
                || {
                    for row in x.chunks_exact(width) {
                        for (output, x) in output.iter_mut().zip(row) {
                            *output += x;
                        }
                    }
                },
            );
        })
    })
}

/// Divides rows by their root mean square, then `· w`, with a gradient.
pub(crate) fn rms_norm(x: &Tensor, w: &Tensor, eps: f64) -> Result<Tensor, Error> {
    let width = row_width(x, &[w])?;
    let result = filled(x.dims(), |output| {
        with_values([x, w], |[x, w]| {
            each_row(
                output,
                x,
                width,
                #[inline(always)]
                |output, row| {
                    let scale = inverse_rms(row, eps);
                    for ((output, x), w) in output.iter_mut().zip(row).zip(w) {
                        *output = x * scale * w;
                    }
                },
            );
        })
    })?;
    record2("rms_norm", [x, w], result, move |[x, w], gradient| {
        let of_x = if x.track_op() { Some(rms_norm_input_gradient(x, w, gradient, eps)?) } else { None };
        let of_w = if w.track_op() { Some(rms_norm_weight_gradient(x, gradient, eps)?) } else { None };
        Ok([of_x, of_w])
    })
}

/// `s w g − x s³ Σ(w g x) / n` of each row, with `s` one over its root mean square.
fn rms_norm_input_gradient(x: &Tensor, w: &Tensor, gradient: &Tensor, eps: f64) -> Result<Tensor, Error> {
    let width = row_width(x, &[w])?;
    let weighted = gradient.broadcast_mul(w)?;
    filled(x.dims(), |output| {
        with_values([x, &weighted], |[x, weighted]| {
            let task = ROWS_PER_TASK * width;
            let tasks = output.par_chunks_mut(task).zip(x.par_chunks(task)).zip(weighted.par_chunks(task));
            tasks.for_each(|((output, x), weighted)| {
                vectorised(
                    #[inline(always)]
                    || {
                        let rows = output.chunks_exact_mut(width).zip(x.chunks_exact(width));
                        for ((output, x), weighted) in rows.zip(weighted.chunks_exact(width)) {
                            let scale = inverse_rms(x, eps);
                            let along = dot(x, weighted) * scale * scale / width as f32;
                            for ((output, x), weighted) in output.iter_mut().zip(x).zip(weighted) {
                                *output = scale * (weighted - x * along);
                            }
                        }
                    },
                );
            });
        })
    })
}

/// `Σ g x s` over the rows.
fn rms_norm_weight_gradient(x: &Tensor, gradient: &Tensor, eps: f64) -> Result<Tensor, Error> {
    let width = x.dims().last().copied().unwrap_or(0);
    filled(&[width], |output| {
        with_values([x, gradient], |[x, gradient]| {
            vectorised(
                #[inline(always)]
                || {
                    for (x, gradient) in x.chunks_exact(width).zip(gradient.chunks_exact(width)) {
                        let scale = inverse_rms(x, eps);
                        for ((output, x), gradient) in output.iter_mut().zip(x).zip(gradient) {
                            *output = (x * scale).mul_add(*gradient, *output);
                        }
                    }
                },
            );
        })
    })
}

#[inline(always)]
fn inverse_rms(row: &[f32], eps: f64) -> f32 {
    1.0 / (sum_of_squares(row) / row.len() as f32 + eps as f32).sqrt()
}

/// The width of the rows of `x`, which is that of its weights.
fn row_width(x: &Tensor, weights: &[&Tensor]) -> Result<usize, Error> {
    let width = x.dims().last().copied().unwrap_or(0);
    match weights.iter().find(|w| w.dims() != [width]) {
        Some(wrong) => Err(refused(format!("rows of {:?} by weights of {:?}", x.dims(), wrong.dims()))),
        None => Ok(width),
    }
}

fn each_row(output: &mut [f32], input: &[f32], width: usize, kernel: impl Fn(&mut [f32], &[f32]) + Sync) {
    let task = ROWS_PER_TASK * width;
    output.par_chunks_mut(task).zip(input.par_chunks(task)).for_each(|(output, input)| {
        vectorised(
            #[inline(always)]
            || {
                for (output, input) in output.chunks_exact_mut(width).zip(input.chunks_exact(width)) {
                    kernel(output, input);
                }
            },
        );
    });
}
