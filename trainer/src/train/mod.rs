//! Fine-tuning: flow-matching loss, gradients, optimiser steps, checkpoints.

pub mod forward;
pub mod freeze;
pub mod noising;
pub mod optimizer;
pub mod params;
pub mod schedule;
