//! The `[data]` table of a training's configuration: which numbers of which frames are shown, and how often.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// Where the training's samples come from and how they are drawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataOptions {
    /// The datasets. With several, `weight` is each one's share of the draws.
    pub datasets: Vec<DatasetOptions>,
    /// The robot whose tables name the numbers of a dataset that does not: a built-in one, or a file.
    pub robot: String,
    /// The numbers of `observation.state` that the policy sees.
    pub state: Choice,
    /// The numbers of `action` that the policy predicts.
    pub action: Choice,
    /// Numbers computed from `observation.state` and appended to the state, in this order.
    pub derived: Vec<Derived>,
    /// The policy's camera keys and the datasets' cameras that stand for them. Empty: every RGB camera, under its own
    /// name.
    pub cameras: BTreeMap<String, String>,
    /// Share of each dataset's episodes that is kept for validation; at least one episode if there are two.
    pub validation_fraction: f64,
    /// What decides which episodes are kept for validation.
    pub split_seed: u64,
    /// Samples start, and the steps of their action chunks follow each other, this many rows apart.
    pub frame_stride: usize,
    /// Draws only a stretch of each episode in each epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub_episode: Option<SubEpisode>,
    /// Parts of the episodes, one after another. Empty: whole episodes. The last phase never ends.
    pub curriculum: Vec<Phase>,
    /// Leaves out the still frames at the ends of an episode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trim_idle: Option<TrimIdle>,
    /// How an epoch is shuffled.
    pub shuffle: Shuffle,
    /// What the loss of a sample, and of a dimension, counts.
    pub weights: WeightOptions,
    /// How state and action are normalised.
    pub normalization: Normalization,
    /// A dimension with a smaller standard deviation (or half range), in its own unit, is reported. Of the state it is
    /// centred but not scaled, of the action it is scaled by this, so that the policy cannot say much else than its mean.
    pub std_floor: f64,
    /// Most memory for the numbers of episodes that are read again and again.
    pub row_cache_mb: usize,
}

impl Default for DataOptions {
    fn default() -> Self {
        Self {
            datasets: Vec::new(),
            robot: "r1pro".to_owned(),
            state: Choice::default(),
            action: Choice::default(),
            derived: Vec::new(),
            cameras: BTreeMap::new(),
            validation_fraction: 0.1,
            split_seed: 0,
            frame_stride: 1,
            sub_episode: None,
            curriculum: Vec::new(),
            trim_idle: None,
            shuffle: Shuffle::default(),
            weights: WeightOptions::default(),
            normalization: Normalization::default(),
            std_floor: 1e-3,
            row_cache_mb: 1024,
        }
    }
}

impl DataOptions {
    /// The defaults over one dataset.
    #[must_use]
    pub fn of(path: impl Into<String>) -> Self {
        Self { datasets: vec![DatasetOptions::of(path)], ..Self::default() }
    }
}

/// One dataset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetOptions {
    /// Its folder, or its name on the Hugging Face hub (`user/name`).
    pub path: String,
    /// Its share of the draws, relative to the other datasets' weights.
    #[serde(default = "one")]
    pub weight: f64,
    /// The episodes to take, by number. Empty: all.
    #[serde(default)]
    pub episodes: Vec<EpisodeSpan>,
    /// The instructions whose episodes to take. Empty: all.
    #[serde(default)]
    pub tasks: Vec<String>,
    /// This dataset's cameras, where they are not called as `data.cameras` says.
    #[serde(default)]
    pub cameras: BTreeMap<String, String>,
}

fn one() -> f64 {
    1.0
}

impl DatasetOptions {
    /// All of one dataset.
    #[must_use]
    pub fn of(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            weight: one(),
            episodes: Vec::new(),
            tasks: Vec::new(),
            cameras: BTreeMap::new(),
        }
    }
}

/// Numbers of episodes: `7`, or `"7-20"` with both ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "SpanText", into = "SpanText")]
pub struct EpisodeSpan(pub RangeInclusive<u64>);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum SpanText {
    One(u64),
    Several(String),
}

impl TryFrom<SpanText> for EpisodeSpan {
    type Error = String;

    fn try_from(text: SpanText) -> Result<Self, String> {
        match text {
            SpanText::One(number) => Ok(Self(number..=number)),
            SpanText::Several(text) => text.parse(),
        }
    }
}

impl std::str::FromStr for EpisodeSpan {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        match (first.trim().parse(), last.trim().parse()) {
            (Ok(first), Ok(last)) if first <= last => Ok(Self(first..=last)),
            _ => Err(format!("episodes `{text}`: expected a number, or two as in \"7-20\"")),
        }
    }
}

impl From<EpisodeSpan> for SpanText {
    fn from(EpisodeSpan(span): EpisodeSpan) -> Self {
        if span.start() == span.end() {
            Self::One(*span.start())
        } else {
            Self::Several(format!("{}-{}", span.start(), span.end()))
        }
    }
}

/// Which numbers of a vector are taken, and in which order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Choice {
    /// `"all"`, or a layout of the robot, e.g. `"behavior-2025-top32"`.
    Layout(String),
    /// Names; `left_arm` stands for every name that begins with `left_arm_` or `left_arm.`. A number without a name is
    /// called by its place, from `"0"`.
    Names(Vec<String>),
}

/// Takes the whole vector.
pub const ALL: &str = "all";

impl Default for Choice {
    fn default() -> Self {
        Self::Layout(ALL.to_owned())
    }
}

/// A number computed from named numbers of `observation.state`, which need not be selected themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Derived {
    /// Difference to the row before, times the rows a second; 0 in the first row.
    Velocity {
        /// Its name in the policy's state.
        name: String,
        /// The position.
        of: String,
    },
    /// Euclidean norm of efforts: how hard something is held or touched.
    Force {
        /// Its name in the policy's state.
        name: String,
        /// The efforts.
        of: Vec<String>,
    },
    /// Distance between two points.
    Distance {
        /// Its name in the policy's state.
        name: String,
        /// x, y, z of one.
        from: [String; 3],
        /// x, y, z of the other.
        to: [String; 3],
    },
}

/// A stretch of an episode, drawn anew in each epoch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubEpisode {
    /// Rows in the stretch; a shorter episode is taken whole.
    pub length: usize,
    /// How much likelier an early start is: it is drawn as `u^(1 + early_bias)` of the way to the latest one, `u`
    /// uniform in 0 … 1. 0 is without bias.
    #[serde(default)]
    pub early_bias: f64,
}

/// Part of every episode, for some epochs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// How many epochs it lasts. The last phase goes on whatever it says.
    pub epochs: u64,
    /// Where the part begins, as a fraction of the episode.
    #[serde(default)]
    pub from: f64,
    /// Where it ends.
    #[serde(default = "one")]
    pub to: f64,
}

/// What still frames are: those before the action first, and after it last, differs from what it is at that end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrimIdle {
    /// Largest difference of a still action, in the dimension's own unit.
    pub threshold: f64,
    /// The action dimensions looked at. Empty: all.
    #[serde(default)]
    pub dimensions: Vec<String>,
    /// Still rows that are kept at each end.
    #[serde(default)]
    pub margin: usize,
}

/// The shuffle: blocks of rows that follow each other change places over the whole epoch. Of a window of blocks, the first few
/// rows of each change places among themselves, then the next few. So a video is decoded forward for a block at a time, and
/// no more pictures have to be held than are mixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Shuffle {
    /// Rows of a block; 1 shuffles the epoch whole. 0 chooses: 64, or 1 where every video has a key frame every few
    /// pictures.
    pub block_rows: usize,
    /// Blocks of a window.
    pub window_blocks: usize,
    /// Rows of each block that are mixed at a time. 0 chooses: 16, or all of a shorter block.
    pub mixed_rows: usize,
}

impl Default for Shuffle {
    fn default() -> Self {
        Self { block_rows: 0, window_blocks: 8, mixed_rows: 0 }
    }
}

/// What a sample's loss counts, and what a dimension's does. Each is normalised to 1 on average.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WeightOptions {
    /// Samples count `1 + temporal_alpha · progress²`, progress from 0 in an episode's first row to 1 in its last.
    pub temporal_alpha: f64,
    /// Samples near a change of the gripper count more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segment: Option<Segment>,
    /// Whether an action dimension counts `1 / variance`.
    pub inverse_variance: bool,
    /// Factors of action dimensions or groups, e.g. of the grippers.
    pub dimensions: BTreeMap<String, f64>,
}

/// The rows around a change of a dimension.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Segment {
    /// Dimensions of the action, or else of the selected state: the grippers.
    pub dimensions: Vec<String>,
    /// A larger difference from one row to the next is a change, in the dimension's own unit.
    pub threshold: f64,
    /// Rows before and after a change that belong to it.
    pub margin: usize,
    /// What they count; other rows count 1.
    pub factor: f64,
}

/// How state and action are normalised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Normalization {
    /// `observation.state`.
    pub state: NormalizationMode,
    /// `action`.
    pub action: NormalizationMode,
}

impl Default for Normalization {
    fn default() -> Self {
        Self { state: NormalizationMode::MeanStd, action: NormalizationMode::MeanStd }
    }
}

/// LeRobot's normalisations, under its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum NormalizationMode {
    /// By mean and standard deviation.
    MeanStd,
    /// Minimum and maximum to −1 and 1.
    MinMax,
    /// The quantiles 0.01 and 0.99 to −1 and 1.
    Quantiles,
    /// Not at all.
    Identity,
}

impl NormalizationMode {
    /// LeRobot's name of it, as in `norm_map`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::MeanStd => "MEAN_STD",
            Self::MinMax => "MIN_MAX",
            Self::Quantiles => "QUANTILES",
            Self::Identity => "IDENTITY",
        }
    }

    /// The statistic it divides by, as [`NearConstant::statistic`](crate::data::NearConstant::statistic) names it.
    #[must_use]
    pub fn spread(self) -> Option<&'static str> {
        match self {
            Self::MeanStd => Some("std"),
            Self::MinMax => Some("min to max"),
            Self::Quantiles => Some("q01 to q99"),
            Self::Identity => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_as_one_writes_it_is_understood_and_comes_back_the_same() {
        let text = r#"
            state = ["left_arm", "17"]
            action = "behavior-2025-top32"
            frame_stride = 2
            sub_episode = { length = 90, early_bias = 1.0 }
            curriculum = [{ epochs = 3 }, { epochs = 1, from = 0.5 }]
            weights = { temporal_alpha = 1.0, dimensions = { left_gripper = 4.0 } }
            normalization = { action = "QUANTILES" }
            [[datasets]]
            path = "user/eggs"
            episodes = [3, "10-20"]
            [[derived]]
            kind = "distance"
            name = "hands_apart"
            from = ["left_hand.x", "left_hand.y", "left_hand.z"]
            to = ["right_hand.x", "right_hand.y", "right_hand.z"]
        "#;
        let options: DataOptions = toml::from_str(text).unwrap();
        assert_eq!(options.datasets[0].episodes, [EpisodeSpan(3..=3), EpisodeSpan(10..=20)]);
        assert_eq!(options.curriculum[1], Phase { epochs: 1, from: 0.5, to: 1.0 });
        assert_eq!(options.normalization.action, NormalizationMode::Quantiles);
        assert_eq!(options.normalization.state, NormalizationMode::MeanStd);
        let written = toml::to_string(&options).unwrap();
        assert_eq!(toml::from_str::<DataOptions>(&written).unwrap(), options);
    }

    #[test]
    fn what_is_no_option_or_no_span_is_refused() {
        for (text, complaint) in [
            ("frame_strid = 2", "unknown field `frame_strid`"),
            ("datasets = [{ path = \"a\", episodes = [\"9-3\"] }]", "episodes `9-3`"),
            (
                "derived = [{ kind = \"velocity\", name = \"a\", of = \"b\", off = \"c\" }]",
                "unknown field `off`",
            ),
            ("weights = { segment = { dimensions = [], threshold = 1.0 } }", "missing field"),
        ] {
            let error = toml::from_str::<DataOptions>(text).unwrap_err().to_string();
            assert!(error.contains(complaint), "{text}: {error}");
        }
    }
}
