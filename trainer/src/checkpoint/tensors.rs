//! Safetensors files out of what is in memory and what is in another file.

use crate::Error;
use candle_core::{DType, Device, Tensor};
use safetensors::tensor::{Dtype, SafeTensors, View};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::Path;

/// A tensor to be written.
#[derive(Debug)]
pub struct Entry<'a> {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Cow<'a, [u8]>,
}

impl<'a> Entry<'a> {
    /// A tensor's numbers as float32, copied off its device.
    ///
    /// # Errors
    /// If candle fails.
    pub fn computed(tensor: &Tensor) -> Result<Self, Error> {
        let numbers = tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
        Ok(Self { dtype: Dtype::F32, shape: tensor.dims().to_vec(), bytes: bytes_of(&numbers) })
    }

    /// Bytes of another file.
    pub fn stored(dtype: Dtype, shape: &[usize], bytes: &'a [u8]) -> Self {
        Self { dtype, shape: shape.to_vec(), bytes: Cow::Borrowed(bytes) }
    }

    /// Numbers, row-major; a single one has no axis.
    pub fn numbers(numbers: &[f32], shape: &[usize]) -> Self {
        Self { dtype: Dtype::F32, shape: shape.to_vec(), bytes: bytes_of(numbers) }
    }
}

fn bytes_of(numbers: &[f32]) -> Cow<'static, [u8]> {
    Cow::Owned(numbers.iter().flat_map(|number| number.to_le_bytes()).collect())
}

impl View for &Entry<'_> {
    fn dtype(&self) -> Dtype {
        self.dtype
    }
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }
    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

/// Writes a file with PyTorch's mark, and makes it durable.
///
/// # Errors
/// If it cannot be written.
pub fn write(path: &Path, entries: &BTreeMap<String, Entry<'_>>) -> Result<(), Error> {
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    safetensors::serialize_to_file(entries, Some(metadata), path).map_err(|error| match error {
        safetensors::SafeTensorError::IoError(source) => Error::Io { path: path.to_owned(), source },
        other => sinew_models::Error::file(path, other).into(),
    })?;
    sync(path)
}

/// Reads the float32 tensors of a file; others are left out.
///
/// # Errors
/// If it cannot be read.
pub fn read(path: &Path, device: &Device) -> Result<BTreeMap<String, Tensor>, Error> {
    let bytes = std::fs::read(path).map_err(Error::io(path))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|e| sinew_models::Error::file(path, e))?;
    let mut tensors = BTreeMap::new();
    for (name, view) in file.tensors().into_iter().filter(|(_, view)| view.dtype() == Dtype::F32) {
        let numbers: Vec<f32> = view.data().as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        tensors.insert(name, Tensor::from_vec(numbers, view.shape(), device)?);
    }
    Ok(tensors)
}

/// Makes a file or folder durable.
///
/// # Errors
/// If the system cannot.
pub fn sync(path: &Path) -> Result<(), Error> {
    File::open(path).and_then(|file| file.sync_all()).map_err(Error::io(path))
}
