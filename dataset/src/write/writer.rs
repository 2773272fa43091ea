//! Adds episodes to a dataset, new or old.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::candidate::Candidate;
use super::description::{Description, NewEpisode, Plan, unsupported};
use super::encode::VideoCodec;
use super::entry::{Entry, Totals};
use super::film::{Footage, check_video, video_error};
use super::join::{Obstacle, Part, join};
use super::options::{Format, Options};
use super::paths::{Paths, defaults};
use super::staging::{Change, Staging, at, remove};
use super::state::{
    IDS, INFO, OURS, Shelf, State, check_codec, check_like, check_numbering, pretty, read_info,
};
use super::summary;
use super::tables::{EpisodeRows, counters};
use super::v21::{Lines, file_number};
use super::v30::{Arrival, Ends, Limits, Place, read_entries};
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::numbers::Numbers;
use crate::v30::FileNumber;

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
        let candidate = self.candidate();
        let episode_index = candidate.episode_index;
        if let Some(taken) = id.as_ref().and_then(|id| self.state.ids.get(id)) {
            return Err(candidate.refused(
                "id",
                "one that is not taken",
                &format!("that of episode {taken}"),
            ));
        }
        let checked = candidate.check(columns, tasks)?;
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
        for (place, (view, footage)) in candidate.in_order(footage)?.into_iter().enumerate() {
            let aside = self.staging.path(&format!("episode-{place}.mp4"));
            let (part, of_pictures) = candidate.film(view, footage, self.codec, aside, row_count)?;
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

    fn candidate(&self) -> Candidate<'_> {
        Candidate { root: &self.root, plan: &self.plan, episode_index: self.state.entries.len() as u64 }
    }

    fn place(&self) -> Place<'_> {
        Place { root: &self.root, plan: &self.plan, paths: &self.paths, limits: self.limits }
    }
}

fn is_empty(root: &Path) -> Result<bool> {
    match fs::read_dir(root) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => Ok(true),
        Err(source) => Err(at(root)(source)),
    }
}
