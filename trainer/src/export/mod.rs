//! From the model to ONNX files: wire a graph, write it, read it back and count what is in it.
//!
//! The model is written once over [`sinew_models::ops::Ops`]; [`GraphOps`] interprets it by wiring nodes.
//! Weights stay in the checkpoint until [`write`](fn@write) streams them, one at a time, into the file.
//!
//! ```no_run
//! use sinew_models::{ops::Ops, weights::Weights};
//! use sinew_trainer::export::{Dtype, GraphDtype, GraphOps, audit, write};
//! # fn export(weights: &Weights, folder: &std::path::Path) -> Result<(), sinew_trainer::Error> {
//! let ops = GraphOps::new("state", GraphDtype::F32, weights);
//! let state = ops.input("state", Dtype::F32, &[1, 32])?;
//! let w = ops.param("model.state_proj.weight", &[960, 32])?;
//! let b = ops.param("model.state_proj.bias", &[960])?;
//! ops.output("token", &ops.linear(&state, &w, Some(&b))?)?;
//! let written = write(&ops.finish(), weights, folder)?;
//! audit::check_dtype(&written.model, GraphDtype::F32)?;
//! # Ok(())
//! # }
//! ```

mod attention;
pub mod audit;
pub mod bundle;
pub mod engine;
mod graph;
mod graph_ops;
pub mod graph_policy;
pub mod graphs;
pub mod layout;
pub mod onnx;
pub mod parity;
mod write;

pub use graph::{Dtype, Graph, Value};
pub use graph_ops::{GraphDtype, GraphOps, Tensor, Weight};
pub use write::{Written, write};
