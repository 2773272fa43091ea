//! The program itself, on a network: against a robot made of other people's software, on damage, and on refusal.
//!
//! Every test takes ports the system chooses, so that all can run at once.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod check;
mod damage;
mod demonstration;
mod diagnostics;
mod evaluated;
mod faults;
mod instruction;
mod kit;
mod motion;
mod network;
mod policy;
mod recorded;
mod refusal;
mod replayed;
mod robot;
