//! What is made of what was heard.

use sinew_runtime::check::{Base, Expected, Finding, Heard, HeardStream, Report, Verdict, judge};
use sinew_runtime::presence::Presence;
use sinew_runtime::telemetry::StreamReport;
use sinew_sync::{Limits, NotReady};

const MS: i64 = 1_000_000;

fn stream(name: &str, received: u64) -> HeardStream {
    let mut report = StreamReport::default();
    report.received = received;
    HeardStream {
        name: name.to_owned(),
        keys: vec![format!("hdas/{name}")],
        message: "sensor_msgs/msg/JointState".to_owned(),
        report,
        ages_ns: Some(5 * MS..=30 * MS),
        ..HeardStream::default()
    }
}

/// Five seconds of a robot that sends thirty pictures and a hundred joint states a second.
fn heard() -> Heard {
    Heard {
        seconds: 5.0,
        streams: vec![stream("camera.head", 150), stream("feedback.left_arm", 500)],
        observation_count: 140,
        not_ready: None,
        dry_run: None,
        presence: Presence::default(),
        neighbour_count: 1,
    }
}

fn judged(change: impl FnOnce(&mut Heard)) -> Vec<Finding> {
    let mut heard = heard();
    change(&mut heard);
    let limits = Limits { max_skew_ns: 50 * MS, max_age_ns: 250 * MS, settle_ns: 0, max_equal_pictures: 10 };
    let base = Some(Base { group: "base", remote: None });
    judge(&heard, &Expected { limits, outputs: &[], min_battery_percent: 25.0, base })
}

fn finding<'a>(findings: &'a [Finding], subject: &str) -> &'a Finding {
    findings
        .iter()
        .find(|finding| finding.subject == subject)
        .unwrap_or_else(|| panic!("nothing about {subject}"))
}

#[test]
fn a_robot_that_sends_all_in_time_is_fine_and_the_report_says_so() {
    let findings = judged(|_| {});
    assert!(findings.iter().all(|finding| finding.verdict == Verdict::Ok), "{findings:?}");
    assert_eq!(finding(&findings, "camera.head").found, "30.0 a second on hdas/camera.head");
    assert_eq!(
        finding(&findings, "clock of camera.head").found,
        "stamps are 5.0 ms to 30.0 ms old on arrival"
    );
    assert_eq!(finding(&findings, "observation").found, "28.0 a second, with every camera and joint in time");
    let report = Report::new(findings);
    assert_eq!(report.verdict, Verdict::Ok);
    assert!(report.table().ends_with("Nothing is against motion.\n"), "{}", report.table());
}

/// What was heard, what it is about, its verdict and words about it.
#[test]
fn each_trouble_is_told_with_what_to_do() {
    type Change = fn(&mut Heard);
    let cases: [(Change, &str, Verdict, &str); 10] = [
        (|heard| heard.neighbour_count = 0, "network", Verdict::Refused, "no zenoh peer"),
        (
            |heard| heard.streams[0].report.received = 0,
            "camera.head",
            Verdict::Refused,
            "nothing on hdas/camera.head in 5 s",
        ),
        (|heard| heard.streams[0].report.received = 20, "camera.head", Verdict::Warning, "4.0 a second"),
        (
            |heard| heard.streams[1].report.received = 90,
            "feedback.left_arm",
            Verdict::Warning,
            "18.0 a second",
        ),
        (
            |heard| heard.streams[1].report.malformed = 500,
            "feedback.left_arm",
            Verdict::Refused,
            "of 500, 500 malformed",
        ),
        (|heard| heard.streams[1].report.late = 3, "feedback.left_arm", Verdict::Warning, "of 500, 3 late"),
        (
            |heard| heard.streams[0].ages_ns = Some(251 * MS..=300 * MS),
            "clock of camera.head",
            Verdict::Refused,
            "at least 251.0 ms old on arrival, 250.0 ms is allowed",
        ),
        (
            |heard| heard.streams[0].ages_ns = Some(-51 * MS..=-40 * MS),
            "clock of camera.head",
            Verdict::Refused,
            "up to 51.0 ms ahead",
        ),
        (
            |heard| heard.streams[0].ages_ns = Some(-3 * MS..=10 * MS),
            "clock of camera.head",
            Verdict::Warning,
            "up to 3.0 ms ahead",
        ),
        (
            |heard| {
                heard.observation_count = 0;
                heard.not_ready = Some(NotReady::NothingYet { stream: "camera head".to_owned() });
            },
            "observation",
            Verdict::Refused,
            "none could be made: nothing from camera head yet",
        ),
    ];
    for (change, subject, verdict, words) in cases {
        let findings = judged(change);
        let found = finding(&findings, subject);
        assert!(found.verdict == verdict && found.found.contains(words), "{found:?} does not say {words}");
        assert!(found.advice.is_some(), "{found:?}");
        let others =
            findings.iter().filter(|finding| finding.verdict != Verdict::Ok && finding.subject != subject);
        assert_eq!(others.count(), 0, "{findings:?}");
        let table = Report::new(findings).table();
        assert!(table.contains("→") && table.contains(words), "{table}");
    }
}

#[test]
fn pictures_of_another_size_and_a_base_that_says_nothing_are_spoken_of() {
    let findings = judged(|heard| heard.streams[0].sizes = Some([[640, 360], [1280, 720]]));
    let camera = finding(&findings, "camera.head");
    assert_eq!(camera.verdict, Verdict::Warning);
    assert!(camera.found.contains("1280×720") && camera.found.contains("640×360"), "{camera:?}");
    let silent = judged(|heard| heard.streams.push(stream("feedback.base", 0)));
    assert!(silent.iter().all(|finding| finding.verdict != Verdict::Refused), "{silent:?}");
}

#[test]
fn what_is_to_be_done_about_several_is_said_once() {
    let findings = judged(|heard| {
        heard.streams[1].report.received = 0;
        heard.streams.push(stream("feedback.right_arm", 0));
    });
    let table = Report::new(findings).table();
    assert_eq!(table.matches("nothing on").count(), 2, "{table}");
    assert_eq!(table.matches("start the robot's own software").count(), 1, "{table}");
}
