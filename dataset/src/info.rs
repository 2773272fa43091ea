//! `meta/info.json`: what the set says about itself.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::error::{Error, Result};
use crate::feature::{Camera, Feature, RawFeature};
use crate::ordered::Ordered;
use crate::template::{Leaf, Template};

/// The format versions this crate reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// One file per episode.
    V21,
    /// Many episodes per file.
    V30,
}

impl Version {
    /// As `info.json` spells it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::V21 => "v2.1",
            Self::V30 => "v3.0",
        }
    }

    /// What its path templates call the number of a file.
    pub(crate) fn number(self) -> &'static str {
        match self {
            Self::V21 => "episode_index",
            Self::V30 => "file_index",
        }
    }
}

/// `info.json`, checked.
#[derive(Debug)]
pub(crate) struct Info {
    pub(crate) version: Version,
    pub(crate) robot_type: Option<String>,
    pub(crate) fps: f64,
    pub(crate) episode_count: usize,
    pub(crate) frame_count: usize,
    /// Episodes per chunk in v2.1.
    pub(crate) chunks_size: u64,
    pub(crate) data_path: Template,
    /// Absent where the set has no videos.
    pub(crate) video_path: Option<Template>,
    pub(crate) features: Vec<Feature>,
    pub(crate) cameras: Vec<Camera>,
    /// Whether our writer wrote it: then it decides which lines of the episodes table count, see [`crate::write`].
    pub(crate) is_ours: bool,
}

#[derive(Deserialize)]
struct RawVersion {
    codebase_version: String,
}

#[derive(Deserialize)]
struct RawInfo {
    robot_type: Option<String>,
    fps: f64,
    total_episodes: usize,
    total_frames: usize,
    chunks_size: Option<u64>,
    data_path: String,
    video_path: Option<String>,
    features: Ordered<RawFeature>,
    sinew: Option<IgnoredAny>,
}

/// LeRobot's default, for v2.1 sets that leave it out.
const DEFAULT_CHUNKS_SIZE: u64 = 1000;

impl Info {
    /// Reads and checks `info.json` at `path`.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = read_text(path, "description of a LeRobot dataset")?;
        let json_error = |source| Error::Json { path: path.to_owned(), line: 1, source };
        // The version first: another version may have other keys, and its number is the better complaint.
        let RawVersion { codebase_version } = serde_json::from_str(&text).map_err(json_error)?;
        let version = match codebase_version.as_str() {
            "v2.1" => Version::V21,
            "v3.0" => Version::V30,
            _ => return Err(Error::Version { path: path.to_owned(), found: codebase_version }),
        };
        let raw: RawInfo = serde_json::from_str(&text).map_err(json_error)?;
        raw.check(version, path)
    }
}

impl RawInfo {
    fn check(self, version: Version, path: &Path) -> Result<Info> {
        let positive = |what: &str, found: f64| {
            if found.is_finite() && found > 0.0 {
                return Ok(());
            }
            Err(Error::Inconsistent {
                path: path.to_owned(),
                what: what.to_owned(),
                expected: "a positive number".to_owned(),
                found: found.to_string(),
            })
        };
        let chunks_size = self.chunks_size.unwrap_or(DEFAULT_CHUNKS_SIZE);
        positive("fps", self.fps)?;
        positive("chunks_size", chunks_size as f64)?;

        let number = version.number();
        let template = |key, text: String, is_video| {
            Template::parse(&text, Leaf { number, is_video }).map_err(|problem| Error::Template {
                path: path.to_owned(),
                key,
                template: text,
                problem,
            })
        };
        let features: Vec<Feature> =
            self.features.0.into_iter().map(|(name, feature)| feature.named(name)).collect();
        Ok(Info {
            version,
            robot_type: self.robot_type,
            fps: self.fps,
            episode_count: self.total_episodes,
            frame_count: self.total_frames,
            chunks_size,
            data_path: template("data_path", self.data_path, false)?,
            video_path: self.video_path.map(|text| template("video_path", text, true)).transpose()?,
            cameras: features.iter().filter_map(Feature::camera).collect(),
            features,
            is_ours: self.sinew.is_some(),
        })
    }
}

/// Reads a whole text file; `what` says what it should hold if it is missing.
pub(crate) fn read_text(path: &Path, what: &str) -> Result<String> {
    fs::read_to_string(path).map_err(|source| io_error(path, what, source))
}

/// An absent file is [`Error::Missing`], anything else [`Error::Io`].
pub(crate) fn io_error(path: &Path, what: &str, source: std::io::Error) -> Error {
    let path = path.to_owned();
    match source.kind() {
        ErrorKind::NotFound => Error::Missing { path, what: what.to_owned() },
        _ => Error::Io { path, source },
    }
}
