//! `sinew-trainer init`.

use crate::Error;
use crate::checkpoint::random::{self, NewPolicy};
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
    /// A policy's folder, whose VLM is taken over: vision, connector and text layers. The rest is random.
    #[arg(long, value_name = "POLICY")]
    vlm_of: Option<PathBuf>,
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
        let vlm_weights = self.vlm_of.as_ref().map(|folder| folder.join("model.safetensors"));
        let new = NewPolicy {
            config: &self.config,
            vlm: self.vlm.as_deref(),
            vlm_weights: vlm_weights.as_deref(),
            tokenizer: &self.tokenizer,
            seed: self.seed,
        };
        random::write_policy(&new, &self.output)?;
        tracing::info!("wrote {}", self.output.display());
        Ok(())
    }
}
