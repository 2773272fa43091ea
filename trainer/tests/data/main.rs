//! Datasets to examples, statistics and orders, against what LeRobot and numpy say of the same files.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod commands;
mod damage;
mod examples;
mod hub;
mod loader;
mod orders;
mod statistics;
mod support;
