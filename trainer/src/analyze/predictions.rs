//! Predicted chunks beside what was done, in the robot's units.

use crate::data::FrameId;

/// Chunks predicted from some frames: whole ones, each from its own frame.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PredictionSet {
    /// The frames, in order.
    pub frames: Vec<FrameId>,
    /// Rows of each frame's episode.
    pub episode_lengths: Vec<usize>,
    /// Each frame's instruction.
    pub tasks: Vec<String>,
    /// `[frames, chunk, action_dim]`.
    pub predicted: Vec<f32>,
    /// `[frames, chunk, action_dim]`, the episode's last row repeated beyond its end.
    pub truth: Vec<f32>,
    /// `[frames, chunk]`: whether the step lies beyond the episode's end.
    pub is_pad: Vec<bool>,
    /// `[frames, state_dim]`.
    pub state: Vec<f32>,
    /// `[frames, look]`: a few numbers of what the cameras show, equally many a frame.
    pub look: Vec<f32>,
}

/// All predictions of an analysis.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Predictions {
    /// Steps of a chunk.
    pub chunk_size: usize,
    /// Numbers of an action.
    pub action_dim: usize,
    /// Numbers of a state.
    pub state_dim: usize,
    /// Frames of episodes trained on.
    pub train: PredictionSet,
    /// Frames of the others.
    pub validation: PredictionSet,
    /// Consecutive frames of one episode trained on.
    pub train_sequence: PredictionSet,
    /// Consecutive frames of one of the others.
    pub validation_sequence: PredictionSet,
    /// `[noises, frames, chunk, action_dim]`: other noises' chunks for the first frames of the side judged by.
    pub resampled: Vec<f32>,
    /// How many noises those are.
    pub noise_count: usize,
}

impl PredictionSet {
    /// How many frames there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }
}

impl Predictions {
    /// The side to judge by: validation where there is one.
    #[must_use]
    pub fn judged(&self) -> &PredictionSet {
        if self.validation.is_empty() { &self.train } else { &self.validation }
    }
}
