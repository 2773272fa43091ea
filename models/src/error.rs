//! Everything that can be wrong with what this crate reads.

use std::path::{Path, PathBuf};

/// An error of this crate: what was expected, what was found, and where.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is there but is not what its name says.
    #[error("{}: {message}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Expected and found.
        message: String,
    },
    /// A configuration that SmolVLA cannot have.
    #[error("configuration: `{key}` is {found}, expected {expected}")]
    Config {
        /// The key.
        key: String,
        /// Its value.
        found: String,
        /// What would be right.
        expected: String,
    },
    /// A weight is not in the checkpoint.
    #[error("tensor `{name}` {shape:?} is missing{}", nearest_hint(.nearest))]
    MissingTensor {
        /// Its name.
        name: String,
        /// The shape it should have.
        shape: Vec<usize>,
        /// The most similar name that is there.
        nearest: Option<String>,
    },
    /// A value has the wrong shape.
    #[error("`{name}`: expected shape {expected:?}, found {found:?}")]
    Shape {
        /// What was looked at.
        name: String,
        /// The shape it should have.
        expected: Vec<usize>,
        /// The shape it has.
        found: Vec<usize>,
    },
    /// A name that the robot description does not know.
    #[error("`{name}` is no {kind} of {place}{}", nearest_hint(.nearest))]
    UnknownName {
        /// What kind of thing was looked up.
        kind: &'static str,
        /// The name asked for.
        name: String,
        /// Where it was looked up.
        place: String,
        /// The most similar known name.
        nearest: Option<String>,
    },
    /// A quantity in a unit it cannot be converted to.
    #[error("`{name}` can't be given in `{found}`; {place} knows it in {expected}")]
    Unit {
        /// The dimension.
        name: String,
        /// The unit asked for.
        found: String,
        /// The units that are known.
        expected: String,
        /// The robot description.
        place: String,
    },
    /// Two sides that have to agree do not.
    #[error("{what}: {left_name} says {left}, {right_name} says {right}")]
    Mismatch {
        /// What they have to agree on.
        what: String,
        /// One side.
        left_name: String,
        /// What it says.
        left: String,
        /// The other side.
        right_name: String,
        /// What it says.
        right: String,
    },
    /// A number that must be finite is not.
    #[error("`{name}` is {found}, expected a finite number")]
    NotFinite {
        /// What was looked at.
        name: String,
        /// The value found.
        found: f64,
    },
    /// A feature whose statistics are absent: normalising it would silently do nothing.
    #[error("no `{statistic}` of `{feature}` in {place}: found {found}")]
    MissingStatistics {
        /// The statistic.
        statistic: String,
        /// The feature.
        feature: String,
        /// Where it was looked for.
        place: String,
        /// What is there instead.
        found: String,
    },
    /// The tokenizer failed on a text.
    #[error("tokenizer: {0}")]
    Tokenizer(String),
}

/// What an error about an unknown name ends with, if [`nearest_name`] found one.
pub fn nearest_hint(nearest: &Option<String>) -> String {
    nearest.as_ref().map_or_else(String::new, |name| format!("; the nearest is `{name}`"))
}

impl Error {
    /// For `map_err` on file operations.
    pub fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.to_owned(), source }
    }

    /// A file that is not what it should be.
    pub fn file(path: &Path, message: impl std::fmt::Display) -> Self {
        Self::File { path: path.to_owned(), message: message.to_string() }
    }
}

/// The name among `known` that is most like `name`, if any is like it at all.
pub fn nearest_name<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(similarity, _)| *similarity > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate.to_owned())
}
