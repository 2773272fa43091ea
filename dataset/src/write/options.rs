//! How a dataset is written.

use super::encode::VideoCodec;
use crate::info::Version;

/// The layout of a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// v2.1: a file per episode. LeRobot up to 0.3 reads it.
    V21,
    /// v3.0: many episodes per file. LeRobot from 0.4 on reads it.
    #[default]
    V30,
}

impl Format {
    pub(crate) fn version(self) -> Version {
        match self {
            Self::V21 => Version::V21,
            Self::V30 => Version::V30,
        }
    }
}

/// How a dataset is written. The numbers are LeRobot's defaults; those of a set that exists stay as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The layout.
    pub format: Format,
    /// How pictures are compressed.
    pub codec: VideoCodec,
    /// Episodes (v2.1) or files (v3.0) per folder.
    pub chunks_size: u64,
    /// Where a file of rows ends, in MiB. Each episode writes the file it goes into anew.
    pub data_files_size_mb: u64,
    /// Where a video ends, in MiB. Each episode writes the file it goes into anew.
    pub video_files_size_mb: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            format: Format::default(),
            codec: VideoCodec::default(),
            chunks_size: 1000,
            data_files_size_mb: 100,
            video_files_size_mb: 200,
        }
    }
}
