//! Everything that can go wrong while training, analysing and exporting.

use std::path::{Path, PathBuf};

/// An error of this crate: what was expected, what was found, and where.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The model, its checkpoint, its configuration or a bundle is not right.
    #[error(transparent)]
    Model(#[from] sinew_models::Error),
    /// A dataset cannot be read.
    #[error(transparent)]
    Dataset(#[from] sinew_dataset::Error),
    /// What a robot said cannot be an observation.
    #[error(transparent)]
    Sync(#[from] sinew_sync::Error),
    /// A message, a key or a time.
    #[error(transparent)]
    Wire(#[from] sinew_proto::Error),
    /// A message in a log cannot be used.
    #[error("{}: {topic} at {at_s:.3} s: {source}", path.display())]
    LogMessage {
        /// The log.
        path: PathBuf,
        /// The topic.
        topic: String,
        /// When it was recorded, seconds since 1970.
        at_s: f64,
        /// What is wrong.
        source: Box<Error>,
    },
    /// A log was recorded with something that does not fit.
    #[error("{}: {source}", path.display())]
    LogUnfit {
        /// The log.
        path: PathBuf,
        /// What does not fit.
        source: Box<Error>,
    },
    /// An episode has a hole: a row for which there is no observation.
    #[error("{}: {at_s:.3} s after its first row: no observation within {max_gap_ms:.0} ms (none for {silent_ms:.0} ms): {reason}", path.display())]
    Gap {
        /// The log.
        path: PathBuf,
        /// Where, seconds since the first row.
        at_s: f64,
        /// The farthest that one may be.
        max_gap_ms: f64,
        /// Time between the observations before and behind it.
        silent_ms: f64,
        /// What was missing.
        reason: String,
    },
    /// Some logs are no episodes of the dataset.
    #[error("{refused_count} of {log_count} logs refused, see above")]
    Refused {
        /// How many.
        refused_count: usize,
        /// Of how many.
        log_count: usize,
    },
    /// A log that cannot be an episode.
    #[error("{}: {message}", path.display())]
    Log {
        /// The log.
        path: PathBuf,
        /// What it lacks.
        message: String,
    },
    /// A sample cannot be had.
    #[error("{dataset}: episode {episode_index}: row {row}: {source}")]
    Sample {
        /// The dataset, as the configuration calls it.
        dataset: String,
        /// The episode's number.
        episode_index: u64,
        /// The row in the episode.
        row: usize,
        /// What is wrong.
        source: Box<Error>,
    },
    /// A bug ended a thread that decodes.
    #[error("the thread that decodes its pictures ended early")]
    DecoderPanicked,
    /// The system refused a thread.
    #[error("cannot start thread {name}: {source}")]
    Thread {
        /// Its name.
        name: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The device to compute on cannot be had.
    #[error("{name}: {message}: {remedy}")]
    Device {
        /// The device.
        name: String,
        /// Why not.
        message: String,
        /// What to do.
        remedy: &'static str,
    },
    /// candle could not compute.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
    /// A number of the training is not finite.
    #[error("{what} is {found}{}", sample.as_ref().map(|sample| format!(", at {sample}")).unwrap_or_default())]
    NotFinite {
        /// What was computed.
        what: String,
        /// What it is.
        found: f64,
        /// The sample that gave it, if it was one.
        sample: Option<String>,
    },
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A graph cannot be wired as asked.
    #[error("cannot wire {op} of {node}: {message}")]
    Graph {
        /// The operation.
        op: &'static str,
        /// Its operands, by name and shape.
        node: String,
        /// What does not fit.
        message: String,
    },
    /// A weight does not fit the data type it is to be stored in.
    #[error("weight `{name}` holds {value}, which {dtype} cannot store")]
    WeightRange {
        /// Its name in the checkpoint.
        name: String,
        /// The value.
        value: f32,
        /// The data type.
        dtype: &'static str,
    },
    /// A file is not the ONNX model it should be.
    #[error("{}: {message}", path.display())]
    Onnx {
        /// The model or its weight file.
        path: PathBuf,
        /// Expected and found.
        message: String,
    },
    /// A file of arrays cannot be written or read.
    #[error("{}: {message}", path.display())]
    Npz {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// ONNX Runtime refused.
    #[error("ONNX Runtime: {0}")]
    Ort(#[from] ort::Error),
    /// ONNX Runtime's library cannot be used.
    #[error("ONNX Runtime's library {}: {message}", path.display())]
    Engine {
        /// Where it was looked for.
        path: PathBuf,
        /// What is wrong, and what to do.
        message: String,
    },
    /// A plot cannot be drawn.
    #[error("cannot draw the plot {name}: {message}")]
    Plot {
        /// Its file's name.
        name: &'static str,
        /// What is wrong.
        message: String,
    },
    /// Something is where the result should go.
    #[error("{} exists: remove it or choose another place", path.display())]
    Exists {
        /// The place.
        path: PathBuf,
    },
    /// A configuration that cannot be read.
    #[error("{place}: {message}")]
    Config {
        /// The file, or the command line.
        place: String,
        /// What is wrong.
        message: String,
    },
    /// A dataset that is neither a folder nor to be had from the hub.
    #[error("dataset `{id}`: {message}")]
    Hub {
        /// Its name.
        id: String,
        /// Where it was looked for, and why it is not there.
        message: String,
    },
    /// A dataset can be used in part only.
    #[error("{}: {fault_count} faults, see above", path.display())]
    Unsound {
        /// The dataset.
        path: PathBuf,
        /// How many faults were found.
        fault_count: usize,
    },
    /// The command line asks for something that cannot be.
    #[error("{0}")]
    Usage(String),
    /// A graph does not compute what the training model computes.
    #[error("{stage}: error {error:e} exceeds {tolerance:e}")]
    Parity {
        /// The stage.
        stage: String,
        /// Largest difference, relative to `max(1, largest reference value)`.
        error: f64,
        /// What is allowed.
        tolerance: f64,
    },
}

impl Error {
    /// For `map_err` on file operations.
    pub fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.to_owned(), source }
    }

    /// A file that is not the ONNX model it should be.
    pub fn onnx(path: &Path, message: impl std::fmt::Display) -> Self {
        Self::Onnx { path: path.to_owned(), message: message.to_string() }
    }
}
