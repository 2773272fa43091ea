//! Activations, elementwise.

use super::exp::exp;
use super::recorded::record1;
use super::{filled, vectorised, with_values};
use crate::Error;
use candle_core::Tensor;
use rayon::prelude::*;

/// Numbers of a task.
const TASK: usize = 1 << 15;

/// `½x (1 + tanh(√(2/π) (x + 0.044715 x³)))`, which is `x / (1 + e^(−2u))` with `u` the argument of tanh, with a gradient.
pub(crate) fn gelu_tanh(x: &Tensor) -> Result<Tensor, Error> {
    /// 2 √(2/π).
    const SLOPE: f32 = 1.595_769;
    const CUBIC: f32 = 0.044_715;
    recorded(
        "gelu_tanh",
        x,
        #[inline(always)]
        |x| x / (1.0 + exp(-SLOPE * x * (x * x).mul_add(CUBIC, 1.0))),
        #[inline(always)]
        |x| {
            let sigmoid = 1.0 / (1.0 + exp(-SLOPE * x * (x * x).mul_add(CUBIC, 1.0)));
            let slope = SLOPE * (x * x).mul_add(3.0 * CUBIC, 1.0);
            sigmoid * (x * (1.0 - sigmoid) * slope + 1.0)
        },
    )
}

/// `x / (1 + e⁻ˣ)`, with a gradient.
pub(crate) fn silu(x: &Tensor) -> Result<Tensor, Error> {
    recorded(
        "silu",
        x,
        #[inline(always)]
        |x| x / (1.0 + exp(-x)),
        #[inline(always)]
        |x| {
            let sigmoid = 1.0 / (1.0 + exp(-x));
            sigmoid * (x * (1.0 - sigmoid) + 1.0)
        },
    )
}

/// A function of each number, and its derivative.
fn recorded(
    name: &'static str,
    x: &Tensor,
    function: impl Fn(f32) -> f32 + Copy + Send + Sync,
    derivative: impl Fn(f32) -> f32 + Copy + Send + Sync + 'static,
) -> Result<Tensor, Error> {
    let result = map(x, function)?;
    record1(name, x, result, move |x, gradient| Ok([Some((gradient * map(x, derivative)?)?)]))
}

fn map(x: &Tensor, function: impl Fn(f32) -> f32 + Copy + Send + Sync) -> Result<Tensor, Error> {
    filled(x.dims(), |output| {
        with_values([x], |[input]| {
            output.par_chunks_mut(TASK).zip(input.par_chunks(TASK)).for_each(|(output, input)| {
                vectorised(
                    #[inline(always)]
                    || {
                        for (output, input) in output.iter_mut().zip(input) {
                            *output = function(*input);
                        }
                    },
                );
            });
        })
    })
}
