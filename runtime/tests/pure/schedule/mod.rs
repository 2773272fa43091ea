//! The schedule: against LeRobot's queues, its known faults, and the envelope of latencies.

mod envelope;
mod faults;
mod reference;
mod rules;

use sinew_models::embodiment::GroupKind;
use sinew_runtime::clock::Moment;
use sinew_runtime::schedule::{Ending, Merge, Pace, RobotChunk, Schedule, ScheduleOptions};

pub(crate) const PERIOD_NS: i64 = 1_000;
pub(crate) const CHUNK: usize = 50;

pub(crate) fn at(ns: i64) -> Moment {
    Moment::from_ns(ns)
}

pub(crate) fn options(merge: Merge, pace: Pace) -> ScheduleOptions {
    ScheduleOptions {
        period_ns: PERIOD_NS,
        chunk: CHUNK,
        execute_steps: CHUNK,
        merge,
        pace,
        latency_window: 100,
        latency_quantile: 1.0,
    }
}

/// One position joint, at rest at zero and ready.
pub(crate) fn ready(options: ScheduleOptions) -> Schedule {
    let mut schedule = Schedule::new(options, &[GroupKind::Position]);
    schedule.resume(at(0), &[0.0]);
    schedule
}

pub(crate) fn replace() -> Schedule {
    ready(options(Merge::Replace, Pace::After { steps: 0 }))
}

pub(crate) fn tick(schedule: &mut Schedule, now_ns: i64) -> f64 {
    let mut setpoint = [f64::NAN];
    schedule.tick(at(now_ns), &mut setpoint);
    setpoint[0]
}

pub(crate) fn chunk(sequence: u64, captured_at_ns: i64, values: &[f64]) -> RobotChunk<'_> {
    RobotChunk { sequence, captured_at: at(captured_at_ns), values }
}

pub(crate) fn endings(schedule: &mut Schedule) -> Vec<Ending> {
    std::iter::from_fn(|| schedule.next_ending()).collect()
}
