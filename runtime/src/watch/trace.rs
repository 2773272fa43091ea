//! What the joints did and what they are told, for a picture of both.

use crate::error::Error;
use crate::ros::{Ros, Subscription};
use crate::slot::lock;
use sinew_models::embodiment::{Embodiment, Field, Group, GroupKind};
use sinew_proto::Stamp;
use sinew_proto::key::Key;
use sinew_proto::msg::trajectory_msgs::JointTrajectory;
use sinew_sync::{ExtraElements, FeedbackConfig, FeedbackReader, History, JointNames, Sample};
use std::sync::{Arc, Mutex};

/// Joint states kept of a group: a few seconds.
const CAPACITY: usize = 2048;

/// Each group's history and its newest command.
#[derive(Clone, Debug)]
pub struct Trace {
    /// One entry a group, in the robot's order.
    pub groups: Vec<GroupTrace>,
}

/// One group's.
#[derive(Clone, Debug)]
pub struct GroupTrace {
    /// The group.
    pub group: Group,
    /// What it reported: positions, of a base velocities.
    pub history: History<Vec<f64>>,
    /// What it was told last.
    pub command: Option<JointTrajectory>,
}

impl Trace {
    /// Of a robot nobody has heard of yet.
    #[must_use]
    pub fn new(embodiment: &Embodiment) -> Self {
        let group = |group: &Group| GroupTrace {
            group: group.clone(),
            history: History::new(CAPACITY),
            command: None,
        };
        Self { groups: embodiment.groups.iter().map(group).collect() }
    }

    /// Takes in what a group is told.
    pub fn command(&mut self, group: &str, trajectory: JointTrajectory) {
        if let Some(trace) = self.groups.iter_mut().find(|trace| trace.group.name == group) {
            trace.command = Some(trajectory);
        }
    }

    /// Takes in what a group reports. What is out of order is left out.
    pub fn feedback(&mut self, group: usize, captured_at: Stamp, numbers: Vec<f64>) {
        let sample = Sample { captured_at, received_at: captured_at, value: numbers };
        // A picture loses nothing by a late point.
        let _ = self.groups[group].history.push(sample);
    }
}

/// Listens to all feedback of the robot.
pub(super) fn subscribe(
    ros: &Ros,
    namespace: &str,
    embodiment: &Embodiment,
    trace: &Arc<Mutex<Trace>>,
) -> Result<Vec<Subscription>, Error> {
    let config = FeedbackConfig { joint_names: JointNames::Ignore, extra_elements: ExtraElements::Ignore };
    let mut subscriptions = Vec::new();
    for (index, group) in embodiment.groups.iter().enumerate() {
        let Some(topic) = &group.feedback else { continue };
        let field = match group.kind {
            GroupKind::Position => Field::Position,
            GroupKind::Velocity => Field::Velocity,
        };
        let reader = FeedbackReader::new(group, &[field], config)?;
        let key = Key::of_topic_in(namespace, &topic.topic)?;
        let (trace, message) = (Arc::clone(trace), reader.message());
        let callback = move |sample: zenoh::sample::Sample| {
            if let Ok((captured_at, feedback)) = reader.read(&sample.payload().to_bytes()) {
                lock(&trace).feedback(index, captured_at, feedback.field(field).to_vec());
            }
        };
        subscriptions.push(ros.subscribe(key.as_str(), Some(message), callback)?);
    }
    Ok(subscriptions)
}
