//! What became of each chunk: published, superseded or dropped. Every one is accounted for.

use serde::Serialize;
use std::collections::VecDeque;
use std::ops::Range;

/// Why a chunk was dropped without a step of it being published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DropReason {
    /// Its observation is older than that of a chunk taken in before.
    OutOfOrder,
    /// Its observation was taken before the robot was last told to hold.
    BeforeHold,
    /// The robot holds.
    Holding,
    /// All its steps were over when it arrived.
    Expired,
    /// A number in it is none.
    NotFinite,
    /// It does not have the shape of a chunk.
    WrongShape,
}

/// What became of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// Steps of it were played.
    Published {
        /// How many.
        step_count: u64,
    },
    /// A newer chunk replaced it before any step of it was played.
    Superseded,
    /// It was not taken in, or forgotten before any step of it was played.
    Dropped {
        /// Why.
        reason: DropReason,
    },
}

impl Outcome {
    /// For counting, in the order of [`Self::index`].
    pub const NAMES: [&'static str; 8] = [
        "published",
        "superseded",
        "dropped: out of order",
        "dropped: from before a hold",
        "dropped: holding",
        "dropped: expired",
        "dropped: not finite",
        "dropped: wrong shape",
    ];

    /// Its place among [`Self::NAMES`].
    #[must_use]
    pub fn index(self) -> usize {
        match self {
            Self::Published { .. } => 0,
            Self::Superseded => 1,
            Self::Dropped { reason } => 2 + reason as usize,
        }
    }
}

/// A chunk's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Ending {
    /// The chunk's number.
    pub sequence: u64,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// A chunk that has a part in steps ahead.
#[derive(Clone, Debug)]
struct Entry {
    sequence: u64,
    steps: Range<u64>,
    played: u64,
}

/// Chunks in play, and the ends of others until somebody asks.
#[derive(Clone, Debug)]
pub(super) struct Ledger {
    open: VecDeque<Entry>,
    endings: VecDeque<Ending>,
}

impl Ledger {
    /// For so many chunks at a time.
    pub(super) fn new(capacity: usize) -> Self {
        Self { open: VecDeque::with_capacity(capacity), endings: VecDeque::with_capacity(2 * capacity) }
    }

    /// A chunk has a part in these steps. Chunks before it keep theirs up to `keep_until`.
    pub(super) fn open(&mut self, sequence: u64, steps: Range<u64>, keep_until: u64) {
        for entry in &mut self.open {
            entry.steps.end = entry.steps.end.min(keep_until);
        }
        self.open.push_back(Entry { sequence, steps, played: 0 });
    }

    /// A chunk is not taken in.
    pub(super) fn drop(&mut self, sequence: u64, reason: DropReason) {
        self.endings.push_back(Ending { sequence, outcome: Outcome::Dropped { reason } });
    }

    /// A step is played.
    pub(super) fn play(&mut self, step: u64) {
        for entry in self.open.iter_mut().filter(|entry| entry.steps.contains(&step)) {
            entry.played += 1;
        }
    }

    /// Ends the chunks that have no part in any step from `front` on.
    pub(super) fn close(&mut self, front: u64) {
        let endings = &mut self.endings;
        self.open.retain(|entry| {
            let goes_on = entry.steps.end > front.max(entry.steps.start);
            if !goes_on {
                let outcome = match entry.played {
                    0 => Outcome::Superseded,
                    step_count => Outcome::Published { step_count },
                };
                endings.push_back(Ending { sequence: entry.sequence, outcome });
            }
            goes_on
        });
    }

    /// Ends all chunks: the robot is to hold.
    pub(super) fn hold(&mut self) {
        for entry in self.open.drain(..) {
            let outcome = match entry.played {
                0 => Outcome::Dropped { reason: DropReason::Holding },
                step_count => Outcome::Published { step_count },
            };
            self.endings.push_back(Ending { sequence: entry.sequence, outcome });
        }
    }

    /// The next end that nobody asked for yet.
    pub(super) fn next_ending(&mut self) -> Option<Ending> {
        self.endings.pop_front()
    }
}
