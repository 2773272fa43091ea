//! What the numbers of a policy's state and action are called, which its checkpoint does not say.

use crate::Error;
use sinew_models::embodiment::{Embodiment, Layout};
use std::path::Path;

/// The layout of that name, or in that TOML file.
///
/// # Errors
/// If there is none.
pub fn named(embodiment: &Embodiment, name: &str) -> Result<Layout, Error> {
    let path = Path::new(name);
    let is_file = path.extension().is_some_and(|extension| extension == "toml");
    Ok(if is_file { embodiment.open_layout(path)? } else { embodiment.layout(name)?.clone() })
}

/// The layout of that name, or in that TOML file. Without a name the only layout of the robot that has these widths.
///
/// # Errors
/// If there is none of the name, or the widths fit none or several.
pub fn resolve(
    embodiment: &Embodiment,
    name: Option<&str>,
    state_dim: usize,
    action_dim: usize,
) -> Result<Layout, Error> {
    if let Some(name) = name {
        return named(embodiment, name);
    }
    let fits = |layout: &&Layout| (layout.state.len(), layout.action.len()) == (state_dim, action_dim);
    let fitting: Vec<&Layout> = embodiment.layouts.iter().filter(fits).collect();
    if let [only] = fitting[..] {
        return Ok(only.clone());
    }
    let names: Vec<&str> = fitting.iter().map(|layout| layout.name.as_str()).collect();
    Err(Error::Usage(format!(
        "a state of {state_dim} and an action of {action_dim} numbers fit {} layouts of robot `{}`{}: say what they are (--layout, or bundle.layout of a training)",
        names.len(),
        embodiment.name,
        if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) },
    )))
}
