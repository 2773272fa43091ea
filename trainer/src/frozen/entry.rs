//! What an entry holds.

use crate::Error;
use candle_core::{Device, Tensor};

/// Tensors of one shape, of one frame: image tokens of each camera slot, or keys and values of each layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryShape {
    /// How many tensors.
    pub tensor_count: usize,
    /// Rows of each: tokens.
    pub rows: usize,
    /// Width of a row.
    pub width: usize,
}

impl EntryShape {
    /// Numbers of an entry.
    #[must_use]
    pub fn value_count(&self) -> usize {
        self.tensor_count * self.rows * self.width
    }

    /// The tensors' numbers one after another.
    ///
    /// # Shapes
    /// `tensors` has `tensor_count` entries `[1, rows, width]`.
    ///
    /// # Errors
    /// If they are not shaped so, or not float32.
    pub(super) fn pack(&self, tensors: &[Tensor]) -> Result<Vec<f32>, Error> {
        let expected = [1, self.rows, self.width];
        let is_right =
            tensors.len() == self.tensor_count && tensors.iter().all(|tensor| tensor.dims() == expected);
        if !is_right {
            let found: Vec<&[usize]> = tensors.iter().map(Tensor::dims).collect();
            let message =
                format!("{} tensors {expected:?} make an entry, found {found:?}", self.tensor_count);
            return Err(candle_core::Error::Msg(message).into());
        }
        let mut values = Vec::with_capacity(self.value_count());
        for tensor in tensors {
            values.extend(tensor.flatten_all()?.to_vec1::<f32>()?);
        }
        Ok(values)
    }

    /// The other way round.
    pub(super) fn unpack(&self, values: &[f32], device: &Device) -> Result<Vec<Tensor>, Error> {
        let shape = (1, self.rows, self.width);
        let tensors = values.chunks_exact(self.rows * self.width);
        tensors.map(|values| Ok(Tensor::from_slice(values, shape, device)?)).collect()
    }
}
