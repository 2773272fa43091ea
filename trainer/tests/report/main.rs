//! The report and the comparison, from made-up predictions whose faults are known.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod comparison;
mod pages;
mod sample;
