//! Rotary position embedding.

use super::recorded::record1;
use super::{ROWS_PER_TASK, filled, refused, vectorised, with_values};
use crate::Error;
use candle_core::Tensor;
use rayon::prelude::*;
use sinew_models::ops::Rope;

/// Rotates every head of `x` `[batch, tokens, heads · head_dim]` by its token's position, `[batch or 1, tokens]`, with a
/// gradient.
pub(crate) fn rope(x: &Tensor, positions: &Tensor, rope: &Rope) -> Result<Tensor, Error> {
    let result = rotated(x, positions, rope, 1.0)?;
    let (positions, rope) = (positions.clone(), *rope);
    // What a rotation does to a gradient is the rotation back.
    record1("rope", x, result, move |_, gradient| Ok([Some(rotated(gradient, &positions, &rope, -1.0)?)]))
}

/// Rotates forward for a `direction` of 1, back for −1.
fn rotated(x: &Tensor, positions: &Tensor, rope: &Rope, direction: f32) -> Result<Tensor, Error> {
    let (_, tokens, width) = x.dims3()?;
    let half = rope.head_dim / 2;
    let positions: Vec<i64> = positions.broadcast_as((x.dim(0)?, tokens))?.flatten_all()?.to_vec1()?;
    if let Some(wrong) = positions.iter().find(|position| !(0..rope.position_count as i64).contains(position))
    {
        return Err(refused(format!("position {wrong} of {}", rope.position_count)));
    }
    let (cos, mut sin) = rope.tables();
    sin.iter_mut().for_each(|sin| *sin *= direction);
    filled(x.dims(), |output| {
        with_values([x], |[x]| {
            let task = ROWS_PER_TASK * width;
            let tasks =
                output.par_chunks_mut(task).zip(x.par_chunks(task)).zip(positions.par_chunks(ROWS_PER_TASK));
            tasks.for_each(|((output, x), positions)| {
                vectorised(
                    #[inline(always)]
                    || {
                        let rows = output.chunks_exact_mut(width).zip(x.chunks_exact(width));
                        for ((output, x), position) in rows.zip(positions) {
                            let angles = *position as usize * half..(*position as usize + 1) * half;
                            rotate_row(output, x, &cos[angles.clone()], &sin[angles]);
                        }
                    },
                );
            });
        })
    })
}

/// Rotates the first half of every head against the second.
#[inline(always)]
fn rotate_row(output: &mut [f32], x: &[f32], cos: &[f32], sin: &[f32]) {
    let half = cos.len();
    for (output, x) in output.chunks_exact_mut(2 * half).zip(x.chunks_exact(2 * half)) {
        let (first, second) = output.split_at_mut(half);
        let (a, b) = x.split_at(half);
        for i in 0..half {
            first[i] = a[i] * cos[i] - b[i] * sin[i];
            second[i] = b[i] * cos[i] + a[i] * sin[i];
        }
    }
}
