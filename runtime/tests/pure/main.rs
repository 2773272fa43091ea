//! What computes without a network: samples to observations, feedback to states, chunks to messages.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod check;
mod command;
mod diagnostics;
mod drive;
mod eval;
mod manifest;
mod picture;
mod plan;
mod replayed;
mod safety;
mod schedule;
mod setpoint;
mod sync;
