//! The clocks. Everything that computes with time takes it as an argument; only the shell asks here.
//!
//! Stamps of messages are wall-clock times: other computers made them. What decides about motion counts [`Moment`]s,
//! which no NTP daemon and no operator can step.

use sinew_proto::Stamp;
use std::sync::LazyLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Nanoseconds in a millisecond.
pub(crate) const NS_PER_MS: f64 = 1e6;

/// A time on this process's monotonic clock, in nanoseconds from an arbitrary zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(i64);

impl Moment {
    /// From nanoseconds.
    #[must_use]
    pub const fn from_ns(ns: i64) -> Self {
        Self(ns)
    }

    /// In nanoseconds.
    #[must_use]
    pub const fn ns(self) -> i64 {
        self.0
    }

    /// Nanoseconds from `earlier` to this moment; negative if that is later.
    #[must_use]
    pub const fn ns_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The moment so many nanoseconds later; earlier if negative.
    #[must_use]
    pub const fn plus_ns(self, ns: i64) -> Self {
        Self(self.0.saturating_add(ns))
    }
}

/// The time now. The robot's computers have to agree on it: stamps are compared with it.
#[must_use]
pub fn now() -> Stamp {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Stamp::from_ns(i64::try_from(since_1970.as_nanos()).unwrap_or(i64::MAX))
}

/// The moment of a wall-clock time: as long ago as that is now.
#[must_use]
pub fn moment_of(stamp: Stamp) -> Moment {
    moment().plus_ns(stamp.ns_since(now()))
}

/// The moment now.
#[must_use]
pub fn moment() -> Moment {
    static ZERO: LazyLock<Instant> = LazyLock::new(Instant::now);
    Moment(i64::try_from(ZERO.elapsed().as_nanos()).unwrap_or(i64::MAX))
}

/// Both clocks at one moment. A thread that was put aside between the two readings looks again, a few times.
#[must_use]
pub fn both() -> (Moment, Stamp) {
    const TOGETHER_NS: i64 = 20_000;
    let look = || {
        let at = moment();
        let wall = now();
        (at, wall, moment().ns_since(at))
    };
    let mut found = look();
    for _ in 0..4 {
        if found.2 <= TOGETHER_NS {
            break;
        }
        found = look();
    }
    (found.0, found.1)
}

/// A length of time in milliseconds, for people.
pub(crate) fn ms(ns: i64) -> f64 {
    ns as f64 / NS_PER_MS
}
