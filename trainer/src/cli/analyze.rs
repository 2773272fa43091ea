//! `sinew-trainer analyze`

use super::print;
use crate::Error;
use crate::analyze::predict::Extent;
use crate::analyze::run::{self, Request};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct Analyze {
    /// The policy: a checkpoint, LeRobot's policy folder, or a bundle. None looks at the data alone.
    #[arg(long)]
    checkpoint: Option<PathBuf>,
    /// The dataset's folder, or its name on the Hugging Face hub.
    #[arg(long)]
    dataset: String,
    /// Where the report goes. An analysis that was interrupted goes on.
    #[arg(long)]
    output: PathBuf,
    /// A configuration as for `train`, over that of the policy's run; its [data] says what state and action are. May
    /// be repeated.
    #[arg(long)]
    config: Vec<PathBuf>,
    /// Frames predicted from, of the episodes trained on and as many of the others.
    #[arg(long, default_value_t = Extent::default().frame_count)]
    frames: usize,
    /// Frames of one episode from its start to its end, of either side.
    #[arg(long, default_value_t = Extent::default().sequence_frame_count)]
    sequence_frames: usize,
    /// Further noises that a few frames are predicted from, for the spread of the answers.
    #[arg(long, default_value_t = Extent::default().noise_count)]
    noises: usize,
    /// Frames computed together.
    #[arg(long, default_value_t = Extent::default().batch_size)]
    batch_size: usize,
    /// Decides frames and noises.
    #[arg(long, default_value_t = Extent::default().seed)]
    seed: u64,
    /// `cpu` or `cuda:N` [default: as the policy's run]. A GPU that cannot be had is an error, unless a configuration
    /// sets run.allow_cpu_fallback.
    #[arg(long, requires = "checkpoint")]
    device: Option<String>,
    /// Print statistics.json.
    #[arg(long)]
    json: bool,
}

impl Analyze {
    pub(super) fn run(&self) -> Result<(), Error> {
        if self.frames == 0 || self.batch_size == 0 {
            return Err(Error::Usage("--frames and --batch-size: expected at least 1, found 0".to_owned()));
        }
        let stop = super::stop_on_signals()?;
        let request = Request {
            policy: self.checkpoint.clone(),
            dataset: self.dataset.clone(),
            output: self.output.clone(),
            overlays: self.config.clone(),
            device: self.device.clone(),
            extent: Extent {
                frame_count: self.frames,
                sequence_frame_count: self.sequence_frames,
                noise_count: self.noises,
                batch_size: self.batch_size,
                seed: self.seed,
                ..Extent::default()
            },
        };
        let bar = predictions_bar();
        let found = run::analyze(&request, &bar, &stop)?;
        bar.finish_and_clear();
        let Some((analysis, _)) = found else {
            tracing::info!("stopped; the same command goes on");
            return Ok(());
        };
        if self.json {
            return print(&format!("{:#}", serde_json::json!(analysis)));
        }
        if let Some(device) = &analysis.subject.device {
            tracing::info!("predicted on {device}");
        }
        let diagnosis = &analysis.diagnosis;
        print(&diagnosis.headline)?;
        for line in &diagnosis.text {
            print(line)?;
        }
        for verdict in &diagnosis.dimensions {
            print(&format!("  {}: {}", analysis.action[verdict.dimension].name, verdict.text))?;
        }
        tracing::info!("{}", self.output.display());
        Ok(())
    }
}

pub(super) fn predictions_bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} predictions, {eta} left {msg}");
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
