//! Episodes to training samples.

mod augment;
mod check;
mod choice;
mod compare;
mod corpus;
mod derived;
mod describe;
mod frame_cache;
mod hub;
mod identity;
mod limits;
mod loader;
mod numbers;
mod options;
mod order;
mod pixels;
mod sample;
mod selection;
mod split;
mod start;
mod statistics;
mod weighting;
mod window;

pub use augment::{AugmentOptions, Augmenter};
pub use check::{Finding, Findings, Severity, check};
pub use choice::{episodes_in, files_in};
pub use compare::{Disagreement, TOLERANCE, compare};
pub use corpus::{CameraSource, Corpus, EpisodeId};
pub use derived::DerivedNumber;
pub use describe::{CameraDescription, Description, FeatureDescription};
pub use hub::Hub;
pub use identity::{files_and_sizes, identity, metadata_hash};
pub use loader::{Loader, LoaderOptions};
pub use numbers::Numbers;
pub use options::{
    ALL, Choice, DataOptions, DatasetOptions, Derived, EpisodeSpan, Normalization, NormalizationMode, Phase,
    Segment, Shuffle, SubEpisode, TrimIdle, WeightOptions,
};
pub use order::Order;
pub use sample::{Draw, Example, FrameId, Picture, Sample};
pub use selection::{ACTION, Names, STATE, Selection};
pub use start::start_posture;
pub use statistics::{EPS, FeatureStatistics, NearConstant, QUANTILES, Statistics};
pub use weighting::dimension_weights;
