//! Where files are, by the templates of `info.json`.

use std::path::Path;

use serde_json::Value;

use crate::error::{Error, Result};
use crate::info::Version;
use crate::template::{Leaf, Template};
use crate::v30::FileNumber;

/// LeRobot's templates of the format: rows, then videos.
pub(crate) fn defaults(version: Version) -> (&'static str, &'static str) {
    match version {
        Version::V21 => (
            "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
            "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4",
        ),
        Version::V30 => (
            "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
            "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
        ),
    }
}

/// The templates of a set.
#[derive(Debug, Clone)]
pub(crate) struct Paths {
    data: Template,
    video: Template,
}

impl Paths {
    /// Those of an `info.json`, read from `path`.
    pub(crate) fn of(path: &Path, info: &Value, version: Version) -> Result<Self> {
        let number = version.number();
        let (data, video) = defaults(version);
        let template = |key: &'static str, default: &str, is_video| {
            let text = info[key].as_str().unwrap_or(default).to_owned();
            Template::parse(&text, Leaf { number, is_video }).map_err(|problem| Error::Template {
                path: path.to_owned(),
                key,
                template: text,
                problem,
            })
        };
        Ok(Self { data: template("data_path", data, false)?, video: template("video_path", video, true)? })
    }

    /// The file of rows, inside the dataset's folder.
    pub(crate) fn data(&self, file: FileNumber) -> String {
        self.data.render(file.chunk_index, file.file_index, "")
    }

    /// The file of pictures, inside the dataset's folder.
    pub(crate) fn video(&self, file: FileNumber, camera: &str) -> String {
        self.video.render(file.chunk_index, file.file_index, camera)
    }
}
