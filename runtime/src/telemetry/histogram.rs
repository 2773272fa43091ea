//! Latencies in bounded memory: a run of days takes no more than one of seconds.

use serde::Serialize;
use std::sync::atomic::{AtomicU64, Ordering};

/// Buckets of one power of two. Values are kept to 1/64, so a percentile is at most 1.6 % too high.
const BUCKETS_PER_OCTAVE: u64 = 64;
const OCTAVE_BITS: u32 = BUCKETS_PER_OCTAVE.trailing_zeros();

/// Counts durations in buckets that grow with the duration.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
    sum_ns: u64,
    max_ns: u64,
}

/// What a histogram says, milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Percentiles {
    /// How many durations.
    pub count: u64,
    /// Half are at most this.
    pub p50_ms: f64,
    /// Nine in ten are at most this.
    pub p90_ms: f64,
    /// Ninety-nine in a hundred are at most this.
    pub p99_ms: f64,
    /// The longest.
    pub max_ms: f64,
    /// All of them, divided by how many.
    pub mean_ms: f64,
}

impl Histogram {
    /// Counts a duration; a negative one, of clocks that disagree, as 0.
    pub fn record(&mut self, ns: i64) {
        let ns = u64::try_from(ns).unwrap_or(0);
        let bucket = bucket_of(ns);
        if self.counts.len() <= bucket {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] += 1;
        self.total += 1;
        self.sum_ns = self.sum_ns.saturating_add(ns);
        self.max_ns = self.max_ns.max(ns);
    }

    /// The smallest bucket's upper end that at least this share of the durations does not exceed.
    #[must_use]
    pub fn quantile_ns(&self, share: f64) -> u64 {
        let rank = ((self.total as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return upper_end_of(bucket).min(self.max_ns);
            }
        }
        0
    }

    /// The usual percentiles.
    #[must_use]
    pub fn percentiles(&self) -> Percentiles {
        let at_ms = |share| self.quantile_ns(share) as f64 / 1e6;
        Percentiles {
            count: self.total,
            p50_ms: at_ms(0.5),
            p90_ms: at_ms(0.9),
            p99_ms: at_ms(0.99),
            max_ms: self.max_ns as f64 / 1e6,
            mean_ms: self.sum_ns as f64 / self.total.max(1) as f64 / 1e6,
        }
    }
}

/// A histogram that one thread counts in while others look. It neither waits nor, once made, takes memory.
#[derive(Debug)]
pub struct SharedHistogram {
    counts: Box<[AtomicU64]>,
    sum_ns: AtomicU64,
    max_ns: AtomicU64,
}

impl Default for SharedHistogram {
    fn default() -> Self {
        let counts = (0..=bucket_of(u64::MAX)).map(|_| AtomicU64::new(0)).collect();
        Self { counts, sum_ns: AtomicU64::new(0), max_ns: AtomicU64::new(0) }
    }
}

impl SharedHistogram {
    /// Counts a duration; a negative one as 0.
    pub fn record(&self, ns: i64) {
        let ns = u64::try_from(ns).unwrap_or(0);
        self.counts[bucket_of(ns)].fetch_add(1, Ordering::Relaxed);
        self.sum_ns.fetch_add(ns, Ordering::Relaxed);
        self.max_ns.fetch_max(ns, Ordering::Relaxed);
    }

    /// What was counted so far.
    #[must_use]
    pub fn histogram(&self) -> Histogram {
        let counts: Vec<u64> = self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        Histogram {
            total: counts.iter().sum(),
            counts,
            sum_ns: self.sum_ns.load(Ordering::Relaxed),
            max_ns: self.max_ns.load(Ordering::Relaxed),
        }
    }
}

/// Values below 64 have a bucket each; above, the six bits behind the leading one choose it.
fn bucket_of(ns: u64) -> usize {
    let shift = (u64::BITS - ns.leading_zeros()).saturating_sub(OCTAVE_BITS + 1);
    (u64::from(shift) * BUCKETS_PER_OCTAVE + (ns >> shift)) as usize
}

fn upper_end_of(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let shift = (bucket / BUCKETS_PER_OCTAVE).saturating_sub(1);
    let mantissa = bucket - shift * BUCKETS_PER_OCTAVE;
    (((u128::from(mantissa) + 1) << shift) - 1).min(u128::from(u64::MAX)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_lies_in_its_bucket() {
        let edges = (0..63).flat_map(|bit| [(1_u64 << bit) - 1, 1 << bit, (1 << bit) + 1]);
        for ns in edges.chain([u64::MAX]) {
            let bucket = bucket_of(ns);
            assert!(upper_end_of(bucket) >= ns, "{ns}");
            assert!(bucket == 0 || upper_end_of(bucket - 1) < ns, "{ns}");
            assert!(upper_end_of(bucket) as f64 <= ns as f64 * (1.0 + 1.0 / 64.0) + 1.0, "{ns}");
        }
    }

    #[test]
    fn percentiles_are_those_of_the_sorted_list() {
        let mut histogram = Histogram::default();
        let durations: Vec<i64> = (1..=1000).map(|k| k * 1_000_000).collect();
        durations.iter().for_each(|ns| histogram.record(*ns));
        let found = histogram.percentiles();
        for (found, expected) in [(found.p50_ms, 500.0), (found.p90_ms, 900.0), (found.p99_ms, 990.0)] {
            assert!(found >= expected && found <= expected * 1.016, "{found} is not {expected}");
        }
        assert_eq!((found.count, found.max_ms, found.mean_ms), (1000, 1000.0, 500.5));
        let shared = SharedHistogram::default();
        durations.iter().for_each(|ns| shared.record(*ns));
        assert_eq!(shared.histogram().percentiles(), found);
        assert_eq!(Histogram::default().percentiles(), Percentiles::default());
    }
}
