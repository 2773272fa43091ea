//! Listening to the robot as a run does, without a word to it.

use crate::clock;
use crate::config::Config;
use crate::control::{self, Hearing, MotionPlan, Pilot, refused_move};
use crate::error::Error;
use crate::ingest::{Inbox, Ingest};
use crate::plan::Plan;
use crate::presence::{Presence, PresenceWatch};
use crate::ros::{Ros, Subscription};
use crate::safety::{Operator, Reason, State};
use crate::schedule::RampRefusal;
use crate::slot::lock;
use crate::status::{Said, StatusLink, StatusTopic};
use crate::stop::Stop;
use crate::telemetry::{EventKind, StreamReport, Telemetry};
use sinew_proto::Stamp;
use sinew_proto::cdr::{Cdr, Reader};
use sinew_proto::key::Key;
use sinew_proto::msg::builtin_interfaces::Time;
use sinew_sync::NotReady;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use zenoh::Wait;

/// Time between two looks, as between two control ticks.
const LOOK: Duration = Duration::from_millis(10);

/// A camera or a group's feedback.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeardStream {
    /// Its name, such as `camera.head`.
    pub name: String,
    /// The keys that it may be found on, or the device.
    pub keys: Vec<String>,
    /// The type that is expected.
    pub message: String,
    /// What was counted.
    pub report: StreamReport,
    /// How old its messages are by their stamps when they arrive, the least and the most. Negative: from the future.
    pub ages_ns: Option<RangeInclusive<i64>>,
    /// Width and height that the bundle names and that arrive, where they differ.
    pub sizes: Option<[[usize; 2]; 2]>,
}

/// What came of letting the control tick decide without sending what it says.
#[derive(Clone, Debug, PartialEq)]
pub struct DryRun {
    /// Whether the robot would have begun to move.
    pub is_begun: bool,
    /// The state that the safety core was in at the end.
    pub state: State,
    /// Why the robot would not have moved then.
    pub reason: Option<String>,
    /// Why the robot cannot be moved to the start posture.
    pub refusal: Option<String>,
    /// What each status topic said.
    pub said: Vec<(String, Option<Said>)>,
}

/// Everything that was heard.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    /// For how long.
    pub seconds: f64,
    /// Cameras and feedback.
    pub streams: Vec<HeardStream>,
    /// How many observations could be made.
    pub observation_count: u64,
    /// Why the last could not.
    pub not_ready: Option<NotReady>,
    /// What would become of motion; nothing where nothing is to move the robot.
    pub dry_run: Option<DryRun>,
    /// Who is there, as far as bridges say.
    pub presence: Presence,
    /// Zenoh peers and routers.
    pub neighbour_count: usize,
}

/// Listens for so long.
///
/// # Errors
/// If the network refuses.
pub(super) fn listen(
    ros: &Ros,
    plan: &Plan,
    motion: Option<&MotionPlan>,
    config: &Config,
    duration: Duration,
    stop: &Stop,
) -> Result<Heard, Error> {
    let topics = motion.iter().flat_map(|motion| &motion.status).map(StatusTopic::stream);
    let (telemetry, events) = Telemetry::new(Ingest::stream_names(plan).chain(topics));
    let telemetry = Arc::new(telemetry);
    let ends = Stop::default();
    let presence = PresenceWatch::start(ros)?;
    let clocks = Clocks::start(ros, plan)?;
    let ingest = Ingest::start(ros, &config.zenoh, plan, config.sync.limits(), &telemetry, &ends)?;
    let inbox = ingest.inbox();
    let namespace = &config.zenoh.namespace;
    let mut pretending =
        motion.map(|motion| Pretending::new(ros, namespace, motion, &telemetry)).transpose()?;
    let mut observing = Observing::default();
    let start = Instant::now();
    while start.elapsed() < duration && !stop.is_requested() {
        observing.look(plan, &inbox);
        if let Some(pretending) = &mut pretending {
            pretending.tick(&inbox);
        }
        std::thread::sleep(LOOK);
    }
    let seconds = start.elapsed().as_secs_f64();
    let reports = telemetry.streams();
    let dry_run = pretending.map(Pretending::outcome);
    let info = ros.session().info();
    let neighbour_count = info.peers_zid().wait().count() + info.routers_zid().wait().count();
    ends.request();
    ingest.finish()?;
    let sizes: BTreeMap<String, [[usize; 2]; 2]> = events
        .try_iter()
        .filter_map(|event| match event.kind {
            EventKind::FrameSize { camera, bundle, found } => Some((camera, [bundle, found])),
            _ => None,
        })
        .collect();
    let mut streams = clocks.streams();
    for stream in &mut streams {
        stream.report = reports.get(&stream.name).cloned().unwrap_or_default();
        stream.sizes = stream.name.strip_prefix("camera.").and_then(|camera| sizes.get(camera)).copied();
    }
    Ok(Heard {
        seconds,
        streams,
        observation_count: observing.count,
        not_ready: observing.not_ready,
        dry_run,
        presence: presence.presence(),
        neighbour_count,
    })
}

/// How old messages are when they arrive.
type Ages = Arc<Mutex<Option<RangeInclusive<i64>>>>;

/// Reads nothing but the stamps of messages, those too that a run would not take.
struct Clocks {
    streams: Vec<(HeardStream, Ages)>,
    _subscriptions: Vec<Subscription>,
}

impl Clocks {
    fn start(ros: &Ros, plan: &Plan) -> Result<Self, Error> {
        let cameras = plan.cameras.iter().map(|camera| {
            let name = format!("camera.{}", camera.spec.name);
            let device = camera.device.as_ref().map(|device| device.device.clone());
            (name, &camera.keys[..], camera.message.type_name(), device)
        });
        let feedback = plan.feedback.iter().map(|input| {
            let described = plan.embodiment.groups[input.group].feedback.as_ref();
            let message = described.map_or("", |topic| topic.message.as_str());
            (format!("feedback.{}", input.name), std::slice::from_ref(&input.key), message, None)
        });
        let (mut streams, mut subscriptions) = (Vec::new(), Vec::new());
        for (name, keys, message, device) in cameras.chain(feedback) {
            let ages = Ages::default();
            for key in keys {
                subscriptions.push(subscribe(ros, key, message, Arc::clone(&ages))?);
            }
            let keys = keys.iter().map(ToString::to_string).chain(device).collect();
            streams.push((
                HeardStream { name, keys, message: message.to_owned(), ..HeardStream::default() },
                ages,
            ));
        }
        Ok(Self { streams, _subscriptions: subscriptions })
    }

    /// Every stream, without its counts.
    fn streams(self) -> Vec<HeardStream> {
        let with_ages =
            |(stream, ages): (HeardStream, Ages)| HeardStream { ages_ns: lock(&ages).clone(), ..stream };
        self.streams.into_iter().map(with_ages).collect()
    }
}

fn subscribe(ros: &Ros, key: &Key, message: &str, ages: Ages) -> Result<Subscription, Error> {
    let callback = move |sample: zenoh::sample::Sample| {
        let now = clock::now();
        let Some(stamp) = stamp_of(&sample.payload().to_bytes()) else { return };
        let age_ns = now.ns_since(stamp);
        let mut ages = lock(&ages);
        let (least, most) = ages.clone().unwrap_or(age_ns..=age_ns).into_inner();
        *ages = Some(least.min(age_ns)..=most.max(age_ns));
    };
    ros.subscribe(key.as_str(), Some(message), callback)
}

/// Every message that cameras and joints send begins with its stamp. None of one without a time.
fn stamp_of(message: &[u8]) -> Option<Stamp> {
    let mut reader = Reader::new(message, "std_msgs/msg/Header").ok()?;
    let stamp = Stamp::try_from(Time::read(&mut reader).ok()?).ok()?;
    (stamp.ns() != 0).then_some(stamp)
}

/// Makes observations as inference does.
#[derive(Default)]
struct Observing {
    count: u64,
    used: Option<Stamp>,
    not_ready: Option<NotReady>,
}

impl Observing {
    fn look(&mut self, plan: &Plan, inbox: &Inbox) {
        match inbox.with_streams(|streams| plan.synchronizer.observe(streams, self.used, clock::now())) {
            Ok(observation) => {
                self.count += 1;
                self.used = Some(observation.captured_at);
                self.not_ready = None;
            }
            Err(NotReady::NoNewFrame { .. } | NotReady::Settling { .. }) => {}
            Err(reason) => self.not_ready = Some(reason),
        }
    }
}

/// The control tick, up to where it would speak.
struct Pretending<'a> {
    motion: &'a MotionPlan,
    pilot: Pilot,
    hearing: Hearing,
    status: StatusLink,
    is_begun: bool,
    reason: Option<Reason>,
    refusal: Option<RampRefusal>,
}

impl<'a> Pretending<'a> {
    fn new(ros: &Ros, namespace: &str, motion: &'a MotionPlan, telemetry: &Telemetry) -> Result<Self, Error> {
        let status = StatusLink::open(ros, namespace, &motion.status, telemetry)?;
        Ok(Self {
            pilot: Pilot::new(motion.drive(), motion.safety.clone(), &motion.joints),
            hearing: Hearing::new(&motion.joints, motion.camera_count, status.topic_count()),
            status,
            is_begun: false,
            reason: None,
            refusal: None,
            motion,
        })
    }

    /// What a control tick would do now.
    fn tick(&mut self, inbox: &Inbox) {
        let now = clock::moment();
        self.hearing.listen(inbox, self.status.board());
        let told = self.pilot.tick(
            now,
            &control::Heard {
                measured: self.hearing.measured(),
                others: self.hearing.others(),
                wall: clock::now(),
                // Whoever checks is there.
                operator: Operator { alive_at: Some(now), ..Operator::default() },
                robot: self.status.board().status(),
                is_ending: false,
            },
        );
        self.is_begun |= told.state == State::Running;
        self.refusal = self.refusal.or(told.refusal);
        // These looks are not as regular as ticks are.
        let is_tick = |reason: &Reason| matches!(reason, Reason::LateTick | Reason::TimeBackwards);
        let is_well = matches!(told.state, State::Ready | State::Running);
        self.reason = told.reason.filter(|reason| !is_tick(reason)).or(self.reason.filter(|_| !is_well));
    }

    fn outcome(self) -> DryRun {
        let topics = self.motion.status.iter().map(|topic| topic.topic().to_owned());
        let said = self.status.board().said().map(|said| said.map(|(_, said)| said));
        let safety = self.pilot.safety();
        DryRun {
            is_begun: self.is_begun,
            state: safety.state(),
            reason: self.reason.map(|reason| safety.explain(reason)),
            refusal: self.refusal.map(|refusal| refused_move(&self.motion.joints, refusal).to_string()),
            said: topics.zip(said).collect(),
        }
    }
}
