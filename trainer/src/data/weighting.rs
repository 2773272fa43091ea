//! What a sample's loss counts, and what an action dimension's does.

use crate::Error;
use crate::data::corpus::{Corpus, dimensions_of};
use crate::data::numbers::Numbers;
use crate::data::options::{Segment, WeightOptions};
use crate::data::sample::{Draw, FrameId};
use crate::data::selection::Names;
use crate::data::statistics::FeatureStatistics;
use std::collections::HashMap;

/// Weights of samples, before they are normalised.
#[derive(Clone, Debug)]
pub(crate) struct SampleWeights {
    temporal_alpha: f64,
    factor: f64,
    /// By dataset and episode, the rows that count `factor`, where there are any.
    segments: HashMap<(usize, u64), Vec<bool>>,
}

/// Where the numbers are that tell segments.
struct Watched {
    action: Vec<usize>,
    state: Vec<usize>,
}

impl SampleWeights {
    /// Finds the segments of all training episodes, if they are asked for.
    pub(crate) fn new(corpus: &Corpus, options: &WeightOptions) -> Result<Self, Error> {
        let mut segments = HashMap::new();
        if let Some(segment) = &options.segment {
            let watched = Watched::resolve(corpus, &segment.dimensions)?;
            for episode in corpus.train_episodes() {
                let numbers = corpus.numbers(episode.dataset, episode.episode_index)?;
                segments
                    .insert((episode.dataset, episode.episode_index), watched.segments(&numbers, segment));
            }
        }
        let factor = options.segment.as_ref().map_or(1.0, |segment| segment.factor);
        Ok(Self { temporal_alpha: options.temporal_alpha, factor, segments })
    }

    /// What a frame counts. Progress is over the whole episode of `length` rows, whatever part of it is shown.
    pub(crate) fn of(&self, frame: FrameId, length: usize) -> f32 {
        let progress = if length > 1 { frame.row as f64 / (length - 1) as f64 } else { 0.0 };
        let is_in_segment = self
            .segments
            .get(&(frame.dataset, frame.episode_index))
            .is_some_and(|rows| rows.get(frame.row).copied().unwrap_or(false));
        let segment = if is_in_segment { self.factor } else { 1.0 };
        ((1.0 + self.temporal_alpha * progress * progress) * segment) as f32
    }
}

impl Watched {
    /// A name of the action first, else of the state.
    fn resolve(corpus: &Corpus, dimensions: &[String]) -> Result<Self, Error> {
        let state_names = corpus.state_names().into_iter().map(str::to_owned).collect();
        let state = Names::new("the selected action and state", state_names);
        let mut watched = Self { action: Vec::new(), state: Vec::new() };
        for name in dimensions {
            match dimensions_of(corpus.action_names(), std::slice::from_ref(name)) {
                Ok(places) => watched.action.extend(places),
                Err(_) => watched.state.extend(state.resolve(name)?),
            }
        }
        Ok(watched)
    }

    /// Of each row, whether a change is at most `margin` rows away. The change from row `r − 1` to `r` is at both.
    fn segments(&self, numbers: &Numbers, segment: &Segment) -> Vec<bool> {
        let mut rows = vec![false; numbers.row_count()];
        let jumps = |places: &[usize], before: &[f32], now: &[f32]| {
            places.iter().any(|place| f64::from((now[*place] - before[*place]).abs()) > segment.threshold)
        };
        for row in 1..numbers.row_count() {
            let is_change = jumps(&self.action, numbers.action(row - 1), numbers.action(row))
                || jumps(&self.state, numbers.state(row - 1), numbers.state(row));
            if is_change {
                let first = (row - 1).saturating_sub(segment.margin);
                let last = (row + segment.margin).min(numbers.row_count() - 1);
                rows[first..=last].fill(true);
            }
        }
        rows
    }
}

/// Scales the weights to 1 on average.
pub(crate) fn normalize_mean(draws: &mut [Draw]) {
    let sum: f64 = draws.iter().map(|draw| f64::from(draw.weight)).sum();
    let scale = draws.len() as f64 / sum;
    for draw in draws {
        draw.weight = (f64::from(draw.weight) * scale) as f32;
    }
}

/// What each action dimension's loss counts: `1 / variance` if asked for, times the factors of the options, 1 on
/// average. A dimension that is near-constant counts 1 before factors: its variance is noise. `statistics` are as
/// measured: [`Statistics::floored`](crate::data::Statistics::floored) would hide which those are.
///
/// # Shapes
/// `[action_dim]`, in the policy's order.
///
/// # Errors
/// If a name is unknown, or every dimension counts 0.
pub fn dimension_weights(
    options: &WeightOptions,
    action_names: &[String],
    statistics: &FeatureStatistics,
    std_floor: f64,
) -> Result<Vec<f32>, Error> {
    let mut weights = vec![1.0; action_names.len()];
    if options.inverse_variance {
        let varies = |place: &usize| statistics.std[*place] > std_floor.max(f64::MIN_POSITIVE);
        let varying: Vec<usize> = (0..weights.len()).filter(varies).collect();
        let inverse = |place: &usize| statistics.std[*place].powi(-2);
        let mean = varying.iter().map(inverse).sum::<f64>() / varying.len() as f64;
        varying.iter().for_each(|place| weights[*place] = inverse(place) / mean);
    }
    for (name, factor) in &options.dimensions {
        for place in dimensions_of(action_names, std::slice::from_ref(name))? {
            weights[place] *= factor;
        }
    }
    let mean = weights.iter().sum::<f64>() / weights.len() as f64;
    if mean <= 0.0 {
        return Err(crate::data::limits::invalid("weights.dimensions", "0 everywhere", "one above 0"));
    }
    Ok(weights.iter().map(|weight| (weight / mean) as f32).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn weights(inverse_variance: bool, factors: &[(&str, f64)], std: &[f64]) -> Result<Vec<f32>, Error> {
        let dimensions: BTreeMap<_, _> = factors.iter().map(|(name, f)| ((*name).to_owned(), *f)).collect();
        let options = WeightOptions { inverse_variance, dimensions, ..WeightOptions::default() };
        let names: Vec<String> = ["arm_1", "arm_2", "gripper"].map(str::to_owned).into();
        let statistics = FeatureStatistics { std: std.to_vec(), ..FeatureStatistics::default() };
        dimension_weights(&options, &names, &statistics, 1e-3)
    }

    #[test]
    fn dimension_weights_are_1_on_average() {
        assert_eq!(weights(false, &[], &[1.0, 2.0, 3.0]).unwrap(), [1.0; 3]);
        assert_eq!(weights(false, &[("gripper", 4.0)], &[1.0; 3]).unwrap(), [0.5, 0.5, 2.0]);
        assert_eq!(weights(false, &[("arm", 0.0)], &[1.0; 3]).unwrap(), [0.0, 0.0, 3.0]);
        let inverse = weights(true, &[], &[0.5, 1.0, 1.0]).unwrap();
        assert!((inverse.iter().sum::<f32>() - 3.0).abs() < 1e-6);
        assert!((inverse[0] / inverse[1] - 4.0).abs() < 1e-6, "four times for half the spread");
    }

    #[test]
    fn a_constant_dimension_does_not_take_all_the_weight() {
        let weights = weights(true, &[], &[0.5, 0.5, 1e-9]).unwrap();
        assert_eq!(weights, [1.0; 3]);
    }

    #[test]
    fn no_weight_at_all_is_refused() {
        assert!(weights(false, &[("arm", 0.0), ("gripper", 0.0)], &[1.0; 3]).is_err());
        assert!(weights(false, &[("griper", 2.0)], &[1.0; 3]).unwrap_err().to_string().contains("`gripper`"));
    }
}
