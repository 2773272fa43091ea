//! From episodes to a report: as JSON and as a table. Pure.

use super::episode::{Episode, MotionAccount, Timing};
use super::statistics::{quantile, wilson_95};
use super::verdict::is_success;
use super::{EvalOptions, Mode};
use crate::config::Config;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Version of the report's layout.
const FORMAT: u32 = 1;

/// A whole evaluation.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Version of this layout.
    pub format: u32,
    /// The bundle.
    pub bundle_id: String,
    /// Whose time the robot lived by.
    pub mode: Mode,
    /// Whether every episode was run, rather than those before an error or an interruption.
    pub is_complete: bool,
    /// Which scenes, the same for every task.
    pub seeds: Vec<u64>,
    /// Longest that the policy drove, seconds of the robot's time.
    pub max_seconds: f64,
    /// How long success had to last.
    pub hold_s: f64,
    /// By the thing that has to end well.
    pub tasks: BTreeMap<String, TaskReport>,
    /// All tasks together.
    pub all: Account,
    /// One by one.
    pub episodes: Vec<Episode>,
    /// The whole configuration.
    pub config: Config,
}

/// A task's episodes.
#[derive(Clone, Debug, Serialize)]
pub struct TaskReport {
    /// What the policy is told.
    pub words: String,
    /// How they went.
    #[serde(flatten)]
    pub account: Account,
}

/// How episodes went.
#[derive(Clone, Debug, Serialize)]
pub struct Account {
    /// How many.
    pub episode_count: usize,
    /// How many succeeded.
    pub success_count: usize,
    /// Their share.
    pub success_rate: f64,
    /// Its 95 % confidence interval (Wilson).
    pub wilson_95: [f64; 2],
    /// Of those that succeeded, when success began.
    pub seconds_to_success: Option<Quantiles>,
    /// Episodes that did another task than the one they were told.
    pub other_task_count: usize,
    /// Why the others failed.
    pub causes: BTreeMap<&'static str, usize>,
    /// How the robot moved.
    #[serde(flatten)]
    pub motion: MotionAccount,
    /// How long things took, where there was a clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timing: Option<TimingAccount>,
}

/// How long things took.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TimingAccount {
    /// From an observation to its chunk's publication: the median of the episodes' medians.
    pub latency_p50_ms: f64,
    /// The longest of all.
    pub latency_max_ms: f64,
    /// How long the robot stood for want of chunks, all episodes.
    pub idle_ms: f64,
    /// What became of chunks.
    pub chunk_ends: BTreeMap<&'static str, u64>,
    /// Control ticks that were late or left out.
    pub late_tick_count: u64,
}

impl TimingAccount {
    fn of<'a>(timings: impl Iterator<Item = &'a Timing>) -> Option<Self> {
        let mut medians = Vec::new();
        let mut account = Self::default();
        for timing in timings {
            medians.push(timing.observation_to_publish.p50_ms);
            account.latency_max_ms = account.latency_max_ms.max(timing.observation_to_publish.max_ms);
            account.idle_ms += timing.idle_ms;
            account.late_tick_count += timing.late_tick_count;
            for (end, count) in &timing.chunk_ends {
                *account.chunk_ends.entry(end).or_default() += count;
            }
        }
        quantile(&medians, 0.5).map(|latency_p50_ms| Self { latency_p50_ms, ..account })
    }
}

/// Quantiles.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Quantiles {
    /// The median.
    pub p50: f64,
    /// Nine tenths are below.
    pub p90: f64,
}

impl Account {
    /// Of some episodes.
    #[must_use]
    pub fn of<'a>(episodes: impl Iterator<Item = &'a Episode> + Clone) -> Self {
        let (episode_count, success_count) =
            (episodes.clone().count(), episodes.clone().filter(|episode| episode.success).count());
        let times: Vec<f64> = episodes.clone().filter_map(|episode| episode.seconds_to_success).collect();
        let quantiles = quantile(&times, 0.5).zip(quantile(&times, 0.9));
        let mut account = Self {
            episode_count,
            success_count,
            success_rate: if episode_count == 0 { 0.0 } else { success_count as f64 / episode_count as f64 },
            wilson_95: wilson_95(success_count, episode_count),
            seconds_to_success: quantiles.map(|(p50, p90)| Quantiles { p50, p90 }),
            other_task_count: episodes.clone().filter(|episode| did_another(episode)).count(),
            causes: BTreeMap::new(),
            motion: MotionAccount::default(),
            timing: TimingAccount::of(episodes.clone().filter_map(|episode| episode.timing.as_ref())),
        };
        for episode in episodes {
            if let Some(cause) = episode.cause {
                *account.causes.entry(cause.name()).or_default() += 1;
            }
            account.motion.add(&episode.motion);
        }
        account
    }
}

/// Whether an episode ended as another task's success.
fn did_another(episode: &Episode) -> bool {
    let others = episode.items.keys().filter(|name| **name != episode.task);
    others.into_iter().any(|name| is_success(name, &episode.items))
}

impl Report {
    /// Of episodes.
    #[must_use]
    pub fn new(
        bundle_id: &str,
        options: &EvalOptions,
        config: &Config,
        words: &BTreeMap<String, String>,
        is_complete: bool,
        episodes: Vec<Episode>,
    ) -> Self {
        let of_task = |(task, words): (&String, &String)| {
            let account = Account::of(episodes.iter().filter(|episode| episode.task == *task));
            (task.clone(), TaskReport { words: words.clone(), account })
        };
        Self {
            format: FORMAT,
            bundle_id: bundle_id.to_owned(),
            mode: options.mode,
            is_complete,
            seeds: options.seeds.clone(),
            max_seconds: options.max_seconds,
            hold_s: options.hold_s,
            tasks: words.iter().map(of_task).collect(),
            all: Account::of(episodes.iter()),
            episodes,
            config: config.clone(),
        }
    }

    /// For people.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = format!(
            "{:<12} {:>9} {:>7} {:>15} {:>8} {:>8} {:>10} {:>11} {:>6} {:>6}\n",
            "task", "success", "rate", "95 %", "p50 s", "p90 s", "other task", "seam rad", "limits", "holds"
        );
        let mut accounts: Vec<(&str, &Account)> =
            self.tasks.iter().map(|(task, report)| (task.as_str(), &report.account)).collect();
        if accounts.len() > 1 {
            accounts.push(("all", &self.all));
        }
        for (name, account) in &accounts {
            let time = |which: fn(&Quantiles) -> f64| {
                account
                    .seconds_to_success
                    .as_ref()
                    .map_or("-".to_owned(), |times| format!("{:.1}", which(times)))
            };
            let [low, high] = account.wilson_95.map(|share| 100.0 * share);
            let [largest, median] = arm_seam(account);
            // Writing to a string does not fail.
            let _ = writeln!(
                text,
                "{name:<12} {:>9} {:>6.1}% {:>15} {:>8} {:>8} {:>10} {:>11} {:>6} {:>6}",
                format!("{}/{}", account.success_count, account.episode_count),
                100.0 * account.success_rate,
                format!("{low:.1}-{high:.1} %"),
                time(|times| times.p50),
                time(|times| times.p90),
                account.other_task_count,
                format!("{largest:.3}/{median:.3}"),
                account
                    .motion
                    .limit_hits
                    .values()
                    .map(|hits| hits.position + hits.velocity + hits.acceleration + hits.lead)
                    .sum::<u64>(),
                account.motion.holds.values().sum::<usize>(),
            );
        }
        for (name, timing) in
            accounts.iter().filter_map(|(name, account)| Some((name, account.timing.as_ref()?)))
        {
            let _ = writeln!(
                text,
                "{name}: latency p50 {:.0} ms, most {:.0} ms; {:.1} s without a chunk; {} late ticks",
                timing.latency_p50_ms,
                timing.latency_max_ms,
                timing.idle_ms * 1e-3,
                timing.late_tick_count
            );
        }
        for (name, account) in &accounts {
            if !account.causes.is_empty() {
                let causes: Vec<String> =
                    account.causes.iter().map(|(cause, count)| format!("{cause} {count}")).collect();
                let _ = writeln!(text, "{name}: failed by {}", causes.join(", "));
            }
        }
        text
    }
}

/// The largest and the median jump that was left of chunks' contradictions, of whichever arm has more.
fn arm_seam(account: &Account) -> [f64; 2] {
    let summary = account.motion.seams.summary();
    let arms = summary.iter().filter(|(group, _)| group.ends_with("arm"));
    arms.fold([0.0, 0.0], |[largest, median]: [f64; 2], (_, seam)| {
        [largest.max(seam.largest_executed), median.max(seam.median_executed)]
    })
}
