//! What can be wrong with a dataset, each time with the file and with what was expected and found.

use std::path::PathBuf;

/// Any failure to read or write a dataset.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file that the metadata promises is not there.
    #[error("{}: not found, expected the {what}", path.display())]
    Missing {
        /// The file or folder looked for.
        path: PathBuf,
        /// What it should have held, e.g. "rows of episode 3".
        what: String,
    },
    /// A file is there but the operating system would not read it.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// JSON that does not parse or has a value of the wrong type.
    #[error("{}: record starting at line {line}: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Line where the JSON text starts (always 1 in `info.json`), counted from 1.
        line: usize,
        /// Which key was wrong; its own line numbers count from `line`.
        source: serde_json::Error,
    },
    /// A format version this reader does not know.
    #[error("{}: dataset format is {found:?}, supported are v2.1 and v3.0", path.display())]
    Version {
        /// The `info.json` read.
        path: PathBuf,
        /// Its `codebase_version`.
        found: String,
    },
    /// A path template in `info.json` that cannot be filled in.
    #[error("{}: {key} {template:?}: {problem}", path.display())]
    Template {
        /// The `info.json` read.
        path: PathBuf,
        /// `data_path` or `video_path`.
        key: &'static str,
        /// The template as written.
        template: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A Parquet file that is damaged or uses something unsupported.
    #[error("{}: {source}", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// The Parquet reader's reason.
        source: parquet::errors::ParquetError,
    },
    /// A Parquet column that is absent or does not hold what it should.
    #[error("{}: column {column:?}: expected {expected}, found {found}", path.display())]
    Column {
        /// The file.
        path: PathBuf,
        /// The column's name.
        column: String,
        /// Type or shape that was needed.
        expected: String,
        /// Type or shape in the file.
        found: String,
    },
    /// An MCAP log that is damaged or was cut short.
    #[error("{}: {problem} (a log that was cut short: `sinew-runtime recover`)", path.display())]
    Log {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The metadata contradicts itself.
    #[error("{}: {what}: expected {expected}, found {found}", path.display())]
    Inconsistent {
        /// The file at fault.
        path: PathBuf,
        /// The quantity compared.
        what: String,
        /// Value that the rest of the metadata implies.
        expected: String,
        /// Value in the file.
        found: String,
    },
    /// An episode's file contradicts the metadata.
    #[error("{}: episode {episode_index}: {what}: expected {expected}, found {found}", path.display())]
    EpisodeMismatch {
        /// The file at fault.
        path: PathBuf,
        /// The episode's number.
        episode_index: u64,
        /// The quantity compared.
        what: String,
        /// Value that the metadata implies.
        expected: String,
        /// Value in the file.
        found: String,
    },
    /// The dataset has no episode of that number.
    #[error("{}: no episode {episode_index} among {episode_count} (numbers {first} to {last})", path.display())]
    UnknownEpisode {
        /// The dataset's folder.
        path: PathBuf,
        /// The number asked for.
        episode_index: u64,
        /// How many episodes there are.
        episode_count: usize,
        /// Lowest number present.
        first: u64,
        /// Highest number present.
        last: u64,
    },
    /// The dataset has no RGB camera of that name.
    #[error("{}: no RGB camera {camera:?}, there are {known:?}", path.display())]
    UnknownCamera {
        /// The dataset's folder.
        path: PathBuf,
        /// The name asked for.
        camera: String,
        /// The cameras there are.
        known: Vec<String>,
    },
    /// A row past the end was asked for.
    #[error("row {row} asked for, but there are {row_count} rows")]
    RowOutOfRange {
        /// The row asked for.
        row: usize,
        /// How many there are.
        row_count: usize,
    },
    /// A video that FFmpeg cannot open or decode.
    #[error("{}: episode {episode_index}: row {row}: cannot {action}: {source}", path.display())]
    Video {
        /// The video file.
        path: PathBuf,
        /// The episode's number.
        episode_index: u64,
        /// The row whose picture was asked for; 0 when opening.
        row: usize,
        /// What was attempted.
        action: &'static str,
        /// FFmpeg's reason.
        source: ffmpeg_next::Error,
    },
    /// A video that ends before the episode's rows do.
    #[error(
        "{}: episode {episode_index}: video too short, expected at least {expected} pictures, found {found}",
        path.display()
    )]
    VideoTooShort {
        /// The video file.
        path: PathBuf,
        /// The episode's number.
        episode_index: u64,
        /// Pictures the file needs to cover the episode.
        expected: u64,
        /// Pictures in the file.
        found: u64,
    },
    /// A video that has pictures before and after a row's time but none at it.
    #[error(
        "{}: episode {episode_index}: row {row}: expected a picture at {expected_s:.6} s, nearest is at {found_s:.6} s",
        path.display()
    )]
    NoPicture {
        /// The video file.
        path: PathBuf,
        /// The episode's number.
        episode_index: u64,
        /// The row.
        row: usize,
        /// The row's time in the file.
        expected_s: f64,
        /// The time of the first picture after it.
        found_s: f64,
    },
    /// Something that the writer cannot write.
    #[error("{}: cannot write: {what}: expected {expected}, found {found}", path.display())]
    Unsupported {
        /// The dataset's folder.
        path: PathBuf,
        /// The feature or option.
        what: String,
        /// What can be written.
        expected: String,
        /// What was asked for.
        found: String,
    },
    /// Episodes that do not go with those in the dataset.
    #[error("{}: cannot append: {what}: the dataset has {existing}, the new episodes have {new}", path.display())]
    Differs {
        /// The dataset's folder or one of its files.
        path: PathBuf,
        /// What differs.
        what: String,
        /// What the dataset has.
        existing: String,
        /// What the new episodes have.
        new: String,
    },
    /// A new dataset in a folder that holds something else.
    #[error("{}: expected a LeRobot dataset, an empty folder or none, found other files", path.display())]
    NotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// Two writers of one dataset.
    #[error("{}: another program is writing this dataset", path.display())]
    Locked {
        /// The dataset's folder.
        path: PathBuf,
    },
    /// Whoever gives an episode's pictures could not.
    #[error("{}: episode {episode_index}: {camera}: no picture for row {row}: {source}", path.display())]
    NoFrame {
        /// The dataset's folder.
        path: PathBuf,
        /// The number that the episode would have.
        episode_index: u64,
        /// The camera.
        camera: String,
        /// The row.
        row: usize,
        /// The reason given.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// FFmpeg was built without an encoder.
    #[error("this FFmpeg has no encoder {encoder}, which writes {codec} videos")]
    NoEncoder {
        /// `av1` or `h264`.
        codec: &'static str,
        /// FFmpeg's name of the encoder.
        encoder: &'static str,
    },
    /// Planes asked of a video in another pixel format.
    #[error("{}: expected planes of yuv420p pictures, found {found}", path.display())]
    PixelFormat {
        /// The video file.
        path: PathBuf,
        /// The stream's pixel format, as FFmpeg names it.
        found: String,
    },
}

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;
