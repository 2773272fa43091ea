//! Episodes to disk: every message as it was received or sent, one MCAP file an episode.
//!
//! The recorder listens for itself, beside whoever else does, and what it hears waits in a queue of bounded size for a
//! thread that writes. Neither control nor inference knows of it: a disk that is full or slow ends the recording, never
//! the motion.

pub(crate) mod keyboard;
mod log;
mod mark;
mod recover;
mod session;
mod topics;
mod writer;

pub(crate) use keyboard::Marker;
pub use log::About;
pub(crate) use log::EpisodeLog;
pub use mark::{Mark, Outcome, of_line};
pub use recover::{Recovered, recover};
pub(crate) use session::about;
pub use session::{RecordSummary, record};
pub use topics::{RecordedTopic, Role, message_of, of_robot};

use crate::clock;
use crate::error::Error;
use crate::ros::{Ros, Subscription};
use crate::telemetry::{Event, Telemetry};
use crate::thread::Thread;
use serde::{Deserialize, Serialize};
use sinew_proto::Stamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use writer::{EpisodeWriter, text_message};

/// Entries that may wait: a second of everything an R1 Pro says at its fastest, several times over.
const QUEUED_ENTRIES: usize = 16_384;
const MB: usize = 1_000_000;

/// `[record]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordConfig {
    /// Where episodes go; empty: nothing is recorded.
    pub folder: String,
    /// Begin an episode at once, rather than at the first `start`.
    pub start_at_once: bool,
    /// Memory for what waits to be written.
    pub max_waiting_mb: usize,
    /// How often what was recorded is brought to the disk.
    pub flush_ms: u64,
}

impl RecordConfig {
    /// Whether anything is recorded.
    #[must_use]
    pub fn is_on(&self) -> bool {
        !self.folder.is_empty()
    }

    /// # Errors
    /// If a value makes no sense.
    pub(crate) fn validate(&self) -> Result<(), Error> {
        let ranges = [
            ("max_waiting_mb", self.max_waiting_mb as u64, 1..=4096),
            ("flush_ms", self.flush_ms, 50..=1000),
        ];
        for (key, found, range) in ranges {
            if !range.contains(&found) {
                return Err(Error::ConfigValue {
                    key: format!("record.{key}"),
                    found: found.to_string(),
                    expected: format!("{} to {}", range.start(), range.end()),
                });
            }
        }
        Ok(())
    }
}

/// What waits to be written.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    topic: usize,
    at: Stamp,
    payload: Vec<u8>,
    /// Entries that found no room before this one.
    lost_before: u64,
}

/// Where entries wait.
#[derive(Clone, Debug)]
struct Queue {
    entries: SyncSender<Entry>,
    waiting_bytes: Arc<AtomicUsize>,
    max_waiting_bytes: usize,
    lost: Arc<AtomicU64>,
}

impl Queue {
    /// Puts a message in, if there is room. Never waits.
    fn offer(&self, topic: usize, at: Stamp, payload: Vec<u8>) {
        let size = payload.len();
        let entry = Entry { topic, at, payload, lost_before: self.lost.load(Ordering::Relaxed) };
        let waiting = self.waiting_bytes.fetch_add(size, Ordering::Relaxed);
        if waiting + size > self.max_waiting_bytes || self.entries.try_send(entry).is_err() {
            self.waiting_bytes.fetch_sub(size, Ordering::Relaxed);
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A recording.
#[derive(Debug)]
pub struct Recorder {
    queue: Queue,
    /// Where events go.
    event_topic: Option<usize>,
    /// Where marks go.
    mark_topic: Option<usize>,
    starts_at_once: bool,
    subscriptions: Vec<Subscription>,
    writer: Thread<()>,
}

impl Recorder {
    /// Listens to topics and writes what they say. `instruction` is what the robot is to do so far.
    ///
    /// # Errors
    /// If a subscription or the thread is refused.
    pub fn start(
        ros: &Ros,
        config: &RecordConfig,
        topics: Vec<RecordedTopic>,
        about: About,
        instruction: &str,
        telemetry: &Arc<Telemetry>,
    ) -> Result<Self, Error> {
        let (sender, entries) = sync_channel(QUEUED_ENTRIES);
        let (waiting_bytes, lost) = (Arc::<AtomicUsize>::default(), Arc::<AtomicU64>::default());
        let queue = Queue {
            entries: sender,
            waiting_bytes: Arc::clone(&waiting_bytes),
            max_waiting_bytes: config.max_waiting_mb * MB,
            lost: Arc::clone(&lost),
        };
        let place = |role| topics.iter().position(|topic| topic.role == role);
        let (event_topic, mark_topic) = (place(Role::Event), place(Role::Mark));
        let mut subscriptions = Vec::new();
        for (index, topic) in topics.iter().enumerate().filter(|(_, topic)| topic.role != Role::Event) {
            let queue = queue.clone();
            let listen = move |sample: zenoh::sample::Sample| {
                // A copy: what the network hands out keeps the whole buffer alive that it was received in.
                queue.offer(index, clock::now(), sample.payload().to_bytes().into_owned());
            };
            // Of any type: robots of one make differ in how a base is told its velocity.
            subscriptions.push(ros.subscribe(topic.key.as_str(), None, listen)?);
        }
        let ends = (entries, waiting_bytes, lost);
        let writer = EpisodeWriter::new(ends, topics, about, config, instruction, telemetry);
        let writer = Thread::spawn("record", move || {
            writer.run();
            Ok(())
        })?;
        Ok(Self {
            queue,
            event_topic,
            mark_topic,
            starts_at_once: config.start_at_once,
            subscriptions,
            writer,
        })
    }

    /// Begins an episode, if that is not left to the operator.
    pub fn begin(&self) {
        if let (Some(topic), true) = (self.mark_topic, self.starts_at_once) {
            self.queue.offer(topic, clock::now(), text_message("start"));
        }
    }

    /// Adds an event.
    pub fn event(&self, event: &Event) {
        if let (Some(topic), Ok(text)) = (self.event_topic, serde_json::to_string(event)) {
            self.queue.offer(topic, Stamp::from_ns(event.at_ns), text_message(&text));
        }
    }

    /// Writes what still waits, and ends the episode.
    ///
    /// # Errors
    /// If the thread died of a bug.
    pub fn finish(self) -> Result<(), Error> {
        drop(self.subscriptions);
        drop(self.queue);
        self.writer.join()
    }
}
