//! How the run is said to be doing, part by part.

use sinew_models::embodiment::Embodiment;
use sinew_proto::Message;
use sinew_runtime::clock::Moment;
use sinew_runtime::control::{Allowed, TickReport};
use sinew_runtime::diagnostics::{Facts, Level, Network, Part, Seen, Window, array, describe};
use sinew_runtime::motion::Joints;
use sinew_runtime::presence::Listeners;
use sinew_runtime::safety::{LimitHits, State};
use sinew_runtime::status::Said;
use sinew_runtime::telemetry::{Percentiles, StreamReport, TickSummary};
use sinew_sync::NotReady;
use std::collections::BTreeMap;
use std::sync::Arc;

const SECOND: i64 = 1_000_000_000;

fn joints() -> Joints {
    Joints::new(&Embodiment::built_in("r1pro").unwrap(), |_| true)
}

fn facts() -> Facts {
    Facts {
        robot: "r1pro".to_owned(),
        joints: joints().axes().iter().map(|axis| axis.name.clone()).collect(),
        status_topics: [
            ("/controller", "status.controller"),
            ("/hdas/bms", "status.hdas/bms"),
            ("/fault", "status.fault"),
        ]
        .map(|(topic, stream)| (topic.to_owned(), stream.to_owned()))
        .to_vec(),
        max_frame_age_ns: SECOND / 4,
        max_feedback_age_ns: SECOND / 5,
        max_status_age_ns: 5 * SECOND,
        max_inference_age_ns: 5 * SECOND,
        max_tick_gap_ns: SECOND / 20,
        min_battery_percent: 25.0,
        ..Facts::default()
    }
}

fn stream(received: u64) -> StreamReport {
    let mut report = StreamReport::default();
    (report.received, report.silent_ms) = (received, Some(10.0));
    report
}

/// A robot that does its work, so many seconds after its start.
fn healthy(seconds: i64) -> Seen {
    let now = Moment::from_ns(seconds * SECOND);
    let mut tick = TickReport::new(&joints());
    tick.at = Some(now);
    tick.activity = "policy";
    tick.allowed = Allowed { state: State::Running, reason: None, message: None, since: now };
    let heard = Listeners { count: 1, messages: vec!["sensor_msgs/msg/JointState".to_owned()] };
    tick.listeners = Some(Arc::new(BTreeMap::from([("motion_target/arm".to_owned(), heard)])));
    let said = [
        Said::Remote { mode: 5, is_taken_over: false },
        Said::Battery { percent: 80.0 },
        Said::Faults { code: None },
    ];
    let mut seen = Seen {
        now,
        tick: Some(tick),
        status: said.map(|said| Some((now, said))).to_vec(),
        network: Network { peer_count: 1, ..Network::default() },
        ..Seen::default()
    };
    let count = 30 * seconds as u64;
    seen.progress.chunk_at = Some(now);
    seen.summary.chunk_count = 3 * seconds as u64;
    let lateness = Percentiles { count: 100 * seconds as u64, p99_ms: 0.3, ..Percentiles::default() };
    seen.summary.ticks = Some(TickSummary { lateness, ..TickSummary::default() });
    seen.summary.streams = BTreeMap::from([
        ("camera.head".to_owned(), stream(count)),
        ("feedback.left_arm".to_owned(), stream(4 * count)),
        ("instruction".to_owned(), StreamReport::default()),
    ]);
    seen
}

/// The parts after so many seconds of health and then something else.
fn parts_after(change: impl Fn(&mut Seen)) -> Vec<Part> {
    let (facts, mut window) = (facts(), Window::default());
    for seconds in 1..5 {
        window.push(healthy(seconds).now, healthy(seconds).counters());
    }
    let mut seen = healthy(5);
    change(&mut seen);
    window.push(seen.now, seen.counters());
    describe(&facts, &seen, &window)
}

fn part<'a>(parts: &'a [Part], name: &str) -> &'a Part {
    parts.iter().find(|part| part.name == name).unwrap_or_else(|| panic!("no {name} in {parts:?}"))
}

#[test]
fn a_robot_that_does_its_work_is_ok_in_every_part_with_its_rates() {
    let parts = parts_after(|_| {});
    assert!(parts.iter().all(|part| part.level == Level::Ok), "{parts:?}");
    assert_eq!(part(&parts, "sinew").value("state"), Some("running"));
    assert_eq!(part(&parts, "sinew/camera/head").value("rate_hz"), Some("30.0"));
    assert_eq!(part(&parts, "sinew/camera/head").value("age_ms"), Some("10.0"));
    assert_eq!(part(&parts, "sinew/feedback/left_arm").value("rate_hz"), Some("120.0"));
    assert_eq!(part(&parts, "sinew/inference").value("rate_hz"), Some("3.00"));
    assert_eq!(
        part(&parts, "sinew/outputs").value("listeners.motion_target/arm"),
        Some("1: sensor_msgs/msg/JointState")
    );
    let names: std::collections::BTreeSet<&str> = parts.iter().map(|part| part.name.as_str()).collect();
    assert_eq!(names.len(), parts.len(), "a name twice");
    let array = array("r1pro", &parts, sinew_proto::Stamp::from_ns(7_000_000_009)).unwrap();
    assert_eq!((array.header.stamp.sec, array.header.stamp.nanosec), (7, 9));
    assert!(array.status.iter().all(|status| status.hardware_id == "r1pro" && status.level == 0));
    let read = sinew_proto::msg::diagnostic_msgs::DiagnosticArray::from_cdr(&array.to_cdr()).unwrap();
    assert_eq!(read.status.into_iter().map(Part::from_status).collect::<Vec<_>>(), parts);
}

/// What goes wrong, the part that says so, its level, state, and words of its message.
#[test]
fn each_trouble_shows_in_its_part_and_in_the_whole() {
    type Change = fn(&mut Seen);
    let allow = |state, reason, message: &str| {
        let message: Arc<str> = message.into();
        Allowed { state, reason: Some(reason), message: Some(message), since: Moment::from_ns(4 * SECOND) }
    };
    let stopped = allow(State::Stopped, "operator_stop", "the operator said stop");
    let parts = parts_after(|seen| seen.tick.as_mut().unwrap().allowed = stopped.clone());
    let motion = part(&parts, "sinew/motion");
    assert_eq!(
        (motion.level, motion.value("state"), motion.value("reason")),
        (Level::Error, Some("stopped"), Some("operator_stop"))
    );
    assert_eq!(
        (motion.message.as_str(), motion.value("since_s")),
        ("stopped: the operator said stop", Some("1.0"))
    );
    let holding = allow(State::Holding, "stale_feedback", "the feedback of `left_arm` is too old");
    let parts = parts_after(|seen| seen.tick.as_mut().unwrap().allowed = holding.clone());
    assert_eq!(part(&parts, "sinew/motion").level, Level::Warn);

    let cases: [(Change, &str, Level, &str, &str); 19] = [
        (
            |seen| seen.summary.streams.get_mut("camera.head").unwrap().silent_ms = Some(2000.0),
            "sinew/camera/head",
            Level::Stale,
            "silent",
            "nothing has arrived for 2.0 s",
        ),
        (
            |seen| *seen.summary.streams.get_mut("camera.head").unwrap() = StreamReport::default(),
            "sinew/camera/head",
            Level::Stale,
            "nothing yet",
            "nothing has arrived yet",
        ),
        (
            |seen| seen.summary.streams.get_mut("camera.head").unwrap().malformed = 3,
            "sinew/camera/head",
            Level::Warn,
            "damaged",
            "3 malformed in the last 4 s",
        ),
        (
            |seen| seen.summary.streams.get_mut("feedback.left_arm").unwrap().malformed = 600,
            "sinew/feedback/left_arm",
            Level::Error,
            "unusable",
            "600 malformed",
        ),
        (
            |seen| seen.status[0] = Some((seen.now, Said::Remote { mode: 2, is_taken_over: true })),
            "sinew/robot/controller",
            Level::Error,
            "taken over",
            "(mode 2)",
        ),
        (
            |seen| seen.status[1] = Some((seen.now, Said::Battery { percent: 24.0 })),
            "sinew/robot/hdas/bms",
            Level::Error,
            "empty",
            "24 %; the robot stops at 25 %",
        ),
        (
            |seen| seen.status[1] = Some((seen.now, Said::Battery { percent: 30.0 })),
            "sinew/robot/hdas/bms",
            Level::Warn,
            "low",
            "30 %",
        ),
        (
            |seen| seen.status[2] = Some((seen.now, Said::Faults { code: Some(12) })),
            "sinew/robot/fault",
            Level::Error,
            "fault",
            "12",
        ),
        (
            |seen| seen.status[1] = Some((seen.now.plus_ns(-6 * SECOND), Said::Battery { percent: 80.0 })),
            "sinew/robot/hdas/bms",
            Level::Stale,
            "silent",
            "6.0 s",
        ),
        (
            |seen| seen.summary.failed_chunk_count = 2,
            "sinew/inference",
            Level::Error,
            "failing",
            "2 chunks could not be published",
        ),
        (
            |seen| {
                let stream = "camera head".to_owned();
                seen.progress.chunk_at = Some(seen.now.plus_ns(-SECOND));
                seen.progress.waited = Some((seen.now, NotReady::NothingYet { stream }));
            },
            "sinew/inference",
            Level::Warn,
            "waiting",
            "nothing from camera head yet",
        ),
        (
            |seen| seen.progress.chunk_at = Some(seen.now.plus_ns(-6 * SECOND)),
            "sinew/inference",
            Level::Stale,
            "silent",
            "no chunk for 6.0 s",
        ),
        (
            |seen| seen.summary.chunk_ends = BTreeMap::from([("dropped: expired", 2)]),
            "sinew/schedule",
            Level::Warn,
            "dropping",
            "2 chunks dropped: expired",
        ),
        (
            |seen| seen.tick.as_mut().unwrap().idle_ns = SECOND / 2,
            "sinew/schedule",
            Level::Warn,
            "starving",
            "500 ms of the last 4 s",
        ),
        (
            |seen| {
                seen.tick.as_mut().unwrap().limit_hits[7] = LimitHits { position: 4, ..LimitHits::default() }
            },
            "sinew/limits",
            Level::Warn,
            "at limits",
            "left_arm_joint1",
        ),
        (
            |seen| seen.tick.as_mut().unwrap().at = Some(seen.now.plus_ns(-SECOND)),
            "sinew/control",
            Level::Error,
            "hangs",
            "1.0 s ago",
        ),
        (
            |seen| seen.summary.ticks.as_mut().unwrap().missed_count = 3,
            "sinew/control",
            Level::Warn,
            "late",
            "3 ticks came late",
        ),
        (
            |seen| {
                let listeners = BTreeMap::from([("motion_target/torso".to_owned(), Listeners::default())]);
                seen.tick.as_mut().unwrap().listeners = Some(Arc::new(listeners));
            },
            "sinew/outputs",
            Level::Warn,
            "unheard",
            "nobody listens to motion_target/torso",
        ),
        (
            |seen| seen.network.peer_count = 0,
            "sinew/network",
            Level::Error,
            "alone",
            "no zenoh peer or router",
        ),
    ];
    for (change, name, level, state, words) in cases {
        let parts = parts_after(change);
        let found = part(&parts, name);
        assert_eq!((found.level, found.value("state")), (level, Some(state)), "{found:?}");
        assert!(found.message.contains(words), "{found:?} does not say {words}");
        let whole = part(&parts, "sinew");
        assert!(whole.level == level && whole.message.starts_with(name), "{whole:?}");
        assert_eq!(whole.value("not_ok"), Some("1"), "{parts:?}");
    }
}

#[test]
fn a_robot_that_holds_needs_no_chunks_and_one_that_is_slowed_down_is_well() {
    let parts = parts_after(|seen| {
        seen.progress.chunk_at = Some(seen.now.plus_ns(-60 * SECOND));
        seen.tick.as_mut().unwrap().activity = "waiting";
    });
    assert_eq!(part(&parts, "sinew/inference").level, Level::Ok);
    let parts = parts_after(|seen| {
        seen.tick.as_mut().unwrap().limit_hits[3] =
            LimitHits { velocity: 40, acceleration: 2, ..LimitHits::default() };
    });
    let limits = part(&parts, "sinew/limits");
    assert_eq!((limits.level, limits.values.len()), (Level::Ok, 3), "{limits:?}");
}

#[test]
fn without_set_points_nothing_is_said_of_them() {
    let parts = parts_after(|seen| seen.tick = None);
    assert_eq!(part(&parts, "sinew/motion").value("state"), Some("off"));
    assert!(parts.iter().all(|part| part.name != "sinew/control"));
}
