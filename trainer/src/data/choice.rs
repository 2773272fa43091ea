//! Which episodes of a dataset are taken, and which files that needs.

use crate::Error;
use crate::data::limits::invalid;
use crate::data::options::{DataOptions, DatasetOptions, EpisodeSpan};
use crate::data::selection::unknown;
use sinew_dataset::{Dataset, EpisodeInfo};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// The files that hold an episode's rows and these cameras' pictures of it.
///
/// # Errors
/// If there is no such episode or camera, or the metadata do not say where its files are.
pub(super) fn files_of<'a>(
    dataset: &Dataset,
    episode_index: u64,
    cameras: impl Iterator<Item = &'a str>,
) -> Result<BTreeSet<PathBuf>, Error> {
    let mut files = BTreeSet::from([dataset.table_path(episode_index)?]);
    for camera in cameras {
        files.insert(dataset.video_path(episode_index, camera)?);
    }
    Ok(files)
}

/// All files that hold the episodes in these spans; of all episodes, if there are none.
///
/// # Errors
/// If there is no episode in one of them, or the metadata do not say where its files are.
pub fn files_in(dataset: &Dataset, spans: &[EpisodeSpan]) -> Result<BTreeSet<PathBuf>, Error> {
    let mut files = BTreeSet::new();
    for episode in episodes_in(dataset, spans)? {
        files.extend(files_of(
            dataset,
            episode,
            dataset.cameras().iter().map(|camera| camera.name.as_str()),
        )?);
    }
    Ok(files)
}

/// The files that a training needs of a dataset.
pub(crate) fn needed(
    dataset: &Dataset,
    own: &DatasetOptions,
    options: &DataOptions,
) -> Result<BTreeSet<PathBuf>, Error> {
    let cameras: Vec<&str> = if options.cameras.is_empty() {
        dataset.cameras().iter().map(|camera| camera.name.as_str()).collect()
    } else {
        let name = |(key, shared)| own.cameras.get(key).map_or(shared, |name: &String| name).as_str();
        options.cameras.iter().map(name).collect()
    };
    let mut files = BTreeSet::new();
    for episode in chosen(dataset, own)? {
        files.extend(files_of(dataset, episode.episode_index, cameras.iter().copied())?);
    }
    Ok(files)
}

/// Numbers of the episodes in these spans, in the dataset's order; of all, if there are none.
///
/// # Errors
/// If there is no episode in one of them.
pub fn episodes_in(dataset: &Dataset, spans: &[EpisodeSpan]) -> Result<Vec<u64>, Error> {
    let episodes = dataset.episodes();
    for span in spans {
        if !episodes.iter().any(|episode| span.0.contains(&episode.episode_index)) {
            return Err(sinew_dataset::Error::UnknownEpisode {
                path: dataset.root().to_owned(),
                episode_index: *span.0.start(),
                episode_count: episodes.len(),
                first: episodes.iter().map(|episode| episode.episode_index).min().unwrap_or(0),
                last: episodes.iter().map(|episode| episode.episode_index).max().unwrap_or(0),
            }
            .into());
        }
    }
    let is_chosen =
        |number: &u64| spans.is_empty() || spans.iter().any(|EpisodeSpan(span)| span.contains(number));
    Ok(episodes.iter().map(|episode| episode.episode_index).filter(is_chosen).collect())
}

/// The episodes that both filters leave.
pub(crate) fn chosen<'a>(
    dataset: &'a Dataset,
    options: &DatasetOptions,
) -> Result<Vec<&'a EpisodeInfo>, Error> {
    let episodes = dataset.episodes();
    let by_number: BTreeSet<u64> = episodes_in(dataset, &options.episodes)?.into_iter().collect();
    let known_tasks = || episodes.iter().flat_map(|episode| &episode.tasks);
    if let Some(task) = options.tasks.iter().find(|task| !known_tasks().any(|known| known == *task)) {
        let place = dataset.root().display().to_string();
        return Err(unknown("task", task, place, known_tasks().map(String::as_str)));
    }
    let is_taken = |episode: &&EpisodeInfo| {
        let by_task =
            options.tasks.is_empty() || episode.tasks.iter().any(|task| options.tasks.contains(task));
        by_task && by_number.contains(&episode.episode_index)
    };
    let taken: Vec<_> = episodes.iter().filter(is_taken).collect();
    if taken.is_empty() {
        return Err(invalid(
            &format!("datasets `{}`", options.path),
            "no episode",
            "at least one that both filters leave",
        ));
    }
    Ok(taken)
}
