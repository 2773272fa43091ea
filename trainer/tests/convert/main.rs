//! Logs to datasets: the program on logs that PyPI's `mcap` and `rosbags` wrote.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "../common/installed.rs"]
mod installed;
mod killed;
mod oracle;
mod outcomes;
mod support;
mod trained;
