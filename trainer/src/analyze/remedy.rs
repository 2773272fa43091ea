//! What to change, as an overlay for `train --config`. Pure.

use crate::analyze::analysis::{Check, Finding, Verdict};
use crate::analyze::checks::Recorded;
use sinew_models::contract::Mode;

/// Times the steps so far for a policy that was trained too little.
const STEPS_FACTOR: u64 = 4;
/// The floor is raised to so many times the spread that is too small.
const FLOOR_FACTOR: f64 = 10.0;
/// A movement is a change by this part of the smallest range of the dimensions that rest.
const SEGMENT_PART: f64 = 0.05;
/// The trainer's own default, below which a floor makes no sense in radians or metres.
const FLOOR: f64 = 1e-3;

/// A cause, with the dimensions that it is the cause of.
#[derive(Clone, Debug)]
pub struct Cause {
    /// The check.
    pub check: Check,
    /// Places of the action's dimensions.
    pub dimensions: Vec<usize>,
}

/// What is known of the training whose policy is to be mended.
#[derive(Clone, Debug, Default)]
pub struct Training {
    /// Steps that it took.
    pub steps: u64,
    /// Factors that would give each dimension its fair share of the loss.
    pub fair_weights: Vec<Option<f64>>,
    /// Steps of a chunk that can be told at its start, of each dimension.
    pub foreseen_steps: Vec<usize>,
    /// Names of the state that the dataset itself has, in order.
    pub state_names: Vec<String>,
    /// Whether what is trained seems to be at its limit, while more of the model is frozen.
    pub is_at_its_limit: bool,
}

/// The overlay's lines: what a configuration can change as keys, what it cannot as comments. Empty without a cause.
#[must_use]
pub fn overlay(
    recorded: &Recorded<'_>,
    training: &Training,
    causes: &[Cause],
    findings: &[Finding],
) -> String {
    let mut text = String::new();
    for cause in causes {
        let mine: Vec<&Finding> = findings
            .iter()
            .filter(|finding| finding.check == cause.check && finding.verdict == Verdict::Supported)
            .collect();
        text.push_str(&format!("# {}\n", cause.check.title()));
        for remedy in distinct(&mine) {
            text.push_str(&format!("# {}\n", remedy.replace('\n', " ")));
        }
        // How long the training should be cannot be told from one that learned from wrong numbers.
        let is_early =
            cause.check == Check::Undertrained && causes.iter().any(|other| other.check <= Check::LossShare);
        if is_early {
            text.push_str("# First train as long as before with the rest of this file, and analyse again.\n");
        } else {
            text.push_str(&keys(recorded, training, cause));
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
fn keys(recorded: &Recorded<'_>, training: &Training, cause: &Cause) -> String {
    match cause.check {
        Check::TinySpread => format!("data.std_floor = {:e}\n", floor(recorded)),
        Check::WideSpread => format!("data.std_floor = {FLOOR:e}\n"),
        Check::LossShare if recorded.action_rule.mode == Mode::Identity => {
            "data.normalization.action = \"MEAN_STD\"\n".to_owned()
        }
        Check::LossShare => {
            let weights = recorded.action_names.iter().zip(&training.fair_weights);
            let line = |(name, weight): (&String, &Option<f64>)| {
                weight.map(|weight| format!("data.weights.dimensions.{} = {weight:.4}\n", quoted(name)))
            };
            weights.filter_map(line).collect()
        }
        Check::Idle => segment(recorded, &cause.dimensions),
        Check::Undertrained if training.is_at_its_limit => {
            "policy.train_expert_only = false\npolicy.freeze_vision_encoder = false\ncache.mode = \"off\"\n".to_owned()
        }
        Check::Undertrained if training.steps > 0 => format!("run.steps = {}\n", STEPS_FACTOR * training.steps),
        Check::Overfitted => {
            "optimizer.ema_decay = 0.99\naugment.brightness = 0.2\naugment.contrast = 0.2\naugment.shift_px = 8\n\
             augment.state_noise = 0.05\n"
                .to_owned()
        }
        Check::FarSteps => chunk(training, &cause.dimensions),
        Check::CopiesState => without_state(recorded, training, &cause.dimensions),
        _ => "# No key of the configuration changes that.\n".to_owned(),
    }
}

/// Only the steps that can be told of every one of the dimensions.
fn chunk(training: &Training, dimensions: &[usize]) -> String {
    let steps = dimensions.iter().filter_map(|dimension| training.foreseen_steps.get(*dimension)).min();
    steps.map_or_else(String::new, |steps| format!("policy.chunk_size = {steps}\n"))
}

/// What is not shown cannot be repeated: the state without the joints that are.
fn without_state(recorded: &Recorded<'_>, training: &Training, dimensions: &[usize]) -> String {
    let repeated: Vec<&str> = dimensions
        .iter()
        .filter_map(|place| Some(recorded.state_names[recorded.state_of[*place]?]))
        .collect();
    let rest = training.state_names.iter().filter(|name| !repeated.contains(&name.as_str()));
    let rest: Vec<String> = rest.map(|name| quoted(name)).collect();
    if rest.is_empty() {
        return "augment.state_dropout = 0.2\n".to_owned();
    }
    format!("data.state = [{}]\n", rest.join(", "))
}

/// Frames near movements of dimensions that mostly rest count more.
fn segment(recorded: &Recorded<'_>, dimensions: &[usize]) -> String {
    let range = |place: &usize| {
        let data = &recorded.data.action[*place];
        data.max - data.min
    };
    let threshold = SEGMENT_PART * dimensions.iter().map(range).fold(f64::INFINITY, f64::min);
    let names: Vec<String> = dimensions.iter().map(|place| quoted(recorded.name(*place))).collect();
    format!(
        "data.weights.segment = {{ dimensions = [{}], threshold = {threshold:.4e}, margin = 10, factor = 5.0 }}\n",
        names.join(", ")
    )
}

/// Above every spread that is too small, of the policy's state and action.
fn floor(recorded: &Recorded<'_>) -> f64 {
    let small = [recorded.action_rule, recorded.state_rule].into_iter().flat_map(|rule| &rule.dimensions);
    let usual = recorded.usual_std();
    let small = small.map(|dimension| dimension.std).filter(|std| *std < 0.01 * usual);
    small.fold(FLOOR, |floor, std| floor.max(FLOOR_FACTOR * std))
}

fn quoted(name: &str) -> String {
    toml::Value::from(name).to_string()
}
