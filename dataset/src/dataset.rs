//! An opened dataset: its metadata, and the way to its episodes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::catalog::{Catalog, EpisodeInfo, RowSpan, VideoSpan};
use crate::episode::Episode;
use crate::error::{Error, Result};
use crate::feature::{Camera, Feature};
use crate::info::{Info, Version};
use crate::statistics::{self, Statistics};

/// A LeRobot dataset in a local folder. Cheap to clone; clones share the metadata.
#[derive(Debug, Clone)]
pub struct Dataset(Arc<Opened>);

#[derive(Debug)]
struct Opened {
    root: PathBuf,
    info: Info,
    catalog: Catalog,
}

impl Dataset {
    /// Opens the dataset in `root`, the folder that holds `meta/`. Reads the metadata only.
    ///
    /// # Errors
    /// If the format is neither v2.1 nor v3.0, or the metadata is missing, malformed or contradicts itself.
    pub fn open(root: impl AsRef<Path>) -> Result<Self> {
        let root = root.as_ref().to_owned();
        let info = Info::read(&root.join("meta/info.json"))?;
        let catalog = Catalog::read(&root, &info)?;
        Ok(Self(Arc::new(Opened { root, info, catalog })))
    }

    /// The folder it was opened from.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.0.root
    }

    /// The format it is in: `v2.1` or `v3.0`.
    #[must_use]
    pub fn format(&self) -> &'static str {
        self.0.info.version.name()
    }

    /// Rows, and pictures of each camera, per second.
    #[must_use]
    pub fn fps(&self) -> f64 {
        self.0.info.fps
    }

    /// The robot's name, if the set gives one.
    #[must_use]
    pub fn robot_type(&self) -> Option<&str> {
        self.0.info.robot_type.as_deref()
    }

    /// All declared features, in the order of `info.json`.
    #[must_use]
    pub fn features(&self) -> &[Feature] {
        &self.0.info.features
    }

    /// The declared feature of that name.
    #[must_use]
    pub fn feature(&self, name: &str) -> Option<&Feature> {
        self.features().iter().find(|feature| feature.name == name)
    }

    /// The RGB cameras, in the order of `info.json`. Depth and segmentation videos are left out.
    #[must_use]
    pub fn cameras(&self) -> &[Camera] {
        &self.0.info.cameras
    }

    /// The episodes, in the order of the episodes table. Their numbers may have gaps.
    #[must_use]
    pub fn episodes(&self) -> &[EpisodeInfo] {
        &self.0.catalog.episodes
    }

    /// How many episodes there are.
    #[must_use]
    pub fn episode_count(&self) -> usize {
        self.episodes().len()
    }

    /// How many rows all episodes have together.
    #[must_use]
    pub fn frame_count(&self) -> usize {
        self.0.info.frame_count
    }

    /// Reads the statistics that the set keeps of its vector features; `None` if it has none. Those of v2.1 are gathered
    /// from its episodes. Quantiles, where a set has them, are means of the episodes'.
    ///
    /// # Errors
    /// If the file is damaged, or is not what LeRobot writes.
    pub fn statistics(&self) -> Result<Option<Statistics>> {
        statistics::read(&self.0.root, self.0.info.version)
    }

    /// Opens the episode with this number (not the one at this place in the list) and checks its rows' times.
    ///
    /// # Errors
    /// If there is no such episode, or its rows are missing, damaged, or not what the metadata says.
    pub fn episode(&self, episode_index: u64) -> Result<Episode> {
        Episode::open(self.clone(), self.position(episode_index)?)
    }

    /// The file that holds an episode's rows; others may be in it, too.
    ///
    /// # Errors
    /// If there is no such episode.
    pub fn table_path(&self, episode_index: u64) -> Result<PathBuf> {
        Ok(self.rows_of(self.position(episode_index)?).path)
    }

    /// The file that holds a camera's pictures of an episode; others may be in it, too.
    ///
    /// # Errors
    /// If there is no such episode or camera, or the metadata do not say where its pictures are.
    pub fn video_path(&self, episode_index: u64, camera: &str) -> Result<PathBuf> {
        Ok(self.pictures_of(self.position(episode_index)?, camera)?.path)
    }

    /// An episode's place in the list.
    pub(crate) fn position(&self, episode_index: u64) -> Result<usize> {
        self.0.catalog.position(episode_index).ok_or_else(|| {
            let numbers = || self.episodes().iter().map(|episode| episode.episode_index);
            Error::UnknownEpisode {
                path: self.0.root.clone(),
                episode_index,
                episode_count: self.episode_count(),
                first: numbers().min().unwrap_or(0),
                last: numbers().max().unwrap_or(0),
            }
        })
    }

    pub(crate) fn rows_of(&self, position: usize) -> RowSpan {
        self.0.catalog.rows(&self.0.root, &self.0.info, position)
    }

    pub(crate) fn pictures_of(&self, position: usize, camera: &str) -> Result<VideoSpan> {
        let place = self.cameras().iter().position(|known| known.name == camera).ok_or_else(|| {
            let known = self.cameras().iter().map(|camera| camera.name.clone()).collect();
            Error::UnknownCamera { path: self.0.root.clone(), camera: camera.to_owned(), known }
        })?;
        self.0.catalog.pictures(&self.0.root, &self.0.info, position, place)
    }

    pub(crate) fn version(&self) -> Version {
        self.0.info.version
    }

    /// Whether our writer wrote it.
    pub(crate) fn is_ours(&self) -> bool {
        self.0.info.is_ours
    }

    /// The tasks by number.
    #[must_use]
    pub fn tasks(&self) -> &BTreeMap<u64, String> {
        &self.0.catalog.tasks.by_index
    }

    pub(crate) fn task(&self, task_index: u64) -> Option<&str> {
        self.0.catalog.tasks.by_index.get(&task_index).map(String::as_str)
    }
}
