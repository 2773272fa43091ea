//! What an analysis found: the content of `data/statistics.json`, from which the report is written.
//!
//! Every number is finite. What is not defined, such as a policy's figures where no policy was given, is absent.

use serde::{Deserialize, Serialize};
use sinew_models::contract::Mode;

/// Version of this schema.
pub const FORMAT_VERSION: u32 = 2;

/// A whole analysis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Analysis {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// What was looked at.
    pub subject: Subject,
    /// The action's dimensions, in the policy's order.
    pub action: Vec<Dimension>,
    /// The state's dimensions, in the policy's order.
    pub state: Vec<Dimension>,
    /// What the episodes are like.
    pub data: DataReport,
    /// How well the policy predicts them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyReport>,
    /// What is wrong, and why.
    pub diagnosis: Diagnosis,
}

/// What was looked at, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Subject {
    /// The checkpoint's or bundle's folder, as given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// SHA-256 of its weights, or the bundle's identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_id: Option<String>,
    /// Optimiser steps it was trained for, where its folder says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trained_steps: Option<u64>,
    /// What it was computed on: `cpu` or `cuda:N`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The dataset, as given.
    pub dataset: String,
    /// Episodes looked at for the training side and for validation.
    pub train_episodes: Vec<u64>,
    /// Episodes the policy was not trained on; none if the dataset has one episode.
    pub validation_episodes: Vec<u64>,
    /// Seed of the frames chosen and of the noise.
    pub seed: u64,
    /// Steps of a chunk.
    pub chunk_size: usize,
    /// Rows a second, as recorded.
    pub fps: f64,
    /// Steps of a chunk a second.
    pub rate_hz: f64,
    /// sinew-trainer's version.
    pub sinew_version: String,
}

/// What a number is called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dimension {
    /// Its name.
    pub name: String,
    /// Its unit's symbol; empty where nobody says.
    pub unit: String,
}

/// What the episodes are like, without any policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataReport {
    /// Episodes.
    pub episode_count: usize,
    /// Rows of all of them.
    pub row_count: usize,
    /// Of each action dimension, over all rows.
    pub action: Vec<Distribution>,
    /// Of each state dimension, over all rows.
    pub state: Vec<Distribution>,
    /// The same as the policy, or a training, is shown it.
    pub normalized: NormalizedReport,
    /// By how many rows the state follows the action, of each action dimension whose joint the state has.
    pub lags: Vec<Lag>,
    /// Which other joint's state an action goes with best, of each action dimension whose joint the state has.
    pub crossings: Vec<Crossing>,
    /// Rows that repeat the row before them in every number.
    pub duplicate_row_count: usize,
    /// Rows in which no action dimension moves.
    pub idle_row_count: usize,
    /// Stretches of the episodes between gripper events.
    pub phases: Vec<Phase>,
    /// Episodes unlike the others, the oddest first.
    pub outliers: Vec<Outlier>,
    /// What is wrong with the dataset itself, as `inspect` says it.
    pub faults: Vec<String>,
    /// The statistics that the dataset keeps of itself, beside those of its rows.
    pub own_statistics: OwnStatistics,
}

/// State and action as they are shown to a policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NormalizedReport {
    /// Whether with the policy's statistics, or else with those that a training would use.
    pub is_the_policys: bool,
    /// How, the action.
    pub action_mode: Mode,
    /// How, the state.
    pub state_mode: Mode,
    /// Of each action dimension.
    pub action: Vec<Normalized>,
    /// Of each state dimension.
    pub state: Vec<Normalized>,
}

/// One dimension's values in standard deviations off the mean, or in half ranges off the middle.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Normalized {
    /// A hundredth of the rows is below it.
    pub q01: f64,
    /// A hundredth of the rows is above it.
    pub q99: f64,
    /// Smallest.
    pub min: f64,
    /// Largest.
    pub max: f64,
}

/// Statistics that a dataset keeps of itself (`meta/stats.json`, `meta/episodes_stats.jsonl`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OwnStatistics {
    /// Why they were not compared; absent if they were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_compared: Option<String>,
    /// Those that are not the rows'.
    pub differences: Vec<StatisticDifference>,
}

/// A statistic that the dataset has otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatisticDifference {
    /// `action` or `observation.state`.
    pub feature: String,
    /// The dimension.
    pub dimension: String,
    /// `mean`, `std`, `min` or `max`.
    pub statistic: String,
    /// Of the rows.
    pub ours: f64,
    /// What the dataset says.
    pub theirs: f64,
    /// The difference, as a part of the dimension's range or mean, whichever is larger.
    pub part: f64,
}

/// One dimension's values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// Mean.
    pub mean: f64,
    /// Standard deviation (of the population).
    pub std: f64,
    /// Smallest.
    pub min: f64,
    /// Largest.
    pub max: f64,
    /// Quantiles 0.01, 0.1, 0.5, 0.9, 0.99.
    pub quantiles: [f64; 5],
    /// Share of rows that differ from the row before by less than a hundredth of the standard deviation.
    pub idle_share: f64,
    /// Entropy of the histogram over its number of bins' logarithm: 0 all in one bin, 1 all alike.
    pub entropy: f64,
    /// Counts of equal bins from `min` to `max`.
    pub histogram: Vec<u64>,
}

/// How far the state follows the action.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lag {
    /// The action dimension's place.
    pub action: usize,
    /// The state dimension's place.
    pub state: usize,
    /// Rows by which the state is best shifted.
    pub rows: i64,
    /// Correlation of the two at that shift.
    pub correlation: f64,
}

/// Which states an action goes with, at the lag that most joints have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Crossing {
    /// The action dimension's place.
    pub action: usize,
    /// The place of its own joint in the state.
    pub own: usize,
    /// Correlation with it.
    pub own_correlation: f64,
    /// The place of the joint in the state, of those that have an action, that it goes with best besides its own.
    pub other: usize,
    /// Correlation with that.
    pub other_correlation: f64,
    /// Correlation of both joints' actions.
    pub twins: f64,
}

/// A kind of stretch of the episodes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// `start`, `middle`, `end` thirds of the episode, or `near gripper events`.
    pub name: String,
    /// Rows of all episodes in it.
    pub row_count: usize,
}

/// An episode unlike the others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outlier {
    /// The episode's number.
    pub episode_index: u64,
    /// The row that is farthest from what is usual.
    pub row: usize,
    /// Seconds from the episode's start.
    pub time_s: f64,
    /// Where to see it: a video's URL with the time in it. Absent without a camera.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// What is unusual, with the number.
    pub reason: String,
    /// How unusual, in robust standard deviations (1.4826 times the median absolute deviation).
    pub score: f64,
}

/// How well a policy predicts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyReport {
    /// Frames of episodes it was trained on.
    pub train: SplitReport,
    /// Frames of the others, where there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation: Option<SplitReport>,
    /// What is lost from the episodes trained on to the others, by action dimension; absent without others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gap: Option<Vec<Gap>>,
    /// By instruction, over the frames of both sides.
    pub tasks: Vec<GroupReport>,
    /// By stretch of the episode, over the frames of both sides.
    pub phases: Vec<GroupReport>,
    /// Spread of chunks over noises for the same frame: standard deviation by dimension, in its unit.
    pub noise_spread: Vec<f64>,
}

impl PolicyReport {
    /// The side to judge by: validation where there is one.
    #[must_use]
    pub fn judged(&self) -> &SplitReport {
        self.validation.as_ref().unwrap_or(&self.train)
    }
}

/// Errors over one side's frames, all steps that lie in their episodes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SplitReport {
    /// Frames predicted from.
    pub frame_count: usize,
    /// Steps compared.
    pub step_count: usize,
    /// Mean over dimensions of `normalized_error`.
    pub normalized_error: f64,
    /// By action dimension.
    pub dimensions: Vec<DimensionReport>,
}

/// One dimension's errors, in its unit where they have one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DimensionReport {
    /// Mean absolute error.
    pub mean_error: f64,
    /// Largest absolute error.
    pub max_error: f64,
    /// Root of the mean squared error.
    pub rms_error: f64,
    /// Mean of prediction minus truth.
    pub bias: f64,
    /// `1 − Σ(error²) / Σ((truth − mean)²)`; for a constant truth 1 if every prediction is right, else 0.
    pub r2: f64,
    /// Pearson's; 0 if either side is constant.
    pub correlation: f64,
    /// Standard deviation of what was done.
    pub true_std: f64,
    /// Standard deviation of what was predicted.
    pub predicted_std: f64,
    /// Predicted over true variance; 1 if the truth is constant.
    pub variance_ratio: f64,
    /// Mean absolute error over the dimension's standard deviation in the data; absolute where that is 0.
    pub normalized_error: f64,
    /// The same for always saying the data's mean.
    pub normalized_error_of_mean: f64,
    /// Mean absolute error by step of the chunk; absent for steps that no frame has.
    pub error_by_step: Vec<Option<f64>>,
}

/// One dimension's errors on validation episodes beside those on the episodes trained on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gap {
    /// Mean absolute error on validation less that on training episodes, in the dimension's unit.
    pub mean_error: f64,
    /// The same over the dimension's standard deviation in the data; absolute where that is 0.
    pub normalized_error: f64,
    /// R² on training less that on validation episodes.
    pub r2: f64,
}

/// Errors of some of the frames.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupReport {
    /// The instruction, or the stretch.
    pub name: String,
    /// Frames in it.
    pub frame_count: usize,
    /// Mean absolute error by dimension.
    pub mean_error: Vec<f64>,
    /// Mean over dimensions of the error over the standard deviation in the data.
    pub normalized_error: f64,
}

/// What is wrong, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// One sentence for people.
    pub headline: String,
    /// A few more.
    pub text: Vec<String>,
    /// Nothing failed.
    pub is_healthy: bool,
    /// The first cause, where something failed: the key of its check.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_cause: Option<Check>,
    /// Each action dimension, where a policy was given.
    pub dimensions: Vec<DimensionVerdict>,
    /// Every check, in the order in which one invalidates the next.
    pub findings: Vec<Finding>,
    /// The overlay for `train --config`; empty if there is nothing to change.
    pub remedy_toml: String,
}

/// How a dimension came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It follows the truth.
    Learned,
    /// It hardly ever moves in the data, and is predicted so.
    Still,
    /// It is predicted (nearly) constant, though it moves.
    Collapsed,
    /// It moves, but not as it should.
    Wrong,
    /// It follows on the episodes trained on, and not on others.
    Overfitted,
}

/// One dimension's verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DimensionVerdict {
    /// Its place.
    pub dimension: usize,
    /// How it came out.
    pub outcome: Outcome,
    /// The first cause, if it failed and one is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Check>,
    /// In words, with the numbers.
    pub text: String,
}

/// The hypotheses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Hypothesis {
    /// Action imbalance.
    H1,
    /// Normalisation.
    H2,
    /// Loss weighting.
    H3,
    /// Capacity.
    H4,
    /// Evaluation artefacts.
    H5,
    /// Observability.
    H6,
    /// Multi-modality.
    H7,
}

impl Hypothesis {
    /// What it says.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::H1 => "Action imbalance: some dimensions hardly move in the data",
            Self::H2 => "Normalisation: the statistics do not fit the numbers",
            Self::H3 => "Loss weighting: one dimension's loss drowns the others'",
            Self::H4 => "Capacity: too little training, too little data, or too small a model",
            Self::H5 => "Evaluation artefacts: predictions compared with the wrong frames",
            Self::H6 => "Observability: what decides the action is not in what the policy sees",
            Self::H7 => "Multi-modality: the same observation has several right answers",
        }
    }
}

/// A check of a hypothesis. A cause is named by its check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// H5: predictions fit the truth some steps earlier or later.
    Misaligned,
    /// H2: predictions of one dimension fit another's truth.
    Swapped,
    /// H2: the policy's statistics are not those of the data.
    ForeignStatistics,
    /// H2: a dimension is scaled by a spread near zero, and data lie many spreads off.
    TinySpread,
    /// H2: the dataset's own statistics are not those of its rows.
    OwnStatistics,
    /// H2: normalised numbers lie far out.
    FarValues,
    /// H2: what rests is scaled by more than it moves.
    WideSpread,
    /// H2: actions go with the states of other joints.
    OrderMismatch,
    /// H2: state and action of a joint differ by a factor such as degrees against radians.
    UnitMismatch,
    /// H3: few dimensions have most of the loss.
    LossShare,
    /// H7: distinct futures for near-identical observations.
    Multimodal,
    /// H6: the chunk's beginning can be told from what is seen, its end cannot.
    FarSteps,
    /// H6: a simple predictor from what is seen does no better than the mean.
    Unobservable,
    /// H6: the policy says the present state, though the truth moves away from it.
    CopiesState,
    /// H1: the dimension is idle in most rows.
    Idle,
    /// H4: the training episodes are not predicted either, though a simple predictor can.
    Undertrained,
    /// H4: the training episodes are predicted and the others not, though a simple predictor can.
    Overfitted,
    /// H5: what an action queue kept across unrelated frames would have shown.
    StaleQueue,
}

impl Check {
    /// The hypothesis that it belongs to.
    #[must_use]
    pub fn hypothesis(self) -> Hypothesis {
        match self {
            Self::Idle => Hypothesis::H1,
            Self::Swapped
            | Self::OwnStatistics
            | Self::ForeignStatistics
            | Self::TinySpread
            | Self::FarValues
            | Self::WideSpread
            | Self::OrderMismatch
            | Self::UnitMismatch => Hypothesis::H2,
            Self::LossShare => Hypothesis::H3,
            Self::Undertrained | Self::Overfitted => Hypothesis::H4,
            Self::Misaligned | Self::StaleQueue => Hypothesis::H5,
            Self::FarSteps | Self::Unobservable | Self::CopiesState => Hypothesis::H6,
            Self::Multimodal => Hypothesis::H7,
        }
    }

    /// What it is called.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Misaligned => "predictions are some steps off",
            Self::Swapped => "dimensions are swapped",
            Self::ForeignStatistics => "statistics of other data",
            Self::TinySpread => "scaled by a spread near zero",
            Self::OwnStatistics => "the dataset's own statistics are wrong",
            Self::FarValues => "numbers far outside their scale",
            Self::WideSpread => "at rest, and scaled by more than it moves",
            Self::OrderMismatch => "state and action in different order",
            Self::UnitMismatch => "state and action in different units",
            Self::LossShare => "a few dimensions have most of the loss",
            Self::Multimodal => "several right answers",
            Self::FarSteps => "the chunk reaches too far",
            Self::Unobservable => "not decided by what the policy sees",
            Self::CopiesState => "repeats the present state",
            Self::Undertrained => "too little training",
            Self::Overfitted => "learned by heart",
            Self::Idle => "hardly moves in the data",
            Self::StaleQueue => "an action queue kept across frames",
        }
    }
}

/// Whether a check found what it looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It did.
    Supported,
    /// It did not.
    NotSupported,
    /// What it needs is not there.
    CannotTell,
}

/// One check of one dimension, or of all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// What was checked.
    pub check: Check,
    /// The action dimension's place; none if it is about all or about the state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dimension: Option<usize>,
    /// The state dimension's place, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<usize>,
    /// What the number of this check is.
    pub number: String,
    /// What was measured here, in words.
    pub measure: String,
    /// The number; none if it cannot be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Where the number begins to support the check.
    pub threshold: f64,
    /// On which side of it: `at least`, `at most`, `above` or `below`.
    pub side: String,
    /// Why there.
    pub reason: String,
    /// What follows.
    pub verdict: Verdict,
    /// What to do about it; empty unless supported.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub remedy: String,
}
