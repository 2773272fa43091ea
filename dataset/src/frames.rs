//! The pictures of one camera over one episode, by row.

use std::fs;
use std::path::Path;

use crate::catalog::VideoSpan;
use crate::error::{Error, Result};
use crate::info::io_error;
use crate::picture::{self, RgbConverter, Yuv420};
use crate::video::{Fault, Video};

/// A picture as RGB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The row of the episode it belongs to.
    pub row: usize,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Bytes of shape `[height, width, 3]`: red, green, blue.
    pub rgb: Vec<u8>,
}

/// What a video file says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoInfo {
    /// FFmpeg's name of the codec: `av1`, `h264`, `hevc`.
    pub codec: String,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// The most pictures from one key frame to the next, if the file has an index: how far forward a picture may have to
    /// be decoded.
    pub key_frame_interval: Option<u64>,
    /// Pictures that belong to no row, where the file is one episode's alone and says how many it has.
    pub surplus_picture_count: Option<u64>,
}

/// Decodes the video of one camera and episode: as an iterator the picture of each row in order, with
/// [`FrameReader::frame_at`] that of any row. Going forward is cheap; going back or far ahead decodes from the key frame
/// before.
///
/// The iterator ends after the last row or after the first error.
pub struct FrameReader {
    span: VideoSpan,
    fps: f64,
    video: Video,
    to_rgb: Option<RgbConverter>,
    next_row: usize,
}

impl FrameReader {
    pub(crate) fn open(span: VideoSpan, fps: f64) -> Result<Self> {
        let what = format!("video of episode {}", span.episode_index);
        fs::metadata(&span.path).map_err(|source| io_error(&span.path, &what, source))?;
        let video = Video::open(&span.path, fps).map_err(|fault| span.error(0, fps, fault))?;
        Self { span: span.clone(), fps, video, to_rgb: None, next_row: 0 }.turned_to(span)
    }

    /// The same file, opened already, for another span of it.
    pub(crate) fn turned_to(self, span: VideoSpan) -> Result<Self> {
        match self.video.picture_count() {
            Some(found) if found < span.end() => Err(span.error(0, self.fps, Fault::Ended(found))),
            _ => Ok(Self { span, next_row: 0, ..self }),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.span.path
    }

    /// The picture decoded last, counted over the whole file.
    pub(crate) fn picture_number(&self) -> Option<u64> {
        self.video.picture_number()
    }

    /// Width of the pictures in pixels.
    #[must_use]
    pub fn width(&self) -> u32 {
        self.video.size().0
    }

    /// Height of the pictures in pixels.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.video.size().1
    }

    /// What the file says of itself, without decoding it.
    #[must_use]
    pub fn video_info(&self) -> VideoInfo {
        let (width, height) = self.video.size();
        let surplus = self.video.picture_count().map(|count| count.saturating_sub(self.span.end()));
        VideoInfo {
            codec: self.video.codec().to_owned(),
            width,
            height,
            key_frame_interval: self.video.key_frame_interval(),
            surplus_picture_count: surplus.filter(|_| self.span.is_whole_file),
        }
    }

    /// The picture of a row. Where the iterator stands does not change.
    ///
    /// # Errors
    /// If there is no such row, or its picture is damaged or not in the video.
    pub fn frame_at(&mut self, row: usize) -> Result<Frame> {
        let number = self.span.picture_number(row)?;
        let convert = |video: &mut Video, to_rgb: &mut Option<RgbConverter>| {
            let picture = video.picture(number)?;
            let converter = match to_rgb {
                Some(converter) => converter,
                None => to_rgb.insert(RgbConverter::for_pictures_like(picture).map_err(not_converted)?),
            };
            let rgb = converter.convert(picture).map_err(not_converted)?;
            Ok(Frame { row, width: picture.width(), height: picture.height(), rgb })
        };
        convert(&mut self.video, &mut self.to_rgb).map_err(|fault| self.span.error(row, self.fps, fault))
    }

    /// The planes of a row's picture as they are stored, before any conversion. Where the iterator stands does not
    /// change.
    ///
    /// # Errors
    /// As [`FrameReader::frame_at`], and [`Error::PixelFormat`] if the video is not yuv420p.
    pub fn planes_at(&mut self, row: usize) -> Result<Yuv420> {
        let number = self.span.picture_number(row)?;
        let picture = self.video.picture(number).map_err(|fault| self.span.error(row, self.fps, fault))?;
        picture::planes(picture).ok_or_else(|| Error::PixelFormat {
            path: self.span.path.clone(),
            found: format!("{:?}", picture.format()).to_lowercase(),
        })
    }
}

impl Iterator for FrameReader {
    type Item = Result<Frame>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.next_row;
        if row >= self.span.picture_count {
            return None;
        }
        let frame = self.frame_at(row);
        self.next_row = if frame.is_ok() { row + 1 } else { self.span.picture_count };
        Some(frame)
    }
}

impl std::fmt::Debug for FrameReader {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("FrameReader")
            .field("span", &self.span)
            .field("fps", &self.fps)
            .field("next_row", &self.next_row)
            .finish_non_exhaustive()
    }
}

fn not_converted(source: ffmpeg_next::Error) -> Fault {
    Fault::Ffmpeg("convert a picture to RGB", source)
}

impl VideoSpan {
    /// Number of pictures the file needs to cover the episode.
    fn end(&self) -> u64 {
        self.first_picture + self.picture_count as u64
    }

    pub(crate) fn picture_number(&self, row: usize) -> Result<u64> {
        if row < self.picture_count {
            return Ok(self.first_picture + row as u64);
        }
        Err(Error::RowOutOfRange { row, row_count: self.picture_count })
    }

    pub(crate) fn error(&self, row: usize, fps: f64, fault: Fault) -> Error {
        let (path, episode_index) = (self.path.clone(), self.episode_index);
        match fault {
            Fault::Ffmpeg(action, source) => Error::Video { path, episode_index, row, action, source },
            Fault::Ended(found) => Error::VideoTooShort { path, episode_index, expected: self.end(), found },
            Fault::Skipped(place) => Error::NoPicture {
                path,
                episode_index,
                row,
                expected_s: (self.first_picture + row as u64) as f64 / fps,
                found_s: place / fps,
            },
        }
    }
}
