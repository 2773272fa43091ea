//! ROS topics on a zenoh session, in either of the two ways that they are written: as zenoh-bridge-ros2dds carries them,
//! or as nodes with rmw_zenoh do.
//!
//! Everywhere else a topic is its bare name with the namespace in front, such as `lab/r1/hdas/bms`, which is the bridge's
//! key for it.

use crate::clock;
use crate::config::{KeyForm, ZenohConfig};
use crate::error::Error;
use crate::net;
use sinew_proto::rmw_zenoh::{self, NO_HASH, Node};
use sinew_proto::type_hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use xxhash_rust::xxh3::xxh3_128;
use zenoh::liveliness::LivelinessToken;
use zenoh::pubsub::{Publisher, Subscriber};
use zenoh::qos::{CongestionControl, Priority};
use zenoh::sample::Sample;
use zenoh::{Session, Wait};

/// What our node is called.
const NODE: &str = "sinew_runtime";

/// A session, and how topics are written on it.
#[derive(Clone, Debug)]
pub struct Ros {
    session: Session,
    /// None behind a bridge.
    node: Option<Arc<Presented>>,
}

/// A node of rmw_zenoh's that others see.
#[derive(Debug)]
struct Presented {
    node: Node,
    knows_hashes: bool,
    /// How many ends of topics it has.
    endpoint_count: AtomicU64,
    _token: LivelinessToken,
}

impl Presented {
    fn hash(&self, message: &str) -> &'static str {
        type_hash(message).filter(|_| self.knows_hashes).unwrap_or(NO_HASH)
    }

    /// Says that an end of a topic is there; also the token in which it says so.
    fn declare(
        &self,
        session: &Session,
        is_subscriber: bool,
        topic: &str,
        message: &str,
    ) -> Result<(LivelinessToken, String), Error> {
        // The node itself has number 0.
        let entity = self.endpoint_count.fetch_add(1, Ordering::Relaxed) + 1;
        let hash = self.hash(message);
        let text = self.node.endpoint_token(entity, is_subscriber, topic, message, hash)?;
        Ok((declare_token(session, &text)?, text))
    }
}

fn declare_token(session: &Session, token: &str) -> Result<LivelinessToken, Error> {
    let declared = session.liveliness().declare_token(token.to_owned()).wait();
    declared.map_err(Error::zenoh(format!("declaring {token}")))
}

/// A subscription that lasts as long as this.
#[derive(Debug)]
pub struct Subscription {
    _subscriber: Subscriber<()>,
    _token: Option<LivelinessToken>,
}

impl Ros {
    /// Opens a session.
    ///
    /// # Errors
    /// As [`net::open`].
    pub fn open(config: &ZenohConfig) -> Result<Self, Error> {
        let session = net::open(config)?;
        let node = match config.keys {
            KeyForm::Ros2dds => None,
            KeyForm::RmwZenoh => {
                let id = session.zid().to_string();
                let node = Node { domain: config.domain, session: id, name: NODE.to_owned() };
                let token = declare_token(&session, &node.token())?;
                let knows_hashes = config.type_hashes;
                Some(Arc::new(Presented {
                    node,
                    knows_hashes,
                    endpoint_count: AtomicU64::new(0),
                    _token: token,
                }))
            }
        };
        Ok(Self { session, node })
    }

    /// The session.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Listens to a topic, which may have a `*`; to messages of any type where none is given.
    ///
    /// # Errors
    /// If zenoh refuses.
    pub fn subscribe(
        &self,
        topic: &str,
        message: Option<&str>,
        callback: impl Fn(Sample) + Send + Sync + 'static,
    ) -> Result<Subscription, Error> {
        let (key, token) = match &self.node {
            None => (topic.to_owned(), None),
            Some(presented) => {
                let key = rmw_zenoh::data_key(presented.node.domain, topic, message, None)?;
                let seen = message.filter(|_| !topic.contains('*'));
                let token = seen.map(|message| presented.declare(&self.session, true, topic, message));
                (key, token.transpose()?.map(|(token, _)| token))
            }
        };
        let subscriber = self.session.declare_subscriber(key.clone()).callback(callback).wait();
        let subscriber = subscriber.map_err(Error::zenoh(format!("subscribing to {key}")))?;
        Ok(Subscription { _subscriber: subscriber, _token: token })
    }

    /// Publishes messages of a type on a topic. They are dropped rather than sent late: a receiver that hangs must not
    /// stop the sender.
    ///
    /// # Errors
    /// If zenoh refuses.
    pub fn publisher(
        &self,
        topic: &str,
        message: &'static str,
        priority: Priority,
    ) -> Result<TopicPublisher, Error> {
        let (key, identity) = match &self.node {
            None => (topic.to_owned(), None),
            Some(presented) => {
                let hash = Some(presented.hash(message));
                let key = rmw_zenoh::data_key(presented.node.domain, topic, Some(message), hash)?;
                let (token, text) = presented.declare(&self.session, false, topic, message)?;
                (key, Some(Identity { id: identity(&text), sent_count: AtomicI64::new(0), _token: token }))
            }
        };
        let publisher = self.session.declare_publisher(key.clone()).priority(priority);
        let publisher = publisher.congestion_control(CongestionControl::Drop).wait();
        let publisher = publisher.map_err(Error::zenoh(format!("declaring {key}")))?;
        Ok(TopicPublisher { topic: topic.to_owned(), message, publisher, identity })
    }

    /// The topic of a message that arrived.
    #[must_use]
    pub fn topic_of<'a>(&self, sample: &'a Sample) -> &'a str {
        let key = sample.key_expr().as_str();
        match &self.node {
            None => key,
            Some(_) => rmw_zenoh::topic_of(key).unwrap_or(key),
        }
    }

    /// Every token with which somebody says that he is there.
    #[must_use]
    pub fn tokens(&self) -> String {
        match &self.node {
            None => "@/*/@ros2_lv/**".to_owned(),
            Some(presented) => format!("@ros2_lv/{}/**", presented.node.domain),
        }
    }

    /// What our own tokens begin with, if we have some.
    #[must_use]
    pub fn own_tokens(&self) -> Option<String> {
        self.node.as_ref().map(|presented| presented.node.tokens())
    }
}

/// How rmw_zenoh tells publishers apart: XXH3 of the token, its low half first.
fn identity(token: &str) -> [u8; 16] {
    xxh3_128(token.as_bytes()).to_le_bytes()
}

/// What tells a publisher from others.
#[derive(Debug)]
struct Identity {
    id: [u8; 16],
    sent_count: AtomicI64,
    _token: LivelinessToken,
}

/// Publishes on a topic.
#[derive(Debug)]
pub struct TopicPublisher {
    topic: String,
    message: &'static str,
    publisher: Publisher<'static>,
    /// None behind a bridge.
    identity: Option<Identity>,
}

impl TopicPublisher {
    /// The topic, without its leading slash.
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The type of its messages.
    #[must_use]
    pub fn message(&self) -> &'static str {
        self.message
    }

    /// Sends a message.
    ///
    /// # Errors
    /// If zenoh refuses.
    pub fn put(&self, message: Vec<u8>) -> Result<(), Error> {
        let mut put = self.publisher.put(message);
        if let Some(Identity { id, sent_count, .. }) = &self.identity {
            let sequence = sent_count.fetch_add(1, Ordering::Relaxed) + 1;
            put = put.attachment(rmw_zenoh::attachment(sequence, clock::now(), *id).as_slice());
        }
        put.wait().map_err(Error::zenoh(format!("publishing on {}", self.topic)))
    }

    /// Whether somebody listens.
    ///
    /// # Errors
    /// If zenoh refuses.
    pub fn is_heard(&self) -> Result<bool, Error> {
        let status = self.publisher.matching_status().wait();
        status.map(|status| status.matching()).map_err(Error::zenoh("looking for subscribers"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number is from PyPI's `xxhash` 4.1.0: `xxh3_128_intdigest`, little endian.
    #[test]
    fn a_publisher_is_the_hash_of_its_token() {
        let token = "@ros2_lv/2/8b20917502ee955ac4476e0266340d5c/0/10/MP/%/%/talker/%chatter/\
            std_msgs::msg::dds_::String_/\
            RIHS01_df668c740482bbd48fb39d76a70dfd4bd59db1288021743503259e948f6b1a18/::,7:,:,:,,";
        assert_eq!(u128::from_be_bytes(identity(token)), 0xac17_0f31_eadc_d9ff_0cd8_6d7a_1790_7d1c);
    }
}
