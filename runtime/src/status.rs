//! What the robot says of itself: who drives it, its battery, what is wrong with it.

use crate::clock::{self, Moment};
use crate::error::Error;
use crate::ros::{Ros, Subscription};
use crate::safety::{InputKind, OtherInput, RobotStatus};
use crate::telemetry::{StreamCounters, Telemetry};
use sinew_models::embodiment::{Embodiment, Remote, Status, Topic};
use sinew_proto::Message;
use sinew_proto::key::Key;
use sinew_proto::msg::hdas_msg::{Bms, ControllerSignalStamped, FeedbackStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};

/// What a status message is about.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Subject {
    /// Modes in which the remote control drives.
    Remote(Vec<u8>),
    Battery,
    /// Codes that say that nothing is wrong.
    Faults(Vec<u32>),
}

impl Subject {
    /// The ROS type of its messages.
    fn message(&self) -> &'static str {
        match self {
            Self::Remote(_) => ControllerSignalStamped::TYPE_NAME,
            Self::Battery => Bms::TYPE_NAME,
            Self::Faults(_) => FeedbackStatus::TYPE_NAME,
        }
    }
}

/// A status topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusTopic {
    topic: String,
    subject: Subject,
}

impl StatusTopic {
    /// Those of a robot.
    ///
    /// # Errors
    /// If one carries a message that this program does not know.
    pub fn of(embodiment: &Embodiment) -> Result<Vec<Self>, Error> {
        let Status { remote, battery, faults, harmless_codes } = &embodiment.status;
        let mut topics = Vec::new();
        let mut add = |topic: &str, found: &str, expected: &str, subject| {
            if found != expected {
                let known = format!("it reads {expected}");
                return Err(Error::mismatch(
                    topic,
                    ("this program", &known),
                    ("the robot description", found),
                ));
            }
            topics.push(Self { topic: topic.to_owned(), subject });
            Ok(())
        };
        if let Some(Remote { topic, message, taken_over_modes }) = remote {
            let subject = Subject::Remote(taken_over_modes.clone());
            add(topic, message, ControllerSignalStamped::TYPE_NAME, subject)?;
        }
        if let Some(Topic { topic, message }) = battery {
            add(topic, message, Bms::TYPE_NAME, Subject::Battery)?;
        }
        for Topic { topic, message } in faults {
            add(topic, message, FeedbackStatus::TYPE_NAME, Subject::Faults(harmless_codes.clone()))?;
        }
        Ok(topics)
    }

    /// Its ROS name.
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// As the safety core calls it.
    #[must_use]
    pub fn input(&self) -> OtherInput {
        OtherInput { name: self.stream(), kind: InputKind::Status }
    }

    /// As telemetry calls it.
    #[must_use]
    pub fn stream(&self) -> String {
        format!("status.{}", self.topic.trim_start_matches('/'))
    }
}

/// The newest of one topic.
#[derive(Debug)]
struct Entry {
    subject: Subject,
    /// 0: never.
    heard_at_ns: AtomicI64,
    /// Taken over, or a fault.
    is_bad: AtomicBool,
    /// The remote control's mode, the battery's charge as the bits of a float, or the first fault's code.
    value: AtomicU32,
}

/// What a status topic last said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Said {
    /// Who drives.
    Remote {
        /// The remote control's mode.
        mode: u32,
        /// Whether in it the remote control drives.
        is_taken_over: bool,
    },
    /// The battery.
    Battery {
        /// Its charge.
        percent: f64,
    },
    /// What is wrong with joints.
    Faults {
        /// The first code that says so.
        code: Option<u32>,
    },
}

impl Entry {
    fn new(subject: Subject) -> Self {
        Self {
            subject,
            heard_at_ns: AtomicI64::new(0),
            is_bad: AtomicBool::new(false),
            value: AtomicU32::new(0),
        }
    }

    fn take_in(&self, message: &[u8], now: Moment) -> Result<(), Error> {
        match &self.subject {
            Subject::Remote(modes) => {
                let mode = ControllerSignalStamped::from_cdr(message)?.data.mode;
                self.value.store(mode.into(), Ordering::SeqCst);
                self.is_bad.store(modes.contains(&mode), Ordering::SeqCst);
            }
            Subject::Battery => {
                let percent = Bms::from_cdr(message)?.capital;
                self.value.store(percent.to_bits(), Ordering::SeqCst);
            }
            Subject::Faults(harmless) => {
                let errors = FeedbackStatus::from_cdr(message)?.errors;
                let fault = errors.iter().find(|error| !harmless.contains(&error.error_code));
                self.value.store(fault.map_or(0, |error| error.error_code), Ordering::SeqCst);
                self.is_bad.store(fault.is_some(), Ordering::SeqCst);
            }
        }
        self.heard_at_ns.store(now.ns().max(1), Ordering::SeqCst);
        Ok(())
    }
}

/// What the robot last said, for the control tick.
#[derive(Debug)]
pub struct StatusBoard {
    entries: Vec<Entry>,
}

impl StatusBoard {
    /// Nothing yet.
    #[must_use]
    pub fn new(topics: &[StatusTopic]) -> Self {
        Self { entries: topics.iter().map(|topic| Entry::new(topic.subject.clone())).collect() }
    }

    /// Takes a message of a topic in.
    ///
    /// # Errors
    /// If it is damaged.
    pub fn take_in(&self, topic: usize, message: &[u8], now: Moment) -> Result<(), Error> {
        self.entries[topic].take_in(message, now)
    }

    /// When each topic was heard last.
    pub fn heard_at(&self) -> impl Iterator<Item = Option<Moment>> {
        self.entries.iter().map(|entry| match entry.heard_at_ns.load(Ordering::SeqCst) {
            0 => None,
            ns => Some(Moment::from_ns(ns)),
        })
    }

    /// When each topic was heard last, and what it said.
    pub fn said(&self) -> impl Iterator<Item = Option<(Moment, Said)>> {
        self.entries.iter().zip(self.heard_at()).map(|(entry, heard_at)| {
            let is_bad = entry.is_bad.load(Ordering::SeqCst);
            let value = entry.value.load(Ordering::SeqCst);
            let said = match entry.subject {
                Subject::Remote(_) => Said::Remote { mode: value, is_taken_over: is_bad },
                Subject::Battery => Said::Battery { percent: f64::from(f32::from_bits(value)) },
                Subject::Faults(_) => Said::Faults { code: is_bad.then_some(value) },
            };
            heard_at.map(|at| (at, said))
        })
    }

    /// All of it.
    #[must_use]
    pub fn status(&self) -> RobotStatus {
        let mut status = RobotStatus::default();
        for entry in &self.entries {
            let is_bad = entry.is_bad.load(Ordering::SeqCst);
            match entry.subject {
                Subject::Remote(_) => status.is_taken_over |= is_bad,
                Subject::Faults(_) => status.has_fault |= is_bad,
                Subject::Battery if entry.heard_at_ns.load(Ordering::SeqCst) != 0 => {
                    let percent = f32::from_bits(entry.value.load(Ordering::SeqCst));
                    status.battery_percent = Some(f64::from(percent));
                }
                Subject::Battery => {}
            }
        }
        status
    }
}

/// Running subscriptions.
#[derive(Debug)]
pub struct StatusLink {
    board: Arc<StatusBoard>,
    subscriptions: Vec<Subscription>,
}

impl StatusLink {
    /// Subscribes to the topics.
    ///
    /// # Errors
    /// If one is no key, or zenoh refuses.
    pub fn open(
        ros: &Ros,
        namespace: &str,
        topics: &[StatusTopic],
        telemetry: &Telemetry,
    ) -> Result<Self, Error> {
        let board = Arc::new(StatusBoard::new(topics));
        let mut subscriptions = Vec::with_capacity(topics.len());
        for (index, topic) in topics.iter().enumerate() {
            let key = Key::of_topic_in(namespace, &topic.topic)?;
            let (board, counters) = (Arc::clone(&board), telemetry.stream(&topic.stream()));
            let callback = move |sample: zenoh::sample::Sample| {
                hear(&board, index, &sample.payload().to_bytes(), &counters);
            };
            subscriptions.push(ros.subscribe(key.as_str(), Some(topic.subject.message()), callback)?);
        }
        Ok(Self { board, subscriptions })
    }

    /// What the robot last said.
    #[must_use]
    pub fn board(&self) -> &Arc<StatusBoard> {
        &self.board
    }

    /// How many topics are listened to.
    #[must_use]
    pub fn topic_count(&self) -> usize {
        self.subscriptions.len()
    }
}

fn hear(board: &StatusBoard, topic: usize, message: &[u8], counters: &StreamCounters) {
    let now = clock::moment();
    counters.received(now);
    if let Err(error) = board.take_in(topic, message, now) {
        counters.malformed(&error);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sinew_proto::msg::hdas_msg::{ControllerSignal, FeedbackStatusDetail};

    #[test]
    fn takeover_battery_and_faults_of_an_r1_pro_are_heard() {
        let topics = StatusTopic::of(&Embodiment::built_in("r1pro").unwrap()).unwrap();
        let names: Vec<String> = topics.iter().map(StatusTopic::stream).collect();
        assert_eq!((names.len(), &names[0][..], &names[1][..]), (8, "status.controller", "status.hdas/bms"));
        let board = StatusBoard::new(&topics);
        assert_eq!(board.status(), RobotStatus::default());
        let now = Moment::from_ns(5);
        let remote = |mode| {
            let data = ControllerSignal { mode, ..ControllerSignal::default() };
            board.take_in(0, &ControllerSignalStamped { data, ..Default::default() }.to_cdr(), now).unwrap();
            board.status().is_taken_over
        };
        assert_eq!([5, 2, 5].map(remote), [false, true, false]);
        board.take_in(1, &Bms { capital: 24.5, ..Bms::default() }.to_cdr(), now).unwrap();
        assert_eq!(board.status().battery_percent, Some(24.5));
        let fault = |error_code| {
            let errors = vec![FeedbackStatusDetail { error_code, ..FeedbackStatusDetail::default() }];
            board.take_in(3, &FeedbackStatus { errors, ..Default::default() }.to_cdr(), now).unwrap();
            board.status().has_fault
        };
        assert_eq!([1, 12, 0].map(fault), [false, true, false]);
        assert!(board.take_in(1, &[0, 1, 0, 0], now).is_err());
        let heard: Vec<bool> = board.heard_at().map(|at| at.is_some()).collect();
        assert_eq!(heard, [true, true, false, true, false, false, false, false]);
    }
}
