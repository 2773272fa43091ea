//! The tables of format v3.0: Parquet. Where an episode lies can only be looked up, never computed.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::catalog::{EpisodeInfo, Tasks};
use crate::error::{Error, Result};
use crate::feature::Camera;
use crate::info::io_error;
use crate::table::Table;

/// The folder of the episodes table.
pub(crate) const EPISODES: &str = "meta/episodes";
pub(crate) const TASKS: &str = "meta/tasks.parquet";
/// The task strings are a pandas index: unnamed up to LeRobot 0.4, named from 0.6 on.
const TASK_COLUMNS: [&str; 2] = ["task", "__index_level_0__"];

/// Where the episodes lie, in the order of the episodes table.
#[derive(Debug, Default)]
pub(crate) struct Locations {
    pub(crate) data: Vec<DataLocation>,
    /// Per episode, then per camera; `None` where the episode has no video of it.
    videos: Vec<Vec<Option<VideoLocation>>>,
}

/// The two numbers in a file's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct FileNumber {
    pub(crate) chunk_index: u64,
    pub(crate) file_index: u64,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct DataLocation {
    pub(crate) file: FileNumber,
    /// The episode's first row, counted within the file.
    pub(crate) first_row: usize,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct VideoLocation {
    pub(crate) file: FileNumber,
    from_timestamp_s: f64,
    to_timestamp_s: f64,
}

impl Locations {
    /// Where the video of one camera of the episode at `position` lies.
    pub(crate) fn video(
        &self,
        root: &Path,
        episode: &EpisodeInfo,
        position: usize,
        camera: usize,
        name: &str,
    ) -> Result<VideoLocation> {
        self.videos[position][camera].ok_or_else(|| Error::EpisodeMismatch {
            path: root.join(EPISODES),
            episode_index: episode.episode_index,
            what: format!("place of the video {name}"),
            expected: "a chunk, file and time range".to_owned(),
            found: "none".to_owned(),
        })
    }
}

impl VideoLocation {
    /// Number of the episode's first picture within the file. Counting pictures, not seconds, keeps its precision in
    /// files of any length.
    pub(crate) fn first_picture(
        &self,
        root: &Path,
        episode: &EpisodeInfo,
        name: &str,
        fps: f64,
    ) -> Result<u64> {
        let from = (self.from_timestamp_s * fps).round();
        let picture_count = (self.to_timestamp_s * fps).round() - from;
        if from >= 0.0 && picture_count == episode.length as f64 {
            return Ok(from as u64);
        }
        Err(Error::EpisodeMismatch {
            path: root.join(EPISODES),
            episode_index: episode.episode_index,
            what: format!("pictures between from_timestamp and to_timestamp of {name}"),
            expected: episode.length.to_string(),
            found: format!("{picture_count} ({} s to {} s)", self.from_timestamp_s, self.to_timestamp_s),
        })
    }
}

/// Reads the episodes table, which may be spread over several files, and where each episode lies.
pub(crate) fn read_episodes(root: &Path, cameras: &[Camera]) -> Result<(Vec<EpisodeInfo>, Locations)> {
    let mut episodes = Vec::new();
    let mut locations = Locations::default();
    let mut first_index_in_file = HashMap::new();
    for path in parquet_files(&root.join(EPISODES))? {
        read_episodes_file(&Table::open(&path, "episodes table")?, cameras, &mut episodes, &mut locations)?;
    }
    // Until here `first_row` counts over the whole set; the first episode of a file says where the file starts.
    for data in &locations.data {
        let first = first_index_in_file.entry(data.file).or_insert(data.first_row);
        *first = data.first_row.min(*first);
    }
    for data in &mut locations.data {
        data.first_row -= first_index_in_file[&data.file];
    }
    Ok((episodes, locations))
}

fn read_episodes_file(
    table: &Table,
    cameras: &[Camera],
    episodes: &mut Vec<EpisodeInfo>,
    locations: &mut Locations,
) -> Result<()> {
    let episode_index = table.counts("episode_index")?;
    let length = table.counts("length")?;
    let tasks = table.string_lists("tasks")?;
    let chunk_index = table.counts("data/chunk_index")?;
    let file_index = table.counts("data/file_index")?;
    let from_index = table.counts("dataset_from_index")?;
    let to_index = table.counts("dataset_to_index")?;
    let videos: Vec<_> =
        cameras.iter().map(|camera| read_video_locations(table, &camera.name)).collect::<Result<_>>()?;

    for (row, tasks) in tasks.into_iter().enumerate() {
        if to_index[row].checked_sub(from_index[row]) != Some(length[row]) {
            return Err(Error::EpisodeMismatch {
                path: table.path().to_owned(),
                episode_index: episode_index[row],
                what: "rows from dataset_from_index to dataset_to_index".to_owned(),
                expected: length[row].to_string(),
                found: format!("{} to {}", from_index[row], to_index[row]),
            });
        }
        episodes.push(EpisodeInfo { episode_index: episode_index[row], length: length[row] as usize, tasks });
        let file = FileNumber { chunk_index: chunk_index[row], file_index: file_index[row] };
        locations.data.push(DataLocation { file, first_row: from_index[row] as usize });
        locations.videos.push(videos.iter().map(|camera| camera[row]).collect());
    }
    Ok(())
}

/// One camera's place in the videos, per episode.
fn read_video_locations(table: &Table, camera: &str) -> Result<Vec<Option<VideoLocation>>> {
    let column = |what: &str| format!("videos/{camera}/{what}");
    if !table.has(&column("file_index")) {
        return Ok(vec![None; table.row_count()]);
    }
    let chunk_index = table.optional_counts(&column("chunk_index"))?;
    let file_index = table.optional_counts(&column("file_index"))?;
    let from_s = table.optional_doubles(&column("from_timestamp"))?;
    let to_s = table.optional_doubles(&column("to_timestamp"))?;
    Ok((0..table.row_count())
        .map(|row| {
            Some(VideoLocation {
                file: FileNumber { chunk_index: chunk_index[row]?, file_index: file_index[row]? },
                from_timestamp_s: from_s[row]?,
                to_timestamp_s: to_s[row]?,
            })
        })
        .collect())
}

/// Reads the tasks. They are found by their `task_index`, not by their place in the table.
pub(crate) fn read_tasks(root: &Path) -> Result<Tasks> {
    let table = Table::open(&root.join(TASKS), "tasks table")?;
    let column = TASK_COLUMNS.into_iter().find(|column| table.has(column)).unwrap_or(TASK_COLUMNS[0]);
    let by_index = table.counts("task_index")?.into_iter().zip(table.strings(column)?).collect();
    Ok(Tasks { by_index, ..Tasks::default() })
}

/// The Parquet files in the chunk folders of `folder`, in the order of their numbers.
pub(crate) fn parquet_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for chunk in sorted_entries(folder)? {
        if chunk.is_dir() {
            files.extend(
                sorted_entries(&chunk)?
                    .into_iter()
                    .filter(|file| file.extension().is_some_and(|e| e == "parquet")),
            );
        }
    }
    if files.is_empty() {
        return Err(Error::Missing {
            path: folder.join("chunk-000/file-000.parquet"),
            what: "episodes table".to_owned(),
        });
    }
    Ok(files)
}

fn sorted_entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let in_folder = |source| io_error(folder, "episodes table", source);
    let mut paths = fs::read_dir(folder)
        .map_err(in_folder)?
        .map(|entry| entry.map(|entry| entry.path()).map_err(in_folder))
        .collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}
