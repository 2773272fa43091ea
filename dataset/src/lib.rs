//! Reads and writes LeRobot datasets, formats v2.1 and v3.0, in a local folder: read in place, lazily, and checked;
//! written episode by episode, each of them wholly or not at all.
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
//!
//! A [`Writer`] begins a dataset or goes on with one:
//!
//! ```no_run
//! use sinew_dataset::{Description, Feature, NewEpisode, Numbers, Options, PictureError, Writer};
//! # fn frames() -> impl Iterator<Item = Result<sinew_dataset::Frame, PictureError>> { std::iter::empty() }
//! # fn main() -> Result<(), sinew_dataset::Error> {
//! let head = "observation.images.head";
//! let features = vec![Feature::numbers("action", ["left", "right"]), Feature::pictures(head, 480, 640)];
//! let description = Description { fps: 30, robot_type: None, features };
//! let mut writer = Writer::open("demos", description, Options::default())?;
//! if writer.episode_of("log-17").is_none() {
//!     writer.add(NewEpisode {
//!         id: Some("log-17".to_owned()),
//!         tasks: vec!["put the egg in the tray".to_owned()],
//!         columns: vec![("action".to_owned(), Numbers::Float32(vec![0.1, 0.2]))],
//!         pictures: vec![(head.to_owned(), Box::new(frames()))],
//!     })?;
//! }
//! writer.finish()
//! # }
//! ```

mod catalog;
mod dataset;
mod episode;
mod error;
mod feature;
mod frames;
mod info;
mod log;
mod numbers;
mod ordered;
mod picture;
mod rows;
mod statistics;
mod table;
mod template;
mod v21;
mod v30;
mod video;
mod videos;
mod write;

pub use catalog::EpisodeInfo;
pub use dataset::Dataset;
pub use episode::Episode;
pub use error::Error;
pub use feature::{Camera, Feature};
pub use frames::{Frame, FrameReader, VideoInfo};
pub use log::{Log, LogChannel, LogItem};
pub use numbers::Numbers;
pub use picture::Yuv420;
pub use rows::{Chunk, Rows, padded_row};
pub use statistics::Statistics;
pub use videos::Videos;
pub use write::{
    Conversion, Description, Format, NewEpisode, Options, PictureError, Pictures, VideoCodec, Writer, convert,
};
