//! The states of the safety core and every transition between them.

use serde::Serialize;

/// What the robot is allowed to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Something it needs to hear was not heard yet, or no more. Nothing is commanded.
    Waiting,
    /// It may start. Nothing is commanded.
    Ready,
    /// It follows the set-points.
    Running,
    /// Arms brake and stand, the base stands; goes on by itself once the cause is gone.
    Holding,
    /// Arms brake and stand, the base stands; goes on when the operator says so.
    Stopped,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Waiting, Self::Ready, Self::Running, Self::Holding, Self::Stopped];

    /// For reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting for feedback",
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Holding => "holding",
            Self::Stopped => "stopped",
        }
    }

    /// The state after an event.
    #[must_use]
    pub fn next(self, event: Event) -> Self {
        use Event::{Blocked, Go, Idle, Resume, Stop, Unfit};
        use State::{Holding, Ready, Running, Stopped, Waiting};
        match (self, event) {
            (_, Stop) => Stopped,
            (Stopped, Resume) => Waiting,
            (Stopped, _) => Stopped,
            (_, Resume) => self,
            (Waiting | Ready, Unfit) => Waiting,
            (Ready | Running | Holding, Go) => Running,
            (Waiting, Idle | Blocked | Go) | (Ready, Idle | Blocked) => Ready,
            (Running | Holding, Unfit | Idle | Blocked) => Holding,
        }
    }
}

/// What a tick finds, the first of these that applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// The operator's stop, a takeover by remote control, a fault, a low battery.
    Stop,
    /// The operator lets a stopped robot go on, once its arms stand.
    Resume,
    /// An input, the clock or the tick itself is not as it must be.
    Unfit,
    /// All inputs are fine, but there is no set-point.
    Idle,
    /// There is a set-point that cannot be followed.
    Blocked,
    /// There is a set-point, and nothing is against it.
    Go,
}

impl Event {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Stop, Self::Resume, Self::Unfit, Self::Idle, Self::Blocked, Self::Go];

    /// For reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Resume => "resume",
            Self::Unfit => "unfit",
            Self::Idle => "idle",
            Self::Blocked => "blocked",
            Self::Go => "go",
        }
    }
}
