//! Real-time chunking: a chunk that goes on from what the robot is doing while it is computed.
//!
//! *Guided* (Black et al., 2025, arXiv 2506.07339, as LeRobot implements it): each Euler step is pulled towards the
//! steps of the previous chunk that were not done yet, fully for those that will be over when the new chunk arrives and
//! less and less up to the execution horizon. The paper pulls through the gradient of the network; LeRobot
//! differentiates `x − t v` with v held constant, so that the gradient is the identity and no graph of gradients is
//! needed. Its recorded trajectories are the reference here.
//!
//! *Clean prefix* (arXiv 2512.05964): those steps are given to the network as they are, at time 0. Only a network that
//! was trained so knows what that means.

use crate::error::Error;
use serde::{Deserialize, Serialize};

/// How the pull of guidance fades over the steps between the delay and the execution horizon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrefixSchedule {
    /// Nothing behind the delay.
    Zeros,
    /// In full up to the horizon.
    Ones,
    /// Linearly.
    Linear,
    /// Faster than linearly: `ω (e^ω − 1) / (e − 1)` of the linear weight ω.
    Exp,
}

impl PrefixSchedule {
    /// The weight of each step of a chunk: 1 for the first `delay`, 0 from `horizon` on.
    ///
    /// # Shapes
    /// `[chunk]`
    #[must_use]
    pub fn weights(self, delay: usize, horizon: usize, chunk: usize) -> Vec<f32> {
        let start = delay.min(horizon);
        let interior_count = horizon.min(chunk).saturating_sub(start);
        let fading = |step: usize| {
            let linear = 1.0 - (step - start + 1) as f32 / (interior_count + 1) as f32;
            match self {
                Self::Zeros => 0.0,
                Self::Ones => 1.0,
                Self::Linear => linear,
                Self::Exp => linear * linear.exp_m1() / (std::f32::consts::E - 1.0),
            }
        };
        let weight = |step| match step {
            step if step < start => 1.0,
            step if step < horizon => fading(step),
            _ => 0.0,
        };
        (0..chunk).map(weight).collect()
    }
}

/// How a new chunk is pulled towards the previous one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuidanceOptions {
    /// How the pull fades.
    pub schedule: PrefixSchedule,
    /// The strongest pull.
    pub max_weight: f32,
    /// Steps from which on there is no pull.
    pub execution_horizon: usize,
}

/// Steps of the previous chunk that the new one is pulled towards.
#[derive(Clone, Debug, PartialEq)]
pub struct Guidance {
    /// `[chunk, width]`; zero where the weight is.
    target: Vec<f32>,
    /// `[chunk]`
    weights: Vec<f32>,
    max_weight: f32,
}

impl Guidance {
    /// Towards `left_over`: what the previous chunk says from the new chunk's first step on, of which `delay` steps will
    /// be over when the new chunk arrives. Padding columns are pulled to zero, as the reference does.
    ///
    /// # Shapes
    /// `left_over` is `[steps, action dimensions]`, normalised; the chunk `[chunk, width]`.
    ///
    /// # Errors
    /// If `left_over` is empty, longer or wider than a chunk.
    pub fn new(
        options: &GuidanceOptions,
        left_over: &[f32],
        action_dim: usize,
        delay: usize,
        (chunk, width): (usize, usize),
    ) -> Result<Self, Error> {
        let target = padded("left-over", left_over, action_dim, (chunk, width))?;
        let steps = left_over.len() / action_dim;
        // What is not there any more must not be pulled towards: zero is the mean action, not a continuation.
        let horizon = options.execution_horizon.min(steps);
        let weights = options.schedule.weights(delay, horizon, chunk);
        let mut whole = vec![0.0; chunk * width];
        whole[..target.len()].copy_from_slice(&target);
        Ok(Self { target: whole, weights, max_weight: options.max_weight })
    }

    /// Pulls a velocity at `x_t`: `v − γ (Y − (x − t v)) w`, with γ = `min(max, c (t² + τ²) / t²)`, c = t / τ and
    /// τ = 1 − t.
    fn pull(&self, x_t: &[f32], time: f32, velocity: &mut [f32]) {
        let strength = self.strength(time);
        let width = x_t.len() / self.weights.len();
        let rows = velocity.chunks_exact_mut(width).zip(x_t.chunks_exact(width));
        for ((row, x_t), (target, weight)) in rows.zip(self.target.chunks_exact(width).zip(&self.weights)) {
            for ((v, x), y) in row.iter_mut().zip(x_t).zip(target) {
                let correction = (y - (x - time * *v)) * weight;
                *v -= strength * correction;
            }
        }
    }

    fn strength(&self, time: f32) -> f32 {
        let tau = 1.0 - time;
        let strength = (time / tau) * (time * time + tau * tau) / (time * time);
        // At t = 1 the quotient is infinite, at t = 0 it is none.
        if strength.is_finite() { strength.min(self.max_weight) } else { self.max_weight }
    }
}

/// Steps the robot is committed to, which the new chunk starts with.
#[derive(Clone, Debug, PartialEq)]
pub struct CleanPrefix {
    /// `[steps, width]`
    values: Vec<f32>,
}

impl CleanPrefix {
    /// `committed` is what the previous chunk says for the new chunk's first steps.
    ///
    /// # Shapes
    /// `[steps, action dimensions]`, normalised; the chunk `[chunk, width]`.
    ///
    /// # Errors
    /// If it is empty, longer or wider than a chunk.
    pub fn new(committed: &[f32], action_dim: usize, (chunk, width): (usize, usize)) -> Result<Self, Error> {
        Ok(Self { values: padded("committed steps", committed, action_dim, (chunk, width))? })
    }
}

/// What a new chunk has to go on from.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Conditioning {
    /// Nothing.
    #[default]
    Free,
    /// Pulled towards the previous chunk.
    Guided(Guidance),
    /// Starting with steps of the previous chunk.
    Clean(CleanPrefix),
}

/// Integrates the velocity as [`super::euler`] does, from noise to a chunk that goes on from what `conditioning` says.
///
/// # Shapes
/// `x_t` is `[chunk, width]`. `velocity` is given x_t and the time of each step, `[chunk]`, and returns the velocity in
/// the shape of x_t.
///
/// # Errors
/// If `velocity` fails.
pub fn sample<E>(
    step_count: usize,
    x_t: &mut [f32],
    chunk: usize,
    conditioning: &Conditioning,
    mut velocity: impl FnMut(&[f32], &[f32]) -> Result<Vec<f32>, E>,
) -> Result<(), E> {
    let width = x_t.len() / chunk;
    let clean: &[f32] = match conditioning {
        Conditioning::Clean(prefix) => &prefix.values,
        Conditioning::Free | Conditioning::Guided(_) => &[],
    };
    x_t[..clean.len()].copy_from_slice(clean);
    let clean_steps = clean.len() / width;
    let mut times = vec![0.0; chunk];
    super::euler(step_count, x_t, |x_t, time| {
        times[clean_steps..].fill(time);
        let mut v = velocity(x_t, &times)?;
        if let Conditioning::Guided(guidance) = conditioning {
            guidance.pull(x_t, time, &mut v);
        }
        // Clean steps are where they have to be.
        v[..clean.len()].fill(0.0);
        Ok(v)
    })
}

/// `[steps, action dimensions]` with zeros in the padding columns.
fn padded(
    name: &str,
    values: &[f32],
    action_dim: usize,
    (chunk, width): (usize, usize),
) -> Result<Vec<f32>, Error> {
    let steps = values.len() / action_dim.max(1);
    let is_whole = steps * action_dim == values.len();
    if steps == 0 || steps > chunk || action_dim > width || !is_whole {
        return Err(Error::Shape {
            name: name.to_owned(),
            expected: vec![chunk, width],
            found: vec![steps, action_dim],
        });
    }
    let mut padded = vec![0.0; steps * width];
    for (row, values) in padded.chunks_exact_mut(width).zip(values.chunks_exact(action_dim)) {
        row[..action_dim].copy_from_slice(values);
    }
    Ok(padded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    const OPTIONS: GuidanceOptions =
        GuidanceOptions { schedule: PrefixSchedule::Linear, max_weight: 10.0, execution_horizon: 4 };

    /// The values that the reference's documentation of ten steps lists.
    #[test]
    fn the_pull_is_strongest_at_both_ends() {
        let guidance = Guidance::new(&OPTIONS, &[0.0; 4], 1, 1, (8, 1)).unwrap();
        let expected = [10.0, 9.1111, 4.25, 2.7619, 2.1667, 2.0, 2.1667, 2.7619, 4.25, 9.1111];
        for (step, expected) in expected.into_iter().enumerate() {
            let found = guidance.strength(1.0 - step as f32 / 10.0);
            assert!((found - expected).abs() < 1e-3, "step {step}: {found} is not {expected}");
        }
        assert_eq!(guidance.strength(0.0), 10.0);
    }

    #[test]
    fn what_is_left_over_ends_the_pull() {
        let guidance = Guidance::new(&OPTIONS, &[5.0, 6.0], 1, 1, (8, 2)).unwrap();
        assert_eq!(guidance.weights, [1.0, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!(guidance.target[..6], [5.0, 0.0, 6.0, 0.0, 0.0, 0.0]);
    }

    /// A network that says nothing: guided steps arrive at the target to within what the pull allows, the others stay
    /// noise.
    #[test]
    fn a_pulled_chunk_goes_on_from_the_one_before() {
        let guidance = Guidance::new(&OPTIONS, &[2.0; 4], 1, 4, (8, 1)).unwrap();
        let mut x_t = vec![-1.0; 8];
        sample(10, &mut x_t, 8, &Conditioning::Guided(guidance), |x, _| {
            Ok::<_, Infallible>(vec![0.0; x.len()])
        })
        .unwrap();
        assert!(x_t[..4].iter().all(|x| (x - 2.0).abs() < 0.05), "{x_t:?}");
        assert!(x_t[4..].iter().all(|x| *x == -1.0), "{x_t:?}");
    }

    #[test]
    fn clean_steps_are_shown_at_time_0_and_stay_as_they_are() {
        let prefix = CleanPrefix::new(&[3.0, 4.0, 5.0, 6.0], 2, (4, 3)).unwrap();
        let mut x_t = vec![9.0; 12];
        let mut evaluations = 0;
        sample(5, &mut x_t, 4, &Conditioning::Clean(prefix), |x, times| {
            assert_eq!(x[..6], [3.0, 4.0, 0.0, 5.0, 6.0, 0.0]);
            assert_eq!(times[..2], [0.0, 0.0]);
            assert!(times[2] > 0.0 && times[2] == times[3]);
            evaluations += 1;
            Ok::<_, Infallible>(vec![1.0; 12])
        })
        .unwrap();
        assert_eq!(evaluations, 5);
        assert_eq!(x_t[..6], [3.0, 4.0, 0.0, 5.0, 6.0, 0.0]);
        assert!(x_t[6..].iter().all(|x| (x - 8.0).abs() < 1e-5), "{x_t:?}");
    }

    #[test]
    fn what_does_not_fit_a_chunk_is_refused() {
        for (left_over, action_dim) in [(&[][..], 1), (&[0.0; 9], 1), (&[0.0; 3], 2), (&[0.0; 4], 4)] {
            assert!(Guidance::new(&OPTIONS, left_over, action_dim, 1, (8, 2)).is_err());
            assert!(CleanPrefix::new(left_over, action_dim, (8, 2)).is_err());
        }
    }
}
