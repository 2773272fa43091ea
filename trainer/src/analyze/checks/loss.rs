//! H3: what does the loss look at?

use super::{Evidence, Rule};
use crate::analyze::analysis::{Check, Finding};
use sinew_models::contract::{Mode, Statistics};

const SHARE: Rule = Rule {
    check: Check::LossShare,
    number: "a dimension's share of what the loss looks at over its fair share",
    side: "below",
    threshold: 0.2,
    reason: "a dimension that gets less than a fifth of its fair share is followed by less than a fifth of each step, \
             so that it is learned last, if at all",
};

/// Of all there is to learn, a dimension's share over its fair share: its variance as the loss sees it.
pub(super) fn share(evidence: &Evidence<'_>) -> Vec<Finding> {
    let width = evidence.recorded.action_names.len();
    let power: Vec<f64> = (0..width).map(|dimension| power(evidence, dimension)).collect();
    let total: f64 = power.iter().sum();
    if total <= 0.0 || width < 2 {
        return vec![SHARE.cannot_tell(None, "no two dimensions move".to_owned())];
    }
    let fair = |dimension: usize| power[dimension] / total * width as f64;
    let loudest = (0..width).max_by(|a, b| power[*a].total_cmp(&power[*b])).unwrap_or(0);
    let mut findings: Vec<Finding> = evidence
        .failing()
        .map(|dimension| {
            if power[dimension] <= 0.0 {
                return SHARE
                    .cannot_tell(Some(dimension), "it never moves in the training episodes".to_owned());
            }
            let holds = fair(dimension) < SHARE.threshold;
            let measure = format!(
                "its share of what the loss looks at over its fair share{} (`{}` has {:.1} times its own)",
                measured(evidence, dimension),
                evidence.recorded.name(loudest),
                fair(loudest)
            );
            SHARE.finding(Some(dimension), fair(dimension), holds, measure).with_remedy(|| remedy(evidence))
        })
        .collect();
    if findings.is_empty() {
        let least = (0..width).map(fair).fold(f64::INFINITY, f64::min);
        let measure = "smallest share of what the loss looks at over its fair share".to_owned();
        findings.push(SHARE.finding(None, least, false, measure));
    }
    findings
}

/// A dimension's variance in the normalised space, times what it counts.
fn power(evidence: &Evidence<'_>, dimension: usize) -> f64 {
    let std = evidence.train.action.std[dimension];
    let scale =
        scale(evidence.recorded.action_rule.mode, &evidence.recorded.action_rule.dimensions[dimension]);
    f64::from(evidence.dimension_weights[dimension]) * (std * scale).powi(2)
}

/// What a number is multiplied by.
fn scale(mode: Mode, statistics: &Statistics) -> f64 {
    let over = |spread: f64| if spread > 0.0 { 1.0 / spread } else { 0.0 };
    match (mode, statistics.low, statistics.high) {
        (Mode::MeanStd, ..) => over(statistics.std),
        (Mode::Range, Some(low), Some(high)) => over((high - low) / 2.0),
        _ => 1.0,
    }
}

fn measured(evidence: &Evidence<'_>, dimension: usize) -> String {
    evidence.pull.map_or_else(String::new, |pull| {
        format!(
            "; measured: {:.1} % of the loss, {:.1} % of the gradient",
            100.0 * pull.loss_share[dimension],
            100.0 * pull.gradient_share[dimension]
        )
    })
}

fn remedy(evidence: &Evidence<'_>) -> String {
    if evidence.recorded.action_rule.mode == Mode::Identity {
        "Actions are not normalised, so the largest numbers are the loss. Normalise them: \
         data.normalization.action = \"MEAN_STD\"."
            .to_owned()
    } else {
        "Weigh the dimensions so that each has its fair share: data.weights.dimensions.".to_owned()
    }
}

/// Factors of `data.weights.dimensions` that give each dimension its fair share; none where nothing moves.
#[must_use]
pub(crate) fn fair_weights(evidence: &Evidence<'_>) -> Vec<Option<f64>> {
    let width = evidence.recorded.action_names.len();
    let power: Vec<f64> = (0..width).map(|dimension| power(evidence, dimension)).collect();
    let mean = power.iter().sum::<f64>() / width as f64;
    power.into_iter().map(|power| (power > 1e-3 * mean).then(|| mean / power)).collect()
}
