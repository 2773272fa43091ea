//! How ROS 2 nodes with rmw_zenoh write topics and say that they are there.
//!
//! | | |
//! |---|---|
//! | data | `<domain>/<topic>/<DDS type>/<type hash>` |
//! | with each message | sequence number, source time, the publisher's 16-byte identity |
//! | liveliness | `@ros2_lv/<domain>/<zenoh id>/<node id>/<entity id>/<kind>/<enclave>/<namespace>/<node>[/<topic>/<DDS type>/<type hash>/<qos>]`, with `/` written `%` and nothing written `%` |
//!
//! Humble's nodes know no type hashes and write [`NO_HASH`].

use crate::Error;
use crate::key::{Key, dds_type_name, ros_type_name};
use crate::stamp::Stamp;

/// In place of a hash where a node knows none.
pub const NO_HASH: &str = "TypeHashNotSupported";
/// Length of what goes with each message.
pub const ATTACHMENT_LEN: usize = 33;
/// Reliable, volatile, the last 10 kept; no deadline, lifespan or lease. In rmw's numbers, as the format has them.
const QOS: &str = "1:2:1,10:,:,:,,";

/// Where the messages of a topic are found. `None` stands for any type and any hash.
///
/// # Errors
/// [`Error::TypeName`] where the type's name is none.
pub fn data_key(
    domain: u32,
    topic: &str,
    message: Option<&str>,
    hash: Option<&str>,
) -> Result<String, Error> {
    let message = message.map(dds_type_name).transpose()?;
    Ok(format!("{domain}/{topic}/{}/{}", message.as_deref().unwrap_or("*"), hash.unwrap_or("*")))
}

/// The topic of a data key.
#[must_use]
pub fn topic_of(data_key: &str) -> Option<&str> {
    let (_domain, rest) = data_key.split_once('/')?;
    let (rest, _hash) = rest.rsplit_once('/')?;
    let (topic, _message) = rest.rsplit_once('/')?;
    Some(topic)
}

/// A node of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// `ROS_DOMAIN_ID`
    pub domain: u32,
    /// The zenoh session's id, in hexadecimal digits.
    pub session: String,
    /// What it is called.
    pub name: String,
}

impl Node {
    /// What its tokens begin with.
    #[must_use]
    pub fn tokens(&self) -> String {
        format!("@ros2_lv/{}/{}/", self.domain, self.session)
    }

    /// The token that says that the node is there.
    #[must_use]
    pub fn token(&self) -> String {
        format!("{}0/0/NN/%/%/{}", self.tokens(), self.name)
    }

    /// The token that says that one of its ends of a topic is there. `entity` is a number that no other has.
    ///
    /// # Errors
    /// [`Error::TypeName`] where the type's name is none.
    pub fn endpoint_token(
        &self,
        entity: u64,
        is_subscriber: bool,
        topic: &str,
        message: &str,
        hash: &str,
    ) -> Result<String, Error> {
        let (tokens, name) = (self.tokens(), &self.name);
        let kind = if is_subscriber { "MS" } else { "MP" };
        let (topic, message) = (topic.replace('/', "%"), dds_type_name(message)?);
        Ok(format!("{tokens}0/{entity}/{kind}/%/%/{name}/%{topic}/{message}/{hash}/{QOS}"))
    }
}

/// One end of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Whether it listens, rather than speaks.
    pub is_subscriber: bool,
    /// The topic, without its leading slash.
    pub topic: String,
    /// Its ROS type.
    pub message: String,
}

impl Endpoint {
    /// Reads a token; nothing of one that is no topic's.
    #[must_use]
    pub fn parse(token: &str) -> Option<Self> {
        let parts: Vec<&str> = token.split('/').collect();
        let ["@ros2_lv", _, _, _, _, kind, _, _, _, topic, message, _, _] = parts[..] else { return None };
        let is_subscriber = match kind {
            "MS" => true,
            "MP" => false,
            _ => return None,
        };
        let topic = topic.trim_start_matches('%').replace('%', "/");
        Key::of_topic(&topic).ok()?;
        Some(Self { is_subscriber, topic, message: ros_type_name(message)? })
    }
}

/// What goes with a message, from sequence number 1 on.
#[must_use]
pub fn attachment(sequence: i64, source_time: Stamp, identity: [u8; 16]) -> [u8; ATTACHMENT_LEN] {
    let mut bytes = [0; ATTACHMENT_LEN];
    bytes[..8].copy_from_slice(&sequence.to_le_bytes());
    bytes[8..16].copy_from_slice(&source_time.ns().to_le_bytes());
    bytes[16] = 16;
    bytes[17..].copy_from_slice(&identity);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the interface's own description has them: `/chatter` of a talker in domain 2.
    const TALKER: &str = "@ros2_lv/2/8b20917502ee955ac4476e0266340d5c/0/10/MP/%/%/talker/%chatter/\
        std_msgs::msg::dds_::String_/\
        RIHS01_df668c740482bbd48fb39d76a70dfd4bd59db1288021743503259e948f6b1a18/::,7:,:,:,,";

    #[test]
    fn tokens_of_others_are_read() {
        let talker = Endpoint {
            is_subscriber: false,
            topic: "chatter".to_owned(),
            message: "std_msgs/msg/String".to_owned(),
        };
        assert_eq!(Endpoint::parse(TALKER), Some(talker.clone()));
        let deeper = TALKER.replace("%chatter", "%lab%r1%chatter").replace("/MP/", "/MS/");
        let listener = Endpoint { is_subscriber: true, topic: "lab/r1/chatter".to_owned(), ..talker };
        assert_eq!(Endpoint::parse(&deeper), Some(listener));
        let node = "@ros2_lv/2/8b20917502ee955ac4476e0266340d5c/0/0/NN/%/%/talker";
        for other in [node, "", "@ros2_lv/2", &TALKER.replace("/MP/", "/SS/"), &TALKER.replace("dds_::", "")]
        {
            assert_eq!(Endpoint::parse(other), None, "{other}");
        }
    }

    #[test]
    fn our_tokens_have_the_same_form() {
        let node = Node {
            domain: 2,
            session: "8b20917502ee955ac4476e0266340d5c".to_owned(),
            name: "talker".to_owned(),
        };
        assert_eq!(node.token(), "@ros2_lv/2/8b20917502ee955ac4476e0266340d5c/0/0/NN/%/%/talker");
        let hash = crate::type_hash("std_msgs/msg/String").unwrap();
        let token = node.endpoint_token(10, false, "chatter", "std_msgs/msg/String", hash).unwrap();
        // The talker left what is rmw's default out of its quality of service, and keeps 7.
        assert_eq!(token, TALKER.replace("/::,7:", "/1:2:1,10:"));
    }

    #[test]
    fn a_key_holds_its_topic() {
        let key = data_key(41, "lab/r1/hdas/bms", Some("hdas_msg/msg/Bms"), Some(NO_HASH)).unwrap();
        assert_eq!(key, "41/lab/r1/hdas/bms/hdas_msg::msg::dds_::Bms_/TypeHashNotSupported");
        assert_eq!(topic_of(&key), Some("lab/r1/hdas/bms"));
        assert_eq!(data_key(0, "sinew/stop", None, None).unwrap(), "0/sinew/stop/*/*");
        assert_eq!((topic_of("0/a/b"), topic_of("0")), (None, None));
    }

    #[test]
    fn an_attachment_is_little_endian() {
        let bytes = attachment(1, Stamp::from_ns(0x0102), [7; 16]);
        assert_eq!(bytes[..10], [1, 0, 0, 0, 0, 0, 0, 0, 2, 1]);
        assert_eq!((bytes[16], &bytes[17..]), (16, &[7; 16][..]));
    }
}
