//! The videos read last, kept open.

use crate::dataset::Dataset;
use crate::error::Result;
use crate::frames::FrameReader;

/// Keeps the videos open that were read last. In v3.0 one file holds many episodes, and to open it is to read the index of
/// them all.
#[derive(Debug)]
pub struct Videos {
    capacity: usize,
    /// The one read last at the end.
    open: Vec<FrameReader>,
}

impl Videos {
    /// Keeps up to `capacity` files open, at least one.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { capacity: capacity.max(1), open: Vec::new() }
    }

    /// One camera's video of an episode. The episode's rows are not read for it: what [`Dataset::episode`] checks is not
    /// checked here.
    ///
    /// # Errors
    /// If there is no such episode or camera, or the video is missing, damaged, or has fewer pictures than the episode
    /// has rows.
    pub fn frames(
        &mut self,
        dataset: &Dataset,
        episode_index: u64,
        camera: &str,
    ) -> Result<&mut FrameReader> {
        let span = dataset.pictures_of(dataset.position(episode_index)?, camera)?;
        let reader = match self.open.iter().position(|reader| reader.path() == span.path) {
            Some(place) => self.open.remove(place).turned_to(span)?,
            None => FrameReader::open(span, dataset.fps())?,
        };
        if self.open.len() == self.capacity {
            self.open.remove(0);
        }
        self.open.push(reader);
        let last = self.open.len() - 1;
        Ok(&mut self.open[last])
    }
}
