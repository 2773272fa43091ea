//! The `[cache]` table of a training's configuration.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What is kept of frames, where, and how much of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CacheOptions {
    /// What is kept.
    pub mode: CacheMode,
    /// Where; empty: in the run's folder. Runs may share it, one at a time.
    pub folder: PathBuf,
    /// Most disk space of the folder, in MB.
    pub limit_mb: u64,
    /// What numbers are stored as.
    pub dtype: StoredDtype,
    /// With augmented pictures: how many variants of each frame there are.
    pub variants: u32,
}

impl Default for CacheOptions {
    fn default() -> Self {
        Self {
            mode: CacheMode::Off,
            folder: PathBuf::new(),
            limit_mb: 20_000,
            dtype: StoredDtype::Float32,
            variants: 4,
        }
    }
}

/// What is kept of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CacheMode {
    /// Nothing.
    Off,
    /// The tokens that the vision tower makes of its pictures: 0.25 MB a camera at full size, in float32.
    Vision,
    /// The keys and values that the text model makes of pictures and instruction: 10 MB at full size, in float32.
    Prefix,
}

/// What numbers are stored as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoredDtype {
    /// As they are.
    Float32,
    /// Rounded to 11 bits; an entry that float16 cannot hold is not stored.
    Float16,
}

impl StoredDtype {
    /// Bytes of a number.
    pub(super) fn size(self) -> usize {
        match self {
            Self::Float32 => 4,
            Self::Float16 => 2,
        }
    }
}
