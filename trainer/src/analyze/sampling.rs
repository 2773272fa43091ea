//! Which frames a policy is asked about. Pure in (episodes, seed).

use crate::Error;
use crate::data::{Corpus, EpisodeId, FrameId};
use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;

/// At most `limit` frames of the episodes, each as likely as any other, in the order of the episodes.
///
/// # Errors
/// If an episode cannot be read.
pub fn sampled(
    corpus: &Corpus,
    episodes: &[EpisodeId],
    limit: usize,
    seed: u64,
) -> Result<Vec<FrameId>, Error> {
    let mut frames = Vec::new();
    for episode in episodes {
        frames.extend(frames_of(corpus, episode)?);
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut chosen = index::sample(&mut rng, frames.len(), limit.min(frames.len())).into_vec();
    chosen.sort_unstable();
    Ok(chosen.into_iter().map(|place| frames[place]).collect())
}

/// At most `limit` frames of one episode from its start to its end, equally far apart.
///
/// # Errors
/// If it cannot be read.
pub fn sequence(corpus: &Corpus, episode: &EpisodeId, limit: usize) -> Result<Vec<FrameId>, Error> {
    let frames = frames_of(corpus, episode)?;
    let stride = frames.len().div_ceil(limit.max(1)).max(1);
    Ok(frames.into_iter().step_by(stride).collect())
}

fn frames_of(corpus: &Corpus, episode: &EpisodeId) -> Result<Vec<FrameId>, Error> {
    let EpisodeId { dataset, episode_index, .. } = *episode;
    let numbers = corpus.numbers(dataset, episode_index)?;
    Ok(corpus.sample_rows(&numbers).map(|row| FrameId { dataset, episode_index, row }).collect())
}
