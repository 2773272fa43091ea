//! From findings to a verdict: which dimensions failed, the first cause of each, and what to say first. Pure.

use crate::analyze::analysis::{Check, Diagnosis, DimensionVerdict, Finding, Outcome, Verdict};
use crate::analyze::checks::{self, Evidence, Recorded};
use crate::analyze::remedy::{self, Cause, Training};

/// Checks that are faults even where every dimension is followed.
const FAULTS: [Check; 2] = [Check::Misaligned, Check::ForeignStatistics];

/// Judges a policy. `trained_steps` is what it was trained for.
#[must_use]
pub fn of_policy(evidence: &Evidence<'_>, trained_steps: u64) -> Diagnosis {
    let findings = checks::all(evidence);
    let dimensions: Vec<DimensionVerdict> = (0..evidence.recorded.action_names.len())
        .map(|dimension| verdict(evidence, dimension, &findings))
        .collect();
    let failed = dimensions.iter().filter(|verdict| evidence.fails(verdict.dimension)).count();
    let fault = FAULTS.into_iter().find(|check| is_supported(&findings, *check, None));
    let first_cause = main_cause(&dimensions).or(fault);
    let causes = causes(&dimensions, first_cause);
    let names = |cause: Option<Check>| {
        let of_cause =
            dimensions.iter().filter(|verdict| evidence.fails(verdict.dimension) && verdict.cause == cause);
        of_cause.map(|verdict| evidence.recorded.action_names[verdict.dimension].as_str()).collect::<Vec<_>>()
    };
    let width = dimensions.len();
    let headline = match first_cause {
        None if failed == 0 => format!("Healthy: all {width} dimensions follow what was done."),
        None => format!("{failed} of {width} dimensions do not follow what was done; no check says why."),
        Some(cause) if failed == 0 => {
            format!("All {width} dimensions follow what was done, but: {}.", cause.title())
        }
        Some(cause) => {
            format!(
                "{failed} of {width} dimensions do not follow what was done. First cause: {}.",
                cause.title()
            )
        }
    };
    let mut text: Vec<String> = causes
        .iter()
        .map(|cause| {
            let remedy =
                findings.iter().find(|finding| finding.check == *cause && !finding.remedy.is_empty());
            let remedy = remedy.map_or("", |finding| finding.remedy.as_str());
            format!("{}: {}. {remedy}", sentence(cause.title()), listed(&names(Some(*cause))))
        })
        .collect();
    let unexplained = names(None);
    if !unexplained.is_empty() {
        text.push(format!("No check says why: {}.", listed(&unexplained)));
    }
    let blamed: Vec<Cause> = causes
        .iter()
        .map(|cause| {
            let mine = dimensions.iter().filter(|verdict| verdict.cause == Some(*cause));
            Cause { check: *cause, dimensions: mine.map(|verdict| verdict.dimension).collect() }
        })
        .collect();
    let training = Training {
        steps: trained_steps,
        state_names: evidence.dataset_state_names(),
        foreseen_steps: (0..width).map(|dimension| checks::foreseen_steps(evidence, dimension)).collect(),
        fair_weights: checks::fair_weights(evidence),
        is_at_its_limit: checks::is_at_its_limit(evidence),
    };
    Diagnosis {
        headline,
        text,
        is_healthy: failed == 0 && first_cause.is_none(),
        first_cause,
        remedy_toml: remedy::overlay(&evidence.recorded, &training, &blamed, &findings),
        dimensions,
        findings,
    }
}

/// Judges episodes without a policy.
#[must_use]
pub fn of_data(recorded: &Recorded<'_>) -> Diagnosis {
    let data = recorded.data;
    let findings = recorded.findings();
    let mut causes: Vec<Cause> = Vec::new();
    for finding in findings.iter().filter(|finding| finding.verdict == Verdict::Supported) {
        match causes.iter_mut().find(|cause| cause.check == finding.check) {
            Some(cause) => cause.dimensions.extend(finding.dimension),
            None => causes
                .push(Cause { check: finding.check, dimensions: finding.dimension.into_iter().collect() }),
        }
    }
    let faults = match data.faults.len() {
        0 => "The dataset has no fault that `inspect` finds".to_owned(),
        1 => "The dataset has a fault, listed below".to_owned(),
        count => format!("The dataset has {count} faults, listed below"),
    };
    let titles: Vec<&str> = causes.iter().map(|cause| cause.check.title()).collect();
    let headline = match titles.as_slice() {
        [] => format!("{faults}; no check finds anything wrong with its numbers."),
        titles => format!("{faults}. To look at before training: {}.", titles.join("; ")),
    };
    let mut text: Vec<String> = causes
        .iter()
        .map(|cause| {
            let mine = |finding: &&Finding| finding.check == cause.check && !finding.remedy.is_empty();
            let remedy = findings.iter().find(mine).map_or("", |finding| finding.remedy.as_str());
            let names: Vec<&str> = cause.dimensions.iter().map(|place| recorded.name(*place)).collect();
            let names = if names.is_empty() { String::new() } else { format!(": {}", names.join(", ")) };
            format!("{}{names}. {remedy}", sentence(cause.check.title()))
        })
        .collect();
    text.push(format!(
        "{:.0} % of the rows are idle (no action dimension moves), {} of {} repeat the row before, {} episodes are odd.",
        100.0 * data.idle_row_count as f64 / data.row_count.max(1) as f64,
        data.duplicate_row_count,
        data.row_count,
        data.outliers.len()
    ));
    Diagnosis {
        headline,
        text,
        is_healthy: data.faults.is_empty() && causes.is_empty(),
        first_cause: causes.first().map(|cause| cause.check),
        dimensions: Vec::new(),
        remedy_toml: remedy::overlay(recorded, &Training::default(), &causes, &findings),
        findings,
    }
}

fn verdict(evidence: &Evidence<'_>, dimension: usize, findings: &[Finding]) -> DimensionVerdict {
    let outcome = evidence.outcome(dimension);
    let (report, train) = (evidence.report(dimension), evidence.train_report(dimension));
    let cause = evidence.fails(dimension).then(|| {
        let supported = findings.iter().filter(|finding| finding.verdict == Verdict::Supported);
        // Whose statistics are wrong fails everywhere.
        let explains = |finding: &&Finding| {
            finding.dimension.is_none_or(|place| place == dimension)
                && (finding.check != Check::ForeignStatistics || train.r2 < checks::LEARNED_R2)
                // What the dataset says of itself is no matter of the policy's, which has its own.
                && finding.check != Check::OwnStatistics
        };
        let mut mine = supported.filter(explains);
        mine.next().map(|finding| finding.check)
    });
    let numbers = format!("R² {:.2} (on the episodes trained on {:.2})", report.r2, train.r2);
    let text = match outcome {
        Outcome::Learned => format!("follows: {numbers}"),
        Outcome::Still => format!("rests, and is predicted so: off by {:.2e} on average", report.mean_error),
        Outcome::Collapsed => {
            format!(
                "predicted nearly constant, with {:.0} % of its variance: {numbers}",
                100.0 * report.variance_ratio
            )
        }
        Outcome::Wrong if evidence.rests(dimension) => {
            format!("rests, but is predicted to move: off by {:.2e} on average", report.mean_error)
        }
        Outcome::Wrong => format!("moves, but not as it should: {numbers}"),
        Outcome::Overfitted => format!("follows on the episodes trained on only: {numbers}"),
    };
    DimensionVerdict { dimension, outcome, cause: cause.flatten(), text }
}

/// The cause of most failed dimensions; of equally many, the one that is checked first.
fn main_cause(dimensions: &[DimensionVerdict]) -> Option<Check> {
    let causes = || dimensions.iter().filter_map(|verdict| verdict.cause);
    let count = |cause: Check| causes().filter(|other| *other == cause).count();
    let mut best: Option<(usize, Check)> = None;
    for cause in causes() {
        let count = count(cause);
        let comes_first = best.is_none_or(|(most, other)| count > most || (count == most && cause < other));
        if comes_first {
            best = Some((count, cause));
        }
    }
    best.map(|(_, cause)| cause)
}

/// Every cause once, the main one first, the others in the order of their checks.
fn causes(dimensions: &[DimensionVerdict], first: Option<Check>) -> Vec<Check> {
    let mut rest: Vec<Check> =
        dimensions.iter().filter_map(|verdict| verdict.cause).filter(|cause| Some(*cause) != first).collect();
    rest.sort_unstable();
    rest.dedup();
    first.into_iter().chain(rest).collect()
}

fn is_supported(findings: &[Finding], check: Check, dimension: Option<usize>) -> bool {
    let same = |finding: &&Finding| finding.check == check && finding.dimension == dimension;
    findings.iter().filter(same).any(|finding| finding.verdict == Verdict::Supported)
}

fn listed(names: &[&str]) -> String {
    if names.is_empty() { "every dimension".to_owned() } else { names.join(", ") }
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
