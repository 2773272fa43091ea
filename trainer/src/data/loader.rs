//! Samples in the order of their draws, decoded ahead of time on threads of their own.
//!
//! Draws are taken a window at a time, of whole groups where they fit. Within one, the pictures of one camera over one episode
//! are one task: they are decoded in the order of their rows, in a single pass forward through the video, and handed out in
//! the order of the draws. The next group's rows come behind, so that a video that is kept open is read on. Two windows are
//! under way at most, the one that is handed out and the next, which bounds the memory.

use crate::Error;
use crate::data::corpus::Corpus;
use crate::data::frame_cache::FrameCache;
use crate::data::sample::{Draw, FrameId, Picture, Sample};
use crate::data::window::{Task, Window, take_groups};
use serde::{Deserialize, Serialize};
use sinew_dataset::Videos;
use std::collections::{BTreeSet, VecDeque};
use std::iter::Peekable;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

const BYTES_PER_MB: usize = 1_000_000;

/// What a camera's pictures are taken to have if the dataset does not say: 720 × 720 pixels.
const USUAL_PICTURE_BYTES: usize = 3 * 720 * 720;

/// The `[loader]` table of a training's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoaderOptions {
    /// Threads that decode; 0: one a core.
    pub worker_count: usize,
    /// Most memory for pictures that are decoded and not yet handed out. The more, the fewer are decoded twice.
    pub memory_mb: usize,
    /// Memory for pictures that are kept from epoch to epoch. Worth it where most of them fit.
    pub frame_cache_mb: usize,
}

impl Default for LoaderOptions {
    fn default() -> Self {
        Self { worker_count: 0, memory_mb: 1024, frame_cache_mb: 0 }
    }
}

/// Yields the sample of each draw, in their order. Ends with the draws or after the first error. Dropping it stops its
/// threads.
pub struct Loader<D: Iterator<Item = Draw>> {
    draws: Peekable<D>,
    corpus: Arc<Corpus>,
    needs_pictures: Box<dyn Fn(&Draw) -> bool + Send>,
    camera_count: usize,
    window_draw_count: usize,
    /// The window that is handed out, from `next` on, and the one after.
    windows: VecDeque<Arc<Window>>,
    next: usize,
    has_failed: bool,
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
}

/// What the workers see.
struct Shared {
    corpus: Arc<Corpus>,
    /// Places of the cameras among the corpus's.
    cameras: Vec<usize>,
    kept: FrameCache,
    videos: Videos,
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    tasks: VecDeque<Task>,
    /// Whose pictures are being decoded. The next window's of the same are for whoever reads on behind them.
    busy: BTreeSet<(usize, u64, usize)>,
    is_closed: bool,
}

impl<D: Iterator<Item = Draw>> Loader<D> {
    /// Starts the threads. `cameras` are places among the corpus's; a sample has one picture each, unless
    /// `needs_pictures` says that its draw can do without. Of each camera, so many videos are kept open as blocks are read
    /// `side_by_side`, to be read on.
    ///
    /// # Errors
    /// If the system refuses a thread.
    pub fn start(
        corpus: Arc<Corpus>,
        cameras: Vec<usize>,
        draws: D,
        options: LoaderOptions,
        side_by_side: usize,
        needs_pictures: impl Fn(&Draw) -> bool + Send + 'static,
    ) -> Result<Self, Error> {
        let window_bytes = options.memory_mb.saturating_mul(BYTES_PER_MB) / 2;
        let window_draw_count = (window_bytes / sample_bytes(&corpus, &cameras).max(1)).max(1);
        let camera_count = cameras.len();
        let kept = FrameCache::new(options.frame_cache_mb.saturating_mul(BYTES_PER_MB));
        let (queue, changed) = (Mutex::default(), Condvar::new());
        let videos = Videos::new(side_by_side * cameras.len());
        let shared = Arc::new(Shared { corpus: corpus.clone(), cameras, kept, videos, queue, changed });
        let mut loader = Self {
            draws: draws.peekable(),
            corpus,
            needs_pictures: Box::new(needs_pictures),
            camera_count,
            window_draw_count,
            windows: VecDeque::new(),
            next: 0,
            has_failed: false,
            shared,
            workers: Vec::new(),
        };
        let worker_count = match options.worker_count {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            count => count,
        };
        for number in 0..worker_count {
            let name = format!("decode-{number}");
            let shared = loader.shared.clone();
            let worker = std::thread::Builder::new().name(name.clone()).spawn(move || shared.work());
            loader.workers.push(worker.map_err(|source| Error::Thread { name, source })?);
        }
        Ok(loader)
    }

    /// Draws of a window at most: groups of more are cut, and some pictures decoded for each part anew.
    #[must_use]
    pub fn window_draw_count(&self) -> usize {
        self.window_draw_count
    }

    /// Plans windows until two are under way or the draws end.
    fn plan(&mut self) {
        while self.windows.len() < 2 {
            let draws = take_groups(&mut self.draws, self.window_draw_count);
            if draws.is_empty() {
                return;
            }
            let window = Window::new(draws, self.camera_count, &self.needs_pictures);
            self.shared.queue().tasks.extend(window.tasks());
            self.shared.changed.notify_all();
            self.windows.push_back(window);
        }
    }

    fn sample(&self, window: &Window) -> Result<Sample, Error> {
        let draw = window.draw(self.next);
        let located = |error: Error| Error::Sample {
            dataset: self.corpus.dataset_name(draw.frame.dataset).to_owned(),
            episode_index: draw.frame.episode_index,
            row: draw.frame.row,
            source: Box::new(error),
        };
        let pictures = window.take_pictures(self.next).map_err(located)?;
        let example = self.corpus.example(draw.frame).map_err(located)?;
        Ok(Sample { draw, example, pictures })
    }
}

impl<D: Iterator<Item = Draw>> Iterator for Loader<D> {
    type Item = Result<Sample, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_failed {
            return None;
        }
        self.plan();
        let window = self.windows.front()?.clone();
        let sample = self.sample(&window);
        self.has_failed = sample.is_err();
        self.next += 1;
        if self.next == window.draw_count() {
            self.next = 0;
            self.windows.pop_front();
        }
        Some(sample)
    }
}

impl<D: Iterator<Item = Draw>> Drop for Loader<D> {
    fn drop(&mut self) {
        let mut queue = self.shared.queue();
        queue.is_closed = true;
        queue.tasks.clear();
        drop(queue);
        self.shared.changed.notify_all();
        for worker in self.workers.drain(..) {
            // A panic is the stream's error already.
            let _ = worker.join();
        }
    }
}

impl<D: Iterator<Item = Draw>> std::fmt::Debug for Loader<D> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Loader")
            .field("window_draw_count", &self.window_draw_count)
            .field("worker_count", &self.workers.len())
            .finish_non_exhaustive()
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does tasks until the loader is dropped.
    fn work(&self) {
        while let Some(task) = self.next_task() {
            self.decode(&task);
            self.queue().busy.remove(&task.video());
            self.changed.notify_all();
        }
    }

    fn next_task(&self) -> Option<Task> {
        let mut queue = self.queue();
        loop {
            if queue.is_closed {
                return None;
            }
            let free = queue.tasks.iter().position(|task| !queue.busy.contains(&task.video()));
            if let Some(task) = free.and_then(|place| queue.tasks.remove(place)) {
                queue.busy.insert(task.video());
                return Some(task);
            }
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Decodes a task's pictures, each of which may fail by itself.
    fn decode(&self, task: &Task) {
        // So that the thread that hands out samples finds the numbers in memory; what is wrong with them is its to say.
        let _ = self.corpus.numbers(task.dataset, task.episode_index);
        for place in task.places() {
            if self.queue().is_closed {
                return;
            }
            let frame = task.frame(place);
            task.set(place, self.picture(frame, task.camera));
        }
    }

    fn picture(&self, frame: FrameId, camera: usize) -> Result<Picture, Error> {
        if let Some(picture) = self.kept.get(frame, camera) {
            return Ok(picture);
        }
        let decoded = self.corpus.picture(&self.videos, frame, self.cameras[camera])?;
        let (width, height) = (decoded.width as usize, decoded.height as usize);
        let picture = Picture { width, height, rgb: decoded.rgb };
        self.kept.keep(frame, camera, &picture);
        Ok(picture)
    }
}

/// Bytes of all cameras' pictures of one frame, in the dataset with the largest.
fn sample_bytes(corpus: &Corpus, cameras: &[usize]) -> usize {
    let of_dataset = |place: usize| -> usize {
        let bytes = |camera: &usize| {
            let name = &corpus.cameras()[*camera].names[place];
            let camera = corpus.dataset(place).cameras().iter().find(|camera| camera.name == *name);
            let size = camera.and_then(|camera| Some(3 * camera.width? * camera.height?));
            size.unwrap_or(USUAL_PICTURE_BYTES)
        };
        cameras.iter().map(bytes).sum()
    };
    (0..corpus.dataset_count()).map(of_dataset).max().unwrap_or(0)
}
