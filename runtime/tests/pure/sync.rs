//! Observations: which samples, and every reason for none.

use crate::manifest::{manifest, robot};
use sinew_models::contract::{Dimension, Manifest};
use sinew_models::formula::{Formula, Operand};
use sinew_models::unit::Unit;
use sinew_proto::Stamp;
use sinew_runtime::ingest::{Frame, FrameStreams};
use sinew_sync::{
    Fault, Feedback, Limits, NotReady, Observation, Sample, StateBuilder, Stream, Synchronizer,
};
use std::sync::Arc;

const MS: i64 = 1_000_000;
/// Capture time of the newest head frame.
const T: i64 = 1_700_000_000_000 * MS;
const LIMITS: Limits =
    Limits { max_skew_ns: 50 * MS, max_age_ns: 250 * MS, settle_ns: 10 * MS, max_equal_pictures: 3 };
/// When every stream has had its time.
const SETTLED: i64 = T + 20 * MS;

fn synchronizer() -> Synchronizer {
    synchronizer_for(&manifest())
}

fn synchronizer_for(manifest: &Manifest) -> Synchronizer {
    let robot = robot();
    let names = |list: Vec<&str>| list.into_iter().map(str::to_owned).collect();
    Synchronizer::new(
        names(vec!["head", "left_wrist", "right_wrist"]),
        robot.groups.iter().map(|group| group.name.clone()).collect(),
        StateBuilder::new(manifest.state_dimensions(), &robot).unwrap(),
        LIMITS,
    )
}

fn sample<T>(at_ns: i64, value: T) -> Sample<T> {
    Sample { captured_at: Stamp::from_ns(at_ns), received_at: Stamp::from_ns(at_ns + 3 * MS), value }
}

fn frame(brightness: f32) -> Arc<Frame> {
    Arc::new(Frame { pixels: vec![brightness], prepare_ns: 1 })
}

/// Joint j of group g is at g + j / 100 and moves at 10 times that; the value tells where a number came from.
fn feedback(group: usize, joint_count: usize) -> Feedback {
    let position: Vec<f64> = (0..joint_count).map(|joint| group as f64 + joint as f64 / 100.0).collect();
    Feedback { velocity: position.iter().map(|x| 10.0 * x).collect(), position, effort: Vec::new() }
}

/// Everything there, in time.
fn streams() -> FrameStreams {
    let mut streams = FrameStreams {
        cameras: (0..3).map(|_| Stream::new(4, LIMITS)).collect(),
        groups: robot().groups.iter().map(|_| Stream::new(16, LIMITS)).collect(),
    };
    for (slot, camera) in streams.cameras.iter_mut().enumerate() {
        // The wrists lag the head by 10 and 20 ms.
        for age in [66, 33, 0] {
            let at_ns = T - (age + 10 * slot as i64) * MS;
            camera.admit(sample(at_ns, frame(slot as f32 + age as f32 / 1000.0)), None).unwrap();
        }
    }
    for (index, group) in robot().groups.iter().enumerate() {
        for age in [20, 10, 0] {
            let mut reported = feedback(index, group.joints.len());
            reported.position.iter_mut().for_each(|x| *x += age as f64);
            streams.groups[index].admit(sample(T - age * MS + 2 * MS, reported), None).unwrap();
        }
    }
    streams
}

/// The stream as if it had given this sample only.
fn only<T>(sample: Sample<T>) -> Stream<T> {
    let mut stream = Stream::new(1, LIMITS);
    assert!(stream.admit(sample, None).is_ok());
    stream
}

fn observe(streams: &FrameStreams, used: Option<i64>, now: i64) -> Result<Observation<Arc<Frame>>, NotReady> {
    synchronizer().observe(streams, used.map(Stamp::from_ns), Stamp::from_ns(now))
}

#[test]
fn the_newest_head_frame_chooses_the_nearest_of_every_other_stream() {
    let observation = observe(&streams(), None, T + 100 * MS).unwrap();
    assert_eq!(observation.captured_at.ns(), T);
    assert_eq!(observation.received_at.ns(), T + 3 * MS);
    let chosen: Vec<f32> = observation.frames.iter().map(|frame| frame.pixels[0]).collect();
    assert_eq!(chosen, [0.0, 1.0, 2.0]);
    // A newer head frame, with nothing newer from the others, still takes what is within 50 ms.
    let mut later = streams();
    later.cameras[0].admit(sample(T + 30 * MS, frame(9.0)), None).unwrap();
    let chosen = observe(&later, Some(T), T + 50 * MS).unwrap();
    assert_eq!(chosen.frames[2].pixels, [2.0]);
    assert_eq!(chosen.captured_at.ns(), T + 30 * MS);
}

#[test]
fn the_state_is_in_the_bundles_order_and_units() {
    let state = observe(&streams(), None, SETTLED).unwrap().state;
    // Groups of the R1 Pro: base 0, torso 1, left arm 2, left gripper 3, right arm 4, right gripper 5.
    let arm = |group: f32| (0..7).map(move |joint| group + joint as f32 / 100.0);
    let close = |found: &[f32], expected: Vec<f32>| {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() < 1e-5, "{found} is not {expected}");
        }
    };
    close(&state[0..7], arm(2.0).collect());
    close(&state[7..9], vec![20.0, 20.1]);
    // A stroke of 3 mm opens each finger by 1.5 mm.
    close(&state[12..14], vec![0.0015, 0.0015]);
    close(&state[14..21], arm(4.0).collect());
    close(&state[21..23], vec![40.0, 40.1]);
    close(&state[26..28], vec![0.0025, 0.0025]);
    close(&state[28..32], vec![1.0, 1.01, 1.02, 1.03]);
}

/// Hand positions of the robot's own check table (posture "BEHAVIOR start": torso bent, arms hanging).
#[test]
fn hands_come_from_forward_kinematics_of_torso_and_arm() {
    let mut streams = streams();
    let torso = [1.025, -1.45, -0.47, 0.0];
    for (group, position) in [(1, torso.to_vec()), (2, vec![0.0; 7]), (4, vec![0.0; 7])] {
        let velocity = vec![0.0; position.len()];
        streams.groups[group] = only(sample(T, Feedback { position, velocity, effort: Vec::new() }));
    }
    let state = observe(&streams, None, SETTLED).unwrap().state;
    for (found, expected) in state[9..12].iter().zip([0.1702, 0.2520, 0.4562]) {
        assert!((found - expected).abs() < 1e-4, "{found} is not {expected}");
    }
    for (found, expected) in state[23..26].iter().zip([0.1702, -0.2520, 0.4562]) {
        assert!((found - expected).abs() < 1e-4, "{found} is not {expected}");
    }
}

/// A speed is over what was reported a row earlier: of the samples there are, the one nearest to that.
#[test]
fn a_speed_looks_back_by_a_row() {
    let mut manifest = manifest();
    let position = Operand { name: "left_arm_joint1.pos".to_owned(), unit: Unit::Radian };
    let arm = manifest.state.dimensions[0].clone();
    manifest.state.dimensions.push(Dimension {
        name: "shoulder_speed".to_owned(),
        unit: Unit::RadianPerSecond,
        source_index: None,
        derived: Some(Formula::Velocity { of: position, rate_hz: 30.0 }),
        ..arm
    });
    let synchronizer = synchronizer_for(&manifest);
    let speed = |streams: &FrameStreams| {
        let observed = synchronizer.observe(streams, None, Stamp::from_ns(SETTLED))?;
        Ok(*observed.state.last().unwrap())
    };
    // 2 rad at T, 22 rad at T - 18 ms, which is nearest to T - 33 ms.
    assert_eq!(speed(&streams()), Ok(-600.0));
    // At the start the newest sample is the nearest to both; in a dataset's first row the speed is 0, too.
    let mut streams = streams();
    streams.groups[2] = only(sample(T, feedback(2, 7)));
    assert_eq!(speed(&streams), Ok(0.0));
    // Too far from a row earlier, though near enough to the picture.
    streams.groups[2] = only(sample(T + 18 * MS, feedback(2, 7)));
    let expected = NotReady::Skewed {
        stream: "feedback of left_arm".to_owned(),
        reference: "33 ms before camera head".to_owned(),
        skew_ns: 18 * MS + 33_333_333,
        max_skew_ns: LIMITS.max_skew_ns,
    };
    assert_eq!(speed(&streams), Err(expected));
}

#[test]
fn every_reason_names_its_stream() {
    type Change = fn(&mut FrameStreams);
    let unchanged: Change = |_| {};
    let nothing = |stream: &str| NotReady::NothingYet { stream: stream.to_owned() };
    let skewed = |stream: &str, skew_ms: i64| NotReady::Skewed {
        stream: stream.to_owned(),
        reference: "camera head".to_owned(),
        skew_ns: skew_ms * MS,
        max_skew_ns: LIMITS.max_skew_ns,
    };
    let lost = |stream: &str, silent_ms: i64| NotReady::Lost {
        stream: stream.to_owned(),
        silent_ns: silent_ms * MS,
    };
    let faulty = |stream: &str, fault| NotReady::Faulty { stream: stream.to_owned(), fault };
    let stale = NotReady::Stale { stream: "camera head".to_owned(), age_ns: 251 * MS, max_age_ns: 250 * MS };
    let used = NotReady::NoNewFrame { stream: "camera head".to_owned() };
    let cases: [(Change, Option<i64>, i64, NotReady); 14] = [
        (|s| s.cameras[0] = Stream::new(1, LIMITS), None, SETTLED, nothing("camera head")),
        (|s| s.cameras[2] = Stream::new(1, LIMITS), None, SETTLED, nothing("camera right_wrist")),
        (|s| s.groups[2] = Stream::new(1, LIMITS), None, SETTLED, nothing("feedback of left_arm")),
        (|s| s.groups[5] = Stream::new(1, LIMITS), None, SETTLED, nothing("feedback of right_gripper")),
        (unchanged, None, T + 251 * MS, stale),
        (unchanged, Some(T), SETTLED, used),
        (unchanged, None, T + 12 * MS, NotReady::Settling { stream: "camera left_wrist".to_owned() }),
        (
            |s| s.cameras[1] = only(sample(T - 151 * MS, frame(0.0))),
            None,
            SETTLED,
            skewed("camera left_wrist", -151),
        ),
        (
            |s| s.groups[1] = only(sample(T + 60 * MS, feedback(1, 4))),
            None,
            T + 60 * MS,
            skewed("feedback of torso", 60),
        ),
        (
            |s| s.groups[4] = only(sample(T - 900 * MS, feedback(4, 7))),
            None,
            SETTLED,
            lost("feedback of right_arm", 917),
        ),
        (unchanged, None, T + 254 * MS, lost("camera head", 251)),
        (
            |s| assert!(s.cameras[0].admit(sample(T - MS, frame(0.0)), None).is_err()),
            None,
            T + 252 * MS,
            faulty("camera head", Fault::OutOfOrder { behind_ns: MS }),
        ),
        (
            |s| {
                s.groups[1] = only(sample(T - 151 * MS, feedback(1, 4)));
                s.groups[1].refuse(Stamp::from_ns(T));
            },
            None,
            SETTLED,
            faulty("feedback of torso", Fault::Malformed),
        ),
        (
            |s| {
                s.groups[1] = Stream::new(1, LIMITS);
                s.groups[1].refuse(Stamp::from_ns(T));
            },
            None,
            SETTLED,
            faulty("feedback of torso", Fault::Malformed),
        ),
    ];
    for (change, used, now, expected) in cases {
        let mut streams = streams();
        change(&mut streams);
        assert_eq!(observe(&streams, used, now), Err(expected));
    }
}

/// Head and wrist are taken together, but the wrist's frame takes longer to decode.
#[test]
fn a_frame_of_the_same_time_is_worth_a_moment() {
    let mut streams = streams();
    streams.cameras[0].admit(sample(T + 33 * MS, frame(9.0)), None).unwrap();
    let arrived = T + 36 * MS;
    for slot in [1, 2] {
        assert!(matches!(observe(&streams, Some(T), arrived), Err(NotReady::Settling { .. })));
        streams.cameras[slot].admit(sample(T + 33 * MS, frame(9.0)), None).unwrap();
    }
    for group in &mut streams.groups {
        let value = group.newest().unwrap().value.clone();
        group.admit(sample(T + 34 * MS, value), None).unwrap();
    }
    let observation = observe(&streams, Some(T), arrived + MS).unwrap();
    assert!(observation.frames.iter().all(|frame| frame.pixels == [9.0]));
}

/// Under load the wrist skipped the newest head frame's time; the head frame before it still has everything.
#[test]
fn an_older_head_frame_serves_where_the_newest_stands_alone() {
    let mut streams = streams();
    streams.cameras[0].admit(sample(T + 90 * MS, frame(9.0)), None).unwrap();
    let observation = observe(&streams, Some(T - 33 * MS), T + 120 * MS).unwrap();
    assert_eq!(observation.captured_at.ns(), T);
    let alone = observe(&streams, Some(T), T + 120 * MS);
    assert!(matches!(alone, Err(NotReady::Skewed { skew_ns, .. }) if skew_ns == -100 * MS), "{alone:?}");
}

#[test]
fn a_limit_is_what_is_still_allowed() {
    let mut streams = streams();
    streams.cameras[1] = only(sample(T - 50 * MS, frame(0.0)));
    assert!(observe(&streams, None, T + 250 * MS).is_ok());
}

#[test]
fn a_group_the_state_does_not_use_is_not_waited_for() {
    let mut streams = streams();
    streams.groups[0] = Stream::new(1, LIMITS);
    assert!(observe(&streams, None, SETTLED).is_ok());
}

#[test]
fn reasons_are_said_in_words() {
    let skewed = NotReady::Skewed {
        stream: "camera left_wrist".to_owned(),
        reference: "camera head".to_owned(),
        skew_ns: -80 * MS,
        max_skew_ns: 50 * MS,
    };
    assert_eq!(
        skewed.to_string(),
        "the nearest sample of camera left_wrist is 80 ms before camera head, limit 50 ms"
    );
    let stream = || "camera head".to_owned();
    let frozen = NotReady::Faulty { stream: stream(), fault: Fault::Frozen { equal_count: 11 } };
    assert_eq!(frozen.to_string(), "the newest of camera head: 11 pictures in a row are equal");
    let lost = NotReady::Lost { stream: stream(), silent_ns: 300 * MS };
    assert_eq!(lost.to_string(), "nothing from camera head for 300 ms");
}
