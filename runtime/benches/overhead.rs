//! What the runtime adds to the graphs: three 640×480 JPEGs from the wire to a published chunk, without the graphs'
//! own time. Shapes are SmolVLA's of 450 M parameters; the graphs themselves compute next to nothing.
//!
//!     cargo bench --package sinew-runtime --bench overhead
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

#[expect(dead_code, reason = "a bundle, a robot's posture and nothing else of the tests' kit")]
#[path = "../tests/live/kit.rs"]
mod kit;
mod pictures;
#[expect(dead_code, reason = "a bundle, a robot's posture and nothing else of the tests' kit")]
#[path = "../tests/live/robot.rs"]
mod robot;

use sinew_models::contract::Bundle;
use sinew_models::flow::Conditioning;
use sinew_proto::msg::builtin_interfaces::Time;
use sinew_proto::msg::sensor_msgs::{CompressedImage, JointState};
use sinew_proto::msg::std_msgs::Header;
use sinew_proto::{Message, Stamp};
use sinew_runtime::clock;
use sinew_runtime::command::Chunk;
use sinew_runtime::config::{Config, PictureMessage};
use sinew_runtime::ingest::{Frame, FramePreparer, FrameStreams, Prepared};
use sinew_runtime::net;
use sinew_runtime::plan::Plan;
use sinew_runtime::policy::{Inferred, Policy, fill_gaussian};
use sinew_runtime::publish::Publisher;
use sinew_runtime::ros::Ros;
use sinew_runtime::telemetry::Histogram;
use sinew_sync::{Limits, Sample, Stream};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;
use zenoh::Wait;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: u64 = 200;
const WARM_UP: u64 = 20;
const TARGET_MS: f64 = 15.0;
const STAGES: [&str; 7] =
    ["decode and resize", "joint states", "observe", "around the graphs", "messages", "publish", "all of it"];

/// JPEG messages of all cameras, and joint-state messages of all groups, taken at one time.
struct Wire {
    cameras: Vec<Vec<u8>>,
    groups: Vec<Vec<u8>>,
}

fn main() {
    let folder = kit::full_size_bundle();
    let mut config = Config::built_in().unwrap();
    config.policy.onnxruntime = kit::onnxruntime().to_str().unwrap().to_owned();
    config.zenoh.listen = vec!["tcp/127.0.0.1:0".to_owned()];
    let plan = Plan::new(Bundle::open(folder.path()).unwrap(), &config).unwrap();
    let mut policy = Policy::load(&plan.bundle, &config.policy).unwrap();
    policy.set_instruction("open the drawer").unwrap();
    let ros = Ros::open(&config.zenoh).unwrap();
    let publisher = Publisher::declare(&ros, "", &plan.commands).unwrap();
    config.zenoh.connect = net::locators(ros.session());
    let onlooker = net::open(&config.zenoh).unwrap();
    let _subscribers =
        publisher.topics().map(|key| onlooker.declare_subscriber(key).callback(drop).wait().unwrap());
    let _subscribers: Vec<_> = _subscribers.collect();

    let size = plan.bundle.manifest.model.vision.image_size;
    let mut preparers: Vec<FramePreparer> =
        plan.cameras.iter().map(|_| FramePreparer::new(size).unwrap()).collect();
    let pictures = pictures::jpegs().to_vec();
    // The same pictures again and again.
    let limits = Limits { max_equal_pictures: 0, ..config.sync.limits() };
    let mut streams = FrameStreams {
        cameras: plan.cameras.iter().map(|_| Stream::new(4, limits)).collect(),
        groups: plan.embodiment.groups.iter().map(|_| Stream::new(16, limits)).collect(),
    };
    let mut noise = vec![0.0; policy.noise_len()];
    let mut times: Vec<Histogram> = STAGES.map(|_| Histogram::default()).to_vec();
    let mut used = None;
    for round in 0..ROUNDS + WARM_UP {
        let taken_at = clock::now();
        let wire = wire(&pictures, taken_at);
        let mut marks = vec![Instant::now()];
        take_frames(&wire, &mut preparers, &mut streams);
        marks.push(Instant::now());
        for (input, message) in plan.feedback.iter().zip(&wire.groups) {
            let (captured_at, value) = input.reader.read(message).unwrap();
            let sample = Sample { captured_at, received_at: taken_at, value };
            streams.groups[input.group].admit(sample, None).unwrap();
        }
        marks.push(Instant::now());
        let observation = plan.synchronizer.observe(&streams, used, clock::now()).unwrap();
        used = Some(observation.captured_at);
        marks.push(Instant::now());
        fill_gaussian(0, round, &mut noise);
        let frames = observation.frames.iter().map(|frame| frame.pixels.as_slice());
        let Inferred { actions: values, times: inference, .. } =
            policy.infer(frames, &observation.state, &noise, &Conditioning::Free).unwrap();
        let graphs = inference.vision + inference.prefix + inference.denoise;
        marks.push(Instant::now());
        let captured_at = observation.captured_at;
        let chunk = Chunk { sequence: round, instruction: "open the drawer".to_owned(), captured_at, values };
        let messages = plan.commands.messages(&chunk, clock::now()).unwrap();
        marks.push(Instant::now());
        publisher.publish(&messages).unwrap();
        marks.push(Instant::now());
        if round < WARM_UP {
            continue;
        }
        for (stage, pair) in marks.windows(2).enumerate() {
            let graphs = if stage == 3 { graphs } else { std::time::Duration::ZERO };
            times[stage].record((pair[1] - pair[0] - graphs).as_nanos() as i64);
        }
        times[6].record((marks[6] - marks[0] - graphs).as_nanos() as i64);
    }
    println!("three 640x480 JPEGs to a published chunk, without the graphs; {ROUNDS} rounds, milliseconds");
    println!("{:<20}{:>10}{:>10}", "", "p50", "p99");
    for (stage, times) in STAGES.iter().zip(&times) {
        let times = times.percentiles();
        println!("{stage:<20}{:>10.2}{:>10.2}", times.p50_ms, times.p99_ms);
    }
    println!("target for all of it: {TARGET_MS} ms at the median");
}

/// As the runtime does it: each camera on a thread of its own.
fn take_frames(wire: &Wire, preparers: &mut [FramePreparer], streams: &mut FrameStreams) {
    std::thread::scope(|scope| {
        let cameras = preparers.iter_mut().zip(&wire.cameras).zip(&mut streams.cameras);
        for ((preparer, message), stream) in cameras {
            scope.spawn(move || {
                let mut pixels = Vec::new();
                let prepared = preparer.prepare(PictureMessage::CompressedImage, message, &mut pixels);
                let Prepared { captured_at, fingerprint, .. } = prepared.unwrap();
                let value = Arc::new(Frame { pixels, prepare_ns: 0 });
                let sample = Sample { captured_at, received_at: captured_at, value };
                stream.admit(sample, Some(fingerprint)).unwrap();
            });
        }
    });
}

fn wire(pictures: &[Vec<u8>], taken_at: Stamp) -> Wire {
    let header = || Header { stamp: Time::try_from(taken_at).unwrap(), frame_id: "robot".to_owned() };
    let camera = |jpeg: &Vec<u8>| {
        let format = "rgb8; jpeg compressed bgr8".to_owned();
        CompressedImage { header: header(), format, data: Cow::Borrowed(jpeg) }.to_cdr()
    };
    let group = |(name, _, position): &(&str, &str, &[f64])| {
        let velocity = vec![0.0; position.len()];
        let (name, position) = (robot::joint_names(name), position.to_vec());
        JointState { header: header(), name, position, velocity, effort: Vec::new() }.to_cdr()
    };
    Wire {
        cameras: pictures.iter().map(camera).collect(),
        groups: robot::POSTURE.iter().map(group).collect(),
    }
}
