//! Draws that are decoded together: who has to decode what, and where the pictures meet.

use crate::Error;
use crate::data::sample::{Draw, FrameId, Picture};
use std::collections::BTreeMap;
use std::iter::Peekable;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// The next draws, `limit` at most; rather whole groups than part of one more.
pub(super) fn take_groups(draws: &mut Peekable<impl Iterator<Item = Draw>>, limit: usize) -> Vec<Draw> {
    let (mut taken, mut group_start) = (Vec::<Draw>::new(), 0);
    while taken.len() < limit
        && let Some(next) = draws.peek()
    {
        if taken.last().is_some_and(|last| (last.epoch, last.group) != (next.epoch, next.group)) {
            // Groups are about as large as each other.
            let group_draw_count = taken.len() - group_start;
            if taken.len() + group_draw_count > limit {
                break;
            }
            group_start = taken.len();
        }
        taken.extend(draws.next());
    }
    taken
}

/// Some draws and the places of their pictures, filled in any order.
#[derive(Debug)]
pub(super) struct Window {
    draws: Vec<Draw>,
    camera_count: usize,
    /// Of each draw, one a camera; nothing where no picture is wanted.
    slots: Mutex<Vec<Vec<Slot>>>,
    filled: Condvar,
}

#[derive(Debug)]
enum Slot {
    Open,
    Filled(Result<Picture, Error>),
}

impl Window {
    pub(super) fn new(
        draws: Vec<Draw>,
        camera_count: usize,
        needs_pictures: impl Fn(&Draw) -> bool,
    ) -> Arc<Self> {
        let slots = |draw: &Draw| {
            let count = if needs_pictures(draw) { camera_count } else { 0 };
            (0..count).map(|_| Slot::Open).collect()
        };
        let slots = draws.iter().map(slots).collect();
        Arc::new(Self { draws, camera_count, slots: Mutex::new(slots), filled: Condvar::new() })
    }

    pub(super) fn draw_count(&self) -> usize {
        self.draws.len()
    }

    pub(super) fn draw(&self, place: usize) -> Draw {
        self.draws[place]
    }

    /// One a camera and episode, in the order in which the draws first need them.
    pub(super) fn tasks(self: &Arc<Self>) -> Vec<Task> {
        let mut tasks: Vec<Task> = Vec::new();
        let mut places: BTreeMap<(usize, u64, usize), usize> = BTreeMap::new();
        let slots = self.slots();
        for (place, draw) in self.draws.iter().enumerate().filter(|(place, _)| !slots[*place].is_empty()) {
            let FrameId { dataset, episode_index, row } = draw.frame;
            for camera in 0..self.camera_count {
                let task = *places.entry((dataset, episode_index, camera)).or_insert_with(|| {
                    let (window, rows) = (self.clone(), Vec::new());
                    tasks.push(Task { window, dataset, episode_index, camera, rows });
                    tasks.len() - 1
                });
                tasks[task].rows.push((row, place));
            }
        }
        tasks.iter_mut().for_each(|task| task.rows.sort_unstable());
        tasks
    }

    /// A draw's pictures, once they are all there.
    ///
    /// # Errors
    /// The first camera's that has no picture.
    pub(super) fn take_pictures(&self, place: usize) -> Result<Vec<Picture>, Error> {
        let mut slots = self.slots();
        while slots[place].iter().any(|slot| matches!(slot, Slot::Open)) {
            slots = self.filled.wait(slots).unwrap_or_else(PoisonError::into_inner);
        }
        let taken = std::mem::take(&mut slots[place]).into_iter();
        let pictures = taken.map(|slot| match slot {
            Slot::Filled(picture) => picture,
            Slot::Open => Err(Error::DecoderPanicked),
        });
        pictures.collect()
    }

    fn slots(&self) -> MutexGuard<'_, Vec<Vec<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fill(&self, place: usize, camera: usize, picture: Result<Picture, Error>) {
        if let Some(slot @ Slot::Open) = self.slots()[place].get_mut(camera) {
            *slot = Slot::Filled(picture);
            self.filled.notify_all();
        }
    }
}

/// The pictures of one camera over one episode that a window needs.
#[derive(Debug)]
pub(super) struct Task {
    window: Arc<Window>,
    pub(super) dataset: usize,
    pub(super) episode_index: u64,
    /// The camera's place among the wanted ones.
    pub(super) camera: usize,
    /// Rows and the places of their draws, by row.
    rows: Vec<(usize, usize)>,
}

impl Task {
    /// Places of its draws, in the order of their rows.
    pub(super) fn places(&self) -> impl Iterator<Item = usize> + use<'_> {
        self.rows.iter().map(|(_, place)| *place)
    }

    /// Dataset, episode and camera.
    pub(super) fn video(&self) -> (usize, u64, usize) {
        (self.dataset, self.episode_index, self.camera)
    }

    pub(super) fn frame(&self, place: usize) -> FrameId {
        self.window.draws[place].frame
    }

    pub(super) fn set(&self, place: usize, picture: Result<Picture, Error>) {
        self.window.fill(place, self.camera, picture);
    }
}

/// Whoever waits for a task's pictures has to hear of it if there will be none.
impl Drop for Task {
    fn drop(&mut self) {
        for (_, place) in &self.rows {
            self.window.fill(*place, self.camera, Err(Error::DecoderPanicked));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(episode_index: u64, row: usize) -> Draw {
        Draw::of(FrameId { dataset: 0, episode_index, row })
    }

    #[test]
    fn windows_end_where_groups_do_unless_one_alone_is_too_large() {
        let windows = |group_draw_count: usize, limit: usize| {
            let draws = (0..24).map(|row| Draw { group: row / group_draw_count, ..draw(0, row) });
            let mut draws = draws.peekable();
            let lengths = std::iter::from_fn(|| Some(take_groups(&mut draws, limit).len()));
            lengths.take_while(|length| *length > 0).collect::<Vec<_>>()
        };
        assert_eq!(windows(4, 10), [8, 8, 8]);
        assert_eq!(windows(8, 8), [8, 8, 8]);
        assert_eq!(windows(12, 10), [10, 10, 4]);
        assert_eq!(windows(24, 100), [24]);
    }

    #[test]
    fn a_task_is_one_camera_over_one_episode_in_the_order_of_rows() {
        let draws = vec![draw(4, 9), draw(2, 7), draw(4, 3), draw(4, 9), draw(2, 1)];
        let window = Window::new(draws, 2, |draw| draw.frame.row != 7);
        let tasks: Vec<_> = window
            .tasks()
            .iter()
            .map(|task| (task.episode_index, task.camera, task.places().collect::<Vec<_>>()))
            .collect();
        let expected = [(4, 0, vec![2, 0, 3]), (4, 1, vec![2, 0, 3]), (2, 0, vec![4]), (2, 1, vec![4])];
        assert_eq!(tasks, expected);
        assert_eq!(window.take_pictures(1).unwrap(), []);
    }

    #[test]
    fn a_task_that_is_dropped_undone_is_an_error_and_no_wait() {
        let window = Window::new(vec![draw(0, 0), draw(0, 1)], 1, |_| true);
        let task = window.tasks().remove(0);
        task.set(0, Ok(Picture { width: 1, height: 1, rgb: vec![1, 2, 3] }));
        drop(task);
        assert_eq!(window.take_pictures(0).unwrap()[0].rgb, [1, 2, 3]);
        assert!(matches!(window.take_pictures(1), Err(Error::DecoderPanicked)));
    }
}
