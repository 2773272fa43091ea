//! SmolVLA's operations on candle tensors.
//!
//! On devices every kernel is composed of operations that candle differentiates: candle's fused softmax, norms and rotary
//! embedding return no gradient and no error, so they are not used. In memory there are kernels of our own, which have
//! gradients.

mod kernels;

use crate::Error;
use candle_core::{D, DType, Device, Tensor};
use sinew_models::ops::{Heads, Ops, Rope};
use sinew_models::weights::Weights;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

type Named = HashMap<String, Tensor>;

/// Interprets [`Ops`] eagerly. Weights are converted when first used and kept. Several threads may compute with it.
#[derive(Debug)]
pub struct CandleOps<'a> {
    weights: &'a Weights,
    device: Device,
    product_dtype: DType,
    has_kernels: bool,
    params: Mutex<Named>,
    tags: Option<Mutex<Named>>,
}

impl<'a> CandleOps<'a> {
    /// Computes with these weights on `device`.
    pub fn new(weights: &'a Weights, device: &Device) -> Self {
        let (params, product_dtype) = (Mutex::default(), DType::F32);
        Self { weights, device: device.clone(), product_dtype, has_kernels: true, params, tags: None }
    }

    /// Computes matrix products in another type, and keeps frozen matrices in it. Everything between products (norms,
    /// softmax, sums) stays float32. Without kernels of our own, which know float32 only.
    pub fn with_products_in(self, product_dtype: DType) -> Self {
        let has_kernels = self.has_kernels && product_dtype == DType::F32;
        Self { product_dtype, has_kernels, ..self }
    }

    /// Composes candle's operations where kernels of our own would do: what is computed on a device.
    pub fn composed(self) -> Self {
        Self { has_kernels: false, ..self }
    }

    /// Also keeps every value that the model tags.
    pub fn with_tags(self) -> Self {
        Self { tags: Some(Mutex::default()), ..self }
    }

    /// The values tagged since the last call, by name.
    pub fn take_tags(&self) -> HashMap<String, Tensor> {
        self.tags.as_ref().map(|tags| std::mem::take(&mut *locked(tags))).unwrap_or_default()
    }

    /// Uses `tensor` for the weight of this name, whatever the checkpoint holds: a variable that is being trained.
    pub fn set_param(&self, name: &str, tensor: Tensor) {
        locked(&self.params).insert(name.to_owned(), tensor);
    }

    /// Forgets the weights used so far, and so frees their memory.
    pub fn forget_params(&self) {
        locked(&self.params).clear();
    }

    /// Whether a kernel of our own, which has a gradient, does for these operands.
    fn fits(&self, operands: &[&Tensor]) -> bool {
        self.has_kernels && kernels::fits(operands)
    }

    /// A frozen weight, kept with its inputs as rows from its first product on: so the numbers that meet in a product
    /// stand side by side, and need not be put there each time.
    fn laid_out(&self, w: &Tensor) -> Result<Tensor, Error> {
        if !w.is_contiguous() {
            return Ok(w.clone());
        }
        let laid_out = |param: &Tensor| -> Result<Tensor, Error> { Ok(param.t()?.contiguous()?.t()?) };
        match locked(&self.params).values_mut().find(|param| param.id() == w.id()) {
            Some(param) => {
                *param = laid_out(param)?;
                Ok(param.clone())
            }
            None => Ok(w.clone()),
        }
    }

    /// Float32 numbers, row-major, as a tensor.
    ///
    /// # Errors
    /// If they do not fill `shape`.
    pub fn tensor(&self, values: &[f32], shape: &[usize]) -> Result<Tensor, Error> {
        Ok(Tensor::from_slice(values, shape, &self.device)?)
    }

    /// Integers, row-major, as a tensor.
    ///
    /// # Errors
    /// If they do not fill `shape`.
    pub fn ids(&self, values: &[i64], shape: &[usize]) -> Result<Tensor, Error> {
        Ok(Tensor::from_slice(values, shape, &self.device)?)
    }
}

impl Ops for CandleOps<'_> {
    type Tensor = Tensor;
    type Error = Error;

    fn shape(&self, x: &Tensor) -> Vec<usize> {
        x.dims().to_vec()
    }

    fn param(&self, name: &str, shape: &[usize]) -> Result<Tensor, Error> {
        if let Some(tensor) = locked(&self.params).get(name) {
            return Ok(tensor.clone());
        }
        let tensor = Tensor::from_vec(self.weights.load(name, shape)?, shape, &self.device)?;
        let tensor = if shape.len() > 1 { tensor.to_dtype(self.product_dtype)? } else { tensor };
        Ok(locked(&self.params).entry(name.to_owned()).or_insert(tensor).clone())
    }

    fn constant(&self, values: &[f32], shape: &[usize]) -> Result<Tensor, Error> {
        self.tensor(values, shape)
    }

    fn constant_ids(&self, values: &[i64], shape: &[usize]) -> Result<Tensor, Error> {
        self.ids(values, shape)
    }

    fn linear(&self, x: &Tensor, w: &Tensor, b: Option<&Tensor>) -> Result<Tensor, Error> {
        if self.fits(&[x, w]) && b.is_none_or(|b| self.fits(&[b])) {
            let w = if w.track_op() { w.clone() } else { self.laid_out(w)? };
            return kernels::linear(x, &w, b);
        }
        let mut shape = x.dims().to_vec();
        let (out, input) = w.dims2()?;
        // One flat product: candle would otherwise copy the weight for every batch entry.
        let flat = x.reshape(((), input))?.to_dtype(self.product_dtype)?;
        let w = w.to_dtype(self.product_dtype)?;
        let is_weight_frozen = flat.track_op() && !w.track_op();
        let flat =
            if is_weight_frozen { flat.apply_op2(&w, kernels::FrozenLinear)? } else { flat.matmul(&w.t()?)? };
        let flat = flat.to_dtype(DType::F32)?;
        let flat = match b {
            Some(b) => flat.broadcast_add(b)?,
            None => flat,
        };
        shape.pop();
        shape.push(out);
        Ok(flat.reshape(shape)?)
    }

    fn embedding(&self, table: &Tensor, ids: &Tensor) -> Result<Tensor, Error> {
        let mut shape = ids.dims().to_vec();
        shape.push(table.dim(1)?);
        Ok(table.index_select(&ids.flatten_all()?, 0)?.to_dtype(DType::F32)?.reshape(shape)?)
    }

    fn add(&self, a: &Tensor, b: &Tensor) -> Result<Tensor, Error> {
        Ok(a.broadcast_add(&b.to_dtype(a.dtype())?)?)
    }

    fn mul(&self, a: &Tensor, b: &Tensor) -> Result<Tensor, Error> {
        Ok(a.broadcast_mul(b)?)
    }

    fn scale(&self, x: &Tensor, factor: f64) -> Result<Tensor, Error> {
        Ok((x * factor)?)
    }

    fn silu(&self, x: &Tensor) -> Result<Tensor, Error> {
        if self.fits(&[x]) {
            return kernels::silu(x);
        }
        Ok(x.silu()?)
    }

    fn gelu_tanh(&self, x: &Tensor) -> Result<Tensor, Error> {
        if self.fits(&[x]) {
            return kernels::gelu_tanh(x);
        }
        Ok(x.gelu()?)
    }

    fn layer_norm(&self, x: &Tensor, w: &Tensor, b: &Tensor, eps: f64) -> Result<Tensor, Error> {
        if self.fits(&[x, w, b]) {
            return kernels::layer_norm(x, w, b, eps);
        }
        let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
        Ok(unit_scale(&centred, eps)?.broadcast_mul(w)?.broadcast_add(b)?)
    }

    fn rms_norm(&self, x: &Tensor, w: &Tensor, eps: f64) -> Result<Tensor, Error> {
        if self.fits(&[x, w]) {
            return kernels::rms_norm(x, w, eps);
        }
        Ok(unit_scale(x, eps)?.broadcast_mul(w)?)
    }

    fn reshape(&self, x: &Tensor, shape: &[usize]) -> Result<Tensor, Error> {
        Ok(x.reshape(shape)?)
    }

    fn permute(&self, x: &Tensor, axes: &[usize]) -> Result<Tensor, Error> {
        Ok(x.permute(axes)?)
    }

    fn expand(&self, x: &Tensor, shape: &[usize]) -> Result<Tensor, Error> {
        Ok(x.broadcast_as(shape)?)
    }

    fn concat(&self, parts: &[&Tensor], axis: usize) -> Result<Tensor, Error> {
        Ok(Tensor::cat(parts, axis)?)
    }

    fn slice(&self, x: &Tensor, axis: usize, start: usize, length: usize) -> Result<Tensor, Error> {
        Ok(x.narrow(axis, start, length)?)
    }

    fn rope(&self, x: &Tensor, positions: &Tensor, rope: &Rope) -> Result<Tensor, Error> {
        if self.fits(&[x]) {
            return kernels::rope(x, positions, rope);
        }
        let (batch, tokens, width) = x.dims3()?;
        let half = rope.head_dim / 2;
        let (cos, sin) = rope.tables();
        let rows = |table: &[f32]| -> Result<Tensor, Error> {
            let table = self.tensor(table, &[rope.position_count, half])?;
            let rows = table.index_select(&positions.flatten_all()?, 0)?;
            Ok(rows.reshape((positions.dim(0)?, tokens, 1, half))?)
        };
        let (cos, sin) = (rows(&cos)?, rows(&sin)?);
        let heads = x.reshape((batch, tokens, width / rope.head_dim, rope.head_dim))?;
        let (a, b) = (heads.narrow(3, 0, half)?, heads.narrow(3, half, half)?);
        let first = (a.broadcast_mul(&cos)? - b.broadcast_mul(&sin)?)?;
        let second = (b.broadcast_mul(&cos)? + a.broadcast_mul(&sin)?)?;
        Ok(Tensor::cat(&[&first, &second], 3)?.reshape((batch, tokens, width))?)
    }

    fn attention(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        mask: Option<&Tensor>,
        heads: Heads,
    ) -> Result<Tensor, Error> {
        if self.fits(&[q, k, v]) && mask.is_none_or(|mask| self.fits(&[mask])) {
            return kernels::attention(q, k, v, mask, heads);
        }
        let (batch, queries, width) = q.dims3()?;
        let keys = k.dim(1)?;
        let group = heads.query / heads.key_value;
        // The query heads that share a key head stand in one matrix, so keys and values are never repeated.
        let q = q.reshape((batch, queries, heads.key_value, group, heads.dim))?;
        let q = q.permute((0, 2, 3, 1, 4))?.reshape((batch, heads.key_value, group * queries, heads.dim))?;
        let split = |x: &Tensor| x.reshape((batch, keys, heads.key_value, heads.dim));
        let k_t = split(k)?.permute((0, 2, 3, 1))?.contiguous()?.to_dtype(self.product_dtype)?;
        let v = split(v)?.transpose(1, 2)?.contiguous()?.to_dtype(self.product_dtype)?;
        let scores = q.to_dtype(self.product_dtype)?.matmul(&k_t)?.to_dtype(DType::F32)?;
        let mut scores = (scores * (heads.dim as f64).powf(-0.5))?;
        if let Some(mask) = mask {
            let mask = mask.reshape((mask.dim(0)?, 1, 1, queries, keys))?;
            let each = scores.reshape((batch, heads.key_value, group, queries, keys))?;
            scores = each.broadcast_add(&mask)?.reshape(scores.shape())?;
        }
        let shares = candle_nn::ops::softmax(&scores, D::Minus1)?.to_dtype(self.product_dtype)?;
        let attended = shares.matmul(&v)?.to_dtype(DType::F32)?;
        let attended = attended.reshape((batch, heads.key_value, group, queries, heads.dim))?;
        Ok(attended.permute((0, 3, 1, 2, 4))?.reshape((batch, queries, width))?)
    }

    fn sinusoid(&self, time: &Tensor, frequencies: &[f64]) -> Result<Tensor, Error> {
        let frequencies = Tensor::new(frequencies, &self.device)?;
        let angles = time.to_dtype(DType::F64)?.unsqueeze(2)?.broadcast_mul(&frequencies)?;
        Ok(Tensor::cat(&[angles.sin()?, angles.cos()?], 2)?.to_dtype(DType::F32)?)
    }

    fn tag(&self, name: &str, x: &Tensor) -> Result<Tensor, Error> {
        if let Some(tags) = &self.tags {
            locked(tags).insert(name.to_owned(), x.clone());
        }
        Ok(x.clone())
    }
}

fn locked(named: &Mutex<Named>) -> MutexGuard<'_, Named> {
    named.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Divides the last axis by its root mean square.
fn unit_scale(x: &Tensor, eps: f64) -> Result<Tensor, Error> {
    let mean_square = x.sqr()?.mean_keepdim(D::Minus1)?;
    Ok(x.broadcast_div(&(mean_square + eps)?.sqrt()?)?)
}
