//! Rows at a regular rate over observations that come when they come. Pure.

use sinew_proto::Stamp;
use std::f64::consts::TAU;

/// Times of rows: row `k` is `k` periods after the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Time of row 0.
    pub start: Stamp,
    /// Rows a second.
    pub fps: u32,
}

/// A row that no observation is near to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hole {
    /// The row's time.
    pub at: Stamp,
    /// The last observation before it.
    pub before: Stamp,
    /// The first observation behind it.
    pub behind: Stamp,
}

impl Grid {
    /// The time of a row.
    #[must_use]
    pub fn time(self, row: usize) -> Stamp {
        let offset_ns = (row as i128 * 1_000_000_000 + i128::from(self.fps) / 2) / i128::from(self.fps);
        Stamp::from_ns(self.start.ns().saturating_add(i64::try_from(offset_ns).unwrap_or(i64::MAX)))
    }

    /// A grid that begins at the first observation, shifted by less than half a period to where observations mostly are:
    /// otherwise one late first frame would put all others between two rows.
    ///
    /// # Shapes
    /// `times` has at least one entry and ascends.
    #[must_use]
    pub fn through(times: &[Stamp], fps: u32) -> Self {
        let period_ns = 1e9 / f64::from(fps);
        let first = times.first().copied().unwrap_or_default();
        let phases = times.iter().map(|time| time.ns_since(first) as f64 / period_ns * TAU);
        let (sine, cosine) =
            phases.fold((0.0, 0.0), |(sine, cosine), phase| (sine + phase.sin(), cosine + phase.cos()));
        // Observations that are everywhere in a period (a camera faster than the rate) name no place in it.
        let is_clear = sine.hypot(cosine) >= 0.5 * times.len() as f64;
        let shift_ns = if is_clear { sine.atan2(cosine) / TAU * period_ns } else { 0.0 };
        Self { start: Stamp::from_ns(first.ns().saturating_add(shift_ns.round() as i64)), fps }
    }

    /// Which observation each row takes: the nearest, of two equally near ones the older. Rows go on to half a period behind
    /// the last observation.
    ///
    /// # Shapes
    /// `times` ascends. The result has an index a row and ascends, though not strictly.
    ///
    /// # Errors
    /// If one is farther away than `max_gap_ns`.
    pub fn rows(self, times: &[Stamp], max_gap_ns: i64) -> Result<Vec<usize>, Hole> {
        let Some(last) = times.last() else { return Ok(Vec::new()) };
        let half_period_ns = 500_000_000 / i64::from(self.fps);
        let mut rows = Vec::new();
        let mut nearest = 0;
        loop {
            let at = self.time(rows.len());
            if at.ns_since(*last) > half_period_ns {
                return Ok(rows);
            }
            let distance_ns = |index: usize| times[index].ns_since(at).saturating_abs();
            while nearest + 1 < times.len() && distance_ns(nearest + 1) < distance_ns(nearest) {
                nearest += 1;
            }
            if distance_ns(nearest) > max_gap_ns {
                let behind = times.partition_point(|time| *time <= at);
                let before = times[behind.saturating_sub(1)];
                return Err(Hole { at, before, behind: times[behind.min(times.len() - 1)] });
            }
            rows.push(nearest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: i64 = 1_000_000;

    fn stamps(times_ns: &[i64]) -> Vec<Stamp> {
        times_ns.iter().map(|ns| Stamp::from_ns(*ns)).collect()
    }

    fn rows(times_ns: &[i64], fps: u32) -> Vec<usize> {
        let times = stamps(times_ns);
        Grid::through(&times, fps).rows(&times, 50 * MS).unwrap()
    }

    #[test]
    fn a_camera_at_the_rate_gives_every_picture_once_however_late_the_first_one_is() {
        let times: Vec<i64> = (0..90).map(|k| k * 33_333_333 + if k == 0 { 14 * MS } else { 0 }).collect();
        assert_eq!(rows(&times, 30), (0..90).collect::<Vec<_>>());
    }

    #[test]
    fn a_slower_camera_is_repeated_and_a_faster_one_thinned() {
        let slow: Vec<i64> = (0..5).map(|k| k * 66_666_667).collect();
        assert_eq!(rows(&slow, 30).len(), 9);
        let fast: Vec<i64> = (0..31).map(|k| k * 33_333_333).collect();
        assert_eq!(rows(&fast, 10), [0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30]);
    }

    #[test]
    fn a_lost_picture_is_bridged_and_a_silence_is_a_hole() {
        let mut times: Vec<i64> = (0..30).map(|k| k * 33_333_333).collect();
        times.remove(10);
        assert_eq!(rows(&times, 30).len(), 30);
        times.drain(10..14);
        let times = stamps(&times);
        let grid = Grid::through(&times, 30);
        let hole = grid.rows(&times, 50 * MS).unwrap_err();
        assert_eq!((hole.before, hole.behind), (times[9], times[10]));
        assert!(hole.at > hole.before && hole.at < hole.behind);
    }

    #[test]
    fn rows_have_lerobots_times() {
        let grid = Grid { start: Stamp::from_ns(7), fps: 30 };
        assert_eq!([0, 1, 2, 3].map(|row| grid.time(row).ns()), [7, 33_333_340, 66_666_674, 100_000_007]);
        assert_eq!(grid.time(108_000).ns(), 7 + 3_600_000_000_000);
    }

    proptest! {
        #[test]
        fn every_row_takes_what_is_nearest(
            gaps in prop::collection::vec(1..60 * MS, 1..120),
            fps in 1_u32..100,
        ) {
            let times: Vec<Stamp> = gaps
                .iter()
                .scan(1_700_000_000_000_000_000, |at: &mut i64, gap| { *at += gap; Some(Stamp::from_ns(*at)) })
                .collect();
            let grid = Grid::through(&times, fps);
            let first_ns = grid.start.ns_since(times[0]).abs();
            prop_assert!(first_ns <= 500_000_001 / i64::from(fps), "{first_ns}");
            let found = grid.rows(&times, i64::MAX).unwrap();
            for (row, index) in found.iter().enumerate() {
                let distance = |time: &Stamp| time.ns_since(grid.time(row)).abs();
                let nearest = times.iter().map(distance).min().unwrap();
                prop_assert_eq!(distance(&times[*index]), nearest);
            }
            let end = times[times.len() - 1].ns_since(grid.time(found.len()));
            prop_assert!(end < 0, "the last observation is behind the last row");
            prop_assert!(found.is_sorted());
        }
    }
}
