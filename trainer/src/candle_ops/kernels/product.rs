//! Matrix products into memory that is already there.

use super::norm::row_sum;
use super::recorded::{record2, record3};
use super::{filled, refused, with_values};
use crate::Error;
use candle_core::Tensor;
use gemm::Parallelism;
use rayon::prelude::*;

/// A matrix in a slice: number `[i, j]` stands at `i · row_stride + j · column_stride`.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a> {
    pub(super) values: &'a [f32],
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) row_stride: usize,
    pub(super) column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// Rows of consecutive numbers, `row_stride` apart.
    pub(super) fn new(values: &'a [f32], rows: usize, columns: usize, row_stride: usize) -> Self {
        Self { values, rows, columns, row_stride, column_stride: 1 }
    }

    pub(super) fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }

    /// One more than the place of the last number.
    fn end(&self) -> usize {
        (self.rows - 1) * self.row_stride + (self.columns - 1) * self.column_stride + 1
    }
}

/// `output = keep · output + scale · a b` for `output` `[a.rows, b.columns]` with rows `row_stride` apart; `keep` is 0 or
/// 1. On this thread alone if `threads` is 1.
#[allow(unsafe_code)]
pub(super) fn multiply(
    output: &mut [f32],
    row_stride: usize,
    keep: bool,
    scale: f32,
    a: Matrix<'_>,
    b: Matrix<'_>,
    threads: usize,
) {
    let (rows, columns, inner) = (a.rows, b.columns, a.columns);
    if rows == 0 || columns == 0 || inner == 0 {
        return;
    }
    assert_eq!(inner, b.rows, "inner sizes of a product");
    assert!(a.end() <= a.values.len() && b.end() <= b.values.len(), "a matrix reaches beyond its numbers");
    assert!(columns <= row_stride || rows == 1, "rows of the result overlap");
    assert!((rows - 1) * row_stride + columns <= output.len(), "the result reaches beyond its place");
    let parallelism = if threads > 1 { Parallelism::Rayon(threads) } else { Parallelism::None };
    // SAFETY: every place that is read lies in `a.values` and `b.values`, every one that is written in `output`, by
    // the checks above; `output` is borrowed mutably, so it is neither of the two.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            inner,
            output.as_mut_ptr(),
            1,
            row_stride as isize,
            keep,
            a.values.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.values.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            1.0_f32,
            scale,
            false,
            false,
            false,
            parallelism,
        );
    }
}

/// `x wᵀ + b` for `x` `[.., in]`, `w` `[out, in]`, `b` `[out]`, with a gradient. It starts from the bias instead of adding it
/// in a pass of its own, and a constant takes no gradient: candle's own product computes and keeps both sides'.
pub(crate) fn linear(x: &Tensor, w: &Tensor, b: Option<&Tensor>) -> Result<Tensor, Error> {
    let result = linear_result(x, w, b)?;
    match b {
        Some(b) => record3("linear", [x, w, b], result, |[x, w, b], gradient| {
            let of_b = if b.track_op() { Some(row_sum(gradient)?) } else { None };
            Ok([input_gradient(x, w, gradient)?, weight_gradient(x, w, gradient)?, of_b])
        }),
        None => record2("linear", [x, w], result, |[x, w], gradient| {
            Ok([input_gradient(x, w, gradient)?, weight_gradient(x, w, gradient)?])
        }),
    }
}

fn linear_result(x: &Tensor, w: &Tensor, b: Option<&Tensor>) -> Result<Tensor, Error> {
    let (out, input) = w.dims2()?;
    let mut shape = x.dims().to_vec();
    let rows = x.elem_count() / input;
    if shape.pop() != Some(input) || b.is_some_and(|b| b.dims() != [out]) {
        return Err(refused(format!("{:?} times the transpose of {:?}", x.dims(), w.dims())));
    }
    shape.push(out);
    filled(&shape, |output| {
        if let Some(b) = b {
            with_values([b], |[b]| output.par_chunks_exact_mut(out).for_each(|row| row.copy_from_slice(b)))?;
        }
        with_weight(x, w, |x, w| {
            let x = Matrix::new(x, rows, input, input);
            multiply(output, out, b.is_some(), 1.0, x, w.transposed(), rayon::current_num_threads());
        })
    })
}

/// `g w`.
fn input_gradient(x: &Tensor, w: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>, Error> {
    if !x.track_op() {
        return Ok(None);
    }
    let (out, input) = w.dims2()?;
    let rows = gradient.elem_count() / out;
    let result = filled(x.dims(), |output| {
        with_weight(gradient, w, |gradient, w| {
            let gradient = Matrix::new(gradient, rows, out, out);
            multiply(output, input, false, 1.0, gradient, w, rayon::current_num_threads());
        })
    })?;
    Ok(Some(result))
}

/// `gᵀ x`.
fn weight_gradient(x: &Tensor, w: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>, Error> {
    if !w.track_op() {
        return Ok(None);
    }
    let (out, input) = w.dims2()?;
    let rows = gradient.elem_count() / out;
    let result = filled(w.dims(), |output| {
        with_values([x, gradient], |[x, gradient]| {
            let gradient = Matrix::new(gradient, rows, out, out).transposed();
            let x = Matrix::new(x, rows, input, input);
            multiply(output, input, false, 1.0, gradient, x, rayon::current_num_threads());
        })
    })?;
    Ok(Some(result))
}

/// Calls `f` with the numbers of `x` and the matrix `w`, which may be laid out by rows or by columns.
fn with_weight(x: &Tensor, w: &Tensor, f: impl FnOnce(&[f32], Matrix<'_>)) -> Result<(), Error> {
    let (out, input) = w.dims2()?;
    let is_by_columns = w.t()?.is_contiguous();
    let stored = if is_by_columns { w.t()? } else { w.clone() };
    with_values([x, &stored], |[x, w]| {
        let w = if is_by_columns {
            Matrix::new(w, input, out, out).transposed()
        } else {
            Matrix::new(w, out, input, input)
        };
        f(x, w);
    })
}
