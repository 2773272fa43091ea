//! Adds episodes to a dataset, new or old.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::description::{Description, NewEpisode, Pictures, Plan, View, unsupported};
use super::encode::{Encoder, VideoCodec};
use super::entry::{Entry, Totals};
use super::join::{Obstacle, Part, join};
use super::paths::{Paths, defaults};
use super::staging::{Change, Staging, at, remove};
use super::summary::{self, Summary, sampled_rows};
use super::tables::{EpisodeRows, counters, write_tasks};
use super::v21::{Lines, file_number};
use super::v30::{Arrival, Ends, Limits, Place, read_entries};
use crate::catalog::VideoSpan;
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::frames::Frame;
use crate::info::{Version, read_text};
use crate::numbers::Numbers;
use crate::statistics::WHOLE_SET;
use crate::v30::FileNumber;
use crate::video::{Fault, Video};

const INFO: &str = "meta/info.json";
/// Our key in `info.json`, which LeRobot leaves alone.
const OURS: &str = "sinew";
const IDS: &str = "episode_ids";

/// The layout of a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// v2.1: a file per episode. LeRobot up to 0.3 reads it.
    V21,
    /// v3.0: many episodes per file. LeRobot from 0.4 on reads it.
    #[default]
    V30,
}

impl Format {
    fn version(self) -> Version {
        match self {
            Self::V21 => Version::V21,
            Self::V30 => Version::V30,
        }
    }
}

/// How a dataset is written. The numbers are LeRobot's defaults; those of a set that exists stay as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The layout.
    pub format: Format,
    /// How pictures are compressed.
    pub codec: VideoCodec,
    /// Episodes (v2.1) or files (v3.0) per folder.
    pub chunks_size: u64,
    /// Where a file of rows ends, in MiB. Each episode writes the file it goes into anew.
    pub data_files_size_mb: u64,
    /// Where a video ends, in MiB. Each episode writes the file it goes into anew.
    pub video_files_size_mb: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            format: Format::default(),
            codec: VideoCodec::default(),
            chunks_size: 1000,
            data_files_size_mb: 100,
            video_files_size_mb: 200,
        }
    }
}

/// A dataset being written. It is complete after each episode; [`Writer::finish`] only tidies up.
#[derive(Debug)]
pub struct Writer {
    root: PathBuf,
    staging: Staging,
    plan: Plan,
    codec: VideoCodec,
    paths: Paths,
    limits: Limits,
    state: State,
}

/// What changes with each episode.
#[derive(Debug, Clone)]
struct State {
    info: Value,
    tasks: Vec<String>,
    entries: Vec<Entry>,
    totals: Totals,
    ids: BTreeMap<String, u64>,
    shelf: Shelf,
}

/// Where the next episode goes.
#[derive(Debug, Clone)]
enum Shelf {
    V21(Lines),
    V30(Ends),
}

/// An episode's rows, checked.
struct Checked {
    columns: Vec<Numbers>,
    tasks: Vec<String>,
    task_of_row: Vec<usize>,
}

/// What becomes a camera's video.
pub(super) enum Footage<'a> {
    Pictures(Pictures<'a>),
    /// A video of the episode's alone in the staging folder, and the statistics of its pictures.
    Encoded(Part, Summary),
}

impl Writer {
    /// Goes on with the dataset in `root`, or begins one where there is nothing. What an earlier writer left unfinished
    /// is cleared away first.
    ///
    /// # Errors
    /// If the dataset there is of another format, rate, robot, codec or has other features, if there is something else,
    /// if another writer is at work, if a feature cannot be written, or if FFmpeg lacks the encoder.
    pub fn open(root: impl Into<PathBuf>, description: Description, options: Options) -> Result<Self> {
        let root = root.into();
        let plan = description.plan(&root)?;
        if !plan.views.is_empty() {
            options.codec.find_encoder()?;
            plan.check_sizes(&root, options.codec)?;
            if root.join(INFO).is_file() {
                check_codec(&root, &plan, options.codec)?;
            }
        }
        let features = plan.features_json(options.codec);
        Self::open_with(root, plan, &options, features)
    }

    /// As [`Writer::open`], with the features as a new `info.json` shall have them.
    pub(super) fn open_with(
        root: PathBuf,
        plan: Plan,
        options: &Options,
        features: Map<String, Value>,
    ) -> Result<Self> {
        if options.chunks_size == 0 {
            return Err(unsupported(&root, "chunks_size", "a positive number", "0"));
        }
        let exists = root.join(INFO).is_file();
        let was_interrupted = Staging::is_in(&root);
        if !exists && !was_interrupted && !is_empty(&root)? {
            return Err(Error::NotEmpty { path: root });
        }
        if exists {
            check_like(&root, &plan, options.format)?;
        }
        let staging = Staging::open(&root)?;
        if exists {
            Self::go_on(root, staging, plan, options, was_interrupted)
        } else {
            Self::begin(root, staging, plan, options, features)
        }
    }

    fn begin(
        root: PathBuf,
        staging: Staging,
        plan: Plan,
        options: &Options,
        features: Map<String, Value>,
    ) -> Result<Self> {
        // What there may be is of a first episode that did not get in.
        for folder in ["data", "videos", "meta"] {
            match fs::remove_dir_all(root.join(folder)) {
                Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::Io { path: root.join(folder), source });
                }
                _ => {}
            }
        }
        let version = options.format.version();
        let (data, video) = defaults(version);
        let mut info = json!({
            "codebase_version": version.name(),
            "robot_type": plan.description.robot_type,
            "total_episodes": 0,
            "total_frames": 0,
            "total_tasks": 0,
        });
        let shelf = match options.format {
            Format::V21 => {
                info["total_videos"] = json!(0);
                info["total_chunks"] = json!(0);
                info["chunks_size"] = json!(options.chunks_size);
                Shelf::V21(Lines::default())
            }
            Format::V30 => {
                info["chunks_size"] = json!(options.chunks_size);
                info["data_files_size_in_mb"] = json!(options.data_files_size_mb);
                info["video_files_size_in_mb"] = json!(options.video_files_size_mb);
                Shelf::V30(Ends::of_nothing(&plan))
            }
        };
        info["fps"] = json!(plan.description.fps);
        info["splits"] = json!({});
        info["data_path"] = json!(data);
        info["video_path"] = if plan.views.is_empty() { Value::Null } else { json!(video) };
        info["features"] = Value::Object(features);
        info[OURS] = json!({ IDS: {} });
        let state = State {
            info,
            tasks: Vec::new(),
            entries: Vec::new(),
            totals: Totals::default(),
            ids: BTreeMap::new(),
            shelf,
        };
        Self::with(root, staging, plan, options, state)
    }

    fn go_on(
        root: PathBuf,
        staging: Staging,
        plan: Plan,
        options: &Options,
        was_interrupted: bool,
    ) -> Result<Self> {
        let dataset = Dataset::open(&root)?;
        let mut info = read_info(&root)?;
        let ids = info[OURS][IDS].as_object();
        let ids =
            ids.into_iter().flatten().filter_map(|(id, index)| Some((id.clone(), index.as_u64()?))).collect();
        if !dataset.is_ours() {
            info[OURS] = json!({ IDS: {} });
        }
        let tasks = dataset.tasks().values().cloned().collect();
        check_numbering(&dataset)?;
        let none = State {
            info,
            tasks,
            entries: Vec::new(),
            totals: Totals::default(),
            ids,
            shelf: Shelf::V21(Lines::default()),
        };
        let is_ours = dataset.is_ours();
        let mut writer = Self::with(root, staging, plan, options, none)?;
        let (entries, shelf) = match options.format {
            Format::V21 => {
                let lines = Lines::read(&writer.root, dataset.episode_count())?;
                let entries = lines.entries(&writer.root, &writer.plan, dataset.episodes())?;
                (entries, Shelf::V21(lines))
            }
            Format::V30 => {
                let entries = read_entries(&writer.root, &writer.plan, dataset.episode_count())?;
                let ends = Ends::of(writer.place(), &entries, is_ours)?;
                (entries, Shelf::V30(ends))
            }
        };
        let table = writer.root.join("meta");
        for entry in &entries {
            writer.state.totals.add(&table, entry)?;
        }
        writer.state.entries = entries;
        writer.state.shelf = shelf;
        if !is_ours || was_interrupted {
            writer.settle(was_interrupted && is_ours)?;
        }
        Ok(writer)
    }

    fn with(root: PathBuf, staging: Staging, plan: Plan, options: &Options, state: State) -> Result<Self> {
        let path = root.join(INFO);
        let paths = Paths::of(&path, &state.info, options.format.version())?;
        let number = |key: &str, default: u64| state.info[key].as_u64().unwrap_or(default);
        let limits = Limits {
            chunks_size: number("chunks_size", 1000).max(1),
            data_mb: number("data_files_size_in_mb", 100),
            video_mb: number("video_files_size_in_mb", 200),
        };
        Ok(Self { root, staging, plan, codec: options.codec, paths, limits, state })
    }

    /// Marks the set as ours; with `cut` also removes what an episode left behind that did not get in.
    fn settle(&mut self, cut: bool) -> Result<()> {
        let mut change = self.staging.begin();
        if cut {
            match &self.state.shelf {
                Shelf::V21(lines) => {
                    let file = file_number(self.state.entries.len() as u64, self.limits.chunks_size);
                    let videos = self.plan.views.iter().map(|view| self.paths.video(file, &view.name));
                    for path in videos.chain([self.paths.data(file)]) {
                        remove(&self.root.join(path))?;
                    }
                    lines.write(&mut change)?;
                }
                Shelf::V30(ends) => ends.cut(self.place(), &mut change, &self.state.entries)?,
            }
            self.state.write_common(&self.plan, &mut change)?;
        }
        change.text(INFO, &pretty(&self.state.info))?;
        change.publish()?;
        self.staging.clear()?;
        if let (true, Shelf::V30(_)) = (cut, &self.state.shelf) {
            self.state.shelf = Shelf::V30(Ends::of(self.place(), &self.state.entries, true)?);
        }
        Ok(())
    }

    /// The dataset's folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// How many episodes are in.
    #[must_use]
    pub fn episode_count(&self) -> usize {
        self.state.entries.len()
    }

    /// The number of the episode that was added under this id.
    #[must_use]
    pub fn episode_of(&self, id: &str) -> Option<u64> {
        self.state.ids.get(id).copied()
    }

    /// The ids of the episodes that were added under one, with their numbers.
    pub fn ids(&self) -> impl Iterator<Item = (&str, u64)> {
        self.state.ids.iter().map(|(id, index)| (id.as_str(), *index))
    }

    /// Adds an episode and gives its number. When this returns it is on the disk, and the dataset is whole; after an
    /// error it is as it was before.
    ///
    /// # Errors
    /// If a column or camera is missing or unknown, of another type, width, length or size than described, if a number is
    /// not finite, if the id is taken, if a picture cannot be had or encoded, or if the disk does not take it.
    pub fn add(&mut self, episode: NewEpisode) -> Result<u64> {
        let NewEpisode { id, tasks, columns, pictures } = episode;
        let footage = pictures.into_iter().map(|(name, pictures)| (name, Footage::Pictures(pictures)));
        let footage = footage.collect();
        self.add_footage(id, &tasks, columns, footage)
    }

    pub(super) fn add_footage(
        &mut self,
        id: Option<String>,
        tasks: &[String],
        columns: Vec<(String, Numbers)>,
        footage: Vec<(String, Footage)>,
    ) -> Result<u64> {
        let added = self.try_add(id, tasks, columns, footage);
        let cleared = self.staging.clear();
        self.state = added?;
        cleared?;
        Ok(self.state.entries.len() as u64 - 1)
    }

    /// Copies pictures to a video of their own, as they are encoded; `None` if they cannot be had without encoding anew.
    pub(super) fn cut_out(&self, source: &Part, camera: usize) -> Result<Option<Part>> {
        let (episode_index, fps) = (self.state.entries.len() as u64, self.plan.description.fps);
        let path = self.staging.path(&format!("episode-{camera}.mp4"));
        let part = Part { path, first_picture: 0, picture_count: source.picture_count };
        match join(std::slice::from_ref(source), &part.path, fps) {
            Ok(()) => Ok(Some(part)),
            Err(Obstacle::NotWhole | Obstacle::Unlike) => Ok(None),
            Err(Obstacle::Fault(fault)) => Err(video_error(source, episode_index, fps, fault)),
        }
    }

    /// Ends the writing. Dropping the writer instead loses nothing; the folder of unfinished files then stays.
    ///
    /// # Errors
    /// If that folder cannot be removed.
    pub fn finish(self) -> Result<()> {
        self.staging.close()
    }

    fn try_add(
        &self,
        id: Option<String>,
        tasks: &[String],
        columns: Vec<(String, Numbers)>,
        footage: Vec<(String, Footage)>,
    ) -> Result<State> {
        let episode_index = self.state.entries.len() as u64;
        if let Some(taken) = id.as_ref().and_then(|id| self.state.ids.get(id)) {
            return Err(self.refused("id", "one that is not taken", &format!("that of episode {taken}")));
        }
        let checked = self.check(columns, tasks)?;
        let row_count = checked.task_of_row.len();
        let mut state = self.state.clone();
        let task_indices: Vec<i64> = checked.tasks.iter().map(|task| state.task_index(task)).collect();
        let rows = EpisodeRows {
            columns: self.plan.vectors.iter().zip(&checked.columns).collect(),
            task_indices: &checked.task_of_row.iter().map(|task| task_indices[*task]).collect::<Vec<_>>(),
            fps: self.plan.description.fps,
            episode_index,
            first_index: state.entries.last().map_or(0, |last| last.first_index + last.length as u64),
        };
        let mut statistics = BTreeMap::new();
        for (vector, numbers) in &rows.columns {
            statistics.insert(vector.name.clone(), summary::of_numbers(numbers, vector.width));
        }
        for (name, numbers) in counters(&rows) {
            statistics.insert(name.to_owned(), summary::of_numbers(&numbers, 1));
        }
        let mut videos = Vec::new();
        for (place, (view, footage)) in self.in_order(footage)?.into_iter().enumerate() {
            let aside = self.staging.path(&format!("episode-{place}.mp4"));
            let (part, of_pictures) = self.film(view, footage, aside, row_count)?;
            check_video(&part, episode_index, self.plan.description.fps)?;
            statistics.insert(view.name.clone(), of_pictures);
            videos.push(part);
        }
        let nowhere = FileNumber { chunk_index: 0, file_index: 0 };
        let entry = Entry {
            episode_index,
            length: row_count,
            tasks: checked.tasks,
            first_index: rows.first_index,
            statistics,
            data: nowhere,
            videos: Vec::new(),
            table: nowhere,
        };
        state.totals.add(&self.root, &entry)?;
        if let Some(id) = id {
            state.info[OURS][IDS][&id] = json!(episode_index);
            state.ids.insert(id, episode_index);
        }
        let mut change = self.staging.begin();
        self.put(&mut state, &mut change, &rows, &videos, entry)?;
        state.write_common(&self.plan, &mut change)?;
        state.count(&self.plan, self.limits.chunks_size);
        change.text(INFO, &pretty(&state.info))?;
        change.publish()?;
        Ok(state)
    }

    fn put(
        &self,
        state: &mut State,
        change: &mut Change,
        rows: &EpisodeRows,
        videos: &[Part],
        entry: Entry,
    ) -> Result<()> {
        let place = self.place();
        match &self.state.shelf {
            Shelf::V21(lines) => {
                let set = (place.plan, place.paths, self.limits.chunks_size);
                state.shelf = Shelf::V21(lines.add(set, change, rows, videos, &entry)?);
                state.entries.push(entry);
            }
            Shelf::V30(ends) => {
                state.entries.push(entry);
                let arrival = Arrival { rows, videos, entries: &mut state.entries };
                state.shelf = Shelf::V30(ends.add(place, change, arrival)?);
            }
        }
        Ok(())
    }

    fn place(&self) -> Place<'_> {
        Place { root: &self.root, plan: &self.plan, paths: &self.paths, limits: self.limits }
    }

    /// The columns in the order of the description, and the task of each row.
    fn check(&self, mut columns: Vec<(String, Numbers)>, tasks: &[String]) -> Result<Checked> {
        let mut row_count = None;
        let mut in_order = Vec::new();
        for vector in &self.plan.vectors {
            let what = format!("column {}", vector.name);
            let place = columns.iter().position(|(name, _)| *name == vector.name);
            let place = place.ok_or_else(|| self.refused(&what, "one", "none"))?;
            let (_, numbers) = columns.swap_remove(place);
            if numbers.dtype() != vector.dtype {
                return Err(self.refused(&format!("type of {what}"), &vector.dtype, numbers.dtype()));
            }
            if numbers.is_empty() || !numbers.len().is_multiple_of(vector.width) {
                let expected = format!("rows of {}", vector.width);
                return Err(self.refused(
                    &format!("numbers of {what}"),
                    &expected,
                    &numbers.len().to_string(),
                ));
            }
            let found = numbers.len() / vector.width;
            let expected = *row_count.get_or_insert(found);
            if found != expected {
                return Err(self.refused(
                    &format!("rows of {what}"),
                    &expected.to_string(),
                    &found.to_string(),
                ));
            }
            if let Some((place, value)) = numbers.first_not_finite() {
                let what =
                    format!("{what} in row {}, dimension {}", place / vector.width, place % vector.width);
                return Err(self.refused(&what, "a finite number", &value.to_string()));
            }
            in_order.push(numbers);
        }
        if let Some((name, _)) = columns.first() {
            return Err(self.refused(&format!("column {name}"), "a feature of the dataset, once", "another"));
        }
        let row_count = row_count.unwrap_or(0);
        if tasks.len() != 1 && tasks.len() != row_count {
            let expected = format!("1, or one for each of {row_count} rows");
            return Err(self.refused("tasks", &expected, &tasks.len().to_string()));
        }
        let mut known: Vec<String> = Vec::new();
        let mut task_of_row = Vec::new();
        for task in tasks {
            let place = known.iter().position(|other| other == task).unwrap_or(known.len());
            if place == known.len() {
                known.push(task.clone());
            }
            task_of_row.push(place);
        }
        task_of_row.resize(row_count, 0);
        Ok(Checked { columns: in_order, tasks: known, task_of_row })
    }

    /// The cameras' footage in the order of the description.
    fn in_order<'a>(&self, mut footage: Vec<(String, Footage<'a>)>) -> Result<Vec<(&View, Footage<'a>)>> {
        let mut in_order = Vec::new();
        for view in &self.plan.views {
            let what = format!("pictures of {}", view.name);
            let place = footage.iter().position(|(name, _)| *name == view.name);
            let place = place.ok_or_else(|| self.refused(&what, "some", "none"))?;
            in_order.push((view, footage.swap_remove(place).1));
        }
        match footage.first() {
            Some((name, _)) => {
                Err(self.refused(&format!("pictures of {name}"), "a camera of the dataset, once", "another"))
            }
            None => Ok(in_order),
        }
    }

    /// Makes a video of the episode's alone, with the statistics of its pictures.
    fn film(
        &self,
        view: &View,
        footage: Footage,
        aside: PathBuf,
        row_count: usize,
    ) -> Result<(Part, Summary)> {
        match footage {
            Footage::Encoded(part, summary) => Ok((part, summary)),
            Footage::Pictures(pictures) => {
                let part = Part { path: aside, first_picture: 0, picture_count: row_count as u64 };
                let summary = self.encode(view, pictures, &part)?;
                Ok((part, summary))
            }
        }
    }

    fn encode(&self, view: &View, pictures: Pictures, part: &Part) -> Result<Summary> {
        let (episode_index, fps) = (self.state.entries.len() as u64, self.plan.description.fps);
        let fault = |fault| video_error(part, episode_index, fps, fault);
        let codec = self.codec.find_encoder()?;
        let size = (view.width as u32, view.height as u32);
        let mut encoder = Encoder::create(&part.path, codec, self.codec, fps, size).map_err(fault)?;
        let mut summary = summary::Pictures::new();
        let row_count = part.picture_count as usize;
        let mut sampled = sampled_rows(row_count).into_iter().peekable();
        let mut count = 0;
        for frame in pictures {
            let frame = frame.map_err(|source| Error::NoFrame {
                path: self.root.clone(),
                episode_index,
                camera: view.name.clone(),
                row: count,
                source,
            })?;
            if count == row_count {
                return Err(self.wrong_count(view, row_count, "more"));
            }
            self.check_frame(view, &frame, count)?;
            if sampled.next_if_eq(&count).is_some() {
                summary.add(&frame.rgb, (view.width, view.height));
            }
            encoder.push(&frame.rgb).map_err(fault)?;
            count += 1;
        }
        if count != row_count {
            return Err(self.wrong_count(view, row_count, &count.to_string()));
        }
        encoder.finish().map_err(fault)?;
        Ok(summary.finish())
    }

    fn check_frame(&self, view: &View, frame: &Frame, row: usize) -> Result<()> {
        let what = |of: &str| format!("{of} of picture {row} of {}", view.name);
        if frame.row != row {
            return Err(self.refused(&what("row"), &row.to_string(), &frame.row.to_string()));
        }
        let found = (frame.width as usize, frame.height as usize);
        if found != (view.width, view.height) {
            let [expected, found] = [(view.width, view.height), found].map(|(w, h)| format!("{w} x {h}"));
            return Err(self.refused(&what("size"), &expected, &found));
        }
        let expected = view.width * view.height * 3;
        if frame.rgb.len() != expected {
            return Err(self.refused(&what("bytes"), &expected.to_string(), &frame.rgb.len().to_string()));
        }
        Ok(())
    }

    fn wrong_count(&self, view: &View, row_count: usize, found: &str) -> Error {
        let expected = format!("{row_count}, one a row");
        self.refused(&format!("pictures of {}", view.name), &expected, found)
    }

    fn refused(&self, what: &str, expected: &str, found: &str) -> Error {
        Error::EpisodeMismatch {
            path: self.root.clone(),
            episode_index: self.state.entries.len() as u64,
            what: what.to_owned(),
            expected: expected.to_owned(),
            found: found.to_owned(),
        }
    }
}

impl State {
    /// The number of a task, a new one if it is new.
    fn task_index(&mut self, task: &str) -> i64 {
        let place = self.tasks.iter().position(|known| known == task).unwrap_or(self.tasks.len());
        if place == self.tasks.len() {
            self.tasks.push(task.to_owned());
        }
        place as i64
    }

    /// Writes the tasks, and in v3.0 the statistics of the whole set.
    fn write_common(&self, plan: &Plan, change: &mut Change) -> Result<()> {
        match &self.shelf {
            Shelf::V21(_) => {
                let lines = self.tasks.iter().enumerate();
                let lines =
                    lines.map(|(index, task)| format!("{}\n", json!({ "task_index": index, "task": task })));
                change.text(crate::v21::TASKS, &lines.collect::<String>())
            }
            Shelf::V30(_) => {
                let aside = change.file(crate::v30::TASKS);
                write_tasks(&aside, &self.tasks)?;
                change.text(WHOLE_SET, &pretty(&self.totals.to_json(plan)))
            }
        }
    }

    /// Brings the totals of `info.json` up to date.
    fn count(&mut self, plan: &Plan, chunks_size: u64) {
        let episode_count = self.entries.len();
        let frame_count = self.entries.last().map_or(0, |last| last.first_index + last.length as u64);
        self.info["total_episodes"] = json!(episode_count);
        self.info["total_frames"] = json!(frame_count);
        self.info["total_tasks"] = json!(self.tasks.len());
        self.info["splits"] = json!({ "train": format!("0:{episode_count}") });
        if matches!(self.shelf, Shelf::V21(_)) {
            self.info["total_videos"] = json!(episode_count * plan.views.len());
            self.info["total_chunks"] = json!((episode_count as u64).div_ceil(chunks_size));
        }
    }
}

/// Reads back how many pictures a video has, and the last of them.
pub(super) fn check_video(part: &Part, episode_index: u64, fps: u32) -> Result<()> {
    let end = part.first_picture + part.picture_count;
    let check = || {
        let mut video = Video::open(&part.path, f64::from(fps))?;
        match video.picture_count() {
            Some(found) if found != end => Err(Fault::Ended(found)),
            _ => video.picture(end - 1).map(drop),
        }
    };
    check().map_err(|fault| video_error(part, episode_index, fps, fault))
}

pub(super) fn video_error(part: &Part, episode_index: u64, fps: u32, fault: Fault) -> Error {
    let span = VideoSpan {
        path: part.path.clone(),
        episode_index,
        first_picture: part.first_picture,
        picture_count: part.picture_count as usize,
        is_whole_file: false,
    };
    span.error(0, f64::from(fps), fault)
}

/// Fails if the set in `root` does not go with what is to be written.
fn check_like(root: &Path, plan: &Plan, format: Format) -> Result<()> {
    let dataset = Dataset::open(root)?;
    if dataset.version() != format.version() {
        return Err(differs(root, "format".to_owned(), dataset.format(), format.version().name()));
    }
    plan.check_like(&dataset)
}

/// Fails if the videos in `root` are of another codec.
fn check_codec(root: &Path, plan: &Plan, codec: VideoCodec) -> Result<()> {
    let info = read_info(root)?;
    for view in &plan.views {
        let feature = &info["features"][&view.name];
        let found = ["info", "video_info"].iter().find_map(|key| feature[*key]["video.codec"].as_str());
        if let Some(found) = found.filter(|found| *found != codec.name()) {
            return Err(differs(root, format!("codec of {}", view.name), found, codec.name()));
        }
    }
    Ok(())
}

fn differs(root: &Path, what: String, existing: &str, new: &str) -> Error {
    Error::Differs { path: root.to_owned(), what, existing: existing.to_owned(), new: new.to_owned() }
}

/// Fails if episodes or tasks are not numbered from 0 on, so that the next number is unclear.
fn check_numbering(dataset: &Dataset) -> Result<()> {
    let gap = |what: &str, mut numbers: Box<dyn Iterator<Item = u64> + '_>| {
        let mut expected = 0;
        let wrong = numbers.find(|number| {
            expected += 1;
            *number != expected - 1
        });
        wrong.map_or(Ok(()), |found| {
            Err(Error::Inconsistent {
                path: dataset.root().to_owned(),
                what: format!("numbers of {what}, to append to"),
                expected: format!("{} after those before", expected - 1),
                found: found.to_string(),
            })
        })
    };
    gap("episodes", Box::new(dataset.episodes().iter().map(|episode| episode.episode_index)))?;
    gap("tasks", Box::new(dataset.tasks().keys().copied()))
}

pub(super) fn read_info(root: &Path) -> Result<Value> {
    let path = root.join(INFO);
    let text = read_text(&path, "description of a LeRobot dataset")?;
    serde_json::from_str(&text).map_err(|source| Error::Json { path, line: 1, source })
}

/// Indented by four, as LeRobot's own.
fn pretty(value: &Value) -> String {
    let mut bytes = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    // A Value has string keys and finite numbers, and a Vec takes all that is written.
    let _ = serde::Serialize::serialize(value, &mut serializer);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn is_empty(root: &Path) -> Result<bool> {
    match fs::read_dir(root) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => Ok(true),
        Err(source) => Err(at(root)(source)),
    }
}
