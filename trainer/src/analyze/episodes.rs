//! The episodes' numbers, dimension by dimension.

use crate::Error;
use crate::data::{Corpus, EpisodeId};

/// Most rows that are kept; of longer data every second, third … row is, so that an analysis fits in memory.
const ROW_LIMIT: usize = 400_000;

/// One episode, every row of it or every `stride`-th.
#[derive(Clone, Debug, PartialEq)]
pub struct Track {
    /// Which episode.
    pub id: EpisodeId,
    /// `[action_dim][rows]`
    pub action: Vec<Vec<f32>>,
    /// `[state_dim][rows]`
    pub state: Vec<Vec<f32>>,
}

impl Track {
    /// Rows kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.action.first().map_or(0, Vec::len)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// All episodes of a corpus.
#[derive(Clone, Debug, PartialEq)]
pub struct Tracks {
    /// In the order of training episodes, then the others.
    pub tracks: Vec<Track>,
    /// Rows from one kept row to the next.
    pub stride: usize,
}

impl Tracks {
    /// Reads them.
    ///
    /// # Errors
    /// If an episode cannot be read.
    pub fn read(corpus: &Corpus) -> Result<Self, Error> {
        let episodes = || corpus.train_episodes().iter().chain(corpus.validation_episodes());
        let row_count: usize = episodes().map(|episode| episode.length).sum();
        let stride = row_count.div_ceil(ROW_LIMIT).max(1);
        let read = |id: &EpisodeId| {
            let numbers = corpus.numbers(id.dataset, id.episode_index)?;
            let rows = || (0..numbers.row_count()).step_by(stride);
            let action = (0..corpus.action_names().len())
                .map(|dimension| rows().map(|row| numbers.action(row)[dimension]).collect());
            let state = (0..corpus.state_names().len())
                .map(|dimension| rows().map(|row| numbers.state(row)[dimension]).collect());
            Ok(Track { id: *id, action: action.collect(), state: state.collect() })
        };
        Ok(Self { tracks: episodes().map(read).collect::<Result<_, Error>>()?, stride })
    }

    /// All values of an action dimension.
    pub fn action(&self, dimension: usize) -> impl Iterator<Item = f64> + Clone + '_ {
        self.tracks
            .iter()
            .flat_map(move |track| track.action[dimension].iter().map(|value| f64::from(*value)))
    }

    /// All values of a state dimension.
    pub fn state(&self, dimension: usize) -> impl Iterator<Item = f64> + Clone + '_ {
        self.tracks.iter().flat_map(move |track| track.state[dimension].iter().map(|value| f64::from(*value)))
    }
}

/// The state's place of the joint that an action dimension commands: the same name, with or without `.pos`.
#[must_use]
pub fn state_of(action: &str, state: &[&str]) -> Option<usize> {
    let stem = |name: &str| name.strip_suffix(".pos").unwrap_or(name).to_owned();
    let wanted = stem(action);
    state.iter().position(|name| stem(name) == wanted)
}
