//! On what an entry depends.

use crate::Error;
use crate::data::FrameId;
use sha2::{Digest, Sha256};
use sinew_models::weights::Weights;

/// Everything but the frame that an entry depends on: another key is another cache.
#[derive(Clone, Debug, Default)]
pub struct CacheKey {
    hash: Sha256,
}

impl CacheKey {
    /// Depends on nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Depends on `bytes` too. Parts are told apart by name and length.
    #[must_use]
    pub fn with(mut self, name: &str, bytes: &[u8]) -> Self {
        for part in [name.as_bytes(), bytes] {
            self.hash.update((part.len() as u64).to_le_bytes());
            self.hash.update(part);
        }
        self
    }

    /// Depends on these weights too, as they are stored.
    ///
    /// # Errors
    /// If there is no such weight.
    pub fn with_weights<'a>(
        mut self,
        weights: &Weights,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, Error> {
        for name in names {
            let (dtype, shape, bytes) = weights.stored(name).ok_or_else(|| {
                sinew_models::Error::file(weights.path(), format!("has no tensor `{name}`"))
            })?;
            self = self.with(name, format!("{dtype:?} {shape:?}").as_bytes()).with("bytes", bytes);
        }
        Ok(self)
    }

    /// The key in 32 bytes.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        self.hash.clone().finalize().into()
    }
}

/// A frame as it was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameKey {
    /// The frame.
    pub frame: FrameId,
    /// Which augmentation of its pictures; 0 if there is none.
    pub variant: u32,
    /// A checksum of what is known of the files that the frame is in.
    pub source: u32,
}
