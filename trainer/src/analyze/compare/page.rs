//! `compare.html` and `comparison.json`.

use super::{Change, Comparison, DimensionComparison, Summary, Unit, Verdict, plot};
use crate::Error;
use crate::analyze::number::{count, ratio, short};
use crate::analyze::report::figures::{self, Drawn};
use crate::analyze::report::page::{Section, Tone, badge, facts, number, page, ratio as exact_ratio, table};
use crate::analyze::report::verdict::outcome;
use crate::checkpoint::policy_folder::write_json;
use maud::{Markup, html};
use serde_json::json;
use std::fs;
use std::path::Path;

/// Writes `compare.html`, its pictures under `plots/`, and `comparison.json`.
///
/// # Errors
/// If a picture cannot be drawn, or a file cannot be written.
pub fn write(folder: &Path, comparison: &Comparison) -> Result<(), Error> {
    fs::create_dir_all(folder).map_err(Error::io(folder))?;
    write_json(&folder.join("comparison.json"), &json!(comparison), b"  ")?;
    let drawn = figures::draw(folder, plot::figures(comparison))?;
    let path = folder.join("compare.html");
    fs::write(&path, compose(comparison, &drawn).into_string()).map_err(Error::io(&path))
}

fn compose(comparison: &Comparison, drawn: &[Drawn]) -> Markup {
    let headline = comparison.headline();
    let got_worse = comparison.dimensions.iter().any(|dimension| dimension.verdict == Verdict::Worse);
    let opening = html! {
        p class="overline" { "Before: " span class="path" { (comparison.before.policy) } ". After: " span class="path" { (comparison.after.policy) } "." }
        h1 class=(if got_worse { Tone::Bad } else { Tone::Good }.class()) { (headline) }
    };
    let sections = [
        Section::new("dimensions", "Dimension by dimension", dimensions(comparison)),
        Section::new("plots", "Plots", figures::show(drawn)),
        Section::new("sides", "The two analyses", sides(comparison)),
    ];
    page(&headline, opening, &sections)
}

fn dimensions(comparison: &Comparison) -> Markup {
    let head = [
        "dimension",
        "verdict",
        "before",
        "after",
        "error / sd",
        "change (95 %)",
        "mean |error|",
        "change (95 %)",
        "R²",
        "change (95 %)",
    ];
    let row = |dimension: &DimensionComparison| {
        let change = &dimension.change;
        let r2 = &change.r2;
        vec![
            html! { (dimension.name) @if !dimension.unit.is_empty() { " " span class="unit" { "[" (dimension.unit) "]" } } },
            verdict(dimension.verdict),
            html! { @if let Some(before) = dimension.before { (outcome(before)) } },
            html! { @if let Some(after) = dimension.after { (outcome(after)) } },
            pair(&change.normalized_error),
            interval(&change.normalized_error),
            pair(&change.mean_error),
            interval(&change.mean_error),
            html! { (exact_ratio(r2.before)) " → " (exact_ratio(r2.after)) },
            html! { (ratio(r2.interval.0)) " … " (ratio(r2.interval.1)) },
        ]
    };
    let drawn = match comparison.unit {
        Unit::Episode => "whole episodes",
        Unit::Frame => "single frames, as one side has one episode only, so the intervals are too narrow",
    };
    html! {
        (table(&head, &comparison.dimensions.iter().map(row).collect::<Vec<_>>()))
        p class="note" {
            "Intervals hold 95 % of " (count(super::bootstrap::DRAW_COUNT as u64)) " bootstrap draws of " (drawn)
            @if comparison.is_paired { "; both analyses predicted from the same frames, which are drawn together. " } @else { ", of each analysis by itself. " }
            "“Unchanged” is an interval of the error’s change that holds 0. Both errors are over the standard deviation of the first analysis’ data."
        }
        @for (which, names) in [("first", &comparison.only_before), ("second", &comparison.only_after)] {
            @if !names.is_empty() { p { "Only the " (which) " has " (names.join(", ")) "." } }
        }
    }
}

fn verdict(verdict: Verdict) -> Markup {
    let tone = match verdict {
        Verdict::Recovered | Verdict::Improved => Tone::Good,
        Verdict::Unchanged => Tone::Neutral,
        Verdict::Worse => Tone::Bad,
    };
    badge(tone, verdict.label())
}

fn pair(change: &Change) -> Markup {
    html! { (number(change.before)) " → " (number(change.after)) }
}

fn interval(change: &Change) -> Markup {
    html! { (short(change.interval.0)) " … " (short(change.interval.1)) }
}

fn sides(comparison: &Comparison) -> Markup {
    let side = |title: &str, side: &Summary| {
        html! {
            h3 { (title) }
            p { (side.headline) }
            (facts(&[
                ("policy", html! { span class="path" { (side.policy) } }),
                ("trained for", html! { @match side.trained_steps { Some(steps) => { (count(steps)) " steps" }, None => "–" } }),
                ("dataset", html! { span class="path" { (side.dataset) } }),
                ("judged by", html! { (count(side.frame_count as u64)) " frames" }),
            ]))
        }
    };
    html! { (side("Before", &comparison.before)) (side("After", &comparison.after)) }
}
