//! Reads whole datasets: LeRobot's own, BEHAVIOR-1K's layout, other codecs and column types, and damaged ones.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod behavior;
mod codecs;
mod columns;
mod damage;
mod fixtures;
mod samples;
mod scratch;
