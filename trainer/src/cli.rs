//! The command line of `sinew-trainer`, a subcommand a module.

mod analyze;
mod compare;
mod convert;
mod export;
mod init;
mod inspect;
mod stats;
mod train;

use crate::Error;
use crate::data::{Findings, Severity};
use clap::{Parser, Subcommand};
use indicatif::ProgressBar;
use signal_hook::consts::{SIGINT, SIGTERM};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// SmolVLA from logged episodes to a bundle for the robot.
#[derive(Debug, Parser)]
#[command(version, about)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show what is in a dataset, and what is wrong with it.
    Inspect(inspect::Inspect),
    /// Make a LeRobot dataset of recorded logs; or write a dataset in the other format.
    Convert(convert::Convert),
    /// Compute a dataset's statistics, and compare them with its own.
    Stats(stats::Stats),
    /// Set two analyses side by side: what recovered, what got worse, how sure that is.
    Compare(compare::Compare),
    /// Fine-tune a policy on episodes.
    Train(train::Train),
    /// Say which dimensions a policy did not learn, and why; or what a dataset is like.
    Analyze(analyze::Analyze),
    /// Write a policy with random weights, to train from nothing.
    Init(init::Init),
    /// Write a checkpoint as a bundle: three ONNX graphs and the contract that the robot checks.
    Export(export::Export),
}

impl Cli {
    /// Does what was asked.
    ///
    /// # Errors
    /// If it cannot be done.
    pub fn run(&self, arguments: &[String]) -> Result<(), Error> {
        match &self.command {
            Command::Inspect(inspect) => inspect.run(),
            Command::Convert(convert) => convert.run(),
            Command::Stats(stats) => stats.run(),
            Command::Compare(compare) => compare.run(),
            Command::Train(train) => train.run(&arguments.join(" ")),
            Command::Analyze(analyze) => analyze.run(),
            Command::Init(init) => init.run(),
            Command::Export(export) => export.run(&arguments.join(" ")),
        }
    }
}

/// Data goes to stdout.
fn print(text: &str) -> Result<(), Error> {
    writeln!(std::io::stdout(), "{text}").map_err(Error::io(Path::new("stdout")))
}

/// What was found goes to stderr.
fn report(findings: &Findings) {
    for finding in &findings.0 {
        match finding.severity {
            Severity::Fault => tracing::error!("{}", finding.message),
            Severity::Note => tracing::warn!("{}", finding.message),
        }
    }
}

/// A bar of episodes on stderr, if that is a terminal.
fn episode_bar(episode_count: usize) -> ProgressBar {
    ProgressBar::new(episode_count as u64).with_message("episodes")
}

/// A flag that the first Ctrl-C or SIGTERM sets, and that is looked at between two steps; the second ends the program at once.
fn stop_on_signals() -> Result<Arc<AtomicBool>, Error> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // In this order: at the first signal the flag is not yet set when it is looked at.
        signal_hook::flag::register_conditional_shutdown(signal, 1, stop.clone())
            .and_then(|_| signal_hook::flag::register(signal, stop.clone()))
            .map_err(Error::io(Path::new("signals")))?;
    }
    Ok(stop)
}
