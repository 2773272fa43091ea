//! Merging, holding, accounting: what has to be so for any sequence of chunks.

use super::{CHUNK, PERIOD_NS, at, chunk, endings, options, ready, replace, tick};
use proptest::prelude::*;
use sinew_models::embodiment::GroupKind;
use sinew_runtime::schedule::{DropReason, Ending, Merge, Outcome, Pace, Schedule};

const ASAP: Pace = Pace::After { steps: 0 };

#[test]
fn a_blend_goes_over_evenly_and_the_seam_says_what_is_left_of_the_jump() {
    let mut schedule = ready(options(Merge::Blend { step_count: 3 }, ASAP));
    schedule.accept(chunk(0, 0, &[1.0; CHUNK]), at(0)).unwrap();
    tick(&mut schedule, 0);
    schedule.accept(chunk(1, 10, &[5.0; CHUNK]), at(500)).unwrap();
    assert_eq!((schedule.seam().offered[0], schedule.seam().executed[0]), (4.0, 1.0));
    let ends: Vec<f64> = (1..8).map(|step| tick(&mut schedule, step * PERIOD_NS)).collect();
    // Two steps were committed.
    assert_eq!(ends, [1.0, 1.0, 2.0, 3.0, 4.0, 5.0, 5.0]);
}

#[test]
fn at_the_end_positions_stay_and_velocities_stop_at_once() {
    let kinds = [GroupKind::Position, GroupKind::Velocity];
    let mut schedule = Schedule::new(options(Merge::Replace, ASAP), &kinds);
    schedule.resume(at(0), &[0.0, 0.3]);
    let values = [1.0, 0.5].repeat(CHUNK);
    schedule.accept(chunk(0, 0, &values), at(0)).unwrap();
    let mut setpoint = [9.0; 2];
    schedule.tick(at(0), &mut setpoint);
    assert_eq!(setpoint, [0.0, 0.0]);
    let end = CHUNK as i64 * PERIOD_NS;
    schedule.tick(at(end - 1), &mut setpoint);
    assert_eq!(setpoint, [1.0, 0.5]);
    schedule.tick(at(end), &mut setpoint);
    assert_eq!(setpoint, [1.0, 0.0]);
    assert!(schedule.is_idle());
}

#[test]
fn a_hold_forgets_what_was_ahead_and_whatever_was_seen_before_it() {
    let mut schedule = replace();
    let rising: Vec<f64> = (0..CHUNK).map(|step| step as f64).collect();
    schedule.accept(chunk(0, 0, &rising), at(0)).unwrap();
    tick(&mut schedule, 0);
    let before = tick(&mut schedule, 3_500);
    schedule.hold(at(3_500));
    assert_eq!(tick(&mut schedule, 9_000), before);
    assert_eq!(schedule.accept(chunk(1, 3_600, &rising), at(5_000)), Err(DropReason::Holding));
    schedule.resume(at(10_000), &[7.0]);
    assert_eq!(tick(&mut schedule, 10_000), 7.0);
    assert_eq!(schedule.accept(chunk(2, 9_999, &rising), at(11_000)), Err(DropReason::BeforeHold));
    schedule.accept(chunk(3, 10_001, &rising), at(12_000)).unwrap();
    assert_eq!(tick(&mut schedule, 12_000), 7.0);
    assert_eq!(tick(&mut schedule, 13_000), 0.0);
    let dropped = |sequence, reason| Ending { sequence, outcome: Outcome::Dropped { reason } };
    assert_eq!(
        endings(&mut schedule),
        [
            Ending { sequence: 0, outcome: Outcome::Published { step_count: 4 } },
            dropped(1, DropReason::Holding),
            dropped(2, DropReason::BeforeHold),
        ]
    );
}

#[test]
fn each_way_of_ending_has_its_name() {
    let mut schedule = replace();
    let values = [0.0; CHUNK];
    let mut damaged = values;
    damaged[49] = f64::NAN;
    schedule.accept(chunk(0, 100, &values), at(200)).unwrap();
    tick(&mut schedule, 200);
    schedule.accept(chunk(1, 110, &values), at(300)).unwrap();
    schedule.accept(chunk(2, 120, &values), at(301)).unwrap();
    for (number, captured, values, reason) in [
        (3, 120, &values[..], DropReason::OutOfOrder),
        (4, 130, &damaged, DropReason::NotFinite),
        (5, 130, &values[1..], DropReason::WrongShape),
    ] {
        assert_eq!(schedule.accept(chunk(number, captured, values), at(302)), Err(reason));
    }
    let long_after = 300 + 60 * PERIOD_NS;
    for step in 1..60 {
        tick(&mut schedule, 200 + step * PERIOD_NS);
        if step == 40 {
            // A policy that saw something new 40 periods later.
            schedule.accept(chunk(6, 200 + 39 * PERIOD_NS, &values), at(200 + 40 * PERIOD_NS)).unwrap();
        }
    }
    assert_eq!(schedule.accept(chunk(7, 125, &values), at(long_after)), Err(DropReason::OutOfOrder));
    let names: Vec<String> =
        endings(&mut schedule).iter().map(|end| serde_json::to_string(end).unwrap()).collect();
    assert_eq!(names[0], r#"{"sequence":1,"outcome":"superseded"}"#);
    assert!(
        names.contains(&r#"{"sequence":0,"outcome":"published","step_count":2}"#.to_owned()),
        "{names:?}"
    );
    assert!(names.contains(&r#"{"sequence":4,"outcome":"dropped","reason":"not_finite"}"#.to_owned()));
}

#[test]
fn a_chunk_that_is_over_is_dropped() {
    let values = [0.0; CHUNK];
    let mut schedule = replace();
    schedule.accept(chunk(0, 0, &values), at(0)).unwrap();
    (0..200).for_each(|step| {
        tick(&mut schedule, step * PERIOD_NS / 4);
    });
    schedule.accept(chunk(1, 1, &values[..]), at(50 * PERIOD_NS - 1)).unwrap_err();
    let expired = Outcome::Dropped { reason: DropReason::Expired };
    assert_eq!(endings(&mut schedule).last(), Some(&Ending { sequence: 1, outcome: expired }));
}

#[derive(Clone, Debug)]
enum Act {
    Wait(i64),
    Chunk { age_ns: i64, level: f64 },
    Hold,
    Resume,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => (1..3 * PERIOD_NS).prop_map(Act::Wait),
        1 => (60 * PERIOD_NS..80 * PERIOD_NS).prop_map(Act::Wait),
        4 => (0..55 * PERIOD_NS, -2.0_f64..2.0).prop_map(|(age_ns, level)| Act::Chunk { age_ns, level }),
        1 => Just(Act::Hold),
        1 => Just(Act::Resume),
    ]
}

fn merge() -> impl Strategy<Value = Merge> {
    prop_oneof![
        Just(Merge::Replace),
        (0..12_usize).prop_map(|step_count| Merge::Blend { step_count }),
        (-0.5_f64..0.5).prop_map(|coefficient| Merge::Ensemble { coefficient }),
    ]
}

proptest! {
    /// Whatever happens: set-points stay among the numbers they are made of, nothing jumps except where the robot is put
    /// (`resume`), and every chunk ends exactly once.
    #[test]
    fn every_chunk_is_accounted_for_and_nothing_jumps(merge in merge(), acts in prop::collection::vec(act(), 1..200)) {
        let mut schedule = ready(options(merge, ASAP));
        let (mut now, mut sequence, mut last, mut resting) = (0, 0, 0.0_f64, 0.0_f64);
        for act in acts {
            match act {
                Act::Wait(ns) => {
                    // As a control loop does: many ticks a period.
                    for _ in 0..=(8 * ns / PERIOD_NS) {
                        now += PERIOD_NS / 8;
                        let setpoint = tick(&mut schedule, now);
                        prop_assert!(setpoint.abs() <= 2.0 + 1e-9, "{setpoint}");
                        // Hermite segments have at most 1.5 times a straight line's slope where ends are flat, and
                        // at most 2 where they are not.
                        prop_assert!((setpoint - last).abs() <= 4.0 * 2.0 / 8.0 + 1e-9, "{last} to {setpoint}");
                        last = setpoint;
                    }
                }
                Act::Chunk { age_ns, level } => {
                    let values: Vec<f64> = (0..CHUNK).map(|step| level * (step as f64 * 0.3).cos()).collect();
                    let _ = schedule.accept(chunk(sequence, now - age_ns, &values), at(now));
                    sequence += 1;
                }
                Act::Hold => schedule.hold(at(now)),
                Act::Resume => {
                    resting = last;
                    schedule.resume(at(now), &[resting]);
                }
            }
        }
        prop_assert!(resting.abs() <= 2.0 + 1e-9);
        schedule.hold(at(now));
        let mut ended: Vec<u64> = endings(&mut schedule).iter().map(|end| end.sequence).collect();
        ended.sort_unstable();
        prop_assert_eq!(ended, (0..sequence).collect::<Vec<u64>>());
    }

    /// Chunks that say the same of every moment leave no trace of having been merged.
    #[test]
    fn chunks_that_agree_are_one(merge in merge(), latencies in prop::collection::vec(0..20_i64 * PERIOD_NS, 1..20)) {
        let mut schedule = ready(options(merge, ASAP));
        let truth = |step: f64| 0.01 * step;
        let values = |position: f64| -> Vec<f64> { (0..CHUNK).map(|row| truth(position + row as f64)).collect() };
        schedule.accept(chunk(0, 0, &values(0.0)), at(0)).unwrap();
        tick(&mut schedule, 0);
        let mut captured = 0;
        for (sequence, latency) in latencies.into_iter().enumerate() {
            let arrival = captured + latency + 1;
            for now in (captured..arrival).step_by(PERIOD_NS as usize / 4) {
                tick(&mut schedule, now);
            }
            captured += 1 + latency / 2;
            let position = captured as f64 / PERIOD_NS as f64;
            schedule.accept(chunk(1 + sequence as u64, captured, &values(position)), at(arrival)).unwrap();
            prop_assert!(schedule.seam().executed[0].abs() < 1e-9, "{:?}", schedule.seam());
            captured = arrival;
        }
    }
}
