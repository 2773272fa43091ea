//! H2: do the numbers fit the scale that they are given?

use super::recorded::Recorded;
use super::{Evidence, Rule, STILL_PART, median};
use crate::analyze::analysis::{Check, Distribution, Finding, Normalized};
use sinew_models::contract::{Mode, Statistics};
use sinew_models::processors::FeatureStatistics;

const TINY: Rule = Rule {
    check: Check::TinySpread,
    number: "farthest number of a dimension with a spread near zero, in spreads",
    side: "above",
    threshold: 20.0,
    reason: "the training has no number beyond a few spreads, so what the policy makes of twenty is chance",
};
/// A spread is near zero if it is below this part of the vector's median spread.
pub(super) const TINY_PART: f64 = 0.01;

const FAR: Rule = Rule {
    check: Check::FarValues,
    number: "size of the normalised number that a hundredth of the rows is beyond",
    side: "above",
    threshold: 10.0,
    reason: "of no data is more than a hundredth beyond ten of its own standard deviations (Chebyshev), so the scale is \
             not that of these data",
};

const WIDE: Rule = Rule {
    check: Check::WideSpread,
    number: "what a dimension at rest is scaled by, over what it may move and still count as resting",
    side: "above",
    threshold: 1.0,
    reason: "a policy's normalised numbers are off by a few hundredths at best: times such a scale that is a movement of its \
             own, where there should be none",
};

/// Centre and half width of what is mapped to about −1 … 1.
pub(super) fn centre_and_spread(mode: Mode, statistics: &Statistics) -> Option<(f64, f64)> {
    match (mode, statistics.low, statistics.high) {
        (Mode::MeanStd, ..) => Some((statistics.mean, statistics.std)),
        (Mode::Range, Some(low), Some(high)) => Some((f64::midpoint(low, high), (high - low) / 2.0)),
        _ => None,
    }
}

/// A vector's distribution as the policy is shown it; as it is where nothing is normalised.
///
/// # Shapes
/// One entry a dimension.
#[must_use]
pub(crate) fn normalized(rule: &FeatureStatistics, data: &[Distribution]) -> Vec<Normalized> {
    let of = |(statistics, data): (&Statistics, &Distribution)| {
        let shown = |value: f64| {
            centre_and_spread(rule.mode, statistics)
                .map_or(value, |(centre, spread)| (value - centre) / (spread + rule.eps))
        };
        let [q01, .., q99] = data.quantiles;
        Normalized { q01: shown(q01), q99: shown(q99), min: shown(data.min), max: shown(data.max) }
    };
    rule.dimensions.iter().zip(data).map(of).collect()
}

/// One vector beside what it is normalised with.
struct Side<'a> {
    what: &'static str,
    rule: &'a FeatureStatistics,
    data: &'a [Distribution],
    normalized: &'a [Normalized],
    names: Vec<&'a str>,
}

fn sides<'a>(recorded: &Recorded<'a>) -> [Side<'a>; 2] {
    let Recorded { data, .. } = *recorded;
    [
        Side {
            what: "action",
            rule: recorded.action_rule,
            data: &data.action,
            normalized: &data.normalized.action,
            names: recorded.action_names.iter().map(String::as_str).collect(),
        },
        Side {
            what: "state",
            rule: recorded.state_rule,
            data: &data.state,
            normalized: &data.normalized.state,
            names: recorded.state_names.to_vec(),
        },
    ]
}

impl Side<'_> {
    /// A finding about one of its dimensions.
    fn finding(&self, rule: Rule, dimension: usize, value: f64, measure: String) -> Finding {
        let is_action = self.what == "action";
        let finding = rule.finding(is_action.then_some(dimension), value, value > rule.threshold, measure);
        Finding { state: (!is_action).then_some(dimension), ..finding }
    }

    fn usual_spread(&self) -> f64 {
        let spreads =
            self.rule.dimensions.iter().filter_map(|s| Some(centre_and_spread(self.rule.mode, s)?.1));
        median(spreads.collect())
    }
}

/// Is a dimension that rests, and is predicted to move, scaled by more than it ever moves?
pub(super) fn wide_spread(evidence: &Evidence<'_>) -> Vec<Finding> {
    let recorded = &evidence.recorded;
    let most = STILL_PART * recorded.usual_std();
    if most <= 0.0 {
        return vec![WIDE.cannot_tell(None, "no dimension moves that others could rest beside".to_owned())];
    }
    let mut findings = Vec::new();
    for dimension in evidence.failing().filter(|dimension| evidence.rests(*dimension)) {
        let rule = recorded.action_rule;
        let spread =
            centre_and_spread(rule.mode, &rule.dimensions[dimension]).map_or(1.0, |(_, spread)| spread);
        let measure = format!(
            "what `{}` is scaled by ({spread:.1e}), over what it may move and still count as resting ({most:.1e})",
            recorded.name(dimension)
        );
        let remedy = || {
            format!(
                "`{}` hardly moves in the data, and the policy's smallest errors move it. Train again with a data.std_floor \
                 that scales it by less, or leave it out of the action.",
                recorded.name(dimension)
            )
        };
        let value = spread / most;
        findings
            .push(WIDE.finding(Some(dimension), value, value > WIDE.threshold, measure).with_remedy(remedy));
    }
    if findings.is_empty() {
        let measure = "dimensions that rest and are predicted to move".to_owned();
        findings.push(WIDE.finding(None, 0.0, false, measure));
    }
    findings
}

/// Is a dimension divided by a spread near zero, and are there numbers that it blows up?
pub(super) fn tiny_spread(recorded: &Recorded<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for side in sides(recorded) {
        let usual = side.usual_spread();
        for (dimension, (rule, data)) in side.rule.dimensions.iter().zip(side.data).enumerate() {
            let Some((centre, spread)) = centre_and_spread(side.rule.mode, rule) else { continue };
            if spread > TINY_PART * usual {
                continue;
            }
            let farthest = (data.max - centre).abs().max((data.min - centre).abs());
            let value = farthest / (spread + side.rule.eps);
            let name = side.names[dimension];
            let measure = format!(
                "farthest number of {} `{name}` in spreads ({farthest:.2e} off the centre, spread {spread:.2e})",
                side.what
            );
            let remedy = || {
                format!(
                    "`{name}` is divided by {spread:.1e}. Raise data.std_floor above it, so that it counts as constant, \
                     and train again."
                )
            };
            let finding = side.finding(TINY, dimension, value, measure);
            findings.push(finding.with_remedy(remedy));
        }
    }
    if findings.is_empty() {
        findings.push(TINY.finding(None, 0.0, false, "dimensions with a spread near zero".to_owned()));
    }
    findings
}

/// How far out do normalised numbers lie?
pub(super) fn far_values(recorded: &Recorded<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for side in sides(recorded) {
        if side.rule.mode == Mode::Identity {
            findings.push(FAR.cannot_tell(None, format!("the {} is not normalised", side.what)));
            continue;
        }
        for (dimension, Normalized { q01, q99, min, max }) in side.normalized.iter().enumerate() {
            let name = side.names[dimension];
            let value = q01.abs().max(q99.abs());
            let measure = format!(
                "normalised numbers of {} `{name}`: {q01:.2} to {q99:.2} in 98 % of the rows, {min:.2} to {max:.2} in all",
                side.what
            );
            let remedy = || {
                format!(
                    "What `{name}` is normalised with is not its own scale. Train with the statistics of these data \
                     (the trainer computes them by itself); if the episodes trained on never went there, \
                     record some that do."
                )
            };
            let finding = side.finding(FAR, dimension, value, measure);
            findings.push(finding.with_remedy(remedy));
        }
    }
    findings
}
