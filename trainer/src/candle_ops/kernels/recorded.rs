//! Lets a kernel of ours take part in candle's differentiation.

use crate::Error;
use candle_core::{
    CpuStorage, CustomOp1, CustomOp2, CustomOp3, Layout, Result, Shape, Storage, Tensor, bail,
};

/// An operation that is computed already and how its gradient comes back: to each argument, or nothing to one that is
/// a constant. candle keeps whatever it is given, so a constant's gradient would cost memory.
struct Recorded<B> {
    name: &'static str,
    result: Tensor,
    backward: B,
}

impl<B> Recorded<B> {
    fn output(&self) -> Result<(CpuStorage, Shape)> {
        let (storage, layout) = self.result.storage_and_layout();
        match &*storage {
            Storage::Cpu(storage) => Ok((storage.clone(), layout.shape().clone())),
            _ => bail!("{} is computed in memory", self.name),
        }
    }
}

fn failed(error: Error) -> candle_core::Error {
    candle_core::Error::wrap(error)
}

type Gradients<const N: usize> = std::result::Result<[Option<Tensor>; N], Error>;

/// `result` as what became of `x`, if `x` wants a gradient; `backward` makes it of the result's.
pub(super) fn record1(
    name: &'static str,
    x: &Tensor,
    result: Tensor,
    backward: impl Fn(&Tensor, &Tensor) -> Gradients<1> + Send + Sync + 'static,
) -> std::result::Result<Tensor, Error> {
    if !x.track_op() {
        return Ok(result);
    }
    Ok(x.apply_op1(Recorded { name, result, backward })?)
}

/// As [`record1`], of two arguments.
pub(super) fn record2(
    name: &'static str,
    [a, b]: [&Tensor; 2],
    result: Tensor,
    backward: impl Fn([&Tensor; 2], &Tensor) -> Gradients<2> + Send + Sync + 'static,
) -> std::result::Result<Tensor, Error> {
    if !a.track_op() && !b.track_op() {
        return Ok(result);
    }
    Ok(a.apply_op2(b, Recorded { name, result, backward })?)
}

/// As [`record1`], of three arguments.
pub(super) fn record3(
    name: &'static str,
    [a, b, c]: [&Tensor; 3],
    result: Tensor,
    backward: impl Fn([&Tensor; 3], &Tensor) -> Gradients<3> + Send + Sync + 'static,
) -> std::result::Result<Tensor, Error> {
    if !a.track_op() && !b.track_op() && !c.track_op() {
        return Ok(result);
    }
    Ok(a.apply_op3(b, c, Recorded { name, result, backward })?)
}

impl<B: Fn(&Tensor, &Tensor) -> Gradients<1>> CustomOp1 for Recorded<B> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        self.output()
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let [x] = (self.backward)(x, gradient).map_err(failed)?;
        Ok(x)
    }
}

impl<B: Fn([&Tensor; 2], &Tensor) -> Gradients<2>> CustomOp2 for Recorded<B> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        self.output()
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        Ok((self.backward)([a, b], gradient).map_err(failed)?.into())
    }
}

impl<B: Fn([&Tensor; 3], &Tensor) -> Gradients<3>> CustomOp3 for Recorded<B> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.output()
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        c: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        Ok((self.backward)([a, b, c], gradient).map_err(failed)?.into())
    }
}
