//! `sinew-trainer train`.

use super::analyze::predictions_bar;
use super::convert::{LogFlags, say};
use crate::Error;
use crate::analyze::predict::Extent;
use crate::config::TrainConfig;
use crate::train::from_logs::{self, Request};
use crate::train::run::{self, Outcome};
use clap::Args;
use sinew_dataset::Format;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// Fine-tunes a policy on episodes.
#[derive(Debug, Args)]
pub(super) struct Train {
    /// What to do, in TOML; may be repeated, later files are laid over earlier ones.
    #[arg(long)]
    config: Vec<PathBuf>,
    /// Go on with the run in the output folder as if it had never stopped.
    #[arg(long)]
    resume: bool,
    /// Begin with recorded logs (.mcap) or folders of them: they become the dataset of the run, which ends with a bundle and
    /// an analysis. Flags for logs are those of `convert`.
    #[arg(long, num_args = 1.., requires = "base", requires = "output")]
    logs: Vec<PathBuf>,
    /// With --logs: the policy's folder to start from (`policy.checkpoint`).
    #[arg(long, requires = "logs")]
    base: Option<PathBuf>,
    /// With --logs: the folder of the run and all that comes of it (`run.output`).
    #[arg(long, requires = "logs")]
    output: Option<PathBuf>,
    /// With --logs: frames that the analysis predicts from, of the episodes trained on and as many of the others, and again as
    /// many of one episode from its start to its end.
    #[arg(long, requires = "logs", default_value_t = 64)]
    analysis_frames: usize,
    #[command(flatten)]
    flags: LogFlags,
    /// Print the whole configuration, every key explained in the default that `--print-default` shows, and end.
    #[arg(long)]
    print_config: bool,
    /// Print the default configuration with its comments, and end.
    #[arg(long)]
    print_default: bool,
    /// Any key of the configuration as a flag: --run.steps 2000.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "--TABLE.KEY VALUE")]
    overrides: Vec<String>,
}

impl Train {
    pub(super) fn run(&self, command: &str) -> Result<(), Error> {
        let print = |text: &str| write!(std::io::stdout(), "{text}").map_err(Error::io(Path::new("stdout")));
        if let (Some(flag), true) = (self.flags.given(), self.logs.is_empty()) {
            return Err(Error::Usage(format!("{flag} is about --logs, which was not given")));
        }
        if self.print_default {
            return print(crate::config::DEFAULT);
        }
        let mut config = TrainConfig::read(&self.config, &self.overrides)?;
        if let (Some(base), Some(output)) = (&self.base, &self.output) {
            (config.policy.checkpoint, config.run.output) = (base.clone(), output.clone());
        }
        if self.print_config {
            return print(&config.to_toml()?);
        }
        let stop = super::stop_on_signals()?;
        let outcome = if self.logs.is_empty() {
            run::train(config, command, self.resume, &stop)?
        } else {
            self.train_on_logs(config, command, &stop)?
        };
        let state = if outcome.was_stopped { "stopped" } else { "done" };
        tracing::info!("{state} after step {}: {}", outcome.step, outcome.last.display());
        if let Some(best) = &outcome.best {
            tracing::info!("best: {}", best.display());
        }
        if let Some(bundle) = &outcome.bundle {
            tracing::info!("bundle: {}", bundle.display());
        }
        Ok(())
    }

    fn train_on_logs(&self, config: TrainConfig, command: &str, stop: &AtomicBool) -> Result<Outcome, Error> {
        let request = Request {
            logs: &self.logs,
            convert: &self.flags.options(Format::V30),
            extent: Extent {
                frame_count: self.analysis_frames,
                sequence_frame_count: self.analysis_frames,
                ..Extent::default()
            },
            command,
            resume: self.resume,
        };
        let bar = predictions_bar();
        let outcome = from_logs::train(&request, config, &bar, stop, say);
        bar.finish_and_clear();
        let (outcome, folder) = (outcome?, self.output.clone().unwrap_or_default());
        if !outcome.was_stopped {
            tracing::info!("report: {}", folder.join(from_logs::ANALYSIS).join("report.html").display());
        }
        Ok(outcome)
    }
}
