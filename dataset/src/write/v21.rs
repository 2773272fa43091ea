//! Where episodes go in format v2.1: each into files of its own, and a line in each of three tables.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use super::description::Plan;
use super::entry::{Entry, flattened, statistics_json};
use super::join::Part;
use super::paths::Paths;
use super::staging::Change;
use super::summary::{NAMES, Summary};
use super::tables::{EpisodeRows, write_rows};
use crate::catalog::EpisodeInfo;
use crate::error::{Error, Result};
use crate::info::read_text;
use crate::statistics::BY_EPISODE;
use crate::v21::EPISODES;
use crate::v30::FileNumber;

/// The lines of the tables that grow with each episode, one string a line.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lines {
    episodes: Vec<String>,
    statistics: Vec<String>,
}

/// The number in an episode's file names, and its chunk.
pub(crate) fn file_number(episode_index: u64, chunks_size: u64) -> FileNumber {
    FileNumber { chunk_index: episode_index / chunks_size, file_index: episode_index }
}

impl Lines {
    /// Reads the lines of the episodes that count.
    pub(crate) fn read(root: &Path, episode_count: usize) -> Result<Self> {
        let lines = |file: &str, what: &str| -> Result<Vec<String>> {
            let text = read_text(&root.join(file), what)?;
            let lines = text.lines().filter(|line| !line.trim().is_empty()).take(episode_count);
            Ok(lines.map(str::to_owned).collect())
        };
        Ok(Self {
            episodes: lines(EPISODES, "episodes table")?,
            statistics: lines(BY_EPISODE, "statistics of the episodes")?,
        })
    }

    /// The episodes of these lines.
    pub(crate) fn entries(&self, root: &Path, plan: &Plan, episodes: &[EpisodeInfo]) -> Result<Vec<Entry>> {
        let path = root.join(BY_EPISODE);
        let mut entries = Vec::new();
        let mut first_index = 0;
        for (position, episode) in episodes.iter().enumerate() {
            let line = self.statistics.get(position).map_or("null", String::as_str);
            let json: Value = serde_json::from_str(line).map_err(|source| Error::Json {
                path: path.clone(),
                line: position + 1,
                source,
            })?;
            if json["episode_index"].as_u64() != Some(episode.episode_index) {
                return Err(Error::EpisodeMismatch {
                    path,
                    episode_index: episode.episode_index,
                    what: format!("episode_index of line {}", position + 1),
                    expected: episode.episode_index.to_string(),
                    found: json["episode_index"].to_string(),
                });
            }
            let nowhere = FileNumber { chunk_index: 0, file_index: 0 };
            entries.push(Entry {
                episode_index: episode.episode_index,
                length: episode.length,
                tasks: episode.tasks.clone(),
                first_index,
                statistics: read_statistics(plan, &json["stats"]),
                data: nowhere,
                videos: Vec::new(),
                table: nowhere,
            });
            first_index += episode.length as u64;
        }
        Ok(entries)
    }

    /// Writes the files of an episode, and gives the tables' lines with its own.
    pub(crate) fn add(
        &self,
        (plan, paths, chunks_size): (&Plan, &Paths, u64),
        change: &mut Change,
        rows: &EpisodeRows,
        videos: &[Part],
        entry: &Entry,
    ) -> Result<Self> {
        let file = file_number(entry.episode_index, chunks_size);
        for (view, part) in plan.views.iter().zip(videos) {
            change.take(part.path.clone(), &paths.video(file, &view.name));
        }
        write_rows(&change.file(&paths.data(file)), rows)?;
        let mut lines = self.clone();
        let Entry { episode_index, tasks, length, .. } = entry;
        lines
            .episodes
            .push(json!({ "episode_index": episode_index, "tasks": tasks, "length": length }).to_string());
        let statistics = statistics_json(plan, &entry.statistics);
        lines.statistics.push(json!({ "episode_index": episode_index, "stats": statistics }).to_string());
        lines.write(change)?;
        Ok(lines)
    }

    /// Writes the tables.
    pub(crate) fn write(&self, change: &mut Change) -> Result<()> {
        let text = |lines: &[String]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        change.text(BY_EPISODE, &text(&self.statistics))?;
        change.text(EPISODES, &text(&self.episodes))
    }
}

/// What there is of the statistics of each feature.
fn read_statistics(plan: &Plan, json: &Value) -> BTreeMap<String, Summary> {
    let mut statistics = BTreeMap::new();
    for (feature, _) in plan.statistics() {
        let of_feature =
            NAMES.iter().filter_map(|name| Some(((*name).to_owned(), flattened(&json[&feature][*name])?)));
        let summary: Summary = of_feature.collect();
        if !summary.is_empty() {
            statistics.insert(feature, summary);
        }
    }
    statistics
}
