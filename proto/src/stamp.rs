//! Time as integer nanoseconds, and its checked conversions to and from ROS 2.

use crate::Error;
use crate::msg::builtin_interfaces::{Duration, Time};

const NS_PER_SECOND: i64 = 1_000_000_000;

/// A point in time: nanoseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp(i64);

impl Stamp {
    /// From nanoseconds since 1970.
    #[must_use]
    pub const fn from_ns(ns: i64) -> Self {
        Self(ns)
    }

    /// Nanoseconds since 1970.
    #[must_use]
    pub const fn ns(self) -> i64 {
        self.0
    }

    /// Nanoseconds from `earlier` to `self`, negative where `earlier` is later. Saturates after 292 years.
    #[must_use]
    pub const fn ns_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The time `ns` nanoseconds later, `None` past the year 2262.
    #[must_use]
    pub const fn checked_add_ns(self, ns: i64) -> Option<Self> {
        match self.0.checked_add(ns) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }
}

/// Fails with [`Error::Nanosec`] where the nanoseconds make a full second.
impl TryFrom<Time> for Stamp {
    type Error = Error;

    fn try_from(time: Time) -> Result<Self, Error> {
        join(time.sec, time.nanosec).map(Self)
    }
}

/// Fails with [`Error::Range`] outside the years 1901 to 2038, which is what 32 bits of seconds hold.
impl TryFrom<Stamp> for Time {
    type Error = Error;

    fn try_from(stamp: Stamp) -> Result<Self, Error> {
        split(stamp.0).map(|(sec, nanosec)| Self { sec, nanosec })
    }
}

impl Duration {
    /// From nanoseconds.
    ///
    /// # Errors
    ///
    /// [`Error::Range`] for more than 68 years.
    pub fn from_ns(ns: i64) -> Result<Self, Error> {
        split(ns).map(|(sec, nanosec)| Self { sec, nanosec })
    }

    /// In nanoseconds.
    ///
    /// # Errors
    ///
    /// [`Error::Nanosec`] where the nanoseconds make a full second.
    pub fn to_ns(self) -> Result<i64, Error> {
        join(self.sec, self.nanosec)
    }
}

fn join(sec: i32, nanosec: u32) -> Result<i64, Error> {
    if i64::from(nanosec) >= NS_PER_SECOND {
        return Err(Error::Nanosec { found: nanosec });
    }
    Ok(i64::from(sec) * NS_PER_SECOND + i64::from(nanosec))
}

/// Rounds the seconds down, so that the nanoseconds are never negative.
fn split(ns: i64) -> Result<(i32, u32), Error> {
    let sec = i32::try_from(ns.div_euclid(NS_PER_SECOND)).map_err(|_| Error::Range { ns })?;
    Ok((sec, ns.rem_euclid(NS_PER_SECOND) as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn converts_the_last_second_of_32_bits_and_refuses_the_next() {
        let last = Stamp::from_ns(2_147_483_647_999_999_999);
        assert_eq!(Time::try_from(last), Ok(Time { sec: i32::MAX, nanosec: 999_999_999 }));
        let next = Stamp::from_ns(2_147_483_648_000_000_000);
        assert_eq!(Time::try_from(next), Err(Error::Range { ns: next.ns() }));
        assert_eq!(Duration::from_ns(next.ns()), Err(Error::Range { ns: next.ns() }));
    }

    #[test]
    fn rounds_seconds_down_before_1970() {
        assert_eq!(Time::try_from(Stamp::from_ns(-1)), Ok(Time { sec: -1, nanosec: 999_999_999 }));
        assert_eq!(Stamp::try_from(Time { sec: -1, nanosec: 999_999_999 }), Ok(Stamp::from_ns(-1)));
        assert_eq!(Duration { sec: -2, nanosec: 500_000_000 }.to_ns(), Ok(-1_500_000_000));
        let first = i64::from(i32::MIN) * 1_000_000_000;
        assert_eq!(Duration::from_ns(first), Ok(Duration { sec: i32::MIN, nanosec: 0 }));
        assert_eq!(Duration::from_ns(first - 1), Err(Error::Range { ns: first - 1 }));
    }

    #[test]
    fn refuses_a_full_second_of_nanoseconds() {
        let full = Error::Nanosec { found: 1_000_000_000 };
        assert_eq!(Stamp::try_from(Time { sec: 0, nanosec: 1_000_000_000 }), Err(full.clone()));
        assert_eq!(Duration { sec: 0, nanosec: 1_000_000_000 }.to_ns(), Err(full));
    }

    #[test]
    fn arithmetic_stops_at_the_ends_of_64_bits() {
        let last = Stamp::from_ns(i64::MAX);
        assert_eq!(last.checked_add_ns(1), None);
        assert_eq!(Stamp::from_ns(5).checked_add_ns(-7), Some(Stamp::from_ns(-2)));
        assert_eq!(last.ns_since(Stamp::from_ns(-1)), i64::MAX);
        assert_eq!(Stamp::from_ns(3).ns_since(Stamp::from_ns(10)), -7);
    }
}
