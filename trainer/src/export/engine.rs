//! ONNX Runtime, as far as checking an export and analysing a bundle need it.

use crate::Error;
use crate::device;
use ort::environment::Environment;
use ort::session::{Session, SessionInputValue};
use ort::value::Tensor;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// ONNX Runtime's library, loaded.
#[derive(Debug)]
pub struct Engine {
    environment: Environment,
}

/// An input's numbers and shape.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// float32.
    Numbers(&'a [f32], Vec<usize>),
    /// int64.
    Ids(&'a [i64], Vec<usize>),
}

impl Engine {
    /// Loads the library: `path` if given, else what `ORT_DYLIB_PATH` names.
    ///
    /// # Errors
    /// If neither is given, or the library is not there or too old.
    pub fn load(path: Option<&Path>) -> Result<Self, Error> {
        let named = std::env::var_os("ORT_DYLIB_PATH").map(PathBuf::from);
        let path = path.map(Path::to_owned).or(named).ok_or_else(|| Error::Engine {
            path: PathBuf::from("libonnxruntime.so"),
            message: "where it is was not said: give --onnxruntime or set ORT_DYLIB_PATH".to_owned(),
        })?;
        let failed = |e: String| Error::Engine { path: path.clone(), message: e };
        let builder = ort::init_from(&path).map_err(|e| failed(e.to_string()))?;
        Ok(Self { environment: builder.build().map_err(|e| failed(e.to_string()))? })
    }

    /// For what else opens graphs in this process, which may have one environment only.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Opens a graph on the CPU.
    ///
    /// # Errors
    /// If ONNX Runtime refuses it.
    pub fn open(&self, model: &Path) -> Result<Session, Error> {
        Ok(Session::builder(&self.environment)?.commit_from_file(model)?)
    }

    /// Opens a graph on the GPU of this number.
    ///
    /// # Errors
    /// If the GPU cannot be had, or ONNX Runtime refuses the graph.
    #[cfg(feature = "cuda")]
    pub fn open_on_gpu(&self, model: &Path, ordinal: usize) -> Result<Session, Error> {
        let id = i32::try_from(ordinal).map_err(|error| device::not_had(ordinal, &error))?;
        // TensorFloat-32 has 10 bits of fraction, and a provider that is not there would be passed over without a word.
        let cuda = ort::ep::CUDA::default().with_device_id(id).with_tf32(false).build().error_on_failure();
        let builder = Session::builder(&self.environment)?.with_execution_providers([cuda]);
        let mut builder = builder.map_err(|error| device::not_had(ordinal, &error))?;
        builder.commit_from_file(model).map_err(|error| device::not_had(ordinal, &error))
    }

    /// Refuses: this program was built without CUDA.
    ///
    /// # Errors
    /// Always.
    #[cfg(not(feature = "cuda"))]
    pub fn open_on_gpu(&self, _model: &Path, ordinal: usize) -> Result<Session, Error> {
        Err(device::not_built(ordinal))
    }
}

/// Runs a graph once; its float32 outputs by name.
///
/// # Errors
/// If the inputs do not fit, or ONNX Runtime fails.
pub fn run(
    session: &mut Session,
    inputs: &[(String, Input<'_>)],
) -> Result<HashMap<String, Vec<f32>>, Error> {
    let mut values: Vec<(String, SessionInputValue<'_>)> = Vec::with_capacity(inputs.len());
    for (name, input) in inputs {
        let value = match input {
            Input::Numbers(numbers, shape) => {
                Tensor::from_array((shape.clone(), numbers.to_vec()))?.into_dyn()
            }
            Input::Ids(ids, shape) => Tensor::from_array((shape.clone(), ids.to_vec()))?.into_dyn(),
        };
        values.push((name.clone(), value.into()));
    }
    let outputs = session.run(values)?;
    outputs
        .iter()
        .map(|(name, value)| {
            let (_, numbers) = value.try_extract_tensor::<f32>()?;
            Ok((name.to_owned(), numbers.to_vec()))
        })
        .collect()
}
