//! What did not learn, and why: predictions set beside the data, hypotheses checked one by one, a remedy written.

pub mod analysis;
pub mod baselines;
pub mod certainty;
pub mod checks;
pub mod compare;
pub mod data_report;
pub mod dataset_side;
pub mod diagnosis;
pub mod episodes;
pub mod gradients;
pub mod journal;
pub mod measures;
pub mod modes;
pub mod npz;
pub mod number;
pub mod plot;
pub mod policy;
pub mod predict;
pub mod predictions;
pub mod remedy;
pub mod report;
pub mod run;
pub mod sampling;
pub mod subject;
