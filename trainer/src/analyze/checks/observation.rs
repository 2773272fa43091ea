//! H6 and H7: does what the policy sees decide what is done?

use super::{Evidence, Rule};
use crate::analyze::analysis::{Check, Finding};
use crate::analyze::baselines::third;
use crate::analyze::measures::{Moments, mean, points, r2};

const MULTIMODAL: Rule = Rule {
    check: Check::Multimodal,
    number: "part of the futures' range that lies empty between two groups, among near-identical observations",
    side: "at least",
    threshold: 0.5,
    reason: "nobody goes where half of the way between the outermost futures is: of twelve values anywhere in a range, \
             the widest gap takes a quarter on average and half in one case of a hundred, however the range came about",
};
/// Near-identical observations decide too little if more than this part of the variance is left among them.
const UNDECIDED_SHARE: f64 = 0.25;

const UNOBSERVABLE: Rule = Rule {
    check: Check::Unobservable,
    number: "share of a dimension's variance that the best simple predictor explains",
    side: "below",
    threshold: 0.3,
    reason: "the best of the nearest rows, a linear map and the nearest pictures explains less than a third of the \
             variance: what decides is not there to be seen",
};

const FAR_STEPS: Rule = Rule {
    check: Check::FarSteps,
    number: "share of a dimension's variance that the best simple predictor explains, in the last third of the chunk",
    side: "below",
    threshold: 0.3,
    reason: "less than a third of the variance can be told that far ahead, while at least half of it can in the chunk's \
             first third: the end of the chunk is decided by what happens meanwhile",
};

const COPIES: Rule = Rule {
    check: Check::CopiesState,
    number: "distance of predictions from the present state over the way that is done",
    side: "below",
    threshold: 0.25,
    reason: "predictions are within a quarter of the way from the present state to what is done: the policy says where \
             the joint is, not where it goes",
};

/// Do near-identical observations lead to two distinct futures?
pub(super) fn multimodal(evidence: &Evidence<'_>) -> Vec<Finding> {
    let Some(modes) = evidence.modes else {
        let measure = "too few episodes to compare near-identical observations of a dozen".to_owned();
        return vec![MULTIMODAL.cannot_tell(None, measure)];
    };
    let mut findings: Vec<Finding> = evidence
        .failing()
        .map(|dimension| {
            let found = modes[dimension];
            let holds = found.separation >= MULTIMODAL.threshold && found.local_share >= UNDECIDED_SHARE;
            let measure = format!(
                "part of the futures' range that is empty between two groups, among near-identical observations (which \
                 leave {:.0} % of the variance open); the policy's own spread over noises is {:.2} of its error",
                100.0 * found.local_share,
                noise_spread(evidence, dimension)
            );
            let remedy = || {
                format!(
                    "`{}` goes two ways from the same observation. Say in the instruction or the state which way is \
                     wanted, or collect demonstrations that always go the same way. No training option helps; do not \
                     average chunks (`ensemble`), which would go in between.",
                    evidence.recorded.name(dimension)
                )
            };
            MULTIMODAL.finding(Some(dimension), found.separation, holds, measure).with_remedy(remedy)
        })
        .collect();
    if findings.is_empty() {
        let most =
            modes.iter().filter(|modes| modes.local_share >= UNDECIDED_SHARE).map(|modes| modes.separation);
        let measure = "largest empty part between two groups, of dimensions that the observation leaves open"
            .to_owned();
        findings.push(MULTIMODAL.finding(None, most.fold(0.0, f64::max), false, measure));
    }
    findings
}

/// The standard deviation over noises, over the root mean square error.
fn noise_spread(evidence: &Evidence<'_>, dimension: usize) -> f64 {
    let error = evidence.report(dimension).rms_error;
    if error > 0.0 { evidence.policy.noise_spread[dimension] / error } else { 0.0 }
}

/// Can only the beginning of the chunk be told from what is seen at its start?
pub(super) fn far_steps(evidence: &Evidence<'_>) -> Vec<Finding> {
    let thirds = &evidence.baselines.by_third;
    let mut findings = Vec::new();
    for dimension in evidence.failing() {
        let [first, middle, last] = thirds[dimension];
        let measure = format!(
            "share of its variance that the best simple predictor explains in the chunk's last third (in the first \
             {first:.2}, in the middle {middle:.2})"
        );
        if evidence.modes.is_none() {
            let reason = format!("{measure}; but that may be for want of similar episodes to compare with");
            findings.push(FAR_STEPS.cannot_tell(Some(dimension), reason));
            continue;
        }
        let holds = first >= super::LEARNED_R2 && last < FAR_STEPS.threshold;
        let remedy = || {
            format!(
                "What `{}` does late in a chunk is decided after the chunk was planned. Predict fewer steps \
                 (policy.chunk_size = {}) and plan anew that often.",
                evidence.recorded.name(dimension),
                foreseen_steps(evidence, dimension)
            )
        };
        findings.push(FAR_STEPS.finding(Some(dimension), last, holds, measure).with_remedy(remedy));
    }
    if findings.is_empty() {
        let moving = thirds.iter().zip(evidence.scales).filter(|(_, scale)| scale.std > 0.0);
        let least = moving.map(|([.., last], _)| *last).fold(1.0, f64::min);
        let measure =
            "smallest share of a dimension's variance that a simple predictor explains in the chunk's last \
                       third; none fails"
                .to_owned();
        findings.push(FAR_STEPS.finding(None, least, false, measure));
    }
    findings
}

/// How many steps of a chunk can be told of a dimension from what is seen at its start, in whole thirds; at least one.
pub(crate) fn foreseen_steps(evidence: &Evidence<'_>, dimension: usize) -> usize {
    let shares = &evidence.baselines.by_third[dimension];
    let third_count = shares.iter().take_while(|share| **share >= super::LEARNED_R2).count();
    third(evidence.predictions.chunk_size, third_count.saturating_sub(1)).end
}

/// Can a simple predictor tell it from what is seen?
pub(super) fn unobservable(evidence: &Evidence<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for dimension in evidence.failing() {
        let baselines = evidence.baselines;
        let best = baselines.best(dimension);
        let open = evidence.modes.map(|modes| {
            format!(
                ", {:.0} % of the variance is left among near-identical states",
                100.0 * modes[dimension].local_share
            )
        });
        let measure = format!(
            "share of its variance that the best simple predictor explains (from the state {:.2}, with pictures of \
             4 × 4 squares {:.2}{})",
            baselines.from_state[dimension],
            baselines.from_look[dimension],
            open.unwrap_or_default()
        );
        let is_low = best < UNOBSERVABLE.threshold;
        if is_low && evidence.modes.is_none() {
            let reason = format!("{measure}; but that may be for want of similar episodes to compare with");
            findings.push(UNOBSERVABLE.cannot_tell(Some(dimension), reason));
            continue;
        }
        // A policy that learned it by heart saw something; one whose pictures change may yet learn to see.
        let has_other_hints =
            baselines.looks_vary && evidence.train_report(dimension).r2 >= super::LEARNED_R2;
        if is_low && has_other_hints {
            findings.push(UNOBSERVABLE.cannot_tell(
                Some(dimension),
                format!(
                    "{measure}; but the policy follows it on the training episodes, so the pictures may tell"
                ),
            ));
            continue;
        }
        let remedy = || {
            format!(
                "Nothing that the policy is shown tells `{}`. Add what decides it to the state or the instruction \
                 (data.state, data.derived), a camera that sees it, or leave the dimension out.",
                evidence.recorded.name(dimension)
            )
        };
        findings.push(UNOBSERVABLE.finding(Some(dimension), best, is_low, measure).with_remedy(remedy));
    }
    if findings.is_empty() {
        let least = (0..evidence.recorded.action_names.len())
            .filter(|dimension| evidence.scales[*dimension].std > 0.0);
        let least = least.map(|dimension| evidence.baselines.best(dimension)).fold(1.0, f64::min);
        let measure = "smallest share of a dimension's variance that a simple predictor explains; none fails"
            .to_owned();
        findings.push(UNOBSERVABLE.finding(None, least, false, measure));
    }
    findings
}

/// Is a failing dimension's prediction just the present state?
pub(super) fn copies_state(evidence: &Evidence<'_>) -> Vec<Finding> {
    let (set, of) = (evidence.judged(), evidence.predictions);
    let mut findings = Vec::new();
    for dimension in evidence.failing() {
        let Some(state) = evidence.recorded.state_of[dimension] else { continue };
        let present = |frame: usize| f64::from(set.state[frame * of.state_dim + state]);
        let triples: Vec<(f64, f64, f64)> = points(set, of, dimension)
            .map(|point| (point.predicted, point.truth, present(point.frame)))
            .collect();
        let from_state = mean(triples.iter().map(|(predicted, _, now)| (predicted - now).abs()));
        let way = mean(triples.iter().map(|(_, truth, now)| (truth - now).abs()));
        let moves = Moments::of(triples.iter().map(|(.., now)| *now)).variance > 0.0;
        let value = if way > 0.0 { from_state / way } else { 0.0 };
        let copying = r2(&triples.iter().map(|(_, truth, now)| (*now, *truth)).collect::<Vec<_>>());
        let measure = format!(
            "distance of its prediction from the present state over the way that is done (saying the present state \
             would have R² {copying:.2})"
        );
        let remedy = || {
            "The policy says where the joint is and not where it goes: in training the one told the other. Leave the \
             joint out of the state (data.state), so that it has to look for what decides, or hide the whole state now \
             and then (augment.state_dropout); better still, record the joint being elsewhere than it should."
                .to_owned()
        };
        let holds = moves && way > 0.0 && value < COPIES.threshold;
        findings.push(COPIES.finding(Some(dimension), value, holds, measure).with_remedy(remedy));
    }
    if findings.is_empty() {
        findings.push(COPIES.cannot_tell(None, "no dimension fails that has a state".to_owned()));
    }
    findings
}
