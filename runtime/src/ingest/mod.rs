//! From the network to streams of samples.
//!
//! Zenoh's callbacks only take messages in: joint states are decoded there (a microsecond), camera frames go to a slot
//! from which a thread of their own takes the newest, decodes and resizes it. A slow thread sees fewer frames, not
//! older ones. Messages that cannot be used are counted and otherwise without effect.

mod capture;
mod choice;
mod frame;
mod local;
#[cfg(feature = "local-cameras")]
mod v4l;

pub use frame::{Frame, FramePreparer, FrameStreams, Prepared};
pub use local::{LocalCamera, LocalLayout, LocalPicture, read_camera};
#[cfg(feature = "local-cameras")]
pub use v4l::V4lCamera;

use crate::clock;
#[cfg(feature = "local-cameras")]
use crate::config::DeviceConfig;
use crate::config::ZenohConfig;
use crate::error::Error;
use crate::plan::{CameraInput, FeedbackInput, Plan};
use crate::ros::{Ros, Subscription};
use crate::slot::{Slot, lock};
use crate::stop::Stop;
use crate::telemetry::{EventKind, StreamCounters, Telemetry};
use crate::thread::Thread;
use capture::{Arrival, Capture};
use choice::TopicChoice;
use sinew_proto::key::{INSTRUCTION, Key};
use sinew_proto::msg::std_msgs;
use sinew_proto::{Message, Stamp};
use sinew_sync::{Feedback, Limits, Sample, Stream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;
use zenoh::sample::Sample as ZenohSample;

/// What the callbacks and capture threads fill and the inference thread reads.
#[derive(Debug)]
pub struct Inbox {
    streams: Mutex<FrameStreams>,
    frame_arrived: Condvar,
    /// The operator's newest words.
    pub instruction: Slot<String>,
    /// A sender that contradicts the robot description.
    pub contradiction: Slot<Error>,
}

impl Inbox {
    fn new(plan: &Plan, limits: Limits) -> Self {
        let streams = FrameStreams::new(plan.cameras.len(), plan.embodiment.groups.len(), limits);
        Self {
            streams: Mutex::new(streams),
            frame_arrived: Condvar::new(),
            instruction: Slot::default(),
            contradiction: Slot::default(),
        }
    }

    /// Looks at the streams. Threads that add to them wait meanwhile.
    pub fn with_streams<T>(&self, look: impl FnOnce(&FrameStreams) -> T) -> T {
        look(&self.streams())
    }

    /// The same, unless somebody else is at the streams right now. For the control tick, which must not wait for a thread
    /// that other programs keep waiting.
    pub fn try_with_streams(&self, look: impl FnOnce(&FrameStreams)) {
        match self.streams.try_lock() {
            Ok(streams) => look(&streams),
            Err(TryLockError::Poisoned(streams)) => look(&streams.into_inner()),
            Err(TryLockError::WouldBlock) => {}
        }
    }

    /// Waits for a frame of any camera, at most so long.
    pub fn wait_for_frame(&self, timeout: Duration) {
        let streams = self.streams();
        drop(self.frame_arrived.wait_timeout(streams, timeout).unwrap_or_else(PoisonError::into_inner));
    }

    fn streams(&self) -> MutexGuard<'_, FrameStreams> {
        lock(&self.streams)
    }
}

/// Adds a sample to a stream, if it may be used; returns what made room for it.
fn admit<T>(
    stream: &mut Stream<T>,
    counters: &StreamCounters,
    sample: Sample<T>,
    fingerprint: Option<u64>,
) -> Option<T> {
    stream.admit(sample, fingerprint).unwrap_or_else(|fault| {
        counters.unusable(fault, fault.to_string());
        None
    })
}

/// A message of a stream cannot be read.
fn refuse<T>(stream: &mut Stream<T>, counters: &StreamCounters, received_at: Stamp, error: &Error) {
    stream.refuse(received_at);
    counters.malformed(error);
}

/// What every input is taken in with.
struct Site<'a> {
    ros: &'a Ros,
    limits: Limits,
    telemetry: &'a Arc<Telemetry>,
    stop: &'a Stop,
}

impl Site<'_> {
    /// Counters of a stream that is lost once it is silent for longer than a sample may be old.
    fn counters(&self, stream: &str) -> Arc<StreamCounters> {
        let counters = self.telemetry.stream(stream);
        counters.expect_within(self.limits.max_age_ns);
        counters
    }
}

/// Running subscriptions and capture threads.
#[derive(Debug)]
pub struct Ingest {
    inbox: Arc<Inbox>,
    subscriptions: Vec<Subscription>,
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
        ros: &Ros,
        config: &ZenohConfig,
        plan: &Plan,
        limits: Limits,
        telemetry: &Arc<Telemetry>,
        stop: &Stop,
    ) -> Result<Self, Error> {
        let inbox = Arc::new(Inbox::new(plan, limits));
        let mut ingest = Self { inbox, subscriptions: Vec::new(), capture_threads: Vec::new() };
        let site = Site { ros, limits, telemetry, stop };
        let size = plan.bundle.manifest.model.vision.image_size;
        for (slot, camera) in plan.cameras.iter().enumerate() {
            ingest.add_camera(&site, slot, camera, size)?;
        }
        for input in &plan.feedback {
            ingest.add_feedback(&site, input)?;
        }
        ingest.add_instruction(&site, &Key::of_topic_in(&config.namespace, INSTRUCTION)?)?;
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
        drop(self.subscriptions);
        self.capture_threads.into_iter().try_for_each(Thread::join)
    }

    fn add_camera(
        &mut self,
        site: &Site<'_>,
        slot: usize,
        camera: &CameraInput,
        size: usize,
    ) -> Result<(), Error> {
        let counters = site.counters(&camera_stream(&camera.spec.name));
        let newest = Arc::new(Slot::default());
        let capture = Capture {
            newest: Arc::clone(&newest),
            kind: camera.message,
            slot,
            preparer: FramePreparer::new(size)?,
            spare: Vec::new(),
            spec: camera.spec.clone(),
            seen_size: [camera.spec.width, camera.spec.height],
            inbox: Arc::clone(&self.inbox),
            counters: Arc::clone(&counters),
            telemetry: Arc::clone(site.telemetry),
            stop: site.stop.clone(),
        };
        let name = format!("capture-{}", camera.spec.name);
        self.capture_threads.push(Thread::spawn(name, move || {
            capture.run();
            Ok(())
        })?);
        #[cfg(feature = "local-cameras")]
        if let Some(device) = &camera.device {
            let telemetry = Arc::clone(site.telemetry);
            return read_device(camera, device, newest, counters, telemetry, site.stop.clone());
        }
        let choice = Arc::new(TopicChoice::default());
        for (topic, key) in camera.keys.iter().enumerate() {
            let (choice, newest, counters) =
                (Arc::clone(&choice), Arc::clone(&newest), Arc::clone(&counters));
            let (camera, telemetry) = (camera.clone(), Arc::clone(site.telemetry));
            self.subscribe(site, key, camera.message.type_name(), move |sample| {
                let (is_used, contest) = choice.hear(topic);
                if let Some(contest) = contest {
                    let [used, ignored] =
                        [contest.used, contest.ignored].map(|topic| camera.keys[topic].to_string());
                    telemetry.emit(EventKind::CameraTopics {
                        camera: camera.spec.name.clone(),
                        used,
                        ignored,
                    });
                }
                if !is_used {
                    return;
                }
                counters.received(clock::moment());
                if sample.payload().as_shm().is_some() {
                    counters.shared();
                }
                if newest.put((clock::now(), Arrival::Message(sample.payload().clone()))).is_some() {
                    counters.dropped();
                }
            })?;
        }
        Ok(())
    }

    fn add_feedback(&mut self, site: &Site<'_>, input: &FeedbackInput) -> Result<(), Error> {
        let counters = site.counters(&feedback_stream(&input.name));
        let (inbox, reader, group) = (self.inbox(), input.reader.clone(), input.group);
        self.subscribe(site, &input.key, input.reader.message(), move |sample| {
            counters.received(clock::moment());
            let received_at = clock::now();
            match reader.read(&sample.payload().to_bytes()) {
                Ok((captured_at, value)) => {
                    let sample: Sample<Feedback> = Sample { captured_at, received_at, value };
                    admit(&mut inbox.streams().groups[group], &counters, sample, None);
                }
                Err(error) => {
                    let is_contradiction = matches!(error, sinew_sync::Error::Mismatch { .. });
                    let error = Error::from(error);
                    refuse(&mut inbox.streams().groups[group], &counters, received_at, &error);
                    if is_contradiction {
                        inbox.contradiction.put(error);
                    }
                }
            }
        })
    }

    fn add_instruction(&mut self, site: &Site<'_>, key: &Key) -> Result<(), Error> {
        let counters = site.telemetry.stream(INSTRUCTION_STREAM);
        let inbox = self.inbox();
        self.subscribe(site, key, std_msgs::String::TYPE_NAME, move |sample| {
            counters.received(clock::moment());
            match std_msgs::String::from_cdr(&sample.payload().to_bytes()) {
                Ok(message) => drop(inbox.instruction.put(message.data)),
                Err(error) => counters.malformed(&error.into()),
            }
        })
    }

    fn subscribe(
        &mut self,
        site: &Site<'_>,
        key: &Key,
        message: &str,
        callback: impl Fn(ZenohSample) + Send + Sync + 'static,
    ) -> Result<(), Error> {
        self.subscriptions.push(site.ros.subscribe(key.as_str(), Some(message), callback)?);
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

/// Reads a device on a thread that nobody waits for: a camera that hangs cannot be interrupted. It ends with the program.
#[cfg(feature = "local-cameras")]
fn read_device(
    camera: &CameraInput,
    device: &DeviceConfig,
    newest: Arc<Slot<(Stamp, Arrival)>>,
    counters: Arc<StreamCounters>,
    telemetry: Arc<Telemetry>,
    stop: Stop,
) -> Result<(), Error> {
    let stream = camera_stream(&camera.spec.name);
    let name = format!("device-{}", camera.spec.name);
    let mut device = V4lCamera::new(device.clone());
    let read = move || {
        let deliver = |picture| {
            counters.received(clock::moment());
            if newest.put((clock::now(), Arrival::Picture(picture))).is_some() {
                counters.dropped();
            }
        };
        let complain =
            |error: &Error| telemetry.emit(EventKind::Error { message: format!("{stream}: {error}") });
        let wait = |time| stop.sleep_until(std::time::Instant::now() + time);
        read_camera(&mut device, deliver, complain, wait);
    };
    let thread = std::thread::Builder::new().name(name.clone()).spawn(read);
    thread.map(drop).map_err(|source| Error::Thread { name, source })
}
