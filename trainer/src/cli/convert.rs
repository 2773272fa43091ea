//! `sinew-trainer convert`

use super::{episode_bar, print};
use crate::Error;
use crate::convert::{Conversion, Fate, FormOptions, Options, Remarks, Sources, convert};
use clap::{Args, ValueEnum};
use sinew_dataset::{Dataset, Format, Options as WriteOptions, VideoCodec};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// A tenth of LeRobot's: each episode writes the file that it goes into anew.
const VIDEO_FILES_SIZE_MB: u64 = 20;

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Codec {
    Av1,
    H264,
}

/// How logs become episodes.
#[derive(Debug, Args)]
pub(super) struct LogFlags {
    /// What state and action are: a layout of the robot, or a file. Default: what the policy saw that drove, else the
    /// robot's first.
    #[arg(long)]
    pub(super) layout: Option<String>,
    /// Rows a second. Default: the layout's.
    #[arg(long)]
    rate: Option<u32>,
    /// Cameras, with commas between; times refer to the first. Default: the policy's that drove, else all of the robot's.
    #[arg(long, value_delimiter = ',')]
    cameras: Vec<String>,
    /// The robot of logs that do not hold its description: a built-in one, or a file.
    #[arg(long)]
    robot: Option<String>,
    /// The task of episodes that do not say theirs.
    #[arg(long)]
    instruction: Option<String>,
    /// Only episodes that were marked as a success.
    #[arg(long)]
    only_successful: bool,
    /// Farthest that an observation may be from its row, milliseconds. Default: `sync.max_skew_ms` of the recording.
    #[arg(long)]
    max_gap_ms: Option<f64>,
    /// How videos are compressed. Default: av1.
    #[arg(long)]
    codec: Option<Codec>,
}

#[derive(Debug, Args)]
pub(super) struct Convert {
    /// Logs (.mcap) and folders of logs; or one LeRobot dataset, to write it in the other format.
    #[arg(required = true)]
    logs: Vec<PathBuf>,
    /// The dataset's folder. Episodes are added to what is there; those that are in already are passed over.
    #[arg(long)]
    output: PathBuf,
    #[command(flatten)]
    flags: LogFlags,
    /// LeRobot's format v2.1 instead of v3.0.
    #[arg(long)]
    v21: bool,
}

impl LogFlags {
    pub(super) fn options(&self, format: Format) -> Options {
        let codec = match self.codec {
            None | Some(Codec::Av1) => VideoCodec::Av1,
            Some(Codec::H264) => VideoCodec::H264,
        };
        Options {
            form: FormOptions {
                robot: self.robot.clone(),
                layout: self.layout.clone(),
                cameras: self.cameras.clone(),
                fps: self.rate,
            },
            write: WriteOptions {
                format,
                codec,
                video_files_size_mb: VIDEO_FILES_SIZE_MB,
                ..WriteOptions::default()
            },
            only_successful: self.only_successful,
            instruction: self.instruction.clone(),
            max_gap_ms: self.max_gap_ms,
        }
    }

    /// The first flag that was given, if one was.
    pub(super) fn given(&self) -> Option<&'static str> {
        let flags = [
            ("--layout", self.layout.is_some()),
            ("--rate", self.rate.is_some()),
            ("--cameras", !self.cameras.is_empty()),
            ("--robot", self.robot.is_some()),
            ("--instruction", self.instruction.is_some()),
            ("--only-successful", self.only_successful),
            ("--max-gap-ms", self.max_gap_ms.is_some()),
            ("--codec", self.codec.is_some()),
        ];
        flags.into_iter().find(|(_, is_given)| *is_given).map(|(flag, _)| flag)
    }
}

impl Convert {
    pub(super) fn run(&self) -> Result<(), Error> {
        match &self.logs[..] {
            [dataset] if dataset.join("meta/info.json").is_file() => self.rewrite(dataset),
            _ => self.convert(),
        }
    }

    fn convert(&self) -> Result<(), Error> {
        let sources = Sources::find(&self.logs)?;
        let bar = episode_bar(sources.logs.len() + sources.unfinished.len());
        let result = convert(&sources, &self.output, &self.flags.options(self.format()), |path, fate| {
            bar.suspend(|| say(path, fate));
            bar.inc(1);
        });
        bar.finish_and_clear();
        let conversion = result?;
        print(self.summary(&conversion)?.trim_end())?;
        match conversion.refused_count() {
            0 => Ok(()),
            refused_count => Err(Error::Refused { refused_count, log_count: conversion.logs.len() }),
        }
    }

    fn format(&self) -> Format {
        if self.v21 { Format::V21 } else { Format::V30 }
    }

    fn summary(&self, conversion: &Conversion) -> Result<String, Error> {
        let (mut added, mut rows, mut known, mut left_out) = (0, 0, 0, 0);
        for (_, fate) in &conversion.logs {
            match fate {
                Fate::Added { row_count, .. } => (added, rows) = (added + 1, rows + row_count),
                Fate::Known { .. } => known += 1,
                Fate::LeftOut { .. } => left_out += 1,
                Fate::Refused(_) => {}
            }
        }
        let refused = conversion.refused_count();
        let mut text = String::new();
        let mut line = |line: String| {
            let _ = writeln!(text, "{line}");
        };
        line(format!("{:<12} {:>7}", "logs", conversion.logs.len()));
        line(format!("{:<12} {added:>7}  {rows} rows", "converted"));
        line(format!("{:<12} {known:>7}", "in already"));
        line(format!("{:<12} {left_out:>7}", "left out"));
        line(format!("{:<12} {refused:>7}", "refused"));
        if added > 0 {
            let of = |side: &dyn Fn(&Remarks) -> f64| remarks(conversion).map(side).fold(0.0, f64::max);
            let (before, behind) = (of(&|remarks| remarks.before_s), of(&|remarks| remarks.behind_s));
            line(format!(
                "at most {before:.2} s before the first row and {behind:.2} s behind the last are left out"
            ));
        }
        let (mut uncommanded, mut late) = (BTreeMap::new(), BTreeMap::new());
        for remarks in remarks(conversion) {
            for group in &remarks.uncommanded {
                *uncommanded.entry(group).or_insert(0) += 1;
            }
            for (group, count) in &remarks.commanded_late {
                let (episodes, rows) = late.entry(group).or_insert((0, 0));
                (*episodes, *rows) = (*episodes + 1, *rows + count);
            }
        }
        for (group, count) in uncommanded {
            line(format!(
                "{group}: not commanded in {count} episodes: its action is where it stands, zero for a base"
            ));
        }
        for (group, (episodes, rows)) in late {
            line(format!(
                "{group}: first commanded after the first row in {episodes} episodes: the action of {rows} rows is where it stands"
            ));
        }
        if conversion.made.is_some() {
            let dataset = Dataset::open(&self.output)?;
            let tasks: Vec<&str> = dataset.tasks().values().map(String::as_str).collect();
            line(format!(
                "{}: {} episodes; tasks: {}",
                self.output.display(),
                dataset.episode_count(),
                tasks.join("; ")
            ));
        }
        Ok(text)
    }

    /// Writes a dataset in the other format.
    fn rewrite(&self, source: &Path) -> Result<(), Error> {
        if let Some(flag) = self.flags.given() {
            let source = source.display();
            return Err(Error::Usage(format!(
                "{flag} is for logs, and {source} is a dataset: it is rewritten as it is"
            )));
        }
        let dataset = Dataset::open(source)?;
        let bar = episode_bar(dataset.episode_count());
        let done = sinew_dataset::convert(&dataset, &self.output, self.format(), |_| bar.inc(1));
        bar.finish_and_clear();
        let done = done?;
        print(&format!(
            "{}: {} episodes written; {} videos copied, {} encoded anew",
            self.output.display(),
            done.episode_count,
            done.copied_video_count,
            done.encoded_video_count
        ))
    }
}

fn remarks(conversion: &Conversion) -> impl Iterator<Item = &Remarks> {
    conversion.logs.iter().filter_map(|(_, fate)| match fate {
        Fate::Added { remarks, .. } => Some(remarks),
        _ => None,
    })
}

/// Says at once what became of a log.
pub(super) fn say(path: &Path, fate: &Fate) {
    let path = path.display();
    match fate {
        Fate::Added { episode_index, row_count, remarks } => {
            let (before, behind) = (remarks.before_s, remarks.behind_s);
            tracing::info!(
                "{path}: episode {episode_index}, {row_count} rows; {before:.2} s before them and {behind:.2} s behind are left out"
            );
            for (input, fault, count) in &remarks.faults {
                tracing::warn!("{path}: {input}: {count} messages not used: {fault}");
            }
        }
        Fate::Known { episode_index } => tracing::info!("{path}: in already, as episode {episode_index}"),
        Fate::LeftOut { reason } => tracing::warn!("{path}: left out: {reason}"),
        Fate::Refused(error) => tracing::error!("{error}"),
    }
}
