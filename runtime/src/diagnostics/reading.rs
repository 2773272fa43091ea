//! `sinew-runtime status`: what a run says of itself, read from another terminal.

use super::part::{Level, Part};
use crate::config::ZenohConfig;
use crate::error::Error;
use crate::ros::Ros;
use crate::stop::Stop;
use serde::Serialize;
use sinew_proto::key::{DIAGNOSTICS, Key};
use sinew_proto::msg::diagnostic_msgs::DiagnosticArray;
use sinew_proto::{Message, Stamp};
use std::fmt::Write as _;
use std::io;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};
use zenoh::Wait;
use zenoh::bytes::ZBytes;

/// Messages that may wait to be looked at; drivers say how they are doing on the same topic.
const CAPACITY: usize = 256;
/// How long a wait lasts before it looks whether to stop.
const POLL: Duration = Duration::from_millis(50);

/// What a run said of itself at one time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reading {
    /// When it said so, nanoseconds since 1970.
    pub at_ns: i64,
    /// The robot.
    pub robot: String,
    /// The worst of all parts.
    pub level: Level,
    /// The parts, the whole first.
    pub parts: Vec<Part>,
}

impl Reading {
    /// Of a message; nothing of one that no run of ours made.
    #[must_use]
    pub fn of(array: DiagnosticArray) -> Option<Self> {
        let at = Stamp::try_from(array.header.stamp).ok()?;
        let is_ours = |name: &str| name == "sinew" || name.starts_with("sinew/");
        let ours: Vec<_> = array.status.into_iter().filter(|status| is_ours(&status.name)).collect();
        let robot = ours.first()?.hardware_id.clone();
        let parts: Vec<Part> = ours.into_iter().map(Part::from_status).collect();
        let level = parts.iter().map(|part| part.level).max()?;
        Some(Self { at_ns: at.ns(), robot, level, parts })
    }

    /// For a terminal; with every value of each part if wanted.
    #[must_use]
    pub fn table(&self, has_values: bool) -> String {
        let width = self.parts.iter().map(|part| part.name.len()).max().unwrap_or(0);
        let mut text = format!("{}: {}\n", self.robot, self.level.name());
        for part in &self.parts {
            let level = match part.level {
                Level::Ok => part.level.name().to_owned(),
                _ => part.level.name().to_uppercase(),
            };
            let _ = writeln!(text, "  {level:<5}  {:<width$}  {}", part.name, part.message);
            for (key, value) in part.values.iter().filter(|(_, value)| has_values && !value.is_empty()) {
                let _ = writeln!(text, "  {:5}  {:width$}    {key}: {value}", "", "");
            }
        }
        text
    }
}

/// How a status is read.
#[derive(Clone, Copy, Debug)]
pub struct StatusOptions {
    /// How long to wait for somebody to say something.
    pub timeout: Duration,
    /// Whether to go on reading until the stop.
    pub watches: bool,
}

/// Reads what a run says of itself: once, or until the stop. `report` is given every reading. Returns the newest level;
/// nothing if nobody said anything for `timeout`.
///
/// # Errors
/// If the network refuses, or the report cannot be written.
pub fn status(
    network: &ZenohConfig,
    options: StatusOptions,
    stop: &Stop,
    mut report: impl FnMut(&Reading) -> io::Result<()>,
) -> Result<Option<Level>, Error> {
    let ros = Ros::open(network)?;
    let (sender, messages) = sync_channel::<ZBytes>(CAPACITY);
    let key = Key::of_topic_in(&network.namespace, DIAGNOSTICS)?;
    let take = move |sample: zenoh::sample::Sample| drop(sender.try_send(sample.payload().clone()));
    let subscription = ros.subscribe(key.as_str(), Some(DiagnosticArray::TYPE_NAME), take)?;
    let mut newest: Option<(Instant, Level)> = None;
    let start = Instant::now();
    let heard_at = |newest: &Option<(Instant, Level)>| newest.map_or(start, |(at, _)| at);
    while !stop.is_requested() && (options.watches || heard_at(&newest).elapsed() < options.timeout) {
        let message = match messages.recv_timeout(POLL) {
            Ok(message) => message,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => continue,
        };
        let array = DiagnosticArray::from_cdr(&message.to_bytes()).ok();
        let Some(reading) = array.and_then(Reading::of) else { continue };
        newest = Some((Instant::now(), reading.level));
        report(&reading).map_err(Error::Report)?;
        if !options.watches {
            break;
        }
    }
    drop(subscription);
    ros.session().close().wait().map_err(Error::zenoh("closing"))?;
    Ok(newest.filter(|(at, _)| at.elapsed() < options.timeout).map(|(_, level)| level))
}
