//! Flags of `eval`.

use super::{CommonArgs, PolicyArgs, ZenohArgs};
use crate::error::Error;
use crate::eval::{EvalOptions, HOLD_S, MAX_SECONDS, Mode, parse_seeds, shard};
use clap::Args;
use std::path::PathBuf;

/// `eval`
#[derive(Debug, Args)]
pub struct EvalArgs {
    /// Folder of the bundle.
    #[arg(long, value_name = "DIR", required_unless_present = "print_config")]
    pub bundle: Option<PathBuf>,
    /// Folder for eval.json and failures.png.
    #[arg(long, value_name = "DIR", default_value = "out/eval")]
    pub output: PathBuf,
    /// Scenes, both ends included: `0..99` or `1,5,10..12`.
    #[arg(long, default_value = "0..9")]
    pub seeds: String,
    /// Of these seeds, the INDEX-th part of COUNT.
    #[arg(long, value_name = "INDEX/COUNT")]
    pub shard: Option<String>,
    /// Task; may be given several times. All of the rig's if left out.
    #[arg(long)]
    pub task: Vec<String>,
    /// Command line of a rig to start; where to connect is added to it. Without, one has to be there.
    #[arg(long, value_name = "COMMAND")]
    pub rig: Option<String>,
    /// By the wall clock, with every thread of a run. Without, the robot's time stands still while the policy thinks.
    #[arg(long)]
    pub real_time: bool,
    /// Steps from one observation to the next; 25 unless in real time, where it is as configured.
    #[arg(long, value_name = "N")]
    pub played_steps: Option<usize>,
    /// How much later than computed a chunk arrives, milliseconds: of the robot's time, or in real time of everybody's.
    #[arg(long, value_name = "MS")]
    pub extra_latency_ms: Option<u64>,
    /// Longest that the policy drives, seconds of the robot's time.
    #[arg(long, value_name = "SECONDS", default_value_t = MAX_SECONDS)]
    pub max_seconds: f64,
    /// How long success has to last.
    #[arg(long, value_name = "SECONDS", default_value_t = HOLD_S)]
    pub hold_seconds: f64,
    /// Draw successes.png too.
    #[arg(long)]
    pub show_successes: bool,
    /// Flags of every command.
    #[command(flatten)]
    pub common: CommonArgs,
    /// Flags of the network.
    #[command(flatten)]
    pub zenoh: ZenohArgs,
    /// Flags of the policy.
    #[command(flatten)]
    pub policy: PolicyArgs,
}

impl EvalArgs {
    /// As the evaluation takes them.
    ///
    /// # Errors
    /// If seeds or times make no sense.
    pub fn options(&self) -> Result<EvalOptions, Error> {
        let seeds = parse_seeds(&self.seeds)?;
        let seeds = self.shard.iter().try_fold(seeds, |seeds, part| shard(seeds, part))?;
        let times = [
            ("--max-seconds", self.max_seconds, 0.1..=3600.0),
            ("--hold-seconds", self.hold_seconds, 0.0..=60.0),
        ];
        for (flag, found, range) in times {
            if !range.contains(&found) {
                return Err(Error::ConfigValue {
                    key: flag.to_owned(),
                    found: found.to_string(),
                    expected: format!("{} to {}", range.start(), range.end()),
                });
            }
        }
        Ok(EvalOptions {
            mode: if self.real_time { Mode::RealTime } else { Mode::LockStep },
            seeds,
            tasks: self.task.clone(),
            rig: self.rig.clone(),
            output: Some(self.output.clone()),
            played_steps: self.played_steps,
            extra_latency_ms: self.extra_latency_ms,
            max_seconds: self.max_seconds,
            hold_s: self.hold_seconds,
            shows_successes: self.show_successes,
        })
    }
}
