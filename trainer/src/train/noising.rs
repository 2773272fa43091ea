//! Flow matching's training pair: a noisy chunk, the velocity that undoes the noise, and what each number counts.

use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use sinew_models::flow;

/// What is drawn for one sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Draws {
    /// `[chunk, max_action_dim]`, normally distributed.
    pub noise: Vec<f32>,
    /// 1 is all noise, 0 none.
    pub time: f32,
    /// Steps at the start of the chunk that stay clean, as the ones a robot is already committed to.
    pub clean_step_count: usize,
}

impl Draws {
    /// For the `sample`-th sample of a training: the same whenever training is stopped and resumed. The clean
    /// prefix is uniform over `0..=max_clean_steps`.
    pub fn new(seed: u64, sample: u64, noise_len: usize, max_clean_steps: usize) -> Self {
        Self::next(&mut stream(seed, sample), noise_len, max_clean_steps)
    }

    /// Several for that sample, [`Self::new`]'s first.
    pub fn several(
        count: usize,
        seed: u64,
        sample: u64,
        noise_len: usize,
        max_clean_steps: usize,
    ) -> Vec<Self> {
        let mut rng = stream(seed, sample);
        (0..count).map(|_| Self::next(&mut rng, noise_len, max_clean_steps)).collect()
    }

    fn next(rng: &mut ChaCha8Rng, noise_len: usize, max_clean_steps: usize) -> Self {
        let time = flow::training_time(unit_open(rng));
        let clean_step_count = rng.random_range(0..=max_clean_steps);
        let noise = (0..noise_len).map(|_| rng.sample(StandardNormal)).collect();
        Self { noise, time, clean_step_count }
    }
}

/// A stream of its own for every sample, so that none depends on how many came before.
fn stream(seed: u64, sample: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(sample);
    rng
}

/// Uniform over (0, 1].
fn unit_open(rng: &mut ChaCha8Rng) -> f64 {
    ((rng.next_u64() >> 11) + 1) as f64 / (1_u64 << 53) as f64
}

/// The chunk of one sample as the model is trained on it.
#[derive(Clone, Debug, PartialEq)]
pub struct Noised {
    /// `[chunk, max_action_dim]`.
    pub x_t: Vec<f32>,
    /// `[chunk, max_action_dim]`: what the model is to say at `x_t`.
    pub velocity: Vec<f32>,
    /// `[chunk]`.
    pub time: Vec<f32>,
    /// `[chunk]`: whether the step counts.
    pub counts: Vec<bool>,
}

impl Noised {
    /// Mixes a normalised, padded chunk with noise: `x_t = t ε + (1 − t) a`, whose velocity is `ε − a`. Clean steps
    /// have time 0 and do not count; nor do padded ones.
    ///
    /// # Shapes
    /// `actions` and the noise are `[chunk, width]`, `action_is_pad` is `[chunk]`.
    pub fn new(actions: &[f32], action_is_pad: &[bool], draws: &Draws) -> Self {
        let chunk = action_is_pad.len();
        let width = actions.len() / chunk.max(1);
        let is_clean = |step: usize| step < draws.clean_step_count;
        let time: Vec<f32> = (0..chunk).map(|step| if is_clean(step) { 0.0 } else { draws.time }).collect();
        let mix = |(index, (action, noise)): (usize, (&f32, &f32))| {
            let t = time[index / width];
            t * noise + (1.0 - t) * action
        };
        let pairs = || actions.iter().zip(&draws.noise);
        Self {
            x_t: pairs().enumerate().map(mix).collect(),
            velocity: pairs().map(|(action, noise)| noise - action).collect(),
            counts: (0..chunk).map(|step| !is_clean(step) && !action_is_pad[step]).collect(),
            time,
        }
    }
}

/// What each squared error counts in a batch's loss, so that the loss is a plain sum: 1 over the number of errors
/// that count, times the sample's and the dimension's weight. With all weights 1 this is the mean that LeRobot 0.6
/// takes over real steps and real dimensions of the whole batch.
///
/// # Shapes
/// `counts` has one `[chunk]` a sample, `sample_weights` is `[batch]`, `dimension_weights` `[action_dim]`; the
/// result `[batch, chunk, action_dim]`.
pub fn error_weights(counts: &[&[bool]], sample_weights: &[f32], dimension_weights: &[f32]) -> Vec<f32> {
    let counted = counts.iter().flat_map(|steps| steps.iter()).filter(|counts| **counts).count();
    let share = 1.0 / (counted * dimension_weights.len()).max(1) as f32;
    let mut weights = Vec::with_capacity(counts.len() * dimension_weights.len());
    for (steps, sample) in counts.iter().zip(sample_weights) {
        for counts in *steps {
            let step = if *counts { share * sample } else { 0.0 };
            weights.extend(dimension_weights.iter().map(|dimension| step * dimension));
        }
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clean_steps_are_the_actions_themselves_and_do_not_count() {
        let actions: Vec<f32> = (0..12).map(|x| x as f32).collect();
        let draws = Draws { noise: vec![100.0; 12], time: 0.5, clean_step_count: 2 };
        let noised = Noised::new(&actions, &[false, false, false, true], &draws);
        assert_eq!(noised.x_t[..6], actions[..6]);
        assert_eq!(noised.x_t[6..9], [53.0, 53.5, 54.0]);
        assert_eq!(noised.time, [0.0, 0.0, 0.5, 0.5]);
        assert_eq!(noised.counts, [false, false, true, false]);
        assert_eq!(noised.velocity[6..9], [94.0, 93.0, 92.0]);
    }

    /// What the robot shows the network in its first Euler step is what training shows it at time 1.
    #[test]
    fn a_robot_shows_clean_steps_as_training_does() {
        let (chunk, width, action_dim) = (4, 3, 2);
        let actions = [1.0, 2.0, 0.0, 3.0, 4.0, 0.0, 5.0, 6.0, 0.0, 7.0, 8.0, 0.0];
        let noise: Vec<f32> = (0..12).map(|x| 0.1 * x as f32).collect();
        let draws = Draws { noise: noise.clone(), time: 1.0, clean_step_count: 2 };
        let trained = Noised::new(&actions, &[false; 4], &draws);
        let prefix = flow::CleanPrefix::new(&[1.0, 2.0, 3.0, 4.0], action_dim, (chunk, width)).unwrap();
        let mut shown = Vec::new();
        flow::sample(10, &mut noise.clone(), chunk, &flow::Conditioning::Clean(prefix), |x_t, time| {
            shown.push((x_t.to_vec(), time.to_vec()));
            Ok::<_, std::convert::Infallible>(vec![0.0; x_t.len()])
        })
        .unwrap();
        assert_eq!(shown[0], (trained.x_t, trained.time));
        assert_eq!(shown[9].1[..2], [0.0, 0.0]);
    }

    #[test]
    fn a_sample_s_draws_depend_on_seed_and_number_alone() {
        let draws = Draws::new(7, 123, 40, 5);
        assert_eq!(draws, Draws::new(7, 123, 40, 5));
        assert_ne!(draws, Draws::new(7, 124, 40, 5));
        assert_ne!(draws, Draws::new(8, 123, 40, 5));
        let several = Draws::several(3, 7, 123, 40, 5);
        assert_eq!(several[0], draws);
        assert_ne!(several[1], several[2]);
    }

    /// Beta(1.5, 1) has mean 0.6; a clean prefix is uniform.
    #[test]
    fn times_and_prefixes_are_distributed_as_said() {
        let draws: Vec<Draws> = (0..4000).map(|sample| Draws::new(1, sample, 1, 4)).collect();
        let mean = draws.iter().map(|draws| f64::from(draws.time)).sum::<f64>() / 4000.0;
        assert!((mean - (0.999 * 0.6 + 0.001)).abs() < 0.02, "{mean}");
        assert!(draws.iter().all(|draws| draws.time > 0.0 && draws.time <= 1.0));
        for length in 0..=4 {
            let count = draws.iter().filter(|draws| draws.clean_step_count == length).count();
            assert!((600..1000).contains(&count), "{count} of 4000 have {length} clean steps");
        }
    }

    #[test]
    fn weights_share_out_what_counts() {
        let counts = [[true, false].as_slice(), &[true, true]];
        let weights = error_weights(&counts, &[2.0, 0.5], &[1.5, 0.5]);
        let share = 1.0 / 6.0;
        let expected = [3.0, 1.0, 0.0, 0.0, 0.75, 0.25, 0.75, 0.25].map(|weight: f32| weight * share);
        for (found, expected) in weights.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-7, "{weights:?}");
        }
    }
}
