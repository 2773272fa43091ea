//! How one part of the run is doing.

use serde::{Deserialize, Serialize};
use sinew_proto::msg::diagnostic_msgs::{DiagnosticStatus, KeyValue};

/// How well; the later, the worse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    #[default]
    Ok,
    /// Not as it should be; the run copes.
    Warn,
    /// Nothing new is heard of it.
    Stale,
    /// It keeps the robot from its work.
    Error,
}

impl Level {
    /// As ROS 2 numbers it; anything unknown is an error.
    #[must_use]
    pub fn from_wire(level: u8) -> Self {
        match level {
            DiagnosticStatus::OK => Self::Ok,
            DiagnosticStatus::WARN => Self::Warn,
            DiagnosticStatus::STALE => Self::Stale,
            _ => Self::Error,
        }
    }

    /// As ROS 2 numbers it.
    #[must_use]
    pub fn to_wire(self) -> u8 {
        match self {
            Self::Ok => DiagnosticStatus::OK,
            Self::Warn => DiagnosticStatus::WARN,
            Self::Stale => DiagnosticStatus::STALE,
            Self::Error => DiagnosticStatus::ERROR,
        }
    }

    /// In one word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Stale => "stale",
            Self::Error => "error",
        }
    }
}

/// One part: its name, how it is doing, in words and in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Which, such as `sinew/camera/head`.
    pub name: String,
    /// How well.
    pub level: Level,
    /// In words.
    pub message: String,
    /// In numbers, with `state` first and, where there is one, `reason`.
    pub values: Vec<(String, String)>,
}

impl Part {
    /// A part in a state.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        level: Level,
        state: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        let values = vec![("state".to_owned(), state.into())];
        Self { name: name.into(), level, message: message.into(), values }
    }

    /// With a number or word more.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl ToString) -> Self {
        self.values.push((key.into(), value.to_string()));
        self
    }

    /// With one more, where there is one.
    #[must_use]
    pub fn with_some(self, key: &str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    /// With several more.
    #[must_use]
    pub fn with_all(mut self, values: impl IntoIterator<Item = (String, String)>) -> Self {
        self.values.extend(values);
        self
    }

    /// A value by its key.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<&str> {
        self.values.iter().find(|(found, _)| found == key).map(|(_, value)| value.as_str())
    }

    /// What is worth saying at once when it changes: name, level, state, reason.
    pub(super) fn gist(&self) -> (&str, Level, Option<&str>, Option<&str>) {
        (&self.name, self.level, self.value("state"), self.value("reason"))
    }

    /// As ROS 2 has it.
    #[must_use]
    pub fn to_status(&self, robot: &str) -> DiagnosticStatus {
        let value = |(key, value): &(String, String)| KeyValue { key: key.clone(), value: value.clone() };
        DiagnosticStatus {
            level: self.level.to_wire(),
            name: self.name.clone(),
            message: self.message.clone(),
            hardware_id: robot.to_owned(),
            values: self.values.iter().map(value).collect(),
        }
    }

    /// From ROS 2's form.
    #[must_use]
    pub fn from_status(status: DiagnosticStatus) -> Self {
        Self {
            name: status.name,
            level: Level::from_wire(status.level),
            message: status.message,
            values: status.values.into_iter().map(|KeyValue { key, value }| (key, value)).collect(),
        }
    }
}

/// Milliseconds, for people.
pub(super) fn ms(ns: i64) -> String {
    format!("{:.1}", crate::clock::ms(ns))
}
