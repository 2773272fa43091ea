//! How chunks become motion: `[schedule]` and `[setpoints]`.

use crate::error::Error;
use crate::schedule::MAX_WINDOW;
use serde::{Deserialize, Serialize};
use sinew_models::flow::PrefixSchedule;
use std::ops::RangeInclusive;

/// `[schedule]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleConfig {
    /// How chunks follow each other.
    pub mode: ScheduleMode,
    /// Steps played of each chunk; 0: all.
    pub execute_steps: usize,
    /// Steps from one observation to the next; 0: as often as possible.
    pub replan_steps: usize,
    /// Steps that a blend takes.
    pub blend_steps: usize,
    /// Weight of older chunks in an ensemble.
    pub ensemble_coefficient: f64,
    /// Steps over which the pull towards the chunk before fades.
    pub guidance_fade_steps: usize,
    /// The strongest pull.
    pub guidance_max_weight: f32,
    /// How the pull fades.
    pub guidance_schedule: PrefixSchedule,
    /// How many latencies are remembered.
    pub latency_window: usize,
    /// Which of them is expected next.
    pub latency_quantile: f64,
}

impl ScheduleConfig {
    pub(super) fn validate(&self) -> Result<(), Error> {
        let Self { latency_window, latency_quantile, ensemble_coefficient, guidance_max_weight, .. } = *self;
        let most = MAX_WINDOW;
        within("schedule.latency_window", latency_window as f64, 1.0..=most as f64)?;
        within("schedule.latency_quantile", latency_quantile, 0.0..=1.0)?;
        within("schedule.ensemble_coefficient", ensemble_coefficient, -1.0..=1.0)?;
        within("schedule.guidance_max_weight", f64::from(guidance_max_weight), 0.0..=1000.0)
    }
}

/// How chunks follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum ScheduleMode {
    /// One after the other, standing in between.
    Sync,
    /// Averaged.
    Ensemble,
    /// Going over within a few steps.
    Blend,
    /// Real-time chunking by guidance.
    Rtc,
    /// Real-time chunking with a clean prefix.
    RtcTrained,
}

/// Where the policy takes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartPosture {
    /// Where its training's episodes begin.
    Trained,
    /// Where the robot stands.
    Here,
}

/// What happens at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndPosture {
    /// Back to where the run began.
    Return,
    /// The robot stays where it is.
    Stay,
}

/// `[setpoints]`
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetpointConfig {
    /// Publish set-points.
    pub publish: bool,
    /// Set-points a second.
    pub rate_hz: f64,
    /// Of the control tick's thread; 0: none.
    pub realtime_priority: u8,
    /// Where the policy takes over.
    pub start: StartPosture,
    /// Part of the operating speed that slow moves go at.
    pub slow_speed: f64,
    /// Farthest that a slow move to the start may be, radians.
    pub max_slow_move_rad: f64,
    /// What happens at the end.
    pub end: EndPosture,
}

impl SetpointConfig {
    pub(super) fn validate(&self) -> Result<(), Error> {
        within("setpoints.rate_hz", self.rate_hz, 30.0..=1000.0)?;
        within("setpoints.realtime_priority", f64::from(self.realtime_priority), 0.0..=99.0)?;
        within("setpoints.max_slow_move_rad", self.max_slow_move_rad, 0.0..=7.0)?;
        within("setpoints.slow_speed", self.slow_speed, 0.01..=1.0)
    }

    /// Time between two set-points.
    #[must_use]
    pub fn period_ns(&self) -> i64 {
        (1e9 / self.rate_hz).round() as i64
    }
}

fn within(key: &str, found: f64, range: RangeInclusive<f64>) -> Result<(), Error> {
    if range.contains(&found) {
        return Ok(());
    }
    Err(Error::ConfigValue {
        key: key.to_owned(),
        found: found.to_string(),
        expected: format!("{} to {}", range.start(), range.end()),
    })
}
