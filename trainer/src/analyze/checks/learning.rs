//! H4 and H1: was there enough training, and enough to learn from?

use super::{Evidence, LEARNED_R2, Recorded, Rule};
use crate::analyze::analysis::{Check, Finding};

const UNDERTRAINED: Rule = Rule {
    check: Check::Undertrained,
    number: "R² on the episodes trained on",
    side: "below",
    threshold: LEARNED_R2,
    reason: "less than half of the variance is explained even on the episodes trained on",
};

const OVERFITTED: Rule = Rule {
    check: Check::Overfitted,
    number: "R² on the episodes trained on less that on others",
    side: "above",
    threshold: 0.3,
    reason: "a difference between both sides that sampling a few dozen frames does not make",
};

const IDLE: Rule = Rule {
    check: Check::Idle,
    number: "share of rows in which a dimension rests",
    side: "above",
    threshold: 0.8,
    reason: "four rows of five teach to rest; resting costs little loss even where the dimension should move",
};

/// Are the training episodes not predicted either?
pub(super) fn undertrained(evidence: &Evidence<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for dimension in evidence.failing() {
        let train = evidence.train_report(dimension).r2;
        let best = evidence.baselines.best(dimension);
        let holds = train < UNDERTRAINED.threshold;
        let signal = evidence.pull.map_or_else(String::new, |pull| {
            format!(
                "; the gradient's signal is {:.1} times what noise alone would give",
                pull.signal_to_noise
            )
        });
        let trained = match evidence.is_expert_only {
            Some(true) => "; only the action expert was trained",
            Some(false) => "; the VLM was trained too",
            None => "",
        };
        let measure = format!(
            "R² on the episodes trained on (a simple predictor has {best:.2} on others{signal}{trained})"
        );
        let remedy = || remedy(evidence, best, train);
        findings.push(UNDERTRAINED.finding(Some(dimension), train, holds, measure).with_remedy(remedy));
    }
    if findings.is_empty() {
        let least = evidence.policy.train.dimensions.iter().zip(evidence.scales);
        let least =
            least.filter(|(_, scale)| scale.std > 0.0).map(|(report, _)| report.r2).fold(1.0, f64::min);
        findings.push(UNDERTRAINED.finding(
            None,
            least,
            false,
            "smallest R² on the episodes trained on; none fails".to_owned(),
        ));
    }
    findings
}

/// The gradient's signal, over what noise alone would give, below which more of the same steps do not help.
const NOISE: f64 = 1.5;
/// Before it follows at all, every policy's gradient looks like noise.
const FOLLOWS_R2: f64 = 0.2;

/// Whether what is trained has learned what it can, though the training episodes are not predicted, and more of the
/// model could be trained.
pub(crate) fn is_at_its_limit(evidence: &Evidence<'_>) -> bool {
    let is_lost = |dimension: usize| evidence.train_report(dimension).r2 < UNDERTRAINED.threshold;
    let follows = |dimension: usize| evidence.train_report(dimension).r2 > FOLLOWS_R2;
    evidence.is_expert_only == Some(true)
        && evidence.baselines.looks_vary
        && evidence.pull.is_some_and(|pull| pull.signal_to_noise < NOISE)
        && evidence.failing().any(|dimension| is_lost(dimension) && follows(dimension))
}

fn remedy(evidence: &Evidence<'_>, best: f64, train_r2: f64) -> String {
    if is_at_its_limit(evidence) {
        return "The gradient is nothing but noise by now, and only the action expert was trained: unfreeze the VLM and \
                its vision tower (policy.train_expert_only = false, policy.freeze_vision_encoder = false)."
            .to_owned();
    }
    let hint = if best >= LEARNED_R2 {
        "a simple predictor can, so it is training that lacks"
    } else {
        "if more steps do not help, the frozen vision tower may not show what decides: policy.train_expert_only = false, \
         policy.freeze_vision_encoder = false"
    };
    let noise = match evidence.pull {
        Some(pull) if pull.signal_to_noise < NOISE && train_r2 > FOLLOWS_R2 => {
            " The gradient is mostly noise by now: a larger batch or a smaller rate helps more than the same steps again."
        }
        _ => "",
    };
    format!("Train longer (run.steps): {hint}.{noise}")
}

/// Are only the training episodes predicted?
pub(super) fn overfitted(evidence: &Evidence<'_>) -> Vec<Finding> {
    if evidence.policy.validation.is_none() {
        return vec![OVERFITTED.cannot_tell(None, "there is no episode that was not trained on".to_owned())];
    }
    let gap = |dimension: usize| evidence.train_report(dimension).r2 - evidence.report(dimension).r2;
    let mut findings: Vec<Finding> = evidence
        .failing()
        .map(|dimension| {
            let holds =
                gap(dimension) > OVERFITTED.threshold && evidence.train_report(dimension).r2 >= LEARNED_R2;
            let measure = format!(
                "R² on the episodes trained on ({:.2}) less that on others ({:.2})",
                evidence.train_report(dimension).r2,
                evidence.report(dimension).r2
            );
            let remedy = || {
                "Record more and more varied episodes; until then averaged weights, augmentation and \
                 fewer steps soften it."
                    .to_owned()
            };
            OVERFITTED.finding(Some(dimension), gap(dimension), holds, measure).with_remedy(remedy)
        })
        .collect();
    if findings.is_empty() {
        let most = (0..evidence.recorded.action_names.len()).map(gap).fold(0.0, f64::max);
        findings.push(OVERFITTED.finding(
            None,
            most,
            false,
            "largest R² lost from training to other episodes; none fails".to_owned(),
        ));
    }
    findings
}

/// Do these dimensions hardly ever move?
pub(super) fn idle(recorded: &Recorded<'_>, dimensions: impl Iterator<Item = usize>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = dimensions
        .map(|dimension| {
            let data = &recorded.data.action[dimension];
            let measure = format!(
                "share of rows in which it rests (entropy of its values {:.2} of the most there can be, range {:.4})",
                data.entropy,
                data.max - data.min
            );
            let remedy = || {
                "Trim the still ends (data.trim_idle), let the frames around its movements count more \
                 (data.weights.segment), or record more movement of it."
                    .to_owned()
            };
            let holds = data.idle_share > IDLE.threshold;
            IDLE.finding(Some(dimension), data.idle_share, holds, measure).with_remedy(remedy)
        })
        .collect();
    if findings.is_empty() {
        let most = recorded.data.action.iter().map(|data| data.idle_share).fold(0.0, f64::max);
        findings.push(IDLE.finding(
            None,
            most,
            false,
            "largest share of rows in which a dimension rests; none fails".to_owned(),
        ));
    }
    findings
}
