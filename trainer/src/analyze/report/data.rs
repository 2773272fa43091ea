//! What the episodes are like, and how the analysis was made.

use super::page::{facts, number, ratio, table};
use crate::analyze::analysis::{
    Analysis, Dimension, Distribution, Lag, Normalized, NormalizedReport, Outlier, OwnStatistics, Phase,
    StatisticDifference,
};
use crate::analyze::number::{count, percent, short};
use maud::{Markup, html};
use sinew_models::contract::Mode;

/// Faults, phases, lags, outliers and distributions.
pub(super) fn report(analysis: &Analysis) -> Markup {
    let data = &analysis.data;
    let share = |rows: usize| percent(rows as f64 / data.row_count.max(1) as f64);
    html! {
        (facts(&[
            ("episodes", html! { (count(data.episode_count as u64)) }),
            ("rows", html! { (count(data.row_count as u64)) }),
            ("rows that repeat the one before", html! { (count(data.duplicate_row_count as u64)) " (" (share(data.duplicate_row_count)) ")" }),
            ("rows in which no action moves", html! { (count(data.idle_row_count as u64)) " (" (share(data.idle_row_count)) ")" }),
        ]))
        h3 { "Faults" }
        @if data.faults.is_empty() { p { "None." } } @else { ul { @for fault in &data.faults { li { (fault) } } } }
        h3 { "Episodes unlike the others" }
        @if data.outliers.is_empty() { p { "None." } } @else { (outliers(analysis)) }
        h3 { "The dataset’s own statistics" }
        (own_statistics(&data.own_statistics))
        @if !data.phases.is_empty() { h3 { "Phases" } (phases(&data.phases, data.row_count)) }
        @if !data.lags.is_empty() { h3 { "Lag of the state behind the action" } (lags(analysis)) }
        h3 { "Actions" }
        (distributions(&analysis.action, &data.action))
        h3 { "State" }
        (distributions(&analysis.state, &data.state))
        h3 { "Normalised" }
        (normalized(analysis, &data.normalized))
    }
}

fn own_statistics(own: &OwnStatistics) -> Markup {
    let row = |found: &StatisticDifference| {
        vec![
            html! { (found.dimension) },
            html! { (found.feature) },
            html! { (found.statistic) },
            number(found.ours),
            number(found.theirs),
            html! { data value=(found.part) { (percent(found.part)) } },
        ]
    };
    html! {
        @if let Some(reason) = &own.not_compared { p { "Not compared: " (reason) "." } }
        @else if own.differences.is_empty() { p { "They are those of the rows." } }
        @else {
            p { (count(own.differences.len() as u64)) " of them are not those of the rows." }
            (table(
                &["dimension", "feature", "statistic", "of the rows", "the dataset says", "off by, of range or mean"],
                &own.differences.iter().map(row).collect::<Vec<_>>(),
            ))
        }
    }
}

/// How far out numbers lie as they are shown to a policy.
fn normalized(analysis: &Analysis, report: &NormalizedReport) -> Markup {
    let rows = |feature: &'static str, dimensions: &[Dimension], values: &[Normalized]| {
        let row = |(dimension, value): (&Dimension, &Normalized)| {
            let mut cells = vec![html! { (dimension.name) }, html! { (feature) }];
            cells.extend([value.min, value.q01, value.q99, value.max].map(number));
            cells
        };
        dimensions.iter().zip(values).map(row).collect::<Vec<_>>()
    };
    let mut all = rows("action", &analysis.action, &report.action);
    all.extend(rows("state", &analysis.state, &report.state));
    let unit = |mode: Mode| match mode {
        Mode::MeanStd => "in standard deviations off the mean",
        Mode::Range => "in half ranges off the middle",
        Mode::Identity => "as they are",
    };
    html! {
        p class="note" {
            "As " @if report.is_the_policys { "the policy" } @else { "a training on these episodes" }
            " is shown them: actions " (unit(report.action_mode)) ", states " (unit(report.state_mode)) "."
        }
        (table(&["dimension", "feature", "smallest", "1 %", "99 %", "largest"], &all))
    }
}

fn outliers(analysis: &Analysis) -> Markup {
    let row = |outlier: &Outlier| {
        vec![
            html! { (outlier.episode_index) },
            html! { (outlier.row) },
            html! { @if let Some(link) = &outlier.link { a href=(link) { (number(outlier.time_s)) " s" } } @else { (number(outlier.time_s)) " s" } },
            html! { span class="words" { (outlier.reason) } },
            number(outlier.score),
        ]
    };
    html! {
        (table(&["episode", "row", "time", "what is unusual", "score"], &analysis.data.outliers.iter().map(row).collect::<Vec<_>>()))
        p class="note" { "The score counts robust standard deviations: 1.4826 times the median absolute deviation." }
    }
}

fn phases(phases: &[Phase], row_count: usize) -> Markup {
    let row = |phase: &Phase| {
        let share = phase.row_count as f64 / row_count.max(1) as f64;
        vec![html! { (phase.name) }, html! { (count(phase.row_count as u64)) }, html! { (percent(share)) }]
    };
    table(&["phase", "rows", "share"], &phases.iter().map(row).collect::<Vec<_>>())
}

fn lags(analysis: &Analysis) -> Markup {
    let rate_hz = analysis.subject.rate_hz;
    let row = |lag: &Lag| {
        vec![
            html! { (analysis.action[lag.action].name) },
            html! { (analysis.state[lag.state].name) },
            number(lag.rows as f64),
            html! { (short(1000.0 * lag.rows as f64 / rate_hz)) " ms" },
            ratio(lag.correlation),
        ]
    };
    table(
        &["action", "state", "rows", "time", "correlation"],
        &analysis.data.lags.iter().map(row).collect::<Vec<_>>(),
    )
}

fn distributions(dimensions: &[Dimension], distributions: &[Distribution]) -> Markup {
    let head = [
        "dimension",
        "unit",
        "mean",
        "sd",
        "smallest",
        "1 %",
        "10 %",
        "median",
        "90 %",
        "99 %",
        "largest",
        "idle",
        "entropy",
    ];
    let row = |(dimension, data): (&Dimension, &Distribution)| {
        let mut cells = vec![html! { (dimension.name) }, html! { (dimension.unit) }];
        let [q01, q10, q50, q90, q99] = data.quantiles;
        cells.extend([data.mean, data.std, data.min, q01, q10, q50, q90, q99, data.max].map(number));
        cells.push(html! { data value=(data.idle_share) { (percent(data.idle_share)) } });
        cells.push(number(data.entropy));
        cells
    };
    table(&head, &dimensions.iter().zip(distributions).map(row).collect::<Vec<_>>())
}

/// What was looked at, and how.
pub(super) fn subject(analysis: &Analysis) -> Markup {
    let subject = &analysis.subject;
    let optional = |text: &Option<String>| html! { @match text { Some(text) => span class="path" { (text) }, None => "–" } };
    facts(&[
        ("policy", optional(&subject.policy)),
        ("its identity", optional(&subject.policy_id)),
        (
            "trained for",
            html! { @match subject.trained_steps { Some(steps) => { (count(steps)) " steps" }, None => "–" } },
        ),
        ("predicted on", html! { (subject.device.as_deref().unwrap_or("–")) }),
        ("dataset", html! { span class="path" { (subject.dataset) } }),
        ("training episodes", html! { (episodes(&subject.train_episodes)) }),
        ("validation episodes", html! { (episodes(&subject.validation_episodes)) }),
        ("recorded at", html! { (number(subject.fps)) " Hz" }),
        ("chunk", html! { (subject.chunk_size) " steps at " (number(subject.rate_hz)) " Hz" }),
        ("seed of frames and noise", html! { (subject.seed) }),
        ("sinew-trainer", html! { (subject.sinew_version) }),
    ])
}

/// Episode numbers, with runs of them drawn together.
fn episodes(episodes: &[u64]) -> String {
    if episodes.is_empty() {
        return "none".to_owned();
    }
    let runs = episodes.chunk_by(|a, b| a + 1 == *b).map(|run| match run {
        [first, .., last] => format!("{first}–{last}"),
        [only] => only.to_string(),
        [] => String::new(),
    });
    runs.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::episodes;

    #[test]
    fn runs_of_episodes_are_drawn_together() {
        assert_eq!(episodes(&[0, 1, 2, 5, 7, 8]), "0–2, 5, 7–8");
        assert_eq!(episodes(&[]), "none");
    }
}
