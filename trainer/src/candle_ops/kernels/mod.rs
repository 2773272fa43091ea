//! Kernels that candle does not have: for what is frozen, and for what is slow.

mod frozen_linear;

pub(crate) use frozen_linear::FrozenLinear;
