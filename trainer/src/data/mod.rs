//! Episodes to training samples.

mod check;
mod compare;
mod corpus;
mod derived;
mod describe;
mod hub;
mod limits;
mod numbers;
mod options;
mod order;
mod sample;
mod selection;
mod split;
mod statistics;
mod weighting;

pub use check::{Finding, Findings, Severity, check};
pub use compare::{Disagreement, TOLERANCE, compare};
pub use corpus::{CameraSource, Corpus, EpisodeId};
pub use describe::{CameraDescription, Description, FeatureDescription};
pub use hub::Hub;
pub use numbers::Numbers;
pub use options::{
    ALL, Choice, DataOptions, DatasetOptions, Derived, EpisodeSpan, Normalization, NormalizationMode, Phase,
    Segment, Shuffle, SubEpisode, TrimIdle, WeightOptions,
};
pub use order::Order;
pub use sample::{Draw, Example, FrameId, Picture, Sample};
pub use selection::{ACTION, Names, STATE, Selection};
pub use statistics::{EPS, FeatureStatistics, NearConstant, QUANTILES, Statistics};
pub use weighting::dimension_weights;
