//! Everything that was heard until a tick, robot-wide. Made once, filled in place.

use crate::clock::{self, Moment};
use crate::ingest::Inbox;
use crate::motion::{Joints, Measured};
use crate::status::StatusBoard;
use sinew_proto::Stamp;

/// What the control tick knows of joints, and when it last heard of cameras and status.
#[derive(Clone, Debug)]
pub struct Hearing {
    joints: Joints,
    measured: Measured,
    /// Stamps of the newest feedback taken in, by group.
    seen: Box<[Option<Stamp>]>,
    /// Cameras, then status topics.
    others: Box<[Option<Moment>]>,
    camera_count: usize,
}

impl Hearing {
    /// Nothing yet, of a robot, so many cameras and so many status topics.
    #[must_use]
    pub fn new(joints: &Joints, camera_count: usize, topic_count: usize) -> Self {
        Self {
            measured: Measured::nothing(joints),
            seen: vec![None; joints.groups().len()].into(),
            others: vec![None; camera_count + topic_count].into(),
            camera_count,
            joints: joints.clone(),
        }
    }

    /// Takes in what arrived since the last tick; where somebody is at the streams right now, at the next one.
    pub fn listen(&mut self, inbox: &Inbox, status: &StatusBoard) {
        let Self { joints, measured, seen, others, camera_count } = self;
        let (cameras, topics) = others.split_at_mut(*camera_count);
        for (topic, heard_at) in topics.iter_mut().zip(status.heard_at()) {
            *topic = heard_at;
        }
        inbox.try_with_streams(|streams| {
            for (group, (stream, span)) in streams.groups.iter().zip(joints.groups()).enumerate() {
                let Some(sample) = stream.newest() else { continue };
                if seen[group] == Some(sample.captured_at) {
                    continue;
                }
                seen[group] = Some(sample.captured_at);
                let count = span.span.len();
                let whole = |numbers: &[f64]| numbers.len() == count;
                let position = Some(&sample.value.position[..]).filter(|p| whole(p)).unwrap_or_default();
                let velocity = Some(&sample.value.velocity[..]).filter(|v| whole(v)).unwrap_or_default();
                let received_at = clock::moment_of(sample.received_at);
                measured.update(joints, group, received_at, position, velocity);
            }
            for (camera, stream) in cameras.iter_mut().zip(&streams.cameras) {
                if let Some(sample) = stream.newest() {
                    *camera = Some(clock::moment_of(sample.received_at));
                }
            }
        });
    }

    /// What the joints report.
    #[must_use]
    pub fn measured(&self) -> &Measured {
        &self.measured
    }

    /// When the newest of each camera and of each status topic arrived.
    #[must_use]
    pub fn others(&self) -> &[Option<Moment>] {
        &self.others
    }
}
