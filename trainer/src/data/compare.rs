//! Our statistics beside those that a dataset keeps of itself.

use crate::Error;
use crate::data::corpus::Corpus;
use crate::data::selection::{ACTION, STATE};
use crate::data::statistics::Statistics;

/// Allowed difference, relative to the dimension's range or mean, whichever is larger. LeRobot 0.4 computes variances in
/// float32 and is off by up to 4e-4 of the mean.
pub const TOLERANCE: f64 = 1e-3;

/// A statistic that the dataset has otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct Disagreement {
    /// State or action.
    pub feature: &'static str,
    /// The dimension.
    pub dimension: String,
    /// `mean`, `std`, `min` or `max`.
    pub statistic: &'static str,
    /// What we found.
    pub ours: f64,
    /// What the dataset says.
    pub theirs: f64,
    /// The difference relative to the dimension's range or mean, whichever is larger.
    pub part: f64,
}

/// Where our statistics and a dataset's own differ by more than `tolerance`, or nothing if the dataset has none. Means
/// something where the corpus has that dataset only, and all of its frames. Quantiles are not compared: LeRobot's are
/// averages over the episodes.
///
/// # Errors
/// If the dataset's statistics are damaged, or of another width than its vectors.
pub fn compare(
    corpus: &Corpus,
    dataset: usize,
    statistics: &Statistics,
    tolerance: f64,
) -> Result<Option<Vec<Disagreement>>, Error> {
    let Some(stored) = corpus.dataset(dataset).statistics()? else { return Ok(None) };
    let (state, action) = corpus.selections(dataset);
    let mut found = Vec::new();
    for (feature, ours, selection) in
        [(STATE, &statistics.state, state), (ACTION, &statistics.action, action)]
    {
        for (statistic, values) in ours.named().filter(|(name, _)| !name.starts_with('q')) {
            let Some(theirs) = stored.get(feature).and_then(|stored| stored.get(statistic)) else { continue };
            for (place, (ours_here, index)) in values.iter().zip(&selection.indices).enumerate() {
                let theirs = theirs.get(*index).copied().ok_or_else(|| sinew_models::Error::Shape {
                    name: format!("{feature}.{statistic} of {}", corpus.dataset_name(dataset)),
                    expected: vec![index + 1],
                    found: vec![theirs.len()],
                })?;
                let scale = (ours.max[place] - ours.min[place]).max(ours.mean[place].abs());
                let difference = (ours_here - theirs).abs();
                let is_close = difference <= tolerance * scale;
                if !is_close {
                    let dimension = ours.names[place].clone();
                    let part = difference / scale.max(f64::MIN_POSITIVE);
                    found.push(Disagreement {
                        feature,
                        dimension,
                        statistic,
                        ours: *ours_here,
                        theirs,
                        part,
                    });
                }
            }
        }
    }
    Ok(Some(found))
}
