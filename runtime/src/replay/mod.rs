//! `sinew-runtime replay`: a recorded episode as a robot's live topics, at its own rate.

mod feedback;
mod recording;

pub use feedback::{GroupFeedback, groups};

use crate::clock;
use crate::config::ZenohConfig;
use crate::error::Error;
use crate::net;
use crate::ros::{Ros, TopicPublisher};
use crate::stop::Stop;
use crate::thread::Thread;
use recording::{Recording, Row, RowEncoder};
use serde::Serialize;
use sinew_proto::key::Key;
use sinew_proto::msg::builtin_interfaces::Time;
use sinew_proto::msg::sensor_msgs::CompressedImage;
use sinew_proto::msg::std_msgs::Header;
use sinew_proto::{Message, Stamp};
use std::borrow::Cow;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};
use zenoh::Wait;
use zenoh::qos::Priority;

/// Rows that are decoded ahead.
const ROWS_AHEAD: usize = 8;
/// How long to wait before looking for a subscriber again.
const POLL: Duration = Duration::from_millis(20);

/// What to play and how.
#[derive(Clone, Debug)]
pub struct ReplayOptions {
    /// The dataset's folder.
    pub dataset: PathBuf,
    /// The episode's number; none: the first.
    pub episode: Option<u64>,
    /// The robot: its name, or the file of its description.
    pub robot: String,
    /// Times the recorded rate.
    pub speed: f64,
    /// Start again at the end.
    pub repeats: bool,
    /// Begin when somebody listens to every camera.
    pub waits_for_subscriber: bool,
    /// 1 to 100.
    pub jpeg_quality: i32,
}

/// What happens while playing.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum ReplayEvent {
    /// Publications are declared.
    Ready {
        /// The episode.
        episode_index: u64,
        /// Its rows.
        row_count: usize,
        /// Rows a second.
        rate_hz: f64,
        /// Its task.
        task: Option<String>,
        /// Keys that are published on.
        outputs: Vec<String>,
        /// Where others can reach the session.
        locators: Vec<String>,
    },
    /// It is over.
    Summary(ReplaySummary),
}

/// How it went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct ReplaySummary {
    /// Rows published.
    pub row_count: u64,
    /// Rows published more than one period after their time.
    pub late_row_count: u64,
    /// The latest of them.
    pub max_late_ms: f64,
}

/// Plays an episode until its end or the stop.
///
/// # Errors
/// If the episode cannot be read, says nothing to the robot, or the network refuses.
pub fn replay(
    options: &ReplayOptions,
    network: &ZenohConfig,
    stop: &Stop,
    mut report: impl FnMut(&ReplayEvent) -> io::Result<()>,
) -> Result<ReplaySummary, Error> {
    check(options)?;
    let recording = Recording::open(options)?;
    let ros = Ros::open(network)?;
    let outputs = Outputs::declare(&ros, &network.namespace, &recording)?;
    let rate_hz = recording.rate_hz * options.speed;
    report(&ReplayEvent::Ready {
        episode_index: recording.episode.episode_index(),
        row_count: recording.episode.row_count(),
        rate_hz,
        task: recording.episode.task(0).map(str::to_owned),
        outputs: outputs.keys(),
        locators: net::locators(ros.session()),
    })
    .map_err(Error::Report)?;
    if options.waits_for_subscriber {
        outputs.wait_for_subscribers(stop)?;
    }
    let encoder = RowEncoder::new(&recording, options)?;
    let (sender, rows) = sync_channel(ROWS_AHEAD);
    let encoder_stop = stop.clone();
    let thread = Thread::spawn("replay-decode", move || encoder.run(&sender, &encoder_stop))?;
    let played = outputs.play(rows, &recording.groups, Duration::from_secs_f64(1.0 / rate_hz), stop);
    thread.join()?;
    let summary = played?;
    ros.session().close().wait().map_err(Error::zenoh("closing"))?;
    report(&ReplayEvent::Summary(summary)).map_err(Error::Report)?;
    Ok(summary)
}

fn check(options: &ReplayOptions) -> Result<(), Error> {
    let wrong = |key: &str, found: String, expected: &str| {
        Err(Error::ConfigValue { key: key.to_owned(), found, expected: expected.to_owned() })
    };
    if !(0.001..=1000.0).contains(&options.speed) {
        return wrong("--speed", options.speed.to_string(), "0.001 to 1000");
    }
    if !(1..=100).contains(&options.jpeg_quality) {
        return wrong("--jpeg-quality", options.jpeg_quality.to_string(), "1 to 100");
    }
    Ok(())
}

/// Publishers, in the recording's order.
struct Outputs {
    cameras: Vec<TopicPublisher>,
    groups: Vec<TopicPublisher>,
}

impl Outputs {
    fn declare(ros: &Ros, namespace: &str, recording: &Recording) -> Result<Self, Error> {
        let declare = |topic: &str, message| {
            ros.publisher(Key::of_topic_in(namespace, topic)?.as_str(), message, Priority::Data)
        };
        let cameras = recording.cameras.iter();
        let cameras = cameras.map(|camera| declare(&camera.topic, CompressedImage::TYPE_NAME));
        let groups = recording.groups.iter().map(|group| declare(&group.topic, group.type_name()));
        Ok(Self {
            cameras: cameras.collect::<Result<_, Error>>()?,
            groups: groups.collect::<Result<_, Error>>()?,
        })
    }

    fn keys(&self) -> Vec<String> {
        self.cameras.iter().chain(&self.groups).map(|publisher| publisher.topic().to_owned()).collect()
    }

    fn wait_for_subscribers(&self, stop: &Stop) -> Result<(), Error> {
        for camera in &self.cameras {
            while !camera.is_heard()? {
                if !stop.sleep_until(Instant::now() + POLL) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Publishes rows at their times, the first at once.
    fn play(
        &self,
        rows: Receiver<Row>,
        groups: &[GroupFeedback],
        period: Duration,
        stop: &Stop,
    ) -> Result<ReplaySummary, Error> {
        let mut summary = ReplaySummary::default();
        let mut due: Option<Instant> = None;
        for row in rows {
            let time = due.unwrap_or_else(Instant::now);
            if !stop.sleep_until(time) {
                break;
            }
            let late = time.elapsed();
            self.publish(&row, groups, clock::now())?;
            summary.row_count += 1;
            summary.late_row_count += u64::from(late > period);
            summary.max_late_ms = summary.max_late_ms.max(late.as_secs_f64() * 1e3);
            due = Some(time + period);
        }
        Ok(summary)
    }

    fn publish(&self, row: &Row, groups: &[GroupFeedback], stamp: Stamp) -> Result<(), Error> {
        // Joints first: an observation is made when a frame arrives, and wants feedback from its time.
        for (publisher, group) in self.groups.iter().zip(groups) {
            publisher.put(group.message(&row.state, stamp)?)?;
        }
        for (publisher, jpeg) in self.cameras.iter().zip(&row.jpegs) {
            let header = Header { stamp: Time::try_from(stamp)?, frame_id: String::new() };
            let format = "rgb8; jpeg compressed bgr8".to_owned();
            publisher.put(CompressedImage { header, format, data: Cow::Borrowed(jpeg) }.to_cdr())?;
        }
        Ok(())
    }
}
