//! Checkpoints in LeRobot's layout: `checkpoints/000100/{pretrained_model, training_state}`, written whole.

pub mod policy_folder;
pub mod random;
mod random_state;
pub mod store;
pub mod tensors;
pub mod trained_on;
pub mod training_state;
