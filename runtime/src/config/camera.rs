//! Where a camera's pictures come from: `[cameras]`.

use crate::error::Error;
use serde::{Deserialize, Serialize};
use sinew_proto::Message;
use sinew_proto::msg::sensor_msgs::{CompressedImage, Image};

/// The messages that cameras send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PictureMessage {
    /// A JPEG.
    #[default]
    #[serde(rename = "sensor_msgs/msg/CompressedImage")]
    CompressedImage,
    /// Rows of pixels.
    #[serde(rename = "sensor_msgs/msg/Image")]
    Image,
}

impl PictureMessage {
    /// Its ROS type.
    #[must_use]
    pub fn type_name(self) -> &'static str {
        match self {
            Self::CompressedImage => CompressedImage::TYPE_NAME,
            Self::Image => Image::TYPE_NAME,
        }
    }
}

/// What a camera of this computer sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceFormat {
    /// JPEG files.
    Mjpeg,
    /// Pixels, two of which share their colour.
    Yuyv,
}

/// A camera of this computer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceConfig {
    /// Its file, such as `/dev/video0` or one of `/dev/v4l/by-id`.
    pub device: String,
    /// Pixels a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Pictures a second.
    pub fps: u32,
    /// What it sends.
    pub format: DeviceFormat,
}

/// Topic and what it carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopicConfig {
    /// The topic.
    pub topic: String,
    /// What it carries.
    #[serde(default)]
    pub message: PictureMessage,
}

/// Where a camera's pictures come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "toml::Value", untagged)]
pub enum CameraConfig {
    /// A topic.
    Topic(TopicConfig),
    /// A device of this computer.
    Device(DeviceConfig),
}

impl CameraConfig {
    /// A topic of `sensor_msgs/msg/CompressedImage`.
    #[must_use]
    pub fn compressed(topic: impl Into<String>) -> Self {
        Self::Topic(TopicConfig { topic: topic.into(), message: PictureMessage::CompressedImage })
    }

    /// The topic, if it is one.
    #[must_use]
    pub fn topic(&self) -> Option<&TopicConfig> {
        match self {
            Self::Topic(topic) => Some(topic),
            Self::Device(_) => None,
        }
    }

    pub(super) fn validate(&self, camera: &str) -> Result<(), Error> {
        let Self::Device(DeviceConfig { width, height, fps, .. }) = self else { return Ok(()) };
        for (key, found) in [("width", width), ("height", height), ("fps", fps)] {
            if *found == 0 {
                return Err(Error::ConfigValue {
                    key: format!("cameras.{camera}.{key}"),
                    found: found.to_string(),
                    expected: "at least 1".to_owned(),
                });
            }
        }
        Ok(())
    }
}

/// A topic's name, a table with `topic`, or one with `device`: what is in it decides, so that an error speaks of that one.
impl TryFrom<toml::Value> for CameraConfig {
    type Error = toml::de::Error;

    fn try_from(value: toml::Value) -> Result<Self, Self::Error> {
        match value {
            toml::Value::String(topic) => Ok(Self::compressed(topic)),
            toml::Value::Table(table) if table.contains_key("device") => table.try_into().map(Self::Device),
            toml::Value::Table(table) => table.try_into().map(Self::Topic),
            other => {
                let found = other.type_str();
                let message =
                    format!("expected a topic's name, or a table with `topic` or `device`, found {found}");
                Err(serde::de::Error::custom(message))
            }
        }
    }
}
