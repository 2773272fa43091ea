//! Decoded pictures kept in memory.

use crate::data::sample::{FrameId, Picture};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Keeps the pictures that come first, until they fill its memory. An epoch shows every frame once: throwing out
/// what was used longest ago would throw out just what comes next.
#[derive(Debug)]
pub(super) struct FrameCache {
    limit_bytes: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    pictures: HashMap<(FrameId, usize), Picture>,
    byte_count: usize,
}

impl FrameCache {
    pub(super) fn new(limit_bytes: usize) -> Self {
        Self { limit_bytes, kept: Mutex::default() }
    }

    pub(super) fn get(&self, frame: FrameId, camera: usize) -> Option<Picture> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).pictures.get(&(frame, camera)).cloned()
    }

    pub(super) fn keep(&self, frame: FrameId, camera: usize, picture: &Picture) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let byte_count = kept.byte_count + picture.rgb.len();
        if byte_count <= self.limit_bytes && !kept.pictures.contains_key(&(frame, camera)) {
            kept.pictures.insert((frame, camera), picture.clone());
            kept.byte_count = byte_count;
        }
    }
}
