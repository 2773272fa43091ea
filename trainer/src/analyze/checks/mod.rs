//! The checks, one module a hypothesis or two. Pure functions of the evidence.
//!
//! They are ordered so that one that holds makes those after it worthless: numbers that are compared with the wrong
//! frames, or mean something else, say nothing about what was learned; what cannot be predicted at all says nothing
//! about the training.

mod evaluation;
mod foreign;
mod joints;
mod learning;
mod loss;
mod normalization;
mod observation;
mod recorded;

pub(crate) use learning::is_at_its_limit;
pub(crate) use loss::fair_weights;
pub(crate) use normalization::normalized;
pub(crate) use observation::foreseen_steps;
pub use recorded::Recorded;

use crate::analyze::analysis::{Check, DimensionReport, Finding, Outcome, PolicyReport, Verdict};
use crate::analyze::baselines::Baselines;
use crate::analyze::certainty::Certainty;
use crate::analyze::gradients::Pull;
use crate::analyze::measures::Scale;
use crate::analyze::modes::Modes;
use crate::analyze::predictions::{PredictionSet, Predictions};
use crate::data::Statistics;

/// A dimension is learned if at least half of its variance is explained: below, more of the motion is missed than hit.
pub const LEARNED_R2: f64 = 0.5;
/// It is collapsed if it is predicted with less than a quarter of its variance, half its swing.
const COLLAPSED_RATIO: f64 = 0.25;
/// It hardly moves if its standard deviation is below this part of the others' median.
const STILL_PART: f64 = 0.01;
/// A still dimension is predicted well enough if it is off by less than this part of the others' median: no more than it
/// may move and still count as still.
const STILL_ERROR_PART: f64 = STILL_PART;

/// Everything that the checks look at.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// What was recorded, and what the policy normalises it with.
    pub recorded: Recorded<'a>,
    /// What was predicted.
    pub predictions: &'a Predictions,
    /// How far off it is.
    pub policy: &'a PolicyReport,
    /// Statistics of the training episodes.
    pub train: &'a Statistics,
    /// How many those are.
    pub train_episode_count: usize,
    /// How sure their statistics are; absent for a single one.
    pub certainty: Option<&'a Certainty>,
    /// Mean and standard deviation of each action dimension in the data.
    pub scales: &'a [Scale],
    /// The smallest standard deviation that training scales by.
    pub std_floor: f64,
    /// What each dimension counts in the loss.
    pub dimension_weights: &'a [f32],
    /// How many numbers at the state's end are computed from the others.
    pub derived_count: usize,
    /// Whether the VLM stayed as it was while the policy was trained; absent where nobody knows.
    pub is_expert_only: Option<bool>,
    /// What simple predictors can do.
    pub baselines: &'a Baselines,
    /// Distinct futures; absent with too few episodes.
    pub modes: Option<&'a [Modes]>,
    /// Loss and gradient; absent for a bundle.
    pub pull: Option<&'a Pull>,
}

impl<'a> Evidence<'a> {
    /// The frames that the policy is judged by.
    #[must_use]
    pub fn judged(&self) -> &'a PredictionSet {
        let Predictions { train, validation, .. } = self.predictions;
        if validation.is_empty() { train } else { validation }
    }

    /// Names of the state without those that are computed from others.
    #[must_use]
    pub fn dataset_state_names(&self) -> Vec<String> {
        let names = self.recorded.state_names;
        names[..names.len() - self.derived_count].iter().map(|name| (*name).to_owned()).collect()
    }

    /// Errors of one dimension on the judged frames.
    #[must_use]
    pub fn report(&self, dimension: usize) -> &'a DimensionReport {
        &self.policy.judged().dimensions[dimension]
    }

    /// Errors of one dimension on the training frames.
    #[must_use]
    pub fn train_report(&self, dimension: usize) -> &'a DimensionReport {
        &self.policy.train.dimensions[dimension]
    }

    /// How a dimension came out.
    #[must_use]
    pub fn outcome(&self, dimension: usize) -> Outcome {
        let (judged, train) = (self.report(dimension), self.train_report(dimension));
        if self.rests(dimension) && judged.mean_error <= STILL_ERROR_PART * self.recorded.usual_std() {
            Outcome::Still
        } else if judged.r2 >= LEARNED_R2 {
            Outcome::Learned
        } else if self.policy.validation.is_some() && train.r2 >= LEARNED_R2 {
            Outcome::Overfitted
        } else if judged.variance_ratio < COLLAPSED_RATIO {
            Outcome::Collapsed
        } else {
            Outcome::Wrong
        }
    }

    /// Whether a dimension hardly moves, beside the others, in what was done.
    #[must_use]
    pub fn rests(&self, dimension: usize) -> bool {
        let true_std = self.report(dimension).true_std.max(self.train_report(dimension).true_std);
        true_std <= STILL_PART * self.recorded.usual_std()
    }

    /// Whether a dimension failed.
    #[must_use]
    pub fn fails(&self, dimension: usize) -> bool {
        !matches!(self.outcome(dimension), Outcome::Learned | Outcome::Still)
    }

    /// The dimensions that failed.
    pub fn failing(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.recorded.action_names.len()).filter(|dimension| self.fails(*dimension))
    }
}

/// Every check, in order.
#[must_use]
pub fn all(evidence: &Evidence<'_>) -> Vec<Finding> {
    let mut findings = evaluation::misaligned(evidence);
    findings.extend(evaluation::swapped(evidence));
    findings.extend(foreign::own_statistics(&evidence.recorded));
    findings.extend(foreign::foreign_statistics(evidence));
    findings.extend(normalization::tiny_spread(&evidence.recorded));
    findings.extend(normalization::far_values(&evidence.recorded));
    findings.extend(normalization::wide_spread(evidence));
    findings.extend(joints::order_mismatch(&evidence.recorded));
    findings.extend(joints::unit_mismatch(&evidence.recorded));
    findings.extend(loss::share(evidence));
    findings.extend(observation::multimodal(evidence));
    findings.extend(observation::far_steps(evidence));
    findings.extend(observation::unobservable(evidence));
    findings.extend(observation::copies_state(evidence));
    findings.extend(learning::idle(&evidence.recorded, evidence.failing()));
    findings.extend(learning::undertrained(evidence));
    findings.extend(learning::overfitted(evidence));
    findings.extend(evaluation::stale_queue(evidence));
    findings
}

/// A check with its limit.
#[derive(Clone, Copy)]
struct Rule {
    check: Check,
    /// What the number is.
    number: &'static str,
    /// On which side of the threshold it holds.
    side: &'static str,
    threshold: f64,
    /// Why there.
    reason: &'static str,
}

impl Rule {
    /// A finding about a dimension, or about all.
    fn finding(self, dimension: Option<usize>, value: f64, holds: bool, measure: String) -> Finding {
        Finding {
            check: self.check,
            dimension,
            state: None,
            number: self.number.to_owned(),
            measure,
            value: Some(value),
            threshold: self.threshold,
            side: self.side.to_owned(),
            reason: self.reason.to_owned(),
            verdict: if holds { Verdict::Supported } else { Verdict::NotSupported },
            remedy: String::new(),
        }
    }

    /// What it needs is not there.
    fn cannot_tell(self, dimension: Option<usize>, measure: String) -> Finding {
        Finding { value: None, verdict: Verdict::CannotTell, ..self.finding(dimension, 0.0, false, measure) }
    }
}

impl Finding {
    /// With what to do about it, if it is supported.
    fn with_remedy(mut self, remedy: impl FnOnce() -> String) -> Self {
        if self.verdict == Verdict::Supported {
            self.remedy = remedy();
        }
        self
    }
}

/// The middle of some numbers; 0 of none.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}
