//! Trainings of a small policy on real episodes.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod analyzing;
mod checkpoints;
mod learning;
mod options;
mod refusals;
mod resuming;
mod support;

#[path = "../common/installed.rs"]
mod installed;
