//! The control tick takes no memory: chunks are merged and played in what was allocated at the start.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use sinew_models::embodiment::{Embodiment, GroupKind};
use sinew_proto::Stamp;
use sinew_runtime::clock::Moment;
use sinew_runtime::config::Config;
use sinew_runtime::control::{TickBoard, TickReport};
use sinew_runtime::drive::{Drive, SlowMoves, View};
use sinew_runtime::motion::{Joints, Measured, Setpoint};
use sinew_runtime::presence::Listeners;
use sinew_runtime::safety::{InputKind, Inputs, Operator, OtherInput, RobotStatus, Safety, State};
use sinew_runtime::schedule::{Accepted, Merge, Pace, RobotChunk, Schedule, ScheduleOptions};
use sinew_runtime::telemetry::{MergeReport, SeamReport, Telemetry};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, which counts for each thread.
struct Counting;

// SAFETY: every call is passed on to the system's allocator unchanged.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps `GlobalAlloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps `GlobalAlloc`'s contract.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often this thread takes memory meanwhile.
fn allocations(work: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.with(Cell::get);
    work();
    ALLOCATIONS.with(Cell::get) - before
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(vec![1_u8; 100]))), 1);
}

#[test]
fn playing_chunks_takes_no_memory() {
    const JOINTS: usize = 23;
    const CHUNK: usize = 50;
    const TICK_NS: i64 = 10_000_000;
    for merge in [Merge::Replace, Merge::Blend { step_count: 5 }, Merge::Ensemble { coefficient: 0.01 }] {
        let options = ScheduleOptions {
            period_ns: 33_333_333,
            chunk: CHUNK,
            execute_steps: CHUNK,
            merge,
            pace: Pace::After { steps: 10 },
            latency_window: 100,
            latency_quantile: 0.95,
        };
        let moves = SlowMoves {
            joints: vec![true; JOINTS].into(),
            start: vec![f64::NAN; JOINTS].into(),
            max_speed: vec![1.0; JOINTS].into(),
            max_distance: vec![1.0; JOINTS].into(),
            goes_back: false,
        };
        let mut drive = Drive::new(Schedule::new(options, &[GroupKind::Position; JOINTS]), moves);
        let (measured, values) = ([0.0; JOINTS], vec![0.1; CHUNK * JOINTS]);
        let view = View { measured: &measured, commanded: &measured, may_move: true, is_ending: false };
        let mut setpoint = [0.0; JOINTS];
        drive.tick(Moment::from_ns(0), view, &mut setpoint).unwrap();
        let mut ended = 0;
        let taken = allocations(|| {
            for tick in 1..20_000 {
                let now = Moment::from_ns(tick * TICK_NS);
                // A chunk every 50 ms, 80 ms after its observation.
                if tick % 5 == 0 {
                    let captured_at = now.plus_ns(-8 * TICK_NS);
                    let chunk = RobotChunk { sequence: tick as u64, captured_at, values: &values };
                    let _ = drive.accept(chunk, now);
                }
                drive.tick(now, view, &mut setpoint).unwrap();
                std::hint::black_box(drive.brief());
                while drive.next_ending().is_some() {
                    ended += 1;
                }
            }
        });
        assert_eq!(taken, 0);
        assert!(ended > 3_900, "{ended} chunks ended");
    }
}

/// Punctuality, limits, seams and who listens: all of what a tick says of itself, while nobody and while somebody looks.
#[test]
fn saying_how_the_tick_is_doing_takes_no_memory() {
    let joints = Joints::new(&Embodiment::built_in("r1pro").unwrap(), |_| true);
    let (telemetry, _events) = Telemetry::new([]);
    let (board, _changes) = TickBoard::new(&joints);
    let mut report = TickReport::new(&joints);
    report.listeners = Some(Arc::new(BTreeMap::from([("arm".to_owned(), Listeners::default())])));
    report.allowed.message = Some("the operator said stop".into());
    let seam = SeamReport::new(&joints);
    let accepted = Accepted { latency_ns: 80_000_000, skipped_row_count: 2, was_idle: false };
    let taken = allocations(|| {
        for tick in 0..10_000_i64 {
            telemetry.ticks().began(tick * tick);
            telemetry.ticks().missed(tick % 2);
            report.at = Some(Moment::from_ns(tick));
            report.limit_hits[(tick % 23) as usize].position += 1;
            report.merged(&MergeReport::new(tick as u64, accepted, 0.0, seam.clone()));
            board.leave(&report);
        }
    });
    assert_eq!(taken, 0);
    let ticks = telemetry.summary().ticks.unwrap();
    assert_eq!((ticks.lateness.count, ticks.missed_count), (10_000, 5_000));
    assert_eq!(ticks.lateness.max_ms, 99.980_001);
    let seen = board.look();
    assert_eq!((seen.at, &seen.limit_hits), (Some(Moment::from_ns(9_999)), &report.limit_hits));
}

/// Running, holding, stopped and started anew.
#[test]
fn keeping_within_limits_takes_no_memory() {
    const TICK_NS: i64 = 10_000_000;
    let robot = Embodiment::built_in("r1pro").unwrap();
    let joints = Joints::new(&robot, |_| true);
    let config = Config::built_in().unwrap().safety;
    let camera = OtherInput { name: "camera.head".to_owned(), kind: InputKind::Camera };
    let mut safety = Safety::new(&robot, &joints, &config, vec![camera]).unwrap();
    let (mut setpoint, mut measured) = (Setpoint::zeros(&joints), Measured::nothing(&joints));
    let mut position = vec![0.0; joints.count()];
    let spans: Vec<_> = joints.groups().iter().map(|group| (group.kind, group.span.clone())).collect();
    let mut visits = [0_usize; State::ALL.len()];
    let taken = allocations(|| {
        for tick in 1..10_000 {
            let now = Moment::from_ns(tick * TICK_NS);
            for (group, (kind, span)) in spans.iter().enumerate().skip(usize::from(tick % 1000 > 900)) {
                let numbers = &position[span.clone()];
                match kind {
                    GroupKind::Position => measured.update(&joints, group, now, numbers, &[]),
                    GroupKind::Velocity => measured.update(&joints, group, now, &[], numbers),
                }
            }
            let others = [(tick % 1000 < 800).then_some(now)];
            let inputs = Inputs {
                measured: &measured,
                wall: Stamp::from_ns(now.ns()),
                others: &others,
                inference_at: Some(now),
                operator: Operator { stop: tick % 2500 == 0, resume: tick % 100 == 0, alive_at: None },
                robot: RobotStatus::default(),
            };
            if tick % 700 < 10 {
                setpoint.values.copy_from_slice(&position);
            }
            setpoint.values[7] = position[7] - 0.01 * (tick as f64 * 0.01).sin();
            let outcome = safety.tick(now, &inputs, (tick % 333 != 0).then_some(&setpoint));
            if let Some(command) = outcome.command {
                position.copy_from_slice(&command.values);
            }
            visits[outcome.state as usize] += 1;
        }
    });
    assert_eq!(taken, 0);
    assert!(visits.iter().all(|count| *count > 2), "{visits:?}");
}
