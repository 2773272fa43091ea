//! Offline: SmolVLA from logged episodes to a bundle for the robot.

pub mod analyze;
pub mod candle_ops;
pub mod checkpoint;
pub mod cli;
pub mod config;
pub mod convert;
pub mod data;
pub mod device;
mod error;
pub mod export;
pub mod frozen;
pub mod train;

pub use error::Error;
