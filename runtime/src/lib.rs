//! On the robot: live cameras and joint states in, action chunks out.
//!
//! ```text
//!   cameras ──► capture thread each ──┐
//!               decode, resize        ├─► streams ──► inference thread ──► ActionChunk
//!   joints ───► zenoh callback ───────┘              observe, infer,      JointTrajectory per group
//!   operator ─► instruction ───────────────────────► publish
//! ```
//!
//! Pure: `sinew_sync` (messages to observations), [`command`] (a chunk to messages). Time is an argument there. The shell around them: [`ingest`], [`policy`], [`publish`], [`run`].
//! [`replay`], [`watch`] and [`demo`] are the robot, an onlooker, and all three at once on one machine.

pub mod check;
pub mod cli;
pub mod clock;
pub mod command;
pub mod config;
pub mod control;
pub mod demo;
pub mod diagnostics;
pub mod drive;
mod error;
pub mod eval;
pub mod inference;
pub mod ingest;
pub mod motion;
pub mod net;
pub mod operator;
pub mod plan;
pub mod plot;
pub mod policy;
pub mod presence;
pub mod publish;
pub mod record;
pub mod rehearse;
pub mod replay;
pub mod robot;
pub mod ros;
pub mod run;
pub mod safety;
pub mod schedule;
pub mod setpoint;
pub mod slot;
pub mod stage;
pub mod status;
pub mod stop;
pub mod telemetry;
mod thread;
pub mod watch;

pub use error::Error;
