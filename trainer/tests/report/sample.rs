//! Made-up analyses of an R1 Pro (23 numbers) and an SO-101 (6): some dimensions follow, some collapsed.

use sinew_models::contract::Mode;
use sinew_trainer::analyze::analysis::*;
use sinew_trainer::analyze::measures::{self, Scale};
use sinew_trainer::analyze::predictions::{PredictionSet, Predictions};
use sinew_trainer::data::FrameId;
use std::f64::consts::TAU;

const CHUNK_SIZE: usize = 50;
const RATE_HZ: f64 = 30.0;
const EPISODE_ROWS: usize = 150;
const TRAIN_EPISODES: [u64; 6] = [0, 1, 2, 4, 5, 7];
const VALIDATION_EPISODES: [u64; 3] = [3, 6, 8];
const BIN_COUNT: usize = 32;

/// A robot whose policy is analysed.
pub(crate) struct Sample {
    pub(crate) analysis: Analysis,
    pub(crate) predictions: Predictions,
}

/// The same after a remedy: all but one of the five recovered, and another one got worse.
pub(crate) fn r1pro_retrained() -> Sample {
    sample(&r1pro_names(), |dimension| match dimension {
        3 => Outcome::Still,
        2 => Outcome::Collapsed,
        18 => Outcome::Wrong,
        _ => Outcome::Learned,
    })
}

/// 23 joints; five of them went wrong in three ways, one never moves.
pub(crate) fn r1pro() -> Sample {
    sample(&r1pro_names(), |dimension| match dimension {
        3 => Outcome::Still,
        6 | 9 | 14 => Outcome::Collapsed,
        18 => Outcome::Wrong,
        21 => Outcome::Overfitted,
        _ => Outcome::Learned,
    })
}

fn r1pro_names() -> Vec<(String, &'static str)> {
    let mut names: Vec<(String, &str)> =
        (1..=4).map(|joint| (format!("torso_joint{joint}"), "rad")).collect();
    for side in ["left", "right"] {
        names.extend((1..=7).map(|joint| (format!("{side}_arm_joint{joint}"), "rad")));
        names.push((format!("{side}_gripper"), "mm"));
    }
    names.extend(
        [("base_x", "m/s"), ("base_y", "m/s"), ("base_yaw", "rad/s")]
            .map(|(name, unit)| (name.to_owned(), unit)),
    );
    names
}

/// Six joints; three of them collapsed.
pub(crate) fn so101() -> Sample {
    sample(
        &so101_names(),
        |dimension| {
            if [0, 2, 5].contains(&dimension) { Outcome::Collapsed } else { Outcome::Learned }
        },
    )
}

pub(crate) fn so101_names() -> Vec<(String, &'static str)> {
    let names = ["shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper"];
    names.map(|name| (format!("{name}.pos"), if name == "gripper" { "%" } else { "°" })).to_vec()
}

/// A robot with these numbers, each of which came out as `outcome` says.
pub(crate) fn sample(names: &[(String, &str)], outcome: impl Fn(usize) -> Outcome) -> Sample {
    let outcomes: Vec<Outcome> = (0..names.len()).map(outcome).collect();
    let set = |episodes: &[u64], stride: usize| predict(&outcomes, episodes, stride);
    let predictions = Predictions {
        chunk_size: CHUNK_SIZE,
        action_dim: names.len(),
        state_dim: names.len(),
        train: set(&TRAIN_EPISODES, 6),
        validation: set(&VALIDATION_EPISODES, 6),
        train_sequence: set(&TRAIN_EPISODES[..1], 1),
        validation_sequence: set(&VALIDATION_EPISODES[..1], 1),
        ..Predictions::default()
    };
    let action: Vec<Dimension> =
        names.iter().map(|(name, unit)| Dimension { name: name.clone(), unit: (*unit).to_owned() }).collect();
    let data = data_report(&outcomes);
    let scales: Vec<Scale> =
        data.action.iter().map(|data| Scale { mean: data.mean, std: data.std }).collect();
    let split = |set: &PredictionSet| measures::split(set, &predictions, &scales).unwrap();
    let (train, validation) = (split(&predictions.train), split(&predictions.validation));
    let policy = PolicyReport {
        tasks: vec![
            group("put the cup on the shelf", &train),
            group("open the <left> drawer & look", &validation),
        ],
        phases: ["start", "middle", "end", "near gripper events"].map(|name| group(name, &train)).to_vec(),
        gap: Some(measures::gap(&train, &validation)),
        noise_spread: data.action.iter().map(|data| 0.05 * data.std).collect(),
        train,
        validation: Some(validation),
    };
    let diagnosis = diagnosis(&action, &outcomes, policy.judged());
    let analysis = Analysis {
        format_version: FORMAT_VERSION,
        subject: subject(),
        state: action.clone(),
        action,
        data,
        policy: Some(policy),
        diagnosis,
    };
    Sample { analysis, predictions }
}

fn subject() -> Subject {
    Subject {
        policy: Some("runs/pick-and-place/checkpoints/010000".to_owned()),
        policy_id: Some("4f1c9a0be2b7d2b7c64d8d2c5c3be0b8f2a6f1d0a9c1e77f2b11d0f3a0b7c9d1".to_owned()),
        trained_steps: Some(10_000),
        device: Some("cpu".to_owned()),
        dataset: "eternalmay33/pick_place_test".to_owned(),
        train_episodes: TRAIN_EPISODES.to_vec(),
        validation_episodes: VALIDATION_EPISODES.to_vec(),
        seed: 42,
        chunk_size: CHUNK_SIZE,
        fps: RATE_HZ,
        rate_hz: RATE_HZ,
        sinew_version: "0.1.0".to_owned(),
    }
}

/// What the demonstrator does.
fn truth(dimension: usize, episode: u64, row: usize, outcome: Outcome) -> f64 {
    let (scale, offset) = scale(dimension);
    let phase =
        row as f64 / (45.0 + 9.0 * (dimension % 7) as f64) + 0.13 * episode as f64 + 0.31 * dimension as f64;
    match outcome {
        Outcome::Still => offset,
        _ => offset + scale * ((TAU * phase).sin() + 0.3 * (2.7 * TAU * phase).cos()),
    }
}

fn scale(dimension: usize) -> (f64, f64) {
    ([0.6, 1.1, 0.02, 30.0][dimension % 4], [0.0, -1.2, 0.4, 50.0][dimension % 4])
}

fn predicted(dimension: usize, frame: FrameId, step: usize, outcome: Outcome) -> f64 {
    let (scale, offset) = scale(dimension);
    let at = |row| truth(dimension, frame.episode_index, row, outcome);
    let ahead = 1.0 + step as f64 / 12.0;
    let noise = noise(dimension * 7919 + frame.row * 31 + step * 101 + frame.episode_index as usize * 977);
    match outcome {
        Outcome::Still => offset,
        Outcome::Learned => at(frame.row + step) + 0.04 * scale * ahead * noise,
        Outcome::Collapsed => offset + 0.03 * scale * noise,
        Outcome::Wrong => at(frame.row + step + 25) + 0.2 * scale * noise,
        Outcome::Overfitted if TRAIN_EPISODES.contains(&frame.episode_index) => {
            at(frame.row + step) + 0.03 * scale * noise
        }
        Outcome::Overfitted => offset + 0.8 * scale * noise,
    }
}

/// Between -1 and 1, the same for the same seed.
fn noise(seed: usize) -> f64 {
    let mixed = (seed as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    ((mixed ^ (mixed >> 32)) % 20_001) as f64 / 10_000.0 - 1.0
}

fn predict(outcomes: &[Outcome], episodes: &[u64], stride: usize) -> PredictionSet {
    let mut set = PredictionSet::default();
    for &episode_index in episodes {
        for row in (0..EPISODE_ROWS).step_by(stride) {
            let frame = FrameId { dataset: 0, episode_index, row };
            set.frames.push(frame);
            set.episode_lengths.push(EPISODE_ROWS);
            set.tasks.push("put the cup on the shelf".to_owned());
            set.state.extend(
                outcomes
                    .iter()
                    .enumerate()
                    .map(|(place, outcome)| truth(place, episode_index, row, *outcome) as f32),
            );
            for step in 0..CHUNK_SIZE {
                let last = (row + step).min(EPISODE_ROWS - 1);
                set.is_pad.push(row + step >= EPISODE_ROWS);
                for (place, outcome) in outcomes.iter().enumerate() {
                    set.truth.push(truth(place, episode_index, last, *outcome) as f32);
                    set.predicted.push(predicted(place, frame, step, *outcome) as f32);
                }
            }
        }
    }
    set
}

fn data_report(outcomes: &[Outcome]) -> DataReport {
    let column = |(place, outcome): (usize, &Outcome)| {
        let episodes = TRAIN_EPISODES.iter().chain(&VALIDATION_EPISODES);
        let values: Vec<f64> = episodes
            .flat_map(|episode| (0..EPISODE_ROWS).map(|row| truth(place, *episode, row, *outcome)))
            .collect();
        distribution(&values)
    };
    let action: Vec<Distribution> = outcomes.iter().enumerate().map(column).collect();
    DataReport {
        episode_count: 9,
        row_count: 9 * EPISODE_ROWS,
        state: action.clone(),
        action,
        lags: (0..outcomes.len())
            .map(|place| Lag { action: place, state: place, rows: 2 + place as i64 % 3, correlation: 0.98 })
            .collect(),
        duplicate_row_count: 12,
        idle_row_count: 31,
        phases: [("start", 450), ("middle", 450), ("end", 450), ("near gripper events", 210)]
            .map(|(name, row_count)| Phase { name: name.to_owned(), row_count })
            .to_vec(),
        crossings: Vec::new(),
        normalized: normalized(outcomes.len()),
        own_statistics: OwnStatistics {
            not_compared: None,
            differences: vec![StatisticDifference {
                feature: "action".to_owned(),
                dimension: "left_arm_joint2".to_owned(),
                statistic: "std".to_owned(),
                ours: 0.61,
                theirs: 35.1,
                part: 28.7,
            }],
        },
        outliers: vec![Outlier {
            episode_index: 7,
            row: 88,
            time_s: 88.0 / RATE_HZ,
            link: Some("file:///videos/episode_000012.mp4#t=11.30".to_owned()),
            reason: "left_arm_joint2 is 4.1 rad, beyond what any other episode has".to_owned(),
            score: 9.37,
        }],
        faults: vec!["episode 5: camera <wrist> has 3 frames fewer than rows".to_owned()],
    }
}

fn normalized(width: usize) -> NormalizedReport {
    let of = |place: usize| {
        let reach = 2.0 + 0.1 * place as f64;
        Normalized { q01: -reach, q99: reach, min: -1.2 * reach, max: 1.3 * reach }
    };
    let all: Vec<Normalized> = (0..width).map(of).collect();
    NormalizedReport {
        is_the_policys: true,
        action_mode: Mode::MeanStd,
        state_mode: Mode::MeanStd,
        action: all.clone(),
        state: all,
    }
}

fn distribution(values: &[f64]) -> Distribution {
    let (mean, std) = moments(values);
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (min, max) = (sorted[0], sorted[sorted.len() - 1]);
    let mut histogram = vec![0; BIN_COUNT];
    for value in values {
        let place = if max > min { (value - min) / (max - min) * BIN_COUNT as f64 } else { 0.0 };
        histogram[(place as usize).min(BIN_COUNT - 1)] += 1;
    }
    Distribution {
        mean,
        std,
        min,
        max,
        quantiles: [0.01, 0.1, 0.5, 0.9, 0.99]
            .map(|share| sorted[(share * (sorted.len() - 1) as f64) as usize]),
        idle_share: if std > 0.0 { 0.04 } else { 1.0 },
        entropy: if std > 0.0 { 0.91 } else { 0.0 },
        histogram,
    }
}

fn moments(values: &[f64]) -> (f64, f64) {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64;
    (mean, if variance < 1e-20 { 0.0 } else { variance.sqrt() })
}

fn group(name: &str, report: &SplitReport) -> GroupReport {
    GroupReport {
        name: name.to_owned(),
        frame_count: report.frame_count / 2,
        mean_error: report.dimensions.iter().map(|dimension| dimension.mean_error).collect(),
        normalized_error: report.normalized_error,
    }
}

fn diagnosis(action: &[Dimension], outcomes: &[Outcome], judged: &SplitReport) -> Diagnosis {
    let cause = |outcome| match outcome {
        Outcome::Learned | Outcome::Still => None,
        Outcome::Collapsed => Some(Check::LossShare),
        Outcome::Wrong => Some(Check::Swapped),
        Outcome::Overfitted => Some(Check::Overfitted),
    };
    let verdict = |(dimension, outcome): (usize, &Outcome)| DimensionVerdict {
        dimension,
        outcome: *outcome,
        cause: cause(*outcome),
        text: format!(
            "{} is predicted with R² {:.2} and {:.0} % of the true variance.",
            action[dimension].name,
            judged.dimensions[dimension].r2,
            100.0 * judged.dimensions[dimension].variance_ratio
        ),
    };
    let failed = outcomes.iter().filter(|outcome| cause(**outcome).is_some()).count();
    Diagnosis {
        headline: format!("{failed} of {} dimensions did not learn: a few dimensions have most of the loss.", action.len()),
        text: vec![
            "The others follow the truth. The grippers, in millimetres, have 97 % of the normalised loss, and joints in \
             radians nearly none, so the gradient hardly sees them."
                .to_owned(),
        ],
        is_healthy: failed == 0,
        first_cause: (failed > 0).then_some(Check::LossShare),
        dimensions: outcomes.iter().enumerate().map(verdict).collect(),
        findings: findings(outcomes, cause),
        remedy_toml: "# Written by `sinew-trainer analyze`.\n[loss]\n# weights by the inverse of each dimension's share\n\
                      dimension_weights = { left_gripper = 0.03, right_gripper = 0.03 }\n"
            .to_owned(),
    }
}

fn findings(outcomes: &[Outcome], cause: impl Fn(Outcome) -> Option<Check>) -> Vec<Finding> {
    let checks = [
        (Check::Misaligned, "shift in steps at which prediction and truth fit best", 1.0),
        (Check::Swapped, "largest correlation with another dimension's truth, less its own", 0.3),
        (Check::TinySpread, "largest |normalised| value", 20.0),
        (Check::LossShare, "share of the normalised loss over an equal share", 4.0),
        (Check::Multimodal, "distance of the two clusters of futures in standard deviations", 3.0),
        (Check::Unobservable, "R² of the best simple predictor from state", 0.1),
        (Check::Overfitted, "validation error over training error", 2.0),
        (Check::Idle, "share of idle rows", 0.9),
    ];
    let mut findings = Vec::new();
    for (number, (check, measure, threshold)) in checks.into_iter().enumerate() {
        for (dimension, outcome) in outcomes.iter().enumerate() {
            let is_supported = cause(*outcome) == Some(check);
            let part = 0.05 + 0.9 * (0.5 + 0.5 * noise(number * 100 + dimension));
            findings.push(Finding {
                check,
                dimension: Some(dimension),
                state: None,
                number: format!("number of {}", check.title()),
                measure: measure.to_owned(),
                value: Some(if is_supported { threshold * (1.0 + part) } else { threshold * part }),
                threshold,
                side: "above".to_owned(),
                reason: "healthy policies on the reference data stay well below it".to_owned(),
                verdict: if is_supported { Verdict::Supported } else { Verdict::NotSupported },
                remedy: if is_supported {
                    format!("Change what {} says: see remedy.toml.", check.title())
                } else {
                    String::new()
                },
            });
        }
    }
    findings.push(Finding {
        check: Check::StaleQueue,
        dimension: None,
        state: None,
        number: "error of a kept queue over the true one".to_owned(),
        measure: "error that an action queue kept across frames would have shown, over the true one"
            .to_owned(),
        value: None,
        threshold: 1.2,
        side: "above".to_owned(),
        reason: "below that nobody would notice".to_owned(),
        verdict: Verdict::CannotTell,
        remedy: String::new(),
    });
    findings
}
