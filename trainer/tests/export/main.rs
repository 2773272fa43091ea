//! The exporter against torch's numbers, ONNX Runtime and ONNX's own checker.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod files;
mod operations;
mod shapes;
mod support;

#[path = "../common/installed.rs"]
mod installed;
