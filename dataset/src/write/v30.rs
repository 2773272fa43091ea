//! Where episodes go in format v3.0: into the last file of each kind, unless it would grow beyond its limit.
//!
//! A file is never changed in place. Its episodes so far and the new one are written to another file that takes its
//! name, so that whoever goes by the old metadata finds what he found before.

use std::fs;
use std::path::Path;

use super::description::Plan;
use super::entry::{Entry, VideoPlace};
use super::film::{check_video, video_error};
use super::join::{Obstacle, Part, join};
use super::paths::Paths;
use super::staging::{Change, at, remove};
use super::tables::{self, EpisodeRows, Groups, join_groups, write_episodes, write_rows};
use crate::error::{Error, Result};
use crate::table::Table;
use crate::v30::{EPISODES, FileNumber, parquet_files};
use crate::video::Video;

const BYTES_PER_MB: u64 = 1 << 20;

/// How large files may become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) chunks_size: u64,
    pub(crate) data_mb: u64,
    pub(crate) video_mb: u64,
}

/// The last file of each kind.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ends {
    data: End<RowFile>,
    videos: Vec<End<PictureFile>>,
    table: End<TableFile>,
}

/// The last file of a kind.
#[derive(Debug, Clone, Copy, Default)]
enum End<F> {
    /// There is none yet.
    #[default]
    None,
    /// It takes no more.
    Full(FileNumber),
    Open(FileNumber, F),
}

#[derive(Debug, Clone, Copy)]
struct RowFile {
    group_count: usize,
    row_count: u64,
    bytes: u64,
}

#[derive(Debug, Clone, Copy)]
struct PictureFile {
    picture_count: u64,
    bytes: u64,
}

#[derive(Debug, Clone, Copy)]
struct TableFile {
    first_entry: usize,
    bytes: u64,
}

impl<F> End<F> {
    /// The number of the file after this one.
    fn next(&self, chunks_size: u64) -> FileNumber {
        match self {
            Self::None => FileNumber { chunk_index: 0, file_index: 0 },
            Self::Full(number) | Self::Open(number, _) if number.file_index + 1 >= chunks_size => {
                FileNumber { chunk_index: number.chunk_index + 1, file_index: 0 }
            }
            Self::Full(number) | Self::Open(number, _) => {
                FileNumber { file_index: number.file_index + 1, ..*number }
            }
        }
    }
}

/// What an episode brings.
pub(crate) struct Arrival<'a> {
    pub(crate) rows: &'a EpisodeRows<'a>,
    /// A file for each camera, its only content.
    pub(crate) videos: &'a [Part],
    /// Episodes already in, and the new one; its places are filled in.
    pub(crate) entries: &'a mut Vec<Entry>,
}

/// The dataset's folder, and what is fixed about it.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) root: &'a Path,
    pub(crate) plan: &'a Plan,
    pub(crate) paths: &'a Paths,
    pub(crate) limits: Limits,
}

impl Ends {
    pub(crate) fn of_nothing(plan: &Plan) -> Self {
        Self { videos: vec![End::None; plan.views.len()], ..Self::default() }
    }

    /// Writes the files of an episode, and says what the last files are once they are in place.
    pub(crate) fn add(&self, place: Place, change: &mut Change, arrival: Arrival) -> Result<Self> {
        let Arrival { rows, videos, entries } = arrival;
        let Some(position) = entries.len().checked_sub(1) else { return Ok(self.clone()) };
        let mut ends = self.clone();
        ends.videos = Vec::new();
        for (camera, (end, part)) in self.videos.iter().zip(videos).enumerate() {
            let (end, place) = add_video(place, change, *end, camera, part, rows.episode_index)?;
            ends.videos.push(end);
            entries[position].videos.push(place);
        }
        let (data, file) = add_rows(place, change, self.data, rows)?;
        ends.data = data;
        entries[position].data = file;
        let (table, file) = match self.table {
            End::Open(file, open) if open.bytes < place.limits.data_mb * BYTES_PER_MB => {
                (open.first_entry, file)
            }
            end => (position, end.next(place.limits.chunks_size)),
        };
        entries[position].table = file;
        let aside = change.file(&table_path(file));
        write_episodes(&aside, place.plan, &entries[table..])?;
        ends.table = End::Open(file, TableFile { first_entry: table, bytes: size(&aside)? });
        Ok(ends)
    }

    /// The last files of a set whose episodes are `entries`. With `is_ours` they go on, else new ones are begun.
    pub(crate) fn of(place: Place, entries: &[Entry], is_ours: bool) -> Result<Self> {
        let Some(last) = entries.last() else { return Ok(Self::of_nothing(place.plan)) };
        if !is_ours {
            // As LeRobot does when it goes on recording.
            let videos = last.videos.iter().map(|video| End::Full(video.file)).collect();
            return Ok(Self { data: End::Full(last.data), videos, table: End::Full(last.table) });
        }
        let videos =
            (0..last.videos.len()).map(|camera| last_video(place, entries, camera)).collect::<Result<_>>()?;
        let first_entry = entries.iter().position(|entry| entry.table == last.table).unwrap_or(0);
        let bytes = size(&place.root.join(table_path(last.table)))?;
        let table = End::Open(last.table, TableFile { first_entry, bytes });
        Ok(Self { data: last_rows(place, entries)?, videos, table })
    }

    /// Removes what an episode left behind that did not get in.
    pub(crate) fn cut(&self, place: Place, change: &mut Change, entries: &[Entry]) -> Result<()> {
        let chunks_size = place.limits.chunks_size;
        remove(&place.root.join(place.paths.data(self.data.next(chunks_size))))?;
        remove(&place.root.join(table_path(self.table.next(chunks_size))))?;
        for (view, end) in place.plan.views.iter().zip(&self.videos) {
            remove(&place.root.join(place.paths.video(end.next(chunks_size), &view.name)))?;
        }
        if let End::Open(file, open) = self.data {
            let path = place.root.join(place.paths.data(file));
            if Table::open(&path, "rows")?.row_count() as u64 > open.row_count {
                let aside = change.file(&place.paths.data(file));
                join_groups(&aside, &[Groups { path, count: open.group_count }])?;
            }
        }
        if let End::Open(file, open) = self.table {
            let aside = change.file(&table_path(file));
            write_episodes(&aside, place.plan, &entries[open.first_entry..])?;
        }
        for (view, end) in place.plan.views.iter().zip(&self.videos) {
            let End::Open(file, open) = end else { continue };
            let target = place.paths.video(*file, &view.name);
            let path = place.root.join(&target);
            let fps = place.plan.description.fps;
            let found = Video::open(&path, f64::from(fps)).map(|video| video.picture_count());
            let part = Part { path, first_picture: 0, picture_count: open.picture_count };
            if found.map_err(|fault| video_error(&part, 0, fps, fault))? == Some(open.picture_count) {
                continue;
            }
            let aside = change.file(&target);
            join(std::slice::from_ref(&part), &aside, fps)
                .map_err(|obstacle| join_error(&part, 0, fps, obstacle))?;
        }
        Ok(())
    }
}

fn add_rows(
    place: Place,
    change: &mut Change,
    end: End<RowFile>,
    rows: &EpisodeRows,
) -> Result<(End<RowFile>, FileNumber)> {
    let row_count = rows.task_indices.len() as u64;
    let alone = change.scratch("rows.parquet");
    write_rows(&alone, rows)?;
    if let End::Open(file, open) = end {
        let path = place.root.join(place.paths.data(file));
        let has_room = open.bytes + size(&alone)? < place.limits.data_mb * BYTES_PER_MB;
        let [old, new] = [Table::open(&path, "rows")?, Table::open(&alone, "rows")?];
        if has_room && old.is_like(&new) {
            let aside = change.file(&place.paths.data(file));
            join_groups(
                &aside,
                &[
                    Groups { path, count: open.group_count },
                    Groups { path: alone, count: new.group_row_counts().len() },
                ],
            )?;
            let open = RowFile {
                group_count: open.group_count + new.group_row_counts().len(),
                row_count: open.row_count + row_count,
                bytes: size(&aside)?,
            };
            return Ok((End::Open(file, open), file));
        }
    }
    let file = end.next(place.limits.chunks_size);
    let group_count = Table::open(&alone, "rows")?.group_row_counts().len();
    let open = RowFile { group_count, row_count, bytes: size(&alone)? };
    change.take(alone, &place.paths.data(file));
    Ok((End::Open(file, open), file))
}

fn add_video(
    place: Place,
    change: &mut Change,
    end: End<PictureFile>,
    camera: usize,
    part: &Part,
    episode_index: u64,
) -> Result<(End<PictureFile>, VideoPlace)> {
    let (name, fps) = (&place.plan.views[camera].name, place.plan.description.fps);
    let bytes = size(&part.path)?;
    if let End::Open(file, open) = end
        && open.bytes + bytes < place.limits.video_mb * BYTES_PER_MB
    {
        let target = place.paths.video(file, name);
        let path = place.root.join(&target);
        let old = Part { path, first_picture: 0, picture_count: open.picture_count };
        let aside = change.scratch(&format!("joined-{camera}.mp4"));
        match join(&[old, part.clone()], &aside, fps) {
            Ok(()) => {
                let picture_count = open.picture_count + part.picture_count;
                let joined = Part { path: aside, first_picture: open.picture_count, ..part.clone() };
                check_video(&joined, episode_index, fps)?;
                let open = PictureFile { picture_count, bytes: size(&joined.path)? };
                change.take(joined.path, &target);
                return Ok((End::Open(file, open), VideoPlace { file, first_picture: joined.first_picture }));
            }
            // Encoded in another way: it needs a file of its own.
            Err(Obstacle::Unlike | Obstacle::NotWhole) => {}
            Err(obstacle) => return Err(join_error(part, episode_index, fps, obstacle)),
        }
    }
    let file = end.next(place.limits.chunks_size);
    change.take(part.path.clone(), &place.paths.video(file, name));
    let open = PictureFile { picture_count: part.picture_count, bytes };
    Ok((End::Open(file, open), VideoPlace { file, first_picture: 0 }))
}

fn last_rows(place: Place, entries: &[Entry]) -> Result<End<RowFile>> {
    let Some(last) = entries.last() else { return Ok(End::None) };
    let path = place.root.join(place.paths.data(last.data));
    let row_count =
        entries.iter().filter(|entry| entry.data == last.data).map(|entry| entry.length).sum::<usize>();
    let mut counted = 0;
    for (index, rows) in Table::open(&path, "rows")?.group_row_counts().into_iter().enumerate() {
        counted += rows;
        if counted == row_count {
            // Of the size it has without what may follow, which is cut off before anything is added.
            let bytes = size(&path)?;
            let open = RowFile { group_count: index + 1, row_count: row_count as u64, bytes };
            return Ok(End::Open(last.data, open));
        }
    }
    Ok(End::Full(last.data))
}

fn last_video(place: Place, entries: &[Entry], camera: usize) -> Result<End<PictureFile>> {
    let Some(file) = entries.last().map(|entry| entry.videos[camera].file) else { return Ok(End::None) };
    let in_file = entries.iter().filter(|entry| entry.videos[camera].file == file);
    let ends = in_file.map(|entry| entry.videos[camera].first_picture + entry.length as u64);
    let picture_count = ends.max().unwrap_or(0);
    let bytes = size(&place.root.join(place.paths.video(file, &place.plan.views[camera].name)))?;
    Ok(End::Open(file, PictureFile { picture_count, bytes }))
}

/// Reads all lines of the episodes table but those past `episode_count`.
pub(crate) fn read_entries(root: &Path, plan: &Plan, episode_count: usize) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for path in parquet_files(&root.join(EPISODES))? {
        read_file(&path, plan, &mut entries)?;
    }
    entries.truncate(episode_count);
    Ok(entries)
}

fn read_file(path: &Path, plan: &Plan, entries: &mut Vec<Entry>) -> Result<()> {
    let table = Table::open(path, "episodes table")?;
    check_columns(&table, plan)?;
    let counts = |column: &str| table.counts(column);
    let files = |prefix: &str| -> Result<Vec<FileNumber>> {
        let chunks = counts(&format!("{prefix}/chunk_index"))?;
        let files = counts(&format!("{prefix}/file_index"))?;
        let numbers = chunks.into_iter().zip(files);
        Ok(numbers.map(|(chunk_index, file_index)| FileNumber { chunk_index, file_index }).collect())
    };
    let row_count = table.row_count();
    let [episode_index, length, first_index] =
        [counts("episode_index")?, counts("length")?, counts("dataset_from_index")?];
    let (tasks, data, own) = (table.string_lists("tasks")?, files("data")?, files("meta/episodes")?);
    let mut videos = vec![Vec::new(); row_count];
    for view in &plan.views {
        let prefix = format!("videos/{}", view.name);
        let from_s = table.doubles(&format!("{prefix}/from_timestamp"), 0..row_count)?;
        for (row, (file, from_s)) in files(&prefix)?.into_iter().zip(from_s).enumerate() {
            let first_picture = (from_s * f64::from(plan.description.fps)).round() as u64;
            videos[row].push(VideoPlace { file, first_picture });
        }
    }
    let mut statistics = vec![std::collections::BTreeMap::new(); row_count];
    for (feature, _) in plan.statistics() {
        let mut summaries = vec![super::summary::Summary::new(); row_count];
        for name in super::summary::NAMES {
            let (numbers, width) = table.numbers(&format!("stats/{feature}/{name}"), 0..row_count)?;
            for (summary, values) in summaries.iter_mut().zip(numbers.to_f64().chunks(width)) {
                summary.insert(name.to_owned(), values.to_vec());
            }
        }
        for (row, summary) in summaries.into_iter().enumerate() {
            statistics[row].insert(feature.clone(), summary);
        }
    }
    for (row, (videos, statistics)) in videos.into_iter().zip(statistics).enumerate() {
        entries.push(Entry {
            episode_index: episode_index[row],
            length: length[row] as usize,
            tasks: tasks[row].clone(),
            first_index: first_index[row],
            statistics,
            data: data[row],
            videos,
            table: own[row],
        });
    }
    Ok(())
}

/// LeRobot cannot open a set whose tables have different columns.
fn check_columns(table: &Table, plan: &Plan) -> Result<()> {
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names
    };
    let existing = sorted(table.schema().fields().iter().map(|field| field.name().clone()).collect());
    let new = sorted(tables::episode_columns(plan, &[]).into_iter().map(|(name, _)| name).collect());
    if existing == new {
        return Ok(());
    }
    let only = |these: &[String], those: &[String]| -> String {
        let names: Vec<_> = these.iter().filter(|name| !those.contains(name)).cloned().collect();
        if names.is_empty() { "none besides".to_owned() } else { names.join(", ") }
    };
    Err(Error::Differs {
        path: table.path().to_owned(),
        what: "columns of the episodes table".to_owned(),
        existing: only(&existing, &new),
        new: only(&new, &existing),
    })
}

fn table_path(file: FileNumber) -> String {
    format!("{EPISODES}/chunk-{:03}/file-{:03}.parquet", file.chunk_index, file.file_index)
}

fn size(path: &Path) -> Result<u64> {
    fs::metadata(path).map(|metadata| metadata.len()).map_err(at(path))
}

fn join_error(part: &Part, episode_index: u64, fps: u32, obstacle: Obstacle) -> Error {
    let fault = match obstacle {
        Obstacle::Fault(fault) => fault,
        Obstacle::NotWhole | Obstacle::Unlike => crate::video::Fault::Ffmpeg(
            "copy pictures without encoding them anew",
            ffmpeg_next::Error::InvalidData,
        ),
    };
    video_error(part, episode_index, fps, fault)
}
