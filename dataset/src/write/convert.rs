//! A dataset in the other format.

use std::fs;
use std::path::PathBuf;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::description::{COUNTERS, Description, PictureError, Pictures, Plan, unsupported};
use super::encode::VideoCodec;
use super::film::Footage;
use super::join::Part;
use super::options::{Format, Options};
use super::state::{IDS, OURS, read_info};
use super::summary::{self, Summary, sampled_rows};
use super::writer::Writer;
use crate::dataset::Dataset;
use crate::episode::Episode;
use crate::error::Result;
use crate::numbers::Numbers;

/// What became of a dataset's videos.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Conversion {
    /// Episodes written, those of an earlier, interrupted conversion not among them.
    pub episode_count: usize,
    /// Videos, one a camera and episode, whose pictures were copied as they are encoded.
    pub copied_video_count: usize,
    /// Videos that had to be encoded anew: they do not begin at a key frame, need pictures of other episodes, or have
    /// pictures beside the times that rows have.
    pub encoded_video_count: usize,
}

/// Writes `source` to the folder `root` in the given format, and goes on where an earlier conversion stopped. Numbers and
/// tasks stay as they are, episodes are numbered from 0 on and keep their ids (those that have none get their number and a
/// digest of their numbers, so that several sets can be put together), statistics are computed anew (those of pictures from
/// the decoded ones). Videos are copied without encoding them anew where that is exact. `on_episode` is called after each
/// episode with its number in `source`.
///
/// # Errors
/// If `source` is damaged or has features that cannot be written, or as [`Writer::open`] and [`Writer::add`].
pub fn convert(
    source: &Dataset,
    root: impl Into<PathBuf>,
    format: Format,
    mut on_episode: impl FnMut(u64),
) -> Result<Conversion> {
    let root = root.into();
    if let (Ok(from), Ok(to)) = (fs::canonicalize(source.root()), fs::canonicalize(&root))
        && from == to
    {
        return Err(unsupported(&root, "conversion", "another folder to write to", "the dataset's own"));
    }
    let plan = Description::of(source)?.plan(source.root())?;
    let codec = codec_of(source)?;
    let features = features(source, &plan, codec)?;
    let options = Options { format, codec, ..Options::default() };
    let mut writer = Writer::open_with(root, plan.clone(), &options, features)?;
    let ids = read_info(source.root())?[OURS][IDS].as_object().cloned().unwrap_or_default();
    let mut done = Conversion::default();
    for (position, info) in source.episodes().iter().enumerate() {
        let own = ids.iter().find(|(_, index)| index.as_u64() == Some(info.episode_index));
        let episode = source.episode(info.episode_index)?;
        let columns = columns(&episode, &plan)?;
        let id = own.map_or_else(|| identity(info.episode_index, &columns), |(id, _)| id.clone());
        if writer.episode_of(&id).is_none() {
            let mut footage = Vec::new();
            for (camera, view) in plan.views.iter().enumerate() {
                let span = source.pictures_of(position, &view.name)?;
                let picture_count = span.picture_count as u64;
                let part = Part { path: span.path, first_picture: span.first_picture, picture_count };
                let made = match writer.cut_out(&part, camera)? {
                    Some(part) => {
                        done.copied_video_count += 1;
                        Footage::Encoded(part, summary_of(&episode, &view.name)?)
                    }
                    None => {
                        done.encoded_video_count += 1;
                        Footage::Pictures(pictures(&episode, &view.name)?)
                    }
                };
                footage.push((view.name.clone(), made));
            }
            writer.add_footage(Some(id), &tasks(&episode), columns, footage)?;
            done.episode_count += 1;
        }
        on_episode(info.episode_index);
    }
    writer.finish()?;
    Ok(done)
}

/// What pictures are encoded with where they cannot be copied: the first video's codec, if we have its encoder.
fn codec_of(source: &Dataset) -> Result<VideoCodec> {
    let (Some(first), Some(camera)) = (source.episodes().first(), source.cameras().first()) else {
        return Ok(VideoCodec::default());
    };
    let info = source.episode(first.episode_index)?.frames(&camera.name)?.video_info();
    Ok(if info.codec == VideoCodec::H264.name() { VideoCodec::H264 } else { VideoCodec::Av1 })
}

/// The features as the set itself spells them, where it has them.
fn features(source: &Dataset, plan: &Plan, codec: VideoCodec) -> Result<Map<String, Value>> {
    let info = read_info(source.root())?;
    let mut features = plan.features_json(codec);
    for (name, feature) in &mut features {
        let is_counter = COUNTERS.iter().any(|(counter, _)| counter == name);
        let spelled = &info["features"][name];
        if !is_counter && spelled.is_object() {
            *feature = spelled.clone();
        }
    }
    Ok(features)
}

fn tasks(episode: &Episode) -> Vec<String> {
    let tasks: Vec<String> =
        (0..episode.row_count()).filter_map(|row| episode.task(row).map(str::to_owned)).collect();
    match tasks.first() {
        Some(first) if tasks.iter().all(|task| task == first) => vec![first.clone()],
        _ => tasks,
    }
}

/// What tells an episode of somebody else's set from every other: the same again when the set has grown.
fn identity(episode_index: u64, columns: &[(String, Numbers)]) -> String {
    let mut digest = Sha256::new();
    for (name, numbers) in columns {
        digest.update(name);
        numbers.to_f64().iter().for_each(|number| digest.update(number.to_le_bytes()));
    }
    let start: String = digest.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("episode {episode_index} {start}")
}

fn columns(episode: &Episode, plan: &Plan) -> Result<Vec<(String, Numbers)>> {
    let column = |vector: &super::description::Vector| {
        let (numbers, _) = episode.numbers(&vector.name)?;
        Ok((vector.name.clone(), numbers.resized(&vector.dtype)))
    };
    plan.vectors.iter().map(column).collect()
}

fn pictures(episode: &Episode, camera: &str) -> Result<Pictures<'static>> {
    let frames = episode.frames(camera)?;
    Ok(Box::new(frames.map(|frame| frame.map_err(|error| Box::new(error) as PictureError))))
}

fn summary_of(episode: &Episode, camera: &str) -> Result<Summary> {
    let mut frames = episode.frames(camera)?;
    let mut summary = summary::Pictures::new();
    for row in sampled_rows(episode.row_count()) {
        let frame = frames.frame_at(row)?;
        summary.add(&frame.rgb, (frame.width as usize, frame.height as usize));
    }
    Ok(summary.finish())
}
