//! Kernels that candle does not have: for what is slow, and, on any device, for what is frozen.
//!
//! Those on slices of float32 are written so that the compiler vectorises them, and compiled for the processor's widest
//! vectors by [`pulp`]. They record a gradient of their own ([`recorded`]).

mod activation;
mod attention;
mod attention_gradient;
mod exp;
mod frozen_linear;
mod norm;
mod product;
mod recorded;
mod rope;

use crate::Error;
use candle_core::{CpuStorage, DType, Device, Storage, Tensor};

pub(crate) use frozen_linear::FrozenLinear;

/// Rows of a task: enough to be worth a thread's while, few enough to stay in its cache.
const ROWS_PER_TASK: usize = 64;

/// Whether the kernels on slices may stand in for candle's operations on these operands.
pub(crate) fn fits(tensors: &[&Tensor]) -> bool {
    tensors.iter().all(|x| x.device().is_cpu() && x.dtype() == DType::F32)
}

/// Runs `body` compiled for the widest vectors that the processor has. What it calls must be `#[inline(always)]`, itself
/// included: what is not inlined here is compiled for every processor.
fn vectorised(body: impl FnMut()) {
    struct Body<F>(F);

    // By reference: calling a closure by value goes through a function that is not inlined.
    impl<F: FnMut()> pulp::NullaryFnOnce for Body<F> {
        type Output = ();

        #[inline(always)]
        fn call(mut self) {
            (self.0)();
        }
    }

    pulp::Arch::new().dispatch(Body(body));
}

/// Calls `f` with the numbers of float32 tensors in memory, row-major.
fn with_values<const N: usize, R>(
    tensors: [&Tensor; N],
    f: impl FnOnce([&[f32]; N]) -> R,
) -> Result<R, Error> {
    let tensors: Vec<Tensor> = tensors.iter().map(|x| x.contiguous()).collect::<Result<_, _>>()?;
    let guards: Vec<_> = tensors.iter().map(Tensor::storage_and_layout).collect();
    let mut values = [[].as_slice(); N];
    for (values, (storage, layout)) in values.iter_mut().zip(&guards) {
        let Storage::Cpu(CpuStorage::F32(all)) = &**storage else {
            return Err(refused("a kernel on slices was given no float32 in memory".to_owned()));
        };
        *values = &all[layout.start_offset()..][..layout.shape().elem_count()];
    }
    Ok(f(values))
}

/// Operands that do not fit each other.
fn refused(message: String) -> Error {
    candle_core::Error::Msg(message).into()
}

/// A tensor of new numbers, which `fill` writes.
fn filled(shape: &[usize], fill: impl FnOnce(&mut [f32]) -> Result<(), Error>) -> Result<Tensor, Error> {
    let mut values = vec![0.0; shape.iter().product()];
    fill(&mut values)?;
    Ok(Tensor::from_vec(values, shape, &Device::Cpu)?)
}

pub(crate) use activation::{gelu_tanh, silu};
pub(crate) use attention::attention;
pub(crate) use norm::{layer_norm, rms_norm};
pub(crate) use product::linear;
pub(crate) use rope::rope;
