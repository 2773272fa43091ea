//! Normalisation of rows, and what it shares with softmax.

use super::exp::exp;
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
    for x in row.iter_mut() {
        *x = exp(*x - largest);
    }
    let scale = 1.0 / sum(row);
    for x in row.iter_mut() {
        *x *= scale;
    }
}

/// Normalises rows to mean 0 and (biased) variance 1, then `· w + b`.
pub(crate) fn layer_norm(x: &Tensor, w: &Tensor, b: &Tensor, eps: f64) -> Result<Tensor, Error> {
    let width = row_width(x, &[w, b])?;
    filled(x.dims(), |output| {
        with_values([x, w, b], |[x, w, b]| {
            each_row(
                output,
                x,
                width,
                #[inline(always)]
                |output, row| {
                    let mean = sum(row) / width as f32;
                    for (output, x) in output.iter_mut().zip(row) {
                        *output = x - mean;
                    }
                    let scale = 1.0 / (sum_of_squares(output) / width as f32 + eps as f32).sqrt();
                    for ((output, w), b) in output.iter_mut().zip(w).zip(b) {
                        *output = (*output * scale).mul_add(*w, *b);
                    }
                },
            );
        })
    })
}

/// Divides rows by their root mean square, then `· w`.
pub(crate) fn rms_norm(x: &Tensor, w: &Tensor, eps: f64) -> Result<Tensor, Error> {
    let width = row_width(x, &[w])?;
    filled(x.dims(), |output| {
        with_values([x, w], |[x, w]| {
            each_row(
                output,
                x,
                width,
                #[inline(always)]
                |output, row| {
                    let scale = 1.0 / (sum_of_squares(row) / width as f32 + eps as f32).sqrt();
                    for ((output, x), w) in output.iter_mut().zip(row).zip(w) {
                        *output = x * scale * w;
                    }
                },
            );
        })
    })
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
