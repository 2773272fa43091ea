//! A decoded picture as RGB or as the planes it is stored in.

use ffmpeg_next::ffi::{AVColorSpace, sws_getCoefficients, sws_setColorspaceDetails};
use ffmpeg_next::format::Pixel;
use ffmpeg_next::software::scaling;
use ffmpeg_next::util::color;
use ffmpeg_next::util::frame::Video as Picture;

/// The planes of a yuv420p picture, exactly as decoded, rows without gaps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Yuv420 {
    /// Width of `y` in pixels; `u` and `v` have half, rounded up.
    pub width: usize,
    /// Height of `y` in pixels; `u` and `v` have half, rounded up.
    pub height: usize,
    /// Luma, shape `[height, width]`.
    pub y: Vec<u8>,
    /// Blue difference, shape `[ceil(height / 2), ceil(width / 2)]`.
    pub u: Vec<u8>,
    /// Red difference, shape `[ceil(height / 2), ceil(width / 2)]`.
    pub v: Vec<u8>,
}

/// Copies the planes of a yuv420p picture; `None` for any other pixel format.
pub(crate) fn planes(picture: &Picture) -> Option<Yuv420> {
    if picture.format() != Pixel::YUV420P {
        return None;
    }
    let plane = |index: usize| {
        let (width, height) = (picture.plane_width(index) as usize, picture.plane_height(index) as usize);
        tight_rows(picture.data(index), picture.stride(index), width, height)
    };
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    Some(Yuv420 { width, height, y: plane(0), u: plane(1), v: plane(2) })
}

/// Converts the pictures of one stream to RGB.
pub(crate) struct RgbConverter {
    scaler: scaling::Context,
    rgb: Picture,
}

// SAFETY: an SwsContext is plain memory without ties to the thread that made it, and this is its only owner.
#[allow(unsafe_code)]
unsafe impl Send for RgbConverter {}

impl RgbConverter {
    /// A converter for pictures like `picture`.
    pub(crate) fn for_pictures_like(picture: &Picture) -> Result<Self, ffmpeg_next::Error> {
        let (width, height) = (picture.width(), picture.height());
        let mut scaler = scaling::Context::get(
            picture.format(),
            width,
            height,
            Pixel::RGB24,
            width,
            height,
            scaling::Flags::BILINEAR,
        )?;
        follow_colour_tags(&mut scaler, picture);
        Ok(Self { scaler, rgb: Picture::empty() })
    }

    /// RGB bytes of `picture`, shape `[height, width, 3]`.
    pub(crate) fn convert(&mut self, picture: &Picture) -> Result<Vec<u8>, ffmpeg_next::Error> {
        self.scaler.run(picture, &mut self.rgb)?;
        let (width, height) = (self.rgb.width() as usize, self.rgb.height() as usize);
        Ok(tight_rows(self.rgb.data(0), self.rgb.stride(0), width * 3, height))
    }
}

/// Uses the stream's matrix and range. Untagged streams, as LeRobot writes them, are BT.601 limited range, which is what
/// libswscale takes "unspecified" to mean at any resolution.
#[allow(unsafe_code)]
fn follow_colour_tags(scaler: &mut scaling::Context, picture: &Picture) {
    const UNIT: i32 = 1 << 16;
    let matrix = AVColorSpace::from(picture.color_space()) as i32;
    let is_full_range = i32::from(picture.color_range() == color::Range::JPEG);
    // SAFETY: the context is alive for the call, and libswscale returns a pointer to a static table for any number.
    unsafe {
        let coefficients = sws_getCoefficients(matrix);
        sws_setColorspaceDetails(
            scaler.as_mut_ptr(),
            coefficients,
            is_full_range,
            coefficients,
            1,
            0,
            UNIT,
            UNIT,
        );
    }
}

/// The first `width` bytes of each row of `stride` bytes.
fn tight_rows(bytes: &[u8], stride: usize, width: usize, height: usize) -> Vec<u8> {
    let mut tight = Vec::with_capacity(width * height);
    for row in bytes.chunks(stride).take(height) {
        tight.extend_from_slice(&row[..width]);
    }
    tight
}
