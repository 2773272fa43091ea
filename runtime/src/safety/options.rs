//! `[safety]` of the configuration. It can make limits tighter than the robot description's and the ones here, never
//! wider: there is no way to switch one off.

use crate::clock::NS_PER_MS;
use crate::error::Error;
use serde::{Deserialize, Serialize};
use sinew_models::envelope::PerJoint;
use std::collections::BTreeMap;

/// A group's limits, where they are tighter than the robot description's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupOptions {
    /// Largest speed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub velocity: Option<PerJoint>,
    /// Largest acceleration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acceleration: Option<PerJoint>,
    /// Largest change of the acceleration; position groups only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jerk: Option<PerJoint>,
    /// How far inside the joints' limits commands stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin: Option<PerJoint>,
    /// Farthest that a command may be from where the joint is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lead: Option<PerJoint>,
}

/// `[safety]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SafetyConfig {
    /// Share of the robot description's speeds.
    pub speed_scale: f64,
    /// Share of its accelerations.
    pub acceleration_scale: f64,
    /// Added to every distance that parts keep from each other.
    pub extra_clearance_m: f64,
    /// By how much each hand's workspace is smaller on every side.
    pub workspace_inset_m: f64,
    /// Oldest that joint feedback may be.
    pub max_feedback_age_ms: f64,
    /// Oldest that a camera's newest frame may be.
    pub max_camera_age_ms: f64,
    /// Oldest that what the robot says of itself may be.
    pub max_status_age_ms: f64,
    /// Longest time without a new chunk while a policy drives.
    pub max_inference_age_ms: f64,
    /// Longest time between two ticks.
    pub max_tick_gap_ms: f64,
    /// Longest time without the operator's sign of life.
    pub max_operator_age_ms: f64,
    /// Whether the operator has to give signs of life.
    pub dead_man: bool,
    /// Least charge of the battery.
    pub min_battery_percent: f64,
    /// How long everything has to be fine before a robot that holds goes on.
    pub recovery_ms: f64,
    /// Tighter limits of groups, by name.
    pub limits: BTreeMap<String, GroupOptions>,
}

impl SafetyConfig {
    /// Checks that no number is outside what is allowed.
    ///
    /// # Errors
    /// If one is; the error says what is.
    pub fn validate(&self) -> Result<(), Error> {
        let ranges = [
            ("speed_scale", self.speed_scale, 0.01, 1.0),
            ("acceleration_scale", self.acceleration_scale, 0.01, 1.0),
            ("extra_clearance_m", self.extra_clearance_m, 0.0, 0.5),
            ("workspace_inset_m", self.workspace_inset_m, 0.0, 0.5),
            ("max_feedback_age_ms", self.max_feedback_age_ms, 1.0, 500.0),
            ("max_camera_age_ms", self.max_camera_age_ms, 1.0, 5000.0),
            ("max_status_age_ms", self.max_status_age_ms, 1.0, 10_000.0),
            ("max_inference_age_ms", self.max_inference_age_ms, 1.0, 10_000.0),
            ("max_tick_gap_ms", self.max_tick_gap_ms, 1.0, 100.0),
            ("max_operator_age_ms", self.max_operator_age_ms, 1.0, 3000.0),
            ("min_battery_percent", self.min_battery_percent, 10.0, 100.0),
            ("recovery_ms", self.recovery_ms, 100.0, 60_000.0),
        ];
        for (key, found, least, most) in ranges {
            if !(least..=most).contains(&found) {
                return Err(Error::ConfigValue {
                    key: format!("safety.{key}"),
                    found: found.to_string(),
                    expected: format!("{least} to {most}"),
                });
            }
        }
        Ok(())
    }
}

/// Milliseconds of the configuration in nanoseconds.
pub(super) fn ns(ms: f64) -> i64 {
    (ms * NS_PER_MS).round() as i64
}
