//! `sinew-trainer train`.

use crate::Error;
use crate::config::TrainConfig;
use crate::train::run;
use clap::Args;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
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
        if self.print_default {
            return print(crate::config::DEFAULT);
        }
        let config = TrainConfig::read(&self.config, &self.overrides)?;
        if self.print_config {
            return print(&config.to_toml()?);
        }
        let stop = Arc::new(AtomicBool::new(false));
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            signal_hook::flag::register(signal, stop.clone()).map_err(Error::io(Path::new("signals")))?;
        }
        let outcome = run::train(config, command, self.resume, &stop)?;
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
}
