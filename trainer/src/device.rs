//! Where the model is computed.

use crate::Error;
use crate::config::RunOptions;
use candle_core::Device;

/// `cpu`, or `cuda:N` in a build with the feature `cuda`. A GPU that cannot be had is an error, or, where the
/// configuration allows that, a warning and the CPU.
///
/// # Errors
/// If the name is neither, or the GPU cannot be had.
pub fn open(options: &RunOptions) -> Result<Device, Error> {
    on_gpu_or_cpu(options, cuda, || Ok(Device::Cpu))
}

/// What is computed on the GPU that the configuration names, by its number, or else on the CPU: if that is asked for, or
/// allowed where the GPU cannot be had.
///
/// # Errors
/// If the name is neither, or what is asked for cannot be had.
pub(crate) fn on_gpu_or_cpu<T>(
    options: &RunOptions,
    on_gpu: impl FnOnce(usize) -> Result<T, Error>,
    on_cpu: impl FnOnce() -> Result<T, Error>,
) -> Result<T, Error> {
    let Some(ordinal) = ordinal(&options.device)? else { return on_cpu() };
    match on_gpu(ordinal) {
        Err(error) if options.allow_cpu_fallback => {
            tracing::warn!("{error}: the CPU is used instead");
            on_cpu()
        }
        done => done,
    }
}

/// The GPU's number; none for `cpu`.
fn ordinal(name: &str) -> Result<Option<usize>, Error> {
    let number = match name.split_once(':') {
        None if name == "cpu" => return Ok(None),
        Some(("cuda", number)) => number.parse().ok(),
        _ => None,
    };
    let wrong = || sinew_models::Error::Config {
        key: "run.device".to_owned(),
        found: format!("`{name}`"),
        expected: "`cpu` or `cuda:N`".to_owned(),
    };
    Ok(Some(number.ok_or_else(wrong)?))
}

#[cfg(feature = "cuda")]
fn cuda(ordinal: usize) -> Result<Device, Error> {
    Device::new_cuda(ordinal).map_err(|error| not_had(ordinal, &error))
}

#[cfg(not(feature = "cuda"))]
fn cuda(ordinal: usize) -> Result<Device, Error> {
    Err(not_built(ordinal))
}

/// A GPU that could not be used.
#[cfg(feature = "cuda")]
pub(crate) fn not_had(ordinal: usize, error: &impl std::fmt::Display) -> Error {
    Error::Device {
        name: format!("cuda:{ordinal}"),
        message: error.to_string(),
        remedy: "see that the GPU and NVIDIA's libraries are there, or choose `cpu`, or set run.allow_cpu_fallback",
    }
}

/// A GPU that this program knows nothing of.
#[cfg(not(feature = "cuda"))]
pub(crate) fn not_built(ordinal: usize) -> Error {
    Error::Device {
        name: format!("cuda:{ordinal}"),
        message: "this program was built without CUDA".to_owned(),
        remedy: "build with `--features cuda`, or choose `cpu`, or set run.allow_cpu_fallback",
    }
}
