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
    let Some(ordinal) = ordinal(&options.device)? else { return Ok(Device::Cpu) };
    match cuda(ordinal) {
        Ok(device) => Ok(device),
        Err(error) if options.allow_cpu_fallback => {
            tracing::warn!("{error}: the CPU is used instead");
            Ok(Device::Cpu)
        }
        Err(error) => Err(error),
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
    Device::new_cuda(ordinal).map_err(|error| Error::Device {
        name: format!("cuda:{ordinal}"),
        message: error.to_string(),
        remedy: "see that the GPU and NVIDIA's driver are there, or choose `cpu`, or set run.allow_cpu_fallback",
    })
}

#[cfg(not(feature = "cuda"))]
fn cuda(ordinal: usize) -> Result<Device, Error> {
    Err(Error::Device {
        name: format!("cuda:{ordinal}"),
        message: "this program was built without CUDA".to_owned(),
        remedy: "build with `--features cuda`, or choose `cpu`, or set run.allow_cpu_fallback",
    })
}
