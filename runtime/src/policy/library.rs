//! ONNX Runtime's shared library: loaded once a process, from where the user says.

use crate::error::Error;
use crate::slot::lock;
use ort::environment::Environment;
use std::path::PathBuf;
use std::sync::Mutex;

/// Names the library where the configuration does not.
pub const PATH_VARIABLE: &str = "ORT_DYLIB_PATH";

const REMEDY: &str = "install it with `pip install onnxruntime` (or onnxruntime-gpu), and give the path of \
                      onnxruntime/capi/libonnxruntime.so.<version> as policy.onnxruntime or in ORT_DYLIB_PATH";

/// Only one environment is allowed a process.
static LOADED: Mutex<Option<(PathBuf, Environment)>> = Mutex::new(None);

/// Loads the library, or returns the environment if it is loaded already.
///
/// # Errors
/// If no path is given, nothing is there, it is too old, or another one is loaded.
pub(super) fn load(configured: &str) -> Result<Environment, Error> {
    let path = find(configured, std::env::var_os(PATH_VARIABLE).map(PathBuf::from))?;
    let mut loaded = lock(&LOADED);
    if let Some((other, environment)) = &*loaded {
        if *other == path {
            return Ok(environment.clone());
        }
        return Err(library(format!("{} is loaded already, not {}", other.display(), path.display())));
    }
    let builder = ort::init_from(&path).map_err(|error| library(error.to_string()))?;
    let environment = builder.with_name("sinew").with_telemetry(false).build();
    let environment = environment.map_err(|error| library(format!("{}: {error}", path.display())))?;
    *loaded = Some((path, environment.clone()));
    Ok(environment)
}

/// The library's path. Checked here, because the loader would also search the system's folders.
fn find(configured: &str, variable: Option<PathBuf>) -> Result<PathBuf, Error> {
    let given = if configured.is_empty() { variable } else { Some(PathBuf::from(configured)) };
    let given = given.filter(|path| !path.as_os_str().is_empty());
    let given = given.ok_or_else(|| {
        library(format!("neither policy.onnxruntime nor {PATH_VARIABLE} says where the library is"))
    })?;
    let path = std::path::absolute(&given).map_err(|source| Error::Io { path: given, source })?;
    if !path.is_file() {
        return Err(library(format!("no library at {}", path.display())));
    }
    Ok(path)
}

fn library(message: String) -> Error {
    Error::Library { message, remedy: REMEDY }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_goes_before_the_environment_and_both_are_named_when_empty() {
        let here = std::env::current_exe().unwrap();
        let text = here.to_str().unwrap();
        assert_eq!(find(text, Some("/nonexistent".into())).unwrap(), here);
        assert_eq!(find("", Some(here.clone())).unwrap(), here);
        let nothing = find("", Some("".into())).unwrap_err().to_string();
        assert!(nothing.contains("policy.onnxruntime") && nothing.contains(PATH_VARIABLE), "{nothing}");
        let missing = find("/nonexistent/lib.so", None).unwrap_err().to_string();
        assert!(missing.contains("/nonexistent/lib.so") && missing.contains("pip install"), "{missing}");
    }
}
