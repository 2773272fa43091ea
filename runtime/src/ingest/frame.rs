//! Camera messages to the vision graph's input.

use crate::config::PictureMessage;
use crate::error::Error;
use sinew_models::preprocess::ResizePlan;
use sinew_proto::msg::sensor_msgs::{CompressedImage, Image};
use sinew_proto::{Message, Stamp};
use sinew_sync::{Encoding, Picture, PictureDecoder, capture_time};
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64;

/// A camera frame, ready for the vision graph.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// Row-major `[3, size, size]`, −1 … 1.
    pub pixels: Vec<f32>,
    /// How long decoding and resizing took.
    pub prepare_ns: i64,
}

/// What has arrived so far on a robot.
pub type FrameStreams = sinew_sync::Streams<Arc<Frame>>;

/// What is known of a frame besides its pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// When it was taken.
    pub captured_at: Stamp,
    /// Its width and height.
    pub size: [usize; 2],
    /// XXH3 of its pixels before resizing: equal for equal pictures, however they were encoded.
    pub fingerprint: u64,
}

/// Decodes and resizes one camera's frames.
#[derive(Debug)]
pub struct FramePreparer {
    decoder: PictureDecoder,
    size: usize,
    /// The plan for the size of the last frame.
    plan: Option<([usize; 2], ResizePlan)>,
}

impl FramePreparer {
    /// For a vision graph whose input is `size` × `size`.
    ///
    /// # Errors
    /// If the decoder cannot be made.
    pub fn new(size: usize) -> Result<Self, Error> {
        Ok(Self { decoder: PictureDecoder::new()?, size, plan: None })
    }

    /// Decodes a message and writes the vision graph's input into `pixels`.
    ///
    /// # Shapes
    /// `pixels` becomes `[3, size, size]`, −1 … 1.
    ///
    /// # Errors
    /// If the message or the picture in it is damaged, or has no time.
    pub fn prepare(
        &mut self,
        kind: PictureMessage,
        message: &[u8],
        pixels: &mut Vec<f32>,
    ) -> Result<Prepared, Error> {
        match kind {
            PictureMessage::CompressedImage => {
                let image = CompressedImage::from_cdr(message)?;
                let captured_at = capture_time(image.header.stamp.try_into()?)?;
                self.prepare_picture(captured_at, Picture::Jpeg(&image.data), pixels)
            }
            PictureMessage::Image => {
                let image = Image::from_cdr(message)?;
                let captured_at = capture_time(image.header.stamp.try_into()?)?;
                let encoding = Encoding::of_ros(&image.encoding)?;
                let size = [image.width as usize, image.height as usize];
                let picture = Picture::Raw { encoding, size, step: image.step as usize, data: &image.data };
                self.prepare_picture(captured_at, picture, pixels)
            }
        }
    }

    /// The same for a picture that is in no message.
    ///
    /// # Errors
    /// If it is damaged.
    pub fn prepare_picture(
        &mut self,
        captured_at: Stamp,
        picture: Picture<'_>,
        pixels: &mut Vec<f32>,
    ) -> Result<Prepared, Error> {
        let size = self.decoder.decode(picture)?;
        let (_, plan) = match self.plan.take() {
            Some(plan) if plan.0 == size => self.plan.insert(plan),
            _ => self.plan.insert((size, ResizePlan::new(size[0], size[1], self.size)?)),
        };
        pixels.resize(plan.output_len(), 0.0);
        plan.apply(self.decoder.rgb(), pixels)?;
        Ok(Prepared { captured_at, size, fingerprint: xxh3_64(self.decoder.rgb()) })
    }
}
