//! Counters over the last seconds: rates, and what has risen. Pure.

use crate::clock::Moment;
use std::collections::{BTreeMap, VecDeque};

/// Counters by name.
pub type Counters = BTreeMap<String, u64>;

/// How far back it looks.
const SPAN_NS: i64 = 5_000_000_000;
/// Least time between two samples that are kept.
const STEP_NS: i64 = 500_000_000;

/// Samples of counters over the last five seconds.
#[derive(Clone, Debug, Default)]
pub struct Window {
    samples: VecDeque<(Moment, Counters)>,
}

impl Window {
    /// Takes a sample.
    pub fn push(&mut self, now: Moment, counters: Counters) {
        // The newest is always kept; what was the newest only if the one before it is long ago.
        if let [.., (before, _), (newest, _)] = self.samples.make_contiguous()
            && newest.ns_since(*before) < STEP_NS
        {
            self.samples.pop_back();
        }
        self.samples.push_back((now, counters));
        while self.samples.get(1).is_some_and(|(at, _)| now.ns_since(*at) >= SPAN_NS) {
            self.samples.pop_front();
        }
    }

    /// By how much a counter has risen.
    #[must_use]
    pub fn rise(&self, name: &str) -> u64 {
        let of = |sample: Option<&(Moment, Counters)>| {
            sample.and_then(|(_, counters)| counters.get(name)).copied().unwrap_or(0)
        };
        of(self.samples.back()).saturating_sub(of(self.samples.front()))
    }

    /// The time that rises are over, seconds.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        let ends = self.samples.front().zip(self.samples.back());
        ends.map_or(0.0, |((first, _), (last, _))| last.ns_since(*first) as f64 * 1e-9)
    }

    /// How often a second a counter rises; nothing before that can be told.
    #[must_use]
    pub fn rate_hz(&self, name: &str) -> Option<f64> {
        let seconds = self.seconds();
        (seconds * 1e9 >= STEP_NS as f64).then(|| self.rise(name) as f64 / seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rises_and_rates_are_those_of_the_last_five_seconds() {
        let mut window = Window::default();
        let counted = |count: u64| Counters::from([("frames".to_owned(), count)]);
        let rate = |window: &Window| window.rate_hz("frames");
        assert_eq!((rate(&window), window.rise("frames")), (None, 0));
        // 30 a second, looked at every 100 ms, for 20 s; then silence.
        for tick in 0..200 {
            window.push(Moment::from_ns(tick * 100_000_000), counted(3 * tick as u64));
            assert_eq!(rate(&window).is_some(), tick >= 5, "{tick}");
        }
        assert!((rate(&window).unwrap() - 30.0).abs() < 1e-9);
        assert!((5.0..5.6).contains(&window.seconds()), "{}", window.seconds());
        for tick in 200..256 {
            window.push(Moment::from_ns(tick * 100_000_000), counted(597));
        }
        assert_eq!((window.rise("frames"), window.rise("nothing")), (0, 0));
        assert!(window.samples.len() < 14, "{}", window.samples.len());
    }
}
