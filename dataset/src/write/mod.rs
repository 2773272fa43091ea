//! Writes datasets as LeRobot 0.4.4 lays them out, episode by episode.
//!
//! An episode is in the dataset wholly or not at all, also when the program is killed: its files are written aside and
//! renamed into place, `meta/info.json` last. What that file does not count, the reader of this crate leaves out, and the
//! next [`Writer`] clears away.

mod candidate;
mod convert;
mod description;
mod encode;
mod entry;
mod film;
mod join;
mod options;
mod paths;
mod staging;
mod state;
mod summary;
mod tables;
mod v21;
mod v30;
mod writer;

pub use convert::{Conversion, convert};
pub use description::{Description, NewEpisode, PictureError, Pictures};
pub use encode::VideoCodec;
pub use options::{Format, Options};
pub use writer::Writer;
