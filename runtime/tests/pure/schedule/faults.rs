//! Faults of other schedulers, replayed: huggingface/lerobot pull requests 4122, 4223 and 4454.

use super::{CHUNK, PERIOD_NS, at, chunk, options, ready, replace, tick};
use sinew_models::flow::{Conditioning, Guidance, GuidanceOptions, PrefixSchedule, sample};
use sinew_runtime::schedule::{Merge, Pace, left_over};
use std::convert::Infallible;

fn ramp(from: f64) -> Vec<f64> {
    (0..CHUNK).map(|step| from + step as f64).collect()
}

/// 4223, 4454: the first inference takes 21 periods while the robot stands. Its chunk must begin at its first step: the
/// robot did none of them.
#[test]
fn nothing_is_skipped_while_the_robot_stands() {
    let mut schedule = replace();
    tick(&mut schedule, 0);
    let late = 21 * PERIOD_NS + 300;
    let accepted = schedule.accept(chunk(0, 0, &ramp(5.0)), at(late)).unwrap();
    assert_eq!((accepted.skipped_row_count, accepted.was_idle), (0, true));
    assert_eq!(tick(&mut schedule, late), 0.0);
    assert_eq!(tick(&mut schedule, late + PERIOD_NS), 5.0);
    assert_eq!(tick(&mut schedule, late + 2 * PERIOD_NS), 6.0);
}

/// The same after the robot has run dry: what is over is what was played, not what the clock says.
#[test]
fn nothing_is_skipped_after_running_dry() {
    let mut schedule = replace();
    schedule.accept(chunk(0, 0, &ramp(0.0)), at(0)).unwrap();
    let step = |now: i64| now * PERIOD_NS;
    (0..=60).for_each(|now| {
        tick(&mut schedule, step(now));
    });
    assert!(schedule.is_idle());
    // Taken five steps before the end: those five were played, then the robot stood for fifteen periods.
    let accepted = schedule.accept(chunk(1, step(45), &ramp(45.0)), at(step(65))).unwrap();
    assert_eq!(accepted.skipped_row_count, 5);
    tick(&mut schedule, step(65));
    assert_eq!(tick(&mut schedule, step(66)), 50.0);
}

/// 4223: in full flow, no step is done twice and none left out, whatever the latency was expected to be.
#[test]
fn steps_follow_each_other_whatever_the_latency() {
    let mut schedule = replace();
    schedule.accept(chunk(0, 0, &ramp(0.0)), at(0)).unwrap();
    tick(&mut schedule, 0);
    let mut now = PERIOD_NS;
    // Latencies in periods and fractions, with a spike.
    for (sequence, latency) in [3.2, 1.0, 7.9, 0.1, 22.0, 2.5, 2.0].into_iter().enumerate() {
        let (captured, arrival) = (now, now + (latency * PERIOD_NS as f64) as i64);
        while now <= arrival {
            // The way to a step takes the period after its time.
            assert_eq!(tick(&mut schedule, now), (now / PERIOD_NS - 1) as f64);
            now += PERIOD_NS;
        }
        // The policy says the same as before of each moment: where its chunk begins is all that can go wrong.
        let first = (captured / PERIOD_NS) as f64;
        schedule.accept(chunk(1 + sequence as u64, captured, &ramp(first)), at(arrival)).unwrap();
        assert_eq!(schedule.seam().offered[..], [0.0]);
    }
}

/// 4122, 4223, 4454: a first inference of 0.7 s must not make every later chunk start 0.7 s ahead.
#[test]
fn a_cold_start_does_not_set_the_delay() {
    let mut schedule = replace();
    schedule.accept(chunk(0, 0, &ramp(0.0)), at(21 * PERIOD_NS)).unwrap();
    tick(&mut schedule, 21 * PERIOD_NS);
    assert_eq!(schedule.brief().delay_steps(), 21);
    schedule.accept(chunk(1, 22 * PERIOD_NS, &ramp(1.0)), at(31 * PERIOD_NS - 100)).unwrap();
    assert_eq!(schedule.brief().delay_steps(), 9);
}

/// 4122, 4454: where less is left of the old chunk than the horizon, the rest must not be pulled to zero, which is the
/// mean action.
#[test]
fn guidance_ends_where_the_old_chunk_does() {
    let old: Vec<f32> = (0..CHUNK).map(|step| 95.0 + step as f32).collect();
    let rest = left_over(&old, 1, 1, 47.0);
    assert_eq!(rest, [142.0, 143.0, 144.0]);
    let options =
        GuidanceOptions { schedule: PrefixSchedule::Linear, max_weight: 10.0, execution_horizon: 10 };
    let guidance = Guidance::new(&options, &rest, 1, 2, (CHUNK, 1)).unwrap();
    // A network that says nothing: what is not pulled stays the noise it was.
    let mut x_t = vec![7.0; CHUNK];
    let still = |x: &[f32], _: &[f32]| Ok::<_, Infallible>(vec![0.0; x.len()]);
    sample(10, &mut x_t, CHUNK, &Conditioning::Guided(guidance), still).unwrap();
    assert!((x_t[0] - 142.0).abs() < 2.0 && (x_t[1] - 143.0).abs() < 2.0 && x_t[2] > 7.0, "{x_t:?}");
    assert!(x_t[3..].iter().all(|x| *x == 7.0), "{x_t:?}");
}

/// Between two rows the old chunk is what the robot would have been told, not the nearer row.
#[test]
fn what_is_left_over_begins_where_the_observation_was_taken() {
    assert_eq!(left_over(&[0.0, 9.0, 1.0, 9.0, 2.0, 9.0], 2, 1, 0.25), [0.25, 1.25]);
    assert_eq!(left_over(&[0.0, 9.0, 1.0, 9.0, 2.0, 9.0], 2, 1, 2.0), [2.0]);
    assert!(left_over(&[0.0, 9.0, 1.0, 9.0, 2.0, 9.0], 2, 1, 3.0).is_empty());
}

/// An asynchronous client that asks only when its queue is empty (lerobot issues 1557, 2356) stands between chunks.
#[test]
fn the_next_inference_does_not_wait_for_an_empty_queue() {
    let mut schedule = ready(options(Merge::Replace, Pace::After { steps: 20 }));
    schedule.accept(chunk(0, 0, &ramp(0.0)), at(0)).unwrap();
    tick(&mut schedule, 0);
    let brief = schedule.brief();
    assert!(!brief.may_start(at(19 * PERIOD_NS)) && brief.may_start(at(20 * PERIOD_NS)));
}
