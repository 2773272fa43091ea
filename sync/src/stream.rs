//! One input as it arrives: which of its messages may be used, and what is wrong with the others. Pure: times are
//! arguments.
//!
//! Only samples that may be used enter the [`History`]. So whatever goes wrong with an input, its newest sample gets
//! older, and the rules about age are all that observations and the safety core have to know. The fault of the newest
//! message says why.

use crate::history::{History, OutOfOrder, Sample};
use crate::ms;
use crate::observation::Limits;
use sinew_proto::Stamp;
use std::fmt;

/// Why a message is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It cannot be read.
    Malformed,
    /// It is stamped ahead of this computer's clock.
    Ahead {
        /// By how much.
        ahead_ns: i64,
    },
    /// It arrived long after its stamp.
    Late {
        /// How long after.
        delay_ns: i64,
    },
    /// It has the stamp of the one before.
    Duplicate,
    /// Its stamp is older than that of one before.
    OutOfOrder {
        /// By how much.
        behind_ns: i64,
    },
    /// It shows exactly what too many before it showed.
    Frozen {
        /// How many in a row are equal.
        equal_count: u32,
    },
}

impl Fault {
    /// What a fault may be called, in the order of [`Fault::index`].
    pub const NAMES: [&'static str; 6] =
        ["malformed", "ahead", "late", "duplicate", "out_of_order", "frozen"];

    /// Its place among [`Fault::NAMES`].
    #[must_use]
    pub fn index(self) -> usize {
        match self {
            Self::Malformed => 0,
            Self::Ahead { .. } => 1,
            Self::Late { .. } => 2,
            Self::Duplicate => 3,
            Self::OutOfOrder { .. } => 4,
            Self::Frozen { .. } => 5,
        }
    }

    /// In one word, for counting.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES[self.index()]
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("it cannot be read"),
            Self::Ahead { ahead_ns } => {
                write!(f, "its stamp is {:.0} ms ahead of this computer's clock", ms(*ahead_ns))
            }
            Self::Late { delay_ns } => write!(f, "it arrived {:.0} ms after its stamp", ms(*delay_ns)),
            Self::Duplicate => f.write_str("its stamp does not advance"),
            Self::OutOfOrder { behind_ns } => {
                write!(f, "its stamp is {:.0} ms behind one before", ms(*behind_ns))
            }
            Self::Frozen { equal_count } => write!(f, "{equal_count} pictures in a row are equal"),
        }
    }
}

/// An input: its newest usable samples, and what is wrong with what else arrives.
#[derive(Clone, Debug)]
pub struct Stream<T> {
    history: History<T>,
    limits: Limits,
    /// When any message arrived last.
    heard_at: Option<Stamp>,
    /// What is wrong with that message.
    fault: Option<Fault>,
    /// Fingerprint of the newest picture, and how many in a row have it.
    picture: Option<(u64, u32)>,
}

impl<T> Stream<T> {
    /// Room for `capacity` samples, at least one.
    #[must_use]
    pub fn new(capacity: usize, limits: Limits) -> Self {
        Self { history: History::new(capacity), limits, heard_at: None, fault: None, picture: None }
    }

    /// Takes a sample in, if it may be used, and returns the one that made room for it. `fingerprint` stands for what a
    /// picture shows: equal pictures have equal ones.
    ///
    /// # Errors
    /// What is wrong with it; the samples stay as they are.
    pub fn admit(&mut self, sample: Sample<T>, fingerprint: Option<u64>) -> Result<Option<T>, Fault> {
        let received_at = sample.received_at;
        let outcome = self.judge(&sample, fingerprint).and_then(|()| {
            self.history.push(sample).map_err(|OutOfOrder { behind_ns }| match behind_ns {
                0 => Fault::Duplicate,
                behind_ns => Fault::OutOfOrder { behind_ns },
            })
        });
        self.heard_at = Some(received_at);
        self.fault = outcome.as_ref().err().copied();
        outcome
    }

    /// Something arrived that cannot be read.
    pub fn refuse(&mut self, received_at: Stamp) {
        self.heard_at = Some(received_at);
        self.fault = Some(Fault::Malformed);
    }

    /// What the samples say on their own; their order is left to the history.
    fn judge(&mut self, sample: &Sample<T>, fingerprint: Option<u64>) -> Result<(), Fault> {
        let delay_ns = sample.received_at.ns_since(sample.captured_at);
        if delay_ns < -self.limits.max_skew_ns {
            return Err(Fault::Ahead { ahead_ns: -delay_ns });
        }
        if delay_ns > self.limits.max_age_ns {
            return Err(Fault::Late { delay_ns });
        }
        // A repeated message says nothing about whether the camera's next picture is another one.
        let is_new = self.newest().is_none_or(|newest| sample.captured_at > newest.captured_at);
        let (Some(fingerprint), true) = (fingerprint, is_new) else { return Ok(()) };
        let equal_count = match self.picture {
            Some((before, count)) if before == fingerprint => count.saturating_add(1),
            _ => 1,
        };
        self.picture = Some((fingerprint, equal_count));
        let most = self.limits.max_equal_pictures;
        if most > 0 && equal_count > most { Err(Fault::Frozen { equal_count }) } else { Ok(()) }
    }

    /// The newest usable sample.
    #[must_use]
    pub fn newest(&self) -> Option<&Sample<T>> {
        self.history.newest()
    }

    /// The usable samples.
    #[must_use]
    pub fn history(&self) -> &History<T> {
        &self.history
    }

    /// What is wrong with the newest message, if something is.
    #[must_use]
    pub fn fault(&self) -> Option<Fault> {
        self.fault
    }

    /// How long nothing has arrived, usable or not. None if nothing ever did.
    #[must_use]
    pub fn silent_ns(&self, now: Stamp) -> Option<i64> {
        self.heard_at.map(|heard_at| now.ns_since(heard_at))
    }
}
