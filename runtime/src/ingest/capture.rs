//! One camera's thread: the newest message to a frame among the streams.

use super::{Frame, FramePreparer, Inbox, Prepared, admit, refuse};
use crate::config::PictureMessage;
use crate::slot::Slot;
use crate::stop::Stop;
use crate::telemetry::{EventKind, StreamCounters, Telemetry};
use sinew_models::contract::CameraSpec;
use sinew_proto::Stamp;
use sinew_sync::Sample;
use std::sync::Arc;
use std::time::{Duration, Instant};
use zenoh::bytes::ZBytes;

/// How long the thread waits before it looks whether to stop.
const POLL: Duration = Duration::from_millis(100);

/// What a camera sends.
pub(super) enum Arrival {
    /// In a message.
    Message(ZBytes),
    /// From a device.
    #[cfg(feature = "local-cameras")]
    Picture(super::LocalPicture),
}

/// One camera's thread.
pub(super) struct Capture {
    /// The newest arrival, and when that was.
    pub(super) newest: Arc<Slot<(Stamp, Arrival)>>,
    pub(super) kind: PictureMessage,
    pub(super) slot: usize,
    pub(super) preparer: FramePreparer,
    /// Pixels of a frame nobody needs any more.
    pub(super) spare: Vec<f32>,
    pub(super) spec: CameraSpec,
    /// Width and height last spoken of.
    pub(super) seen_size: [usize; 2],
    pub(super) inbox: Arc<Inbox>,
    pub(super) counters: Arc<StreamCounters>,
    pub(super) telemetry: Arc<Telemetry>,
    pub(super) stop: Stop,
}

impl Capture {
    /// Takes frames in until the stop.
    pub(super) fn run(mut self) {
        while !self.stop.is_requested() {
            if let Some((received_at, arrival)) = self.newest.wait(POLL) {
                self.take_in(received_at, &arrival);
            }
        }
    }

    fn take_in(&mut self, received_at: Stamp, arrival: &Arrival) {
        let start = Instant::now();
        let mut pixels = std::mem::take(&mut self.spare);
        let prepared = match arrival {
            Arrival::Message(message) => self.preparer.prepare(self.kind, &message.to_bytes(), &mut pixels),
            // A device's stamps are of a clock that nobody else has.
            #[cfg(feature = "local-cameras")]
            Arrival::Picture(local) => {
                self.preparer.prepare_picture(received_at, local.picture(), &mut pixels)
            }
        };
        let Prepared { captured_at, size, fingerprint } = match prepared {
            Ok(prepared) => prepared,
            Err(error) => {
                self.spare = pixels;
                let stream = &mut self.inbox.streams().cameras[self.slot];
                return refuse(stream, &self.counters, received_at, &error);
            }
        };
        let prepare_ns = i64::try_from(start.elapsed().as_nanos()).unwrap_or(i64::MAX);
        self.mention_size(size);
        let value = Arc::new(Frame { pixels, prepare_ns });
        let sample = Sample { captured_at, received_at, value };
        let evicted = {
            let stream = &mut self.inbox.streams().cameras[self.slot];
            admit(stream, &self.counters, sample, Some(fingerprint))
        };
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
        let bundle = [self.spec.width, self.spec.height];
        if found != bundle {
            self.telemetry.emit(EventKind::FrameSize { camera: self.spec.name.clone(), bundle, found });
        }
    }
}
