//! What the runtime reports: one JSON object a line with `--json`.

use super::counters::StreamReport;
use super::histogram::Percentiles;
use super::ticks::TickSummary;
use crate::clock::ms;
use crate::command::Clamp;
use crate::motion::Joints;
use crate::presence::Listeners;
use crate::record::Outcome;
use crate::safety::{LimitHits, State};
use crate::schedule::{Accepted, Ending, Seam};
use serde::{Serialize, Serializer};
use sinew_proto::Stamp;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// Something that happened, and when.
#[derive(Clone, Debug, Serialize)]
pub struct Event {
    /// When, nanoseconds since 1970.
    pub at_ns: i64,
    /// What.
    #[serde(flatten)]
    pub kind: EventKind,
}

impl Event {
    /// Something that happened now.
    #[must_use]
    pub fn new(at: Stamp, kind: EventKind) -> Self {
        Self { at_ns: at.ns(), kind }
    }
}

/// What happened.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    /// Start-up checks passed; subscriptions and publications are declared.
    Ready(Ready),
    /// A recorder without a policy listens.
    RecorderReady {
        /// The robot.
        robot: String,
        /// Where others can reach the session.
        locators: Vec<String>,
    },
    /// The control tick's thread asked for real-time priority.
    RealTime {
        /// Which.
        priority: u8,
        /// Why it has none.
        #[serde(skip_serializing_if = "Option::is_none")]
        refusal: Option<String>,
    },
    /// A chunk was published.
    Chunk(ChunkReport),
    /// Who listens to set-points, as far as bridges to ROS say.
    Listeners {
        /// By key.
        outputs: BTreeMap<String, Listeners>,
    },
    /// The robot goes on with a chunk.
    Merged(MergeReport),
    /// A chunk was played, replaced or dropped.
    ChunkEnd(Ending),
    /// What the safety core lets the robot do; said at every change.
    Motion {
        /// What.
        state: State,
        /// Why it does not move.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<&'static str>,
        /// In words.
        #[serde(skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// There is nothing to infer from; said once a reason, and again each second while it lasts.
    NotReady {
        /// A short name of the reason.
        reason: &'static str,
        /// The stream it is about.
        stream: Option<String>,
        /// In words.
        message: String,
    },
    /// The operator said what to do.
    Instruction {
        /// The text.
        text: String,
        /// Whether the policy follows it from now on.
        accepted: bool,
        /// Why not.
        refusal: Option<String>,
    },
    /// Messages of a stream are not used; said at most once a second, stream and fault.
    Unusable {
        /// The stream.
        stream: String,
        /// What is wrong: one of [`sinew_sync::Fault::NAMES`].
        fault: &'static str,
        /// How many so far.
        count: u64,
        /// What was wrong with the newest.
        message: String,
    },
    /// A camera's frames do not have the size the policy was trained with. They are resized all the same.
    FrameSize {
        /// The camera.
        camera: String,
        /// Width and height in the bundle.
        bundle: [usize; 2],
        /// Width and height that arrive.
        found: [usize; 2],
    },
    /// An episode's recording began, ended or failed.
    Recording(RecordingReport),
    /// Two topics of a camera are alive; the robot description's first is used. Said once, and at every change.
    CameraTopics {
        /// The camera.
        camera: String,
        /// Key of the one that is used.
        used: String,
        /// Key of the other.
        ignored: String,
    },
    /// Something failed, and the run goes on.
    Error {
        /// What.
        message: String,
    },
    /// The run is over.
    Summary(Box<Summary>),
}

/// What happened to a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordingState {
    /// An episode began.
    Started,
    /// An episode ended, and its file is whole.
    Ended,
    /// The disk hardly keeps up; the episode goes on.
    Behind,
    /// Nothing is recorded any more, until the next episode begins.
    Failed,
    /// A mark that says nothing, or that comes when nothing is recorded.
    MarkRefused,
}

/// A recording and what happened to it.
#[derive(Clone, Debug, Serialize)]
pub struct RecordingReport {
    /// What happened.
    pub state: RecordingState,
    /// The episode's file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// How the episode went, if the operator said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// Messages in it.
    pub message_count: u64,
    /// What is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// What was recorded in a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RecordingTotals {
    /// Whole episodes.
    pub episode_count: u64,
    /// Messages in them.
    pub message_count: u64,
    /// Bytes of these messages.
    pub payload_bytes: u64,
    /// How often recording failed.
    pub failure_count: u64,
}

/// What the run is made of.
#[derive(Clone, Debug, Serialize)]
pub struct Ready {
    /// The bundle.
    pub bundle_id: String,
    /// The robot.
    pub embodiment: String,
    /// Where the graphs run.
    pub execution_provider: &'static str,
    /// Where others can reach the session.
    pub locators: Vec<String>,
    /// Keys that cameras may be found on, or their device, by name.
    pub cameras: BTreeMap<String, Vec<String>>,
    /// Keys of the feedback, by group.
    pub feedback: BTreeMap<String, String>,
    /// Topics that chunks and set-points go out on.
    pub outputs: Vec<String>,
    /// Whether the robot is moved to its training's start posture before the policy takes over.
    pub moves_to_start: bool,
    /// What the policy is told.
    pub instruction: Option<String>,
    /// Where Prometheus finds its page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prometheus: Option<SocketAddr>,
}

/// A published chunk.
#[derive(Clone, Debug, Serialize)]
pub struct ChunkReport {
    /// Its number.
    pub sequence: u64,
    /// When the reference frame was taken.
    pub captured_at_ns: i64,
    /// From the reference frame's capture to the last message's publication.
    pub observation_to_publish_ms: f64,
    /// From the reference frame's arrival to the last message's publication.
    pub receive_to_publish_ms: f64,
    /// How long each stage took.
    pub stages: StageTimes,
    /// Steps that were over when the chunk was published.
    pub expired_step_count: usize,
    /// Joints that were held at a limit.
    pub clamps: Vec<Clamp>,
}

/// How a chunk was merged into what the robot does.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MergeReport {
    /// Its number.
    pub sequence: u64,
    /// From its observation to its arrival at the control tick.
    pub latency_ms: f64,
    /// Rows at its start that were over or committed to an older chunk.
    pub skipped_row_count: usize,
    /// Whether the robot stood when it arrived.
    pub was_idle: bool,
    /// How long the robot has stood for want of chunks, since the start.
    pub idle_ms: f64,
    /// By how much it contradicts the chunk before, by group.
    pub seam: SeamReport,
}

impl MergeReport {
    /// Of a chunk that was taken in.
    #[must_use]
    pub fn new(sequence: u64, accepted: Accepted, idle_ms: f64, seam: SeamReport) -> Self {
        let Accepted { latency_ns, skipped_row_count, was_idle } = accepted;
        Self { sequence, latency_ms: ms(latency_ns), skipped_row_count, was_idle, idle_ms, seam }
    }
}

/// Groups that a seam is reported of; robots with more are reported in part.
const SEAM_GROUPS: usize = 16;

/// The largest jump of each commanded group's joints at a seam, in the group's unit. Of fixed size: the control tick
/// makes one for every chunk.
#[derive(Clone, Debug, PartialEq)]
pub struct SeamReport {
    names: Arc<[(String, Range<usize>)]>,
    offered: [f64; SEAM_GROUPS],
    executed: [f64; SEAM_GROUPS],
}

impl SeamReport {
    /// For the commanded groups.
    #[must_use]
    pub fn new(joints: &Joints) -> Self {
        let groups = joints.groups().iter().filter(|group| group.is_commanded).take(SEAM_GROUPS);
        let names = groups.map(|group| (group.name.clone(), group.span.clone())).collect();
        Self { names, offered: [0.0; SEAM_GROUPS], executed: [0.0; SEAM_GROUPS] }
    }

    /// Takes a seam's numbers.
    pub fn fill(&mut self, seam: &Seam) {
        let largest = |jumps: &[f64]| jumps.iter().fold(0.0, |most: f64, jump| most.max(jump.abs()));
        for (index, (_, span)) in self.names.iter().enumerate() {
            self.offered[index] = largest(&seam.offered[span.clone()]);
            self.executed[index] = largest(&seam.executed[span.clone()]);
        }
    }

    /// Keeps the larger jump of two seams, group by group.
    pub fn widen(&mut self, other: &Self) {
        for (most, jump) in self.offered.iter_mut().zip(other.offered) {
            *most = most.max(jump);
        }
        for (most, jump) in self.executed.iter_mut().zip(other.executed) {
            *most = most.max(jump);
        }
    }

    /// Each group's name, what was offered and what was executed.
    pub fn jumps(&self) -> impl Iterator<Item = (&str, f64, f64)> {
        let names = self.names.iter().map(|(name, _)| name.as_str());
        names
            .zip(self.offered)
            .zip(self.executed)
            .map(|((name, offered), executed)| (name, offered, executed))
    }
}

impl Serialize for SeamReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Jump {
            offered: f64,
            executed: f64,
        }
        let jumps = self.names.iter().zip(self.offered.iter().zip(&self.executed));
        serializer.collect_map(
            jumps.map(|((name, _), (offered, executed))| {
                (name, Jump { offered: *offered, executed: *executed })
            }),
        )
    }
}

/// How long each stage of a chunk took, milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct StageTimes {
    /// Decoding and resizing the slowest camera's frame, on its own thread.
    pub prepare_ms: f64,
    /// Choosing samples and building the state.
    pub observe_ms: f64,
    /// The vision graph, all cameras.
    pub vision_ms: f64,
    /// The prefix graph.
    pub prefix_ms: f64,
    /// The denoising graph, all steps.
    pub denoise_ms: f64,
    /// Binding, copying, noise and normalisation around the graphs.
    pub host_ms: f64,
    /// Building, encoding and handing over the messages.
    pub publish_ms: f64,
}

impl StageTimes {
    /// Each stage's name and time.
    pub(crate) fn by_name(&self) -> [(&'static str, f64); 7] {
        [
            ("prepare", self.prepare_ms),
            ("observe", self.observe_ms),
            ("vision", self.vision_ms),
            ("prefix", self.prefix_ms),
            ("denoise", self.denoise_ms),
            ("host", self.host_ms),
            ("publish", self.publish_ms),
        ]
    }
}

/// The whole run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    /// How long it took.
    pub seconds: f64,
    /// Chunks published.
    pub chunk_count: u64,
    /// Chunks withheld or not sent.
    pub failed_chunk_count: u64,
    /// Chunks in which a joint was held at a limit.
    pub clamped_chunk_count: u64,
    /// Chunks of which every step was over when they were published.
    pub expired_chunk_count: u64,
    /// From the reference frame's capture to publication.
    pub observation_to_publish: Percentiles,
    /// From the reference frame's arrival to publication.
    pub receive_to_publish: Percentiles,
    /// Each stage's times.
    pub stages: BTreeMap<&'static str, Percentiles>,
    /// How often inference had to wait, by reason.
    pub not_ready: BTreeMap<&'static str, u64>,
    /// Streams by name.
    pub streams: BTreeMap<String, StreamReport>,
    /// What became of chunks at the control tick: played, replaced, dropped by reason.
    pub chunk_ends: BTreeMap<&'static str, u64>,
    /// Ticks in which a limit kept a joint from what was wanted, by joint.
    pub limit_hits: BTreeMap<String, LimitHits>,
    /// What was recorded.
    pub recording: RecordingTotals,
    /// How punctual the control tick was; nothing where there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticks: Option<TickSummary>,
    /// Events that were lost because nobody read them in time.
    pub lost_event_count: u64,
}

impl Summary {
    /// Whether every chunk and every event came out, and whatever was to be recorded was.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.failed_chunk_count == 0 && self.lost_event_count == 0 && self.recording.failure_count == 0
    }
}
