//! From raw observations to the model's inputs and back: the one copy that trainer and runtime share.

mod image;
mod normalize;
mod tokenize;

pub use image::ResizePlan;
pub use normalize::Normalizer;
pub use tokenize::{Instruction, InstructionTokenizer};
