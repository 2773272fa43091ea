//! Reads and writes whole datasets: LeRobot's own, BEHAVIOR-1K's layout, other codecs and column types, and damaged ones.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod behavior;
mod codecs;
mod columns;
mod converted;
mod damage;
mod fixtures;
mod killed;
mod refused;
mod samples;
mod scratch;
mod synthetic;
mod written;
