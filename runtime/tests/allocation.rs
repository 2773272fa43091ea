//! The control tick takes no memory: chunks are merged and played in what was allocated at the start.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use sinew_models::embodiment::GroupKind;
use sinew_runtime::clock::Moment;
use sinew_runtime::drive::{Drive, SlowMoves, View};
use sinew_runtime::schedule::{Merge, Pace, RobotChunk, Schedule, ScheduleOptions};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

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
