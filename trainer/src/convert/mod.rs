//! Recorded episodes to a LeRobot dataset.
//!
//! A log is read once for its numbers, in the order in which the robot's computer heard it and by the runtime's own rules
//! (`sinew_sync`), and once a camera for the pictures that rows show. Of the pictures one is in memory at a time.

mod command;
mod film;
mod gather;
pub mod grid;
mod opening;
mod plan;
mod rows;
mod sources;
pub mod track;

pub use opening::{Opening, Settings, SyncSettings};
pub use plan::{Form, FormOptions};
pub use rows::Remarks;
pub use sources::Sources;

use crate::Error;
use crate::data::{ACTION, STATE};
use film::Film;
use plan::Plan;
use rows::{Rows, Rule};
use sinew_dataset::{
    Dataset, Description, Feature, NewEpisode, Numbers, Options as WriteOptions, PictureError, Writer,
};
use std::path::{Path, PathBuf};

/// What becomes of logs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// What the dataset is like.
    pub form: FormOptions,
    /// How it is written.
    pub write: WriteOptions,
    /// Leave out what was not marked as a success.
    pub only_successful: bool,
    /// The task of episodes that do not say theirs.
    pub instruction: Option<String>,
    /// Farthest that an observation may be from its row, milliseconds. Otherwise the configuration's `sync.max_skew_ms`.
    pub max_gap_ms: Option<f64>,
}

/// What became of a log.
#[derive(Debug)]
pub enum Fate {
    /// It is an episode of the dataset now.
    Added {
        /// Its number.
        episode_index: u64,
        /// Its rows.
        row_count: usize,
        /// What to know of it.
        remarks: Remarks,
    },
    /// It was one before.
    Known {
        /// Its number.
        episode_index: u64,
    },
    /// It was to be left out.
    LeftOut {
        /// Because of what.
        reason: String,
    },
    /// It cannot be one.
    Refused(Error),
}

/// What became of all logs.
#[derive(Debug, Default)]
pub struct Conversion {
    /// Each log and its fate, in order.
    pub logs: Vec<(PathBuf, Fate)>,
    /// The dataset, if there is one.
    pub made: Option<Made>,
}

/// What logs were made to.
#[derive(Clone, Debug, PartialEq)]
pub struct Made {
    /// What its episodes have in common.
    pub form: Form,
    /// The description of their robot, as the first log or the caller has it.
    pub robot: String,
    /// Episodes that are in now.
    pub episode_count: usize,
}

impl Conversion {
    /// How many logs were refused.
    #[must_use]
    pub fn refused_count(&self) -> usize {
        self.logs.iter().filter(|(_, fate)| matches!(fate, Fate::Refused(_))).count()
    }
}

/// Adds logs to the dataset in `root`, which is begun where there is none. Logs that are in already are passed over, so that a
/// conversion can be repeated, and goes on where it was interrupted. `on_log` is called after each log.
///
/// # Errors
/// If the dataset cannot be written, or is not like what was asked. A log that cannot be an episode is no error here but
/// [`Fate::Refused`].
pub fn convert(
    sources: &Sources,
    root: &Path,
    options: &Options,
    mut on_log: impl FnMut(&Path, &Fate),
) -> Result<Conversion, Error> {
    let mut target = Target { root, options, form: None, writer: None };
    let mut done = Conversion::default();
    let unfinished = sources.unfinished.iter().map(|path| {
        let hint = format!("the recorder did not finish it: sinew-runtime recover {}", path.display());
        (path, Some(hint))
    });
    for (path, unfinished) in sources.logs.iter().map(|path| (path, None)).chain(unfinished) {
        let fate = match unfinished {
            Some(reason) => Fate::LeftOut { reason },
            None => target.take_in(path)?,
        };
        on_log(path, &fate);
        done.logs.push((path.clone(), fate));
    }
    if let (Some((form, robot)), Some(writer)) = (target.form, target.writer) {
        done.made = Some(Made { form, robot, episode_count: writer.episode_count() });
        writer.finish()?;
    }
    Ok(done)
}

/// The dataset, once the first log has said what it is like.
struct Target<'a> {
    root: &'a Path,
    options: &'a Options,
    /// With the description of the robot.
    form: Option<(Form, String)>,
    writer: Option<Writer>,
}

impl Target<'_> {
    fn take_in(&mut self, path: &Path) -> Result<Fate, Error> {
        match self.try_take_in(path) {
            Err(error) if is_of_one_log(path, &error) => Ok(Fate::Refused(of_log(path, error))),
            result => result,
        }
    }

    fn try_take_in(&mut self, path: &Path) -> Result<Fate, Error> {
        let opening = Opening::read(path)?;
        let is_first = self.form.is_none();
        let form = match &self.form {
            Some((form, _)) => form.clone(),
            None => {
                let robot = opening.robot_text(self.options.form.robot.as_deref())?;
                self.form.insert((Form::of(&opening, &self.options.form)?, robot)).0.clone()
            }
        };
        if self.writer.is_none() && self.root.join("meta/info.json").is_file() {
            self.writer = Some(self.go_on(&form)?);
        }
        let id = opening.id();
        if let Some(episode_index) = self.writer.as_ref().and_then(|writer| writer.episode_of(&id)) {
            return Ok(Fate::Known { episode_index });
        }
        let plan = Plan::new(&opening, &form, self.options.form.robot.as_deref());
        let plan = plan.map_err(|error| unfit(path, is_first, error))?;
        let gathered = gather::gather(&opening, &plan)?;
        if let Some(reason) = self.unwanted(gathered.outcome.as_deref()) {
            return Ok(Fate::LeftOut { reason });
        }
        let max_gap_ns = self.options.max_gap_ms.map(|ms| (ms * 1e6).round() as i64);
        let rule = Rule {
            path,
            started_at: opening.started_at,
            fps: form.fps,
            max_gap_ns: max_gap_ns.unwrap_or(plan.limits.max_skew_ns),
            instruction: self.options.instruction.as_deref(),
        };
        let rows = rule.rows(&plan, &gathered)?;
        let writer = match &mut self.writer {
            Some(writer) => writer,
            None => self.writer.insert(begin(self.root, &form, self.options, path, &rows)?),
        };
        add(writer, &form, path, id, rows)
    }

    /// Why an episode is not wanted, if it is not.
    fn unwanted(&self, outcome: Option<&str>) -> Option<String> {
        match outcome {
            Some("discard") => Some("marked `discard`".to_owned()),
            Some("success") => None,
            _ if !self.options.only_successful => None,
            Some(other) => Some(format!("marked `{other}`, and only successful ones are wanted")),
            None => Some("not marked, and only successful ones are wanted".to_owned()),
        }
    }

    /// Goes on with a dataset: its pictures say how large they are.
    fn go_on(&self, form: &Form) -> Result<Writer, Error> {
        let dataset = Dataset::open(self.root)?;
        let cameras = dataset.cameras();
        let size = |camera: &String| {
            let found = cameras.iter().find(|found| found.name == feature(camera))?;
            Some([found.width?, found.height?])
        };
        let sizes: Option<Vec<_>> = form.cameras.iter().map(size).collect();
        let sizes = sizes.ok_or_else(|| {
            let known: Vec<&str> = cameras.iter().map(|camera| camera.name.as_str()).collect();
            Error::Usage(format!(
                "{} has the cameras {}, and what is to be added {}: --cameras chooses",
                self.root.display(),
                known.join(", "),
                form.cameras.iter().map(|camera| feature(camera)).collect::<Vec<_>>().join(", ")
            ))
        })?;
        Ok(Writer::open(self.root, description(form, &sizes), self.options.write.clone())?)
    }
}

/// Begins a dataset whose pictures are as large as those of its first episode.
fn begin(root: &Path, form: &Form, options: &Options, path: &Path, rows: &Rows) -> Result<Writer, Error> {
    let mut sizes = Vec::new();
    for pictures in &rows.pictures {
        let first = pictures.first().copied().into_iter().collect();
        for frame in Film::open(path, first)? {
            let frame = frame.map_err(|error| of_picture(error, path))?;
            sizes.push([frame.width as usize, frame.height as usize]);
        }
    }
    Ok(Writer::open(root, description(form, &sizes), options.write.clone())?)
}

/// The feature that holds a camera's pictures.
fn feature(camera: &str) -> String {
    format!("observation.images.{camera}")
}

fn description(form: &Form, sizes: &[[usize; 2]]) -> Description {
    let names = |dimensions: &[sinew_models::embodiment::LayoutDimension]| {
        dimensions.iter().map(|dimension| dimension.name.clone()).collect::<Vec<_>>()
    };
    let mut features = vec![
        Feature::numbers(STATE, names(&form.layout.state)),
        Feature::numbers(ACTION, names(&form.layout.action)),
    ];
    let cameras = form.cameras.iter().zip(sizes);
    features
        .extend(cameras.map(|(camera, [width, height])| Feature::pictures(feature(camera), *height, *width)));
    Description { fps: form.fps, robot_type: Some(form.robot.clone()), features }
}

fn add(writer: &mut Writer, form: &Form, path: &Path, id: String, rows: Rows) -> Result<Fate, Error> {
    let row_count = rows.tasks.len();
    let mut pictures: Vec<(String, sinew_dataset::Pictures<'_>)> = Vec::new();
    for (camera, wanted) in form.cameras.iter().zip(rows.pictures) {
        pictures.push((feature(camera), Box::new(Film::open(path, wanted)?)));
    }
    let episode_index = writer.add(NewEpisode {
        id: Some(id),
        tasks: rows.tasks,
        columns: vec![
            (STATE.to_owned(), Numbers::Float32(rows.state)),
            (ACTION.to_owned(), Numbers::Float32(rows.action)),
        ],
        pictures,
    })?;
    Ok(Fate::Added { episode_index, row_count, remarks: rows.remarks })
}

/// Whether an error is about one log, and the others can go on.
fn is_of_one_log(path: &Path, error: &Error) -> bool {
    use sinew_dataset::Error as Data;
    match error {
        // It cannot be read; or the dataset cannot be written.
        Error::Dataset(Data::Io { path: found, .. }) => found == path,
        Error::Log { .. }
        | Error::LogMessage { .. }
        | Error::LogUnfit { .. }
        | Error::Gap { .. }
        | Error::Dataset(Data::Log { .. } | Data::NoFrame { .. } | Data::EpisodeMismatch { .. }) => true,
        _ => false,
    }
}

/// What the form asks for and one log's robot lacks keeps that log out, not the others. If it is the first, the form was made for
/// it, and what it lacks was asked for by mistake.
fn unfit(path: &Path, is_first: bool, error: Error) -> Error {
    match error {
        Error::Usage(_) if is_first => error,
        Error::Model(_) | Error::Sync(_) | Error::Usage(_) => {
            Error::LogUnfit { path: path.to_owned(), source: Box::new(error) }
        }
        other => other,
    }
}

/// What an error says of the log that was to be added, rather than of the dataset that it was to go to.
fn of_log(path: &Path, error: Error) -> Error {
    match error {
        Error::Dataset(sinew_dataset::Error::NoFrame { source, .. }) => of_picture(source, path),
        Error::Dataset(sinew_dataset::Error::EpisodeMismatch { .. }) => {
            Error::LogUnfit { path: path.to_owned(), source: Box::new(error) }
        }
        other => other,
    }
}

fn of_picture(error: PictureError, path: &Path) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => *error,
        Err(other) => Error::Log { path: path.to_owned(), message: other.to_string() },
    }
}
