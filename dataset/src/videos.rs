//! The videos read last, kept open.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::dataset::Dataset;
use crate::error::Result;
use crate::frames::{Frame, FrameReader};

/// So many pictures ahead of where it stands, a reader is taken for the one that reads this part of the video.
const NEAR: u64 = 128;

/// Keeps the videos open that were read last, for several threads. To open one is to read its index, which in v3.0 is that of
/// many episodes; and whoever goes on where a reader stands does not decode from the key frame before.
#[derive(Debug)]
pub struct Videos {
    capacity: usize,
    /// The one used last at the end.
    idle: Mutex<Vec<FrameReader>>,
}

impl Videos {
    /// Keeps up to `capacity` readers, at least one.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { capacity: capacity.max(1), idle: Mutex::default() }
    }

    /// One camera's picture of a row of an episode. The episode's rows are not read for it: what [`Dataset::episode`] checks
    /// is not checked here.
    ///
    /// # Errors
    /// If there is no such episode, camera or row, or the video is missing, damaged, or has fewer pictures than the
    /// episode has rows.
    pub fn frame(&self, dataset: &Dataset, episode_index: u64, camera: &str, row: usize) -> Result<Frame> {
        let span = dataset.pictures_of(dataset.position(episode_index)?, camera)?;
        let mut reader = match self.take(&span.path, span.picture_number(row)?) {
            Some(reader) => reader.turned_to(span)?,
            None => FrameReader::open(span, dataset.fps())?,
        };
        let frame = reader.frame_at(row)?;
        let mut idle = self.idle();
        idle.push(reader);
        if idle.len() > self.capacity {
            idle.remove(0);
        }
        Ok(frame)
    }

    /// The reader that stands closest before a picture; else, once there are as many as may be, any of that file.
    fn take(&self, path: &Path, picture: u64) -> Option<FrameReader> {
        let mut idle = self.idle();
        let ahead = |reader: &FrameReader| picture.checked_sub(reader.picture_number()?);
        let of_file = || idle.iter().enumerate().filter(|(_, reader)| reader.path() == path);
        let near = of_file()
            .filter_map(|(place, reader)| Some((ahead(reader).filter(|ahead| *ahead <= NEAR)?, place)))
            .min()
            .map(|(_, place)| place);
        let any = || of_file().map(|(place, _)| place).next().filter(|_| idle.len() >= self.capacity);
        let place = near.or_else(any)?;
        Some(idle.remove(place))
    }

    fn idle(&self) -> MutexGuard<'_, Vec<FrameReader>> {
        // Whoever panicked did so between complete changes.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_reads_another_part_of_a_video_gets_a_reader_of_its_own_while_there_is_room() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/behavior_sim");
        let dataset = Dataset::open(folder).unwrap();
        let videos = Videos::new(2);
        let read = |row| videos.frame(&dataset, 60010, "observation.images.rgb.head", row).unwrap();
        let standing = || {
            let mut places: Vec<_> = videos.idle().iter().filter_map(FrameReader::picture_number).collect();
            places.sort_unstable();
            places
        };
        read(0);
        read(150);
        assert_eq!(standing(), [0, 150]);
        read(1);
        read(151);
        assert_eq!(standing(), [1, 151]);
        // No room for a third: the one used longest ago goes back.
        read(0);
        assert_eq!(standing(), [0, 151]);
    }
}
