//! Samples to an observation. Pure: the streams and the time are arguments.
//!
//! A frame of the bundle's first camera is the time reference, and every other stream gives the sample taken nearest
//! to it. Of these frames the newest is chosen around which every stream has a sample. A stream that has not reached
//! the frame's time yet is given a moment to do so, since the sample it is about to bring may be the nearer one.
//! What is missing, too old or too far off is a reason not to act, never a guess; where the stream itself says why (it is
//! lost, frozen, late, …), that is the reason.

use crate::history::Sample;
use crate::ms;
use crate::state::{Feedback, StateBuilder};
use crate::stream::{Fault, Stream};
use sinew_proto::Stamp;
use std::fmt;

/// Frames kept of a camera: the newest, and those around the reference camera's.
const FRAME_CAPACITY: usize = 4;
/// Joint states kept of a group: 1 s at 500 Hz, which is more than a reference frame may be old.
const FEEDBACK_CAPACITY: usize = 512;

/// What has arrived so far; `P` is what a picture is kept as.
#[derive(Clone, Debug)]
pub struct Streams<P> {
    /// One a camera, in the bundle's order.
    pub cameras: Vec<Stream<P>>,
    /// One a group of joints, in the robot's order.
    pub groups: Vec<Stream<Feedback>>,
}

impl<P> Streams<P> {
    /// Nothing yet, of so many cameras and groups.
    #[must_use]
    pub fn new(camera_count: usize, group_count: usize, limits: Limits) -> Self {
        Self {
            cameras: (0..camera_count).map(|_| Stream::new(FRAME_CAPACITY, limits)).collect(),
            groups: (0..group_count).map(|_| Stream::new(FEEDBACK_CAPACITY, limits)).collect(),
        }
    }
}

/// How well samples have to agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Farthest a sample may be from the reference frame, and its stamp ahead of this computer's clock.
    pub max_skew_ns: i64,
    /// Oldest the reference frame may be, and any sample when it arrives.
    pub max_age_ns: i64,
    /// How long after the reference frame's arrival other streams may take to reach its time.
    pub settle_ns: i64,
    /// Equal pictures in a row that a camera may send before it counts as frozen; 0: any number.
    pub max_equal_pictures: u32,
}

/// What the policy sees at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation<P> {
    /// When the reference frame was taken.
    pub captured_at: Stamp,
    /// When the reference frame reached us.
    pub received_at: Stamp,
    /// One frame a camera, in the bundle's order.
    pub frames: Vec<P>,
    /// The state vector, in the bundle's order and units.
    pub state: Vec<f32>,
}

/// Why there is no observation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotReady {
    /// The operator has not said what to do.
    NoInstruction,
    /// A stream has not given anything yet.
    NothingYet {
        /// The stream.
        stream: String,
    },
    /// A stream has been silent for too long.
    Lost {
        /// The stream.
        stream: String,
        /// How long nothing has arrived.
        silent_ns: i64,
    },
    /// What a stream brings cannot be used.
    Faulty {
        /// The stream.
        stream: String,
        /// What is wrong with its newest message.
        fault: Fault,
    },
    /// The reference frame was used already.
    NoNewFrame {
        /// The camera.
        stream: String,
    },
    /// A stream may still bring a sample nearer to the reference frame.
    Settling {
        /// The stream.
        stream: String,
    },
    /// The newest reference frame is too old.
    Stale {
        /// The camera.
        stream: String,
        /// Its age.
        age_ns: i64,
        /// The oldest allowed.
        max_age_ns: i64,
    },
    /// A stream has nothing from around the reference frame's time.
    Skewed {
        /// The stream.
        stream: String,
        /// The reference camera.
        reference: String,
        /// How much later than the reference the nearest sample is; negative: earlier.
        skew_ns: i64,
        /// The farthest allowed.
        max_skew_ns: i64,
    },
}

impl NotReady {
    /// A short name of the kind of reason, for counting.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NoInstruction => "no_instruction",
            Self::NothingYet { .. } => "nothing_yet",
            Self::Lost { .. } => "lost",
            Self::Faulty { fault, .. } => fault.name(),
            Self::NoNewFrame { .. } => "no_new_frame",
            Self::Settling { .. } => "settling",
            Self::Stale { .. } => "stale",
            Self::Skewed { .. } => "skewed",
        }
    }

    /// The stream it is about, if it is about one.
    #[must_use]
    pub fn stream(&self) -> Option<&str> {
        match self {
            Self::NoInstruction => None,
            Self::NothingYet { stream }
            | Self::Lost { stream, .. }
            | Self::Faulty { stream, .. }
            | Self::NoNewFrame { stream }
            | Self::Settling { stream }
            | Self::Stale { stream, .. }
            | Self::Skewed { stream, .. } => Some(stream),
        }
    }
}

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoInstruction => f.write_str("no instruction yet"),
            Self::NothingYet { stream } => write!(f, "nothing from {stream} yet"),
            Self::Lost { stream, silent_ns } => {
                write!(f, "nothing from {stream} for {:.0} ms", ms(*silent_ns))
            }
            Self::Faulty { stream, fault } => write!(f, "the newest of {stream}: {fault}"),
            Self::NoNewFrame { stream } => write!(f, "no new frame from {stream}"),
            Self::Settling { stream } => write!(f, "{stream} may still bring a nearer sample"),
            Self::Stale { stream, age_ns, max_age_ns } => {
                let (age, limit) = (ms(*age_ns), ms(*max_age_ns));
                write!(f, "the newest frame of {stream} is {age:.0} ms old, limit {limit:.0} ms")
            }
            Self::Skewed { stream, reference, skew_ns, max_skew_ns } => {
                let side = if *skew_ns < 0 { "before" } else { "after" };
                let (skew, limit) = (ms(skew_ns.abs()), ms(*max_skew_ns));
                write!(
                    f,
                    "the nearest sample of {stream} is {skew:.0} ms {side} {reference}, limit {limit:.0} ms"
                )
            }
        }
    }
}

/// When samples are wanted of.
struct Time<'a> {
    at: Stamp,
    /// When the reference frame reached us.
    received_at: Stamp,
    now: Stamp,
    /// What it is called in a reason.
    name: &'a str,
}

/// Turns streams into observations.
#[derive(Clone, Debug)]
pub struct Synchronizer {
    camera_names: Vec<String>,
    group_names: Vec<String>,
    state: StateBuilder,
    limits: Limits,
}

impl Synchronizer {
    /// For cameras in the bundle's order and groups in the robot's.
    #[must_use]
    pub fn new(
        camera_names: Vec<String>,
        group_names: Vec<String>,
        state: StateBuilder,
        limits: Limits,
    ) -> Self {
        let camera_names = camera_names.into_iter().map(|name| format!("camera {name}")).collect();
        let group_names = group_names.into_iter().map(|name| format!("feedback of {name}")).collect();
        Self { camera_names, group_names, state, limits }
    }

    /// The newest observation there is. `used` is the reference frame of the one before.
    ///
    /// # Errors
    /// The reason why there is none: that of the newest reference frame.
    pub fn observe<P: Clone>(
        &self,
        streams: &Streams<P>,
        used: Option<Stamp>,
        now: Stamp,
    ) -> Result<Observation<P>, NotReady> {
        let (head, name) = (&streams.cameras[0], &self.camera_names[0]);
        let stream = || name.clone();
        let nothing = || self.explain(head, name, now, NotReady::NothingYet { stream: stream() });
        let newest = head.newest().ok_or_else(nothing)?;
        let max_age_ns = self.limits.max_age_ns;
        let age_ns = now.ns_since(newest.captured_at);
        if age_ns > max_age_ns {
            let stale = NotReady::Stale { stream: stream(), age_ns, max_age_ns };
            return Err(self.explain(head, name, now, stale));
        }
        let is_fresh = |frame: &&Sample<_>| {
            now.ns_since(frame.captured_at) <= max_age_ns && used.is_none_or(|used| frame.captured_at > used)
        };
        let mut reason = None;
        for reference in head.history().iter().rev().filter(is_fresh) {
            match self.observe_at(streams, reference, now) {
                Ok(observation) => return Ok(observation),
                // A few milliseconds for a whole frame period: worth the wait.
                Err(why @ NotReady::Settling { .. }) => return Err(why),
                Err(why) => reason = reason.or(Some(why)),
            }
        }
        Err(reason.unwrap_or_else(|| NotReady::NoNewFrame { stream: stream() }))
    }

    /// Why a stream has nothing: it is lost, or what it brings cannot be used; else what its samples say.
    fn explain<T>(&self, stream: &Stream<T>, name: &str, now: Stamp, otherwise: NotReady) -> NotReady {
        let name = || name.to_owned();
        match (stream.silent_ns(now), stream.fault()) {
            (Some(silent_ns), _) if silent_ns > self.limits.max_age_ns => {
                NotReady::Lost { stream: name(), silent_ns }
            }
            (_, Some(fault)) => NotReady::Faulty { stream: name(), fault },
            _ => otherwise,
        }
    }

    fn observe_at<P: Clone>(
        &self,
        streams: &Streams<P>,
        reference: &Sample<P>,
        now: Stamp,
    ) -> Result<Observation<P>, NotReady> {
        let (at, received_at) = (reference.captured_at, reference.received_at);
        let time = Time { at, received_at, now, name: &self.camera_names[0] };
        let frames = streams.cameras.iter().zip(&self.camera_names);
        let frames = frames
            .map(|(camera, name)| self.near(camera, name, &time).map(|sample| sample.value.clone()))
            .collect::<Result<Vec<_>, NotReady>>()?;
        let feedback = self.feedback(&streams.groups, &time)?;
        let before = match self.state.look_back_ns() {
            Some(look_back_ns) => {
                let name = &format!("{:.0} ms before {}", ms(look_back_ns), time.name);
                self.feedback(
                    &streams.groups,
                    &Time { at: Stamp::from_ns(at.ns() - look_back_ns), name, ..time },
                )?
            }
            None => vec![None; streams.groups.len()],
        };
        let nothing = Feedback::default();
        let state = self
            .state
            .build(|group| feedback[group].unwrap_or(&nothing), |group| before[group].unwrap_or(&nothing));
        Ok(Observation { captured_at: at, received_at, frames, state })
    }

    /// What each group that the state needs reported at a time; nothing of the others.
    fn feedback<'a>(
        &self,
        groups: &'a [Stream<Feedback>],
        time: &Time<'_>,
    ) -> Result<Vec<Option<&'a Feedback>>, NotReady> {
        let mut feedback = vec![None; groups.len()];
        for group in self.state.groups() {
            let sample = self.near(&groups[group], &self.group_names[group], time)?;
            feedback[group] = Some(&sample.value);
        }
        Ok(feedback)
    }

    /// The sample of a stream that was taken nearest to a time.
    fn near<'a, T>(
        &self,
        stream: &'a Stream<T>,
        name: &str,
        time: &Time<'_>,
    ) -> Result<&'a Sample<T>, NotReady> {
        let stream_name = || name.to_owned();
        let nothing = || self.explain(stream, name, time.now, NotReady::NothingYet { stream: stream_name() });
        let newest = stream.newest().ok_or_else(nothing)?;
        let has_reached = newest.captured_at >= time.at;
        if !has_reached && time.now.ns_since(time.received_at) < self.limits.settle_ns {
            return Err(NotReady::Settling { stream: stream_name() });
        }
        let nearest = stream.history().nearest(time.at).unwrap_or(newest);
        let skew_ns = nearest.captured_at.ns_since(time.at);
        let max_skew_ns = self.limits.max_skew_ns;
        if skew_ns.abs() <= max_skew_ns {
            return Ok(nearest);
        }
        let reference = time.name.to_owned();
        let skewed = NotReady::Skewed { stream: stream_name(), reference, skew_ns, max_skew_ns };
        Err(self.explain(stream, name, time.now, skewed))
    }
}
