//! Pictures as cameras send them to RGB. Pure.

use crate::error::Error;
use turbojpeg::{Decompressor, Image, PixelFormat};

/// Longest edge of a picture that is decoded: a JPEG's header may claim 65,535² pixels, which is 12 GB.
const MAX_EDGE_PX: usize = 8192;
/// What a JPEG begins with.
const JPEG_MAGIC: [u8; 2] = [0xff, 0xd8];

/// How the pixels of a raw picture are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Red, green, blue.
    Rgb8,
    /// Blue, green, red.
    Bgr8,
    /// Two pixels share their colour: Y, U, Y, V.
    Yuyv,
}

impl Encoding {
    /// By its name in `sensor_msgs/msg/Image`.
    ///
    /// # Errors
    /// If this program does not read it.
    pub fn of_ros(name: &str) -> Result<Self, Error> {
        match name {
            "rgb8" => Ok(Self::Rgb8),
            "bgr8" => Ok(Self::Bgr8),
            "yuv422_yuy2" => Ok(Self::Yuyv),
            _ => Err(unusable("encoding", "`rgb8`, `bgr8` or `yuv422_yuy2`", format!("`{name}`"))),
        }
    }

    fn bytes_per_pixel(self) -> usize {
        match self {
            Self::Rgb8 | Self::Bgr8 => 3,
            Self::Yuyv => 2,
        }
    }
}

/// A picture as a camera sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Picture<'a> {
    /// A JPEG file. It says by itself what its colours are; decoding gives RGB in any case.
    Jpeg(&'a [u8]),
    /// Rows of pixels.
    Raw {
        /// Their layout.
        encoding: Encoding,
        /// Width and height.
        size: [usize; 2],
        /// Bytes from one row to the next.
        step: usize,
        /// The rows.
        data: &'a [u8],
    },
}

/// Decodes pictures into a buffer of its own.
#[derive(Debug)]
pub struct PictureDecoder {
    decompressor: Decompressor,
    rgb: Vec<u8>,
}

impl PictureDecoder {
    /// With an empty buffer.
    ///
    /// # Errors
    /// If the JPEG decoder cannot be made.
    pub fn new() -> Result<Self, Error> {
        let decompressor = Decompressor::new().map_err(jpeg)?;
        Ok(Self { decompressor, rgb: Vec::new() })
    }

    /// Decodes a picture; returns its width and height.
    ///
    /// # Errors
    /// If it is damaged or too large.
    pub fn decode(&mut self, picture: Picture<'_>) -> Result<[usize; 2], Error> {
        match picture {
            Picture::Jpeg(data) => self.decode_jpeg(data),
            Picture::Raw { encoding, size, step, data } => {
                self.decode_raw(encoding, size, step, data)?;
                Ok(size)
            }
        }
    }

    /// The picture decoded last: row-major RGB, no gaps.
    #[must_use]
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }

    fn decode_jpeg(&mut self, data: &[u8]) -> Result<[usize; 2], Error> {
        if !data.starts_with(&JPEG_MAGIC) {
            let found = data.get(..2).map_or_else(|| "nothing".to_owned(), |start| format!("{start:02x?}"));
            return Err(unusable("picture", "a JPEG, which begins with [ff, d8]", found));
        }
        let header = self.decompressor.read_header(data).map_err(jpeg)?;
        let [width, height] = expect_size([header.width, header.height])?;
        let pitch = width * PixelFormat::RGB.size();
        self.rgb.resize(pitch * height, 0);
        let target =
            Image { pixels: self.rgb.as_mut_slice(), width, pitch, height, format: PixelFormat::RGB };
        self.decompressor.decompress(data, target).map_err(jpeg)?;
        Ok([width, height])
    }

    fn decode_raw(
        &mut self,
        encoding: Encoding,
        size: [usize; 2],
        step: usize,
        data: &[u8],
    ) -> Result<(), Error> {
        let [width, height] = expect_size(size)?;
        let row_len = width * encoding.bytes_per_pixel();
        if encoding == Encoding::Yuyv && width % 2 == 1 {
            return Err(unusable("width", "an even number, as two pixels share their colour", width));
        }
        if step < row_len {
            return Err(unusable("step", &format!("at least {row_len} bytes"), step));
        }
        let least = step.saturating_mul(height - 1).saturating_add(row_len);
        if data.len() < least {
            return Err(unusable("data", &format!("at least {least} bytes"), data.len()));
        }
        self.rgb.resize(3 * width * height, 0);
        let targets = self.rgb.chunks_exact_mut(3 * width);
        for (row, target) in data.chunks(step).take(height).map(|row| &row[..row_len]).zip(targets) {
            match encoding {
                Encoding::Rgb8 => target.copy_from_slice(row),
                Encoding::Bgr8 => swap_red_and_blue(row, target),
                Encoding::Yuyv => yuyv_to_rgb(row, target),
            }
        }
        Ok(())
    }
}

fn swap_red_and_blue(bgr: &[u8], rgb: &mut [u8]) {
    for (from, to) in bgr.as_chunks::<3>().0.iter().zip(rgb.as_chunks_mut::<3>().0) {
        *to = [from[2], from[1], from[0]];
    }
}

/// ITU-R BT.601 in its limited range (luma 16 … 235, chroma 16 … 240), which V4L2 and OpenCV take YUYV for unless a
/// driver says otherwise; in 16-bit fixed point.
fn yuyv_to_rgb(yuyv: &[u8], rgb: &mut [u8]) {
    // 255 / 219, and 255 / 224 times 2 (1 − Kr), 2 (1 − Kb) and their shares in green, with Kr = 0.299, Kb = 0.114.
    const LUMA: i32 = 76_309;
    const RED_V: i32 = 104_597;
    const BLUE_U: i32 = 132_201;
    const GREEN_U: i32 = 25_675;
    const GREEN_V: i32 = 53_279;
    const HALF: i32 = 1 << 15;
    let shade = |scaled: i32| ((scaled + HALF) >> 16).clamp(0, 255) as u8;
    for (from, to) in yuyv.as_chunks::<4>().0.iter().zip(rgb.as_chunks_mut::<6>().0) {
        let [first, u, second, v] = from.map(i32::from);
        let (u, v) = (u - 128, v - 128);
        for (y, pixel) in [first, second].into_iter().zip(to.as_chunks_mut::<3>().0) {
            // Blacker than black is black, as OpenCV has it.
            let y = LUMA * (y - 16).max(0);
            *pixel = [y + RED_V * v, y - GREEN_U * u - GREEN_V * v, y + BLUE_U * u].map(shade);
        }
    }
}

fn expect_size(size: [usize; 2]) -> Result<[usize; 2], Error> {
    if size.iter().all(|edge| (1..=MAX_EDGE_PX).contains(edge)) {
        return Ok(size);
    }
    let [width, height] = size;
    Err(unusable("picture", &format!("1 to {MAX_EDGE_PX} pixels an edge"), format!("{width}×{height}")))
}

fn jpeg(error: turbojpeg::Error) -> Error {
    Error::Jpeg(error.to_string())
}

fn unusable(what: &str, expected: &str, found: impl ToString) -> Error {
    Error::Sample { what: what.to_owned(), expected: expected.to_owned(), found: found.to_string() }
}
