//! Who may look at whom, and where each token stands: pure functions of the padding masks.
//!
//! Query `i` may look at key `j` iff `c[j] ≤ c[i]` and neither is padding, with `c` the running sum of the
//! attention marks: 0 for images and language, 1 for the state and for every action. So images and language
//! see each other, the state sees them too, and actions see all of that and the actions before them.

use crate::config::ModelConfig;

/// Added to a score that must not count. Not −∞: a fully masked row must come out uniform, not NaN.
pub const MASKED: f32 = f32::MIN;

/// Padding and attention marks of one sample's prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrefixLayout {
    /// Whether each token is real.
    pub valid: Vec<bool>,
    /// Whether each token starts a new block that earlier ones may not look at.
    pub starts_block: Vec<bool>,
}

impl PrefixLayout {
    /// The prefix of cameras (present or masked), a padded instruction and the state.
    pub fn new(config: &ModelConfig, camera_valid: &[bool], language_valid: &[bool]) -> Self {
        let mut valid = Vec::new();
        for &camera in camera_valid {
            let special = config.image_special_tokens.is_some();
            // Special tokens count even around a masked camera, as in the reference.
            valid.extend(std::iter::repeat_n(true, if special { 2 } else { 0 }));
            valid.extend(std::iter::repeat_n(camera, config.image_token_count()));
            valid.extend(std::iter::repeat_n(true, usize::from(special)));
        }
        valid.extend_from_slice(language_valid);
        valid.push(true);
        let mut starts_block = vec![false; valid.len()];
        starts_block[valid.len() - 1] = true;
        let length = config.prefix_length.max(valid.len());
        valid.resize(length, false);
        starts_block.resize(length, false);
        Self { valid, starts_block }
    }

    /// Tokens, padding included.
    pub fn token_count(&self) -> usize {
        self.valid.len()
    }

    /// Tokens that are not padding.
    pub fn valid_count(&self) -> usize {
        self.valid.iter().filter(|valid| **valid).count()
    }

    /// What is added to the prefix's attention scores.
    ///
    /// # Shapes
    /// Row-major `[tokens, tokens]`.
    pub fn mask(&self) -> Vec<f32> {
        let blocks = running_sum(&self.starts_block);
        let tokens = self.token_count();
        let mut mask = Vec::with_capacity(tokens * tokens);
        for i in 0..tokens {
            mask.extend((0..tokens).map(|j| score(blocks[j] <= blocks[i] && self.valid[i] && self.valid[j])));
        }
        mask
    }

    /// RoPE positions: padding repeats the position before it. Padding before the first real token stands at 0
    /// where the reference has −1: nothing valid looks there.
    ///
    /// # Shapes
    /// `[tokens]`.
    pub fn positions(&self) -> Vec<i64> {
        running_sum(&self.valid).into_iter().map(|count| (count - 1).max(0)).collect()
    }

    /// Images and language: the tokens before the state.
    pub fn context_token_count(&self) -> usize {
        self.starts_block.iter().take_while(|starts| !**starts).count()
    }

    /// What is added to the attention scores of images and language among themselves.
    ///
    /// # Shapes
    /// Row-major `[context tokens, context tokens]`.
    pub fn context_mask(&self) -> Vec<f32> {
        let valid = &self.valid[..self.context_token_count()];
        valid.iter().flat_map(|query| valid.iter().map(move |key| score(*query && *key))).collect()
    }

    /// [`Self::positions`] of images and language.
    ///
    /// # Shapes
    /// `[context tokens]`.
    pub fn context_positions(&self) -> Vec<i64> {
        let mut positions = self.positions();
        positions.truncate(self.context_token_count());
        positions
    }

    /// What is added to the state's scores over images, language and itself.
    ///
    /// # Shapes
    /// `[context tokens + 1]`.
    pub fn state_mask(&self) -> Vec<f32> {
        self.valid[..=self.context_token_count()].iter().map(|valid| score(*valid)).collect()
    }

    /// [`Self::positions`] of the state.
    pub fn state_position(&self) -> i64 {
        self.positions()[self.context_token_count()]
    }

    /// What is added to the action tokens' scores over prefix and actions.
    ///
    /// # Shapes
    /// Row-major `[chunk, tokens + chunk]`.
    pub fn suffix_mask(&self, chunk_size: usize) -> Vec<f32> {
        let row = |i: usize| {
            let prefix = self.valid.iter().map(|valid| score(*valid));
            prefix.chain((0..chunk_size).map(move |j| score(j <= i)))
        };
        (0..chunk_size).flat_map(row).collect()
    }

    /// RoPE positions of the action tokens.
    ///
    /// # Shapes
    /// `[chunk]`.
    pub fn suffix_positions(&self, chunk_size: usize) -> Vec<i64> {
        let first = self.valid_count() as i64;
        (first..first + chunk_size as i64).collect()
    }
}

fn score(visible: bool) -> f32 {
    if visible { 0.0 } else { MASKED }
}

fn running_sum(marks: &[bool]) -> Vec<i64> {
    let sum = |total: &mut i64, mark: &bool| {
        *total += i64::from(*mark);
        Some(*total)
    };
    marks.iter().scan(0, sum).collect()
}
