//! What a log says before its first message: with what it was recorded.

use crate::Error;
use serde::Deserialize;
use sinew_dataset::{Log, LogItem};
use sinew_models::contract::{MANIFEST_FILE, Manifest};
use sinew_models::embodiment::Embodiment;
use sinew_proto::Stamp;
use sinew_sync::{ExtraElements, FeedbackConfig, JointNames, Limits};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Metadata record that says what an episode was recorded with.
const ABOUT: &str = "sinew";
/// The recorder's time of the beginning, in that record.
const STARTED_AT: &str = "started_at_ns";
/// Attachment: the robot's description.
const ROBOT_FILE: &str = "robot.toml";
/// Attachment: the runtime's configuration.
const CONFIG_FILE: &str = "config.toml";

/// The beginning of a log.
#[derive(Clone, Debug)]
pub struct Opening {
    /// The log.
    pub path: PathBuf,
    /// When it begins.
    pub started_at: Stamp,
    files: BTreeMap<String, String>,
}

impl Opening {
    /// Reads a log as far as its first message.
    ///
    /// # Errors
    /// If it is damaged or has no message.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let mut started_at = None;
        let mut files = BTreeMap::new();
        for item in Log::open(path)? {
            match item? {
                LogItem::Metadata { name, facts } if name == ABOUT => {
                    started_at = facts.get(STARTED_AT).and_then(|text| text.parse().ok());
                }
                LogItem::Metadata { .. } => {}
                LogItem::Attachment { name, data } => {
                    files.insert(name, String::from_utf8_lossy(&data).into_owned());
                }
                LogItem::Message { at_ns, .. } => {
                    let started_at = Stamp::from_ns(started_at.unwrap_or(at_ns));
                    return Ok(Self { path: path.to_owned(), started_at, files });
                }
            }
        }
        Err(Error::Log { path: path.to_owned(), message: "expected messages, found none".to_owned() })
    }

    /// What the episode is known by in a dataset: the file's name and the time of its beginning.
    #[must_use]
    pub fn id(&self) -> String {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        format!("{name} {}", self.started_at.ns())
    }

    /// The robot: as the caller calls it, else as the log describes it.
    ///
    /// # Errors
    /// If nobody says, or the description contradicts itself.
    pub fn robot(&self, name: Option<&str>) -> Result<Embodiment, Error> {
        let text = self.robot_text(name)?;
        Embodiment::parse(&text, Path::new(name.unwrap_or(ROBOT_FILE)))
            .map_err(|error| self.unfit(error.into()))
    }

    /// The text of its description.
    ///
    /// # Errors
    /// If nobody says which robot it is.
    pub fn robot_text(&self, name: Option<&str>) -> Result<String, Error> {
        match (name, self.files.get(ROBOT_FILE)) {
            (Some(name), _) => Ok(Embodiment::text(name)?),
            (None, Some(text)) => Ok(text.clone()),
            (None, None) => Err(Error::Log {
                path: self.path.clone(),
                message: format!(
                    "it does not hold a description of its robot ({ROBOT_FILE}): --robot says which it is"
                ),
            }),
        }
    }

    /// The bundle's manifest, if a policy drove.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn manifest(&self) -> Result<Option<Manifest>, Error> {
        let manifest = self.files.get(MANIFEST_FILE).map(|text| serde_json::from_str(text));
        manifest.transpose().map_err(|error| self.unreadable(MANIFEST_FILE, error))
    }

    /// The part of the runtime's configuration that observations depend on; its defaults where the log holds none.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn settings(&self) -> Result<Settings, Error> {
        let settings = self.files.get(CONFIG_FILE).map(|text| toml::from_str(text));
        Ok(settings.transpose().map_err(|error| self.unreadable(CONFIG_FILE, error))?.unwrap_or_default())
    }

    fn unreadable(&self, file: &str, error: impl std::fmt::Display) -> Error {
        self.unfit(Error::Config { place: file.to_owned(), message: error.to_string() })
    }

    fn unfit(&self, source: Error) -> Error {
        Error::LogUnfit { path: self.path.clone(), source: Box::new(source) }
    }
}

/// What observations depend on besides the robot, as the runtime's configuration has it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// How well samples have to agree.
    pub sync: SyncSettings,
    /// What to make of joint states.
    pub feedback: FeedbackConfig,
    /// Cameras that are elsewhere than the robot's description says.
    pub cameras: BTreeMap<String, CameraSettings>,
}

/// `[sync]`
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(default)]
pub struct SyncSettings {
    max_skew_ms: f64,
    max_age_ms: f64,
    settle_ms: f64,
    max_equal_pictures: u32,
}

/// A camera's `[cameras.NAME]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct CameraSettings {
    /// Its topic; none if it is a device of the robot's computer, whose pictures are not recorded.
    pub topic: Option<String>,
}

/// As the runtime's.
impl Default for Settings {
    fn default() -> Self {
        Self {
            sync: SyncSettings::default(),
            feedback: FeedbackConfig {
                joint_names: JointNames::Check,
                extra_elements: ExtraElements::Refuse,
            },
            cameras: BTreeMap::new(),
        }
    }
}

/// As the runtime's.
impl Default for SyncSettings {
    fn default() -> Self {
        Self { max_skew_ms: 50.0, max_age_ms: 250.0, settle_ms: 10.0, max_equal_pictures: 10 }
    }
}

impl SyncSettings {
    /// In nanoseconds.
    #[must_use]
    pub fn limits(self) -> Limits {
        let ns = |ms: f64| (ms * 1e6).round() as i64;
        Limits {
            max_skew_ns: ns(self.max_skew_ms),
            max_age_ns: ns(self.max_age_ms),
            settle_ns: ns(self.settle_ms),
            max_equal_pictures: self.max_equal_pictures,
        }
    }
}
