//! What can be checked without any policy's predictions.

use super::{foreign, joints, learning, median, normalization};
use crate::analyze::analysis::{DataReport, Finding};
use sinew_models::processors::FeatureStatistics;

/// What was recorded, and what it is normalised with.
#[derive(Clone, Copy, Debug)]
pub struct Recorded<'a> {
    /// Names of the action's dimensions.
    pub action_names: &'a [String],
    /// Names of the state's dimensions.
    pub state_names: &'a [&'a str],
    /// The state's place of each action dimension's joint.
    pub state_of: &'a [Option<usize>],
    /// What the data are like.
    pub data: &'a DataReport,
    /// What actions are normalised with: the policy's statistics, or those that a training would use.
    pub action_rule: &'a FeatureStatistics,
    /// The same of states.
    pub state_rule: &'a FeatureStatistics,
}

impl Recorded<'_> {
    /// The median of the action dimensions' standard deviations.
    #[must_use]
    pub fn usual_std(&self) -> f64 {
        median(self.data.action.iter().map(|data| data.std).collect())
    }

    /// An action dimension's name.
    #[must_use]
    pub fn name(&self, dimension: usize) -> &str {
        &self.action_names[dimension]
    }

    /// Every check that needs no policy, in order.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        let mut findings = foreign::own_statistics(self);
        findings.extend(normalization::tiny_spread(self));
        findings.extend(normalization::far_values(self));
        findings.extend(joints::order_mismatch(self));
        findings.extend(joints::unit_mismatch(self));
        findings.extend(learning::idle(self, 0..self.action_names.len()));
        findings
    }
}
