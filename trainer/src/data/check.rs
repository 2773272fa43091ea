//! What is wrong with a dataset, episode by episode.

use crate::data::selection::{ACTION, STATE};
use serde::Serialize;
use sinew_dataset::{Dataset, Episode, Error, Rows};
use std::collections::{BTreeMap, BTreeSet};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The episode cannot be trained on as it is.
    Fault,
    /// Worth knowing.
    Note,
}

/// Something about a dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The episode it is about, if it is one.
    pub episode_index: Option<u64>,
    /// What was expected and what was found.
    pub message: String,
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Findings(pub Vec<Finding>);

impl Findings {
    /// How many are faults.
    #[must_use]
    pub fn fault_count(&self) -> usize {
        self.0.iter().filter(|finding| finding.severity == Severity::Fault).count()
    }

    /// The episodes that have a fault.
    #[must_use]
    pub fn faulty_episodes(&self) -> BTreeSet<u64> {
        let faults = self.0.iter().filter(|finding| finding.severity == Severity::Fault);
        faults.filter_map(|finding| finding.episode_index).collect()
    }

    fn fault(&mut self, episode_index: u64, message: impl ToString) {
        let message = message.to_string();
        self.0.push(Finding { severity: Severity::Fault, episode_index: Some(episode_index), message });
    }

    /// Adds something worth knowing about the whole set.
    pub fn note(&mut self, message: String) {
        self.0.push(Finding { severity: Severity::Note, episode_index: None, message });
    }
}

/// Smallest and largest value of each dimension so far.
type Range = Vec<(f32, f32)>;

/// Opens these episodes: are its files there, does it have the rows, times and tasks that the metadata says, are state
/// and action finite, has each camera a picture a row? With `decode`, every picture is decoded too. `on_episode` is
/// called after each.
#[must_use]
pub fn check(dataset: &Dataset, episodes: &[u64], decode: bool, mut on_episode: impl FnMut()) -> Findings {
    let mut findings = Findings::default();
    let mut ranges: BTreeMap<&str, Range> = BTreeMap::new();
    for episode_index in episodes.iter().copied() {
        match dataset.episode(episode_index) {
            Err(error) => findings.fault(episode_index, error),
            Ok(episode) => {
                for feature in [STATE, ACTION] {
                    match episode.column(feature) {
                        Err(error) => findings.fault(episode_index, error),
                        Ok(rows) => {
                            check_finite(dataset, feature, &rows, episode_index, &mut findings);
                            widen(ranges.entry(feature).or_default(), &rows);
                        }
                    }
                }
                check_videos(dataset, &episode, decode, &mut findings);
            }
        }
        on_episode();
    }
    for (feature, range) in ranges {
        let is_constant = |place: &usize| range[*place].0 == range[*place].1;
        let constant = (0..range.len()).filter(is_constant);
        let names: Vec<String> = constant.map(|place| dimension(dataset, feature, place)).collect();
        if !names.is_empty() {
            findings.note(format!("{feature}: always the same: {}", names.join(", ")));
        }
    }
    findings
}

fn check_finite(dataset: &Dataset, feature: &str, rows: &Rows, episode_index: u64, findings: &mut Findings) {
    let mut first = None;
    let mut count = 0;
    for (place, value) in rows.values().iter().enumerate().filter(|(_, value)| !value.is_finite()) {
        first.get_or_insert((place, *value));
        count += 1;
    }
    if let Some((place, value)) = first {
        let (row, dimension) = (place / rows.width(), dimension(dataset, feature, place % rows.width()));
        findings.fault(
            episode_index,
            format!(
                "episode {episode_index}: {count} numbers of {feature} are not finite, the first is {value} in row {row}, \
                 `{dimension}`"
            ),
        );
    }
}

fn check_videos(dataset: &Dataset, episode: &Episode, decode: bool, findings: &mut Findings) {
    let episode_index = episode.episode_index();
    for camera in dataset.cameras() {
        let reader = match episode.frames(&camera.name) {
            Ok(reader) => reader,
            Err(error) => {
                findings.fault(episode_index, format!("{}: {error}", camera.name));
                continue;
            }
        };
        let surplus = reader.video_info().surplus_picture_count.unwrap_or(0);
        if surplus > 0 {
            findings.fault(
                episode_index,
                format!(
                    "episode {episode_index}: {}: {} pictures for {} rows",
                    camera.name,
                    episode.row_count() as u64 + surplus,
                    episode.row_count()
                ),
            );
        }
        if decode {
            let error: Option<Error> = reader.filter_map(Result::err).next();
            error
                .into_iter()
                .for_each(|error| findings.fault(episode_index, format!("{}: {error}", camera.name)));
        }
    }
}

fn widen(range: &mut Range, rows: &Rows) {
    range.resize(rows.width(), (f32::INFINITY, f32::NEG_INFINITY));
    for row in rows {
        for ((low, high), value) in range.iter_mut().zip(row) {
            (*low, *high) = (low.min(*value), high.max(*value));
        }
    }
}

/// A dimension's name, or its place.
fn dimension(dataset: &Dataset, feature: &str, place: usize) -> String {
    let names = dataset.feature(feature).and_then(|feature| feature.names.as_ref());
    names.and_then(|names| names.get(place)).cloned().unwrap_or_else(|| place.to_string())
}
