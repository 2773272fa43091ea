//! The wall clock. Everything that computes with time takes it as an argument; only the shell asks here.

use sinew_proto::Stamp;
use std::time::{SystemTime, UNIX_EPOCH};

/// Nanoseconds in a millisecond.
pub(crate) const NS_PER_MS: f64 = 1e6;

/// The time now. The robot's computers have to agree on it: stamps are compared with it.
#[must_use]
pub fn now() -> Stamp {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Stamp::from_ns(i64::try_from(since_1970.as_nanos()).unwrap_or(i64::MAX))
}

/// A length of time in milliseconds, for people.
pub(crate) fn ms(ns: i64) -> f64 {
    ns as f64 / NS_PER_MS
}
