//! What arrives on one stream, counted by the thread that receives it.

use crate::clock::{Moment, ms};
use crate::error::Error;
use crate::slot::lock;
use serde::Serialize;
use sinew_sync::Fault;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// What no message arrived at yet.
const NEVER: i64 = i64::MIN;

/// A stream's counters.
#[derive(Debug)]
pub struct StreamCounters {
    received: AtomicU64,
    shared: AtomicU64,
    dropped: AtomicU64,
    /// In the order of [`Fault::NAMES`]: how many, and what was wrong with the newest.
    unusable: [AtomicU64; Fault::NAMES.len()],
    messages: Mutex<[Option<String>; Fault::NAMES.len()]>,
    heard_at_ns: AtomicI64,
    /// Longest silence that is as it should be.
    max_silence_ns: AtomicI64,
    lost: AtomicU64,
}

impl Default for StreamCounters {
    fn default() -> Self {
        Self {
            received: AtomicU64::new(0),
            shared: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            unusable: Default::default(),
            messages: Mutex::default(),
            heard_at_ns: AtomicI64::new(NEVER),
            max_silence_ns: AtomicI64::new(i64::MAX),
            lost: AtomicU64::new(0),
        }
    }
}

impl StreamCounters {
    /// The stream counts as lost when nothing arrives for longer.
    pub fn expect_within(&self, max_silence_ns: i64) {
        self.max_silence_ns.store(max_silence_ns, Ordering::Relaxed);
    }

    /// A message arrived.
    pub fn received(&self, now: Moment) {
        self.received.fetch_add(1, Ordering::Relaxed);
        let before = self.heard_at_ns.swap(now.ns(), Ordering::Relaxed);
        self.lost.fetch_add(u64::from(self.is_lost(before, now)), Ordering::Relaxed);
    }

    /// A message came through shared memory.
    pub fn shared(&self) {
        self.shared.fetch_add(1, Ordering::Relaxed);
    }

    /// A message is not used; says why in words.
    pub fn unusable(&self, fault: Fault, message: String) {
        self.unusable[fault.index()].fetch_add(1, Ordering::Relaxed);
        lock(&self.messages)[fault.index()] = Some(message);
    }

    /// A message cannot be read.
    pub fn malformed(&self, error: &Error) {
        self.unusable(Fault::Malformed, error.to_string());
    }

    /// A message was replaced before anyone looked at it.
    pub fn dropped(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    fn is_lost(&self, heard_at_ns: i64, now: Moment) -> bool {
        let silent_ns = now.ns_since(Moment::from_ns(heard_at_ns));
        heard_at_ns != NEVER && silent_ns > self.max_silence_ns.load(Ordering::Relaxed)
    }

    /// The numbers so far.
    #[must_use]
    pub fn report(&self, now: Moment) -> StreamReport {
        let heard_at_ns = self.heard_at_ns.load(Ordering::Relaxed);
        let count = |fault: usize| self.unusable[fault].load(Ordering::Relaxed);
        let messages = lock(&self.messages).clone();
        // In the order of `Fault::NAMES`.
        let [malformed, ahead, late, duplicate, out_of_order, frozen] = std::array::from_fn(count);
        StreamReport {
            received: self.received.load(Ordering::Relaxed),
            shared: self.shared.load(Ordering::Relaxed),
            malformed,
            ahead,
            late,
            duplicate,
            out_of_order,
            frozen,
            dropped: self.dropped.load(Ordering::Relaxed),
            lost: self.lost.load(Ordering::Relaxed) + u64::from(self.is_lost(heard_at_ns, now)),
            silent_ms: (heard_at_ns != NEVER).then(|| ms(now.ns_since(Moment::from_ns(heard_at_ns)))),
            last_error: messages[Fault::Malformed.index()].clone(),
            messages,
        }
    }
}

/// A stream's numbers.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct StreamReport {
    /// Messages that arrived.
    pub received: u64,
    /// Of these, came through shared memory.
    pub shared: u64,
    /// Of these, could not be read.
    pub malformed: u64,
    /// Of these, stamped ahead of this computer's clock.
    pub ahead: u64,
    /// Of these, arrived long after their stamp.
    pub late: u64,
    /// Of these, had the stamp of the one before.
    pub duplicate: u64,
    /// Of these, had an older stamp than one before.
    pub out_of_order: u64,
    /// Of these, pictures that showed the same as too many before.
    pub frozen: u64,
    /// Of these, replaced by a newer one before they were looked at.
    pub dropped: u64,
    /// How often nothing arrived for too long, this moment included.
    pub lost: u64,
    /// How long ago the newest message arrived, usable or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silent_ms: Option<f64>,
    /// Why the newest of the malformed ones could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// What was wrong with the newest message of each fault.
    #[serde(skip)]
    messages: [Option<String>; Fault::NAMES.len()],
}

impl StreamReport {
    /// How many messages each fault has cost, and what was wrong with the newest of them.
    pub fn unusable(&self) -> impl Iterator<Item = (&'static str, u64, &str)> {
        let Self { malformed, ahead, late, duplicate, out_of_order, frozen, .. } = *self;
        let counts = [malformed, ahead, late, duplicate, out_of_order, frozen];
        let messages = self.messages.iter().map(|message| message.as_deref().unwrap_or_default());
        Fault::NAMES.into_iter().zip(counts).zip(messages).map(|((name, count), text)| (name, count, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silence_counts_once_and_while_it_lasts() {
        let counters = StreamCounters::default();
        counters.expect_within(100);
        let lost = |at| counters.report(Moment::from_ns(at)).lost;
        assert_eq!(lost(1_000), 0, "what never came was not lost");
        counters.received(Moment::from_ns(1_000));
        assert_eq!((lost(1_100), lost(1_101), lost(9_000)), (0, 1, 1));
        counters.received(Moment::from_ns(9_000));
        counters.received(Moment::from_ns(9_100));
        assert_eq!((lost(9_150), lost(9_201)), (1, 2));
    }

    #[test]
    fn each_fault_is_counted_apart_and_keeps_its_words() {
        let counters = StreamCounters::default();
        let faults = [
            Fault::Malformed,
            Fault::Ahead { ahead_ns: 1 },
            Fault::Late { delay_ns: 1 },
            Fault::Duplicate,
            Fault::OutOfOrder { behind_ns: 1 },
            Fault::Frozen { equal_count: 1 },
        ];
        for (times, fault) in faults.into_iter().enumerate() {
            (0..=times).for_each(|_| counters.unusable(fault, fault.to_string()));
        }
        let report = counters.report(Moment::from_ns(0));
        let StreamReport { malformed, ahead, late, duplicate, out_of_order, frozen, .. } = report;
        assert_eq!([malformed, ahead, late, duplicate, out_of_order, frozen], [1, 2, 3, 4, 5, 6]);
        let said: Vec<_> = report.unusable().collect();
        for ((name, count, text), (times, fault)) in said.into_iter().zip(faults.into_iter().enumerate()) {
            assert_eq!((name, count, text), (fault.name(), times as u64 + 1, &fault.to_string()[..]));
        }
    }
}
