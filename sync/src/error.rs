//! What keeps messages from becoming observations.

/// An error of this crate: what was expected, what was found, and where.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The robot description.
    #[error(transparent)]
    Model(#[from] sinew_models::Error),
    /// A message or a time.
    #[error(transparent)]
    Wire(#[from] sinew_proto::Error),
    /// Two sides that have to agree do not.
    #[error("{what}: {left}, {right}")]
    Mismatch {
        /// What they have to agree on.
        what: String,
        /// One side and what it says.
        left: String,
        /// The other side and what it says.
        right: String,
    },
    /// A JPEG that cannot be decoded.
    #[error("JPEG: {0}")]
    Jpeg(String),
    /// A message that cannot be used.
    #[error("{what}: expected {expected}, found {found}")]
    Sample {
        /// The field.
        what: String,
        /// What would be right.
        expected: String,
        /// What is there.
        found: String,
    },
}

impl Error {
    /// Two sides that do not agree: of each, its name and what it says.
    pub(crate) fn mismatch(
        what: impl Into<String>,
        (left, left_says): (&str, &str),
        (right, right_says): (&str, &str),
    ) -> Self {
        Self::Mismatch {
            what: what.into(),
            left: format!("{left} says {left_says}"),
            right: format!("{right} says {right_says}"),
        }
    }
}

pub(crate) fn quoted<T: AsRef<str>>(names: &[T]) -> String {
    names.iter().map(|name| format!("`{}`", name.as_ref())).collect::<Vec<_>>().join(", ")
}
