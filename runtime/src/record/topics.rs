//! What is recorded of a robot: all it says and all it is told. Pure.

use crate::config::{CameraConfig, Config, TopicConfig};
use crate::error::Error;
use sinew_models::embodiment::Embodiment;
use sinew_proto::Message;
use sinew_proto::key::{ACTION_CHUNK, ALIVE, EPISODE, EVENTS, INSTRUCTION, Key, RESUME, STOP};
use sinew_proto::msg::geometry_msgs::{Twist, TwistStamped};
use sinew_proto::msg::sensor_msgs::CompressedImage;
use sinew_proto::msg::sinew_msgs::ActionChunk;
use sinew_proto::msg::std_msgs;
use sinew_proto::msg::trajectory_msgs::JointTrajectory;
use std::collections::HashSet;

/// What a topic's messages mean to the recorder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Kept, nothing else.
    Data,
    /// What the robot is to do: every episode begins with the newest.
    Instruction,
    /// Marks of episodes.
    Mark,
    /// Whatever is in a message: that one came is kept as an event.
    Signal,
    /// What the runtime reports; not from the network.
    Event,
}

/// A topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedTopic {
    /// ROS name, with its leading slash.
    pub name: String,
    /// Where its messages arrive.
    pub key: Key,
    /// ROS type.
    pub message: &'static str,
    /// What its messages mean.
    pub role: Role,
}

/// The topics of a robot.
///
/// # Errors
/// If one is no key, or its messages have a type that this program does not know.
pub fn of_robot(embodiment: &Embodiment, config: &Config) -> Result<Vec<RecordedTopic>, Error> {
    let mut topics = Vec::new();
    let mut seen = HashSet::new();
    let mut add = |topic: &str, message: &str, role| -> Result<(), Error> {
        let bare = topic.trim_start_matches('/');
        if !seen.insert(bare.to_owned()) {
            return Ok(());
        }
        let known = sinew_proto::schema::ALL.iter().find(|schema| schema.type_name == message);
        let schema = known.ok_or_else(|| {
            let described = ("the robot description", message);
            Error::mismatch(topic, ("this program", "messages whose definition it has"), described)
        })?;
        let key = Key::of_topic_in(&config.zenoh.namespace, topic)?;
        topics.push(RecordedTopic { name: format!("/{bare}"), key, message: schema.type_name, role });
        Ok(())
    };
    let text = std_msgs::String::TYPE_NAME;
    add(EVENTS, text, Role::Event)?;
    add(INSTRUCTION, text, Role::Instruction)?;
    add(EPISODE, text, Role::Mark)?;
    for topic in [STOP, RESUME, ALIVE] {
        add(topic, text, Role::Signal)?;
    }
    for TopicConfig { topic, message } in config.cameras.values().filter_map(CameraConfig::topic) {
        add(topic, message.type_name(), Role::Data)?;
    }
    for topic in embodiment.cameras.iter().flat_map(|camera| &camera.topics) {
        add(topic, CompressedImage::TYPE_NAME, Role::Data)?;
    }
    for group in &embodiment.groups {
        if let Some(feedback) = &group.feedback {
            add(&feedback.topic, &feedback.message, Role::Data)?;
        }
        if let Some(command) = &group.command {
            add(&command.topic, &command.message, Role::Data)?;
            if let Some(limit) = &command.acceleration_limit {
                add(&limit.topic, &limit.message, Role::Data)?;
            }
        }
        add(Key::of_trajectory(&group.name)?.as_str(), JointTrajectory::TYPE_NAME, Role::Data)?;
    }
    let status = &embodiment.status;
    if let Some(remote) = &status.remote {
        add(&remote.topic, &remote.message, Role::Data)?;
    }
    for topic in status.battery.iter().chain(&status.faults) {
        add(&topic.topic, &topic.message, Role::Data)?;
    }
    add(ACTION_CHUNK, ActionChunk::TYPE_NAME, Role::Data)?;
    Ok(topics)
}

/// The type that a message on a topic has: robots of one make differ in how a base is told its velocity.
#[must_use]
pub fn message_of(topic: &RecordedTopic, payload: &[u8]) -> &'static str {
    match topic.message {
        Twist::TYPE_NAME if TwistStamped::from_cdr(payload).is_ok() => TwistStamped::TYPE_NAME,
        TwistStamped::TYPE_NAME if Twist::from_cdr(payload).is_ok() => Twist::TYPE_NAME,
        message => message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sinew_proto::msg::sensor_msgs::JointState;

    #[test]
    fn everything_the_robot_says_and_is_told_is_among_them() {
        let robot = Embodiment::built_in("r1pro").unwrap();
        let topics = of_robot(&robot, &Config::built_in().unwrap()).unwrap();
        let message = |name: &str| topics.iter().find(|topic| topic.name == name).map(|topic| topic.message);
        for (name, expected) in [
            ("/hdas/camera_head/left_raw/image_raw_color/compressed", CompressedImage::TYPE_NAME),
            ("/hdas/camera_wrist_left/color/image_rect_raw/compressed", CompressedImage::TYPE_NAME),
            ("/hdas/feedback_arm_left", JointState::TYPE_NAME),
            ("/motion_target/target_joint_state_arm_right", JointState::TYPE_NAME),
            ("/motion_target/target_speed_chassis", TwistStamped::TYPE_NAME),
            ("/motion_target/chassis_acc_limit", TwistStamped::TYPE_NAME),
            ("/hdas/bms", "hdas_msg/msg/Bms"),
            ("/controller", "hdas_msg/msg/ControllerSignalStamped"),
            ("/sinew/action_chunk", ActionChunk::TYPE_NAME),
        ] {
            assert_eq!(message(name), Some(expected), "{name}");
        }
        let names: HashSet<&str> = topics.iter().map(|topic| topic.name.as_str()).collect();
        assert_eq!(names.len(), topics.len());
    }

    #[test]
    fn a_base_is_recorded_in_the_form_it_is_told() {
        let robot = Embodiment::built_in("r1pro").unwrap();
        let topics = of_robot(&robot, &Config::built_in().unwrap()).unwrap();
        let chassis = topics.iter().find(|topic| topic.name.ends_with("target_speed_chassis")).unwrap();
        assert_eq!(message_of(chassis, &Twist::default().to_cdr()), Twist::TYPE_NAME);
        assert_eq!(message_of(chassis, &TwistStamped::default().to_cdr()), TwistStamped::TYPE_NAME);
        assert_eq!(message_of(chassis, b"nonsense"), TwistStamped::TYPE_NAME);
    }
}
