//! What the control tick says of itself, for whoever wants to know. The tick never waits for them.

use crate::clock::Moment;
use crate::motion::Joints;
use crate::presence::Listeners;
use crate::safety::{LimitHits, State};
use crate::slot::lock;
use crate::telemetry::{MergeReport, SeamReport};
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};

/// Changes that may wait for their reader.
const CHANGE_CAPACITY: usize = 64;

/// What the safety core lets the robot do, and why no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// What.
    pub state: State,
    /// Why it does not move, in one word.
    pub reason: Option<&'static str>,
    /// Why, for people.
    pub message: Option<Arc<str>>,
    /// Since when.
    pub since: Moment,
}

/// All of it, after a tick.
#[derive(Clone, Debug)]
pub struct TickReport {
    /// When the newest tick was; none before the first.
    pub at: Option<Moment>,
    /// What the robot may do.
    pub allowed: Allowed,
    /// What moves the robot.
    pub activity: &'static str,
    /// How long it has stood for want of chunks.
    pub idle_ns: i64,
    /// How often limits were hit, one entry a joint.
    pub limit_hits: Box<[LimitHits]>,
    /// How the newest chunk was merged.
    pub merged: Option<MergeReport>,
    /// The largest jump of each group so far.
    pub largest_seam: SeamReport,
    /// Who listens, by key; nothing while nobody says.
    pub listeners: Option<Arc<BTreeMap<String, Listeners>>>,
}

impl TickReport {
    /// Before the first tick.
    #[must_use]
    pub fn new(joints: &Joints) -> Self {
        let since = Moment::default();
        Self {
            at: None,
            allowed: Allowed { state: State::Waiting, reason: None, message: None, since },
            activity: "waiting",
            idle_ns: 0,
            limit_hits: vec![LimitHits::default(); joints.count()].into(),
            merged: None,
            largest_seam: SeamReport::new(joints),
            listeners: None,
        }
    }

    /// Takes a chunk's merging down.
    pub fn merged(&mut self, merged: &MergeReport) {
        self.largest_seam.widen(&merged.seam);
        self.merged = Some(merged.clone());
    }

    /// Takes no memory, unlike [`Clone::clone`].
    fn copy_from(&mut self, other: &Self) {
        let limit_hits = std::mem::take(&mut self.limit_hits);
        *self = Self { limit_hits, ..other.shallow() };
        self.limit_hits.copy_from_slice(&other.limit_hits);
    }

    /// Everything but the limits' hits.
    fn shallow(&self) -> Self {
        Self {
            at: self.at,
            allowed: self.allowed.clone(),
            activity: self.activity,
            idle_ns: self.idle_ns,
            limit_hits: Box::default(),
            merged: self.merged.clone(),
            largest_seam: self.largest_seam.clone(),
            listeners: self.listeners.clone(),
        }
    }
}

/// Where the control tick leaves its reports.
#[derive(Debug)]
pub struct TickBoard {
    newest: Mutex<TickReport>,
    changes: SyncSender<Allowed>,
}

impl TickBoard {
    /// Before the first tick, and where changes of what the robot may do can be waited for.
    #[must_use]
    pub fn new(joints: &Joints) -> (Self, Receiver<Allowed>) {
        let (changes, receiver) = sync_channel(CHANGE_CAPACITY);
        (Self { newest: Mutex::new(TickReport::new(joints)), changes }, receiver)
    }

    /// Leaves a report, unless somebody looks right now: then the next tick's will do.
    pub fn leave(&self, report: &TickReport) {
        if let Ok(mut newest) = self.newest.try_lock() {
            newest.copy_from(report);
        }
    }

    /// Says that what the robot may do has changed. Where nobody reads, what is newest can still be looked at.
    pub fn change(&self, allowed: &Allowed) {
        let _ = self.changes.try_send(allowed.clone());
    }

    /// The newest report.
    #[must_use]
    pub fn look(&self) -> TickReport {
        lock(&self.newest).clone()
    }
}
