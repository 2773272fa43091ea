//! Whether near-identical observations have several distinct futures. Pure, and about the data alone.

use crate::analyze::baselines::{Cloud, feature_scales, nearest};
use crate::analyze::measures::Moments;

/// Futures compared around a frame, each from an episode of its own: fewer cannot show two groups.
const NEIGHBOUR_COUNT: usize = 12;
/// Frames looked around.
const FRAME_LIMIT: usize = 200;

/// How the futures of near-identical observations differ, in one dimension.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Modes {
    /// Their variance, over the dimension's variance in the data: 0 if the observation decides, 1 if it says nothing.
    pub local_share: f64,
    /// The part of their range that lies empty between two groups: 1 for two points. Twelve values that may be
    /// anywhere in a range leave 0.26 of it between them (weighed by their variances), a normal distribution's 0.22, those of a sine of unknown
    /// phase 0.32.
    pub separation: f64,
}

/// Looks around frames of a cloud. Absent with too few episodes to compare.
///
/// # Shapes
/// One entry an action dimension.
#[must_use]
pub fn measure(cloud: &Cloud, width: usize) -> Option<Vec<Modes>> {
    let scale = feature_scales(cloud);
    let stride = cloud.frames.len().div_ceil(FRAME_LIMIT).max(1);
    let neighbourhoods: Vec<Vec<usize>> = (0..cloud.frames.len())
        .step_by(stride)
        .map(|place| {
            nearest(cloud, &scale, cloud.frames[place], &cloud.features[place], NEIGHBOUR_COUNT, true)
        })
        .filter(|near| near.len() == NEIGHBOUR_COUNT)
        .collect();
    if neighbourhoods.is_empty() {
        return None;
    }
    Some((0..width).map(|dimension| modes(cloud, width, dimension, &neighbourhoods)).collect())
}

fn modes(cloud: &Cloud, width: usize, dimension: usize, neighbourhoods: &[Vec<usize>]) -> Modes {
    let everywhere = cloud
        .futures
        .iter()
        .flat_map(|future| future.iter().skip(dimension).step_by(width).map(|value| f64::from(*value)));
    let variance = Moments::of(everywhere).variance;
    if variance <= 0.0 {
        return Modes { local_share: 0.0, separation: 0.0 };
    }
    let (mut local, mut weighted) = (0.0, 0.0);
    for near in neighbourhoods {
        let mut values = apart(cloud, width, dimension, near);
        let spread = Moments::of(values.iter().copied()).variance;
        local += spread;
        weighted += spread * separation(&mut values);
    }
    Modes {
        local_share: local / neighbourhoods.len() as f64 / variance,
        separation: if local > 0.0 { weighted / local } else { 0.0 },
    }
}

/// The neighbours' values at the step where they differ most, among the steps inside all their episodes.
fn apart(cloud: &Cloud, width: usize, dimension: usize, near: &[usize]) -> Vec<f64> {
    let step_count = cloud.is_pad[near[0]].len();
    let at = |step: usize| {
        near.iter().map(move |place| f64::from(cloud.futures[*place][step * width + dimension]))
    };
    let inside = (0..step_count).filter(|step| near.iter().all(|place| !cloud.is_pad[*place][*step]));
    let spread = |step: &usize| Moments::of(at(*step)).variance;
    let widest = inside.max_by(|a, b| spread(a).total_cmp(&spread(b))).unwrap_or(0);
    at(widest).collect()
}

/// The widest gap between neighbouring values, over their range, with at least two values on both sides of it: one that
/// is alone is an outlier and not a group. How the values are spread within the groups does not matter, and of all
/// distributions with one mode the uniform one is the hardest to tell from two (Hartigan and Hartigan, The Dip Test of
/// Unimodality, 1985).
fn separation(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let range = values[values.len() - 1] - values[0];
    if range <= 0.0 {
        return 0.0;
    }
    let inner = &values[1..values.len() - 1];
    inner.windows(2).map(|pair| (pair[1] - pair[0]) / range).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analyze::measures::mean;
    use crate::data::FrameId;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use std::f64::consts::PI;

    /// Forty episodes of twenty rows on a line, whose one future number is `future(episode's own number, row)`.
    fn cloud(future: impl Fn(f64, usize) -> f64) -> Cloud {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let mut cloud = Cloud::default();
        for episode_index in 0..40 {
            let own = rng.random_range(-1.0..1.0);
            for row in 0..20 {
                cloud.frames.push(FrameId { dataset: 0, episode_index, row });
                cloud.features.push(vec![row as f64]);
                cloud.futures.push(vec![future(own, row) as f32]);
                cloud.is_pad.push(vec![false]);
            }
        }
        cloud
    }

    #[test]
    fn two_ways_are_told_from_one_and_from_any() {
        let found = |future: &dyn Fn(f64, usize) -> f64| measure(&cloud(future), 1).unwrap()[0];
        let decided = found(&|_, row| row as f64);
        assert!(decided.local_share < 1e-9, "{decided:?}");
        let either = found(&|own, _| own.signum() + 0.05 * own);
        assert!(either.local_share > 0.5 && either.separation > 0.9, "{either:?}");
        let anywhere = found(&|own, _| own);
        assert!(anywhere.local_share > 0.5 && anywhere.separation < 0.35, "{anywhere:?}");
        // A swing that somebody else begins: often near its ends, yet everywhere between.
        let swinging = found(&|own, row| (PI * own + row as f64).sin());
        assert!(swinging.local_share > 0.5 && swinging.separation < 0.4, "{swinging:?}");
    }

    /// `numpy`: the mean over 400,000 draws of twelve uniform numbers is 0.257, and 0.86 % are above a half.
    #[test]
    fn anywhere_leaves_no_gap_by_chance() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut gap = || separation(&mut [(); NEIGHBOUR_COUNT].map(|()| rng.random::<f64>()));
        let gaps: Vec<f64> = (0..20_000).map(|_| gap()).collect();
        assert!((mean(gaps.iter().copied()) - 0.257).abs() < 0.003);
        let wide = gaps.iter().filter(|gap| **gap > 0.5).count() as f64 / 20_000.0;
        assert!((wide - 0.0086).abs() < 0.002, "{wide}");
    }

    #[test]
    fn an_outlier_is_no_group() {
        let mut values = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 30.0];
        assert!(separation(&mut values) < 0.05);
    }
}
