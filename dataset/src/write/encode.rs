//! RGB pictures to an mp4 file, one after the other.

use std::path::Path;

use ffmpeg_next as ffmpeg;
use ffmpeg_next::codec::{self, encoder};
use ffmpeg_next::format::{self, Pixel, context::Output};
use ffmpeg_next::software::scaling;
use ffmpeg_next::util::error::EAGAIN;
use ffmpeg_next::util::frame::Video as Picture;
use ffmpeg_next::{Dictionary, Packet, Rational};

use crate::error::{Error, Result};
use crate::video::{Fault, prepare_ffmpeg, url};

/// LeRobot's `g`: every second picture is a key frame, so that any is decoded fast.
const KEY_FRAME_INTERVAL: &str = "2";
/// LeRobot's `crf`.
const QUALITY: &str = "30";

/// How pictures are compressed. Both are yuv420p with LeRobot's settings: a key frame every second picture, crf 30.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum VideoCodec {
    /// AV1 by SVT-AV1, preset 12: LeRobot's default.
    #[default]
    Av1,
    /// H.264 by x264.
    H264,
}

impl VideoCodec {
    /// FFmpeg's name of the codec, as it stands in `info.json`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Av1 => "av1",
            Self::H264 => "h264",
        }
    }

    /// The smallest side of a picture that the encoder takes, in pixels.
    pub(crate) fn least_side(self) -> usize {
        match self {
            Self::Av1 => 64,
            Self::H264 => 2,
        }
    }

    fn encoder_name(self) -> &'static str {
        match self {
            Self::Av1 => "libsvtav1",
            Self::H264 => "libx264",
        }
    }

    fn options(self) -> Dictionary<'static> {
        let mut options = Dictionary::new();
        options.set("g", KEY_FRAME_INTERVAL);
        options.set("crf", QUALITY);
        match self {
            Self::Av1 => {
                options.set("preset", "12");
                // FFmpeg before 6 leaves SVT-AV1's default, key frames that the container does not show as such.
                options.set("svtav1-params", "irefresh-type=2");
            }
            // Without them packets are in the order of their pictures, and files can be cut and joined anywhere.
            Self::H264 => options.set("bf", "0"),
        }
        options
    }

    /// Fails if FFmpeg was built without the encoder.
    pub(crate) fn find_encoder(self) -> Result<ffmpeg::Codec> {
        prepare_ffmpeg();
        encoder::find_by_name(self.encoder_name())
            .ok_or(Error::NoEncoder { codec: self.name(), encoder: self.encoder_name() })
    }
}

/// A video being written, on the caller's thread.
pub(crate) struct Encoder {
    output: Output,
    encoder: encoder::video::Encoder,
    to_yuv: scaling::Context,
    rgb: Picture,
    picture_time: Rational,
    picture_count: i64,
}

impl Encoder {
    /// Begins a file of pictures of one size.
    pub(crate) fn create(
        path: &Path,
        codec: ffmpeg::Codec,
        options: VideoCodec,
        fps: u32,
        (width, height): (u32, u32),
    ) -> std::result::Result<Self, Fault> {
        let fault = |action| move |source| Fault::Ffmpeg(action, source);
        let picture_time = Rational(1, fps as i32);
        let mut output = format::output_as(&url(path)?, "mp4").map_err(fault("create the video"))?;
        let mut context =
            codec::Context::new_with_codec(codec).encoder().video().map_err(fault("set up the encoder"))?;
        context.set_width(width);
        context.set_height(height);
        context.set_format(Pixel::YUV420P);
        context.set_time_base(picture_time);
        context.set_frame_rate(Some(picture_time.invert()));
        context.set_flags(codec::Flags::GLOBAL_HEADER);
        let encoder = context.open_with(options.options()).map_err(fault("open the encoder"))?;
        let mut stream = output.add_stream(codec).map_err(fault("add a stream"))?;
        stream.set_parameters(&encoder);
        stream.set_time_base(picture_time);
        stream.set_avg_frame_rate(picture_time.invert());
        output.write_header().map_err(fault("write the video's header"))?;
        let to_yuv = scaling::Context::get(
            Pixel::RGB24,
            width,
            height,
            Pixel::YUV420P,
            width,
            height,
            scaling::Flags::BILINEAR,
        )
        .map_err(fault("convert pictures to YUV"))?;
        let rgb = Picture::new(Pixel::RGB24, width, height);
        Ok(Self { output, encoder, to_yuv, rgb, picture_time, picture_count: 0 })
    }

    /// Adds a picture, shape `[height, width, 3]`, which must have the size the file was created for.
    pub(crate) fn push(&mut self, rgb: &[u8]) -> std::result::Result<(), Fault> {
        let (stride, row_bytes) = (self.rgb.stride(0), self.rgb.width() as usize * 3);
        for (row, source) in self.rgb.data_mut(0).chunks_mut(stride).zip(rgb.chunks_exact(row_bytes)) {
            row[..row_bytes].copy_from_slice(source);
        }
        // A new one each time: the encoder keeps those it looks ahead at.
        let mut picture = Picture::empty();
        self.to_yuv
            .run(&self.rgb, &mut picture)
            .map_err(|source| Fault::Ffmpeg("convert a picture to YUV", source))?;
        picture.set_pts(Some(self.picture_count));
        self.picture_count += 1;
        self.encoder.send_frame(&picture).map_err(|source| Fault::Ffmpeg("encode a picture", source))?;
        self.write_packets()
    }

    /// Writes what is left. The file is complete, but not yet safe from a loss of power.
    pub(crate) fn finish(mut self) -> std::result::Result<(), Fault> {
        self.encoder.send_eof().map_err(|source| Fault::Ffmpeg("encode the last pictures", source))?;
        self.write_packets()?;
        end(&mut self.output)
    }

    fn write_packets(&mut self) -> std::result::Result<(), Fault> {
        let mut packet = Packet::empty();
        loop {
            match self.encoder.receive_packet(&mut packet) {
                Ok(()) => write_packet(&mut self.output, &mut packet, self.picture_time)?,
                Err(ffmpeg::Error::Eof | ffmpeg::Error::Other { errno: EAGAIN }) => return Ok(()),
                Err(source) => return Err(Fault::Ffmpeg("encode a picture", source)),
            }
        }
    }
}

/// Writes a packet whose times count pictures.
pub(super) fn write_packet(
    output: &mut Output,
    packet: &mut Packet,
    picture_time: Rational,
) -> std::result::Result<(), Fault> {
    let time_base = output
        .stream(0)
        .map(|stream| stream.time_base())
        .ok_or(Fault::Ffmpeg("find the stream", ffmpeg::Error::StreamNotFound))?;
    packet.set_stream(0);
    packet.set_duration(1);
    packet.rescale_ts(picture_time, time_base);
    packet.set_position(-1);
    packet.write_interleaved(output).map_err(|source| Fault::Ffmpeg("write the video", source))
}

/// Ends the file, and tells of any write that failed since the last complaint.
#[allow(unsafe_code)]
pub(super) fn end(output: &mut Output) -> std::result::Result<(), Fault> {
    output.write_trailer().map_err(|source| Fault::Ffmpeg("write the video's trailer", source))?;
    // SAFETY: the context is alive, and a muxer that writes to a file has an I/O context until it is dropped.
    let code = unsafe {
        let io = (*output.as_mut_ptr()).pb;
        ffmpeg::ffi::avio_flush(io);
        (*io).error
    };
    if code < 0 { Err(Fault::Ffmpeg("write the video", ffmpeg::Error::from(code))) } else { Ok(()) }
}
