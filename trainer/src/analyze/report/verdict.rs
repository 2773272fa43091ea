//! What came out: the verdict, the dimensions, the remedy, and the errors of some of the frames.

use super::page::{Tone, badge, facts, number, ratio, table};
use crate::analyze::analysis::{
    Analysis, Dimension, DimensionReport, DimensionVerdict, GroupReport, Outcome, PolicyReport,
};
use crate::analyze::number::{count, with_unit};
use maud::{Markup, html};

/// The widest bar stands for this ratio of variances.
const FULL_BAR: f64 = 1.5;

/// The verdict in plain words and the figures that matter most.
pub(super) fn opening(analysis: &Analysis) -> Markup {
    let diagnosis = &analysis.diagnosis;
    let tone = if diagnosis.is_healthy { Tone::Good } else { Tone::Bad };
    let subject = &analysis.subject;
    html! {
        p class="overline" {
            @match &subject.policy {
                Some(policy) => { "Analysis of " span class="path" { (policy) } " on " span class="path" { (subject.dataset) } }
                None => { "Analysis of " span class="path" { (subject.dataset) } }
            }
        }
        h1 class=(tone.class()) { (diagnosis.headline) }
        @for text in &diagnosis.text { p class="lead" { (text) } }
        (facts(&key_figures(analysis)))
    }
}

fn key_figures(analysis: &Analysis) -> Vec<(&'static str, Markup)> {
    let mut figures = Vec::new();
    if let Some(policy) = &analysis.policy {
        let fine = analysis.diagnosis.dimensions.iter().filter(|verdict| is_fine(verdict.outcome)).count();
        figures.push(("dimensions in order", html! { (fine) " of " (analysis.action.len()) }));
        if let Some(cause) = analysis.diagnosis.first_cause {
            figures.push(("first cause", html! { (cause.title()) }));
        }
        let judged = policy.judged();
        let side = if policy.validation.is_some() { "validation" } else { "training" };
        figures.push((
            "mean error over sd",
            html! { (number(judged.normalized_error)) " on " (side) " episodes" },
        ));
        figures.push((
            "compared",
            html! { (count(judged.step_count as u64)) " steps from " (count(judged.frame_count as u64)) " frames" },
        ));
    }
    figures.push((
        "data",
        html! { (count(analysis.data.episode_count as u64)) " episodes, " (count(analysis.data.row_count as u64)) " rows" },
    ));
    figures
}

/// Whether there is nothing to repair.
pub(crate) fn is_fine(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Learned | Outcome::Still)
}

/// An outcome in one word.
pub(crate) fn outcome(outcome: Outcome) -> Markup {
    let (tone, text) = match outcome {
        Outcome::Learned => (Tone::Good, "learned"),
        Outcome::Still => (Tone::Neutral, "still"),
        Outcome::Collapsed => (Tone::Bad, "collapsed"),
        Outcome::Wrong => (Tone::Bad, "wrong"),
        Outcome::Overfitted => (Tone::Bad, "overfitted"),
    };
    badge(tone, text)
}

/// The cause, with the way to its evidence, and the verdict's words.
fn why(verdict: &DimensionVerdict) -> Markup {
    html! {
        span class="words" {
            @if let Some(cause) = verdict.cause {
                @let key = format!("{:?}", cause.hypothesis());
                strong { a href={ "#" (key) } { (key) } " " (cause.title()) ". " }
            }
            (verdict.text)
        }
    }
}

/// Every dimension: how it came out, why, and its numbers on the side judged by.
pub(super) fn dimensions(analysis: &Analysis, policy: &PolicyReport) -> Markup {
    let judged = policy.judged();
    let head = [
        "dimension",
        "outcome",
        "why",
        "mean |error|",
        "max |error|",
        "error / sd",
        "of the mean",
        "R²",
        "correlation",
        "variance ratio",
        "training |error|",
        "gap |error|",
        "training R²",
        "gap R²",
        "noise spread",
    ];
    let row = |index: usize| {
        let dimension = &analysis.action[index];
        let report = &judged.dimensions[index];
        let verdict = analysis.diagnosis.dimensions.iter().find(|verdict| verdict.dimension == index);
        vec![
            html! { (dimension.name) @if !dimension.unit.is_empty() { " " span class="unit" { "[" (dimension.unit) "]" } } },
            html! { @if let Some(verdict) = verdict { (outcome(verdict.outcome)) } },
            html! { @if let Some(verdict) = verdict { (why(verdict)) } },
            number(report.mean_error),
            number(report.max_error),
            number(report.normalized_error),
            number(report.normalized_error_of_mean),
            ratio(report.r2),
            ratio(report.correlation),
            variance_ratio(report),
            number(policy.train.dimensions[index].mean_error),
            html! { @if let Some(gap) = &policy.gap { (number(gap[index].mean_error)) } },
            ratio(policy.train.dimensions[index].r2),
            html! { @if let Some(gap) = &policy.gap { (ratio(gap[index].r2)) } },
            html! { @if let Some(spread) = policy.noise_spread.get(index) { (number(*spread)) } },
        ]
    };
    let rows: Vec<Vec<Markup>> = (0..analysis.action.len()).map(row).collect();
    html! {
        (table(&head, &rows))
        p class="note" {
            "Errors are over all steps of the chunks that lie in their episode, in each dimension’s unit. “Error / sd” is "
            "the mean error over the standard deviation in the data, “of the mean” the same for a policy that "
            "always says their mean. The variance ratio is predicted over true: near 0 the prediction is a constant. "
            "The gap is what is lost from the episodes trained on to the others."
        }
    }
}

fn variance_ratio(report: &DimensionReport) -> Markup {
    let share = (100.0 * report.variance_ratio / FULL_BAR).clamp(0.0, 100.0);
    html! {
        span class="bar" { i style={ "width:" (format!("{share:.0}")) "%" } {} }
        (ratio(report.variance_ratio))
    }
}

/// The overlay, and how to use it.
pub(super) fn remedy(analysis: &Analysis) -> Markup {
    html! {
        p {
            "These lines are in " code { "remedy.toml" } " beside this report. Train again with them on top of the "
            "configuration that the policy was trained with, and compare the two analyses:"
        }
        div class="scroll" tabindex="0" { pre { code { (analysis.diagnosis.remedy_toml) } } }
        div class="scroll" tabindex="0" {
            pre {
                code {
                    "sinew-trainer train --config train.toml --config remedy.toml --run.output again\n"
                    "sinew-trainer analyze --checkpoint again/checkpoints/last --dataset " (analysis.subject.dataset) " --output after\n"
                    "sinew-trainer compare before after --output comparison"
                }
            }
        }
    }
}

/// Errors of the frames of each instruction and each stretch of the episodes.
pub(super) fn groups(analysis: &Analysis, policy: &PolicyReport) -> Markup {
    html! {
        p class="note" {
            "Mean absolute error over frames of training and validation episodes. The last row is the mean over dimensions "
            "of the error over the standard deviation in the data."
        }
        @for groups in [&policy.tasks, &policy.phases] {
            @if !groups.is_empty() { (errors_by_group(analysis, groups)) }
        }
    }
}

/// A row a dimension, a column a group.
fn errors_by_group(analysis: &Analysis, groups: &[GroupReport]) -> Markup {
    let frames = |group: &GroupReport| format!("{} ({} frames)", group.name, count(group.frame_count as u64));
    let head: Vec<String> =
        std::iter::once("dimension".to_owned()).chain(groups.iter().map(frames)).collect();
    let dimension = |(place, dimension): (usize, &Dimension)| {
        let errors = groups.iter().map(|group| number(group.mean_error[place]));
        std::iter::once(html! { (with_unit(&dimension.name, &dimension.unit)) }).chain(errors).collect()
    };
    let mut rows: Vec<Vec<Markup>> = analysis.action.iter().enumerate().map(dimension).collect();
    let all = groups.iter().map(|group| number(group.normalized_error));
    rows.push(std::iter::once(html! { "error / sd" }).chain(all).collect());
    table(&head.iter().map(String::as_str).collect::<Vec<_>>(), &rows)
}
