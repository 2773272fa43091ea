//! What simple predictors make of the same frames: the nearest rows of other episodes, a linear map, the mean, the
//! present state. What they can do, a policy should; what nobody can predict from what is seen, no policy will.

use crate::Error;
use crate::analyze::measures::{Moments, mean};
use crate::analyze::predictions::{PredictionSet, Predictions};
use crate::analyze::sampling;
use crate::data::{Corpus, FrameId};
use std::ops::Range;

/// Rows of the training episodes that the simple predictors learn from.
const SUPPORT_LIMIT: usize = 2000;
/// Neighbours that are averaged.
const NEIGHBOUR_COUNT: usize = 5;
/// Parts of a chunk that are looked at one by one.
pub const THIRDS: usize = 3;
/// The linear map's penalty, relative to the number of rows: enough to keep it defined.
const RIDGE: f64 = 1e-3;

/// Frames as points: what is seen of each, and what was done from there on.
#[derive(Clone, Debug, Default)]
pub struct Cloud {
    /// Where each is from.
    pub frames: Vec<FrameId>,
    /// `[frames, features]`.
    pub features: Vec<Vec<f64>>,
    /// `[frames][chunk × action_dim]`.
    pub futures: Vec<Vec<f32>>,
    /// `[frames][chunk]`.
    pub is_pad: Vec<Vec<bool>>,
}

/// How much of each dimension's variance simple predictors explain, on the frames that the policy is judged by.
#[derive(Clone, Debug, PartialEq)]
pub struct Baselines {
    /// The best of nearest rows and linear map from the state.
    pub from_state: Vec<f64>,
    /// The nearest frames by state and picture.
    pub from_look: Vec<f64>,
    /// The best of all three on the chunk's first, middle and last third alone.
    pub by_third: Vec<[f64; THIRDS]>,
    /// Saying the present state, of dimensions whose joint the state has.
    pub copying: Vec<Option<f64>>,
    /// Whether pictures differ from frame to frame, so that they could tell what the state does not.
    pub looks_vary: bool,
}

impl Baselines {
    /// The best of them for a dimension.
    #[must_use]
    pub fn best(&self, dimension: usize) -> f64 {
        self.from_state[dimension].max(self.from_look[dimension])
    }
}

/// Rows of the training episodes, by state alone.
///
/// # Errors
/// If one cannot be read.
pub fn support(corpus: &Corpus, seed: u64) -> Result<Cloud, Error> {
    let frames = sampling::sampled(corpus, corpus.train_episodes(), SUPPORT_LIMIT, seed)?;
    let mut cloud = Cloud::default();
    for frame in frames {
        let example = corpus.example(frame)?;
        cloud.frames.push(frame);
        cloud.features.push(example.state.iter().map(|value| f64::from(*value)).collect());
        cloud.futures.push(example.actions);
        cloud.is_pad.push(example.action_is_pad);
    }
    Ok(cloud)
}

/// Predicted frames as points, by state and, if asked for, picture.
#[must_use]
pub fn cloud(set: &PredictionSet, of: &Predictions, with_look: bool) -> Cloud {
    let chunk = of.chunk_size * of.action_dim;
    let look_len = if set.is_empty() { 0 } else { set.look.len() / set.len() };
    let features = |frame: usize| {
        let state = &set.state[frame * of.state_dim..][..of.state_dim];
        let look = if with_look { &set.look[frame * look_len..][..look_len] } else { &[] };
        state.iter().chain(look).map(|value| f64::from(*value)).collect()
    };
    Cloud {
        frames: set.frames.clone(),
        features: (0..set.len()).map(features).collect(),
        futures: set.truth.chunks_exact(chunk.max(1)).map(<[f32]>::to_vec).collect(),
        is_pad: set.is_pad.chunks_exact(of.chunk_size.max(1)).map(<[bool]>::to_vec).collect(),
    }
}

/// Sets the simple predictors beside the judged frames.
///
/// # Shapes
/// `state_of[d]` is the state's place of action dimension `d`'s joint.
#[must_use]
pub fn measure(
    support: &Cloud,
    of: &Predictions,
    judged: &PredictionSet,
    state_of: &[Option<usize>],
) -> Baselines {
    let width = of.action_dim;
    let query = cloud(judged, of, false);
    let nearest = nearest_futures(support, &query);
    let linear = linear_futures(support, &query);
    let seen = cloud(judged, of, true);
    let train = cloud(&of.train, of, true);
    let look = nearest_futures(&train, &seen);
    let best = |steps: &Range<usize>| {
        let [nearest, linear, look] =
            [&nearest, &linear, &look].map(|answers| explained(&query, width, answers, steps));
        let state: Vec<f64> = nearest.into_iter().zip(linear).map(|(a, b)| a.max(b)).collect();
        (state, look)
    };
    let (from_state, from_look) = best(&(0..of.chunk_size));
    let mut by_third = vec![[0.0; THIRDS]; width];
    for place in 0..THIRDS {
        let (state, look) = best(&third(of.chunk_size, place));
        by_third.iter_mut().zip(state.iter().zip(look)).for_each(|(best, (a, b))| best[place] = a.max(b));
    }
    let look_len = if judged.is_empty() { 0 } else { judged.look.len() / judged.len() };
    let varies = |place: usize| {
        let values = judged.look.iter().skip(place).step_by(look_len);
        // A grey level of 256.
        Moments::of(values.map(|value| f64::from(*value))).variance.sqrt() > 1.0 / 256.0
    };
    Baselines {
        from_state,
        from_look,
        by_third,
        copying: state_of
            .iter()
            .enumerate()
            .map(|(d, state)| Some(copying(&query, width, d, (*state)?)))
            .collect(),
        looks_vary: (0..look_len).any(varies),
    }
}

/// The steps of a chunk's part.
pub(crate) fn third(chunk_size: usize, place: usize) -> Range<usize> {
    let edge = |place: usize| (chunk_size * place).div_ceil(THIRDS);
    edge(place)..edge(place + 1)
}

/// The share of each dimension's variance that answers explain on some steps; no answer is the mean's.
fn explained(query: &Cloud, width: usize, answers: &[Option<Vec<f64>>], steps: &Range<usize>) -> Vec<f64> {
    (0..width)
        .map(|dimension| {
            let asked =
                || numbers(query, width, dimension).filter(|(_, place, _)| steps.contains(&(place / width)));
            let truth = mean(asked().map(|(_, _, truth)| truth));
            let mut pairs = Vec::new();
            for (frame, place, value) in asked() {
                pairs.push((answers[frame].as_ref().map_or(truth, |answer| answer[place]), value));
            }
            crate::analyze::measures::r2(&pairs)
        })
        .collect()
}

fn copying(query: &Cloud, width: usize, dimension: usize, state: usize) -> f64 {
    let pairs: Vec<(f64, f64)> = numbers(query, width, dimension)
        .map(|(frame, _, truth)| (query.features[frame][state], truth))
        .collect();
    crate::analyze::measures::r2(&pairs)
}

/// Of one dimension: frame, place in its future, and what was done.
fn numbers(cloud: &Cloud, width: usize, dimension: usize) -> impl Iterator<Item = (usize, usize, f64)> + '_ {
    cloud.futures.iter().zip(&cloud.is_pad).enumerate().flat_map(move |(frame, (future, is_pad))| {
        let steps = is_pad.iter().enumerate().filter(|(_, is_pad)| !**is_pad);
        steps.map(move |(step, _)| {
            let place = step * width + dimension;
            (frame, place, f64::from(future[place]))
        })
    })
}

/// The mean future of the nearest rows of other episodes.
fn nearest_futures(support: &Cloud, query: &Cloud) -> Vec<Option<Vec<f64>>> {
    let scale = feature_scales(support);
    let answer = |frame: usize| {
        let near =
            nearest(support, &scale, query.frames[frame], &query.features[frame], NEIGHBOUR_COUNT, false);
        let first = *near.first()?;
        let mut sum = vec![0.0; support.futures[first].len()];
        for place in &near {
            sum.iter_mut().zip(&support.futures[*place]).for_each(|(sum, value)| *sum += f64::from(*value));
        }
        Some(sum.into_iter().map(|sum| sum / near.len() as f64).collect())
    };
    (0..query.frames.len()).map(answer).collect()
}

/// The nearest points of other episodes, the nearest first; of each episode at most one if so asked.
pub(crate) fn nearest(
    support: &Cloud,
    scale: &[f64],
    frame: FrameId,
    features: &[f64],
    count: usize,
    one_an_episode: bool,
) -> Vec<usize> {
    let episode = |frame: &FrameId| (frame.dataset, frame.episode_index);
    let distance = |place: usize| -> f64 {
        let pairs = support.features[place].iter().zip(features).zip(scale);
        pairs.map(|((a, b), scale)| ((a - b) * scale).powi(2)).sum()
    };
    let others =
        (0..support.frames.len()).filter(|place| episode(&support.frames[*place]) != episode(&frame));
    let mut sorted: Vec<(f64, usize)> = others.map(|place| (distance(place), place)).collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut taken = Vec::with_capacity(count);
    let mut episodes = std::collections::HashSet::new();
    for (_, place) in sorted {
        if taken.len() == count {
            break;
        }
        if episodes.insert(episode(&support.frames[place])) || !one_an_episode {
            taken.push(place);
        }
    }
    taken
}

/// One over each feature's standard deviation; 0 for one that never changes.
pub(crate) fn feature_scales(cloud: &Cloud) -> Vec<f64> {
    let width = cloud.features.first().map_or(0, Vec::len);
    let scale = |place: usize| {
        let std = Moments::of(cloud.features.iter().map(|features| features[place])).variance.sqrt();
        if std > 0.0 { 1.0 / std } else { 0.0 }
    };
    (0..width).map(scale).collect()
}

/// A ridge regression from features to futures.
fn linear_futures(support: &Cloud, query: &Cloud) -> Vec<Option<Vec<f64>>> {
    let scale = feature_scales(support);
    let width = scale.len();
    let centre: Vec<f64> =
        (0..width).map(|place| mean(support.features.iter().map(|features| features[place]))).collect();
    // Features that no training row has are cut off where the training's end.
    let row = |features: &[f64]| -> Vec<f64> {
        let scaled =
            features.iter().zip(&centre).zip(&scale).map(|((x, c), s)| ((x - c) * s).clamp(-5.0, 5.0));
        scaled.chain([1.0]).collect()
    };
    let rows: Vec<Vec<f64>> = support.features.iter().map(|features| row(features)).collect();
    let Some(output_count) = support.futures.first().map(Vec::len) else {
        return vec![None; query.frames.len()];
    };
    let size = width + 1;
    let (mut gram, mut cross) = (vec![0.0; size * size], vec![0.0; size * output_count]);
    for (row, future) in rows.iter().zip(&support.futures) {
        for (i, x) in row.iter().enumerate() {
            row.iter().enumerate().for_each(|(j, y)| gram[i * size + j] += x * y);
            let cross = &mut cross[i * output_count..][..output_count];
            cross.iter_mut().zip(future).for_each(|(sum, y)| *sum += x * f64::from(*y));
        }
    }
    (0..width).for_each(|i| gram[i * size + i] += RIDGE * rows.len() as f64);
    solve(&mut gram, &mut cross, size, output_count);
    let answer = |features: &Vec<f64>| {
        let mut sum = vec![0.0; output_count];
        for (x, weights) in row(features).iter().zip(cross.chunks_exact(output_count)) {
            sum.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += x * weight);
        }
        Some(sum)
    };
    query.features.iter().map(answer).collect()
}

/// Solves `matrix · X = right` in place by Cholesky's decomposition; the ridge makes the matrix positive definite.
///
/// # Shapes
/// `matrix` is `[size, size]`, `right` `[size, columns]`.
fn solve(matrix: &mut [f64], right: &mut [f64], size: usize, columns: usize) {
    for i in 0..size {
        for j in 0..=i {
            let dot: f64 = (0..j).map(|k| matrix[i * size + k] * matrix[j * size + k]).sum();
            let rest = matrix[i * size + j] - dot;
            matrix[i * size + j] =
                if i == j { rest.max(f64::MIN_POSITIVE).sqrt() } else { rest / matrix[j * size + j] };
        }
    }
    let mut eliminate = |i: usize, factors: &dyn Fn(usize) -> f64, others: std::ops::Range<usize>| {
        for k in others {
            let factor = factors(k);
            for column in 0..columns {
                right[i * columns + column] -= factor * right[k * columns + column];
            }
        }
        let pivot = matrix[i * size + i];
        right[i * columns..][..columns].iter_mut().for_each(|value| *value /= pivot);
    };
    for i in 0..size {
        eliminate(i, &|k| matrix[i * size + k], 0..i);
    }
    for i in (0..size).rev() {
        eliminate(i, &|k| matrix[k * size + i], i + 1..size);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Twenty episodes of ten rows. Three numbers of state, and a future of two steps of three dimensions: a line through
    /// the state, a bend that only neighbours can follow, and chance.
    fn world(seed: u64) -> Cloud {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut cloud = Cloud::default();
        for episode_index in 0..20 {
            for row in 0..10 {
                let state: Vec<f64> = (0..3).map(|_| rng.random_range(-1.0..1.0)).collect();
                let step = |k: f64, chance: f64| {
                    let line = 2.0 * state[0] - state[1] + k;
                    [line as f32, state[2].abs() as f32, chance as f32]
                };
                let future = [step(0.0, rng.random()), step(1.0, rng.random())].concat();
                cloud.frames.push(FrameId { dataset: 0, episode_index: episode_index + 100 * seed, row });
                cloud.features.push(state);
                cloud.futures.push(future);
                cloud.is_pad.push(vec![false, row == 9]);
            }
        }
        cloud
    }

    #[test]
    fn a_line_is_explained_by_the_linear_map_a_bend_by_neighbours_and_chance_by_nothing() {
        let (support, query) = (world(1), world(2));
        let linear = explained(&query, 3, &linear_futures(&support, &query), &(0..2));
        let nearest = explained(&query, 3, &nearest_futures(&support, &query), &(0..2));
        assert!(linear[0] > 0.9999, "{linear:?}");
        assert!(linear[1] < 0.1 && nearest[1] > 0.6, "{linear:?} {nearest:?}");
        assert!(linear[2] < 0.1 && nearest[2] < 0.1, "{linear:?} {nearest:?}");
    }

    #[test]
    fn neighbours_are_never_of_the_same_episode() {
        let cloud = world(1);
        let scale = feature_scales(&cloud);
        let near = nearest(&cloud, &scale, cloud.frames[15], &cloud.features[15], 12, true);
        let mut episodes: Vec<u64> = near.iter().map(|place| cloud.frames[*place].episode_index).collect();
        episodes.sort_unstable();
        episodes.dedup();
        assert_eq!(episodes.len(), 12);
        assert!(!episodes.contains(&cloud.frames[15].episode_index));
    }
}
