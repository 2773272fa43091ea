//! The exporter against torch's numbers, ONNX Runtime and ONNX's own checker.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::result_large_err)]

mod files;
mod operations;
mod shapes;
mod support;
