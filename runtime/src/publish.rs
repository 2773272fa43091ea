//! Messages onto the network.

use crate::command::{CommandPlan, Messages};
use crate::error::Error;
use crate::ros::{Ros, TopicPublisher};
use sinew_proto::Message;
use sinew_proto::key::{ACTION_CHUNK, Key};
use sinew_proto::msg::sinew_msgs::ActionChunk;
use sinew_proto::msg::trajectory_msgs::JointTrajectory;
use zenoh::qos::Priority;

/// Publishes chunks: the `ActionChunk` first, then each group's trajectory.
#[derive(Debug)]
pub struct Publisher {
    chunk: TopicPublisher,
    groups: Vec<TopicPublisher>,
}

impl Publisher {
    /// Declares every publication of a plan.
    ///
    /// # Errors
    /// If a name is no key, or zenoh refuses.
    pub fn declare(ros: &Ros, namespace: &str, commands: &CommandPlan) -> Result<Self, Error> {
        let group = |name| declare_chunk(ros, &trajectory_key(namespace, name)?, JointTrajectory::TYPE_NAME);
        Ok(Self {
            chunk: declare_chunk(ros, &Key::of_topic_in(namespace, ACTION_CHUNK)?, ActionChunk::TYPE_NAME)?,
            groups: commands.group_names().map(group).collect::<Result<_, _>>()?,
        })
    }

    /// The topics that are published on.
    pub fn topics(&self) -> impl Iterator<Item = String> {
        std::iter::once(&self.chunk).chain(&self.groups).map(|publisher| publisher.topic().to_owned())
    }

    /// Publishes a chunk's messages.
    ///
    /// # Errors
    /// If zenoh refuses one; those before it are out.
    pub fn publish(&self, messages: &Messages) -> Result<(), Error> {
        self.chunk.put(messages.chunk.to_cdr())?;
        for group in &messages.groups {
            self.groups[group.index].put(group.trajectory.to_cdr())?;
        }
        Ok(())
    }
}

/// Key of a group's trajectories.
pub(crate) fn trajectory_key(namespace: &str, group: &str) -> Result<Key, Error> {
    Ok(Key::of_topic_in(namespace, Key::of_trajectory(group)?.as_str())?)
}

/// Right behind set-points: zenoh has a queue and a lock for each priority, and the control tick is not to wait for inference at one.
fn declare_chunk(ros: &Ros, topic: &Key, message: &'static str) -> Result<TopicPublisher, Error> {
    ros.publisher(topic.as_str(), message, Priority::InteractiveLow)
}

/// Set-points go before everything.
pub(crate) fn declare(ros: &Ros, topic: &Key, message: &'static str) -> Result<TopicPublisher, Error> {
    ros.publisher(topic.as_str(), message, Priority::InteractiveHigh)
}
