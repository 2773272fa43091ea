//! Counting and reporting. Threads hand events over without waiting; what nobody reads in time is counted as lost.

mod counters;
mod event;
mod histogram;
mod terminal;
mod ticks;

pub use counters::{StreamCounters, StreamReport};
pub use event::{
    ChunkReport, Event, EventKind, MergeReport, Ready, RecordingReport, RecordingState, RecordingTotals,
    SeamReport, StageTimes, Summary,
};
pub use histogram::{Histogram, Percentiles, SharedHistogram};
pub use terminal::Terminal;
pub use ticks::{LATE_TICK_NS, TickSummary, Ticks};

use crate::clock::{self, Moment};
use crate::error::Error;
use crate::motion::JointAxis;
use crate::safety::LimitHits;
use crate::schedule::{Ending, Outcome};
use crate::slot::lock;
use sinew_sync::NotReady;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// Events that may wait for the reader.
const EVENT_CAPACITY: usize = 1024;

#[derive(Debug, Default)]
struct Totals {
    chunk_count: u64,
    failed_chunk_count: u64,
    clamped_chunk_count: u64,
    expired_chunk_count: u64,
    observation_to_publish: Histogram,
    receive_to_publish: Histogram,
    stages: BTreeMap<&'static str, Histogram>,
    not_ready: BTreeMap<&'static str, u64>,
    limit_hits: BTreeMap<String, LimitHits>,
    recording: RecordingTotals,
    progress: Progress,
}

/// How inference and recording are getting on.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// What the policy is told.
    pub instruction: Option<String>,
    /// When the newest chunk was published.
    pub chunk_at: Option<Moment>,
    /// When inference last had to wait, and for what.
    pub waited: Option<(Moment, NotReady)>,
    /// What last happened to the recording.
    pub recording: Option<RecordingReport>,
}

/// Counts what happens in one run and passes it on.
#[derive(Debug)]
pub struct Telemetry {
    started: Instant,
    events: SyncSender<Event>,
    lost: AtomicU64,
    /// In the order of [`Outcome::NAMES`]. The control tick counts here, and must not wait.
    chunk_ends: [AtomicU64; Outcome::NAMES.len()],
    totals: Mutex<Totals>,
    streams: BTreeMap<String, Arc<StreamCounters>>,
    ticks: Ticks,
}

impl Telemetry {
    /// For so many streams, and where its events can be read.
    pub fn new(streams: impl IntoIterator<Item = String>) -> (Self, Receiver<Event>) {
        let (events, receiver) = sync_channel(EVENT_CAPACITY);
        let streams = streams.into_iter().map(|name| (name, Arc::default())).collect();
        let telemetry = Self {
            started: Instant::now(),
            events,
            lost: AtomicU64::new(0),
            chunk_ends: Default::default(),
            totals: Mutex::default(),
            streams,
            ticks: Ticks::default(),
        };
        (telemetry, receiver)
    }

    /// A stream's counters; fresh ones for a stream it was not made for.
    #[must_use]
    pub fn stream(&self, name: &str) -> Arc<StreamCounters> {
        self.streams.get(name).map(Arc::clone).unwrap_or_default()
    }

    /// Passes an event on.
    pub fn emit(&self, kind: EventKind) {
        if self.events.try_send(Event::new(clock::now(), kind)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts a published chunk of so many steps and passes it on.
    pub fn chunk(&self, report: ChunkReport, step_count: usize) {
        {
            let mut totals = lock(&self.totals);
            totals.chunk_count += 1;
            totals.progress.chunk_at = Some(clock::moment());
            totals.clamped_chunk_count += u64::from(!report.clamps.is_empty());
            totals.expired_chunk_count += u64::from(report.expired_step_count == step_count);
            totals.observation_to_publish.record(ns(report.observation_to_publish_ms));
            totals.receive_to_publish.record(ns(report.receive_to_publish_ms));
            for (stage, took_ms) in report.stages.by_name() {
                totals.stages.entry(stage).or_default().record(ns(took_ms));
            }
        }
        self.emit(EventKind::Chunk(report));
    }

    /// Counts a chunk that was not published and says why.
    pub fn failed_chunk(&self, error: &Error) {
        lock(&self.totals).failed_chunk_count += 1;
        self.emit(EventKind::Error { message: error.to_string() });
    }

    /// Counts what became of a chunk and passes it on.
    pub fn ending(&self, ending: Ending) {
        self.chunk_ends[ending.outcome.index()].fetch_add(1, Ordering::Relaxed);
        self.emit(EventKind::ChunkEnd(ending));
    }

    /// Counts what happened to a recording and passes it on. `payload_bytes` are those of an episode that ended.
    pub fn recording(&self, report: RecordingReport, payload_bytes: u64) {
        {
            let mut all = lock(&self.totals);
            if report.state != RecordingState::MarkRefused {
                all.progress.recording = Some(report.clone());
            }
            let totals = &mut all.recording;
            totals.episode_count += u64::from(report.state == RecordingState::Ended);
            totals.failure_count += u64::from(report.state == RecordingState::Failed);
            totals.message_count += report.message_count;
            totals.payload_bytes += payload_bytes;
        }
        self.emit(EventKind::Recording(report));
    }

    /// Takes over how often limits were hit, one entry a joint.
    pub fn limit_hits(&self, axes: &[JointAxis], hits: &[LimitHits]) {
        let hit = axes.iter().zip(hits).filter(|(_, hits)| **hits != LimitHits::default());
        lock(&self.totals).limit_hits = hit.map(|(axis, hits)| (axis.name.clone(), *hits)).collect();
    }

    /// Counts that there was nothing to infer from.
    pub fn not_ready(&self, reason: &NotReady) {
        let mut totals = lock(&self.totals);
        *totals.not_ready.entry(reason.kind()).or_default() += 1;
        totals.progress.waited = Some((clock::moment(), reason.clone()));
    }

    /// Remembers what the policy is told.
    pub fn instructed(&self, instruction: Option<&str>) {
        lock(&self.totals).progress.instruction = instruction.map(str::to_owned);
    }

    /// How inference and recording are getting on.
    #[must_use]
    pub fn progress(&self) -> Progress {
        lock(&self.totals).progress.clone()
    }

    /// Counts control ticks.
    #[must_use]
    pub fn ticks(&self) -> &Ticks {
        &self.ticks
    }

    /// Chunks published so far.
    #[must_use]
    pub fn chunk_count(&self) -> u64 {
        lock(&self.totals).chunk_count
    }

    /// Every stream's numbers so far.
    #[must_use]
    pub fn streams(&self) -> BTreeMap<String, StreamReport> {
        let now = clock::moment();
        self.streams.iter().map(|(name, counters)| (name.clone(), counters.report(now))).collect()
    }

    fn chunk_ends(&self) -> BTreeMap<&'static str, u64> {
        let counts = self.chunk_ends.iter().map(|count| count.load(Ordering::Relaxed));
        Outcome::NAMES.into_iter().zip(counts).filter(|(_, count)| *count > 0).collect()
    }

    /// The whole run so far.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let totals = lock(&self.totals);
        Summary {
            seconds: self.started.elapsed().as_secs_f64(),
            chunk_count: totals.chunk_count,
            failed_chunk_count: totals.failed_chunk_count,
            clamped_chunk_count: totals.clamped_chunk_count,
            expired_chunk_count: totals.expired_chunk_count,
            observation_to_publish: totals.observation_to_publish.percentiles(),
            receive_to_publish: totals.receive_to_publish.percentiles(),
            stages: totals.stages.iter().map(|(stage, times)| (*stage, times.percentiles())).collect(),
            not_ready: totals.not_ready.clone(),
            chunk_ends: self.chunk_ends(),
            limit_hits: totals.limit_hits.clone(),
            recording: totals.recording,
            streams: self.streams(),
            ticks: self.ticks.summary(),
            lost_event_count: self.lost.load(Ordering::Relaxed),
        }
    }
}

fn ns(ms: f64) -> i64 {
    (ms * clock::NS_PER_MS) as i64
}
