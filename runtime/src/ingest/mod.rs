//! From the network to streams of samples.
//!
//! Zenoh's callbacks only take messages in: joint states are decoded there (a microsecond), camera frames go to a slot
//! from which a thread of their own takes the newest, decodes and resizes it. A slow thread sees fewer frames, not
//! older ones. Damaged messages are counted and otherwise without effect.

mod feedback;
mod frame;

pub use feedback::FeedbackReader;
pub use frame::FramePreparer;

use crate::clock::{self, ms};
use crate::config::ZenohConfig;
use crate::error::Error;
use crate::history::{History, OutOfOrder, Sample};
use crate::plan::{CameraInput, FeedbackInput, Plan};
use crate::slot::{Slot, lock};
use crate::state::Feedback;
use crate::stop::Stop;
use crate::sync::{Frame, Limits, Streams};
use crate::telemetry::{EventKind, StreamCounters, Telemetry};
use crate::thread::Thread;
use sinew_proto::key::{INSTRUCTION, Key};
use sinew_proto::msg::std_msgs;
use sinew_proto::{Message, Stamp};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};
use zenoh::bytes::ZBytes;
use zenoh::pubsub::Subscriber;
use zenoh::sample::Sample as ZenohSample;
use zenoh::{Session, Wait};

/// Frames kept of a camera: the newest, and those around the reference camera's.
const FRAME_CAPACITY: usize = 4;
/// Joint states kept of a group: 1 s at 500 Hz, which is more than a reference frame may be old.
const FEEDBACK_CAPACITY: usize = 512;
/// How long a thread waits before it looks whether to stop.
const POLL: Duration = Duration::from_millis(100);

/// What the callbacks and capture threads fill and the inference thread reads.
#[derive(Debug)]
pub struct Inbox {
    streams: Mutex<Streams>,
    frame_arrived: Condvar,
    /// Farthest that a stamp may be ahead of this computer's clock.
    max_ahead_ns: i64,
    /// The operator's newest words.
    pub instruction: Slot<String>,
    /// A sender that contradicts the robot description.
    pub contradiction: Slot<Error>,
}

impl Inbox {
    fn new(plan: &Plan, limits: Limits) -> Self {
        let streams = Streams {
            cameras: plan.cameras.iter().map(|_| History::new(FRAME_CAPACITY)).collect(),
            groups: plan.embodiment.groups.iter().map(|_| History::new(FEEDBACK_CAPACITY)).collect(),
        };
        Self {
            streams: Mutex::new(streams),
            frame_arrived: Condvar::new(),
            max_ahead_ns: limits.max_skew_ns,
            instruction: Slot::default(),
            contradiction: Slot::default(),
        }
    }

    /// Looks at the streams. Threads that add to them wait meanwhile.
    pub fn with_streams<T>(&self, look: impl FnOnce(&Streams) -> T) -> T {
        look(&lock(&self.streams))
    }

    /// Waits for a frame of any camera, at most so long.
    pub fn wait_for_frame(&self, timeout: Duration) {
        let streams = lock(&self.streams);
        drop(self.frame_arrived.wait_timeout(streams, timeout).unwrap_or_else(PoisonError::into_inner));
    }

    /// Adds a sample to a stream; returns what made room for it.
    fn admit<T>(
        &self,
        counters: &StreamCounters,
        sample: Sample<T>,
        history: impl FnOnce(&mut Streams) -> &mut History<T>,
    ) -> Option<T> {
        let ahead_ns = sample.captured_at.ns_since(sample.received_at);
        if ahead_ns > self.max_ahead_ns {
            counters.malformed(&Error::Sample {
                what: "header.stamp".to_owned(),
                expected: "a time that is not ahead of this computer's clock".to_owned(),
                found: format!("one {:.0} ms ahead", ms(ahead_ns)),
            });
            return None;
        }
        match history(&mut lock(&self.streams)).push(sample) {
            Ok(evicted) => evicted,
            Err(OutOfOrder { .. }) => {
                counters.out_of_order();
                None
            }
        }
    }
}

/// Running subscriptions and capture threads.
#[derive(Debug)]
pub struct Ingest {
    inbox: Arc<Inbox>,
    subscribers: Vec<Subscriber<()>>,
    capture_threads: Vec<Thread<()>>,
}

impl Ingest {
    /// The streams' names, as telemetry has them.
    pub fn stream_names(plan: &Plan) -> impl Iterator<Item = String> {
        let cameras = plan.cameras.iter().map(|camera| camera_stream(&camera.spec.name));
        let groups = plan.feedback.iter().map(|input| feedback_stream(&input.name));
        cameras.chain(groups).chain([INSTRUCTION_STREAM.to_owned()])
    }

    /// Subscribes to everything the plan names.
    ///
    /// # Errors
    /// If a subscription or a thread is refused.
    pub fn start(
        session: &Session,
        config: &ZenohConfig,
        plan: &Plan,
        limits: Limits,
        telemetry: &Arc<Telemetry>,
        stop: &Stop,
    ) -> Result<Self, Error> {
        let inbox = Arc::new(Inbox::new(plan, limits));
        let mut ingest = Self { inbox, subscribers: Vec::new(), capture_threads: Vec::new() };
        let size = plan.bundle.manifest.model.vision.image_size;
        for (slot, camera) in plan.cameras.iter().enumerate() {
            ingest.add_camera(session, slot, camera, size, telemetry, stop)?;
        }
        for input in &plan.feedback {
            ingest.add_feedback(session, input, telemetry)?;
        }
        ingest.add_instruction(session, &Key::of_topic_in(&config.namespace, INSTRUCTION)?, telemetry)?;
        Ok(ingest)
    }

    /// What arrives.
    #[must_use]
    pub fn inbox(&self) -> Arc<Inbox> {
        Arc::clone(&self.inbox)
    }

    /// Ends subscriptions and threads. The stop must have been requested.
    ///
    /// # Errors
    /// If a capture thread died of a bug.
    pub fn finish(self) -> Result<(), Error> {
        drop(self.subscribers);
        self.capture_threads.into_iter().try_for_each(Thread::join)
    }

    fn add_camera(
        &mut self,
        session: &Session,
        slot: usize,
        camera: &CameraInput,
        size: usize,
        telemetry: &Arc<Telemetry>,
        stop: &Stop,
    ) -> Result<(), Error> {
        let newest = Arc::new(Slot::default());
        let counters = telemetry.stream(&camera_stream(&camera.spec.name));
        let capture = Capture {
            camera: camera.clone(),
            slot,
            newest: Arc::clone(&newest),
            preparer: FramePreparer::new(size)?,
            spare: Vec::new(),
            seen_size: [camera.spec.width, camera.spec.height],
            inbox: Arc::clone(&self.inbox),
            counters: Arc::clone(&counters),
            telemetry: Arc::clone(telemetry),
            stop: stop.clone(),
        };
        let name = format!("capture-{}", camera.spec.name);
        self.capture_threads.push(Thread::spawn(name, move || {
            capture.run();
            Ok(())
        })?);
        self.subscribe(session, &camera.key, move |sample| {
            counters.received();
            if newest.put((clock::now(), sample.payload().clone())).is_some() {
                counters.dropped();
            }
        })
    }

    fn add_feedback(
        &mut self,
        session: &Session,
        input: &FeedbackInput,
        telemetry: &Telemetry,
    ) -> Result<(), Error> {
        let counters = telemetry.stream(&feedback_stream(&input.name));
        let (inbox, reader, group) = (self.inbox(), input.reader.clone(), input.group);
        self.subscribe(session, &input.key, move |sample| {
            counters.received();
            let received_at = clock::now();
            match reader.read(&sample.payload().to_bytes()) {
                Ok((captured_at, value)) => {
                    let sample: Sample<Feedback> = Sample { captured_at, received_at, value };
                    inbox.admit(&counters, sample, |streams| &mut streams.groups[group]);
                }
                Err(error) => {
                    counters.malformed(&error);
                    if matches!(error, Error::Mismatch { .. }) {
                        inbox.contradiction.put(error);
                    }
                }
            }
        })
    }

    fn add_instruction(&mut self, session: &Session, key: &Key, telemetry: &Telemetry) -> Result<(), Error> {
        let counters = telemetry.stream(INSTRUCTION_STREAM);
        let inbox = self.inbox();
        self.subscribe(session, key, move |sample| {
            counters.received();
            match std_msgs::String::from_cdr(&sample.payload().to_bytes()) {
                Ok(message) => drop(inbox.instruction.put(message.data)),
                Err(error) => counters.malformed(&error.into()),
            }
        })
    }

    fn subscribe(
        &mut self,
        session: &Session,
        key: &Key,
        callback: impl Fn(ZenohSample) + Send + Sync + 'static,
    ) -> Result<(), Error> {
        let subscriber = session.declare_subscriber(key.as_str().to_owned()).callback(callback).wait();
        self.subscribers.push(subscriber.map_err(Error::zenoh(format!("subscribing to {key}")))?);
        Ok(())
    }
}

const INSTRUCTION_STREAM: &str = "instruction";

fn camera_stream(name: &str) -> String {
    format!("camera.{name}")
}

fn feedback_stream(name: &str) -> String {
    format!("feedback.{name}")
}

/// One camera's thread.
struct Capture {
    camera: CameraInput,
    slot: usize,
    newest: Arc<Slot<(Stamp, ZBytes)>>,
    preparer: FramePreparer,
    /// Pixels of a frame nobody needs any more.
    spare: Vec<f32>,
    /// Width and height last spoken of.
    seen_size: [usize; 2],
    inbox: Arc<Inbox>,
    counters: Arc<StreamCounters>,
    telemetry: Arc<Telemetry>,
    stop: Stop,
}

impl Capture {
    fn run(mut self) {
        while !self.stop.is_requested() {
            if let Some((received_at, message)) = self.newest.wait(POLL) {
                self.take_in(received_at, &message.to_bytes());
            }
        }
    }

    fn take_in(&mut self, received_at: Stamp, message: &[u8]) {
        let start = Instant::now();
        let mut pixels = std::mem::take(&mut self.spare);
        let (captured_at, size) = match self.preparer.prepare(message, &mut pixels) {
            Ok(prepared) => prepared,
            Err(error) => {
                self.spare = pixels;
                return self.counters.malformed(&error);
            }
        };
        let prepare_ns = i64::try_from(start.elapsed().as_nanos()).unwrap_or(i64::MAX);
        self.mention_size(size);
        let value = Arc::new(Frame { pixels, prepare_ns });
        let slot = self.slot;
        let evicted =
            self.inbox.admit(&self.counters, Sample { captured_at, received_at, value }, |streams| {
                &mut streams.cameras[slot]
            });
        self.inbox.frame_arrived.notify_all();
        if let Some(frame) = evicted.and_then(Arc::into_inner) {
            self.spare = frame.pixels;
        }
    }

    /// Says once that the frames have another size than the policy was trained with.
    fn mention_size(&mut self, found: [usize; 2]) {
        if found == self.seen_size {
            return;
        }
        self.seen_size = found;
        let spec = &self.camera.spec;
        let bundle = [spec.width, spec.height];
        if found != bundle {
            self.telemetry.emit(EventKind::FrameSize { camera: spec.name.clone(), bundle, found });
        }
    }
}
