//! Zenoh key expressions: where a ROS 2 topic is found once `zenoh-bridge-ros2dds` carries it.
//!
//! The bridge drops the topic's leading slash and puts its configured namespace in front. The message type is
//! not part of the key; it is found in the bridge's liveliness tokens, in the form of [`dds_type_name`].

use crate::Error;
use std::fmt;

/// Topic of our own action chunks.
pub const ACTION_CHUNK: &str = "sinew/action_chunk";
/// Topic of the operator's instructions.
pub const INSTRUCTION: &str = "sinew/instruction";

/// Topic of the operator's stop. Any message counts.
pub const STOP: &str = "sinew/stop";
/// Topic on which the operator lets a stopped robot go on. Any message counts.
pub const RESUME: &str = "sinew/resume";
/// Topic of the operator's signs of life. Any message counts.
pub const ALIVE: &str = "sinew/alive";

/// Topic of the operator's marks of episodes: where one begins, how it went.
pub const EPISODE: &str = "sinew/episode";
/// Topic that events are recorded on. Nothing is published there.
pub const EVENTS: &str = "sinew/events";

/// Topic on which ROS 2's monitors look for how parts are doing.
pub const DIAGNOSTICS: &str = "/diagnostics";

/// One concrete zenoh key: chunks joined by `/`, none empty, no wildcard.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(String);

impl Key {
    /// The key of a topic, with or without its leading slash.
    ///
    /// # Errors
    ///
    /// [`Error::Key`] where the topic is no concrete key: an empty chunk, or one of `* $ # ?`, which zenoh gives a
    /// meaning or forbids.
    pub fn of_topic(topic: &str) -> Result<Self, Error> {
        Self::new(topic.strip_prefix('/').unwrap_or(topic))
    }

    /// The key of a topic behind a bridge with a namespace. The namespace `/`, the bridge's default, and an empty
    /// one put nothing in front.
    ///
    /// # Errors
    ///
    /// As [`Key::of_topic`].
    pub fn of_topic_in(namespace: &str, topic: &str) -> Result<Self, Error> {
        let topic = Self::of_topic(topic)?;
        match namespace.strip_prefix('/').unwrap_or(namespace) {
            "" => Ok(topic),
            namespace => Self::new(&format!("{namespace}/{topic}")),
        }
    }

    /// The topic on which ros2_control's joint trajectory controller of a group of joints listens:
    /// `<group>_controller/joint_trajectory`.
    ///
    /// # Errors
    ///
    /// [`Error::Key`] where the group's name is empty, holds a slash or is no part of a key.
    pub fn of_trajectory(group: &str) -> Result<Self, Error> {
        let key = format!("{group}_controller/joint_trajectory");
        match group {
            "" => Err(Error::Key { key, problem: "the group has no name" }),
            _ if group.contains('/') => Err(Error::Key { key, problem: "the group's name holds a slash" }),
            _ => Self::new(&key),
        }
    }

    /// The key as zenoh takes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn new(key: &str) -> Result<Self, Error> {
        let problem = if key.is_empty() {
            "it is empty"
        } else if key.split('/').any(str::is_empty) {
            "it has an empty chunk"
        } else if key.contains(['*', '$', '#', '?']) {
            "it holds one of * $ # ?"
        } else {
            return Ok(Self(key.to_owned()));
        };
        Err(Error::Key { key: key.to_owned(), problem })
    }
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl AsRef<str> for Key {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// The name DDS knows a message type by: `sensor_msgs/msg/JointState` is `sensor_msgs::msg::dds_::JointState_`.
///
/// # Errors
///
/// [`Error::TypeName`] where the name is not of the form `package/msg/Type`.
pub fn dds_type_name(type_name: &str) -> Result<String, Error> {
    let mut parts = type_name.split('/');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(package), Some("msg"), Some(name), None) if !package.is_empty() && !name.is_empty() => {
            Ok(format!("{package}::msg::dds_::{name}_"))
        }
        _ => Err(Error::TypeName { found: type_name.to_owned() }),
    }
}

/// The type's name from DDS's: the inverse of [`dds_type_name`]. Nothing of what is no message's.
#[must_use]
pub fn ros_type_name(dds_type_name: &str) -> Option<String> {
    let (package, name) = dds_type_name.split_once("::msg::dds_::")?;
    let name = name.strip_suffix('_')?;
    let is_part = |part: &str| !part.is_empty() && !part.contains([':', '/']);
    (is_part(package) && is_part(name)).then(|| format!("{package}/msg/{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Message;
    use crate::msg::sensor_msgs::JointState;

    /// The key, or what is wrong with it.
    fn read(key: Result<Key, Error>) -> Result<String, &'static str> {
        key.map(|key| key.to_string()).map_err(|error| match error {
            Error::Key { problem, .. } => problem,
            _ => "not a key error",
        })
    }

    #[test]
    fn a_topic_loses_its_leading_slash_and_gains_the_bridge_s_namespace() {
        let topic = "/hdas/feedback_arm_left";
        assert_eq!(read(Key::of_topic(topic)), Ok("hdas/feedback_arm_left".to_owned()));
        assert_eq!(read(Key::of_topic("hdas/bms")), Ok("hdas/bms".to_owned()));
        assert_eq!(read(Key::of_topic_in("/", topic)), Ok("hdas/feedback_arm_left".to_owned()));
        assert_eq!(read(Key::of_topic_in("", topic)), Ok("hdas/feedback_arm_left".to_owned()));
        assert_eq!(read(Key::of_topic_in("/lab/r1", topic)), Ok("lab/r1/hdas/feedback_arm_left".to_owned()));
        assert_eq!(read(Key::of_topic_in("/lab/", topic)), Err("it has an empty chunk"));
        assert_eq!(read(Key::of_topic_in("/lab/**", topic)), Err("it holds one of * $ # ?"));
    }

    #[test]
    fn our_own_topics_are_keys() {
        for topic in [ACTION_CHUNK, INSTRUCTION] {
            assert_eq!(read(Key::of_topic(topic)), Ok(topic.to_owned()));
        }
    }

    #[test]
    fn a_group_s_trajectory_goes_to_its_controller() {
        let key = Key::of_trajectory("left_arm");
        assert_eq!(read(key), Ok("left_arm_controller/joint_trajectory".to_owned()));
        assert_eq!(read(Key::of_trajectory("")), Err("the group has no name"));
        assert_eq!(read(Key::of_trajectory("left/arm")), Err("the group's name holds a slash"));
        assert_eq!(read(Key::of_trajectory("arm*")), Err("it holds one of * $ # ?"));
    }

    #[test]
    fn dds_writes_type_names_its_own_way() {
        let name = dds_type_name(JointState::TYPE_NAME);
        assert_eq!(name.as_deref(), Ok("sensor_msgs::msg::dds_::JointState_"));
        for wrong in
            ["JointState", "sensor_msgs/JointState", "sensor_msgs/srv/X", "a/msg/b/c", "/msg/b", "a/msg/"]
        {
            assert_eq!(dds_type_name(wrong), Err(Error::TypeName { found: wrong.to_owned() }));
        }
        assert_eq!(ros_type_name(&name.unwrap()).as_deref(), Some(JointState::TYPE_NAME));
        for wrong in
            ["", "JointState", "a::srv::dds_::B_", "a::msg::dds_::B", "::msg::dds_::B_", "a::msg::dds_::_"]
        {
            assert_eq!(ros_type_name(wrong), None, "{wrong}");
        }
    }
}
