//! JPEG to the vision graph's input.

use crate::error::Error;
use sinew_models::preprocess::ResizePlan;
use sinew_proto::msg::sensor_msgs::CompressedImage;
use sinew_proto::{Message, Stamp};
use turbojpeg::{Decompressor, Image, PixelFormat};

/// Longest edge of a picture that is decoded: a JPEG's header may claim 65,535² pixels, which is 12 GB.
const MAX_EDGE_PX: usize = 8192;

/// Decodes and resizes one camera's frames.
#[derive(Debug)]
pub struct FramePreparer {
    decompressor: Decompressor,
    rgb: Vec<u8>,
    size: usize,
    /// The plan for the size of the last frame.
    plan: Option<(usize, usize, ResizePlan)>,
}

impl FramePreparer {
    /// For a vision graph whose input is `size` × `size`.
    ///
    /// # Errors
    /// If the decoder cannot be made.
    pub fn new(size: usize) -> Result<Self, Error> {
        let decompressor = Decompressor::new().map_err(|error| Error::Jpeg(error.to_string()))?;
        Ok(Self { decompressor, rgb: Vec::new(), size, plan: None })
    }

    /// Decodes a `CompressedImage` and writes the vision graph's input into `pixels`. Returns when the frame was taken
    /// and its width and height.
    ///
    /// # Shapes
    /// `pixels` becomes `[3, size, size]`, −1 … 1.
    ///
    /// # Errors
    /// If the message or the JPEG in it is damaged, or has no time.
    pub fn prepare(&mut self, message: &[u8], pixels: &mut Vec<f32>) -> Result<(Stamp, [usize; 2]), Error> {
        let image = CompressedImage::from_cdr(message)?;
        let captured_at = capture_time(image.header.stamp.try_into()?)?;
        let [width, height] = self.decode(&image.data)?;
        let (_, _, plan) = match self.plan.take() {
            Some(plan) if (plan.0, plan.1) == (width, height) => self.plan.insert(plan),
            _ => self.plan.insert((width, height, ResizePlan::new(width, height, self.size)?)),
        };
        pixels.resize(plan.output_len(), 0.0);
        plan.apply(&self.rgb, pixels)?;
        Ok((captured_at, [width, height]))
    }

    fn decode(&mut self, jpeg: &[u8]) -> Result<[usize; 2], Error> {
        let failed = |error: turbojpeg::Error| Error::Jpeg(error.to_string());
        let header = self.decompressor.read_header(jpeg).map_err(failed)?;
        let (width, height) = (header.width, header.height);
        if width.max(height) > MAX_EDGE_PX {
            return Err(Error::Sample {
                what: "picture".to_owned(),
                expected: format!("at most {MAX_EDGE_PX} pixels an edge"),
                found: format!("{width}×{height}"),
            });
        }
        let pitch = width * PixelFormat::RGB.size();
        self.rgb.resize(pitch * height, 0);
        let target =
            Image { pixels: self.rgb.as_mut_slice(), width, pitch, height, format: PixelFormat::RGB };
        self.decompressor.decompress(jpeg, target).map_err(failed)?;
        Ok([width, height])
    }
}

/// Refuses a stamp of zero: a driver that leaves it out gives samples that cannot be put in order.
pub(crate) fn capture_time(stamp: Stamp) -> Result<Stamp, Error> {
    if stamp.ns() != 0 {
        return Ok(stamp);
    }
    Err(Error::Sample {
        what: "header.stamp".to_owned(),
        expected: "the time of capture".to_owned(),
        found: "0".to_owned(),
    })
}
