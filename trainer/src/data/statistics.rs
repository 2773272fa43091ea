//! Statistics of what the policy is shown, in one pass over the training frames.

use crate::Error;
use crate::data::corpus::Corpus;
use crate::data::options::NormalizationMode;
use crate::data::selection::{ACTION, STATE};
use serde_json::{Map, Value, json};
use sinew_models::contract::{self, Mode};
use sinew_models::processors;
use std::collections::BTreeMap;

/// The quantiles that LeRobot keeps, and their names.
pub const QUANTILES: [(&str, f64); 5] =
    [("q01", 0.01), ("q10", 0.10), ("q50", 0.50), ("q90", 0.90), ("q99", 0.99)];

/// LeRobot's: added to a standard deviation, or standing in for a zero range.
pub const EPS: f64 = 1e-8;

/// Memory for the values that quantiles are taken of.
const QUANTILE_BYTES: usize = 1 << 30;

/// Statistics of one vector, one number a dimension each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FeatureStatistics {
    /// What the dimensions are called.
    pub names: Vec<String>,
    /// Over how many frames.
    pub count: u64,
    /// Mean.
    pub mean: Vec<f64>,
    /// Standard deviation, divided by the count.
    pub std: Vec<f64>,
    /// Smallest value.
    pub min: Vec<f64>,
    /// Largest value.
    pub max: Vec<f64>,
    /// In the order of [`QUANTILES`], each interpolated between the two values next to it, as numpy does.
    pub quantiles: [Vec<f64>; 5],
}

/// Statistics of state and action.
#[derive(Clone, Debug, PartialEq)]
pub struct Statistics {
    /// `observation.state`.
    pub state: FeatureStatistics,
    /// `action`.
    pub action: FeatureStatistics,
}

/// A dimension that hardly varies, so that scaling it would only amplify noise.
#[derive(Clone, Debug, PartialEq)]
pub struct NearConstant {
    /// State or action.
    pub feature: &'static str,
    /// The dimension.
    pub dimension: String,
    /// What is small: `std`, or half the range between two statistics.
    pub statistic: &'static str,
    /// How small.
    pub found: f64,
}

impl Statistics {
    /// Passes once over every frame of the training episodes that may start a sample, whatever part of them an epoch
    /// draws. Datasets count by their frames, not by their weights.
    ///
    /// Quantiles are exact up to 1 GiB of values (2.7 million frames of 100 numbers); beyond that they are those of
    /// every second frame, then of every fourth, and so on.
    ///
    /// # Errors
    /// If an episode cannot be read or holds a number that is not finite.
    pub fn of(corpus: &Corpus) -> Result<Self, Error> {
        let state_names: Vec<String> = corpus.state_names().into_iter().map(str::to_owned).collect();
        let dimension_count = state_names.len() + corpus.action_names().len();
        let row_limit = QUANTILE_BYTES / (size_of::<f32>() * dimension_count);
        let mut state = Pass::new(state_names.len(), row_limit);
        let mut action = Pass::new(corpus.action_names().len(), row_limit);
        for episode in corpus.train_episodes() {
            let numbers = corpus.numbers(episode.dataset, episode.episode_index)?;
            for row in corpus.sample_rows(&numbers) {
                state.push(numbers.state(row));
                action.push(numbers.action(row));
            }
        }
        Ok(Self { state: state.finish(state_names), action: action.finish(corpus.action_names().to_vec()) })
    }

    /// These statistics with the dimensions that hardly vary made harmless, and which those are: of them a standard
    /// deviation, or half a range, is below `std_floor`.
    ///
    /// Of the state it becomes 1, so that what is a little off in another place is no huge number to the policy. Of the
    /// action, where it multiplies the policy's errors, it becomes the floor, or the largest distance from the centre
    /// if that is more: what never moved is then commanded to stay.
    #[must_use]
    pub fn floored(&self, std_floor: f64) -> (Self, Vec<NearConstant>) {
        let mut floored = self.clone();
        let mut found = Vec::new();
        let states = |_distance: f64| 1.0;
        let actions = |distance: f64| distance.max(std_floor);
        floored.state.floor(STATE, std_floor, states, &mut found);
        floored.action.floor(ACTION, std_floor, actions, &mut found);
        (floored, found)
    }

    /// The tensors of a checkpoint's normaliser: `<feature>.<statistic>` to one number a dimension.
    #[must_use]
    pub fn tensors(&self) -> BTreeMap<String, Vec<f32>> {
        let of = |feature: &'static str, statistics: &FeatureStatistics| {
            let pairs = statistics.named().map(|(name, values)| {
                (format!("{feature}.{name}"), values.iter().map(|value| *value as f32).collect())
            });
            pairs.collect::<Vec<_>>()
        };
        of(STATE, &self.state).into_iter().chain(of(ACTION, &self.action)).collect()
    }

    /// As LeRobot's `stats.json`: feature → statistic → numbers.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let of = |statistics: &FeatureStatistics| {
            let mut map: Map<String, Value> =
                statistics.named().map(|(name, values)| (name.to_owned(), json!(values))).collect();
            map.insert("count".to_owned(), json!([statistics.count]));
            Value::Object(map)
        };
        json!({ STATE: of(&self.state), ACTION: of(&self.action) })
    }
}

impl FeatureStatistics {
    /// Each statistic under LeRobot's name.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, &Vec<f64>)> {
        let quantiles = QUANTILES.iter().map(|(name, _)| *name).zip(&self.quantiles);
        [("mean", &self.mean), ("std", &self.std), ("min", &self.min), ("max", &self.max)]
            .into_iter()
            .chain(quantiles)
    }

    /// What normalises the vector, rounded to float32 as a checkpoint stores it.
    #[must_use]
    pub fn normalizer(&self, mode: NormalizationMode) -> processors::FeatureStatistics {
        let [q01, _, _, _, q99] = &self.quantiles;
        let (mode, range) = match mode {
            NormalizationMode::MeanStd => (Mode::MeanStd, None),
            NormalizationMode::MinMax => (Mode::Range, Some((&self.min, &self.max))),
            NormalizationMode::Quantiles => (Mode::Range, Some((q01, q99))),
            NormalizationMode::Identity => (Mode::Identity, None),
        };
        let stored = |value: f64| f64::from(value as f32);
        let dimensions = (0..self.mean.len()).map(|place| contract::Statistics {
            mean: stored(self.mean[place]),
            std: stored(self.std[place]),
            low: range.map(|(low, _)| stored(low[place])),
            high: range.map(|(_, high)| stored(high[place])),
        });
        processors::FeatureStatistics { mode, eps: EPS, dimensions: dimensions.collect() }
    }

    /// `scale` is what becomes of a spread below the floor, by the largest distance of a number from the centre.
    fn floor(
        &mut self,
        feature: &'static str,
        std_floor: f64,
        scale: impl Fn(f64) -> f64,
        found: &mut Vec<NearConstant>,
    ) {
        let names = &self.names;
        let mut report = |place: usize, statistic: &'static str, value: f64| {
            let dimension = names[place].clone();
            found.push(NearConstant { feature, dimension, statistic, found: value });
        };
        let ends: Vec<(f64, f64)> = self.min.iter().copied().zip(self.max.iter().copied()).collect();
        let scale = |place: usize, centre: f64| {
            let (least, most) = ends[place];
            scale((centre - least).max(most - centre))
        };
        for (place, std) in self.std.iter_mut().enumerate().filter(|(_, std)| **std < std_floor) {
            report(place, "std", *std);
            *std = scale(place, self.mean[place]);
        }
        let [q01, q10, _, q90, q99] = &mut self.quantiles;
        for (statistic, low, high) in
            [("min to max", &mut self.min, &mut self.max), ("q01 to q99", q01, q99), ("q10 to q90", q10, q90)]
        {
            for (place, (low, high)) in low.iter_mut().zip(high).enumerate() {
                let (half, centre) = ((*high - *low) / 2.0, f64::midpoint(*low, *high));
                if half < std_floor {
                    report(place, statistic, half);
                    let half = scale(place, centre);
                    (*low, *high) = (centre - half, centre + half);
                }
            }
        }
    }
}

/// One vector's running statistics.
struct Pass {
    count: u64,
    mean: Vec<f64>,
    /// Sum of squared differences to the mean (Welford 1962).
    squares: Vec<f64>,
    min: Vec<f64>,
    max: Vec<f64>,
    sample: Sample,
}

/// The values that quantiles are taken of: those of every `every`-th row.
struct Sample {
    columns: Vec<Vec<f32>>,
    row_limit: usize,
    every: u64,
}

impl Pass {
    fn new(width: usize, row_limit: usize) -> Self {
        Self {
            count: 0,
            mean: vec![0.0; width],
            squares: vec![0.0; width],
            min: vec![f64::INFINITY; width],
            max: vec![f64::NEG_INFINITY; width],
            sample: Sample { columns: vec![Vec::new(); width], row_limit: row_limit.max(2), every: 1 },
        }
    }

    fn push(&mut self, row: &[f32]) {
        self.sample.push(self.count, row);
        self.count += 1;
        for (place, value) in row.iter().map(|value| f64::from(*value)).enumerate() {
            let difference = value - self.mean[place];
            self.mean[place] += difference / self.count as f64;
            self.squares[place] += difference * (value - self.mean[place]);
            self.min[place] = self.min[place].min(value);
            self.max[place] = self.max[place].max(value);
        }
    }

    fn finish(self, names: Vec<String>) -> FeatureStatistics {
        let count = self.count as f64;
        FeatureStatistics {
            names,
            count: self.count,
            mean: self.mean,
            std: self.squares.iter().map(|squares| (squares / count).sqrt()).collect(),
            min: self.min,
            max: self.max,
            quantiles: self.sample.quantiles(),
        }
    }
}

impl Sample {
    fn push(&mut self, index: u64, row: &[f32]) {
        if !index.is_multiple_of(self.every) {
            return;
        }
        for (column, value) in self.columns.iter_mut().zip(row) {
            column.push(*value);
        }
        if self.columns[0].len() > self.row_limit {
            self.every *= 2;
            for column in &mut self.columns {
                let mut place = 0;
                column.retain(|_| {
                    place += 1;
                    place % 2 == 1
                });
            }
        }
    }

    fn quantiles(mut self) -> [Vec<f64>; 5] {
        self.columns.iter_mut().for_each(|column| column.sort_unstable_by(f32::total_cmp));
        QUANTILES.map(|(_, fraction)| self.columns.iter().map(|column| quantile(column, fraction)).collect())
    }
}

/// Linear between the values at the places around `fraction · (n − 1)`.
fn quantile(sorted: &[f32], fraction: f64) -> f64 {
    let place = fraction * (sorted.len() - 1) as f64;
    let [low, high] = [place.floor(), place.ceil()].map(|place| f64::from(sorted[place as usize]));
    low + (high - low) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn statistics(rows: &[f32], row_limit: usize) -> FeatureStatistics {
        let mut pass = Pass::new(1, row_limit);
        rows.iter().for_each(|value| pass.push(&[*value]));
        pass.finish(vec!["x".to_owned()])
    }

    /// `np.mean, np.std, np.quantile(x, [.01, .1, .5, .9, .99])` of `x = np.float64([3, 1, 4, 1, 5, 9, 2, 6])`.
    #[test]
    fn as_numpy() {
        let found = statistics(&[3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0], 100);
        assert_eq!((found.mean[0], found.min[0], found.max[0], found.count), (3.875, 1.0, 9.0, 8));
        assert!((found.std[0] - 2.570_870_475_150_391_7).abs() < 1e-14);
        for (ours, numpy) in found.quantiles.iter().zip([1.0, 1.0, 3.5, 6.9, 8.79]) {
            assert!((ours[0] - numpy).abs() < 1e-12, "{} {numpy}", ours[0]);
        }
    }

    #[test]
    fn a_large_mean_does_not_swallow_a_small_spread() {
        let rows: Vec<f32> = (0..100_000).map(|i| 1000.0 + if i % 2 == 0 { 0.0 } else { 0.0625 }).collect();
        assert!((statistics(&rows, 10).std[0] - 0.03125).abs() < 1e-10);
    }

    proptest! {
        /// Over the limit the quantiles are those of a part of the frames, taken evenly.
        #[test]
        fn quantiles_of_a_part_are_close(length in 200_usize..3000) {
            let rows: Vec<f32> = (0..length).map(|i| i as f32 / length as f32).collect();
            let found = statistics(&rows, 100);
            for ((_, fraction), ours) in QUANTILES.iter().zip(&found.quantiles) {
                prop_assert!((ours[0] - fraction).abs() < 0.02 + 1.0 / 50.0, "{} {fraction}", ours[0]);
            }
        }
    }

    #[test]
    fn a_constant_state_is_centred_not_scaled_and_reported() {
        let constant = statistics(&[1.2; 50], 100);
        let both = Statistics { state: constant.clone(), action: statistics(&[0.0, 1.0], 100) };
        let (floored, found) = both.floored(1e-3);
        let reported: Vec<_> = found.iter().map(|near| (near.feature, near.statistic)).collect();
        assert_eq!(
            reported,
            [(STATE, "std"), (STATE, "min to max"), (STATE, "q01 to q99"), (STATE, "q10 to q90")]
        );
        let value = f64::from(1.2_f32);
        assert_eq!((floored.state.mean[0], floored.state.std[0]), (value, 1.0));
        assert_eq!((floored.state.min[0], floored.state.max[0]), (value - 1.0, value + 1.0));
        assert_eq!(floored.action, both.action);
        assert_eq!(both.floored(0.0), (both, Vec::new()));
    }

    #[test]
    fn an_action_that_never_moves_is_commanded_to_stay() {
        let rare: Vec<f32> = (0..10_000).map(|row| if row == 77 { 0.75 } else { 0.5 }).collect();
        for (rows, scale) in [(vec![0.5; 50], 1e-3), (rare, 0.25)] {
            let action = statistics(&rows, 100_000);
            assert!(action.std[0] < 3e-3);
            let (floored, _) = Statistics { state: statistics(&[0.0, 1.0], 100), action }.floored(3e-3);
            let (mean, std) = (floored.action.mean[0], floored.action.std[0]);
            let scale = f64::max(scale, 3e-3);
            assert!((std - scale).abs() < 1e-4, "{std}");
            assert!((mean - 0.5).abs() < 1e-4);
            let [low, .., high] = &floored.action.quantiles;
            assert!((high[0] - low[0] - 2.0 * scale).abs() < 1e-4, "{} {}", low[0], high[0]);
        }
    }
}
