//! The hypotheses, each with what was measured for and against it.

use super::page::{Tone, badge, number, table};
use crate::analyze::analysis::{Analysis, Check, Finding, Hypothesis, Verdict};
use maud::{Markup, html};

const HYPOTHESES: [Hypothesis; 7] = [
    Hypothesis::H1,
    Hypothesis::H2,
    Hypothesis::H3,
    Hypothesis::H4,
    Hypothesis::H5,
    Hypothesis::H6,
    Hypothesis::H7,
];

/// All seven, with their findings; without a policy only those that can be looked at.
pub(super) fn hypotheses(analysis: &Analysis) -> Markup {
    html! {
        @for hypothesis in HYPOTHESES {
            @let findings: Vec<&Finding> =
                analysis.diagnosis.findings.iter().filter(|finding| finding.check.hypothesis() == hypothesis).collect();
            @let key = format!("{hypothesis:?}");
            @if analysis.policy.is_none() && findings.is_empty() { }
            @else {
            article class="hypothesis" id=(key) {
                h3 { span class="key" { (key) } " " (hypothesis.title()) " " (verdict(overall(&findings))) }
                @if findings.is_empty() { p class="note" { "Nothing was measured for it." } }
                @for group in groups(&findings) { (measure(analysis, &group)) }
            }
            }
        }
    }
}

/// Supported if any finding is; not supported if all that could be told are not.
fn overall(findings: &[&Finding]) -> Verdict {
    let has = |verdict| findings.iter().any(|finding| finding.verdict == verdict);
    if has(Verdict::Supported) {
        Verdict::Supported
    } else if has(Verdict::NotSupported) {
        Verdict::NotSupported
    } else {
        Verdict::CannotTell
    }
}

fn verdict(verdict: Verdict) -> Markup {
    match verdict {
        Verdict::Supported => badge(Tone::Bad, "supported"),
        Verdict::NotSupported => badge(Tone::Good, "not supported"),
        Verdict::CannotTell => badge(Tone::Neutral, "can’t tell"),
    }
}

/// Findings of the same check, held against the same threshold for the same reason, in their order.
fn groups<'a>(findings: &[&'a Finding]) -> Vec<Vec<&'a Finding>> {
    fn key(finding: &Finding) -> (Check, f64, &str) {
        (finding.check, finding.threshold, &finding.reason)
    }
    let mut groups: Vec<Vec<&Finding>> = Vec::new();
    for &finding in findings {
        match groups.iter_mut().find(|group| key(group[0]) == key(finding)) {
            Some(group) => group.push(finding),
            None => groups.push(vec![finding]),
        }
    }
    groups
}

/// One measure: supported findings in sight, the others folded away.
fn measure(analysis: &Analysis, findings: &[&Finding]) -> Markup {
    let Finding { check, number: meaning, threshold, side, reason, .. } = findings[0];
    let (supported, others): (Vec<&Finding>, Vec<&Finding>) =
        findings.iter().partition(|finding| finding.verdict == Verdict::Supported);
    let mut remedies: Vec<&str> = Vec::new();
    for finding in &supported {
        if !remedies.contains(&finding.remedy.as_str()) {
            remedies.push(&finding.remedy);
        }
    }
    html! {
        div class="measure" {
            h4 { (check.title()) }
            p { (sentence(meaning)) ". " span class="note" { "Supported " (side) " " (number(*threshold)) ": " (reason) } }
            @if !supported.is_empty() { (values(analysis, &supported)) }
            @for remedy in remedies.into_iter().filter(|remedy| !remedy.is_empty()) {
                p class="remedy" { strong { "What to do: " } (remedy) }
            }
            @if !others.is_empty() {
                @if others.len() <= 2 && supported.is_empty() { (values(analysis, &others)) } @else {
                    details {
                        summary { (others.len()) @if supported.is_empty() { " findings, none supports it" } @else { " more do not support it" } }
                        (values(analysis, &others))
                    }
                }
            }
        }
    }
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn values(analysis: &Analysis, findings: &[&Finding]) -> Markup {
    let row = |finding: &&Finding| {
        let name = match (finding.dimension, finding.state) {
            (Some(place), _) => analysis.action[place].name.clone(),
            (None, Some(place)) => format!("state {}", analysis.state[place].name),
            (None, None) => "all".to_owned(),
        };
        vec![
            html! { (name) },
            html! { @if let Some(value) = finding.value { (number(value)) } @else { "–" } },
            verdict(finding.verdict),
            html! { span class="words" { (finding.measure) } },
        ]
    };
    table(&["dimension", "value", "verdict", "measured"], &findings.iter().map(row).collect::<Vec<_>>())
}
