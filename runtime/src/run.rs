//! `sinew-runtime run`: start-up checks, threads, reports, shutdown.

use crate::clock;
use crate::config::Config;
use crate::control::{Control, Delivery, Exchange, MotionPlan, Pilot, SetpointPublisher, TickBoard};
use crate::diagnostics::{Diagnostics, Facts, MotionSources, Sources};
use crate::error::Error;
use crate::inference::{Inference, MotionLink};
use crate::ingest::{Inbox, Ingest};
use crate::net;
use crate::operator::OperatorLink;
use crate::plan::{CameraInput, Plan};
use crate::policy::Policy;
use crate::presence::PresenceWatch;
use crate::publish::Publisher;
use crate::record::{self, Marker, Recorder};
use crate::ros::Ros;
use crate::schedule::{DropReason, Ending, Outcome};
use crate::slot::{Latest, Slot};
use crate::status::{StatusLink, StatusTopic};
use crate::stop::Stop;
use crate::telemetry::{Event, EventKind, Ready, Summary, Telemetry};
use crate::thread::{Thread, run_in_real_time};
use sinew_models::contract::{Bundle, MANIFEST_FILE};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

/// How long the reporting thread waits before it looks whether to stop.
const POLL: Duration = Duration::from_millis(10);
/// How often streams are looked at for damage.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// Runs a bundle's policy until the stop. `report` is given every event, in order, and ends the run with an error.
///
/// # Errors
/// If bundle, robot and configuration do not agree, something the run needs cannot be had, the robot contradicts its
/// description before the first chunk, or a graph fails.
pub fn run(
    bundle: &Path,
    config: &Config,
    stop: &Stop,
    mut report: impl FnMut(&Event) -> io::Result<()>,
) -> Result<Summary, Error> {
    let plan = Plan::new(Bundle::open(bundle)?, config)?;
    let policy = Policy::load(&plan.bundle, &config.policy)?;
    let ros = open_network(config)?;
    let platform = Platform { plan, policy, ros: ros.clone(), has_keyboard: true };
    let outcome = run_on(platform, config, stop, &mut report);
    let closed = zenoh::Wait::wait(ros.session().close()).map_err(Error::zenoh("closing"));
    let (summary, _) = outcome?;
    closed.map(|()| summary)
}

/// Opens the session of a run. Its threads inherit the priority of the one that opens it: where there is a control tick, right
/// below that, so that no thread that holds a lock which the tick waits for is itself kept from a core by inference.
fn open_network(config: &Config) -> Result<Ros, Error> {
    let below_tick = config.setpoints.realtime_priority.saturating_sub(1);
    if !config.setpoints.publish || below_tick == 0 {
        return Ros::open(&config.zenoh);
    }
    let config = config.zenoh.clone();
    let opening = Thread::spawn("opening", move || {
        // If the system refuses, it refuses the tick too, and that is reported.
        let _ = run_in_real_time(below_tick);
        Ros::open(&config)
    })?;
    opening.join()
}

/// What a run runs on: made for it, or kept from one to the next.
pub(crate) struct Platform {
    /// Bundle and robot.
    pub(crate) plan: Plan,
    /// Its policy.
    pub(crate) policy: Policy,
    /// The network.
    pub(crate) ros: Ros,
    /// Whether the operator sits at this program's terminal.
    pub(crate) has_keyboard: bool,
}

/// The same on a platform of which the network stays open. Returns the policy too, ready for another run.
pub(crate) fn run_on(
    platform: Platform,
    config: &Config,
    stop: &Stop,
    report: &mut dyn FnMut(&Event) -> io::Result<()>,
) -> Result<(Summary, Policy), Error> {
    let Platform { plan, mut policy, ros, has_keyboard } = platform;
    let motion = MotionPlan::new(&plan, config)?;
    let instruction = Some(config.policy.instruction.clone()).filter(|text| !text.is_empty());
    if let Some(text) = &instruction {
        policy.set_instruction(text)?;
    }
    let status_topics = motion.iter().flat_map(|motion| &motion.status);
    let status_streams = status_topics.map(StatusTopic::stream);
    let (telemetry, events) = Telemetry::new(Ingest::stream_names(&plan).chain(status_streams));
    let max_status_age_ns = (config.safety.max_status_age_ms * clock::NS_PER_MS) as i64;
    for topic in motion.iter().flat_map(|motion| &motion.status) {
        telemetry.stream(&topic.stream()).expect_within(max_status_age_ns);
    }
    let telemetry = Arc::new(telemetry);
    let limits = config.sync.limits();
    let facts = Facts::new(&plan, motion.as_ref(), config, policy.provider().name());
    let publisher = Publisher::declare(&ros, &config.zenoh.namespace, &plan.commands)?;
    let recorder = recorder(&plan, config, &ros, &telemetry)?;
    if has_keyboard && recorder.is_some() && motion.is_none() {
        // With set-points, the keyboard is the operator's stop first.
        record::keyboard::listen(Marker::new(&ros, &config.zenoh.namespace)?, stop.clone())?;
    }
    let ingest = Ingest::start(&ros, &config.zenoh, &plan, limits, &telemetry, stop)?;
    let inbox = ingest.inbox();
    let mover = motion
        .map(|motion| Mover::new(&motion, &ros, config, &inbox, &telemetry, stop, has_keyboard))
        .transpose()?;
    let mut ready = ready(&plan, &policy, &publisher, &ros, instruction.clone());
    ready.outputs.extend(mover.iter().flat_map(|mover| mover.control.publisher.topics()));
    ready.moves_to_start = mover.as_ref().is_some_and(|mover| mover.moves_to_start);
    let (moving, watched) = mover.map(|mover| ((mover.control, mover.link), mover.watched)).unzip();
    let sources = Sources { facts, telemetry: Arc::clone(&telemetry), motion: watched };
    let diagnostics = Diagnostics::start(&ros, &config.zenoh.namespace, &config.diagnostics, sources)?;
    ready.prometheus = diagnostics.prometheus();
    telemetry.emit(EventKind::Ready(ready));
    recorder.iter().for_each(Recorder::begin);

    let (control, link) = moving.unzip();
    let exchange = control.as_ref().map(|control: &Control| Arc::clone(&control.exchange));
    let interrupter = policy.interrupter();
    let inference = Inference {
        policy,
        instruction,
        synchronizer: plan.synchronizer,
        commands: plan.commands,
        publisher,
        inbox: Arc::clone(&inbox),
        motion: link,
        seed: config.policy.seed,
        min_interval: Duration::from_millis(config.policy.min_chunk_interval_ms),
        extra_latency: config.policy.extra_latency(),
        telemetry: Arc::clone(&telemetry),
        stop: stop.clone(),
    };
    let control = control.map(|control| Thread::spawn("control", move || control.run())).transpose()?;
    let thread = Thread::spawn("inference", move || inference.run())?;

    let mut watched = Watched { telemetry: &telemetry, unusable: BTreeMap::new(), last_look: Instant::now() };
    let is_over = || thread.is_finished() || control.as_ref().is_some_and(Thread::is_finished);
    let mut outcome = Ok(());
    while outcome.is_ok() && !stop.is_requested() && !is_over() {
        outcome = watched.wait(&events, &mut |event| {
            recorder.iter().for_each(|recorder| recorder.event(event));
            report(event)
        });
        if outcome.is_ok() && telemetry.chunk_count() == 0 {
            outcome = inbox.contradiction.take().map_or(Ok(()), Err);
        }
    }
    stop.request();
    let interrupted = interrupter.interrupt();
    let inferred = thread.join();
    // What the joints report is needed until the robot is where it is to be.
    let controlled = control.map_or(Ok(()), Thread::join);
    let described = diagnostics.finish();
    let ingested = ingest.finish();
    if let Some(Delivery { sequence, .. }) = exchange.and_then(|exchange| exchange.chunk.take()) {
        telemetry.ending(Ending { sequence, outcome: Outcome::Dropped { reason: DropReason::Holding } });
    }
    watched.look();
    // How it ended belongs into the episode.
    while outcome.is_ok()
        && let Ok(event) = events.try_recv()
    {
        recorder.iter().for_each(|recorder| recorder.event(&event));
        outcome = report(&event).map_err(Error::Report);
    }
    let recorded = recorder.map_or(Ok(()), Recorder::finish);
    let ended = [controlled, interrupted, described, ingested, recorded];
    let policy = ended.into_iter().fold(outcome, Result::and).and(inferred)?;
    policy.resume()?;
    while let Ok(event) = events.try_recv() {
        report(&event).map_err(Error::Report)?;
    }
    let summary = telemetry.summary();
    let last = Event::new(clock::now(), EventKind::Summary(Box::new(summary.clone())));
    report(&last).map_err(Error::Report)?;
    Ok((summary, policy))
}

/// What writes episodes, if they are to be recorded.
fn recorder(
    plan: &Plan,
    config: &Config,
    ros: &Ros,
    telemetry: &Arc<Telemetry>,
) -> Result<Option<Recorder>, Error> {
    if !config.record.is_on() {
        return Ok(None);
    }
    let manifest = &plan.bundle.manifest;
    let robot = if config.policy.robot.is_empty() { &manifest.embodiment } else { &config.policy.robot };
    let mut about = record::about(robot, &plan.embodiment, config)?;
    about.facts.insert("bundle_id".to_owned(), manifest.bundle_id.clone());
    let path = plan.bundle.path(MANIFEST_FILE);
    let text = std::fs::read_to_string(&path).map_err(|source| Error::Io { path, source })?;
    about.files.insert(MANIFEST_FILE.to_owned(), text);
    let topics = record::of_robot(&plan.embodiment, config)?;
    let instruction = &config.policy.instruction;
    Recorder::start(ros, &config.record, topics, about, instruction, telemetry).map(Some)
}

/// What moves the robot, before its thread starts.
struct Mover {
    control: Control,
    link: MotionLink,
    /// Where diagnostics look.
    watched: MotionSources,
    moves_to_start: bool,
}

impl Mover {
    fn new(
        motion: &MotionPlan,
        ros: &Ros,
        config: &Config,
        inbox: &Arc<Inbox>,
        telemetry: &Arc<Telemetry>,
        stop: &Stop,
        has_keyboard: bool,
    ) -> Result<Self, Error> {
        let mut pilot = Pilot::new(motion.drive(), motion.safety.clone(), &motion.joints);
        let brief = Latest::new(pilot.drive_mut().brief());
        let exchange = Arc::new(Exchange { chunk: Slot::default(), brief });
        let is_recording = config.record.is_on();
        let marker = is_recording.then(|| Marker::new(ros, &config.zenoh.namespace)).transpose()?;
        let publisher = SetpointPublisher::declare(ros, &config.zenoh.namespace, motion.outputs.clone())?;
        let status = StatusLink::open(ros, &config.zenoh.namespace, &motion.status, telemetry)?;
        let (board, changes) = TickBoard::new(&motion.joints);
        let board = Arc::new(board);
        let watched =
            MotionSources { board: Arc::clone(&board), changes, status: Arc::clone(status.board()) };
        let control = Control {
            pilot,
            status,
            board,
            operator: OperatorLink::open(ros, &config.zenoh.namespace, marker, stop, has_keyboard)?,
            camera_count: motion.camera_count,
            joints: motion.joints.clone(),
            publisher,
            presence: PresenceWatch::start(ros)?,
            exchange: Arc::clone(&exchange),
            inbox: Arc::clone(inbox),
            period_ns: config.setpoints.period_ns(),
            realtime_priority: config.setpoints.realtime_priority,
            telemetry: Arc::clone(telemetry),
            stop: stop.clone(),
        };
        let link = MotionLink::new(motion, exchange);
        Ok(Self { control, link, watched, moves_to_start: motion.moves_to_start })
    }
}

fn ready(
    plan: &Plan,
    policy: &Policy,
    publisher: &Publisher,
    ros: &Ros,
    instruction: Option<String>,
) -> Ready {
    let keys = |camera: &CameraInput| {
        let device = camera.device.iter().map(|device| device.device.clone());
        camera.keys.iter().map(ToString::to_string).chain(device).collect()
    };
    let cameras = plan.cameras.iter().map(|camera| (camera.spec.name.clone(), keys(camera)));
    Ready {
        bundle_id: plan.bundle.manifest.bundle_id.clone(),
        embodiment: plan.embodiment.name.clone(),
        execution_provider: policy.provider().name(),
        locators: net::locators(ros.session()),
        cameras: cameras.collect(),
        feedback: plan.feedback.iter().map(|input| (input.name.clone(), input.key.to_string())).collect(),
        outputs: publisher.topics().collect(),
        moves_to_start: false,
        instruction,
        prometheus: None,
    }
}

/// Passes events on and speaks up for streams whose messages are not used.
struct Watched<'a> {
    telemetry: &'a Telemetry,
    /// How many messages were not used, by stream and fault.
    unusable: BTreeMap<(String, &'static str), u64>,
    last_look: Instant,
}

impl Watched<'_> {
    fn wait(
        &mut self,
        events: &Receiver<Event>,
        report: &mut impl FnMut(&Event) -> io::Result<()>,
    ) -> Result<(), Error> {
        if self.last_look.elapsed() >= REPORT_EVERY {
            self.look();
        }
        match events.try_recv() {
            Ok(event) => report(&event).map_err(Error::Report),
            // Nobody waits at the queue, for the sake of the tick, which sends too: who waits is woken under a lock.
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => {
                std::thread::sleep(POLL);
                Ok(())
            }
        }
    }

    fn look(&mut self) {
        self.last_look = Instant::now();
        for (stream, report) in self.telemetry.streams() {
            for (fault, count, message) in report.unusable() {
                let before = self.unusable.insert((stream.clone(), fault), count).unwrap_or(0);
                if count > before {
                    let (stream, message) = (stream.clone(), message.to_owned());
                    self.telemetry.emit(EventKind::Unusable { stream, fault, count, message });
                }
            }
        }
    }
}
