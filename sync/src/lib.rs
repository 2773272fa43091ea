//! What a robot says, as what its policy sees: joint states, pictures, streams of samples, observations.
//!
//! Pure: times are arguments. The runtime makes observations with it as messages arrive, the trainer as they are read
//! back from logs, so that a policy is trained on what it will be shown.

mod error;
mod feedback;
mod history;
mod observation;
mod picture;
mod state;
mod stream;

pub use error::Error;
pub use feedback::{ExtraElements, FeedbackConfig, FeedbackReader, JointNames, capture_time};
pub use history::{History, OutOfOrder, Sample};
pub use observation::{Limits, NotReady, Observation, Streams, Synchronizer};
pub use picture::{Encoding, Picture, PictureDecoder};
pub use state::{Feedback, StateBuilder, radians};
pub use stream::{Fault, Stream};

/// A length of time in milliseconds, for people.
fn ms(ns: i64) -> f64 {
    ns as f64 / 1e6
}
