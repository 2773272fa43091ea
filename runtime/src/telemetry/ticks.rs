//! How punctual the control tick is. Counting waits for nobody and takes no memory.

use super::histogram::{Percentiles, SharedHistogram};
use crate::clock;
use serde::Serialize;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// From when on a tick counts as late.
pub const LATE_TICK_NS: i64 = 5_000_000;

/// Counts ticks. The control thread writes, others look.
#[derive(Debug, Default)]
pub struct Ticks {
    lateness: SharedHistogram,
    newest_ns: AtomicI64,
    late: AtomicU64,
    missed: AtomicU64,
}

/// How punctual the control tick was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct TickSummary {
    /// By how much ticks began after their time.
    pub lateness: Percentiles,
    /// The newest tick's lateness, milliseconds.
    pub newest_ms: f64,
    /// Ticks that began more than [`LATE_TICK_NS`] after their time.
    pub late_count: u64,
    /// Ticks that never took place: the next one was due already.
    pub missed_count: u64,
}

impl Ticks {
    /// A tick begins so long after its time.
    pub fn began(&self, late_ns: i64) {
        self.lateness.record(late_ns);
        self.newest_ns.store(late_ns, Ordering::Relaxed);
        self.late.fetch_add(u64::from(late_ns > LATE_TICK_NS), Ordering::Relaxed);
    }

    /// So many ticks will not take place.
    pub fn missed(&self, count: i64) {
        self.missed.fetch_add(u64::try_from(count).unwrap_or(0), Ordering::Relaxed);
    }

    /// All of it so far; nothing before the first tick.
    #[must_use]
    pub fn summary(&self) -> Option<TickSummary> {
        let lateness = self.lateness.histogram().percentiles();
        (lateness.count > 0).then(|| TickSummary {
            lateness,
            newest_ms: clock::ms(self.newest_ns.load(Ordering::Relaxed)),
            late_count: self.late.load(Ordering::Relaxed),
            missed_count: self.missed.load(Ordering::Relaxed),
        })
    }
}
