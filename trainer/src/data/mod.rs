//! Episodes to training samples.

mod sample;

pub use sample::{Draw, Example, FrameId, Picture, Sample};
