//! Who is on the robot's topics: what zenoh-bridge-ros2dds says of ROS nodes with liveliness tokens, or nodes with
//! rmw_zenoh of themselves (see [`rmw_zenoh`]).
//!
//! A bridge's token is `@/<zenoh id>/@ros2_lv/<kind>/<key>/<type>/<qos>` with `§` for the slashes of key and type; kind `MS` is a
//! subscriber, `MP` a publisher.

use crate::error::Error;
use crate::ros::Ros;
use crate::slot::lock;
use serde::Serialize;
use sinew_proto::rmw_zenoh;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use zenoh::Wait;
use zenoh::pubsub::Subscriber;
use zenoh::sample::{Sample, SampleKind};

/// A ROS node's end of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Whether it listens, rather than speaks.
    pub is_subscriber: bool,
    /// The topic, without its leading slash.
    pub topic: String,
    /// The ROS type, such as `geometry_msgs/msg/Twist`.
    pub message: String,
}

impl Endpoint {
    /// Reads a token; nothing of one that is no topic's.
    #[must_use]
    pub fn parse(token: &str) -> Option<Self> {
        Self::of_bridge(token).or_else(|| {
            let rmw_zenoh::Endpoint { is_subscriber, topic, message } = rmw_zenoh::Endpoint::parse(token)?;
            Some(Self { is_subscriber, topic, message })
        })
    }

    fn of_bridge(token: &str) -> Option<Self> {
        let (_, rest) = token.strip_prefix("@/")?.split_once("/@ros2_lv/")?;
        let mut parts = rest.split('/');
        let is_subscriber = match parts.next()? {
            "MS" => true,
            "MP" => false,
            _ => return None,
        };
        let mut name = || Some(parts.next()?.replace('§', "/"));
        let (topic, message) = (name()?, name()?);
        parts.next()?;
        Some(Self { is_subscriber, topic, message })
    }
}

/// Who listens to a topic, or speaks on it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Listeners {
    /// How many.
    pub count: usize,
    /// The types they take, each once.
    pub messages: Vec<String>,
}

/// Who is there, as far as bridges say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    /// By token.
    endpoints: BTreeMap<String, Endpoint>,
}

impl Presence {
    /// A token appeared. Returns whether it says anything.
    pub fn add(&mut self, token: &str) -> bool {
        let Some(endpoint) = Endpoint::parse(token) else { return false };
        self.endpoints.insert(token.to_owned(), endpoint);
        true
    }

    /// A token is gone. Returns whether it said anything.
    pub fn remove(&mut self, token: &str) -> bool {
        self.endpoints.remove(token).is_some()
    }

    /// Who listens to a topic, without its leading slash.
    #[must_use]
    pub fn listeners(&self, topic: &str) -> Listeners {
        self.ends(topic, true)
    }

    /// Who speaks on a topic, without its leading slash.
    #[must_use]
    pub fn publishers(&self, topic: &str) -> Listeners {
        self.ends(topic, false)
    }

    /// Whether anybody says who is there.
    #[must_use]
    pub fn says_anything(&self) -> bool {
        !self.endpoints.is_empty()
    }

    fn ends(&self, topic: &str, is_subscriber: bool) -> Listeners {
        let ends =
            self.endpoints.values().filter(|end| end.is_subscriber == is_subscriber && end.topic == topic);
        let messages: Vec<&String> = ends.map(|endpoint| &endpoint.message).collect();
        let each: BTreeSet<&String> = messages.iter().copied().collect();
        Listeners { count: messages.len(), messages: each.into_iter().cloned().collect() }
    }
}

/// Keeps an eye on who is there.
#[derive(Debug)]
pub struct PresenceWatch {
    seen: Arc<Seen>,
    _subscriber: Subscriber<()>,
}

#[derive(Debug, Default)]
struct Seen {
    presence: Mutex<Presence>,
    /// How often it has changed.
    changes: AtomicU64,
}

impl PresenceWatch {
    /// Asks the network who is there, and who comes and goes from now on.
    ///
    /// # Errors
    /// If zenoh refuses.
    pub fn start(ros: &Ros) -> Result<Self, Error> {
        let seen = Arc::new(Seen::default());
        let for_callback = Arc::clone(&seen);
        let ours = ros.own_tokens();
        let callback = move |sample: Sample| {
            let token = sample.key_expr().as_str();
            // A recorder of ours moves nothing. Besides, this is called while a token of ours is declared.
            if ours.as_ref().is_some_and(|ours| token.starts_with(ours)) {
                return;
            }
            let mut presence = lock(&for_callback.presence);
            let is_change = match sample.kind() {
                SampleKind::Put => presence.add(token),
                SampleKind::Delete => presence.remove(token),
            };
            for_callback.changes.fetch_add(u64::from(is_change), Ordering::Release);
        };
        let liveliness = ros.session().liveliness();
        let subscriber = liveliness.declare_subscriber(ros.tokens()).history(true).callback(callback).wait();
        Ok(Self { seen, _subscriber: subscriber.map_err(Error::zenoh("asking who is there"))? })
    }

    /// Who is there now.
    #[must_use]
    pub fn presence(&self) -> Presence {
        lock(&self.seen.presence).clone()
    }

    /// Looks at who is there, if that has changed since `changes`, which is brought up to date, and nobody else looks
    /// right now.
    pub fn look<T>(&self, changes: &mut u64, look: impl FnOnce(&Presence) -> T) -> Option<T> {
        let newest = self.seen.changes.load(Ordering::Acquire);
        if newest == *changes {
            return None;
        }
        let presence = self.seen.presence.try_lock().ok()?;
        *changes = newest;
        Some(look(&presence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_say_who_listens_and_for_what() {
        let mut presence = Presence::default();
        let tokens = [
            "@/a1b2/@ros2_lv/MS/motion_target§target_speed_chassis/geometry_msgs§msg§Twist/:1:0:1,10",
            "@/a1b2/@ros2_lv/MS/motion_target§target_joint_state_torso/sensor_msgs§msg§JointState/:2::1,10",
            "@/c3d4/@ros2_lv/MS/motion_target§target_joint_state_torso/sensor_msgs§msg§JointState/:2::1,10",
            "@/a1b2/@ros2_lv/MP/hdas§feedback_torso/sensor_msgs§msg§JointState/:1:1:1,100",
            "@/a1b2/@ros2_lv/SS/switch_control_mode_vr/hdas_msg§srv§FunctionFrame",
            "@/a1b2/@ros2_lv/MS/cut_off",
            "something/else",
        ];
        let said_something = tokens.map(|token| presence.add(token));
        assert_eq!(said_something, [true, true, true, true, false, false, false]);
        let said = |messages: &[&str], count| Listeners {
            count,
            messages: messages.iter().map(|message| (*message).to_owned()).collect(),
        };
        let chassis = presence.listeners("motion_target/target_speed_chassis");
        assert_eq!(chassis, said(&["geometry_msgs/msg/Twist"], 1));
        let torso = presence.listeners("motion_target/target_joint_state_torso");
        assert_eq!(torso, said(&["sensor_msgs/msg/JointState"], 2));
        let speaking = presence.publishers("hdas/feedback_torso");
        assert_eq!(speaking, said(&["sensor_msgs/msg/JointState"], 1));
        // Somebody who speaks does not listen.
        assert_eq!(presence.listeners("hdas/feedback_torso"), said(&[], 0));
        let of_rmw_zenoh = format!(
            "@ros2_lv/0/c3d4/0/3/MS/%/%/mobiman/{topic}/{message}/TypeHashNotSupported/2::,1:,:,:,,",
            topic = "%motion_target%target_speed_chassis",
            message = "geometry_msgs::msg::dds_::TwistStamped_"
        );
        assert!(presence.add(&of_rmw_zenoh));
        let both = said(&["geometry_msgs/msg/Twist", "geometry_msgs/msg/TwistStamped"], 2);
        assert_eq!(presence.listeners("motion_target/target_speed_chassis"), both);
        assert!(presence.remove(tokens[1]) && !presence.remove(tokens[6]));
        assert_eq!(presence.listeners("motion_target/target_joint_state_torso").count, 1);
    }
}
