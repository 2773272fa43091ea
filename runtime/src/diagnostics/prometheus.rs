//! The page for Prometheus: its text format, version 0.0.4. Pure.

use super::part::Part;
use super::seen::{Facts, Seen, stream_counts};
use crate::safety::{LimitHits, State};
use crate::status::Said;
use crate::telemetry::Percentiles;
use std::fmt::Write;

/// A page of metrics, family by family.
#[derive(Default)]
struct Page {
    text: String,
}

type Labels<'a> = &'a [(&'a str, &'a str)];

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: Labels<'_>, value: f64) {
        self.text.push_str(name);
        for (index, (label, value)) in labels.iter().enumerate() {
            let start = if index == 0 { '{' } else { ',' };
            let _ = write!(self.text, "{start}{label}=\"{}\"", escape(value));
        }
        let end = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.text, "{end} {}", number(value));
    }

    fn single(&mut self, name: &str, kind: &str, help: &str, value: f64) {
        self.family(name, kind, help);
        self.sample(name, &[], value);
    }

    /// A family of one label, each value once.
    fn each<L: AsRef<str>>(
        &mut self,
        (name, kind, help): (&str, &str, &str),
        label: &str,
        values: impl IntoIterator<Item = (L, f64)>,
    ) {
        self.family(name, kind, help);
        for (what, value) in values {
            self.sample(name, &[(label, what.as_ref())], value);
        }
    }

    /// One series of a summary.
    fn summary(&mut self, name: &str, labels: Labels<'_>, times: &Percentiles) {
        for (quantile, ms) in [("0.5", times.p50_ms), ("0.9", times.p90_ms), ("0.99", times.p99_ms)] {
            let labels = [labels, &[("quantile", quantile)]].concat();
            self.sample(name, &labels, ms / 1e3);
        }
        self.sample(&format!("{name}_sum"), labels, times.mean_ms * times.count as f64 / 1e3);
        self.sample(&format!("{name}_count"), labels, times.count as f64);
    }
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn number(value: f64) -> String {
    match value {
        value if value.is_nan() => "NaN".to_owned(),
        value if value == f64::INFINITY => "+Inf".to_owned(),
        value if value == f64::NEG_INFINITY => "-Inf".to_owned(),
        value => value.to_string(),
    }
}

/// What Prometheus reads. Times are in seconds.
#[must_use]
pub fn page(facts: &Facts, seen: &Seen, parts: &[Part]) -> String {
    let mut page = Page::default();
    let labels = [
        ("version", env!("CARGO_PKG_VERSION")),
        ("robot", &facts.robot),
        ("bundle_id", &facts.bundle_id),
        ("execution_provider", &facts.provider),
    ];
    page.family("sinew_info", "gauge", "What runs.");
    page.sample("sinew_info", &labels, 1.0);
    let seconds = seen.summary.seconds;
    page.single("sinew_run_seconds", "gauge", "How long the run has taken so far.", seconds);
    let levels = parts.iter().map(|part| (&part.name, f64::from(part.level.to_wire())));
    let help = "How each part is doing: 0 ok, 1 warn, 2 error, 3 stale.";
    page.each(("sinew_level", "gauge", help), "part", levels);
    streams(&mut page, seen);
    inference(&mut page, seen);
    motion(&mut page, facts, seen);
    robot(&mut page, facts, seen);
    let peers = seen.network.peer_count as f64;
    page.single("sinew_zenoh_peers", "gauge", "Zenoh peers that are connected.", peers);
    let routers = seen.network.router_count as f64;
    page.single("sinew_zenoh_routers", "gauge", "Zenoh routers that are connected.", routers);
    let lost = seen.summary.lost_event_count as f64;
    page.single("sinew_lost_events_total", "counter", "Events that nobody read in time.", lost);
    page.text
}

fn streams(page: &mut Page, seen: &Seen) {
    let name = "sinew_stream_messages_total";
    let help = "Messages of each stream: received, shared, dropped for newer ones; how often it was lost; and what was \
                not used, by fault.";
    page.family(name, "counter", help);
    for (stream, report) in &seen.summary.streams {
        for (kind, count) in stream_counts(report) {
            page.sample(name, &[("stream", stream), ("kind", kind)], count as f64);
        }
    }
    let ages = seen
        .summary
        .streams
        .iter()
        .filter_map(|(stream, report)| report.silent_ms.map(|ms| (stream, ms / 1e3)));
    let help = "Time since each stream's newest message.";
    page.each(("sinew_stream_age_seconds", "gauge", help), "stream", ages);
}

fn inference(page: &mut Page, seen: &Seen) {
    let summary = &seen.summary;
    let chunks = [
        ("published", summary.chunk_count),
        ("failed", summary.failed_chunk_count),
        ("clamped", summary.clamped_chunk_count),
        ("expired", summary.expired_chunk_count),
    ];
    let chunks = chunks.map(|(kind, count)| (kind, count as f64));
    let help = "Chunks published; of these clamped at a limit or over already; and those that failed.";
    page.each(("sinew_chunks_total", "counter", help), "kind", chunks);
    let ends = summary.chunk_ends.iter().map(|(end, count)| (*end, *count as f64));
    let help = "What became of chunks at the control tick.";
    page.each(("sinew_chunk_ends_total", "counter", help), "outcome", ends);
    let waits = summary.not_ready.iter().map(|(reason, count)| (*reason, *count as f64));
    let help = "How often inference had to wait.";
    page.each(("sinew_waits_total", "counter", help), "reason", waits);
    let latencies = [
        ("sinew_observation_to_publish_seconds", "a frame's capture", &summary.observation_to_publish),
        ("sinew_receive_to_publish_seconds", "a frame's arrival", &summary.receive_to_publish),
    ];
    for (name, from, times) in latencies {
        page.family(name, "summary", &format!("From {from} to its chunk's publication."));
        page.summary(name, &[], times);
    }
    let name = "sinew_stage_seconds";
    page.family(name, "summary", "How long each stage of an inference takes.");
    for (stage, times) in &summary.stages {
        page.summary(name, &[("stage", stage)], times);
    }
}

fn motion(page: &mut Page, facts: &Facts, seen: &Seen) {
    let Some(tick) = &seen.tick else { return };
    let allowed = &tick.allowed;
    let states = State::ALL.map(|state| (state.name(), f64::from(u8::from(state == allowed.state))));
    page.each(("sinew_state", "gauge", "1 for the state that the robot is in."), "state", states);
    let reason = allowed.reason.map(|reason| (reason, 1.0));
    page.each(("sinew_reason", "gauge", "1 for why the robot does not move."), "reason", reason);
    let idle = tick.idle_ns as f64 * 1e-9;
    page.single("sinew_idle_seconds_total", "counter", "How long the robot stood for want of chunks.", idle);
    let name = "sinew_limit_ticks_total";
    page.family(name, "counter", "Ticks in which a limit kept a joint from what was wanted.");
    for (joint, hits) in facts.joints.iter().zip(&tick.limit_hits) {
        let LimitHits { position, velocity, acceleration, lead } = *hits;
        let kinds =
            [("position", position), ("velocity", velocity), ("acceleration", acceleration), ("lead", lead)];
        for (kind, count) in kinds.into_iter().filter(|(_, count)| *count > 0) {
            page.sample(name, &[("joint", joint), ("limit", kind)], count as f64);
        }
    }
    let name = "sinew_seam_largest";
    page.family(name, "gauge", "Largest jump between two chunks, in each group's unit.");
    for (group, offered, executed) in tick.largest_seam.jumps() {
        page.sample(name, &[("group", group), ("when", "offered")], offered);
        page.sample(name, &[("group", group), ("when", "executed")], executed);
    }
    let listeners = tick.listeners.iter().flat_map(|listeners| listeners.iter());
    let listeners = listeners.map(|(key, who)| (key, who.count as f64));
    page.each(("sinew_listeners", "gauge", "Who listens to each set-point."), "key", listeners);
    let Some(ticks) = seen.summary.ticks else { return };
    let name = "sinew_tick_lateness_seconds";
    page.family(name, "summary", "How long after their time control ticks begin.");
    page.summary(name, &[], &ticks.lateness);
    let worst = ticks.lateness.max_ms / 1e3;
    page.single("sinew_tick_lateness_max_seconds", "gauge", "The latest control tick so far.", worst);
    let late = [("late", ticks.late_count), ("missed", ticks.missed_count)];
    let help = "Control ticks more than 5 ms late, and those that never took place.";
    let late = late.map(|(kind, count)| (kind, count as f64));
    page.each(("sinew_bad_ticks_total", "counter", help), "kind", late);
}

fn robot(page: &mut Page, facts: &Facts, seen: &Seen) {
    let said = facts.status_topics.iter().zip(&seen.status);
    let said: Vec<_> =
        said.filter_map(|((topic, _), heard)| heard.map(|(_, said)| (topic.as_str(), said))).collect();
    let percent = said.iter().filter_map(|(topic, said)| match said {
        Said::Battery { percent } => Some((*topic, *percent)),
        Said::Remote { .. } | Said::Faults { .. } => None,
    });
    page.each(("sinew_battery_percent", "gauge", "Charge of the battery."), "topic", percent);
    let faults = said.iter().filter_map(|(topic, said)| match said {
        Said::Faults { code } => Some((*topic, f64::from(code.unwrap_or(0)))),
        Said::Remote { .. } | Said::Battery { .. } => None,
    });
    page.each(
        ("sinew_fault_code", "gauge", "What is wrong, as the robot numbers it; 0: nothing."),
        "topic",
        faults,
    );
}
