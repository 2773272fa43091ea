//! `sinew-trainer stats`

use super::{episode_bar, print, report};
use crate::Error;
use crate::data::{
    ACTION, ALL, Choice, Corpus, DataOptions, DatasetOptions, EpisodeSpan, FeatureStatistics, Findings, Hub,
    STATE, Statistics, TOLERANCE, check, compare, episodes_in, files_in,
};
use clap::Args;
use serde_json::json;
use sinew_dataset::Dataset;
use sinew_models::embodiment::Embodiment;
use std::fmt;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub(super) struct Stats {
    /// The dataset's folder, or its name on the Hugging Face hub.
    dataset: String,
    /// The episodes to compute them of, e.g. `3,10-40`, which are all that is fetched of a dataset on the hub. Without it: all.
    #[arg(long, value_delimiter = ',', value_name = "NUMBERS")]
    episodes: Vec<EpisodeSpan>,
    /// Where to write them, as LeRobot's stats.json.
    #[arg(long)]
    output: Option<PathBuf>,
    /// Numbers of the state: `all`, a layout of the robot, or names and groups with commas between.
    #[arg(long, default_value = ALL)]
    state: String,
    /// Numbers of the action, in the same way.
    #[arg(long, default_value = ALL)]
    action: String,
    /// The robot whose tables name the numbers of a dataset that does not: a built-in one, or a file.
    #[arg(long, default_value = "r1pro")]
    robot: String,
    /// Below it a standard deviation is reported as near-constant.
    #[arg(long, default_value_t = DataOptions::default().std_floor)]
    std_floor: f64,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Stats {
    pub(super) fn run(&self) -> Result<(), Error> {
        let dataset = Hub::from_env().open(&self.dataset, |dataset| files_in(dataset, &self.episodes))?;
        let episodes = episodes_in(&dataset, &self.episodes)?;
        let root = dataset.root();
        let bar = episode_bar(episodes.len());
        let mut findings = check(&dataset, &episodes, false, || bar.inc(1));
        bar.finish_and_clear();
        let statistics = self.statistics(&dataset, &episodes, &mut findings);
        report(&findings);
        if let Some(statistics) = statistics? {
            self.write(&statistics, &findings)?;
        }
        match findings.fault_count() {
            0 => Ok(()),
            fault_count => Err(Error::Unsound { path: root.to_owned(), fault_count }),
        }
    }

    /// Statistics of the episodes without a fault, if there are any.
    fn statistics(
        &self,
        dataset: &Dataset,
        episodes: &[u64],
        findings: &mut Findings,
    ) -> Result<Option<Statistics>, Error> {
        let faulty = findings.faulty_episodes();
        let sound: Vec<_> = episodes.iter().copied().filter(|number| !faulty.contains(number)).collect();
        if sound.is_empty() {
            return Ok(None);
        }
        let corpus = Corpus::open(&self.options(dataset.root(), &sound)?, 1)?;
        let statistics = Statistics::of(&corpus)?;
        if sound.len() == dataset.episode_count() {
            note_disagreements(&corpus, &statistics, findings)?;
        } else {
            findings.note(format!(
                "statistics are of {} of {} episodes",
                sound.len(),
                dataset.episode_count()
            ));
        }
        for near in statistics.floored(self.std_floor).1.iter().filter(|near| near.statistic == "std") {
            findings.note(format!(
                "{} `{}`: standard deviation {:.1e} is below {:.1e}: to a training as good as constant",
                near.feature, near.dimension, near.found, self.std_floor
            ));
        }
        Ok(Some(statistics))
    }

    fn options(&self, root: &Path, sound: &[u64]) -> Result<DataOptions, Error> {
        let robot = Embodiment::named(&self.robot)?;
        let choice = |text: &str| {
            if text == ALL || robot.layout(text).is_ok() {
                Choice::Layout(text.to_owned())
            } else {
                Choice::Names(text.split(',').map(|name| name.trim().to_owned()).collect())
            }
        };
        let episodes = sound.iter().map(|number| EpisodeSpan(*number..=*number)).collect();
        Ok(DataOptions {
            datasets: vec![DatasetOptions { episodes, ..DatasetOptions::of(root.display().to_string()) }],
            robot: self.robot.clone(),
            state: choice(&self.state),
            action: choice(&self.action),
            validation_fraction: 0.0,
            ..DataOptions::default()
        })
    }

    fn write(&self, statistics: &Statistics, findings: &Findings) -> Result<(), Error> {
        if let Some(output) = &self.output {
            std::fs::write(output, format!("{:#}\n", statistics.to_json())).map_err(Error::io(output))?;
        }
        if self.json {
            return print(&format!(
                "{:#}",
                json!({ "statistics": statistics.to_json(), "findings": findings })
            ));
        }
        print(&format!("{}\n{}", Table(STATE, &statistics.state), Table(ACTION, &statistics.action)))
    }
}

fn note_disagreements(
    corpus: &Corpus,
    statistics: &Statistics,
    findings: &mut Findings,
) -> Result<(), Error> {
    match compare(corpus, 0, statistics, TOLERANCE)? {
        None => findings.note("the dataset has no statistics of its own to compare with".to_owned()),
        Some(disagreements) => {
            for found in disagreements {
                findings.note(format!(
                    "{} `{}`: {} is {}, the dataset's own statistics say {}",
                    found.feature, found.dimension, found.statistic, found.ours, found.theirs
                ));
            }
        }
    }
    Ok(())
}

/// A line a dimension.
struct Table<'a>(&'a str, &'a FeatureStatistics);

impl fmt::Display for Table<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(feature, statistics) = self;
        let width = statistics.names.iter().map(String::len).max().unwrap_or(0);
        write!(out, "{feature}, {} frames\n{:width$}", statistics.count, "")?;
        for (statistic, _) in statistics.named() {
            write!(out, " {statistic:>11}")?;
        }
        for (place, name) in statistics.names.iter().enumerate() {
            write!(out, "\n{name:width$}")?;
            for (_, values) in statistics.named() {
                write!(out, " {:>11.5}", values[place])?;
            }
        }
        writeln!(out)
    }
}
