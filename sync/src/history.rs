//! The last few samples of a stream, in order of capture.

use sinew_proto::Stamp;
use std::collections::VecDeque;

/// A value and when it was taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample<T> {
    /// When the sensor took it: the message's stamp.
    pub captured_at: Stamp,
    /// When it reached this program.
    pub received_at: Stamp,
    /// What was taken.
    pub value: T,
}

/// A sample that is not newer than the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfOrder {
    /// How much older than the newest sample it is; 0 for a repetition.
    pub behind_ns: i64,
}

/// A bounded queue of samples. The oldest makes room.
#[derive(Clone, Debug)]
pub struct History<T> {
    samples: VecDeque<Sample<T>>,
    capacity: usize,
}

impl<T> History<T> {
    /// Room for `capacity` samples, at least one.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        let capacity = capacity.max(1);
        Self { samples: VecDeque::with_capacity(capacity), capacity }
    }

    /// Adds the newest sample and returns the one that made room for it.
    ///
    /// # Errors
    /// If it is not newer than the newest; the history stays as it is.
    pub fn push(&mut self, sample: Sample<T>) -> Result<Option<T>, OutOfOrder> {
        if let Some(newest) = self.newest() {
            let behind_ns = newest.captured_at.ns_since(sample.captured_at);
            if behind_ns >= 0 {
                return Err(OutOfOrder { behind_ns });
            }
        }
        let evicted = if self.samples.len() == self.capacity { self.samples.pop_front() } else { None };
        self.samples.push_back(sample);
        Ok(evicted.map(|sample| sample.value))
    }

    /// The newest sample.
    #[must_use]
    pub fn newest(&self) -> Option<&Sample<T>> {
        self.samples.back()
    }

    /// The sample taken nearest to a time; of two equally near ones the older.
    #[must_use]
    pub fn nearest(&self, time: Stamp) -> Option<&Sample<T>> {
        self.samples.iter().min_by_key(|sample| sample.captured_at.ns_since(time).unsigned_abs())
    }

    /// All samples, the oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Sample<T>> {
        self.samples.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ns: i64) -> Sample<i64> {
        Sample { captured_at: Stamp::from_ns(ns), received_at: Stamp::from_ns(ns + 1), value: ns }
    }

    #[test]
    fn the_oldest_makes_room() {
        let mut history = History::new(2);
        assert_eq!(history.push(at(1)), Ok(None));
        assert_eq!(history.push(at(2)), Ok(None));
        assert_eq!(history.push(at(3)), Ok(Some(1)));
        assert_eq!(history.iter().map(|sample| sample.value).collect::<Vec<_>>(), [2, 3]);
    }

    #[test]
    fn late_and_repeated_samples_change_nothing() {
        let mut history = History::new(4);
        history.push(at(10)).unwrap();
        assert_eq!(history.push(at(10)), Err(OutOfOrder { behind_ns: 0 }));
        assert_eq!(history.push(at(4)), Err(OutOfOrder { behind_ns: 6 }));
        assert_eq!(history.newest(), Some(&at(10)));
        assert_eq!(history.iter().count(), 1);
    }

    #[test]
    fn nearest_looks_both_ways() {
        let mut history = History::new(8);
        for ns in [100, 200, 300] {
            history.push(at(ns)).unwrap();
        }
        let nearest = |ns| history.nearest(Stamp::from_ns(ns)).unwrap().value;
        assert_eq!(
            [nearest(0), nearest(149), nearest(150), nearest(151), nearest(999)],
            [100, 100, 100, 200, 300]
        );
        assert!(History::<i64>::new(1).nearest(Stamp::from_ns(0)).is_none());
    }
}
