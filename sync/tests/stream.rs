//! Which messages of a stream may be used, and what is wrong with the others.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use sinew_proto::Stamp;
use sinew_sync::{Fault, Limits, Sample, Stream};

const MS: i64 = 1_000_000;
const T: i64 = 1_700_000_000_000 * MS;
const LIMITS: Limits =
    Limits { max_skew_ns: 50 * MS, max_age_ns: 250 * MS, settle_ns: 10 * MS, max_equal_pictures: 3 };

/// A message: when it was taken and arrived, milliseconds after T, and what it shows.
type Message = (i64, i64, u64);

/// What becomes of messages, one after the other.
fn outcomes(limits: Limits, messages: &[Message]) -> (Stream<i64>, Vec<Option<Fault>>) {
    let mut stream = Stream::new(4, limits);
    let outcomes = messages.iter().map(|&(captured_ms, received_ms, picture)| {
        let [captured_at, received_at] = [captured_ms, received_ms].map(|ms| Stamp::from_ns(T + ms * MS));
        let sample = Sample { captured_at, received_at, value: captured_ms };
        let fault = stream.admit(sample, Some(picture)).err();
        assert_eq!(stream.fault(), fault);
        assert_eq!(stream.silent_ns(received_at), Some(0), "whatever arrives breaks the silence");
        fault
    });
    let outcomes = outcomes.collect();
    (stream, outcomes)
}

#[test]
fn stamps_that_say_nothing_about_now_are_told_apart() {
    let (stream, faults) = outcomes(
        LIMITS,
        &[
            (0, 5, 1),
            (33, 38, 2),
            (33, 40, 2),
            (20, 42, 3),
            // Exactly at the limits, and a millisecond beyond.
            (110, 60, 4),
            (121, 70, 5),
            (150, 400, 6),
            (160, 411, 7),
            // From long ago: its delay says more than its place.
            (-9000, 420, 8),
        ],
    );
    let expected = [
        None,
        None,
        Some(Fault::Duplicate),
        Some(Fault::OutOfOrder { behind_ns: 13 * MS }),
        None,
        Some(Fault::Ahead { ahead_ns: 51 * MS }),
        None,
        Some(Fault::Late { delay_ns: 251 * MS }),
        Some(Fault::Late { delay_ns: 9420 * MS }),
    ];
    assert_eq!(faults, expected);
    let kept: Vec<i64> = stream.history().iter().map(|sample| sample.value).collect();
    assert_eq!(kept, [0, 33, 110, 150]);
}

/// Three equal pictures may be chance in the dark; from the fourth on the camera is frozen until it shows another.
#[test]
fn a_frozen_camera_gives_nothing_until_its_picture_changes() {
    let messages: Vec<Message> = [7, 7, 7, 7, 7, 8, 7, 7, 7, 7]
        .into_iter()
        .zip(0..)
        .map(|(picture, k)| (33 * k, 33 * k, picture))
        .collect();
    let (stream, faults) = outcomes(LIMITS, &messages);
    let frozen: Vec<u32> = faults
        .iter()
        .map(|fault| match fault {
            None => 0,
            Some(Fault::Frozen { equal_count }) => *equal_count,
            Some(other) => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(frozen, [0, 0, 0, 4, 5, 0, 0, 0, 0, 4]);
    assert_eq!(stream.newest().unwrap().value, 33 * 8);
    let (_, faults) = outcomes(Limits { max_equal_pictures: 0, ..LIMITS }, &messages);
    assert!(faults.iter().all(Option::is_none), "0 is never");
}

/// A message that the network delivers twice says nothing about the camera.
#[test]
fn repeated_messages_do_not_freeze_a_camera() {
    let messages: Vec<Message> = (0..4).flat_map(|k| [(33 * k, 33 * k, 7 + k as u64 / 2); 3]).collect();
    let (_, faults) = outcomes(LIMITS, &messages);
    let frozen = faults.iter().flatten().filter(|fault| matches!(fault, Fault::Frozen { .. }));
    assert_eq!(frozen.count(), 0);
    assert_eq!(faults.iter().flatten().count(), 8);
}

/// A sender whose clock stands sends as much as ever, and nothing of it is new.
#[test]
fn a_stamp_that_does_not_advance_makes_the_newest_sample_old() {
    let messages: Vec<Message> = (0..20).map(|k| (0, 10 * k, k as u64)).collect();
    let (stream, faults) = outcomes(LIMITS, &messages);
    assert!(faults[1..].iter().all(|fault| *fault == Some(Fault::Duplicate)));
    assert_eq!(stream.newest().unwrap().received_at, Stamp::from_ns(T));
}

#[test]
fn names_are_in_the_order_of_their_index() {
    let faults = [
        (Fault::Malformed, "malformed"),
        (Fault::Ahead { ahead_ns: 0 }, "ahead"),
        (Fault::Late { delay_ns: 0 }, "late"),
        (Fault::Duplicate, "duplicate"),
        (Fault::OutOfOrder { behind_ns: 0 }, "out_of_order"),
        (Fault::Frozen { equal_count: 0 }, "frozen"),
    ];
    for (fault, name) in faults {
        assert_eq!(fault.name(), name);
    }
}
