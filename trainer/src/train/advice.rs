//! What is allowed in a configuration, but hardly meant.

use crate::config::TrainConfig;
use crate::data::Corpus;

/// Says that nothing will be called the best, where no episode is left to validate with.
pub fn without_validation(config: &TrainConfig, corpus: &Corpus) -> Option<String> {
    let is_meant = config.validation.every == 0 || !corpus.validation_episodes().is_empty();
    (!is_meant).then(|| {
        format!(
            "no episode is kept for validation (data.validation_fraction = {}, {} episodes): no checkpoint will be the best",
            config.data.validation_fraction,
            corpus.train_episodes().len()
        )
    })
}

/// Says that pictures will be decoded more often than once an epoch, where not all `mixed` draws among which the shuffle mixes
/// fit in the memory for `held` of them.
pub fn window_beyond_memory(config: &TrainConfig, mixed: usize, held: usize) -> Option<String> {
    (mixed > held).then(|| {
        let memory_mb = config.loader.memory_mb;
        format!(
            "the shuffle mixes {mixed} draws, the pictures of {held} fit in loader.memory_mb = {memory_mb}: most are decoded {} times \
             an epoch; loader.memory_mb = {} would hold them, or less data.shuffle.mixed_rows",
            mixed.div_ceil(held),
            (memory_mb * mixed).div_ceil(held)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// BEHAVIOR-1K's three cameras are 2.9 MB a frame; the loader holds two windows.
    #[test]
    fn a_window_that_does_not_fit_says_what_would_hold_it() {
        let config = TrainConfig::read(&[], &[]).unwrap();
        let advice = window_beyond_memory(&config, 512, 174).unwrap();
        assert!(advice.contains("decoded 3 times") && advice.contains("loader.memory_mb = 3014"), "{advice}");
        assert_eq!(window_beyond_memory(&config, 512, 512), None);
    }
}
