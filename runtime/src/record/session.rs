//! `sinew-runtime record`: episodes of a robot that somebody else drives.

use super::keyboard::{self, Marker};
use super::{About, Recorder, topics};
use crate::clock;
use crate::config::Config;
use crate::error::Error;
use crate::net;
use crate::robot;
use crate::ros::Ros;
use crate::stop::Stop;
use crate::telemetry::{Event, EventKind, RecordingTotals, Telemetry};
use serde::Serialize;
use sinew_models::embodiment::Embodiment;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

const POLL: Duration = Duration::from_millis(50);

/// How it went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RecordSummary {
    /// What was recorded.
    pub recording: RecordingTotals,
    /// Events that were lost because nobody read them in time.
    pub lost_event_count: u64,
}

impl RecordSummary {
    /// Whether whatever was to be recorded was.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.recording.failure_count == 0 && self.lost_event_count == 0
    }
}

/// Records a robot until the stop. `report` is given every event, in order, and ends the recording with an error.
///
/// # Errors
/// If there is no such robot, no folder is configured, or the network refuses.
pub fn record(
    name: &str,
    config: &Config,
    stop: &Stop,
    mut report: impl FnMut(&Event) -> io::Result<()>,
) -> Result<RecordSummary, Error> {
    if !config.record.is_on() {
        return Err(Error::ConfigValue {
            key: "record.folder".to_owned(),
            found: "empty".to_owned(),
            expected: "a folder for episodes".to_owned(),
        });
    }
    let embodiment = robot::describe(name)?;
    let topics = topics::of_robot(&embodiment, config)?;
    let about = about(name, &embodiment, config)?;
    let (telemetry, events) = Telemetry::new(std::iter::empty());
    let telemetry = Arc::new(telemetry);
    let ros = Ros::open(&config.zenoh)?;
    let instruction = &config.policy.instruction;
    let recorder = Recorder::start(&ros, &config.record, topics, about, instruction, &telemetry)?;
    keyboard::listen(Marker::new(&ros, &config.zenoh.namespace)?, stop.clone())?;
    telemetry
        .emit(EventKind::RecorderReady { robot: embodiment.name, locators: net::locators(ros.session()) });
    recorder.begin();
    let mut outcome = Ok(());
    while outcome.is_ok() && !stop.is_requested() {
        match events.recv_timeout(POLL) {
            Ok(event) => {
                recorder.event(&event);
                outcome = report(&event).map_err(Error::Report);
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
    }
    while outcome.is_ok()
        && let Ok(event) = events.try_recv()
    {
        recorder.event(&event);
        outcome = report(&event).map_err(Error::Report);
    }
    recorder.finish()?;
    outcome?;
    while let Ok(event) = events.try_recv() {
        report(&event).map_err(Error::Report)?;
    }
    zenoh::Wait::wait(ros.session().close()).map_err(Error::zenoh("closing"))?;
    let summary = telemetry.summary();
    let last = Event::new(clock::now(), EventKind::Summary(Box::new(summary.clone())));
    report(&last).map_err(Error::Report)?;
    Ok(RecordSummary { recording: summary.recording, lost_event_count: summary.lost_event_count })
}

/// What is written into every file of a recording, whoever drives.
///
/// # Errors
/// If the robot's description cannot be read.
pub(crate) fn about(robot: &str, embodiment: &Embodiment, config: &Config) -> Result<About, Error> {
    let facts = BTreeMap::from([
        ("program".to_owned(), concat!("sinew-runtime ", env!("CARGO_PKG_VERSION")).to_owned()),
        ("robot".to_owned(), embodiment.name.clone()),
    ]);
    let files = BTreeMap::from([
        ("config.toml".to_owned(), config.to_toml()?),
        ("robot.toml".to_owned(), Embodiment::text(robot)?),
    ]);
    Ok(About { facts, files })
}
