//! What there is to say of a dataset, read from its folder.

use crate::Error;
use crate::analyze::analysis::{DataReport, OwnStatistics, StatisticDifference};
use crate::analyze::data_report::{self, Found, Names, Rules};
use crate::analyze::episodes::Tracks;
use crate::data::{
    Corpus, DataOptions, DatasetOptions, Disagreement, Severity, Statistics, TOLERANCE, check, compare,
};
use sinew_dataset::Dataset;
use std::path::Path;

/// Looks at the episodes and at the dataset itself.
///
/// # Errors
/// If an episode, or the statistics that the dataset keeps, cannot be read.
pub fn report(
    corpus: &Corpus,
    tracks: &Tracks,
    options: &DataOptions,
    rules: &Rules<'_>,
) -> Result<DataReport, Error> {
    let faults = (0..corpus.dataset_count()).flat_map(|place| {
        let episodes = corpus.train_episodes().iter().chain(corpus.validation_episodes());
        let episodes =
            episodes.filter(|episode| episode.dataset == place).map(|episode| episode.episode_index);
        check(corpus.dataset(place), &episodes.collect::<Vec<_>>(), false, || ()).0
    });
    let faults = faults.filter(|finding| finding.severity == Severity::Fault);
    let faults: Vec<String> = faults.map(|finding| finding.message).collect();
    let own_statistics = if faults.is_empty() {
        own_statistics(corpus.dataset(0), options)?
    } else {
        not_compared("the dataset has episodes with faults, whose rows cannot be counted")
    };
    let names = Names { action: corpus.action_names(), state: &corpus.state_names() };
    let found = Found { faults, own_statistics };
    let mut report = data_report::report(tracks, &names, rules, corpus.fps(), found);
    for outlier in &mut report.outliers {
        outlier.link = link(corpus, outlier.episode_index, outlier.row);
    }
    Ok(report)
}

/// The dataset's own statistics beside those of all its rows, whatever part of them is looked at otherwise.
fn own_statistics(first: &Dataset, options: &DataOptions) -> Result<OwnStatistics, Error> {
    let mut tables = first.episodes().iter().map(|episode| first.table_path(episode.episode_index));
    if !tables.all(|path| path.is_ok_and(|path| path.exists())) {
        return Ok(not_compared("not all of its episodes are here"));
    }
    let whole = |dataset: &DatasetOptions| DatasetOptions {
        path: first.root().display().to_string(),
        episodes: Vec::new(),
        tasks: Vec::new(),
        ..dataset.clone()
    };
    let options = DataOptions {
        datasets: options.datasets.iter().take(1).map(whole).collect(),
        validation_fraction: 0.0,
        frame_stride: 1,
        sub_episode: None,
        curriculum: Vec::new(),
        trim_idle: None,
        ..options.clone()
    };
    let corpus = Corpus::open(&options, 1)?;
    let Some(disagreements) = compare(&corpus, 0, &Statistics::of(&corpus)?, TOLERANCE)? else {
        return Ok(not_compared("the dataset keeps no statistics of itself"));
    };
    let difference = |found: Disagreement| StatisticDifference {
        feature: found.feature.to_owned(),
        dimension: found.dimension,
        statistic: found.statistic.to_owned(),
        ours: found.ours,
        theirs: found.theirs,
        part: found.part,
    };
    Ok(OwnStatistics { not_compared: None, differences: disagreements.into_iter().map(difference).collect() })
}

fn not_compared(reason: &str) -> OwnStatistics {
    OwnStatistics { not_compared: Some(reason.to_owned()), differences: Vec::new() }
}

/// The first camera's video with the row's time in it, which browsers and players understand.
fn link(corpus: &Corpus, episode_index: u64, row: usize) -> Option<String> {
    let dataset = corpus.dataset(0);
    let camera = &dataset.cameras().first()?.name;
    let (path, place_s) = dataset.episode(episode_index).ok()?.picture_place(camera, row).ok()?;
    let path: &Path = &path.canonicalize().ok()?;
    let path = path.display().to_string().replace('%', "%25").replace(' ', "%20");
    Some(format!("file://{path}#t={place_s:.2}"))
}
