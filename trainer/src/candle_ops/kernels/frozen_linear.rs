//! A matrix product whose weight takes no gradient.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CudaStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};

/// `x wᵀ` for `x` `[rows, in]` and a constant `w` `[out, in]`. candle's own product computes and keeps the gradient of
/// both sides wherever one is tracked, so a state token on its way through a frozen text layer would cost a gradient
/// as large as the layer.
pub(crate) struct FrozenLinear;

fn product<S: BackendStorage>(x: &S, x_layout: &Layout, w: &S, w_layout: &Layout) -> Result<(S, Shape)> {
    let ((rows, input), (out, w_input)) = (x_layout.shape().dims2()?, w_layout.shape().dims2()?);
    if input != w_input {
        bail!("{:?} times the transpose of {:?}", x_layout.shape(), w_layout.shape());
    }
    let result = x.matmul(w, (1, rows, out, input), x_layout, &w_layout.transpose(0, 1)?)?;
    Ok((result, Shape::from((rows, out))))
}

impl CustomOp2 for FrozenLinear {
    fn name(&self) -> &'static str {
        "frozen_linear"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        w: &CpuStorage,
        w_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        product(x, x_layout, w, w_layout)
    }

    fn cuda_fwd(
        &self,
        x: &CudaStorage,
        x_layout: &Layout,
        w: &CudaStorage,
        w_layout: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        product(x, x_layout, w, w_layout)
    }

    fn bwd(
        &self,
        _x: &Tensor,
        w: &Tensor,
        _result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        Ok((Some(gradient.matmul(w)?), None))
    }
}
