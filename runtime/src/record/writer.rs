//! The thread that writes: entries to files, an episode a file. Nobody waits for it.

use super::log::{About, EpisodeLog};
use super::mark::{Mark, Outcome};
use super::topics::{RecordedTopic, Role, message_of};
use super::{Entry, RecordConfig};
use crate::clock;
use crate::error::Error;
use crate::telemetry::{RecordingReport, RecordingState, Telemetry};
use sinew_proto::msg::std_msgs;
use sinew_proto::{Message, Stamp};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

/// Entries that are taken in before a flush at most: one that sends faster than can be written does not keep it off.
const MOST_IN_A_FLUSH: usize = 10_000;
/// Between two looks into an empty queue.
const IDLE: Duration = Duration::from_millis(5);
/// An entry that waited longer would have been lost with more than the last second of the recording.
const MOST_WAIT_NS: i64 = 1_000_000_000;

/// What the writer works with.
pub(super) struct EpisodeWriter {
    entries: Receiver<Entry>,
    waiting_bytes: Arc<AtomicUsize>,
    /// Entries that found no room.
    lost: Arc<AtomicU64>,
    topics: Vec<RecordedTopic>,
    folder: PathBuf,
    about: About,
    /// As CDR; what the robot is to do, if anybody said so.
    instruction: Option<Vec<u8>>,
    flush_every: Duration,
    telemetry: Arc<Telemetry>,
    episode: Option<Episode>,
    lost_before: u64,
}

/// The episode that is being written.
struct Episode {
    log: EpisodeLog,
    notes: Vec<String>,
    /// Whether it was said that the disk does not keep up.
    is_behind: bool,
}

impl EpisodeWriter {
    pub(super) fn new(
        (entries, waiting_bytes, lost): (Receiver<Entry>, Arc<AtomicUsize>, Arc<AtomicU64>),
        topics: Vec<RecordedTopic>,
        about: About,
        config: &RecordConfig,
        instruction: &str,
        telemetry: &Arc<Telemetry>,
    ) -> Self {
        let instruction = (!instruction.is_empty()).then(|| text_message(instruction));
        Self {
            entries,
            waiting_bytes,
            lost,
            topics,
            folder: PathBuf::from(&config.folder),
            about,
            instruction,
            flush_every: Duration::from_millis(config.flush_ms),
            telemetry: Arc::clone(telemetry),
            episode: None,
            lost_before: 0,
        }
    }

    /// Writes until nobody can send entries any more.
    ///
    /// It looks into the queue again and again rather than wait at it: one who waits is woken under a lock, and the control tick,
    /// whose own set-points come here too, must not find that taken by a thread of no priority.
    pub(super) fn run(mut self) {
        let mut flush_at = Instant::now() + self.flush_every;
        loop {
            match self.entries.try_recv() {
                Ok(entry) => self.take_in(&entry),
                Err(TryRecvError::Empty) => std::thread::sleep(IDLE),
                Err(TryRecvError::Disconnected) => break,
            }
            if Instant::now() >= flush_at {
                // What a slow disk kept waiting is safe now, not one flush later.
                for _ in 0..MOST_IN_A_FLUSH {
                    let Ok(entry) = self.entries.try_recv() else { break };
                    self.take_in(&entry);
                }
                flush_at = Instant::now() + self.flush_every;
                self.flush();
            }
        }
        self.check_for_loss(self.lost.load(Ordering::Relaxed));
        self.end(None, "the run ended", clock::now());
    }

    fn take_in(&mut self, entry: &Entry) {
        self.waiting_bytes.fetch_sub(entry.payload.len(), Ordering::Relaxed);
        self.check_for_loss(entry.lost_before);
        let role = self.topics[entry.topic].role;
        // Events are of the time they are about, and may have waited elsewhere.
        if role != Role::Event {
            self.check_for_delay(entry.at);
        }
        let payload = entry.payload.as_slice();
        match role {
            Role::Data | Role::Event => self.write(entry.topic, entry.at, payload),
            Role::Signal => {
                let event =
                    serde_json::json!({ "event": "operator", "topic": self.topics[entry.topic].name });
                self.write_event(&event.to_string(), entry.at);
            }
            Role::Instruction => {
                self.write(entry.topic, entry.at, payload);
                self.instruction = Some(payload.to_owned());
            }
            Role::Mark => self.mark(entry, payload),
        }
    }

    fn mark(&mut self, entry: &Entry, payload: &[u8]) {
        let parsed = std_msgs::String::from_cdr(payload).map_err(Error::from);
        let mark: Mark = match parsed.and_then(|message| message.data.parse()) {
            Ok(mark) => mark,
            Err(error) => return self.say(RecordingState::MarkRefused, None, Some(error.to_string())),
        };
        if mark == Mark::Start {
            self.end(None, "the next one began", entry.at);
            self.begin(entry.at);
        }
        if self.episode.is_none() {
            let message = "no episode is being recorded: `start` begins one".to_owned();
            return self.say(RecordingState::MarkRefused, None, Some(message));
        }
        self.write(entry.topic, entry.at, payload);
        match (mark, &mut self.episode) {
            (Mark::Note(note), Some(episode)) => episode.notes.push(note),
            (Mark::End(outcome), _) => self.end(Some(outcome), "marked", entry.at),
            _ => {}
        }
    }

    fn begin(&mut self, at: Stamp) {
        match EpisodeLog::create(&self.folder, &self.about, at) {
            Ok(log) => {
                let path = log.path().to_owned();
                self.episode = Some(Episode { log, notes: Vec::new(), is_behind: false });
                let topic = self.topics.iter().position(|topic| topic.role == Role::Instruction);
                if let (Some(topic), Some(words)) = (topic, self.instruction.clone()) {
                    self.write(topic, at, &words);
                }
                self.say(RecordingState::Started, Some(path), None);
            }
            Err(error) => self.say(RecordingState::Failed, None, Some(error.to_string())),
        }
    }

    fn end(&mut self, outcome: Option<Outcome>, reason: &str, at: Stamp) {
        let Some(Episode { log, notes, .. }) = self.episode.take() else { return };
        let size = log.size;
        let mut ending = BTreeMap::from([
            ("ended_at_ns".to_owned(), at.ns().to_string()),
            ("ended_by".to_owned(), reason.to_owned()),
            ("notes".to_owned(), notes.join("\n")),
        ]);
        if let Some(outcome) = outcome {
            ending.insert("outcome".to_owned(), outcome.name().to_owned());
        }
        match log.finish(ending) {
            Ok(path) => {
                let report = RecordingReport {
                    state: RecordingState::Ended,
                    path: Some(path),
                    outcome,
                    message_count: size.message_count,
                    message: None,
                };
                self.telemetry.recording(report, size.payload_bytes);
            }
            Err(error) => self.say(RecordingState::Failed, None, Some(error.to_string())),
        }
    }

    fn write(&mut self, index: usize, at: Stamp, payload: &[u8]) {
        let Some(episode) = &mut self.episode else { return };
        let topic = &self.topics[index];
        let written = episode.log.write((index, topic), message_of(topic, payload), at, payload);
        self.check(written);
    }

    /// Adds an event, as text in JSON.
    fn write_event(&mut self, event: &str, at: Stamp) {
        let topic = self.topics.iter().position(|topic| topic.role == Role::Event);
        if let Some(topic) = topic {
            self.write(topic, at, &text_message(event));
        }
    }

    fn flush(&mut self) {
        let flushed = self.episode.as_mut().map_or(Ok(()), |episode| episode.log.flush());
        self.check(flushed);
    }

    /// A file that cannot be written is left as it is: what is in it can be recovered.
    fn check(&mut self, written: Result<(), Error>) {
        if let Err(error) = written {
            self.episode = None;
            let message = format!("{error}; what was recorded before can be had by `sinew-runtime recover`");
            self.say(RecordingState::Failed, None, Some(message));
        }
    }

    /// An episode with a hole is no episode: what came before the hole is kept, and recording stops.
    fn check_for_loss(&mut self, lost: u64) {
        if lost == self.lost_before {
            return;
        }
        self.lost_before = lost;
        if self.episode.is_some() {
            self.end(None, "the disk was too slow", clock::now());
            let message = "the disk is slower than the robot: recording stopped until the next `start`";
            self.say(RecordingState::Failed, None, Some(message.to_owned()));
        }
    }

    /// Says, once an episode, that what is heard waits for the disk for too long.
    fn check_for_delay(&mut self, heard_at: Stamp) {
        let waited_ns = clock::now().ns_since(heard_at);
        let Some(episode) = self.episode.as_mut().filter(|episode| !episode.is_behind) else { return };
        if waited_ns > MOST_WAIT_NS {
            episode.is_behind = true;
            let path = episode.log.path().to_owned();
            let message = format!(
                "the disk hardly keeps up: what was heard {:.1} s ago is written only now, and a crash would lose as much",
                waited_ns as f64 / 1e9
            );
            self.say(RecordingState::Behind, Some(path), Some(message));
        }
    }

    fn say(&self, state: RecordingState, path: Option<PathBuf>, message: Option<String>) {
        let report = RecordingReport { state, path, outcome: None, message_count: 0, message };
        self.telemetry.recording(report, 0);
    }
}

/// A text as `std_msgs/msg/String`.
pub(super) fn text_message(text: &str) -> Vec<u8> {
    std_msgs::String { data: text.to_owned() }.to_cdr()
}

#[cfg(test)]
mod tests {
    use super::super::topics::of_robot;
    use super::*;
    use crate::config::Config;
    use crate::telemetry::EventKind;
    use sinew_models::embodiment::Embodiment;
    use std::sync::mpsc::sync_channel;

    /// What became of a recording whose instruction was heard so long before it came to be written, twice.
    fn states(waited_ns: i64) -> Vec<RecordingState> {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::built_in().unwrap();
        config.record.folder = folder.path().to_str().unwrap().to_owned();
        let topics = of_robot(&Embodiment::built_in("r1pro").unwrap(), &config).unwrap();
        let place = |role| topics.iter().position(|topic| topic.role == role).unwrap();
        let heard_at = Stamp::from_ns(clock::now().ns() - waited_ns);
        let entry = |role, text| {
            let payload = text_message(text);
            Entry { topic: place(role), at: heard_at, payload, lost_before: 0 }
        };
        let (sender, entries) = sync_channel(8);
        for (role, text) in
            [(Role::Mark, "start"), (Role::Instruction, "hold still"), (Role::Instruction, "go on")]
        {
            sender.send(entry(role, text)).unwrap();
        }
        drop(sender);
        let (telemetry, events) = Telemetry::new(std::iter::empty());
        let telemetry = Arc::new(telemetry);
        let ends = (entries, Arc::<AtomicUsize>::default(), Arc::<AtomicU64>::default());
        EpisodeWriter::new(ends, topics, About::default(), &config.record, "", &telemetry).run();
        let recorded = events.try_iter().filter_map(|event| match event.kind {
            EventKind::Recording(report) => Some(report.state),
            _ => None,
        });
        recorded.collect()
    }

    #[test]
    fn what_waits_for_the_disk_too_long_is_spoken_of_once() {
        use RecordingState::{Behind, Ended, Started};
        assert_eq!(states(0), [Started, Ended]);
        assert_eq!(states(3_000_000_000), [Started, Behind, Ended]);
    }
}
