//! `sinew-trainer init`.

use crate::Error;
use crate::checkpoint::random;
use clap::Args;
use std::path::PathBuf;

/// Writes a policy with random weights, to train from nothing.
#[derive(Debug, Args)]
pub(super) struct Init {
    /// LeRobot's config.json: features, sizes, cameras. Missing keys take LeRobot's defaults.
    #[arg(long)]
    config: PathBuf,
    /// The VLM's config.json [default: SmolVLM2-500M's sizes].
    #[arg(long)]
    vlm: Option<PathBuf>,
    /// tokenizer.json.
    #[arg(long)]
    tokenizer: PathBuf,
    /// Decides the weights.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The policy's folder; must not exist.
    #[arg(long)]
    output: PathBuf,
}

impl Init {
    pub(super) fn run(&self) -> Result<(), Error> {
        random::write_policy(&self.config, self.vlm.as_deref(), &self.tokenizer, self.seed, &self.output)?;
        tracing::info!("wrote {}", self.output.display());
        Ok(())
    }
}
