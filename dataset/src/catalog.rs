//! What there is and where it lies: episodes, tasks, and the files that hold an episode.
//!
//! The two formats differ here and nowhere else. Either layout answers the same two questions: which rows of which
//! Parquet file, and from which picture on in which video.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::info::{Info, Version};
use crate::{v21, v30};

/// One line of the episodes table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpisodeInfo {
    /// The episode's number. Numbers may have gaps.
    pub episode_index: u64,
    /// How many rows it has.
    pub length: usize,
    /// Its instructions, one as a rule.
    pub tasks: Vec<String>,
}

/// Task strings by number and by the short name some sets use.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    pub(crate) by_index: BTreeMap<u64, String>,
    /// BEHAVIOR-1K: `hiding_Easter_eggs` for "Take the three Easter eggs …".
    pub(crate) by_short_name: HashMap<String, String>,
}

/// Rows of a Parquet file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RowSpan {
    pub(crate) path: PathBuf,
    pub(crate) rows: Range<usize>,
    /// Whether the file must hold these rows only.
    pub(crate) is_whole_file: bool,
}

/// An episode's pictures in a video file, one per row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VideoSpan {
    pub(crate) path: PathBuf,
    pub(crate) episode_index: u64,
    pub(crate) first_picture: u64,
    pub(crate) picture_count: usize,
    /// Whether the file should hold these pictures only.
    pub(crate) is_whole_file: bool,
}

/// Everything the metadata says, by format.
#[derive(Debug)]
pub(crate) struct Catalog {
    pub(crate) episodes: Vec<EpisodeInfo>,
    pub(crate) tasks: Tasks,
    /// Position in `episodes` of every episode number.
    positions: HashMap<u64, usize>,
    layout: Layout,
}

#[derive(Debug)]
enum Layout {
    V21,
    V30(v30::Locations),
}

impl Catalog {
    /// Reads the episodes and tasks tables of the set in `root`.
    pub(crate) fn read(root: &Path, info: &Info) -> Result<Self> {
        let (table, tasks, mut episodes, layout) = match info.version {
            Version::V21 => {
                let tasks = v21::read_tasks(root)?;
                (root.join(v21::EPISODES), tasks, v21::read_episodes(root)?, Layout::V21)
            }
            Version::V30 => {
                let tasks = v30::read_tasks(root)?;
                let (episodes, locations) = v30::read_episodes(root, &info.cameras)?;
                (root.join(v30::EPISODES), tasks, episodes, Layout::V30(locations))
            }
        };
        if info.is_ours {
            // A line more is that of an episode whose writing was cut short.
            episodes.truncate(info.episode_count);
        }
        let mut catalog = Self { episodes, tasks, positions: HashMap::new(), layout };
        catalog.index(&table)?;
        catalog.check_totals(&table, info)?;
        catalog.spell_out_tasks();
        Ok(catalog)
    }

    /// Position in `episodes` of the episode with this number.
    pub(crate) fn position(&self, episode_index: u64) -> Option<usize> {
        self.positions.get(&episode_index).copied()
    }

    /// Where the rows of the episode at `position` lie.
    pub(crate) fn rows(&self, root: &Path, info: &Info, position: usize) -> RowSpan {
        let episode = &self.episodes[position];
        match &self.layout {
            Layout::V21 => {
                let chunk = episode.episode_index / info.chunks_size;
                let path = root.join(info.data_path.render(chunk, episode.episode_index, ""));
                RowSpan { path, rows: 0..episode.length, is_whole_file: true }
            }
            Layout::V30(locations) => {
                let data = &locations.data[position];
                let path = root.join(info.data_path.render(data.file.chunk_index, data.file.file_index, ""));
                RowSpan { path, rows: data.first_row..data.first_row + episode.length, is_whole_file: false }
            }
        }
    }

    /// Where the pictures of the episode at `position` lie, for the camera at place `camera` of `info.cameras`.
    pub(crate) fn pictures(
        &self,
        root: &Path,
        info: &Info,
        position: usize,
        camera: usize,
    ) -> Result<VideoSpan> {
        let episode = &self.episodes[position];
        let name = &info.cameras[camera].name;
        let template = info.video_path.as_ref().ok_or_else(|| Error::Inconsistent {
            path: root.join("meta/info.json"),
            what: "video_path".to_owned(),
            expected: format!("a template, as {name} is a video"),
            found: "none".to_owned(),
        })?;
        let (path, first_picture) = match &self.layout {
            Layout::V21 => {
                let chunk = episode.episode_index / info.chunks_size;
                (template.render(chunk, episode.episode_index, name), 0)
            }
            Layout::V30(locations) => {
                let video = locations.video(root, episode, position, camera, name)?;
                let path = template.render(video.file.chunk_index, video.file.file_index, name);
                (path, video.first_picture(root, episode, name, info.fps)?)
            }
        };
        let EpisodeInfo { episode_index, length, .. } = *episode;
        let is_whole_file = matches!(self.layout, Layout::V21);
        Ok(VideoSpan {
            path: root.join(path),
            episode_index,
            first_picture,
            picture_count: length,
            is_whole_file,
        })
    }

    fn index(&mut self, table: &Path) -> Result<()> {
        for (position, episode) in self.episodes.iter().enumerate() {
            let mismatch = |what: &str, expected: &str, found: &str| Error::EpisodeMismatch {
                path: table.to_owned(),
                episode_index: episode.episode_index,
                what: what.to_owned(),
                expected: expected.to_owned(),
                found: found.to_owned(),
            };
            if episode.length == 0 {
                return Err(mismatch("rows", "at least 1", "0"));
            }
            if self.positions.insert(episode.episode_index, position).is_some() {
                return Err(mismatch("lines in the episodes table", "1", "2"));
            }
        }
        Ok(())
    }

    /// A set cut off while it was written or copied shows here.
    fn check_totals(&self, table: &Path, info: &Info) -> Result<()> {
        let frame_count =
            self.episodes.iter().fold(0, |sum: usize, episode| sum.saturating_add(episode.length));
        let totals = [
            ("episodes (info.json: total_episodes)", info.episode_count, self.episodes.len()),
            ("rows over all episodes (info.json: total_frames)", info.frame_count, frame_count),
        ];
        for (what, expected, found) in totals {
            if expected != found {
                return Err(Error::Inconsistent {
                    path: table.to_owned(),
                    what: what.to_owned(),
                    expected: expected.to_string(),
                    found: found.to_string(),
                });
            }
        }
        Ok(())
    }

    /// Replaces short task names by the instructions they stand for.
    fn spell_out_tasks(&mut self) {
        for task in self.episodes.iter_mut().flat_map(|episode| &mut episode.tasks) {
            if let Some(instruction) = self.tasks.by_short_name.get(task) {
                task.clone_from(instruction);
            }
        }
    }
}
