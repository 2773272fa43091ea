//! H2: do state and action of a joint mean the same?

use super::Rule;
use super::normalization::TINY_PART;
use super::recorded::Recorded;
use crate::analyze::analysis::{Check, Crossing, Distribution, Finding};
use crate::analyze::number::{percent, short};

const UNITS: Rule = Rule {
    check: Check::UnitMismatch,
    number: "ratio of the ranges of a joint as commanded and as reached",
    side: "above",
    threshold: 30.0,
    reason: "a joint's state and its command span the same range; degrees against radians are 57, millimetres against \
             metres 1000",
};

const ORDER: Rule = Rule {
    check: Check::OrderMismatch,
    number: "correlation of a joint's action with another joint's state",
    side: "at least",
    threshold: 0.7,
    reason: "half of the other joint's variance goes with this one's command (0.7²), of its own much less, and it is the \
             same the other way round",
};
/// How much better than with its own state an action must go with another's.
const ORDER_MARGIN: f64 = 0.3;

/// The middle 98 %.
fn range(data: &Distribution) -> (f64, f64) {
    (data.quantiles[0], data.quantiles[4])
}

fn length((low, high): (f64, f64)) -> f64 {
    high - low
}

/// The part of one range that lies within the other.
fn within(one: (f64, f64), other: (f64, f64)) -> f64 {
    let common = (one.1.min(other.1) - one.0.max(other.0)).max(0.0);
    if length(one) > 0.0 { common / length(one) } else { 0.0 }
}

/// Do state and action of one joint span different ranges?
pub(super) fn unit_mismatch(recorded: &Recorded<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (mut worst, mut pair_count) = (1.0_f64, 0);
    for (dimension, state) in recorded.state_of.iter().enumerate() {
        let Some(state) = state else { continue };
        let (commanded, reached) = (&recorded.data.action[dimension], &recorded.data.state[*state]);
        let (commanded, reached) = (length(range(commanded)), length(range(reached)));
        let usual = recorded.usual_std();
        // The range of what rests is noise.
        if commanded.max(reached) <= TINY_PART * usual || commanded.min(reached) <= f64::EPSILON {
            continue;
        }
        let ratio = (commanded / reached).max(reached / commanded);
        (worst, pair_count) = (worst.max(ratio), pair_count + 1);
        if ratio <= UNITS.threshold {
            continue;
        }
        let measure = format!(
            "ratio of the ranges of `{}` as commanded ({commanded:.4}) and as reached ({reached:.4})",
            recorded.name(dimension)
        );
        let remedy = || "Bring state and action to one unit before training.".to_owned();
        findings.push(UNITS.finding(Some(dimension), ratio, true, measure).with_remedy(remedy));
    }
    if pair_count == 0 {
        return vec![
            UNITS.cannot_tell(None, "no joint that moves has both a state and an action".to_owned()),
        ];
    }
    if findings.is_empty() {
        let measure = format!(
            "largest ratio of the ranges as commanded and as reached, of {pair_count} joints with both"
        );
        findings.push(UNITS.finding(None, worst, false, measure));
    }
    findings
}

/// Do two joints' actions go with each other's states?
pub(super) fn order_mismatch(recorded: &Recorded<'_>) -> Vec<Finding> {
    let crossings = &recorded.data.crossings;
    if crossings.is_empty() {
        return vec![
            ORDER.cannot_tell(None, "no two joints that move have both a state and an action".to_owned()),
        ];
    }
    let stands_out = |crossing: &Crossing| {
        crossing.other_correlation >= ORDER.threshold
            && crossing.other_correlation - crossing.own_correlation >= ORDER_MARGIN
            // Joints that move together are no swap.
            && crossing.twins < ORDER.threshold
    };
    let is_mutual = |crossing: &Crossing| {
        crossings
            .iter()
            .any(|back| back.own == crossing.other && back.other == crossing.own && stands_out(back))
    };
    let finding = |crossing: &Crossing| {
        let ranges = [
            &recorded.data.action[crossing.action],
            &recorded.data.state[crossing.own],
            &recorded.data.state[crossing.other],
        ]
        .map(range);
        let [(low, high), ..] = ranges;
        let (own, other) = (recorded.state_names[crossing.own], recorded.state_names[crossing.other]);
        let measure = format!(
            "correlation with the state of `{other}` (with that of `{own}` {:.2}); its range {} to {} lies to {} within \
             that of the state `{other}`, to {} within its own",
            crossing.own_correlation,
            short(low),
            short(high),
            percent(within(ranges[0], ranges[2])),
            percent(within(ranges[0], ranges[1])),
        );
        let holds = stands_out(crossing) && is_mutual(crossing);
        let remedy = || {
            format!(
                "The action `{}` goes with the state of `{other}`, and the other way round. Compare the order of the \
                 names of action and state in the dataset, and train again with one order for both.",
                recorded.name(crossing.action)
            )
        };
        ORDER.finding(Some(crossing.action), crossing.other_correlation, holds, measure).with_remedy(remedy)
    };
    crossings.iter().map(finding).collect()
}
