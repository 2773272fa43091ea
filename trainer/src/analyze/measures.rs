//! How far predictions are from the truth, number by number. Pure.
//!
//! Only steps inside their episode count: beyond its end there is no truth.

use crate::analyze::analysis::{DimensionReport, Gap, GroupReport, SplitReport};
use crate::analyze::predictions::{PredictionSet, Predictions};

/// What a dimension is measured against.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// Mean in the data.
    pub mean: f64,
    /// Standard deviation in the data.
    pub std: f64,
}

impl Scale {
    /// An error in standard deviations; absolute where the dimension is constant.
    #[must_use]
    pub fn normalize(self, error: f64) -> f64 {
        if self.std > 0.0 { error / self.std } else { error }
    }
}

/// One number that was predicted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// The frame's place in its set.
    pub frame: usize,
    /// The step of the chunk.
    pub step: usize,
    /// What was predicted.
    pub predicted: f64,
    /// What was done.
    pub truth: f64,
}

/// The numbers of one dimension, frame by frame and step by step.
pub fn points<'a>(
    set: &'a PredictionSet,
    of: &Predictions,
    dimension: usize,
) -> impl Iterator<Item = Point> + use<'a> {
    let (chunk, width) = (of.chunk_size, of.action_dim);
    (0..set.len() * chunk).filter(|place| !set.is_pad[*place]).map(move |place| Point {
        frame: place / chunk,
        step: place % chunk,
        predicted: f64::from(set.predicted[place * width + dimension]),
        truth: f64::from(set.truth[place * width + dimension]),
    })
}

/// Errors of a set; absent if it has no frame.
///
/// # Shapes
/// `scales` is `[action_dim]`.
#[must_use]
pub fn split(set: &PredictionSet, of: &Predictions, scales: &[Scale]) -> Option<SplitReport> {
    if set.is_empty() {
        return None;
    }
    let dimensions: Vec<DimensionReport> = scales
        .iter()
        .enumerate()
        .map(|(dimension, scale)| {
            self::dimension(&points(set, of, dimension).collect::<Vec<_>>(), of.chunk_size, *scale)
        })
        .collect();
    let sum: f64 = dimensions.iter().map(|dimension| dimension.normalized_error).sum();
    Some(SplitReport {
        frame_count: set.len(),
        step_count: set.is_pad.iter().filter(|is_pad| !**is_pad).count(),
        normalized_error: sum / dimensions.len().max(1) as f64,
        dimensions,
    })
}

/// What is lost from the episodes trained on to the others, by dimension.
#[must_use]
pub fn gap(train: &SplitReport, validation: &SplitReport) -> Vec<Gap> {
    let pairs = train.dimensions.iter().zip(&validation.dimensions);
    let gap = |(train, validation): (&DimensionReport, &DimensionReport)| Gap {
        mean_error: validation.mean_error - train.mean_error,
        normalized_error: validation.normalized_error - train.normalized_error,
        r2: train.r2 - validation.r2,
    };
    pairs.map(gap).collect()
}

/// Errors of one dimension's numbers.
#[must_use]
pub fn dimension(points: &[Point], chunk_size: usize, scale: Scale) -> DimensionReport {
    let pairs: Vec<(f64, f64)> = points.iter().map(|point| (point.predicted, point.truth)).collect();
    let mut by_step = vec![(0.0, 0_usize); chunk_size];
    for point in points {
        let (sum, count) = &mut by_step[point.step];
        *sum += (point.predicted - point.truth).abs();
        *count += 1;
    }
    let mean = |value: &dyn Fn(&(f64, f64)) -> f64| mean(pairs.iter().map(value));
    let mean_error = mean(&|(predicted, truth)| (predicted - truth).abs());
    let (predicted, truth) =
        (Moments::of(pairs.iter().map(|pair| pair.0)), Moments::of(pairs.iter().map(|pair| pair.1)));
    DimensionReport {
        mean_error,
        max_error: pairs.iter().map(|(predicted, truth)| (predicted - truth).abs()).fold(0.0, f64::max),
        rms_error: mean(&|(predicted, truth)| (predicted - truth).powi(2)).sqrt(),
        bias: mean(&|(predicted, truth)| predicted - truth),
        r2: r2(&pairs),
        correlation: correlation(&pairs),
        true_std: truth.variance.sqrt(),
        predicted_std: predicted.variance.sqrt(),
        variance_ratio: if truth.variance > 0.0 { predicted.variance / truth.variance } else { 1.0 },
        normalized_error: scale.normalize(mean_error),
        normalized_error_of_mean: scale.normalize(mean(&|(_, truth)| (scale.mean - truth).abs())),
        error_by_step: by_step
            .into_iter()
            .map(|(sum, count)| (count > 0).then(|| sum / count as f64))
            .collect(),
    }
}

/// Errors of the frames that belong to a group, of both sides together.
pub fn group(
    name: &str,
    of: &Predictions,
    scales: &[Scale],
    belongs: impl Fn(&PredictionSet, usize) -> bool,
) -> Option<GroupReport> {
    let mut frame_count = 0;
    let mut sums = vec![0.0; scales.len()];
    let mut count = 0_usize;
    for set in [&of.train, &of.validation] {
        let chosen: Vec<bool> = (0..set.len()).map(|frame| belongs(set, frame)).collect();
        frame_count += chosen.iter().filter(|chosen| **chosen).count();
        for (dimension, sum) in sums.iter_mut().enumerate() {
            let points = points(set, of, dimension).filter(|point| chosen[point.frame]);
            for point in points {
                *sum += (point.predicted - point.truth).abs();
                count += usize::from(dimension == 0);
            }
        }
    }
    (count > 0).then(|| {
        let mean_error: Vec<f64> = sums.iter().map(|sum| sum / count as f64).collect();
        let normalized = mean_error.iter().zip(scales).map(|(error, scale)| scale.normalize(*error));
        let normalized_error = normalized.sum::<f64>() / scales.len() as f64;
        GroupReport { name: name.to_owned(), frame_count, mean_error, normalized_error }
    })
}

/// The share of the truth's variance that predictions explain. A constant truth is explained if every prediction is
/// exact, else not at all, as in scikit-learn.
///
/// # Shapes
/// Pairs of (prediction, truth).
#[must_use]
pub fn r2(pairs: &[(f64, f64)]) -> f64 {
    let centre = mean(pairs.iter().map(|pair| pair.1));
    let left: f64 = pairs.iter().map(|(predicted, truth)| (predicted - truth).powi(2)).sum();
    let total: f64 = pairs.iter().map(|(_, truth)| (truth - centre).powi(2)).sum();
    if total > 0.0 { 1.0 - left / total } else { f64::from(u8::from(left == 0.0)) }
}

/// Pearson's correlation; 0 if either side is constant.
#[must_use]
pub fn correlation(pairs: &[(f64, f64)]) -> f64 {
    let (a, b) = (Moments::of(pairs.iter().map(|pair| pair.0)), Moments::of(pairs.iter().map(|pair| pair.1)));
    let spread = (a.variance * b.variance).sqrt();
    if spread <= 0.0 {
        return 0.0;
    }
    let together = mean(pairs.iter().map(|pair| (pair.0 - a.mean) * (pair.1 - b.mean)));
    (together / spread).clamp(-1.0, 1.0)
}

/// Mean and variance of the population.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    /// Mean.
    pub mean: f64,
    /// Variance.
    pub variance: f64,
}

impl Moments {
    /// In two passes, so that a large mean does not swallow a small variance. All alike is a variance of exactly 0.
    pub fn of(values: impl Iterator<Item = f64> + Clone) -> Self {
        let centre = mean(values.clone());
        let mut rest = values.clone();
        let first = rest.next();
        if rest.all(|value| Some(value) == first) {
            return Self { mean: first.unwrap_or_default(), variance: 0.0 };
        }
        Self { mean: centre, variance: mean(values.map(|value| (value - centre).powi(2))) }
    }
}

/// The mean; 0 of nothing.
pub fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0_usize), |(sum, count), value| (sum + value, count + 1));
    sum / count.max(1) as f64
}
