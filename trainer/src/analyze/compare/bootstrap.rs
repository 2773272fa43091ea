//! How sure a change between two analyses is: the bootstrap. Pure.
//!
//! The frames of an episode are alike, so episodes are what is drawn again and again, with replacement, where there
//! are several; frames otherwise. If both analyses predicted from the same frames, they are drawn together, so that
//! what makes an episode hard cancels out (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13:
//! percentile intervals).

use crate::analyze::measures::{self, Scale};
use crate::analyze::predictions::{PredictionSet, Predictions};
use crate::data::FrameId;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use std::ops::Range;

/// Times that the frames are drawn anew.
pub(super) const DRAW_COUNT: usize = 2000;
/// Share of the draws that an interval holds.
const CONFIDENCE: f64 = 0.95;

/// What was drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Whole episodes.
    Episode,
    /// Frames, as there is but one episode on a side.
    Frame,
}

/// A number before and after, and how sure the change is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Change {
    /// In the first analysis.
    pub before: f64,
    /// In the second.
    pub after: f64,
    /// `after − before`.
    pub change: f64,
    /// Where the middle 95 % of the redrawn changes lie.
    pub interval: (f64, f64),
    /// The same of the numbers before.
    pub before_interval: (f64, f64),
    /// The same of the numbers after.
    pub after_interval: (f64, f64),
}

impl Change {
    /// From pairs that were drawn together.
    fn new(before: f64, after: f64, redrawn: &[(f64, f64)]) -> Self {
        let interval = |of: fn(&(f64, f64)) -> f64| {
            let mut values: Vec<f64> = redrawn.iter().map(of).collect();
            values.sort_by(f64::total_cmp);
            let tail = (1.0 - CONFIDENCE) / 2.0;
            (quantile(&values, tail), quantile(&values, 1.0 - tail))
        };
        Self {
            before,
            after,
            change: after - before,
            interval: interval(|(before, after)| after - before),
            before_interval: interval(|(before, _)| *before),
            after_interval: interval(|(_, after)| *after),
        }
    }
}

/// What the measures of one dimension are computed from; sums over the steps of some frames.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Sums {
    count: f64,
    absolute_error: f64,
    squared_error: f64,
    /// Of the truth less a centre, which keeps digits where the spread is small beside the mean.
    truth: f64,
    squared_truth: f64,
}

impl Sums {
    fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.absolute_error += other.absolute_error;
        self.squared_error += other.squared_error;
        self.truth += other.truth;
        self.squared_truth += other.squared_truth;
    }

    fn mean_error(&self) -> f64 {
        self.absolute_error / self.count.max(1.0)
    }

    /// As [`measures::r2`].
    fn r2(&self) -> f64 {
        let total = self.squared_truth - self.truth.powi(2) / self.count.max(1.0);
        // A constant truth leaves nothing but rounding.
        if total > 1e-12 * self.squared_truth {
            1.0 - self.squared_error / total
        } else {
            f64::from(u8::from(self.squared_error == 0.0))
        }
    }
}

/// One analysis' judged predictions.
pub(super) struct Side<'a> {
    pub(super) predictions: &'a Predictions,
    pub(super) set: &'a PredictionSet,
}

impl Side<'_> {
    /// Runs of frames that are drawn together.
    fn clusters(&self, unit: Unit) -> Vec<Range<usize>> {
        let is_together = |a: &FrameId, b: &FrameId| {
            unit == Unit::Episode && (a.dataset, a.episode_index) == (b.dataset, b.episode_index)
        };
        let mut start = 0;
        let runs = self.set.frames.chunk_by(is_together).map(|run| {
            let range = start..start + run.len();
            start = range.end;
            range
        });
        runs.collect()
    }

    /// Of one dimension, for each cluster.
    fn sums(&self, clusters: &[Range<usize>], dimension: usize) -> Vec<Sums> {
        let points: Vec<_> = measures::points(self.set, self.predictions, dimension).collect();
        let centre = measures::mean(points.iter().map(|point| point.truth));
        let mut of_frame = vec![Sums::default(); self.set.len()];
        for point in &points {
            let (error, truth) = (point.predicted - point.truth, point.truth - centre);
            of_frame[point.frame].add(&Sums {
                count: 1.0,
                absolute_error: error.abs(),
                squared_error: error * error,
                truth,
                squared_truth: truth * truth,
            });
        }
        clusters.iter().map(|cluster| total(&of_frame[cluster.clone()])).collect()
    }
}

fn total<'a>(sums: impl IntoIterator<Item = &'a Sums>) -> Sums {
    sums.into_iter().fold(Sums::default(), |mut total, sums| {
        total.add(sums);
        total
    })
}

/// One dimension's changes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct DimensionChange {
    /// Mean absolute error, in the dimension's unit.
    pub mean_error: Change,
    /// Mean absolute error over the first analysis' standard deviation of the data, for both.
    pub normalized_error: Change,
    /// Share of the variance explained.
    pub r2: Change,
}

/// The same draws for every dimension.
pub(super) struct Bootstrap<'a> {
    before: Side<'a>,
    after: Side<'a>,
    pub(super) unit: Unit,
    /// Both predicted from the same frames.
    pub(super) is_paired: bool,
    before_clusters: Vec<Range<usize>>,
    after_clusters: Vec<Range<usize>>,
    /// For each draw, the clusters drawn of each side.
    draws: Vec<(Vec<usize>, Vec<usize>)>,
}

impl<'a> Bootstrap<'a> {
    pub(super) fn new(before: Side<'a>, after: Side<'a>, seed: u64) -> Self {
        let has_several = |side: &Side<'_>| side.clusters(Unit::Episode).len() > 1;
        let unit = if has_several(&before) && has_several(&after) { Unit::Episode } else { Unit::Frame };
        let (before_clusters, after_clusters) = (before.clusters(unit), after.clusters(unit));
        let is_paired = before.set.frames == after.set.frames;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut draw =
            |count: usize| -> Vec<usize> { (0..count).map(|_| rng.random_range(0..count)).collect() };
        let mut draw_both = || {
            let drawn = draw(before_clusters.len());
            let after = if is_paired { drawn.clone() } else { draw(after_clusters.len()) };
            (drawn, after)
        };
        let draws = (0..DRAW_COUNT).map(|_| draw_both()).collect();
        Self { before, after, unit, is_paired, before_clusters, after_clusters, draws }
    }

    /// The changes of one dimension, which may have another place in each analysis.
    pub(super) fn dimension(&self, before: usize, after: usize, scale: Scale) -> DimensionChange {
        let before = self.before.sums(&self.before_clusters, before);
        let after = self.after.sums(&self.after_clusters, after);
        let redrawn: Vec<(Sums, Sums)> = self
            .draws
            .iter()
            .map(|(of_before, of_after)| {
                (total(of_before.iter().map(|at| &before[*at])), total(of_after.iter().map(|at| &after[*at])))
            })
            .collect();
        let (before, after) = (total(&before), total(&after));
        let change = |measure: &dyn Fn(&Sums) -> f64| {
            let redrawn: Vec<(f64, f64)> =
                redrawn.iter().map(|(before, after)| (measure(before), measure(after))).collect();
            Change::new(measure(&before), measure(&after), &redrawn)
        };
        DimensionChange {
            mean_error: change(&Sums::mean_error),
            normalized_error: change(&|sums| scale.normalize(sums.mean_error())),
            r2: change(&Sums::r2),
        }
    }
}

/// Between the two nearest of sorted numbers, as numpy's `quantile` has it.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len().max(1) - 1) as f64;
    let (low, high) = (place.floor() as usize, place.ceil() as usize);
    match (sorted.get(low), sorted.get(high)) {
        (Some(low), Some(high)) => low + (high - low) * place.fract(),
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Episodes of one frame and one step each.
    fn predictions(errors: &[f64], truths: &[f64]) -> Predictions {
        let frame = |episode| FrameId { dataset: 0, episode_index: episode as u64, row: 0 };
        let validation = PredictionSet {
            frames: (0..errors.len()).map(frame).collect(),
            is_pad: vec![false; errors.len()],
            truth: truths.iter().map(|truth| *truth as f32).collect(),
            predicted: truths.iter().zip(errors).map(|(truth, error)| (truth + error) as f32).collect(),
            ..PredictionSet::default()
        };
        Predictions { chunk_size: 1, action_dim: 1, validation, ..Predictions::default() }
    }

    fn changes(before: &Predictions, after: &Predictions) -> (DimensionChange, Unit, bool) {
        let side = |predictions| Side { predictions, set: predictions.judged() };
        let bootstrap = Bootstrap::new(side(before), side(after), 0);
        let changes = bootstrap.dimension(0, 0, Scale { mean: 0.0, std: 2.0 });
        (changes, bootstrap.unit, bootstrap.is_paired)
    }

    /// Of a mean, the interval is known: 1.96 standard errors to either side.
    #[test]
    fn a_means_interval_is_the_normal_one() {
        let count = 400;
        // Errors equally spread from 0 to 1, standard deviation 1/√12; the other policy's are all 2.
        let errors: Vec<f64> = (0..count).map(|at| (f64::from(at) + 0.5) / f64::from(count)).collect();
        let truths: Vec<f64> = (0..count).map(|at| f64::from(at % 17)).collect();
        let (changes, unit, is_paired) =
            changes(&predictions(&errors, &truths), &predictions(&vec![2.0; count as usize], &truths));
        assert_eq!((unit, is_paired), (Unit::Episode, true));
        assert!((changes.mean_error.change - 1.5).abs() < 1e-5);
        let reach = 1.96 / 12_f64.sqrt() / f64::from(count).sqrt();
        let (low, high) = changes.mean_error.interval;
        assert!((low - (1.5 - reach)).abs() < 0.1 * reach, "{low} for {}", 1.5 - reach);
        assert!((high - (1.5 + reach)).abs() < 0.1 * reach, "{high} for {}", 1.5 + reach);
        assert!((changes.normalized_error.change - 0.75).abs() < 1e-5);
        // The change is that of the first side alone, and so is its interval.
        let (low, high) = changes.mean_error.before_interval;
        assert!((low - (0.5 - reach)).abs() < 0.1 * reach && (high - (0.5 + reach)).abs() < 0.1 * reach);
        let (low, high) = changes.mean_error.after_interval;
        assert!((low - 2.0).abs() < 1e-6 && (high - 2.0).abs() < 1e-6);
    }

    /// A policy that is worse by the same everywhere is so in every draw, if both are drawn together.
    #[test]
    fn the_same_frames_are_drawn_together() {
        let truths: Vec<f64> = (0..40).map(f64::from).collect();
        let errors: Vec<f64> = (0..40).map(|at| f64::from(at % 8)).collect();
        let worse: Vec<f64> = errors.iter().map(|error| error + 0.5).collect();
        let (changes, _, is_paired) = changes(&predictions(&errors, &truths), &predictions(&worse, &truths));
        assert!(is_paired);
        let (low, high) = changes.mean_error.interval;
        assert!((low - 0.5).abs() < 1e-6 && (high - 0.5).abs() < 1e-6, "{low} {high}");
    }

    /// Frames of one episode fall together: two episodes leave three possible draws.
    #[test]
    fn episodes_are_drawn_whole() {
        let mut before = predictions(&[1.0, 1.0, 3.0, 3.0], &[0.0, 1.0, 2.0, 3.0]);
        for (place, frame) in before.validation.frames.iter_mut().enumerate() {
            *frame = FrameId { dataset: 0, episode_index: place as u64 / 2, row: place % 2 };
        }
        let mut after = before.clone();
        after.validation.predicted.clone_from(&after.validation.truth);
        let (changes, unit, _) = changes(&before, &after);
        assert_eq!(unit, Unit::Episode);
        assert_eq!(changes.mean_error.interval, (-3.0, -1.0));
        assert_eq!(changes.mean_error.change, -2.0);
        assert_eq!(changes.r2.after, 1.0);
        // 1 - (1 + 1 + 9 + 9) / 5
        assert!((changes.r2.before + 3.0).abs() < 1e-9);
    }

    #[test]
    fn one_episode_is_drawn_by_frames() {
        let mut one = predictions(&[1.0, 2.0, 3.0], &[0.0, 1.0, 2.0]);
        for (row, frame) in one.validation.frames.iter_mut().enumerate() {
            *frame = FrameId { dataset: 0, episode_index: 4, row };
        }
        assert_eq!(changes(&one, &one).1, Unit::Frame);
    }

    #[test]
    fn quantiles_are_numpys() {
        // numpy.quantile([1, 2, 4, 8], [0.025, 0.5, 0.975])
        let of = |share| quantile(&[1.0, 2.0, 4.0, 8.0], share);
        for (found, expected) in [(of(0.025), 1.075), (of(0.5), 3.0), (of(0.975), 7.7)] {
            assert!((found - expected).abs() < 1e-12, "{found} for {expected}");
        }
    }
}
