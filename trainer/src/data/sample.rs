//! What a training sample is, from the place in a dataset to the pictures.

use std::sync::Arc;

/// A row of an episode of one of the training's datasets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameId {
    /// The dataset's place in the configuration.
    pub dataset: usize,
    /// The episode's number, which is not its place in the list.
    pub episode_index: u64,
    /// The row in the episode.
    pub row: usize,
}

/// One entry of an epoch's order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Draw {
    /// What is drawn.
    pub frame: FrameId,
    /// The epoch, from 0; augmentation depends on it.
    pub epoch: u64,
    /// What its loss counts; 1 on average over the epoch.
    pub weight: f32,
    /// Draws of the same group are mixed among themselves: decoded together, they take one pass forward through each video.
    pub group: usize,
}

impl Draw {
    /// A frame for itself, as validation and analysis look at it.
    #[must_use]
    pub fn of(frame: FrameId) -> Self {
        Self { frame, epoch: 0, weight: 1.0, group: 0 }
    }
}

/// A frame's numbers, in the dataset's units, after selection.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// The instruction.
    pub task: Arc<str>,
    /// `[state_dim]`.
    pub state: Vec<f32>,
    /// `[chunk, action_dim]`, the episode's last row repeated beyond its end.
    pub actions: Vec<f32>,
    /// `[chunk]`: whether the step lies beyond the episode's end.
    pub action_is_pad: Vec<bool>,
}

/// A decoded picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `[height, width, 3]`, red first.
    pub rgb: Vec<u8>,
}

/// A draw with all that the model is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Where it is from, and its weight.
    pub draw: Draw,
    /// Its numbers.
    pub example: Example,
    /// One a camera, in the policy's order, or nothing if they were not asked for.
    pub pictures: Vec<Picture>,
}
