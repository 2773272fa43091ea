//! What did not learn, and why: predictions set beside the data, hypotheses checked one by one, a remedy written.

pub mod analysis;
pub mod predictions;
