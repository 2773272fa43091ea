//! `sinew-runtime rehearse`: a recorded session once more through the pure core, with nothing but the log as input. The
//! same log gives the same bytes again; other limits or another schedule show what they would have changed.

use crate::clock::Moment;
use crate::config::Config;
use crate::control::MotionPlan;
use crate::error::Error;
use crate::plan::Plan;
use crate::record::{About, EpisodeLog, RecordedTopic, Role};
use crate::safety::{Reason, State};
use crate::schedule::RobotChunk;
use crate::setpoint;
use crate::stage::{Now, Stage};
use serde::Serialize;
use serde_json::json;
use sinew_dataset::{Log, LogItem};
use sinew_models::contract::Bundle;
use sinew_proto::key::{ACTION_CHUNK, ALIVE, EVENTS, Key, RESUME, STOP};
use sinew_proto::msg::sinew_msgs::ActionChunk;
use sinew_proto::msg::std_msgs;
use sinew_proto::{Message, Stamp};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// A change of what the robot may do.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// When, seconds from the log's first message.
    pub at_s: f64,
    /// To what.
    pub state: State,
    /// Why it does not move.
    pub reason: Option<&'static str>,
}

/// How it went.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Rehearsal {
    /// Control ticks.
    pub tick_count: u64,
    /// Of these, with a command.
    pub command_count: u64,
    /// Observations that a policy would have had.
    pub observation_count: u64,
    /// Chunks in the log.
    pub chunk_count: u64,
    /// Of these, not taken in: too late, or the robot held.
    pub dropped_chunk_count: u64,
    /// Messages in the log that could not be used.
    pub unusable_count: u64,
    /// What the robot might do when.
    pub changes: Vec<Change>,
}

/// What a topic is to the pure core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Listener {
    Camera(usize),
    Feedback(usize),
    Status(usize),
    Chunk,
    Events,
}

/// Plays a log through scheduling and safety, and writes what would have been sent into another.
///
/// # Errors
/// If bundle, robot and configuration do not agree, set-points are not configured, the log is damaged or the output cannot
/// be written.
pub fn rehearse(log: &Path, bundle: &Path, config: &Config, output: &Path) -> Result<Rehearsal, Error> {
    let plan = Plan::new(Bundle::open(bundle)?, config)?;
    let motion = MotionPlan::new(&plan, config)?.ok_or_else(|| Error::ConfigValue {
        key: "setpoints.publish".to_owned(),
        found: "false".to_owned(),
        expected: "true: there is nothing to rehearse otherwise".to_owned(),
    })?;
    let mut rehearser = Rehearser::new(&plan, &motion, config)?;
    let mut script: Option<Script> = None;
    for item in Log::open(log)? {
        let LogItem::Message { channel, at_ns, data } = item? else { continue };
        let script = match &mut script {
            Some(script) => script,
            None => script.insert(Script::begin(&motion, output, Stamp::from_ns(at_ns))?),
        };
        // Threads that recorded at the same time may be a little out of order.
        let now = script.now(at_ns);
        while script.next_tick.moment <= now.moment {
            rehearser.tick(script.next_tick, script)?;
            script.next_tick = script.next_tick.plus_ns(config.setpoints.period_ns());
        }
        if let Some(listener) = rehearser.listeners.get(&channel.topic).copied() {
            rehearser.take_in(listener, &data, now, script)?;
        }
    }
    let Some(script) = script else {
        return Err(Error::Log { path: log.to_owned(), message: "expected messages, found none".to_owned() });
    };
    script.log.finish(BTreeMap::new())?;
    Ok(rehearser.rehearsal)
}

/// What is written, and where in time it is.
struct Script {
    log: EpisodeLog,
    topics: Vec<RecordedTopic>,
    zero: Stamp,
    next_tick: Now,
}

impl Script {
    fn begin(motion: &MotionPlan, output: &Path, zero: Stamp) -> Result<Self, Error> {
        let mut topics = vec![topic(EVENTS, std_msgs::String::TYPE_NAME, Role::Event)?];
        for output in &motion.outputs {
            topics.push(topic(&output.topic, output.message(), Role::Data)?);
        }
        let log = EpisodeLog::begin(output, &About::default(), zero)?;
        Ok(Self { log, topics, zero, next_tick: Now { moment: Moment::from_ns(0), wall: zero } })
    }

    fn now(&self, at_ns: i64) -> Now {
        Now { moment: Moment::from_ns(at_ns.saturating_sub(self.zero.ns())), wall: Stamp::from_ns(at_ns) }
    }

    fn write(&mut self, index: usize, at: Stamp, payload: &[u8]) -> Result<(), Error> {
        let topic = &self.topics[index];
        self.log.write((index, topic), topic.message, at, payload)
    }

    fn say(&mut self, event: &serde_json::Value, now: Now) -> Result<(), Error> {
        self.write(0, now.wall, &std_msgs::String { data: event.to_string() }.to_cdr())
    }
}

fn topic(name: &str, message: &'static str, role: Role) -> Result<RecordedTopic, Error> {
    let key = Key::of_topic(name)?;
    Ok(RecordedTopic { name: format!("/{key}"), key, message, role })
}

/// The pure core, and what is said of it.
struct Rehearser<'a> {
    plan: &'a Plan,
    motion: &'a MotionPlan,
    stage: Stage<'a>,
    listeners: HashMap<String, Listener>,
    said: Option<(State, Option<Reason>)>,
    rehearsal: Rehearsal,
}

impl<'a> Rehearser<'a> {
    fn new(plan: &'a Plan, motion: &'a MotionPlan, config: &Config) -> Result<Self, Error> {
        Ok(Self {
            stage: Stage::new(plan, motion, config)?,
            listeners: listeners(plan, motion, config),
            said: None,
            rehearsal: Rehearsal::default(),
            plan,
            motion,
        })
    }

    fn take_in(
        &mut self,
        listener: Listener,
        data: &[u8],
        now: Now,
        script: &mut Script,
    ) -> Result<(), Error> {
        let usable = match listener {
            Listener::Camera(index) => {
                let usable = self.stage.see(index, data, now);
                self.observe(now, script)?;
                usable
            }
            Listener::Feedback(index) => self.stage.feel(index, data, now),
            Listener::Status(index) => self.stage.learn(index, data, now),
            Listener::Chunk => self.follow(data, now),
            Listener::Events => self.obey(data, now),
        };
        self.rehearsal.unusable_count += u64::from(!usable);
        Ok(())
    }

    fn follow(&mut self, data: &[u8], now: Now) -> bool {
        let Ok(chunk) = ActionChunk::from_cdr(data) else { return false };
        let (Ok(()), Ok(captured)) = (chunk.validate(), Stamp::try_from(chunk.header.stamp)) else {
            return false;
        };
        let values = self.plan.commands.robot_values(&chunk.values, &self.motion.joints);
        let captured_at = now.moment.plus_ns(captured.ns_since(now.wall));
        let chunk = RobotChunk { sequence: chunk.sequence, captured_at, values: &values };
        self.rehearsal.chunk_count += 1;
        // A chunk that comes too late is as usable as the schedule finds it.
        let accepted = self.stage.pilot.accept(chunk, now.moment);
        self.rehearsal.dropped_chunk_count += u64::from(accepted.is_err());
        true
    }

    /// The operator's signals, which the recorder keeps as events.
    fn obey(&mut self, data: &[u8], now: Now) -> bool {
        let Ok(message) = std_msgs::String::from_cdr(data) else { return false };
        let Ok(event) = serde_json::from_str::<serde_json::Value>(&message.data) else { return false };
        if event["event"] == "operator" {
            let is =
                |topic| event["topic"].as_str().is_some_and(|name| name.trim_start_matches('/') == topic);
            let operator = &mut self.stage.operator;
            operator.stop |= is(STOP);
            operator.resume |= is(RESUME);
            if is(ALIVE) {
                operator.alive_at = Some(now.moment);
            }
        }
        true
    }

    fn observe(&mut self, now: Now, script: &mut Script) -> Result<(), Error> {
        let Ok(observation) = self.stage.observe(now) else { return Ok(()) };
        self.rehearsal.observation_count += 1;
        let (captured_at_ns, state) = (observation.captured_at.ns(), observation.state);
        script.say(&json!({ "event": "observation", "captured_at_ns": captured_at_ns, "state": state }), now)
    }

    fn tick(&mut self, now: Now, script: &mut Script) -> Result<(), Error> {
        let told = self.stage.tick(now, false);
        let found = (told.state, told.reason);
        self.rehearsal.tick_count += 1;
        if let Some(command) = told.command {
            self.rehearsal.command_count += 1;
            for (index, output) in self.motion.outputs.iter().enumerate() {
                let message = output.encode(&command.values, setpoint::stamp(now.wall)?);
                script.write(index + 1, now.wall, &message)?;
            }
        }
        while self.stage.pilot.drive_mut().next_ending().is_some() {}
        if self.said.replace(found) == Some(found) {
            return Ok(());
        }
        let change =
            Change { at_s: now.moment.ns() as f64 * 1e-9, state: found.0, reason: found.1.map(Reason::kind) };
        script.say(&json!({ "event": "motion", "state": change.state, "reason": change.reason }), now)?;
        self.rehearsal.changes.push(change);
        Ok(())
    }
}

/// What each topic is to the pure core, by the names that topics have in logs: without a namespace.
fn listeners(plan: &Plan, motion: &MotionPlan, config: &Config) -> HashMap<String, Listener> {
    let namespace = config.zenoh.namespace.trim_matches('/');
    let name = |key: &str| {
        let bare = key.trim_start_matches('/');
        format!("/{}", bare.strip_prefix(namespace).unwrap_or(bare).trim_start_matches('/'))
    };
    let mut listeners = HashMap::new();
    for (index, camera) in plan.cameras.iter().enumerate() {
        listeners.extend(camera.keys.iter().map(|key| (name(key.as_str()), Listener::Camera(index))));
    }
    for (index, input) in plan.feedback.iter().enumerate() {
        listeners.insert(name(input.key.as_str()), Listener::Feedback(index));
    }
    for (index, topic) in motion.status.iter().enumerate() {
        listeners.insert(name(topic.topic()), Listener::Status(index));
    }
    listeners.insert(name(ACTION_CHUNK), Listener::Chunk);
    listeners.insert(name(EVENTS), Listener::Events);
    listeners
}
