//! What cameras send, as RGB.

use sinew_proto::Message;
use sinew_proto::msg::builtin_interfaces::Time;
use sinew_proto::msg::sensor_msgs::{CompressedImage, Image};
use sinew_proto::msg::std_msgs::Header;
use sinew_runtime::config::PictureMessage;
use sinew_runtime::ingest::{FramePreparer, Prepared};
use sinew_sync::{Encoding, Picture, PictureDecoder};
use std::borrow::Cow;
use std::path::Path;
use turbojpeg::{PixelFormat, Subsamp};

const WIDTH: usize = 32;
const HEIGHT: usize = 16;

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/pictures").join(name))
        .unwrap()
}

fn raw(encoding: Encoding, step: usize, data: &[u8]) -> Picture<'_> {
    Picture::Raw { encoding, size: [WIDTH, HEIGHT], step, data }
}

fn decode(picture: Picture<'_>) -> Result<Vec<u8>, String> {
    let mut decoder = PictureDecoder::new().unwrap();
    decoder.decode(picture).map_err(|error| error.to_string())?;
    Ok(decoder.rgb().to_vec())
}

/// A gradient in every channel, no two channels alike.
fn rgb() -> Vec<u8> {
    let pixel = |at: usize| [(at % WIDTH * 7) as u8, (at / WIDTH * 15) as u8, 200 - (at % WIDTH * 5) as u8];
    (0..WIDTH * HEIGHT).flat_map(pixel).collect()
}

fn bgr() -> Vec<u8> {
    rgb().as_chunks::<3>().0.iter().flat_map(|[red, green, blue]| [*blue, *green, *red]).collect()
}

fn jpeg() -> Vec<u8> {
    let pixels = rgb();
    let image = turbojpeg::Image {
        pixels: &pixels[..],
        width: WIDTH,
        pitch: 3 * WIDTH,
        height: HEIGHT,
        format: PixelFormat::RGB,
    };
    turbojpeg::compress(image, 100, Subsamp::None).unwrap().to_vec()
}

#[test]
fn yuyv_is_what_opencv_makes_of_it() {
    let found = decode(raw(Encoding::Yuyv, 2 * WIDTH, &fixture("noise_32x16.yuyv"))).unwrap();
    let expected = fixture("noise_32x16.rgb");
    assert_eq!(found.len(), expected.len());
    let most = found.iter().zip(&expected).map(|(found, expected)| found.abs_diff(*expected)).max();
    assert!(most <= Some(1), "{most:?}");
}

#[test]
fn rows_may_be_padded_and_blue_may_come_first() {
    assert_eq!(decode(raw(Encoding::Rgb8, 3 * WIDTH, &rgb())).unwrap(), rgb());
    assert_eq!(decode(raw(Encoding::Bgr8, 3 * WIDTH, &bgr())).unwrap(), rgb());
    let padded: Vec<u8> = bgr().chunks(3 * WIDTH).flat_map(|row| [row, &[99; 8]].concat()).collect();
    assert_eq!(decode(raw(Encoding::Bgr8, 3 * WIDTH + 8, &padded)).unwrap(), rgb());
    // The last row's padding may be missing.
    let cut = &padded[..padded.len() - 8];
    assert_eq!(decode(raw(Encoding::Bgr8, 3 * WIDTH + 8, cut)).unwrap(), rgb());
    // And there may be something behind it.
    let longer = [&padded, &[99; 5][..]].concat();
    assert_eq!(decode(raw(Encoding::Bgr8, 3 * WIDTH + 8, &longer)).unwrap(), rgb());
}

#[test]
fn what_does_not_fit_is_refused_with_the_numbers() {
    let pixels = rgb();
    let refusal = |picture| decode(picture).unwrap_err();
    assert_eq!(
        refusal(raw(Encoding::Rgb8, 3 * WIDTH - 1, &pixels)),
        "step: expected at least 96 bytes, found 95"
    );
    assert_eq!(
        refusal(raw(Encoding::Rgb8, 3 * WIDTH, &pixels[1..])),
        "data: expected at least 1536 bytes, found 1535"
    );
    for size in [[0, HEIGHT], [WIDTH, 0], [1 << 20, 1 << 20]] {
        let picture = Picture::Raw { encoding: Encoding::Rgb8, size, step: usize::MAX, data: &pixels };
        assert!(refusal(picture).contains("pixels an edge"));
    }
    let odd = Picture::Raw { encoding: Encoding::Yuyv, size: [3, 2], step: 6, data: &[0; 12] };
    assert!(refusal(odd).contains("even"));
    assert!(refusal(Picture::Jpeg(b"\x89PNG")).contains("found [89, 50]"));
    assert!(refusal(Picture::Jpeg(b"")).contains("found nothing"));
}

fn header() -> Header {
    Header { stamp: Time { sec: 12, nanosec: 5 }, frame_id: String::new() }
}

fn image(encoding: &str, data: Vec<u8>) -> Vec<u8> {
    Image {
        header: header(),
        height: HEIGHT as u32,
        width: WIDTH as u32,
        encoding: encoding.to_owned(),
        is_bigendian: 0,
        step: 3 * WIDTH as u32,
        data: Cow::Owned(data),
    }
    .to_cdr()
}

fn prepare(kind: PictureMessage, message: &[u8]) -> Result<(Prepared, Vec<f32>), String> {
    let mut pixels = Vec::new();
    let prepared = FramePreparer::new(16).unwrap().prepare(kind, message, &mut pixels);
    prepared.map(|prepared| (prepared, pixels)).map_err(|error| error.to_string())
}

/// Whatever the format's words say of the pixels before compression: a JPEG's colours are its own.
#[test]
fn a_picture_gives_the_same_pixels_by_every_road() {
    let (from_rgb, expected) = prepare(PictureMessage::Image, &image("rgb8", rgb())).unwrap();
    assert_eq!((from_rgb.size, from_rgb.captured_at.ns()), ([WIDTH, HEIGHT], 12_000_000_005));
    let (from_bgr, found) = prepare(PictureMessage::Image, &image("bgr8", bgr())).unwrap();
    assert_eq!((from_bgr, found), (from_rgb, expected.clone()));
    for format in ["rgb8; jpeg compressed bgr8", "bgr8; jpeg compressed bgr8", "jpeg", ""] {
        let message = CompressedImage { header: header(), format: format.to_owned(), data: jpeg().into() };
        let (_, found) = prepare(PictureMessage::CompressedImage, &message.to_cdr()).unwrap();
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() < 0.03, "{format}: {found} is not {expected}");
        }
    }
}

#[test]
fn the_fingerprint_is_of_what_is_seen() {
    let fingerprint = |message: &[u8]| prepare(PictureMessage::Image, message).unwrap().0.fingerprint;
    let mut other = rgb();
    other[700] ^= 1;
    assert_eq!(fingerprint(&image("rgb8", rgb())), fingerprint(&image("bgr8", bgr())));
    assert_ne!(fingerprint(&image("rgb8", rgb())), fingerprint(&image("rgb8", other)));
    // A JPEG that carries its own time among its bytes shows the same all the same.
    let with_comment = |comment: &[u8]| {
        let file = jpeg();
        let data = [&file[..2], &[0xff, 0xfe, 0, 2 + comment.len() as u8], comment, &file[2..]].concat();
        let message = CompressedImage { header: header(), format: "jpeg".to_owned(), data: data.into() };
        prepare(PictureMessage::CompressedImage, &message.to_cdr()).unwrap().0.fingerprint
    };
    assert_eq!(with_comment(b"12:00:00.1"), with_comment(b"12:00:00.2"));
}

#[test]
fn other_encodings_are_refused_by_name() {
    let refusal = prepare(PictureMessage::Image, &image("16UC1", rgb())).unwrap_err();
    assert_eq!(refusal, "encoding: expected `rgb8`, `bgr8` or `yuv422_yuy2`, found `16UC1`");
}
