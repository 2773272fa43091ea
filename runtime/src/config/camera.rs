//! Where a camera's pictures come from: `[cameras]`.

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use sinew_proto::Message;
use sinew_proto::msg::sensor_msgs::{CompressedImage, Image};
use std::fmt;

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

/// Where a camera's pictures come from: a topic's name, or a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CameraConfig {
    /// The topic.
    pub topic: String,
    /// What it carries.
    pub message: PictureMessage,
}

impl CameraConfig {
    /// A topic of `sensor_msgs/msg/CompressedImage`.
    #[must_use]
    pub fn compressed(topic: impl Into<String>) -> Self {
        Self { topic: topic.into(), message: PictureMessage::CompressedImage }
    }
}

impl<'de> Deserialize<'de> for CameraConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            topic: String,
            #[serde(default)]
            message: PictureMessage,
        }

        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = CameraConfig;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a topic's name, or a table with `topic`")
            }

            fn visit_str<E>(self, topic: &str) -> Result<CameraConfig, E> {
                Ok(CameraConfig::compressed(topic))
            }

            fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<CameraConfig, A::Error> {
                let Table { topic, message } = Table::deserialize(MapAccessDeserializer::new(table))?;
                Ok(CameraConfig { topic, message })
            }
        }

        deserializer.deserialize_any(Either)
    }
}
