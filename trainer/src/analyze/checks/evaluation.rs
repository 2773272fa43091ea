//! H5 and part of H2: are predictions compared with what they are predictions of?

use super::{Evidence, Rule};
use crate::analyze::analysis::{Check, Finding};
use crate::analyze::measures::{correlation, points, r2};
use crate::analyze::predictions::{PredictionSet, Predictions};

const MISALIGNED: Rule = Rule {
    check: Check::Misaligned,
    number: "squared error at the best shift over that at none",
    side: "at most",
    threshold: 0.5,
    reason: "at the right shift the squared error is halved at least: a policy that is right cannot gain from a shift, \
             and one that predicts a constant gains next to nothing",
};
/// The largest shift tried, as a part of the chunk; as many steps at both ends cannot be compared.
const SHIFT_PART: usize = 3;
/// Shifts beyond a third of a second at 30 steps a second are no off-by-some any more.
const SHIFT_LIMIT: usize = 10;

const SWAPPED: Rule = Rule {
    check: Check::Swapped,
    number: "correlation of a dimension's prediction with another's truth",
    side: "at least",
    threshold: 0.7,
    reason: "half of another dimension's variance is followed (0.7²), and of its own much less",
};
/// How much better than with its own truth a prediction must go with another's.
const SWAP_MARGIN: f64 = 0.3;

const STALE_QUEUE: Rule = Rule {
    check: Check::StaleQueue,
    number: "mean R² that a queue kept across the frames would have shown",
    side: "below",
    threshold: 0.0,
    reason: "for information: whole chunks are predicted here, each from its own frame, so no such error is in any \
             number of this analysis",
};

/// The mean over dimensions of the squared error in variances, of predictions against the truth `shift` steps later.
/// The same predictions are compared at every shift.
fn shifted_error(evidence: &Evidence<'_>, shift: i64, limit: usize) -> f64 {
    let (set, of) = (evidence.judged(), evidence.predictions);
    let (mut sum, mut count) = (0.0, 0_usize);
    for frame in 0..set.len() {
        for step in limit..of.chunk_size.saturating_sub(limit) {
            let other = (step as i64 + shift) as usize;
            // The truth stands still beyond the episode's end.
            if set.is_pad[frame * of.chunk_size + step + limit] {
                break;
            }
            for (dimension, scale) in evidence.scales.iter().enumerate().filter(|(_, scale)| scale.std > 0.0)
            {
                let at = |values: &[f32], step| {
                    f64::from(values[(frame * of.chunk_size + step) * of.action_dim + dimension])
                };
                let error = at(&set.predicted, step) - at(&set.truth, other);
                sum += (error / scale.std).powi(2);
                count += 1;
            }
        }
    }
    sum / count.max(1) as f64
}

/// Would predictions fit the truth better some steps earlier or later?
pub(super) fn misaligned(evidence: &Evidence<'_>) -> Vec<Finding> {
    let limit = (evidence.predictions.chunk_size / SHIFT_PART).min(SHIFT_LIMIT);
    if limit == 0 {
        let measure = format!("a chunk of {} steps is too short to shift", evidence.predictions.chunk_size);
        return vec![MISALIGNED.cannot_tell(None, measure)];
    }
    let reach = limit as i64;
    let errors = (-reach..=reach).map(|shift| (shift, shifted_error(evidence, shift, limit)));
    let (shift, best) = errors.min_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((0, 0.0));
    let now = shifted_error(evidence, 0, limit);
    let ratio = if now > 0.0 { best / now } else { 1.0 };
    let holds = shift != 0 && ratio <= MISALIGNED.threshold && best < 1.0 - super::LEARNED_R2;
    let measure = format!(
        "squared error at the best shift ({shift:+} steps: {best:.3} variances) over that at none ({now:.3} variances)"
    );
    let remedy = || {
        format!(
            "The policy predicts what is done {} steps {} than it is compared with. Find where actions were shifted \
             against observations (recording, conversion, or the data it was trained on), and train again on data \
             that are aligned.",
            shift.abs(),
            if shift > 0 { "later" } else { "earlier" }
        )
    };
    vec![MISALIGNED.finding(None, ratio, holds, measure).with_remedy(remedy)]
}

/// Whose truth a dimension's prediction goes with, besides its own.
#[derive(Clone, Copy)]
struct Match {
    other: usize,
    /// Correlation with the other's truth.
    crossed: f64,
    /// Correlation with its own.
    straight: f64,
    looks_swapped: bool,
}

/// Does a dimension's prediction go with another dimension's truth?
pub(super) fn swapped(evidence: &Evidence<'_>) -> Vec<Finding> {
    let (set, of) = (evidence.judged(), evidence.predictions);
    let width = evidence.recorded.action_names.len();
    let columns: Vec<(Vec<f64>, Vec<f64>)> = (0..width)
        .map(|dimension| points(set, of, dimension).map(|point| (point.predicted, point.truth)).unzip())
        .collect();
    let with =
        |a: &[f64], b: &[f64]| correlation(&a.iter().copied().zip(b.iter().copied()).collect::<Vec<_>>());
    let matches: Vec<Option<Match>> = (0..width)
        .map(|dimension| {
            let (predicted, own) = &columns[dimension];
            let others = (0..width).filter(|other| *other != dimension);
            let crossed = others.map(|other| (other, with(predicted, &columns[other].1)));
            let (other, crossed) = crossed.max_by(|a, b| a.1.total_cmp(&b.1))?;
            let straight = with(predicted, own);
            // Joints that move together are predicted together, which is no swap.
            let twins = with(own, &columns[other].1);
            let looks_swapped = crossed >= SWAPPED.threshold
                && crossed - straight >= SWAP_MARGIN
                && twins < SWAPPED.threshold;
            Some(Match { other, crossed, straight, looks_swapped })
        })
        .collect();
    // Who follows on the episodes trained on has learned its own.
    let is_lost = |dimension: usize| {
        evidence.fails(dimension) && evidence.train_report(dimension).r2 < super::LEARNED_R2
    };
    let looks_swapped =
        |dimension: usize| is_lost(dimension) && matches[dimension].is_some_and(|found| found.looks_swapped);
    let mut findings = Vec::new();
    for dimension in evidence.failing() {
        let Some(found) = matches[dimension] else { continue };
        let Match { other, crossed, straight, .. } = found;
        // One dimension alone cannot be swapped.
        let holds = looks_swapped(dimension) && looks_swapped(other);
        let measure = format!(
            "correlation of its prediction with the truth of `{}` (with its own: {straight:.2})",
            evidence.recorded.name(other)
        );
        let remedy = || {
            format!(
                "What is predicted for `{}` is what is done by `{}`. Compare the order of the action's names in the \
                 data the policy was trained on with this dataset's; train again with the names in one order.",
                evidence.recorded.name(dimension),
                evidence.recorded.name(other)
            )
        };
        findings.push(SWAPPED.finding(Some(dimension), crossed, holds, measure).with_remedy(remedy));
    }
    if findings.is_empty() {
        findings.push(SWAPPED.finding(
            None,
            0.0,
            false,
            "dimensions that fail and could be another's".to_owned(),
        ));
    }
    findings
}

/// What would an evaluation have said that asks for one action at a time, from frames in random order, without
/// emptying the queue of planned actions between them?
pub(super) fn stale_queue(evidence: &Evidence<'_>) -> Vec<Finding> {
    let (set, of) = (evidence.judged(), evidence.predictions);
    let stale: f64 = (0..of.action_dim).map(|dimension| r2(&stale_pairs(set, of, dimension))).sum();
    let first = |dimension: usize| {
        let firsts = points(set, of, dimension).filter(|point| point.step == 0);
        r2(&firsts.map(|point| (point.predicted, point.truth)).collect::<Vec<_>>())
    };
    let fresh: f64 = (0..of.action_dim).map(first).sum();
    let width = of.action_dim.max(1) as f64;
    let measure = format!(
        "mean R² that a queue kept across these frames would have shown, where the first steps of fresh chunks have \
         {:.2}",
        fresh / width
    );
    vec![STALE_QUEUE.finding(None, stale / width, false, measure)]
}

/// (Prediction, truth) of such a queue: one chunk's steps are handed out one after another, each for another frame.
#[must_use]
fn stale_pairs(set: &PredictionSet, of: &Predictions, dimension: usize) -> Vec<(f64, f64)> {
    let order = shuffled(set.len());
    let at = |values: &[f32], frame: usize, step: usize| {
        f64::from(values[(frame * of.chunk_size + step) * of.action_dim + dimension])
    };
    let pair = |(asked, frame): (usize, &usize)| {
        let (planned_at, step) = (order[asked - asked % of.chunk_size], asked % of.chunk_size);
        (at(&set.predicted, planned_at, step), at(&set.truth, *frame, 0))
    };
    order.iter().enumerate().map(pair).collect()
}

/// The frames in an order that is not theirs: every `k`-th, around and around, `k` prime to their number.
fn shuffled(count: usize) -> Vec<usize> {
    const PRIME: usize = 7919;
    if count.is_multiple_of(PRIME) {
        return (0..count).rev().collect();
    }
    (0..count).map(|place| place * PRIME % count).collect()
}
