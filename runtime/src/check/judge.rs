//! What was heard, judged. Pure.

use super::finding::Finding;
use super::heard::{DryRun, Heard, HeardStream};
use crate::clock::ms;
use crate::presence::Listeners;
use crate::setpoint::SetpointOutput;
use crate::status::Said;
use sinew_sync::Limits;

/// Slower cameras are spoken of, frames a second.
const SLOW_CAMERA_HZ: f64 = 5.0;
/// Slower feedback is spoken of, messages a second: a few have to fit into the age at which the robot holds.
const SLOW_FEEDBACK_HZ: f64 = 20.0;
/// Stamps so far ahead of this computer's clock are spoken of: no message travels in less than no time.
const AHEAD_NS: i64 = 2_000_000;

const SYNCHRONIZE: &str = "let both computers' clocks follow the same source (chrony with the robot as server, or PTP), and look again";

/// What has to be known besides what was heard.
#[derive(Clone, Debug)]
pub struct Expected<'a> {
    /// How well samples have to agree.
    pub limits: Limits,
    /// Messages that would move the robot, and the keys they would go to.
    pub outputs: &'a [(SetpointOutput, String)],
    /// Least charge of the battery.
    pub min_battery_percent: f64,
    /// Topic and modes of the remote control, where the robot has one, and the base's group, where it is commanded.
    pub base: Option<Base<'a>>,
}

/// What has to be true for a base to move.
#[derive(Clone, Debug)]
pub struct Base<'a> {
    /// Its group.
    pub group: &'a str,
    /// Topic of the remote control.
    pub remote: Option<&'a str>,
}

/// A finding for everything that was heard, or was not.
#[must_use]
pub fn judge(heard: &Heard, expected: &Expected<'_>) -> Vec<Finding> {
    let mut findings = vec![network(heard)];
    // A run goes without the base's speed; what that means for the base is said below.
    let base = expected.base.as_ref().map(|base| format!("feedback.{}", base.group));
    let is_optional =
        |stream: &&HeardStream| Some(&stream.name) == base.as_ref() && stream.report.received == 0;
    let needed = heard.streams.iter().filter(|stream| !is_optional(stream));
    findings.extend(needed.map(|stream| topic(stream, heard)));
    findings.extend(heard.streams.iter().filter_map(|stream| clock(stream, expected.limits)));
    findings.push(observation(heard));
    if let Some(dry_run) = &heard.dry_run {
        findings.extend(robot(dry_run, expected));
        findings.extend(expected.outputs.iter().map(|(output, key)| listener(output, key, heard)));
        findings.extend(expected.base.iter().flat_map(|base| gates(base, heard, dry_run, expected)));
        findings.push(motion(dry_run));
    }
    findings
}

fn network(heard: &Heard) -> Finding {
    let bridge = if heard.presence.says_anything() {
        "a bridge says which ROS 2 nodes there are"
    } else {
        "no bridge says which ROS 2 nodes there are: types and listeners cannot be told"
    };
    match heard.neighbour_count {
        0 => Finding::refused(
            "network",
            "no zenoh peer or router answers",
            "start zenoh-bridge-ros2dds on the robot and give its address: --connect tcp/<robot>:7447",
        ),
        count => Finding::ok("network", format!("{count} zenoh peers and routers; {bridge}")),
    }
}

fn topic(stream: &HeardStream, heard: &Heard) -> Finding {
    let HeardStream { name, keys, message, report, .. } = stream;
    let key = keys.join(" or ");
    let speakers: Vec<(&String, Listeners)> =
        keys.iter().map(|key| (key, heard.presence.publishers(key))).collect();
    for (key, speaking) in &speakers {
        if let Some(other) = speaking.messages.iter().find(|found| *found != message) {
            let found = format!("{key} is published as {other}, not {message}");
            let advice = "name the topic that carries the right type, or mend the robot description";
            return Finding::refused(name, found, advice);
        }
    }
    if report.received == 0 {
        let found = format!("nothing on {key} in {:.0} s", heard.seconds);
        let advice = if speakers.iter().any(|(_, speaking)| speaking.count > 0) {
            "the robot has it, but it does not get here: look at the bridge's allow list and at the network"
        } else if name.starts_with("camera") {
            "start the camera's node, or name its topic under [cameras]"
        } else {
            "start the robot's own software (HDAS takes half a minute), or mend the topic in the robot description"
        };
        return Finding::refused(name, found, advice);
    }
    let often = format!("{:.1} a second on {key}", report.received as f64 / heard.seconds.max(1e-3));
    let unusable: Vec<_> = report.unusable().filter(|(_, count, _)| *count > 0).collect();
    let unusable_count: u64 = unusable.iter().map(|(_, count, _)| count).sum();
    if let Some((_, _, why)) = unusable.iter().max_by_key(|(_, count, _)| *count) {
        let kinds: Vec<String> =
            unusable.iter().map(|(fault, count, _)| format!("{count} {}", fault.replace('_', " "))).collect();
        let found = format!("{often}; of {}, {}: {why}", report.received, kinds.join(", "));
        // What was replaced by newer ones nobody looked at, and one may be on its way.
        return if unusable_count + report.dropped + 1 >= report.received {
            Finding::refused(
                name,
                found,
                format!("not one could be used: the robot has to send {message} with the time of capture"),
            )
        } else {
            Finding::warning(name, found, "look at the sender, and at the network")
        };
    }
    let rate_hz = report.received as f64 / heard.seconds.max(1e-3);
    let least_hz = if name.starts_with("camera") { SLOW_CAMERA_HZ } else { SLOW_FEEDBACK_HZ };
    if rate_hz < least_hz {
        return Finding::warning(
            name,
            often,
            format!("at least {least_hz} a second are needed for smooth motion"),
        );
    }
    match stream.sizes {
        Some([[width, height], [found_width, found_height]]) => Finding::warning(
            name,
            format!(
                "{often}; {found_width}×{found_height} pixels, the policy was trained with {width}×{height}"
            ),
            "let the camera send what the policy was trained with; pictures are resized, but show something else",
        ),
        None => Finding::ok(name, often),
    }
}

/// What stamps say against this computer's clock.
fn clock(stream: &HeardStream, limits: Limits) -> Option<Finding> {
    let (least, most) = stream.ages_ns.clone()?.into_inner();
    let subject = format!("clock of {}", stream.name);
    Some(if least < -limits.max_skew_ns {
        let found = format!("stamps are up to {} ahead of this computer's clock", length(-least));
        Finding::refused(subject, found, SYNCHRONIZE)
    } else if least > limits.max_age_ns {
        let found = format!(
            "stamps are at least {} old on arrival, {} is allowed",
            length(least),
            length(limits.max_age_ns)
        );
        Finding::refused(subject, found, format!("if the network is not that slow, {SYNCHRONIZE}"))
    } else if least < -AHEAD_NS {
        let found = format!("stamps are up to {} ahead of this computer's clock", length(-least));
        Finding::warning(subject, found, SYNCHRONIZE)
    } else {
        Finding::ok(subject, format!("stamps are {} to {} old on arrival", length(least), length(most)))
    })
}

fn length(ns: i64) -> String {
    let ms = ms(ns);
    if ms.abs() < 1000.0 { format!("{ms:.1} ms") } else { format!("{:.1} s", ms / 1e3) }
}

fn observation(heard: &Heard) -> Finding {
    let subject = "observation";
    match (&heard.not_ready, heard.observation_count) {
        (None, 0) => Finding::refused(subject, "none could be made", "look at the lines above"),
        (None, count) => {
            let rate_hz = count as f64 / heard.seconds.max(1e-3);
            Finding::ok(subject, format!("{rate_hz:.1} a second, with every camera and joint in time"))
        }
        (Some(reason), 0) => {
            Finding::refused(subject, format!("none could be made: {reason}"), "look at the lines above")
        }
        (Some(reason), _) => Finding::warning(
            subject,
            format!("at the end none could be made: {reason}"),
            "look at the lines above",
        ),
    }
}

fn robot(dry_run: &DryRun, expected: &Expected<'_>) -> Vec<Finding> {
    let finding = |(topic, said): &(String, Option<Said>)| {
        let least = expected.min_battery_percent;
        match *said {
            None => Finding::warning(
                topic,
                "the robot did not say it",
                "without it, nobody notices when that changes",
            ),
            Some(Said::Remote { mode, is_taken_over: true }) => {
                let found = format!("somebody drives by remote control (mode {mode})");
                Finding::refused(topic, found, "set the remote control's switch to the computer's mode")
            }
            Some(Said::Remote { mode, .. }) => {
                Finding::ok(topic, format!("the remote control does not drive (mode {mode})"))
            }
            Some(Said::Battery { percent }) if percent.is_nan() || percent < least => Finding::refused(
                topic,
                format!("{percent:.0} %, at least {least:.0} % is needed"),
                "charge the robot",
            ),
            Some(Said::Battery { percent }) => Finding::ok(topic, format!("{percent:.0} %")),
            Some(Said::Faults { code: Some(code) }) => {
                Finding::refused(topic, format!("fault {code}"), "clear it as the robot's manual says")
            }
            Some(Said::Faults { code: None }) => Finding::ok(topic, "no fault"),
        }
    };
    dry_run.said.iter().map(finding).collect()
}

/// Whether somebody takes what would be sent.
fn listener(output: &SetpointOutput, key: &str, heard: &Heard) -> Finding {
    let listeners = heard.presence.listeners(key);
    let mut adapted = output.clone();
    if let Err(error) = adapted.adapt(&listeners.messages) {
        return Finding::refused(key, error, "let only receivers of one type listen there");
    }
    match listeners.count {
        0 if heard.presence.says_anything() => Finding::warning(
            key,
            format!("nobody listens; `{}` would not move", output.group),
            "start the controller of this group, and let the bridge carry its topic",
        ),
        0 => Finding::warning(
            key,
            "nobody says who listens",
            "zenoh-bridge-ros2dds and rmw_zenoh tell who does",
        ),
        count => Finding::ok(key, format!("{count} listening for {}", adapted.message())),
    }
}

/// What a base needs besides commands: a computer's mode, somebody who listens to its speed (a run does, if it can), and
/// a limit of acceleration that is not zero.
fn gates(base: &Base<'_>, heard: &Heard, dry_run: &DryRun, expected: &Expected<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mode = dry_run.said.iter().find(|(topic, _)| Some(topic.as_str()) == base.remote);
    if let (Some(remote), Some((_, None)) | None) = (base.remote, mode) {
        findings.push(Finding::warning(
            "base: mode",
            format!("{remote} did not say who drives"),
            "the base moves only in the computer's mode: look at the remote control",
        ));
    }
    let speed = heard.streams.iter().find(|stream| stream.name == format!("feedback.{}", base.group));
    findings.push(match speed {
        Some(stream) if stream.report.received > 0 => {
            Finding::ok("base: speed", format!("{} is listened to", stream.keys.join(" ")))
        }
        Some(stream) => Finding::warning(
            "base: speed",
            format!("nothing on {}", stream.keys.join(" ")),
            "the base moves only while somebody is told its speed",
        ),
        None => Finding::warning(
            "base: speed",
            "the robot description names no feedback of the base",
            "a base that moves only while somebody listens to its speed would not move",
        ),
    });
    let limit =
        expected.outputs.iter().find(|(output, _)| output.group == base.group && !output.is_command());
    if let Some((_, key)) = limit {
        findings.push(Finding::ok(
            "base: acceleration",
            format!("the limit is sent on {key} with every command"),
        ));
    }
    findings
}

fn motion(dry_run: &DryRun) -> Finding {
    let subject = "motion";
    if let Some(refusal) = &dry_run.refusal {
        return Finding::refused(
            subject,
            refusal,
            "move the robot near the start posture, or set `setpoints.start = \"here\"`",
        );
    }
    match &dry_run.reason {
        _ if dry_run.is_begun => Finding::ok(subject, "the safety core would let the robot begin"),
        Some(reason) => Finding::refused(
            subject,
            format!("{}: {reason}", dry_run.state.name()),
            "look at the lines above",
        ),
        None => Finding::refused(
            subject,
            dry_run.state.name(),
            "look at the lines above, or look for longer (--seconds)",
        ),
    }
}
