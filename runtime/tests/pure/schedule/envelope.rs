//! With which latencies is the robot never idle? `d ≤ s ≤ H − d`, and not one step further.

use super::{CHUNK, PERIOD_NS, at, chunk, endings, options, ready, tick};
use sinew_runtime::schedule::{Merge, Outcome, Pace};

/// Ticks a period.
const TICKS: i64 = 4;

/// A policy whose every chunk comes `delay` periods after its observation, one at a time, and that starts as the schedule
/// says or, if `every` is given, from the first frame so many periods after the observation before. A frame comes each
/// period. Returns how long the robot stood idle after the first chunk, in periods.
fn idle_periods(delay_ns: i64, pace: Pace, every: Option<i64>) -> i64 {
    let mut schedule = ready(options(Merge::Replace, pace));
    let values = vec![1.0; CHUNK];
    let mut in_flight: Option<(u64, i64)> = None;
    let (mut sequence, mut used) = (0, -PERIOD_NS * 1_000_000);
    for step in 0..40 * CHUNK as i64 * TICKS {
        let now = step * PERIOD_NS / TICKS;
        if let Some((number, captured)) = in_flight
            && now >= captured + delay_ns
        {
            schedule.accept(chunk(number, captured, &values), at(now)).unwrap();
            in_flight = None;
        }
        tick(&mut schedule, now);
        let frame = now - now % PERIOD_NS;
        let brief = schedule.brief();
        let may_start = match every {
            Some(every) => frame - used >= every * PERIOD_NS,
            None => brief.may_start(at(frame)),
        };
        if in_flight.is_none() && frame > used && may_start {
            in_flight = Some((sequence, frame));
            (sequence, used) = (sequence + 1, frame);
        }
    }
    let ends = endings(&mut schedule);
    assert!(ends.len() as u64 + 2 >= sequence, "{} of {sequence} chunks ended", ends.len());
    assert!(ends.iter().all(|end| matches!(end.outcome, Outcome::Published { .. })), "{ends:?}");
    schedule.idle_ns() / PERIOD_NS
}

#[test]
fn no_period_is_idle_up_to_the_edge_and_some_are_beyond() {
    let horizon = CHUNK as i64;
    for delay in [1, 2, 7, 24, 25] {
        let pace = Pace::After { steps: 0 };
        let last = horizon - delay;
        assert_eq!(idle_periods(delay * PERIOD_NS, pace, Some(delay)), 0, "d = s = {delay}");
        assert_eq!(idle_periods(delay * PERIOD_NS, pace, Some(last)), 0, "d = {delay}, s = H − d");
        assert!(idle_periods(delay * PERIOD_NS, pace, Some(last + 1)) > 0, "d = {delay}, s = H − d + 1");
    }
    // 2 d > H: no s is both at least d and at most H − d.
    assert!(idle_periods(26 * PERIOD_NS, Pace::After { steps: 0 }, Some(26)) > 0);
}

/// As the schedule itself paces it, whatever is asked for.
#[test]
fn the_schedules_own_pace_stays_inside() {
    for delay_ns in [0, 300, 1_000, 2_500, 7_000, 20_000, 24_000, 25_000] {
        for steps in [0, 10, 20, 49, 1_000] {
            let idle = idle_periods(delay_ns, Pace::After { steps }, None);
            assert_eq!(idle, 0, "latency {delay_ns}, {steps} steps asked for");
        }
    }
    assert!(idle_periods(26_000, Pace::After { steps: 0 }, None) > 0);
    // A robot that waits for each chunk stands while it is computed.
    assert!(idle_periods(2_500, Pace::WhenDone, None) > 0);
}
