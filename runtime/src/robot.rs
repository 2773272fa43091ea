//! Which robot: one of those built in, or one described in a file.

use crate::error::Error;
use sinew_models::embodiment::Embodiment;
use std::path::Path;

/// A built-in robot by name, or another by the file of its description, told from a name by its extension.
///
/// # Errors
/// If there is no such robot or file, or it contradicts itself.
pub fn describe(robot: &str) -> Result<Embodiment, Error> {
    let path = Path::new(robot);
    Ok(if path.extension().is_some() { Embodiment::open(path)? } else { Embodiment::built_in(robot)? })
}

/// The robot a bundle was made for, described in a file if one is given.
///
/// # Errors
/// As [`describe`], and if the file describes another robot.
pub fn of_bundle(name: &str, file: &str) -> Result<Embodiment, Error> {
    if file.is_empty() {
        return describe(name);
    }
    let embodiment = describe(file)?;
    if embodiment.name == name {
        return Ok(embodiment);
    }
    let (bundle, described) = (format!("`{name}`"), format!("`{}`", embodiment.name));
    Err(Error::mismatch("robot", ("the bundle", &bundle), (file, &described)))
}
