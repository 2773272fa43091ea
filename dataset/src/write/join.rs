//! Parts of mp4 files end to end in one, without re-encoding.

use std::path::{Path, PathBuf};

use ffmpeg_next as ffmpeg;
use ffmpeg_next::codec::{self, encoder};
use ffmpeg_next::format::{self, context::Input, context::Output};
use ffmpeg_next::{Packet, Rational, media};

use super::encode::{end, write_packet};
use crate::video::{Fault, prepare_ffmpeg, url};

const MICROSECONDS_PER_S: f64 = 1e6;

/// Pictures of a video file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) path: PathBuf,
    pub(crate) first_picture: u64,
    pub(crate) picture_count: u64,
}

/// Why parts cannot be joined as they are.
#[derive(Debug)]
pub(crate) enum Obstacle {
    /// FFmpeg failed.
    Fault(Fault),
    /// A part does not begin at a key frame, needs pictures outside it, or has none at times that are whole numbers of
    /// pictures: it has to be encoded anew.
    NotWhole,
    /// The parts were not encoded alike: they need a file each.
    Unlike,
}

impl From<Fault> for Obstacle {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

fn fault(action: &'static str) -> impl Fn(ffmpeg::Error) -> Obstacle {
    move |source| Obstacle::Fault(Fault::Ffmpeg(action, source))
}

/// Writes the parts to `path`. Their pictures are `fps` a second, and so are the file's, from time zero on.
pub(crate) fn join(parts: &[Part], path: &Path, fps: u32) -> Result<(), Obstacle> {
    prepare_ffmpeg();
    let mut output: Option<(Output, codec::Parameters)> = None;
    let mut offset = 0;
    for part in parts {
        let mut source = Source::open(part, fps)?;
        let (output, first) = match &mut output {
            Some(begun) => begun,
            None => output.insert((begin(path, &source, fps)?, source.parameters.clone())),
        };
        if !is_alike(first, &source.parameters) {
            return Err(Obstacle::Unlike);
        }
        source.copy(part, output, offset)?;
        offset += part.picture_count as i64;
    }
    match &mut output {
        Some((output, _)) => Ok(end(output)?),
        None => Err(Obstacle::NotWhole),
    }
}

#[allow(unsafe_code)]
fn begin(path: &Path, source: &Source, fps: u32) -> Result<Output, Obstacle> {
    let mut output = format::output_as(&url(path)?, "mp4").map_err(fault("create the video"))?;
    let mut stream = output.add_stream(encoder::find(codec::Id::None)).map_err(fault("add a stream"))?;
    stream.set_parameters(source.parameters.clone());
    // SAFETY: the stream's parameters are alive and its own; zero lets the muxer choose the tag that mp4 has.
    unsafe {
        (*stream.parameters().as_mut_ptr()).codec_tag = 0;
    }
    stream.set_time_base(Rational(1, fps as i32));
    stream.set_avg_frame_rate(Rational(fps as i32, 1));
    output.write_header().map_err(fault("write the video's header"))?;
    Ok(output)
}

/// A video file read packet by packet.
struct Source {
    input: Input,
    stream_index: usize,
    parameters: codec::Parameters,
    time_base: Rational,
    fps: u32,
}

impl Source {
    fn open(part: &Part, fps: u32) -> Result<Self, Obstacle> {
        let mut input = format::input(&url(&part.path)?).map_err(fault("open the video"))?;
        let stream = input
            .streams()
            .best(media::Type::Video)
            .ok_or(ffmpeg::Error::StreamNotFound)
            .map_err(fault("find a video stream"))?;
        let (stream_index, time_base) = (stream.index(), stream.time_base());
        let parameters = stream.parameters();
        if part.first_picture > 0 {
            let us = (part.first_picture as f64 / f64::from(fps) * MICROSECONDS_PER_S).round() as i64;
            input.seek(us, ..us + 1).map_err(fault("seek"))?;
        }
        Ok(Self { input, stream_index, parameters, time_base, fps })
    }

    /// The packets that hold just these pictures, if there are such.
    fn copy(&mut self, part: &Part, output: &mut Output, offset: i64) -> Result<(), Obstacle> {
        let first = part.first_picture as i64;
        let end = first + part.picture_count as i64;
        let mut copied_count = 0;
        while copied_count < part.picture_count {
            let mut packet = Packet::empty();
            match packet.read(&mut self.input) {
                Ok(()) => {}
                Err(ffmpeg::Error::Eof) => return Err(Obstacle::NotWhole),
                Err(source) => return Err(Obstacle::Fault(Fault::Ffmpeg("read the video", source))),
            }
            if packet.stream() != self.stream_index {
                continue;
            }
            let [shown, decoded] = [packet.pts(), packet.dts()].map(|time| self.pictures(time));
            let (shown, decoded) = (shown?, decoded?);
            if copied_count == 0 {
                if shown < first {
                    continue;
                }
                if shown > first || !packet.is_key() {
                    return Err(Obstacle::NotWhole);
                }
            }
            if !(first..end).contains(&shown) {
                return Err(Obstacle::NotWhole);
            }
            packet.set_pts(Some(shown - first + offset));
            packet.set_dts(Some(decoded - first + offset));
            write_packet(output, &mut packet, Rational(1, self.fps as i32))?;
            copied_count += 1;
        }
        Ok(())
    }

    /// A time as a number of pictures, which it must be exactly.
    fn pictures(&self, ticks: Option<i64>) -> Result<i64, Obstacle> {
        let Rational(numerator, denominator) = self.time_base;
        let scaled = ticks.ok_or(Obstacle::NotWhole)? * i64::from(numerator) * i64::from(self.fps);
        if scaled % i64::from(denominator) != 0 {
            return Err(Obstacle::NotWhole);
        }
        Ok(scaled / i64::from(denominator))
    }
}

/// Whether one decoder set-up serves both.
#[allow(unsafe_code)]
fn is_alike(a: &codec::Parameters, b: &codec::Parameters) -> bool {
    // SAFETY: both are alive, and `extradata` has `extradata_size` bytes unless it is null.
    unsafe {
        let [a, b] = [&*a.as_ptr(), &*b.as_ptr()];
        let extradata = |parameters: &ffmpeg::ffi::AVCodecParameters| {
            if parameters.extradata.is_null() {
                return Vec::new();
            }
            std::slice::from_raw_parts(parameters.extradata, parameters.extradata_size as usize).to_vec()
        };
        (a.codec_id, a.width, a.height, a.format) == (b.codec_id, b.width, b.height, b.format)
            && extradata(a) == extradata(b)
    }
}
