//! `sinew-runtime watch`: chunks as any subscriber sees them.

mod ledger;
mod trace;

pub(crate) use ledger::numbers;
pub use ledger::{Ledger, Sighting};
pub use trace::{GroupTrace, Trace};

use crate::clock;
use crate::config::ZenohConfig;
use crate::error::Error;
use crate::net;
use crate::robot;
use crate::ros::Ros;
use crate::slot::lock;
use crate::stop::Stop;
use serde::Serialize;
use sinew_proto::key::{ACTION_CHUNK, Key};
use sinew_proto::msg::sinew_msgs::ActionChunk;
use sinew_proto::msg::trajectory_msgs::JointTrajectory;
use sinew_proto::{Message, Stamp};
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use zenoh::Wait;
use zenoh::bytes::ZBytes;

/// Messages that may wait to be looked at.
const CAPACITY: usize = 1024;
const POLL: Duration = Duration::from_millis(50);

/// What to look for.
#[derive(Clone, Debug)]
pub struct WatchOptions {
    /// The robot: its name, or the file of its description.
    pub robot: String,
    /// Stop after so many chunks.
    pub chunk_limit: Option<u64>,
    /// Draw the last chunk over the joints' history into this file.
    pub plot: Option<PathBuf>,
}

/// What was seen.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum WatchEvent {
    /// Subscriptions are declared.
    Ready {
        /// Where others can reach the session.
        locators: Vec<String>,
    },
    /// A message.
    Seen(Sighting),
    /// A message that could not be read.
    Malformed {
        /// Its key.
        key: String,
        /// What was wrong.
        message: String,
    },
    /// It is over.
    Summary(WatchSummary),
}

/// All that was seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct WatchSummary {
    /// Chunks.
    pub chunk_count: u64,
    /// Chunks whose numbers were skipped.
    pub lost_chunk_count: u64,
    /// Trajectories by group.
    pub trajectory_counts: BTreeMap<String, u64>,
    /// Messages that could not be read.
    pub malformed_count: u64,
    /// Messages that came faster than they were looked at.
    pub overrun_count: u64,
}

impl WatchSummary {
    /// Whether everything that was published was seen and could be read.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.lost_chunk_count == 0 && self.malformed_count == 0 && self.overrun_count == 0
    }
}

/// Watches until the stop or the limit.
///
/// # Errors
/// If the network refuses, or the plot cannot be drawn.
pub fn watch(
    options: &WatchOptions,
    network: &ZenohConfig,
    stop: &Stop,
    mut report: impl FnMut(&WatchEvent) -> io::Result<()>,
) -> Result<WatchSummary, Error> {
    let embodiment = robot::describe(&options.robot)?;
    let ros = Ros::open(network)?;
    let naming = ros.clone();
    let (sender, messages) = sync_channel::<(String, Stamp, ZBytes)>(CAPACITY);
    let overruns = Arc::new(AtomicU64::new(0));
    let missed = Arc::clone(&overruns);
    let callback = move |sample: zenoh::sample::Sample| {
        let message = (naming.topic_of(&sample).to_owned(), clock::now(), sample.payload().clone());
        if sender.try_send(message).is_err() {
            missed.fetch_add(1, Ordering::Relaxed);
        }
    };
    let chunk_key = Key::of_topic_in(&network.namespace, ACTION_CHUNK)?;
    let prefix = chunk_key.as_str().strip_suffix(ACTION_CHUNK).unwrap_or_default().to_owned();
    let trajectories = format!("{prefix}*/joint_trajectory");
    let subscriptions = [
        ros.subscribe(chunk_key.as_str(), Some(ActionChunk::TYPE_NAME), callback.clone())?,
        ros.subscribe(&trajectories, Some(JointTrajectory::TYPE_NAME), callback)?,
    ];
    let trace = Arc::new(Mutex::new(Trace::new(&embodiment)));
    let feedback = match &options.plot {
        Some(_) => trace::subscribe(&ros, &network.namespace, &embodiment, &trace)?,
        None => Vec::new(),
    };
    report(&WatchEvent::Ready { locators: net::locators(ros.session()) }).map_err(Error::Report)?;
    let mut watched = Watched { ledger: Ledger::default(), malformed_count: 0, prefix, trace: &trace };
    let is_enough = |count: u64| options.chunk_limit.is_some_and(|limit| count >= limit);
    while !stop.is_requested() {
        match messages.recv_timeout(POLL) {
            Ok((key, now, payload)) => {
                // The chunk after the last wanted one ends the watch: by then the last one's trajectories are seen.
                if key == chunk_key.as_str() && is_enough(watched.ledger.chunk_count) {
                    break;
                }
                report(&watched.see(&key, &payload.to_bytes(), now)).map_err(Error::Report)?;
            }
            Err(RecvTimeoutError::Timeout) if is_enough(watched.ledger.chunk_count) => break,
            Err(_) => {}
        }
    }
    drop((subscriptions, feedback));
    ros.session().close().wait().map_err(Error::zenoh("closing"))?;
    let summary = watched.summary(overruns.load(Ordering::Relaxed));
    if let Some(path) = &options.plot {
        crate::plot::draw(path, &lock(&trace))?;
    }
    report(&WatchEvent::Summary(summary.clone())).map_err(Error::Report)?;
    Ok(summary)
}

/// What has been seen so far.
struct Watched<'a> {
    ledger: Ledger,
    malformed_count: u64,
    /// The namespace, with its slash.
    prefix: String,
    trace: &'a Mutex<Trace>,
}

impl Watched<'_> {
    fn see(&mut self, key: &str, message: &[u8], now: Stamp) -> WatchEvent {
        let seen = match self.group_of(key).map(str::to_owned) {
            None => self.ledger.chunk(message, now),
            Some(group) => self.ledger.trajectory(&group, message, now).map(|(sighting, trajectory)| {
                lock(self.trace).command(&group, trajectory);
                sighting
            }),
        };
        seen.map_or_else(
            |error| {
                self.malformed_count += 1;
                WatchEvent::Malformed { key: key.to_owned(), message: error.to_string() }
            },
            WatchEvent::Seen,
        )
    }

    /// The group whose trajectory a key carries.
    fn group_of<'k>(&self, key: &'k str) -> Option<&'k str> {
        key.strip_prefix(&self.prefix)?.strip_suffix("_controller/joint_trajectory")
    }

    fn summary(self, overrun_count: u64) -> WatchSummary {
        WatchSummary {
            chunk_count: self.ledger.chunk_count,
            lost_chunk_count: self.ledger.lost_chunk_count,
            trajectory_counts: self.ledger.trajectory_counts,
            malformed_count: self.malformed_count,
            overrun_count,
        }
    }
}
