//! What to change, as an overlay for `train --config`. Pure.

use crate::analyze::analysis::{Check, DimensionVerdict, Finding, Verdict};
use crate::analyze::checks::{Evidence, fair_weights};
use sinew_models::contract::Mode;

/// Times the steps so far for a policy that was trained too little.
const STEPS_FACTOR: u64 = 4;
/// The floor is raised to so many times the spread that is too small.
const FLOOR_FACTOR: f64 = 10.0;
/// The trainer's own default, below which a floor makes no sense in radians or metres.
const FLOOR: f64 = 1e-3;

/// The overlay's lines: what a configuration can change as keys, what it cannot as comments. Empty without a cause.
#[must_use]
pub fn overlay(
    evidence: &Evidence<'_>,
    causes: &[Check],
    dimensions: &[DimensionVerdict],
    findings: &[Finding],
    trained_steps: u64,
) -> String {
    let mut text = String::new();
    for cause in causes {
        let mine: Vec<&Finding> = findings
            .iter()
            .filter(|finding| finding.check == *cause && finding.verdict == Verdict::Supported)
            .collect();
        text.push_str(&format!("# {}\n", cause.title()));
        for remedy in distinct(&mine) {
            text.push_str(&format!("# {}\n", remedy.replace('\n', " ")));
        }
        let named: Vec<&str> = dimensions
            .iter()
            .filter(|verdict| verdict.cause == Some(*cause))
            .map(|verdict| evidence.action_names[verdict.dimension].as_str())
            .collect();
        // How long the training should be cannot be told from one that learned from wrong numbers.
        let is_early = *cause == Check::Undertrained && causes.iter().any(|other| *other <= Check::LossShare);
        if is_early {
            text.push_str("# First train as long as before with the rest of this file, and analyse again.\n");
        } else {
            text.push_str(&keys(evidence, *cause, &named, trained_steps));
        }
        text.push('\n');
    }
    text
}

fn distinct<'a>(findings: &[&'a Finding]) -> Vec<&'a str> {
    let mut remedies: Vec<&str> = Vec::new();
    for finding in findings {
        if !remedies.contains(&finding.remedy.as_str()) {
            remedies.push(&finding.remedy);
        }
    }
    remedies
}

/// Dotted keys, so that causes can follow each other without sharing tables.
fn keys(evidence: &Evidence<'_>, cause: Check, named: &[&str], trained_steps: u64) -> String {
    match cause {
        Check::TinySpread => format!("data.std_floor = {:e}\n", floor(evidence)),
        Check::LossShare if evidence.action_rule.mode == Mode::Identity => {
            "data.normalization.action = \"MEAN_STD\"\n".to_owned()
        }
        Check::LossShare => {
            let weights = evidence.action_names.iter().zip(fair_weights(evidence));
            let line = |(name, weight): (&String, Option<f64>)| {
                weight.map(|weight| format!("data.weights.dimensions.{} = {weight:.4}\n", quoted(name)))
            };
            weights.filter_map(line).collect()
        }
        Check::Idle => {
            let range = |name: &&str| {
                let place = evidence.action_names.iter().position(|known| known == name);
                place.map_or(0.0, |place| evidence.data.action[place].max - evidence.data.action[place].min)
            };
            let threshold = 0.05 * named.iter().map(range).fold(f64::INFINITY, f64::min);
            let names = named.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
            format!(
                "data.weights.segment = {{ dimensions = [{names}], threshold = {threshold:.4e}, margin = 10, factor = 5.0 }}\n"
            )
        }
        Check::Undertrained if trained_steps > 0 => format!("run.steps = {}\n", STEPS_FACTOR * trained_steps),
        Check::Overfitted => {
            "optimizer.ema_decay = 0.99\naugment.brightness = 0.2\naugment.contrast = 0.2\naugment.shift_px = 8\n\
             augment.state_noise = 0.05\n"
                .to_owned()
        }
        Check::CopiesState => "augment.state_dropout = 0.2\n".to_owned(),
        _ => "# No key of the configuration changes that.\n".to_owned(),
    }
}

/// Above every spread that is too small, of the policy's state and action.
fn floor(evidence: &Evidence<'_>) -> f64 {
    let small = [evidence.action_rule, evidence.state_rule].into_iter().flat_map(|rule| &rule.dimensions);
    let usual = evidence.usual_std();
    let small = small.map(|dimension| dimension.std).filter(|std| *std < 0.01 * usual);
    small.fold(FLOOR, |floor, std| floor.max(FLOOR_FACTOR * std))
}

fn quoted(name: &str) -> String {
    toml::Value::from(name).to_string()
}
