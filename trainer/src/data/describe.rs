//! What is in a dataset, for people and for programs.

use serde::Serialize;
use sinew_dataset::{Dataset, VideoInfo};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// A dataset in short.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Description {
    /// Its folder.
    pub path: PathBuf,
    /// `v2.1` or `v3.0`.
    pub format: &'static str,
    /// The robot, if the set says.
    pub robot: Option<String>,
    /// Rows a second.
    pub fps: f64,
    /// How many episodes there are.
    pub episode_count: usize,
    /// How many rows they have together.
    pub frame_count: usize,
    /// Rows of the shortest and of the longest episode.
    pub episode_length: (usize, usize),
    /// Instructions, and how many episodes have each.
    pub tasks: BTreeMap<String, usize>,
    /// Every feature but the cameras.
    pub features: Vec<FeatureDescription>,
    /// The RGB cameras.
    pub cameras: Vec<CameraDescription>,
}

/// A feature as declared.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FeatureDescription {
    /// Its name.
    pub name: String,
    /// Its type.
    pub dtype: String,
    /// Its shape; null where the set leaves a size open.
    pub shape: Vec<Option<usize>>,
    /// Names of its numbers.
    pub names: Option<Vec<String>>,
}

/// A camera, as its first readable video has it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CameraDescription {
    /// Its name.
    pub name: String,
    /// Codec, if a video could be opened.
    pub codec: Option<String>,
    /// Width in pixels.
    pub width: Option<u32>,
    /// Height in pixels.
    pub height: Option<u32>,
    /// The most pictures from one key frame to the next.
    pub key_frame_interval: Option<u64>,
}

impl Description {
    /// Describes a dataset. Opens one video a camera; whether they are all there is not for this to say.
    #[must_use]
    pub fn of(dataset: &Dataset) -> Self {
        let mut tasks = BTreeMap::new();
        for task in dataset.episodes().iter().flat_map(|episode| &episode.tasks) {
            *tasks.entry(task.clone()).or_default() += 1;
        }
        let lengths = || dataset.episodes().iter().map(|episode| episode.length);
        let is_camera = |name: &str| dataset.cameras().iter().any(|camera| camera.name == name);
        Self {
            path: dataset.root().to_owned(),
            format: dataset.format(),
            robot: dataset.robot_type().map(str::to_owned),
            fps: dataset.fps(),
            episode_count: dataset.episode_count(),
            frame_count: dataset.frame_count(),
            episode_length: (lengths().min().unwrap_or(0), lengths().max().unwrap_or(0)),
            tasks,
            features: dataset
                .features()
                .iter()
                .filter(|feature| !is_camera(&feature.name))
                .map(|feature| FeatureDescription {
                    name: feature.name.clone(),
                    dtype: feature.dtype.clone(),
                    shape: feature.shape.clone(),
                    names: feature.names.clone(),
                })
                .collect(),
            cameras: dataset.cameras().iter().map(|camera| describe_camera(dataset, &camera.name)).collect(),
        }
    }
}

/// What the first video of a camera that can be opened says.
pub(crate) fn first_video(dataset: &Dataset, camera: &str) -> Option<VideoInfo> {
    let video = |number| Some(dataset.episode(number).ok()?.frames(camera).ok()?.video_info());
    dataset.episodes().iter().find_map(|episode| video(episode.episode_index))
}

fn describe_camera(dataset: &Dataset, name: &str) -> CameraDescription {
    let video = first_video(dataset, name);
    CameraDescription {
        name: name.to_owned(),
        width: video.as_ref().map(|video| video.width),
        height: video.as_ref().map(|video| video.height),
        key_frame_interval: video.as_ref().and_then(|video| video.key_frame_interval),
        codec: video.map(|video| video.codec),
    }
}

impl fmt::Display for Description {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (shortest, longest) = self.episode_length;
        writeln!(out, "{}", self.path.display())?;
        writeln!(
            out,
            "LeRobot {}, robot {}, {} rows a second",
            self.format,
            self.robot.as_deref().unwrap_or("not named"),
            self.fps
        )?;
        writeln!(
            out,
            "{} episodes of {shortest} to {longest} rows, {} in all",
            self.episode_count, self.frame_count
        )?;
        writeln!(out, "\ntasks")?;
        for (task, count) in &self.tasks {
            writeln!(out, "  {count:6} episodes  {task}")?;
        }
        writeln!(out, "\ncameras")?;
        for camera in &self.cameras {
            write!(out, "  {}", camera.name)?;
            match (&camera.codec, camera.width, camera.height) {
                (Some(codec), Some(width), Some(height)) => write!(out, "  {codec} {width}x{height}")?,
                _ => write!(out, "  no video could be opened")?,
            }
            match camera.key_frame_interval {
                Some(interval) => writeln!(out, ", a key frame every {interval} pictures or fewer")?,
                None => writeln!(out)?,
            }
        }
        writeln!(out, "\nfeatures")?;
        for feature in &self.features {
            let sizes = feature.shape.iter().map(|size| size.map_or("?".to_owned(), |size| size.to_string()));
            writeln!(
                out,
                "  {}  {} [{}]",
                feature.name,
                feature.dtype,
                sizes.collect::<Vec<_>>().join(", ")
            )?;
            if let Some(names) = &feature.names {
                writeln!(out, "      {}", names.join(", "))?;
            }
        }
        Ok(())
    }
}
