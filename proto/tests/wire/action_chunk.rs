//! What makes an action chunk consistent.

use sinew_proto::msg::builtin_interfaces::Time;
use sinew_proto::msg::sinew_msgs::ActionChunk;
use sinew_proto::{Error, Message};

/// Three steps of two dimensions.
fn chunk() -> ActionChunk {
    ActionChunk {
        step_count: 3,
        dimension_count: 2,
        names: vec!["left_arm_joint1".to_owned(), "left_gripper".to_owned()],
        units: vec!["rad".to_owned(), String::new()],
        step_times: (1..=3).map(|sec| Time { sec, nanosec: 0 }).collect(),
        values: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
        ..ActionChunk::default()
    }
}

/// The message of the error that one change to a consistent chunk causes.
fn fault(change: impl FnOnce(&mut ActionChunk)) -> String {
    let mut chunk = chunk();
    change(&mut chunk);
    chunk.validate().unwrap_err().to_string()
}

#[test]
fn a_consistent_chunk_is_valid_before_and_after_the_wire() {
    assert_eq!(chunk().validate(), Ok(()));
    assert_eq!(ActionChunk::from_cdr(&chunk().to_cdr()).unwrap().validate(), Ok(()));
}

#[test]
fn every_contradiction_is_named() {
    assert_eq!(fault(|chunk| chunk.step_count = 0), "ActionChunk step_count: expected at least 1, found 0");
    assert_eq!(
        fault(|chunk| chunk.dimension_count = 0),
        "ActionChunk dimension_count: expected at least 1, found 0"
    );
    assert_eq!(fault(|chunk| chunk.dimension_count = 3), "ActionChunk names: expected 3 entries, found 2");
    assert_eq!(fault(|chunk| chunk.units.truncate(1)), "ActionChunk units: expected 2 entries, found 1");
    assert_eq!(fault(|chunk| chunk.step_count = 2), "ActionChunk step_times: expected 2 entries, found 3");
    assert_eq!(fault(|chunk| chunk.values.push(7.0)), "ActionChunk values: expected 6 entries, found 7");
    assert_eq!(
        fault(|chunk| chunk.names[1] = chunk.names[0].clone()),
        "ActionChunk names: expected each name once, found \"left_arm_joint1\" twice"
    );
    assert_eq!(
        fault(|chunk| chunk.step_times[2] = chunk.step_times[1]),
        "ActionChunk step_times: expected each later than the one before, found step 2 is not"
    );
    assert_eq!(
        fault(|chunk| chunk.values[4] = f32::NAN),
        "ActionChunk values: expected finite, found NaN at 4"
    );
    assert_eq!(
        fault(|chunk| chunk.values[5] = f32::NEG_INFINITY),
        "ActionChunk values: expected finite, found -inf at 5"
    );
}

#[test]
fn a_time_that_is_none_is_refused_wherever_it_stands() {
    let no_time = Time { sec: 0, nanosec: 1_000_000_000 };
    let changes: [fn(&mut ActionChunk, Time); 3] = [
        |chunk, time| chunk.header.stamp = time,
        |chunk, time| chunk.published_at = time,
        |chunk, time| chunk.step_times[0] = time,
    ];
    for change in changes {
        let mut chunk = chunk();
        change(&mut chunk, no_time);
        assert_eq!(chunk.validate(), Err(Error::Nanosec { found: 1_000_000_000 }));
    }
}

#[test]
fn steps_are_rows() {
    assert_eq!(chunk().step(0), Some([1.0, 2.0].as_slice()));
    assert_eq!(chunk().step(2), Some([5.0, 6.0].as_slice()));
    assert_eq!(chunk().step(3), None);
    assert_eq!(chunk().step(usize::MAX), None);
    assert_eq!(ActionChunk { step_count: 2, ..chunk() }.step(2), None);
    assert_eq!(ActionChunk { dimension_count: 4, ..chunk() }.step(1), None);
}
