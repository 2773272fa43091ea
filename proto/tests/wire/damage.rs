//! Damaged and hostile messages: an error or a valid message, never a panic, never more memory than the
//! documented multiple of the message.

use crate::kinds::{KINDS, Kind, kind};
use sinew_proto::Error;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Bytes allocated per byte of message, as the documentation of `cdr` promises.
const BOUND: usize = 11;
/// What an error may take for the path of the field it names.
const SLACK: usize = 1024;

thread_local! {
    static ALLOCATED: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, adding up per thread what is asked of it. Memory given back is not subtracted, and growing
/// counts in full, so that the sum is never less than the peak.
struct Counting;

// SAFETY: both functions pass their arguments on unchanged to the system's allocator, whose contract is the same.
// The counter is a plain cell without a destructor, so that counting neither allocates nor fails.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.set(ALLOCATED.get().saturating_add(layout.size()));
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`, and `memory` came from `System`.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Decodes; checks what it allocated, and that an accepted message survives being written and read again.
fn decode_within_bound(kind: &Kind, bytes: &[u8]) -> Result<(), Error> {
    let before = ALLOCATED.get();
    let result = (kind.decode)(bytes);
    let allocated = ALLOCATED.get() - before;
    let bound = BOUND * bytes.len() + SLACK;
    assert!(allocated <= bound, "{}: {allocated} bytes for {} of message", kind.type_name, bytes.len());
    if result.is_ok() {
        let (value, rewritten) = (kind.transcode)(bytes).unwrap();
        assert_eq!((kind.transcode)(&rewritten), Ok((value, rewritten)), "{}", kind.type_name);
    }
    result
}

#[test]
fn a_message_cut_anywhere_is_refused() {
    for kind in KINDS {
        for (_, bytes) in (kind.samples)(12) {
            for length in 0..bytes.len() {
                let result = decode_within_bound(kind, &bytes[..length]);
                assert!(result.is_err(), "{} cut to {length} of {}", kind.type_name, bytes.len());
            }
        }
    }
}

#[test]
fn one_wrong_byte_is_an_error_or_another_message() {
    let (mut refused, mut accepted) = (0, 0);
    for kind in KINDS {
        for (_, mut bytes) in (kind.samples)(2) {
            for index in 0..bytes.len() {
                let original = bytes[index];
                let flipped = (0..8).map(|bit| original ^ (1 << bit));
                for wrong in flipped.chain([0x00, 0x7f, 0x80, 0xff]) {
                    bytes[index] = wrong;
                    match decode_within_bound(kind, &bytes) {
                        Ok(()) => accepted += 1,
                        Err(_) => refused += 1,
                    }
                }
                bytes[index] = original;
            }
        }
    }
    assert!(refused > 5_000 && accepted > 5_000, "{refused} refused, {accepted} accepted: a one-sided test");
}

#[test]
fn a_wrong_count_anywhere_is_an_error_or_another_message() {
    for kind in KINDS {
        for (_, bytes) in (kind.samples)(12) {
            for offset in (4..bytes.len().saturating_sub(3)).step_by(4) {
                let remaining = (bytes.len() - offset - 4) as u32;
                // Counts no message can hold, and the largest ones that elements of each size would let pass.
                let fitting = [1, 4, 5, 8, 24].map(|size| remaining / size);
                for count in fitting.into_iter().chain([u32::MAX, i32::MAX as u32, remaining + 1]) {
                    let mut bytes = bytes.clone();
                    bytes[offset..offset + 4].copy_from_slice(&count.to_le_bytes());
                    let _ = decode_within_bound(kind, &bytes);
                }
            }
        }
    }
}

/// The start of a message whose header is all zero and whose frame is empty: 20 bytes.
fn after_empty_header() -> Vec<u8> {
    vec![0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]
}

const MEBIBYTE: usize = 1 << 20;

fn push_count(bytes: &mut Vec<u8>, count: usize) {
    bytes.extend_from_slice(&(count as u32).to_le_bytes());
}

fn field_of(error: Error) -> String {
    match error {
        Error::Truncated { at, .. } | Error::Count { at, .. } | Error::StringEnd { at, .. } => at.field,
        other => panic!("{other}"),
    }
}

#[test]
fn strings_that_do_not_exist_behind_one_that_takes_everything_stay_within_the_bound() {
    let mut bytes = after_empty_header();
    push_count(&mut bytes, (MEBIBYTE - 24) / 5);
    push_count(&mut bytes, MEBIBYTE - 28);
    bytes.resize(MEBIBYTE, 0);
    let error = decode_within_bound(kind("sensor_msgs/msg/JointState"), &bytes).unwrap_err();
    assert_eq!(field_of(error), "name[1]");
}

#[test]
fn points_that_do_not_exist_behind_one_that_takes_everything_stay_within_the_bound() {
    let mut bytes = after_empty_header();
    push_count(&mut bytes, 0);
    push_count(&mut bytes, (MEBIBYTE - 28) / 24);
    push_count(&mut bytes, (MEBIBYTE - 36) / 8);
    bytes.resize(MEBIBYTE, 0);
    let error = decode_within_bound(kind("trajectory_msgs/msg/JointTrajectory"), &bytes).unwrap_err();
    assert_eq!(field_of(error), "points[0].accelerations");
}

#[test]
fn statuses_that_do_not_exist_behind_one_whose_values_take_everything_stay_within_the_bound() {
    let mut bytes = after_empty_header();
    push_count(&mut bytes, (MEBIBYTE - 24) / 20);
    // A level and three empty strings, each aligned.
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&[1, 0, 0, 0, 0, 0, 0, 0].repeat(3));
    push_count(&mut bytes, (MEBIBYTE - 56) / 10);
    bytes.resize(MEBIBYTE, 0);
    let error = decode_within_bound(kind("diagnostic_msgs/msg/DiagnosticArray"), &bytes).unwrap_err();
    assert_eq!(field_of(error), "status[0].values[0].key");
}

#[test]
fn a_million_bytes_of_empty_points_are_a_message_within_the_bound() {
    let mut bytes = after_empty_header();
    push_count(&mut bytes, 0);
    push_count(&mut bytes, 40_000);
    bytes.resize(28 + 40_000 * 24, 0);
    assert_eq!(decode_within_bound(kind("trajectory_msgs/msg/JointTrajectory"), &bytes), Ok(()));
}
