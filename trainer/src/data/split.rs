//! Which episodes train and which validate.

use rand::RngCore;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Of each episode number, whether the episode is kept for validation: `fraction` of them, rounded, at least one if
/// there are two, and never all.
///
/// Every number has a rank of its own that depends on the seed only, and the lowest ranks validate. So other episodes
/// coming or going change at most the ones at the border, and the format or order of the set changes nothing.
pub(crate) fn is_validation(episodes: &[u64], fraction: f64, seed: u64) -> Vec<bool> {
    let mut chosen = vec![false; episodes.len()];
    if fraction <= 0.0 || episodes.len() < 2 {
        return chosen;
    }
    let count = ((episodes.len() as f64 * fraction).round() as usize).clamp(1, episodes.len() - 1);
    let rank = |episode: u64| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(episode);
        rng.next_u64()
    };
    let mut order: Vec<usize> = (0..episodes.len()).collect();
    order.sort_by_cached_key(|place| (rank(episodes[*place]), episodes[*place]));
    for place in &order[..count] {
        chosen[*place] = true;
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::is_validation;
    use proptest::prelude::*;

    fn chosen(episodes: &[u64], fraction: f64, seed: u64) -> Vec<u64> {
        let flags = is_validation(episodes, fraction, seed);
        let mut chosen: Vec<u64> =
            episodes.iter().zip(flags).filter(|(_, flag)| *flag).map(|(e, _)| *e).collect();
        chosen.sort_unstable();
        chosen
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn the_share_is_kept_and_neither_side_is_empty(count in 2_usize..200, fraction in 0.001_f64..0.999, seed: u64) {
            let episodes: Vec<u64> = (0..count as u64).map(|number| number * 10).collect();
            let validating = chosen(&episodes, fraction, seed).len();
            prop_assert!(validating >= 1 && validating < count);
            prop_assert!((validating as f64 - count as f64 * fraction).abs() <= 1.0);
        }

        #[test]
        fn the_order_of_the_episodes_does_not_matter(count in 2_u64..50, seed: u64) {
            let forward: Vec<u64> = (0..count).collect();
            let backward: Vec<u64> = (0..count).rev().collect();
            prop_assert_eq!(chosen(&forward, 0.3, seed), chosen(&backward, 0.3, seed));
        }
    }

    #[test]
    fn one_episode_more_moves_at_most_one_to_the_other_side() {
        let before: Vec<u64> = (0..40).collect();
        let after: Vec<u64> = (0..41).collect();
        let (before, after) = (chosen(&before, 0.25, 7), chosen(&after, 0.25, 7));
        assert!(before.iter().filter(|episode| !after.contains(episode)).count() <= 1);
    }

    #[test]
    fn seeds_choose_differently_and_one_episode_always_trains() {
        let episodes: Vec<u64> = (0..100).collect();
        assert_ne!(chosen(&episodes, 0.1, 0), chosen(&episodes, 0.1, 1));
        assert_eq!(is_validation(&[5], 0.5, 0), [false]);
        assert_eq!(is_validation(&[5, 6], 0.0, 0), [false, false]);
    }
}
