//! Fine-tuning: flow-matching loss, gradients, optimiser steps, checkpoints.

pub mod advice;
pub mod average;
pub mod draws;
pub mod forward;
pub mod frames;
pub mod freeze;
pub mod from_logs;
pub mod handover;
pub mod learner;
pub mod lora;
pub mod metrics;
pub mod noising;
pub mod optimizer;
pub mod params;
pub mod prepare;
pub mod progress;
pub mod record;
pub mod run;
pub mod schedule;
pub mod setup;
pub mod tensorboard;
pub mod validate;
