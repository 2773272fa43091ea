//! SmolVLA written once, its preprocessing, the robot descriptions, and the contract between trainer and robot.
//!
//! Nothing here computes on a device or talks to a network: this crate may not depend on candle,
//! ONNX Runtime or zenoh. What trainer and runtime must do alike is here, so that they cannot differ.

pub mod checkpoint;
pub mod config;
pub mod contract;
pub mod embodiment;
pub mod envelope;
mod error;
mod expert;
pub mod flow;
pub mod formula;
pub mod kinematics;
pub mod masks;
mod nn;
pub mod ops;
mod prefix;
pub mod preprocess;
pub mod processors;
pub mod separation;
mod siglip;
pub mod smolvla;
pub mod unit;
pub mod weights;

pub use error::{Error, nearest_hint, nearest_name};
