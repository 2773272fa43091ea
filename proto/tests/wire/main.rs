//! The wire format against what others make of it: hand-made bytes, PyPI's `rosbags`, damaged messages.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod action_chunk;
mod damage;
mod kinds;
mod oracle;
mod vectors;
