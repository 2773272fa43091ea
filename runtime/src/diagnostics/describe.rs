//! From what is known to how each part is doing. Pure: the time is in [`Seen`].

use super::part::{Level, Part, ms};
use super::seen::{Facts, Seen};
use super::streams;
use super::window::Window;
use crate::control::TickReport;
use crate::safety::{LimitHits, State};
use crate::telemetry::{Percentiles, RecordingState, RecordingTotals, SeamReport, Summary};

/// How long a reason for waiting is believed.
const WAITING_NS: i64 = 1_500_000_000;
/// Time without steps in the last seconds from which on it is spoken of, milliseconds.
const IDLE_MS: u64 = 100;
/// What becomes of chunks that should not have come so.
const BAD_ENDS: [&str; 4] =
    ["dropped: out of order", "dropped: expired", "dropped: not finite", "dropped: wrong shape"];

/// Every part, the whole first.
#[must_use]
pub fn describe(facts: &Facts, seen: &Seen, window: &Window) -> Vec<Part> {
    let mut parts = vec![run(facts, seen, window)];
    match &seen.tick {
        Some(tick) => {
            parts.push(motion(tick, seen));
            parts.push(control(facts, seen, tick, window));
            parts.push(schedule(facts, seen, tick, window));
            parts.push(limits(facts, tick, window));
            parts.push(outputs(tick));
        }
        None => parts.push(Part::new(
            "sinew/motion",
            Level::Ok,
            "off",
            "set-points are not published: nothing moves the robot",
        )),
    }
    parts.push(inference(facts, seen, window));
    parts.extend(streams::inputs(facts, seen, window));
    parts.extend(streams::robot(facts, seen, window));
    parts.push(network(seen));
    parts.extend(facts.is_recording.then(|| recording(seen)));
    parts.insert(0, whole(&parts));
    parts
}

/// The worst of all parts.
fn whole(parts: &[Part]) -> Part {
    let bad: Vec<&Part> = parts.iter().filter(|part| part.level != Level::Ok).collect();
    let state = parts.iter().find(|part| part.name == "sinew/motion").and_then(|part| part.value("state"));
    let worst = bad.iter().max_by_key(|part| part.level);
    let (level, message) = match worst {
        None => (Level::Ok, "everything is as it should be".to_owned()),
        Some(worst) => {
            let others = match bad.len() - 1 {
                0 => String::new(),
                1 => "; one more part needs a look".to_owned(),
                count => format!("; {count} more parts need a look"),
            };
            (worst.level, format!("{}: {}{others}", worst.name, worst.message))
        }
    };
    Part::new("sinew", level, state.unwrap_or_default(), message).with_all(
        [("parts", parts.len()), ("not_ok", bad.len())]
            .map(|(key, count)| (key.to_owned(), count.to_string())),
    )
}

fn run(facts: &Facts, seen: &Seen, window: &Window) -> Part {
    let lost = window.rise("lost events");
    let (level, state, message) = if lost > 0 {
        let message = format!("{lost} events were lost: standard output is not read in time");
        (Level::Warn, "losing events", message)
    } else {
        let told =
            seen.progress.instruction.as_deref().map_or("nothing yet".to_owned(), |t| format!("`{t}`"));
        (Level::Ok, "on", format!("the policy is told: {told}"))
    };
    Part::new("sinew/run", level, state, message)
        .with("bundle_id", &facts.bundle_id)
        .with("execution_provider", &facts.provider)
        .with("version", env!("CARGO_PKG_VERSION"))
        .with("instruction", seen.progress.instruction.as_deref().unwrap_or_default())
        .with("seconds", format!("{:.1}", seen.summary.seconds))
        .with("lost_events", seen.summary.lost_event_count)
}

fn motion(tick: &TickReport, seen: &Seen) -> Part {
    let allowed = &tick.allowed;
    let level = match allowed.state {
        State::Ready | State::Running => Level::Ok,
        State::Waiting | State::Holding => Level::Warn,
        State::Stopped => Level::Error,
    };
    let state = allowed.state.name();
    let message = match (&allowed.message, allowed.state) {
        (Some(message), _) => format!("{state}: {message}"),
        (None, State::Running) => format!("{state}: {}", tick.activity),
        (None, _) => state.to_owned(),
    };
    let since_ns = tick.at.map(|_| seen.now.ns_since(allowed.since));
    Part::new("sinew/motion", level, state, message)
        .with_some("reason", allowed.reason)
        .with("activity", tick.activity)
        .with_some("since_s", since_ns.map(|ns| format!("{:.1}", ns as f64 * 1e-9)))
}

fn control(facts: &Facts, seen: &Seen, tick: &TickReport, window: &Window) -> Part {
    let name = "sinew/control";
    let (Some(at), Some(ticks)) = (tick.at, seen.summary.ticks) else {
        return Part::new(name, Level::Stale, "nothing yet", "the control tick has not begun");
    };
    let age_ns = seen.now.ns_since(at);
    let late = window.rise("late ticks");
    let part = if age_ns > facts.max_tick_gap_ns.max(WAITING_NS / 3) {
        let message = format!("the control tick hangs: the last was {:.1} s ago", age_ns as f64 * 1e-9);
        Part::new(name, Level::Error, "hangs", message)
    } else if late > 0 {
        let message = format!("{late} ticks came late in the last {:.0} s", window.seconds());
        Part::new(name, Level::Warn, "late", message)
    } else {
        let message = format!("99 of 100 ticks begin within {:.2} ms of their time", ticks.lateness.p99_ms);
        Part::new(name, Level::Ok, "on time", message)
    };
    part.with("age_ms", ms(age_ns))
        .with("ticks", ticks.lateness.count)
        .with("late_ticks", ticks.late_count)
        .with("missed_ticks", ticks.missed_count)
        .with("newest_lateness_ms", format!("{:.3}", ticks.newest_ms))
        .with_all(times("lateness", &ticks.lateness))
        .with("lateness_max_ms", format!("{:.3}", ticks.lateness.max_ms))
}

fn schedule(facts: &Facts, seen: &Seen, tick: &TickReport, window: &Window) -> Part {
    let name = "sinew/schedule";
    let idle_ms = window.rise("idle ms");
    let bad = BAD_ENDS.iter().map(|end| (*end, window.rise(end))).filter(|(_, count)| *count > 0);
    let bad: Vec<String> = bad.map(|(end, count)| format!("{count} chunks {end}")).collect();
    let seconds = window.seconds();
    let part = if !bad.is_empty() {
        let message = format!("{} in the last {seconds:.0} s", bad.join(", "));
        Part::new(name, Level::Warn, "dropping", message)
    } else if idle_ms >= IDLE_MS && !facts.stands_between_chunks {
        let message = format!("the robot stood for want of chunks: {idle_ms} ms of the last {seconds:.0} s");
        Part::new(name, Level::Warn, "starving", message)
    } else {
        Part::new(name, Level::Ok, "playing", "every chunk is accounted for")
    };
    let ends = seen.summary.chunk_ends.iter();
    let part = part
        .with("idle_ms", ms(tick.idle_ns))
        .with_all(
            ends.map(|(end, count)| (end.replace([':', ' '], "_").replace("__", "_"), count.to_string())),
        )
        .with_some("latency_ms", tick.merged.as_ref().map(|merged| format!("{:.1}", merged.latency_ms)));
    let seams = |when: &'static str, seam: &SeamReport| -> Vec<(String, String)> {
        let jumps = seam.jumps().flat_map(|(group, offered, executed)| {
            [("offered", offered), ("executed", executed)]
                .map(|(what, jump)| (format!("{when}_seam_{what}.{group}"), format!("{jump:.4}")))
        });
        jumps.collect()
    };
    part.with_all(tick.merged.iter().flat_map(|merged| seams("newest", &merged.seam)))
        .with_all(seams("largest", &tick.largest_seam))
}

fn limits(facts: &Facts, tick: &TickReport, window: &Window) -> Part {
    let name = "sinew/limits";
    let hit = facts.joints.iter().zip(&tick.limit_hits).enumerate();
    let hit: Vec<_> = hit.filter(|(_, (_, hits))| **hits != LimitHits::default()).collect();
    let is_held = |joint: usize| window.rise(&format!("limit.{joint}")) > 0;
    let held: Vec<&str> =
        hit.iter().filter(|(joint, _)| is_held(*joint)).map(|(_, (name, _))| name.as_str()).collect();
    let part = if held.is_empty() {
        let message = match hit.len() {
            0 => "no limit was reached".to_owned(),
            count => format!("{count} joints were slowed down by their limits so far"),
        };
        Part::new(name, Level::Ok, "inside", message)
    } else {
        let message = format!("kept at limits of position or lead: {}", held.join(", "));
        Part::new(name, Level::Warn, "at limits", message)
    };
    part.with_all(hit.iter().flat_map(|(_, (joint, hits))| {
        let LimitHits { position, velocity, acceleration, lead } = **hits;
        let kinds =
            [("position", position), ("velocity", velocity), ("acceleration", acceleration), ("lead", lead)];
        let kinds = kinds.into_iter().filter(|(_, count)| *count > 0);
        kinds.map(|(kind, count)| (format!("{joint}.{kind}"), count.to_string())).collect::<Vec<_>>()
    }))
}

fn outputs(tick: &TickReport) -> Part {
    let name = "sinew/outputs";
    let Some(listeners) = &tick.listeners else {
        let message = "nobody says who listens: no bridge to ROS 2 was seen";
        return Part::new(name, Level::Ok, "unknown", message);
    };
    let alone: Vec<&str> =
        listeners.iter().filter(|(_, who)| who.count == 0).map(|(key, _)| key.as_str()).collect();
    let part = if alone.is_empty() {
        Part::new(name, Level::Ok, "heard", "somebody listens to every set-point")
    } else {
        Part::new(name, Level::Warn, "unheard", format!("nobody listens to {}", alone.join(", ")))
    };
    part.with_all(listeners.iter().map(|(key, who)| {
        let types =
            if who.messages.is_empty() { String::new() } else { format!(": {}", who.messages.join(", ")) };
        (format!("listeners.{key}"), format!("{}{types}", who.count))
    }))
}

fn inference(facts: &Facts, seen: &Seen, window: &Window) -> Part {
    let (progress, failed) = (&seen.progress, window.rise("failed chunks"));
    let chunk_age_ns = progress.chunk_at.map(|at| seen.now.ns_since(at));
    let waits_for = progress.waited.as_ref().filter(|(at, _)| {
        seen.now.ns_since(*at) < WAITING_NS && progress.chunk_at.is_none_or(|chunk_at| chunk_at < *at)
    });
    // A robot that holds needs no chunks.
    let is_needed = seen.tick.as_ref().is_none_or(|tick| tick.activity == "policy");
    let name = "sinew/inference";
    let part = match (chunk_age_ns, waits_for) {
        _ if failed > 0 => {
            let message =
                format!("{failed} chunks could not be published in the last {:.0} s", window.seconds());
            Part::new(name, Level::Error, "failing", message)
        }
        (_, Some((_, reason))) => {
            Part::new(name, Level::Warn, "waiting", reason.to_string()).with("reason", reason.kind())
        }
        (None, None) => Part::new(name, Level::Warn, "starting", "no chunk yet"),
        (Some(age_ns), None) if age_ns > facts.max_inference_age_ns && is_needed => {
            let message = format!("no chunk for {:.1} s", age_ns as f64 * 1e-9);
            Part::new(name, Level::Stale, "silent", message)
        }
        (Some(_), None) => {
            let rate = window.rate_hz("chunks").unwrap_or(0.0);
            Part::new(name, Level::Ok, "running", format!("{rate:.1} chunks a second"))
        }
    };
    let summary = &seen.summary;
    let waits =
        summary.not_ready.iter().map(|(kind, count)| (format!("not_ready.{kind}"), count.to_string()));
    part.with_some("age_ms", chunk_age_ns.map(ms))
        .with_some("rate_hz", window.rate_hz("chunks").map(|hz| format!("{hz:.2}")))
        .with_all(chunk_counts(summary))
        .with_all(times("observation_to_publish", &summary.observation_to_publish))
        .with_all(times("receive_to_publish", &summary.receive_to_publish))
        .with_all(summary.stages.iter().flat_map(|(stage, stage_times)| times(stage, stage_times)))
        .with_all(waits)
}

fn chunk_counts(summary: &Summary) -> [(String, String); 4] {
    [
        ("chunks", summary.chunk_count),
        ("failed_chunks", summary.failed_chunk_count),
        ("clamped_chunks", summary.clamped_chunk_count),
        ("expired_chunks", summary.expired_chunk_count),
    ]
    .map(|(key, count)| (key.to_owned(), count.to_string()))
}

/// Half, and ninety-nine in a hundred, are at most so long.
fn times(what: &str, times: &Percentiles) -> [(String, String); 2] {
    [("p50", times.p50_ms), ("p99", times.p99_ms)]
        .map(|(share, ms)| (format!("{what}_{share}_ms"), format!("{ms:.3}")))
}

fn recording(seen: &Seen) -> Part {
    let newest = seen.progress.recording.as_ref();
    let path = newest.and_then(|report| report.path.as_ref()).map(|path| path.display().to_string());
    let (level, state, message) = match newest.map(|report| report.state) {
        Some(RecordingState::Failed) => {
            let message = newest.and_then(|report| report.message.clone()).unwrap_or_default();
            (Level::Error, "failed", format!("recording stopped: {message}"))
        }
        Some(RecordingState::Behind) => {
            (Level::Warn, "behind", newest.and_then(|report| report.message.clone()).unwrap_or_default())
        }
        Some(RecordingState::Started) => {
            (Level::Ok, "recording", format!("recording {}", path.as_deref().unwrap_or_default()))
        }
        _ => (Level::Ok, "between episodes", "no episode is being recorded".to_owned()),
    };
    let RecordingTotals { episode_count, message_count, payload_bytes, failure_count } =
        seen.summary.recording;
    let counts = [
        ("episodes", episode_count),
        ("messages", message_count),
        ("payload_bytes", payload_bytes),
        ("failures", failure_count),
    ];
    Part::new("sinew/recording", level, state, message)
        .with_some("path", path)
        .with_all(counts.map(|(key, count)| (key.to_owned(), count.to_string())))
}

fn network(seen: &Seen) -> Part {
    let network = &seen.network;
    let part = if network.peer_count + network.router_count == 0 {
        Part::new("sinew/network", Level::Error, "alone", "no zenoh peer or router is connected")
    } else {
        Part::new("sinew/network", Level::Ok, "connected", "others are connected")
    };
    part.with("peers", network.peer_count)
        .with("routers", network.router_count)
        .with("locators", network.locators.join(" "))
}
