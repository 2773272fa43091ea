//! A log once through, as the robot's computer heard it: every observation that a policy could have had, every command, the
//! words. Pictures stay where they are; what is kept of one is its place in the log.

use super::opening::Opening;
use super::plan::{Listener, Plan};
use super::track::Track;
use crate::Error;
use sinew_dataset::{Log, LogItem};
use sinew_proto::msg::sensor_msgs::{CompressedImage, Image};
use sinew_proto::msg::std_msgs;
use sinew_proto::{Message, Stamp};
use sinew_sync::{Feedback, NotReady, Sample, Streams, capture_time};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

/// Metadata record that says how an episode ended.
const ENDING: &str = "sinew.episode";
/// What the operator said of it, in that record.
const OUTCOME: &str = "outcome";
/// Marks that end an episode.
const OUTCOMES: [&str; 3] = ["success", "failure", "discard"];

/// What a policy could have seen at one time.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Seen {
    /// When the reference frame was taken.
    pub(super) captured_at: Stamp,
    /// Which message of the log each camera's picture is.
    pub(super) pictures: Vec<u64>,
    /// State, then posture.
    pub(super) numbers: Vec<f32>,
}

/// What is in a log.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Gathered {
    /// In the order of their reference frames.
    pub(super) seen: Vec<Seen>,
    /// Why there was none, when.
    pub(super) unseen: Vec<(Stamp, NotReady)>,
    /// One a group.
    pub(super) commands: Vec<Track>,
    /// The words, from when on.
    pub(super) instructions: Vec<(Stamp, String)>,
    /// Messages that a policy would not have been shown, by input and by what was wrong with them.
    pub(super) faults: BTreeMap<(String, &'static str), u64>,
    /// What the operator said of the episode.
    pub(super) outcome: Option<String>,
    /// Time of the last message.
    pub(super) ended_at: Stamp,
}

/// Reads a whole log.
///
/// # Errors
/// If it is damaged, or a message that is needed is.
pub(super) fn gather(opening: &Opening, plan: &Plan) -> Result<Gathered, Error> {
    let mut listener = Gatherer::new(plan, opening.started_at);
    for (ordinal, item) in (0..).zip(Log::open(&opening.path)?) {
        match item? {
            LogItem::Message { channel, at_ns, data } => {
                let Some(kind) = plan.listeners.get(&channel.topic) else { continue };
                let result = listener.hear(ordinal, *kind, &channel.message, at_ns, &data);
                result.map_err(in_message(&opening.path, &channel.topic, at_ns))?;
            }
            LogItem::Metadata { name, facts } if name == ENDING => {
                listener.gathered.outcome = facts.get(OUTCOME).cloned().or(listener.gathered.outcome);
            }
            _ => {}
        }
    }
    Ok(listener.gathered)
}

/// Says which message it was.
pub(super) fn in_message(path: &Path, topic: &str, at_ns: i64) -> impl FnOnce(Error) -> Error {
    move |source| Error::LogMessage {
        path: path.to_owned(),
        topic: topic.to_owned(),
        at_s: at_ns as f64 * 1e-9,
        source: Box::new(source),
    }
}

struct Gatherer<'a> {
    plan: &'a Plan,
    streams: Streams<u64>,
    /// Rank of the topic that each camera is heard on.
    ranks: Vec<usize>,
    gathered: Gathered,
}

impl<'a> Gatherer<'a> {
    fn new(plan: &'a Plan, started_at: Stamp) -> Self {
        let group_count = plan.embodiment.groups.len();
        let gathered = Gathered {
            commands: vec![Track::default(); group_count],
            ended_at: started_at,
            ..Gathered::default()
        };
        Self {
            plan,
            streams: Streams::new(plan.cameras.len(), group_count, plan.limits),
            ranks: vec![usize::MAX; plan.cameras.len()],
            gathered,
        }
    }

    fn hear(
        &mut self,
        ordinal: u64,
        listener: Listener,
        message: &str,
        at_ns: i64,
        data: &[u8],
    ) -> Result<(), Error> {
        // Threads that recorded at the same time may be a little out of order.
        let now = self.gathered.ended_at.max(Stamp::from_ns(at_ns));
        self.gathered.ended_at = now;
        match listener {
            Listener::Camera { slot, rank } => self.see(slot, rank, ordinal, message, data, now),
            Listener::Feedback(group) => self.feel(group, data, now),
            Listener::Command(group) => {
                if let Some(reader) = &self.plan.commands[group] {
                    self.gathered.commands[group].push(now, reader.read(message, data)?);
                }
                Ok(())
            }
            Listener::Instruction => {
                self.gathered
                    .instructions
                    .push((now, std_msgs::String::from_cdr(data)?.data.trim().to_owned()));
                Ok(())
            }
            Listener::Mark => {
                let mark = std_msgs::String::from_cdr(data)?.data.trim().to_owned();
                if OUTCOMES.contains(&mark.as_str()) {
                    self.gathered.outcome = Some(mark);
                }
                Ok(())
            }
        }
    }

    fn see(
        &mut self,
        slot: usize,
        rank: usize,
        ordinal: u64,
        message: &str,
        data: &[u8],
        now: Stamp,
    ) -> Result<(), Error> {
        // As on the robot: the most preferred topic that has spoken.
        if rank > self.ranks[slot] {
            return Ok(());
        }
        self.ranks[slot] = rank;
        let (captured_at, fingerprint) = picture(message, data)?;
        let sample = Sample { captured_at, received_at: now, value: ordinal };
        if let Err(fault) = self.streams.cameras[slot].admit(sample, Some(fingerprint)) {
            self.count(format!("camera {}", self.plan.cameras[slot]), fault.name());
        }
        self.observe(now);
        Ok(())
    }

    fn feel(&mut self, group: usize, data: &[u8], now: Stamp) -> Result<(), Error> {
        let Some(reader) = &self.plan.feedback[group] else { return Ok(()) };
        let (captured_at, value): (Stamp, Feedback) = reader.read(data)?;
        let sample = Sample { captured_at, received_at: now, value };
        if let Err(fault) = self.streams.groups[group].admit(sample, None) {
            self.count(format!("feedback of {}", self.plan.embodiment.groups[group].name), fault.name());
        }
        self.observe(now);
        Ok(())
    }

    fn count(&mut self, input: String, fault: &'static str) {
        *self.gathered.faults.entry((input, fault)).or_default() += 1;
    }

    fn observe(&mut self, now: Stamp) {
        let used = self.gathered.seen.last().map(|seen| seen.captured_at);
        match self.plan.synchronizer.observe(&self.streams, used, now) {
            Ok(observation) => self.gathered.seen.push(Seen {
                captured_at: observation.captured_at,
                pictures: observation.frames,
                numbers: observation.state,
            }),
            Err(NotReady::NoNewFrame { .. } | NotReady::Settling { .. }) => {}
            Err(reason) => {
                let last = self.gathered.unseen.last();
                let is_new = last
                    .is_none_or(|(_, last)| (last.kind(), last.stream()) != (reason.kind(), reason.stream()));
                // Each reason once after each observation: a log without one is not to fill the memory.
                if is_new || last.is_some_and(|(at, _)| used.is_some_and(|used| used > *at)) {
                    self.gathered.unseen.push((now, reason));
                }
            }
        }
    }
}

/// When a picture was taken, and a number that equal messages have in common.
fn picture(message: &str, data: &[u8]) -> Result<(Stamp, u64), Error> {
    let (stamp, bytes) = match message {
        CompressedImage::TYPE_NAME => {
            let image = CompressedImage::from_cdr(data)?;
            (image.header.stamp, image.data)
        }
        Image::TYPE_NAME => {
            let image = Image::from_cdr(data)?;
            (image.header.stamp, image.data)
        }
        other => return Err(not_a_picture(other)),
    };
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    Ok((capture_time(stamp.try_into()?)?, hasher.finish()))
}

pub(super) fn not_a_picture(message: &str) -> Error {
    sinew_sync::Error::Sample {
        what: "type".to_owned(),
        expected: format!("{} or {}", CompressedImage::TYPE_NAME, Image::TYPE_NAME),
        found: message.to_owned(),
    }
    .into()
}
