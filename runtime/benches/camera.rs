//! One camera's way: from the message to the vision graph's input, on one thread; and what shared memory saves on the way to us.
//!
//!     cargo bench --package sinew-runtime --bench camera
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod pictures;

use sinew_proto::Message;
use sinew_proto::msg::builtin_interfaces::Time;
use sinew_proto::msg::sensor_msgs::{CompressedImage, Image};
use sinew_proto::msg::std_msgs::Header;
use sinew_runtime::clock;
use sinew_runtime::config::{Config, PictureMessage};
use sinew_runtime::ingest::FramePreparer;
use sinew_runtime::net;
use sinew_runtime::telemetry::Histogram;
use sinew_sync::{Picture, PictureDecoder};
use std::borrow::Cow;
use std::sync::mpsc::sync_channel;
use std::time::Instant;
use zenoh::Wait;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 300;
const WARM_UP: usize = 20;
/// SmolVLA's input.
const SIZE: usize = 512;
const TARGET_MS: f64 = 4.0;

fn main() {
    let jpegs = pictures::jpegs();
    let header = || Header { stamp: Time::try_from(clock::now()).unwrap(), frame_id: "robot".to_owned() };
    let compressed = jpegs.each_ref().map(|jpeg| {
        let format = "rgb8; jpeg compressed bgr8".to_owned();
        CompressedImage { header: header(), format, data: Cow::Borrowed(jpeg) }.to_cdr()
    });
    let raw = jpegs.each_ref().map(|jpeg| {
        let mut decoder = PictureDecoder::new().unwrap();
        let [width, height] = decoder.decode(Picture::Jpeg(jpeg)).unwrap();
        let (width, height, encoding) = (width as u32, height as u32, "bgr8".to_owned());
        let data = Cow::Borrowed(decoder.rgb());
        Image { header: header(), height, width, encoding, is_bigendian: 0, step: 3 * width, data }.to_cdr()
    });
    println!("a 640x480 message to a {SIZE}x{SIZE} tensor; {ROUNDS} rounds, milliseconds");
    println!("{:<34}{:>10}{:>10}", "", "p50", "p99");
    print("JPEG", &to_tensor(PictureMessage::CompressedImage, &compressed));
    print("raw, blue first", &to_tensor(PictureMessage::Image, &raw));
    print("JPEG to us by shared memory", &to_us(true, &compressed[0]));
    print("JPEG to us by TCP", &to_us(false, &compressed[0]));
    print("raw to us by shared memory", &to_us(true, &raw[0]));
    print("raw to us by TCP", &to_us(false, &raw[0]));
    println!("target for a JPEG to a tensor: {TARGET_MS} ms at the median");
}

fn print(what: &str, times: &Histogram) {
    let times = times.percentiles();
    println!("{what:<34}{:>10.3}{:>10.3}", times.p50_ms, times.p99_ms);
}

fn to_tensor(kind: PictureMessage, messages: &[Vec<u8>]) -> Histogram {
    let mut preparer = FramePreparer::new(SIZE).unwrap();
    let (mut pixels, mut times) = (Vec::new(), Histogram::default());
    for (round, message) in messages.iter().cycle().take(ROUNDS + WARM_UP).enumerate() {
        let start = Instant::now();
        preparer.prepare(kind, message, &mut pixels).unwrap();
        if round >= WARM_UP {
            times.record(start.elapsed().as_nanos() as i64);
        }
    }
    times
}

/// From one session to another, over the loopback, until every byte has been looked at.
fn to_us(shared_memory: bool, message: &[u8]) -> Histogram {
    let mut config = Config::built_in().unwrap().zenoh;
    config.shared_memory = shared_memory;
    config.listen = vec!["tcp/127.0.0.1:0".to_owned()];
    let receiver = net::open(&config).unwrap();
    let (sender, arrivals) = sync_channel(1);
    let look = move |sample: zenoh::sample::Sample| {
        let sum = sample.payload().to_bytes().iter().fold(0_u64, |sum, byte| sum + u64::from(*byte));
        sender.send((sum, sample.payload().as_shm().is_some())).unwrap();
    };
    let _subscriber = receiver.declare_subscriber("camera").callback(look).wait().unwrap();
    config.connect = net::locators(&receiver);
    config.listen.clear();
    let sending = net::open(&config).unwrap();
    let publisher = sending.declare_publisher("camera").wait().unwrap();
    while !publisher.matching_status().wait().unwrap().matching() {
        std::thread::yield_now();
    }
    let (mut times, mut shared_count) = (Histogram::default(), 0);
    for round in 0..ROUNDS + WARM_UP {
        let start = Instant::now();
        publisher.put(message).wait().unwrap();
        let (_, is_shared) = arrivals.recv().unwrap();
        if round >= WARM_UP {
            shared_count += usize::from(is_shared);
            times.record(start.elapsed().as_nanos() as i64);
        }
    }
    // Both ends set shared memory up while the first messages go by the network.
    println!("({shared_count} of {ROUNDS} came through shared memory)");
    times
}
