//! Pictures of a video file by number: forward where that is near, from a key frame where it is not.

use std::path::{Path, PathBuf};
use std::sync::Once;

use ffmpeg_next as ffmpeg;
use ffmpeg_next::codec;
use ffmpeg_next::ffi::{
    AVINDEX_KEYFRAME, AVSEEK_FLAG_BACKWARD, avformat_index_get_entries_count, avformat_index_get_entry,
    avformat_index_get_entry_from_timestamp,
};
use ffmpeg_next::format::context::Input;
use ffmpeg_next::util::error::{self, EAGAIN};
use ffmpeg_next::util::frame::Video as Picture;
use ffmpeg_next::util::log;

/// How far a picture's time may be from its number's: LeRobot's default `tolerance_s`.
const TOLERANCE_S: f64 = 1e-4;

/// How many pictures are rather decoded and dropped than skipped by going to a nearer key frame, which restarts the
/// decoder.
const WORTH_DECODING: f64 = 8.0;

const MICROSECONDS_PER_S: f64 = 1e6;

/// A video being decoded, on the caller's thread: there is one per camera and worker, and parallelism is theirs.
pub(crate) struct Video {
    input: Input,
    decoder: codec::decoder::Video,
    stream_index: usize,
    fps: f64,
    s_per_tick: f64,
    /// The picture decoded last.
    picture: Picture,
    /// Its place in the file, in pictures from time zero. `None` when the next picture can be any.
    place: Option<f64>,
    /// Decoding time of the last packet read, in ticks.
    read_dts: Option<i64>,
    /// Decoding time of the key frame that decoding began at, in ticks.
    landed_dts: Option<i64>,
}

/// Why a picture could not be had.
#[derive(Debug)]
pub(crate) enum Fault {
    /// FFmpeg failed at what is named.
    Ffmpeg(&'static str, ffmpeg::Error),
    /// The video ends after so many pictures.
    Ended(u64),
    /// There are pictures before and after it, the later one at this place.
    Skipped(f64),
}

type Result<T> = std::result::Result<T, Fault>;

impl Video {
    /// Opens a file whose pictures are `fps` a second, from time zero on.
    pub(crate) fn open(path: &Path, fps: f64) -> Result<Self> {
        prepare_ffmpeg();
        let input =
            ffmpeg::format::input(&url(path)?).map_err(|error| Fault::Ffmpeg("open the video", error))?;
        let stream = input
            .streams()
            .best(ffmpeg::media::Type::Video)
            .ok_or(Fault::Ffmpeg("find a video stream", ffmpeg::Error::StreamNotFound))?;
        let decoder = codec::Context::from_parameters(stream.parameters())
            .and_then(|context| context.decoder().video())
            .map_err(|error| Fault::Ffmpeg("open a decoder", error))?;
        Ok(Self {
            decoder,
            stream_index: stream.index(),
            fps,
            s_per_tick: stream.time_base().into(),
            picture: Picture::empty(),
            place: None,
            read_dts: None,
            landed_dts: None,
            input,
        })
    }

    /// Width and height in pixels.
    pub(crate) fn size(&self) -> (u32, u32) {
        (self.decoder.width(), self.decoder.height())
    }

    /// How many pictures the container says it has, if it does.
    pub(crate) fn picture_count(&self) -> Option<u64> {
        let stream = self.input.stream(self.stream_index)?;
        u64::try_from(stream.frames()).ok().filter(|count| *count > 0)
    }

    /// FFmpeg's name of the codec, e.g. `hevc`.
    pub(crate) fn codec(&self) -> &'static str {
        self.decoder.id().name()
    }

    /// The most pictures from one key frame to the next, if the container has an index.
    #[allow(unsafe_code)]
    pub(crate) fn key_frame_interval(&self) -> Option<u64> {
        let mut longest = 0;
        let mut current = 0;
        // SAFETY: the context is alive and has a stream of this index; every entry is read before the next is asked
        // for, and nothing else touches the index.
        unsafe {
            let stream = *(*self.input.as_ptr()).streams.add(self.stream_index);
            for index in 0..avformat_index_get_entries_count(stream) {
                let entry = avformat_index_get_entry(stream, index).as_ref()?;
                if entry.flags() & AVINDEX_KEYFRAME != 0 {
                    current = 0;
                }
                current += 1;
                longest = longest.max(current);
            }
        }
        (longest > 0).then_some(longest)
    }

    /// The picture decoded last, counted from zero over the whole file.
    pub(crate) fn picture_number(&self) -> Option<u64> {
        self.place.map(|place| place.round() as u64)
    }

    /// Decodes picture `number`, counted from zero over the whole file.
    pub(crate) fn picture(&mut self, number: u64) -> Result<&Picture> {
        let target = number as f64;
        if !self.is_at(target) {
            if !self.is_forward_best(target) {
                self.seek(self.ticks(target))?;
            }
            if let Err(fault) = self.decode_up_to(target) {
                // The first pictures shown of an open group need the group before. FFmpeg 5.1 also loses the last
                // ones of an H.264 file when it begins at an open group close to the end.
                let Some(landed_dts) = self.landed_dts else { return Err(fault) };
                self.seek(landed_dts - 1)?;
                self.decode_up_to(target)?;
            }
        }
        Ok(&self.picture)
    }

    fn decode_up_to(&mut self, target: f64) -> Result<()> {
        let mut last = self.place;
        while let Some(place) = self.advance()? {
            if self.is_at(target) {
                return Ok(());
            }
            if place > target {
                return Err(Fault::Skipped(place));
            }
            last = Some(place);
        }
        Err(Fault::Ended(last.map_or(0, |last| last.round() as u64 + 1)))
    }

    /// Whether to go on decoding, as opposed to seeking: always when the picture is just ahead, else when no key frame
    /// lies between.
    fn is_forward_best(&mut self, target: f64) -> bool {
        let from = match (self.place, self.read_dts) {
            (Some(place), _) => place,
            (None, None) => -1.0,
            (None, Some(_)) => return false,
        };
        if target < from {
            return false;
        }
        target - from <= WORTH_DECODING
            || self
                .key_frame_dts_before(self.ticks(target))
                .is_none_or(|key_frame| Some(key_frame) <= self.read_dts)
    }

    /// Goes to the last key frame at or before a decoding time.
    fn seek(&mut self, dts: i64) -> Result<()> {
        self.place = None;
        self.landed_dts = None;
        let us = (dts as f64 * self.s_per_tick * MICROSECONDS_PER_S).round() as i64;
        self.input.seek(us, ..us).map_err(|error| Fault::Ffmpeg("seek", error))?;
        self.decoder.flush();
        self.send_packet()
    }

    /// Decodes the next picture and returns its place, or `None` after the last.
    fn advance(&mut self) -> Result<Option<f64>> {
        self.place = None;
        loop {
            match self.decoder.receive_frame(&mut self.picture) {
                Ok(()) if self.picture.is_corrupt() => {
                    return Err(Fault::Ffmpeg("decode the video", ffmpeg::Error::InvalidData));
                }
                Ok(()) => {
                    let ticks = self
                        .picture
                        .timestamp()
                        .ok_or(Fault::Ffmpeg("tell a picture's time", ffmpeg::Error::InvalidData))?;
                    self.place = Some(ticks as f64 * self.s_per_tick * self.fps);
                    return Ok(self.place);
                }
                Err(ffmpeg::Error::Eof) => return Ok(None),
                Err(ffmpeg::Error::Other { errno: EAGAIN }) => self.send_packet()?,
                Err(error) => return Err(Fault::Ffmpeg("decode the video", error)),
            }
        }
    }

    /// Hands the decoder the next packet of the stream, or the end.
    fn send_packet(&mut self) -> Result<()> {
        loop {
            let mut packet = codec::packet::Packet::empty();
            let sent = match packet.read(&mut self.input) {
                Ok(()) if packet.stream() != self.stream_index => continue,
                Ok(()) => {
                    self.read_dts = packet.dts().or(self.read_dts);
                    self.landed_dts = self.landed_dts.or(self.read_dts);
                    self.decoder.send_packet(&packet)
                }
                Err(ffmpeg::Error::Eof) => self.decoder.send_eof(),
                Err(error) => return Err(Fault::Ffmpeg("read the video", error)),
            };
            return sent.map_err(|error| Fault::Ffmpeg("decode the video", error));
        }
    }

    fn is_at(&self, target: f64) -> bool {
        // Half a tick more, as the container rounds times to ticks.
        let tolerance = (TOLERANCE_S + self.s_per_tick / 2.0) * self.fps;
        self.place.is_some_and(|place| (place - target).abs() <= tolerance)
    }

    fn ticks(&self, place: f64) -> i64 {
        (place / (self.fps * self.s_per_tick)).round() as i64
    }

    /// From the container's index, without reading the file.
    #[allow(unsafe_code)]
    fn key_frame_dts_before(&mut self, ticks: i64) -> Option<i64> {
        // SAFETY: the context is alive and has a stream of this index; the entry is read before anything else can
        // touch the index.
        unsafe {
            let stream = *(*self.input.as_mut_ptr()).streams.add(self.stream_index);
            let entry = avformat_index_get_entry_from_timestamp(stream, ticks, AVSEEK_FLAG_BACKWARD);
            entry.as_ref().map(|entry| entry.timestamp)
        }
    }
}

/// The path as FFmpeg wants it: without the scheme, `a:b.mp4` would be a protocol named a.
pub(crate) fn url(path: &Path) -> Result<PathBuf> {
    match path.to_str() {
        Some(path) => Ok(format!("file:{path}").into()),
        None => Err(Fault::Ffmpeg("open a path that is not UTF-8", ffmpeg::Error::InvalidData)),
    }
}

/// Lets FFmpeg's errors carry their texts, and keeps it from writing to stderr.
pub(crate) fn prepare_ffmpeg() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        error::register_all();
        log::set_level(log::Level::Fatal);
    });
}
