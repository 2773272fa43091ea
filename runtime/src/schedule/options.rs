//! From the configuration and the bundle to a schedule.

use super::{Continuation, Merge, Pace, ScheduleOptions};
use crate::config::{ScheduleConfig, ScheduleMode};
use crate::error::Error;
use sinew_models::contract::Manifest;

/// How chunks are merged, and how they are made to go on from each other.
///
/// # Errors
/// If the policy was not trained for what is asked.
pub fn schedule_options(
    config: &ScheduleConfig,
    manifest: &Manifest,
) -> Result<(ScheduleOptions, Continuation), Error> {
    let after = Pace::After { steps: config.replan_steps };
    let (merge, pace, continuation) = match config.mode {
        ScheduleMode::Sync => (Merge::Replace, Pace::WhenDone, Continuation::None),
        ScheduleMode::Ensemble => {
            let coefficient = config.ensemble_coefficient;
            (Merge::Ensemble { coefficient }, after, Continuation::None)
        }
        ScheduleMode::Blend => (Merge::Blend { step_count: config.blend_steps }, after, Continuation::None),
        ScheduleMode::Rtc => {
            let guided = Continuation::Guided {
                schedule: config.guidance_schedule,
                max_weight: config.guidance_max_weight,
                fade_steps: config.guidance_fade_steps,
            };
            (Merge::Replace, after, guided)
        }
        ScheduleMode::RtcTrained => {
            let max_steps = manifest.training.max_clean_steps;
            if max_steps == 0 {
                return Err(Error::mismatch(
                    "schedule.mode",
                    ("the configuration", "`rtc-trained`"),
                    ("the bundle", "that the policy was trained without clean prefixes (use `rtc`)"),
                ));
            }
            (Merge::Replace, after, Continuation::Clean { max_steps })
        }
    };
    let chunk = manifest.model.chunk_size;
    let execute_steps = match (config.mode, config.execute_steps) {
        (ScheduleMode::Sync, steps @ 1..) => steps.min(chunk),
        _ => chunk,
    };
    let options = ScheduleOptions {
        period_ns: manifest.period_ns(),
        chunk,
        execute_steps,
        merge,
        pace,
        latency_window: config.latency_window,
        latency_quantile: config.latency_quantile,
    };
    Ok((options, continuation))
}
