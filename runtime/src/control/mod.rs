//! The control tick: chunks and feedback in, set-points out, at a fixed rate. It waits for nobody, and nothing leaves that
//! the safety core has not let out.

mod hearing;
mod pilot;
mod plan;
mod report;

pub use hearing::Hearing;
pub use pilot::{Heard, Pilot, Told};
pub use plan::MotionPlan;
pub use report::{Allowed, TickBoard, TickReport};

use crate::clock::{self, Moment};
use crate::error::Error;
use crate::ingest::Inbox;
use crate::motion::Joints;
use crate::operator::OperatorLink;
use crate::presence::{Listeners, Presence, PresenceWatch};
use crate::publish;
use crate::ros::{Ros, TopicPublisher};
use crate::safety::{Reason, State};
use crate::schedule::{Brief, RampRefusal, RobotChunk};
use crate::setpoint::{SetpointOutput, stamp};
use crate::slot::{Latest, Slot};
use crate::status::StatusLink;
use crate::stop::Stop;
use crate::telemetry::{EventKind, MergeReport, SeamReport, Telemetry};
use crate::thread::run_in_real_time;
use sinew_proto::Stamp;
use sinew_proto::key::Key;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A chunk on its way from inference to the control tick.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// Its number.
    pub sequence: u64,
    /// When its observation was taken.
    pub captured_at: Moment,
    /// `[chunk, joints]`
    pub values: Vec<f64>,
}

/// Where inference and the control tick meet.
#[derive(Debug)]
pub struct Exchange {
    /// The newest chunk.
    pub chunk: Slot<Delivery>,
    /// What inference has to know.
    pub brief: Latest<Brief>,
}

/// The set-points' publications.
#[derive(Debug)]
pub struct SetpointPublisher {
    ros: Ros,
    outputs: Vec<(SetpointOutput, TopicPublisher)>,
}

impl SetpointPublisher {
    /// Declares them.
    ///
    /// # Errors
    /// If a topic is no key, or zenoh refuses.
    pub fn declare(ros: &Ros, namespace: &str, outputs: Vec<SetpointOutput>) -> Result<Self, Error> {
        let declared = outputs.into_iter().map(|output| {
            let topic = Key::of_topic_in(namespace, &output.topic)?;
            let publisher = publish::declare(ros, &topic, output.message())?;
            Ok((output, publisher))
        });
        Ok(Self { ros: ros.clone(), outputs: declared.collect::<Result<_, Error>>()? })
    }

    /// The topics that are published on.
    pub fn topics(&self) -> impl Iterator<Item = String> {
        self.outputs.iter().map(|(_, publisher)| publisher.topic().to_owned())
    }

    /// Takes the forms that who listens takes. Returns who that is, by topic.
    ///
    /// # Errors
    /// If somebody listens for something else altogether, or not all for the same.
    pub fn adapt(&mut self, presence: &Presence) -> Result<BTreeMap<String, Listeners>, Error> {
        let mut listening = BTreeMap::new();
        for (output, publisher) in &mut self.outputs {
            let topic = Key::of_topic(publisher.topic())?;
            let listeners = presence.listeners(topic.as_str());
            output.adapt(&listeners.messages)?;
            if output.message() != publisher.message() {
                *publisher = publish::declare(&self.ros, &topic, output.message())?;
            }
            listening.insert(topic.to_string(), listeners);
        }
        Ok(listening)
    }

    /// Publishes a set-point: every message of it, whatever becomes of the others.
    ///
    /// # Errors
    /// If zenoh refuses a message.
    pub fn publish(&self, setpoint: &[f64], now: Stamp) -> Result<(), Error> {
        let stamp = stamp(now)?;
        let put = |(output, publisher): &(SetpointOutput, TopicPublisher)| {
            publisher.put(output.encode(setpoint, stamp))
        };
        self.outputs.iter().map(put).fold(Ok(()), Result::and)
    }
}

/// Everything the control thread works with.
#[derive(Debug)]
pub struct Control {
    /// What decides.
    pub pilot: Pilot,
    /// What the operator says.
    pub operator: OperatorLink,
    /// What the robot says of itself.
    pub status: StatusLink,
    /// The robot's joints.
    pub joints: Joints,
    /// Set-points onto the network.
    pub publisher: SetpointPublisher,
    /// Who listens to them.
    pub presence: PresenceWatch,
    /// Where chunks come from.
    pub exchange: Arc<Exchange>,
    /// What the joints report.
    pub inbox: Arc<Inbox>,
    /// How many cameras there are.
    pub camera_count: usize,
    /// Time between two set-points.
    pub period_ns: i64,
    /// Of this thread; 0: none.
    pub realtime_priority: u8,
    /// Counters and events.
    pub telemetry: Arc<Telemetry>,
    /// Where each tick's report is left.
    pub board: Arc<TickBoard>,
    /// When to end.
    pub stop: Stop,
}

impl Control {
    /// Publishes set-points until the stop, and until the robot is back where it is to be. What goes wrong ends it
    /// too, but not before the robot stands.
    ///
    /// # Errors
    /// If a slow move is refused, or the network fails.
    pub fn run(mut self) -> Result<(), Error> {
        if self.realtime_priority > 0 {
            let refusal = run_in_real_time(self.realtime_priority).err();
            self.telemetry.emit(EventKind::RealTime { priority: self.realtime_priority, refusal });
        }
        let mut hearing = Hearing::new(&self.joints, self.camera_count, self.status.topic_count());
        let mut seam = SeamReport::new(&self.joints);
        let mut report = TickReport::new(&self.joints);
        let mut presence_changes = 0;
        let mut said = None;
        let mut failure: Option<Error> = None;
        let mut due = clock::moment();
        loop {
            // Of one moment: a step of the wall clock is told by comparing them, and set-points carry the time they are for.
            let (now, wall) = clock::both();
            self.telemetry.ticks().began(now.ns_since(due));
            let publisher = &mut self.publisher;
            match self.presence.look(&mut presence_changes, |presence| publisher.adapt(presence)).transpose()
            {
                Ok(Some(outputs)) => {
                    report.listeners = Some(Arc::new(outputs.clone()));
                    self.telemetry.emit(EventKind::Listeners { outputs });
                }
                Ok(None) => {}
                Err(error) => failure = failure.or(Some(error)),
            }
            self.take_chunk(now, &mut seam, &mut report);
            hearing.listen(&self.inbox, self.status.board());
            let mut operator = self.operator.panel().take();
            operator.stop |= failure.is_some();
            let heard = Heard {
                measured: hearing.measured(),
                others: hearing.others(),
                wall,
                operator,
                robot: self.status.board().status(),
                is_ending: self.stop.is_requested(),
            };
            let told = self.pilot.tick(now, &heard);
            let found = (told.state, told.reason);
            if let Some(refusal) = told.refusal {
                failure = failure.or_else(|| Some(refused_move(&self.joints, refusal)));
            }
            match (told.command, failure.take()) {
                (Some(command), before) => {
                    let published = self.publisher.publish(&command.values, wall);
                    failure = before.or(published.err());
                }
                (None, Some(failure)) => return Err(failure),
                (None, None) => {}
            }
            if said.replace(found) != Some(found) {
                report.allowed = self.say(found, now);
            }
            report.at = Some(now);
            report.activity = self.pilot.drive().activity();
            report.idle_ns = self.pilot.drive().idle_ns();
            report.limit_hits.copy_from_slice(self.pilot.safety().hits());
            self.board.leave(&report);
            self.exchange.brief.try_set(self.pilot.drive_mut().brief());
            while let Some(ending) = self.pilot.drive_mut().next_ending() {
                self.telemetry.ending(ending);
            }
            if self.pilot.is_done() {
                self.telemetry.limit_hits(self.joints.axes(), self.pilot.safety().hits());
                return failure.map_or(Ok(()), Err);
            }
            let next = next_due(due, self.period_ns, clock::moment());
            self.telemetry.ticks().missed(next.ns_since(due) / self.period_ns - 1);
            due = next;
            let wait = due.ns_since(clock::moment());
            std::thread::sleep(Duration::from_nanos(u64::try_from(wait).unwrap_or(0)));
        }
    }

    /// Reports a change of state. Takes memory, unlike a tick without one.
    fn say(&self, (state, reason): (State, Option<Reason>), now: Moment) -> Allowed {
        let message = reason.map(|reason| self.pilot.safety().explain(reason));
        let reason = reason.map(Reason::kind);
        let allowed = Allowed { state, reason, message: message.as_deref().map(Arc::from), since: now };
        self.board.change(&allowed);
        self.telemetry.emit(EventKind::Motion { state, reason, message });
        allowed
    }

    fn take_chunk(&mut self, now: Moment, seam: &mut SeamReport, report: &mut TickReport) {
        let Some(delivery) = self.exchange.chunk.try_take() else { return };
        let Delivery { sequence, captured_at, values } = delivery;
        let chunk = RobotChunk { sequence, captured_at, values: &values };
        let Ok(accepted) = self.pilot.accept(chunk, now) else { return };
        seam.fill(self.pilot.drive().seam());
        let idle_ms = clock::ms(self.pilot.drive().idle_ns());
        let merged = MergeReport::new(sequence, accepted, idle_ms, seam.clone());
        report.merged(&merged);
        self.telemetry.emit(EventKind::Merged(merged));
    }
}

/// A slow move that was refused, with the robot's names.
pub(crate) fn refused_move(joints: &Joints, refusal: RampRefusal) -> Error {
    let name = |joint: usize| joints.axes()[joint].name.clone();
    let (what, found) = match refusal {
        RampRefusal::NoFeedback { joint } => (name(joint), "nobody knows where it is".to_owned()),
        RampRefusal::TooFar { joint, distance } => (name(joint), format!("it is {distance:.3} away")),
    };
    Error::mismatch(
        format!("slow move of `{what}`"),
        ("the start posture", "it has to be near (move the robot there, or set `setpoints.start`)"),
        ("feedback", &found),
    )
}

/// The next tick on the grid that is not over yet.
fn next_due(due: Moment, period_ns: i64, now: Moment) -> Moment {
    let missed = now.ns_since(due).div_euclid(period_ns).max(0);
    due.plus_ns((missed + 1) * period_ns)
}
