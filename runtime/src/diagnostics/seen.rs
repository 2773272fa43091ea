//! What diagnostics are made from.

use super::window::Counters;
use crate::clock::Moment;
use crate::config::{Config, ScheduleMode};
use crate::control::{MotionPlan, TickReport};
use crate::plan::Plan;
use crate::status::{Said, StatusTopic};
use crate::telemetry::{Progress, StreamReport, Summary};

/// What stays the same during a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// Name of the robot.
    pub robot: String,
    /// The bundle.
    pub bundle_id: String,
    /// Where the graphs run.
    pub provider: String,
    /// Names of the robot's joints, in its order.
    pub joints: Vec<String>,
    /// What the robot says of itself: each topic, and what telemetry calls it.
    pub status_topics: Vec<(String, String)>,
    /// Whether episodes are recorded.
    pub is_recording: bool,
    /// Whether the robot stands between chunks because it is to.
    pub stands_between_chunks: bool,
    /// Oldest that a camera's newest frame may be.
    pub max_frame_age_ns: i64,
    /// Oldest that feedback may be.
    pub max_feedback_age_ns: i64,
    /// Oldest that what the robot says of itself may be.
    pub max_status_age_ns: i64,
    /// Longest time without a new chunk.
    pub max_inference_age_ns: i64,
    /// Longest time between two control ticks.
    pub max_tick_gap_ns: i64,
    /// Least charge of the battery.
    pub min_battery_percent: f64,
}

impl Facts {
    /// Of a run.
    #[must_use]
    pub fn new(plan: &Plan, motion: Option<&MotionPlan>, config: &Config, provider: &str) -> Self {
        let ns = |ms: f64| (ms * 1e6) as i64;
        let safety = &config.safety;
        let topics = motion.iter().flat_map(|motion| &motion.status);
        let axes = motion.iter().flat_map(|motion| motion.joints.axes());
        Self {
            robot: plan.embodiment.name.clone(),
            bundle_id: plan.bundle.manifest.bundle_id.clone(),
            provider: provider.to_owned(),
            joints: axes.map(|axis| axis.name.clone()).collect(),
            status_topics: topics
                .map(|topic| (topic.topic().to_owned(), StatusTopic::stream(topic)))
                .collect(),
            is_recording: config.record.is_on(),
            stands_between_chunks: config.schedule.mode == ScheduleMode::Sync,
            max_frame_age_ns: config.sync.limits().max_age_ns,
            max_feedback_age_ns: ns(safety.max_feedback_age_ms),
            max_status_age_ns: ns(safety.max_status_age_ms),
            max_inference_age_ns: ns(safety.max_inference_age_ms),
            max_tick_gap_ns: ns(safety.max_tick_gap_ms),
            min_battery_percent: safety.min_battery_percent,
        }
    }
}

/// Who can be talked to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// Peers that are connected.
    pub peer_count: usize,
    /// Routers that are connected.
    pub router_count: usize,
    /// Where others can reach us.
    pub locators: Vec<String>,
}

/// Everything that is known at one moment.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The moment.
    pub now: Moment,
    /// What was counted.
    pub summary: Summary,
    /// How inference is getting on.
    pub progress: Progress,
    /// The control tick's newest report; nothing where nothing moves the robot.
    pub tick: Option<TickReport>,
    /// What each status topic last said, and when.
    pub status: Vec<Option<(Moment, Said)>>,
    /// Who can be talked to.
    pub network: Network,
}

impl Seen {
    /// What counts upwards, by name.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let summary = &self.summary;
        let mut counters = Counters::new();
        let mut put = |name: String, count: u64| {
            counters.insert(name, count);
        };
        for (stream, report) in &summary.streams {
            for (kind, count) in stream_counts(report) {
                put(format!("{stream}.{kind}"), count);
            }
        }
        for (outcome, count) in &summary.chunk_ends {
            put((*outcome).to_owned(), *count);
        }
        for (joint, hits) in self.tick.iter().flat_map(|tick| tick.limit_hits.iter().enumerate()) {
            put(format!("limit.{joint}"), hits.position + hits.lead);
        }
        put("chunks".to_owned(), summary.chunk_count);
        put("failed chunks".to_owned(), summary.failed_chunk_count);
        put("lost events".to_owned(), summary.lost_event_count);
        if let Some(ticks) = &summary.ticks {
            put("late ticks".to_owned(), ticks.late_count + ticks.missed_count);
        }
        if let Some(tick) = &self.tick {
            put("idle ms".to_owned(), u64::try_from(tick.idle_ns / 1_000_000).unwrap_or(0));
        }
        counters
    }
}

/// A stream's counters by name: what arrived, what of it was replaced by newer ones, how often it was lost, and every
/// fault that kept messages from being used.
pub(super) fn stream_counts(report: &StreamReport) -> impl Iterator<Item = (&'static str, u64)> {
    let StreamReport { received, shared, dropped, lost, .. } = *report;
    let counts = [("received", received), ("shared", shared), ("dropped", dropped), ("lost", lost)];
    counts.into_iter().chain(report.unusable().map(|(fault, count, _)| (fault, count)))
}
