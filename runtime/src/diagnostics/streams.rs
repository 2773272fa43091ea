//! How cameras, feedback and the robot's own status are doing.

use super::part::{Level, Part};
use super::seen::{Facts, Seen, stream_counts};
use super::window::Window;
use crate::clock::{self, Moment};
use crate::status::Said;
use crate::telemetry::StreamReport;

/// Charge above the least from which on the battery is spoken of, percent.
const BATTERY_MARGIN: f64 = 10.0;

/// A part for each stream that has to come regularly.
pub(super) fn inputs(facts: &Facts, seen: &Seen, window: &Window) -> Vec<Part> {
    let part = |(stream, report): (&String, &StreamReport)| {
        let (kind, name) = stream.split_once('.')?;
        let max_age_ns = match kind {
            "camera" => facts.max_frame_age_ns,
            "feedback" => facts.max_feedback_age_ns,
            _ => return None,
        };
        Some(input(format!("sinew/{kind}/{name}"), stream, report, max_age_ns, window))
    };
    seen.summary.streams.iter().filter_map(part).collect()
}

fn input(name: String, stream: &str, report: &StreamReport, max_age_ns: i64, window: &Window) -> Part {
    let faults = risen_faults(stream, report, window);
    let risen = faults.iter().map(|(_, count)| count).sum::<u64>();
    let part = match report.silent_ms {
        None => Part::new(name, Level::Stale, "nothing yet", "nothing has arrived yet"),
        Some(silent_ms) if silent_ms > clock::ms(max_age_ns) => {
            let seconds = silent_ms / 1e3;
            Part::new(name, Level::Stale, "silent", format!("nothing has arrived for {seconds:.1} s"))
        }
        Some(_) if risen > 0 => {
            let is_useless = risen >= window.rise(&format!("{stream}.received"));
            let (level, state) =
                if is_useless { (Level::Error, "unusable") } else { (Level::Warn, "damaged") };
            let kinds: Vec<&str> = faults.iter().map(|(kind, _)| *kind).collect();
            Part::new(name, level, state, describe_faults(&faults, window.seconds()))
                .with("reason", kinds.join(", "))
        }
        Some(_) => {
            let rate = window.rate_hz(&format!("{stream}.received"));
            let often = rate.map_or("arriving".to_owned(), |hz| format!("{hz:.1} a second"));
            Part::new(name, Level::Ok, "arriving", often)
        }
    };
    stream_values(part, stream, report, window)
}

fn describe_faults(faults: &[(&str, u64)], seconds: f64) -> String {
    let each: Vec<String> =
        faults.iter().map(|(kind, count)| format!("{count} {}", kind.replace('_', " "))).collect();
    format!("{} in the last {seconds:.0} s", each.join(", "))
}

/// What was wrong with messages of the last seconds.
fn risen_faults(stream: &str, report: &StreamReport, window: &Window) -> Vec<(&'static str, u64)> {
    let risen = report.unusable().map(|(fault, ..)| (fault, window.rise(&format!("{stream}.{fault}"))));
    risen.filter(|(_, count)| *count > 0).collect()
}

fn stream_values(part: Part, stream: &str, report: &StreamReport, window: &Window) -> Part {
    let rate = window.rate_hz(&format!("{stream}.received"));
    let messages = report.unusable().filter(|(_, _, message)| !message.is_empty());
    part.with_some("age_ms", report.silent_ms.map(|ms| format!("{ms:.1}")))
        .with_some("rate_hz", rate.map(|hz| format!("{hz:.1}")))
        .with_all(stream_counts(report).map(|(kind, count)| (kind.to_owned(), count.to_string())))
        .with_all(messages.map(|(fault, _, message)| (format!("newest_{fault}"), message.to_owned())))
}

/// A part for each thing that the robot says of itself.
pub(super) fn robot(facts: &Facts, seen: &Seen, window: &Window) -> Vec<Part> {
    let part = |((topic, stream), heard): (&(String, String), &Option<(Moment, Said)>)| {
        let name = format!("sinew/robot/{}", topic.trim_start_matches('/'));
        let part = match *heard {
            // Not every robot says everything.
            None => Part::new(name, Level::Ok, "nothing yet", "the robot has not said it"),
            Some((at, _)) if seen.now.ns_since(at) > facts.max_status_age_ns => {
                let seconds = seen.now.ns_since(at) as f64 * 1e-9;
                Part::new(name, Level::Stale, "silent", format!("nothing has arrived for {seconds:.1} s"))
            }
            Some((_, said)) => said_part(name, said, facts.min_battery_percent),
        };
        let nothing = StreamReport::default();
        let report = seen.summary.streams.get(stream).unwrap_or(&nothing);
        stream_values(part, stream, report, window)
    };
    facts.status_topics.iter().zip(&seen.status).map(part).collect()
}

fn said_part(name: String, said: Said, min_battery_percent: f64) -> Part {
    match said {
        Said::Remote { mode, is_taken_over: true } => {
            let message = format!("somebody drives by remote control (mode {mode})");
            Part::new(name, Level::Error, "taken over", message).with("mode", mode)
        }
        Said::Remote { mode, .. } => {
            let message = format!("the remote control does not drive (mode {mode})");
            Part::new(name, Level::Ok, "released", message).with("mode", mode)
        }
        Said::Battery { percent } => {
            let (level, state) = match percent {
                percent if percent.is_nan() || percent < min_battery_percent => (Level::Error, "empty"),
                percent if percent < min_battery_percent + BATTERY_MARGIN => (Level::Warn, "low"),
                _ => (Level::Ok, "charged"),
            };
            let message = format!("{percent:.0} %; the robot stops at {min_battery_percent:.0} %");
            Part::new(name, level, state, message).with("percent", percent)
        }
        Said::Faults { code: Some(code) } => {
            let message = format!("the robot reports fault {code}");
            Part::new(name, Level::Error, "fault", message).with("code", code)
        }
        Said::Faults { code: None } => Part::new(name, Level::Ok, "no fault", "the robot reports no fault"),
    }
}
