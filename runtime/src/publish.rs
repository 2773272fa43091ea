//! Messages onto the network.

use crate::command::{CommandPlan, Messages};
use crate::error::Error;
use sinew_proto::Message;
use sinew_proto::key::{ACTION_CHUNK, Key};
use zenoh::pubsub::Publisher as ZenohPublisher;
use zenoh::qos::{CongestionControl, Priority};
use zenoh::{Session, Wait};

/// Publishes chunks: the `ActionChunk` first, then each group's trajectory.
#[derive(Debug)]
pub struct Publisher {
    chunk: ZenohPublisher<'static>,
    groups: Vec<ZenohPublisher<'static>>,
}

impl Publisher {
    /// Declares every publication of a plan.
    ///
    /// # Errors
    /// If a name is no key, or zenoh refuses.
    pub fn declare(session: &Session, namespace: &str, commands: &CommandPlan) -> Result<Self, Error> {
        let group = |name| declare(session, &trajectory_key(namespace, name)?);
        Ok(Self {
            chunk: declare(session, &Key::of_topic_in(namespace, ACTION_CHUNK)?)?,
            groups: commands.group_names().map(group).collect::<Result<_, _>>()?,
        })
    }

    /// The keys that are published on.
    pub fn keys(&self) -> impl Iterator<Item = String> {
        std::iter::once(&self.chunk).chain(&self.groups).map(|publisher| publisher.key_expr().to_string())
    }

    /// Publishes a chunk's messages.
    ///
    /// # Errors
    /// If zenoh refuses one; those before it are out.
    pub fn publish(&self, messages: &Messages) -> Result<(), Error> {
        put(&self.chunk, messages.chunk.to_cdr())?;
        for group in &messages.groups {
            put(&self.groups[group.index], group.trajectory.to_cdr())?;
        }
        Ok(())
    }
}

/// Key of a group's trajectories.
pub(crate) fn trajectory_key(namespace: &str, group: &str) -> Result<Key, Error> {
    Ok(Key::of_topic_in(namespace, Key::of_trajectory(group)?.as_str())?)
}

/// Commands go before pictures, and rather not at all than late: a receiver that hangs must not stop the policy.
pub(crate) fn declare(session: &Session, key: &Key) -> Result<ZenohPublisher<'static>, Error> {
    session
        .declare_publisher(key.as_str().to_owned())
        .priority(Priority::InteractiveHigh)
        .congestion_control(CongestionControl::Drop)
        .wait()
        .map_err(Error::zenoh(format!("declaring {key}")))
}

pub(crate) fn put(publisher: &ZenohPublisher<'static>, message: Vec<u8>) -> Result<(), Error> {
    publisher.put(message).wait().map_err(Error::zenoh(format!("publishing on {}", publisher.key_expr())))
}
