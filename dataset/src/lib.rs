//! Reads LeRobot datasets, formats v2.1 and v3.0, from a local folder: in place, lazily, and checked.
//!
//! A [`Dataset`] is opened from its metadata alone. An [`Episode`] then reads only its own rows, column by
//! column, and a [`FrameReader`] decodes one camera's pictures, in order or at any row.
//!
//! ```no_run
//! # fn main() -> Result<(), sinew_dataset::Error> {
//! let dataset = sinew_dataset::Dataset::open("demos")?;
//! let episode = dataset.episode(dataset.episodes()[0].episode_index)?;
//! let action = episode.action()?;
//! let chunk = action.chunk(0, 0..50)?;
//! for frame in episode.frames("observation.images.head")? {
//!     let frame = frame?;
//!     println!("{:.3} s: {} x {}", episode.timestamp_s()[frame.row], frame.width, frame.height);
//! }
//! # let _ = chunk;
//! # Ok(())
//! # }
//! ```
//!
//! Nothing is repaired on the way. What the metadata promises and the files do not hold (rows, times, pictures)
//! is an [`Error`] that names the file, what was expected and what was found.

mod catalog;
mod dataset;
mod episode;
mod error;
mod feature;
mod frames;
mod info;
mod log;
mod ordered;
mod picture;
mod rows;
mod statistics;
mod table;
mod template;
mod v21;
mod v30;
mod video;

pub use catalog::EpisodeInfo;
pub use dataset::Dataset;
pub use episode::Episode;
pub use error::Error;
pub use feature::{Camera, Feature};
pub use frames::{Frame, FrameReader, VideoInfo};
pub use log::{Log, LogChannel, LogItem};
pub use picture::Yuv420;
pub use rows::{Chunk, Rows, padded_row};
pub use statistics::Statistics;
