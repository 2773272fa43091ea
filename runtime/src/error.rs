//! Everything that keeps the runtime from starting or makes it stop.

use sinew_models::nearest_hint;
use std::path::PathBuf;

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
    /// What is reported could not be written.
    #[error("report: {0}")]
    Report(#[source] std::io::Error),
    /// The bundle, the robot description or an instruction.
    #[error(transparent)]
    Model(#[from] sinew_models::Error),
    /// A message, a key or a time.
    #[error(transparent)]
    Wire(#[from] sinew_proto::Error),
    /// What a robot's messages say.
    #[error(transparent)]
    Sync(#[from] sinew_sync::Error),
    /// A recorded episode.
    #[error(transparent)]
    Dataset(#[from] sinew_dataset::Error),
    /// A configuration that is no TOML, or has a value of the wrong type.
    #[error("{place}: {message}")]
    ConfigSyntax {
        /// The file.
        place: String,
        /// Expected and found.
        message: String,
    },
    /// A configuration key nobody reads.
    #[error("{place}: unknown key `{key}`{}", nearest_hint(.nearest))]
    UnknownKey {
        /// The file.
        place: String,
        /// The key, with its tables.
        key: String,
        /// The known key most like it.
        nearest: Option<String>,
    },
    /// A value that makes no sense.
    #[error("`{key}` is {found}, expected {expected}")]
    ConfigValue {
        /// The key.
        key: String,
        /// Its value.
        found: String,
        /// What would do.
        expected: String,
    },
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
    /// A trajectory has to move all joints of its group.
    #[error(
        "group `{group}`: robot `{robot}` has {joint_count} joints, the bundle's action lacks {}",
        quoted(.missing)
    )]
    IncompleteGroup {
        /// The robot.
        robot: String,
        /// The group.
        group: String,
        /// Joints of the group.
        joint_count: usize,
        /// Those the action does not command.
        missing: Vec<String>,
    },
    /// ONNX Runtime's library cannot be used.
    #[error("ONNX Runtime: {message}\n  {remedy}")]
    Library {
        /// What is wrong with it, with its path.
        message: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The execution provider asked for is not to be had.
    #[error("execution provider `{provider}`: {message}\n  {remedy}")]
    Provider {
        /// The provider.
        provider: &'static str,
        /// Why not.
        message: String,
        /// What to do.
        remedy: &'static str,
    },
    /// A graph failed to load or to run.
    #[error("{graph}: {message}")]
    Graph {
        /// The graph.
        graph: String,
        /// What ONNX Runtime said.
        message: String,
    },
    /// The network.
    #[error("zenoh: {action}: {message}")]
    Zenoh {
        /// What was attempted.
        action: String,
        /// What zenoh said.
        message: String,
    },
    /// An address cannot be listened on.
    #[error("listening on {address}: {source}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// A message from a sensor that cannot be used.
    #[error("{what}: expected {expected}, found {found}")]
    Sample {
        /// The field.
        what: String,
        /// What would be right.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A camera of this computer.
    #[error("{device}: {message}")]
    Device {
        /// Its file.
        device: String,
        /// What is wrong.
        message: String,
    },
    /// A JPEG could not be decoded or encoded.
    #[error("JPEG: {0}")]
    Jpeg(String),
    /// The policy computed a number that is none.
    #[error("the policy's `{name}` in step {step} is {found}, expected a finite number: chunk withheld")]
    NotFinite {
        /// The action dimension.
        name: String,
        /// The step.
        step: usize,
        /// The number.
        found: f32,
    },
    /// An episode that cannot be played.
    #[error("{dataset}: {message}")]
    Replay {
        /// The dataset.
        dataset: String,
        /// Expected and found.
        message: String,
    },
    /// An episode's log could not be written or read.
    #[error("{}: {message}", path.display())]
    Log {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// A simulated robot that cannot be evaluated on.
    #[error("rig: {message}")]
    Rig {
        /// What is wrong.
        message: String,
    },
    /// A picture could not be drawn.
    #[error("{}: {message}", path.display())]
    Plot {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// The system refused a thread.
    #[error("thread `{name}`: {source}")]
    Thread {
        /// The thread.
        name: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A thread died of a bug.
    #[error("thread `{0}` panicked")]
    Panicked(String),
    /// The system refused a signal handler.
    #[error("signal handler: {0}")]
    Signal(std::io::Error),
}

impl Error {
    /// Whether the user can mend it by giving something else: a bundle, a configuration, a flag.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        use sinew_dataset::Error::{UnknownCamera, UnknownEpisode};
        matches!(
            self,
            Self::Model(_)
                | Self::Dataset(UnknownCamera { .. } | UnknownEpisode { .. })
                | Self::ConfigSyntax { .. }
                | Self::UnknownKey { .. }
                | Self::ConfigValue { .. }
                | Self::Mismatch { .. }
                | Self::Sync(sinew_sync::Error::Mismatch { .. } | sinew_sync::Error::Model(_))
                | Self::IncompleteGroup { .. }
                | Self::Replay { .. }
                | Self::Rig { .. }
        )
    }

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

    /// For `map_err` on zenoh's calls.
    pub(crate) fn zenoh(action: impl Into<String>) -> impl FnOnce(zenoh::Error) -> Self {
        let action = action.into();
        move |error| Self::Zenoh { action, message: error.to_string() }
    }

    /// For `map_err` on ONNX Runtime's calls.
    pub(crate) fn graph<R>(graph: &str) -> impl FnOnce(ort::Error<R>) -> Self + '_ {
        move |error| Self::Graph { graph: graph.to_owned(), message: error.to_string() }
    }
}

pub(crate) fn quoted<T: AsRef<str>>(names: &[T]) -> String {
    names.iter().map(|name| format!("`{}`", name.as_ref())).collect::<Vec<_>>().join(", ")
}
