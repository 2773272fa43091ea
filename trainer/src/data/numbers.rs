//! An episode's numbers in memory, as the policy sees them, and the episodes used last.

use crate::Error;
use crate::data::derived::Derivation;
use crate::data::selection::{ACTION, STATE, Selection};
use sinew_dataset::Dataset;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// What is taken from a dataset's rows.
#[derive(Clone, Debug)]
pub(crate) struct Recipe {
    /// What the dataset is called in messages.
    pub(crate) dataset_name: String,
    /// Numbers of the state.
    pub(crate) state: Selection,
    /// The state's derived numbers, which come after the selected ones.
    pub(crate) derived: Vec<Derivation>,
    /// Numbers of the action.
    pub(crate) action: Selection,
    /// How still frames are told.
    pub(crate) stillness: Option<Stillness>,
}

/// When an action is the same as at the episode's end.
#[derive(Clone, Debug)]
pub(crate) struct Stillness {
    /// Dimensions looked at, among the selected.
    pub(crate) dimensions: Vec<usize>,
    /// Largest difference.
    pub(crate) threshold: f32,
    /// Still rows to keep at either end.
    pub(crate) margin: usize,
}

/// One episode's state and action after selection, every number finite.
#[derive(Clone, Debug)]
pub struct Numbers {
    state_dim: usize,
    action_dim: usize,
    state: Vec<f32>,
    action: Vec<f32>,
    tasks: Vec<Arc<str>>,
    kept: Range<usize>,
}

impl Numbers {
    /// Reads an episode. Denormal numbers become 0, which they stand for in recorded base velocities; as the width of a
    /// range they would blow up everything else.
    pub(crate) fn read(dataset: &Dataset, episode_index: u64, recipe: &Recipe) -> Result<Self, Error> {
        let episode = dataset.episode(episode_index)?;
        let [raw_state, raw_action] = [episode.column(STATE)?, episode.column(ACTION)?];
        let row_count = episode.row_count();
        let mut state = Vec::with_capacity(row_count * recipe.state_names().count());
        for (row, numbers) in raw_state.iter().enumerate() {
            recipe.state.take(numbers, &mut state);
            state.extend(recipe.derived.iter().map(|derivation| derivation.at(&raw_state, row)));
        }
        let mut action = Vec::with_capacity(row_count * recipe.action.indices.len());
        raw_action.iter().for_each(|numbers| recipe.action.take(numbers, &mut action));
        let names: Vec<&str> = recipe.state_names().collect();
        check_finite(recipe, episode_index, STATE, &names, &state)?;
        let names: Vec<&str> = recipe.action.names.iter().map(String::as_str).collect();
        check_finite(recipe, episode_index, ACTION, &names, &action)?;
        state.iter_mut().chain(&mut action).filter(|x| x.is_subnormal()).for_each(|x| *x = 0.0);

        let mut tasks: Vec<Arc<str>> = Vec::with_capacity(row_count);
        for row in 0..row_count {
            let task = episode.task(row).unwrap_or_default();
            let same = tasks.last().filter(|last| ***last == *task).cloned();
            tasks.push(same.unwrap_or_else(|| task.into()));
        }
        let action_dim = recipe.action.indices.len();
        let kept = match &recipe.stillness {
            Some(stillness) => stillness.moving_rows(&action, action_dim),
            None => 0..row_count,
        };
        Ok(Self { state_dim: state.len() / row_count, action_dim, state, action, tasks, kept })
    }

    /// How many rows the episode has.
    #[must_use]
    pub fn row_count(&self) -> usize {
        self.tasks.len()
    }

    /// The rows that samples may start at: all but the still ones that are trimmed.
    #[must_use]
    pub fn kept_rows(&self) -> Range<usize> {
        self.kept.clone()
    }

    /// The state of a row, `[state_dim]`. `row` must be one of the episode's.
    #[must_use]
    pub fn state(&self, row: usize) -> &[f32] {
        &self.state[row * self.state_dim..][..self.state_dim]
    }

    /// The action of a row, `[action_dim]`. `row` must be one of the episode's.
    #[must_use]
    pub fn action(&self, row: usize) -> &[f32] {
        &self.action[row * self.action_dim..][..self.action_dim]
    }

    /// The instruction at a row. `row` must be one of the episode's.
    #[must_use]
    pub fn task(&self, row: usize) -> &Arc<str> {
        &self.tasks[row]
    }

    fn byte_count(&self) -> usize {
        4 * (self.state.len() + self.action.len()) + size_of::<Arc<str>>() * self.tasks.len()
    }
}

impl Recipe {
    /// Names of the state's numbers, in the policy's order.
    pub(crate) fn state_names(&self) -> impl Iterator<Item = &str> {
        let derived = self.derived.iter().map(|derivation| &derivation.number.name);
        self.state.names.iter().chain(derived).map(String::as_str)
    }
}

impl Stillness {
    /// The rows from the first that differs from the first action to the last that differs from the last one, with the
    /// margin. An episode that never moves is kept whole: leaving it out is not for a threshold to decide.
    fn moving_rows(&self, action: &[f32], action_dim: usize) -> Range<usize> {
        let row_count = action.len() / action_dim;
        let row = |row: usize| &action[row * action_dim..][..action_dim];
        let differs = |a: &[f32], b: &[f32]| {
            self.dimensions.iter().any(|dimension| (a[*dimension] - b[*dimension]).abs() > self.threshold)
        };
        let first = (0..row_count).find(|index| differs(row(*index), row(0)));
        let last = (0..row_count).rfind(|index| differs(row(*index), row(row_count - 1)));
        match (first, last) {
            (Some(first), Some(last)) if first <= last => {
                first.saturating_sub(self.margin)..(last + 1 + self.margin).min(row_count)
            }
            // A single step from one posture to the other: the rows around it.
            (Some(first), Some(last)) => {
                last.saturating_sub(self.margin)..(first + 1 + self.margin).min(row_count)
            }
            _ => 0..row_count,
        }
    }
}

fn check_finite(
    recipe: &Recipe,
    episode_index: u64,
    feature: &'static str,
    names: &[&str],
    numbers: &[f32],
) -> Result<(), Error> {
    match numbers.iter().position(|number| !number.is_finite()) {
        Some(place) => Err(Error::NotFinite {
            what: format!("{feature} `{}`", names[place % names.len()]),
            found: f64::from(numbers[place]),
            sample: Some(format!(
                "{}: episode {episode_index}: row {}",
                recipe.dataset_name,
                place / names.len()
            )),
        }),
        None => Ok(()),
    }
}

/// A dataset's place and an episode's number.
type Key = (usize, u64);

/// The episodes used last, up to a number of bytes.
#[derive(Debug)]
pub(crate) struct Recent {
    byte_limit: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    episodes: HashMap<Key, (Arc<Numbers>, u64)>,
    byte_count: usize,
    clock: u64,
}

impl Recent {
    pub(crate) fn new(byte_limit: usize) -> Self {
        Self { byte_limit, held: Mutex::default() }
    }

    /// The episode, read if it is not held. Two threads may read the same one at the same time; neither waits.
    pub(crate) fn get(
        &self,
        key: Key,
        read: impl FnOnce() -> Result<Numbers, Error>,
    ) -> Result<Arc<Numbers>, Error> {
        if let Some(numbers) = self.lock().touch(key) {
            return Ok(numbers);
        }
        let numbers = Arc::new(read()?);
        self.lock().insert(key, &numbers, self.byte_limit);
        Ok(numbers)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Held> {
        // Whoever panicked did so between complete changes.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn touch(&mut self, key: Key) -> Option<Arc<Numbers>> {
        self.clock += 1;
        let (numbers, used) = self.episodes.get_mut(&key)?;
        *used = self.clock;
        Some(numbers.clone())
    }

    fn insert(&mut self, key: Key, numbers: &Arc<Numbers>, byte_limit: usize) {
        self.clock += 1;
        if self.episodes.insert(key, (numbers.clone(), self.clock)).is_none() {
            self.byte_count += numbers.byte_count();
        }
        while self.byte_count > byte_limit && self.episodes.len() > 1 {
            let oldest = self.episodes.iter().min_by_key(|(_, (_, used))| *used).map(|(key, _)| *key);
            if let Some((dropped, _)) = oldest.and_then(|key| self.episodes.remove(&key)) {
                self.byte_count -= dropped.byte_count();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(rows: usize) -> Numbers {
        let action = vec![0.0; rows];
        Numbers {
            state_dim: 1,
            action_dim: 1,
            state: action.clone(),
            action,
            tasks: vec!["".into(); rows],
            kept: 0..rows,
        }
    }

    #[test]
    fn the_episode_not_used_for_longest_goes_first() {
        let bytes = numbers(10).byte_count();
        let recent = Recent::new(2 * bytes);
        let get = |key| recent.get((0, key), || Ok(numbers(10))).unwrap();
        get(1);
        get(2);
        get(1);
        get(3);
        let is_held = |key| recent.get((0, key), || Err(Error::Usage(String::new()))).is_ok();
        assert_eq!([1, 2, 3].map(is_held), [true, false, true]);
        assert!(recent.lock().byte_count <= 2 * bytes);
    }

    #[test]
    fn an_episode_over_the_limit_is_still_given() {
        let recent = Recent::new(1);
        assert_eq!(recent.get((0, 0), || Ok(numbers(5))).unwrap().row_count(), 5);
        recent.get((0, 1), || Ok(numbers(5))).unwrap();
        assert_eq!(recent.lock().episodes.len(), 1);
    }

    #[test]
    fn still_rows_at_both_ends_go_and_those_in_between_stay() {
        let still = |margin| Stillness { dimensions: vec![0], threshold: 0.01, margin };
        let action = [0.0, 0.005, 0.0, 0.2, 0.5, 0.5, 0.5, 0.9, 1.0, 1.005, 1.0];
        assert_eq!(still(0).moving_rows(&action, 1), 3..8);
        assert_eq!(still(2).moving_rows(&action, 1), 1..10);
        assert_eq!(still(0).moving_rows(&[0.0; 4], 1), 0..4);
        assert_eq!(still(0).moving_rows(&[0.0, 0.0, 1.0, 1.0], 1), 1..3);
        // The second dimension moves, but is not looked at.
        assert_eq!(still(0).moving_rows(&[0.0, 5.0, 0.0, 6.0, 1.0, 7.0, 2.0, 8.0], 2), 2..3);
    }
}
