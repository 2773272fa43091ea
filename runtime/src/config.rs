//! What the user decides: a TOML file laid over the commented default, then flags.

mod camera;
mod diagnostics;
mod motion;

pub use camera::{CameraConfig, DeviceConfig, DeviceFormat, PictureMessage, TopicConfig};
pub use diagnostics::DiagnosticsConfig;
pub use motion::{EndPosture, ScheduleConfig, ScheduleMode, SetpointConfig, StartPosture};

use crate::clock::NS_PER_MS;
use crate::error::Error;
use crate::record::RecordConfig;
use crate::safety::SafetyConfig;
use serde::{Deserialize, Serialize};
use sinew_sync::{FeedbackConfig, Limits};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// Every key with its default and what it means.
pub const DEFAULT: &str = include_str!("../config/default.toml");

/// Longest that a chunk may be held back.
const MAX_EXTRA_LATENCY_MS: u64 = 10_000;
/// Longest time that `[sync]` may name: what is a minute off is another situation.
const MAX_MS: f64 = 60_000.0;

/// Tables whose keys are the user's own names.
const OPEN_TABLES: [&str; 2] = ["cameras", "safety.limits"];

/// How a zenoh session takes part in the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Talks to other peers directly.
    Peer,
    /// Talks through a router.
    Client,
    /// Is a router.
    Router,
}

/// How ROS topics are written in zenoh.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum KeyForm {
    /// As zenoh-bridge-ros2dds carries them.
    #[default]
    #[value(name = "ros2dds")]
    Ros2dds,
    /// As nodes with rmw_zenoh write them.
    #[value(name = "rmw_zenoh")]
    RmwZenoh,
}

/// `[zenoh]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ZenohConfig {
    /// Part in the network.
    pub mode: Mode,
    /// Endpoints to listen on.
    pub listen: Vec<String>,
    /// Endpoints to connect to.
    pub connect: Vec<String>,
    /// Multicast scouting.
    pub scouting: bool,
    /// In front of every key.
    pub namespace: String,
    /// How ROS topics are written.
    pub keys: KeyForm,
    /// The nodes' `ROS_DOMAIN_ID`; for rmw_zenoh's keys.
    pub domain: u32,
    /// Whether the nodes know type hashes; for rmw_zenoh's keys.
    pub type_hashes: bool,
    /// Large messages through shared memory, where the other end is on this machine.
    pub shared_memory: bool,
}

/// Where the graphs run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum ExecutionProvider {
    /// The processor.
    #[default]
    Cpu,
    /// An NVIDIA GPU.
    Cuda,
}

impl ExecutionProvider {
    /// As in the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
        }
    }
}

/// `[policy]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyConfig {
    /// What the robot is to do; empty: wait for it.
    pub instruction: String,
    /// Where the graphs run.
    pub execution_provider: ExecutionProvider,
    /// Which CUDA device.
    pub device_id: i32,
    /// Run on the CPU where the provider cannot be had.
    pub allow_cpu_fallback: bool,
    /// Threads of a graph on the CPU; 0: all cores.
    pub threads: usize,
    /// ONNX Runtime's library; empty: the environment says.
    pub onnxruntime: String,
    /// Seed of the flow's noise.
    pub seed: u64,
    /// Shortest time between two chunks.
    pub min_chunk_interval_ms: u64,
    /// How long to hold each chunk back: an aid for tests.
    pub extra_latency_ms: u64,
    /// File that describes the bundle's robot; empty: a built-in one.
    pub robot: String,
    /// The only bundle allowed; empty: any.
    pub bundle_id: String,
}

impl PolicyConfig {
    /// How long to hold each chunk back.
    #[must_use]
    pub fn extra_latency(&self) -> Duration {
        Duration::from_millis(self.extra_latency_ms)
    }

    fn validate(&self) -> Result<(), Error> {
        if self.extra_latency_ms <= MAX_EXTRA_LATENCY_MS {
            return Ok(());
        }
        Err(Error::ConfigValue {
            key: "policy.extra_latency_ms".to_owned(),
            found: self.extra_latency_ms.to_string(),
            expected: format!("0 to {MAX_EXTRA_LATENCY_MS}"),
        })
    }
}

/// `[sync]`
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyncConfig {
    /// Farthest a sample may be from the reference frame.
    pub max_skew_ms: f64,
    /// Oldest the reference frame may be.
    pub max_age_ms: f64,
    /// How long other streams may take to reach the reference frame's time.
    pub settle_ms: f64,
    /// Equal pictures in a row that a camera may send.
    pub max_equal_pictures: u32,
}

impl SyncConfig {
    /// In nanoseconds.
    #[must_use]
    pub fn limits(&self) -> Limits {
        let ns = |ms: f64| (ms * NS_PER_MS).round() as i64;
        let Self { max_skew_ms, max_age_ms, settle_ms, max_equal_pictures } = *self;
        let (max_skew_ns, max_age_ns) = (ns(max_skew_ms), ns(max_age_ms));
        Limits { max_skew_ns, max_age_ns, settle_ns: ns(settle_ms), max_equal_pictures }
    }
}

/// The whole configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The network.
    pub zenoh: ZenohConfig,
    /// The policy.
    pub policy: PolicyConfig,
    /// How well samples have to agree.
    pub sync: SyncConfig,
    /// How chunks follow each other.
    pub schedule: ScheduleConfig,
    /// What moves the robot.
    pub setpoints: SetpointConfig,
    /// What the joints report.
    pub feedback: FeedbackConfig,
    /// Limits on motion.
    pub safety: SafetyConfig,
    /// Episodes to disk.
    pub record: RecordConfig,
    /// How the run says how it is doing.
    pub diagnostics: DiagnosticsConfig,
    /// Where cameras' pictures come from, by the bundle's name.
    pub cameras: BTreeMap<String, CameraConfig>,
}

impl Config {
    /// What [`DEFAULT`] says.
    ///
    /// # Errors
    /// Never in a build whose tests passed.
    pub fn built_in() -> Result<Self, Error> {
        Self::parse("", "the built-in default")
    }

    /// Reads a file and lays it over the default.
    ///
    /// # Errors
    /// If it cannot be read, is no TOML, has a key nobody reads or a value that makes no sense.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(|source| Error::Io { path: path.into(), source })?;
        Self::parse(&text, &path.display().to_string())
    }

    /// Lays a TOML text over the default; `place` names it in errors.
    ///
    /// # Errors
    /// As [`Config::open`].
    pub fn parse(text: &str, place: &str) -> Result<Self, Error> {
        let syntax = |error: toml::de::Error| Error::ConfigSyntax {
            place: place.to_owned(),
            message: error.to_string().trim_end().to_owned(),
        };
        let mut merged: toml::Table = DEFAULT.parse().map_err(syntax)?;
        let given: toml::Table = text.parse().map_err(syntax)?;
        overlay(&mut merged, given, "", place)?;
        let config: Self = merged.try_into().map_err(syntax)?;
        config.validate()?;
        Ok(config)
    }

    /// Checks the values, after flags have been laid over them too.
    ///
    /// # Errors
    /// If one makes no sense.
    pub fn validate(&self) -> Result<(), Error> {
        self.safety.validate()?;
        self.policy.validate()?;
        self.cameras.iter().try_for_each(|(name, camera)| camera.validate(name))?;
        self.diagnostics.validate()?;
        let SyncConfig { max_skew_ms, max_age_ms, settle_ms, .. } = self.sync;
        for (key, ms) in [("max_skew_ms", max_skew_ms), ("max_age_ms", max_age_ms), ("settle_ms", settle_ms)]
        {
            if !(0.0..=MAX_MS).contains(&ms) {
                return Err(Error::ConfigValue {
                    key: format!("sync.{key}"),
                    found: ms.to_string(),
                    expected: format!("0 to {MAX_MS}"),
                });
            }
        }
        self.schedule.validate()?;
        self.record.validate()?;
        self.setpoints.validate()
    }

    /// As a configuration file.
    ///
    /// # Errors
    /// If it cannot be written as TOML.
    pub fn to_toml(&self) -> Result<String, Error> {
        toml::to_string(self).map_err(|error| Error::ConfigSyntax {
            place: "--print-config".to_owned(),
            message: error.to_string(),
        })
    }
}

/// Lays `given` over `base`, which has every key there is.
fn overlay(base: &mut toml::Table, given: toml::Table, parent: &str, place: &str) -> Result<(), Error> {
    for (key, value) in given {
        let path = if parent.is_empty() { key.clone() } else { format!("{parent}.{key}") };
        if OPEN_TABLES.contains(&parent) {
            base.insert(key, value);
            continue;
        }
        match (base.get_mut(&key), value) {
            (Some(toml::Value::Table(base)), toml::Value::Table(given)) => {
                overlay(base, given, &path, place)?
            }
            (Some(known), value) => *known = value,
            (None, _) => {
                let known: Vec<String> = known_keys(DEFAULT);
                let nearest = sinew_models::nearest_name(&path, known.iter().map(String::as_str));
                return Err(Error::UnknownKey { place: place.to_owned(), key: path, nearest });
            }
        }
    }
    Ok(())
}

/// Every key of a TOML text, with its tables.
fn known_keys(text: &str) -> Vec<String> {
    let table: toml::Table = text.parse().unwrap_or_default();
    let keys = |(name, value): (String, toml::Value)| match value {
        toml::Value::Table(table) => {
            let inner: Vec<String> = table.into_iter().map(|(key, _)| format!("{name}.{key}")).collect();
            std::iter::once(name).chain(inner).collect()
        }
        _ => vec![name],
    };
    table.into_iter().flat_map(keys).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each line that sets something has a comment right above it, and every field of the structs is there:
    /// `deny_unknown_fields` and the absence of serde defaults make both directions fail to parse.
    #[test]
    fn the_default_parses_and_explains_every_key() {
        let config = Config::built_in().unwrap();
        assert_eq!(config.zenoh.mode, Mode::Peer);
        assert_eq!(config.policy, PolicyConfig::default());
        assert!(!config.zenoh.scouting && !config.policy.allow_cpu_fallback);
        let lines: Vec<&str> = DEFAULT.lines().collect();
        for pair in lines.windows(2) {
            let sets_a_key = pair[1].contains(" = ") && !pair[1].starts_with('#');
            assert!(!sets_a_key || pair[0].starts_with('#'), "`{}` is not explained", pair[1]);
        }
        let examples: String = lines.iter().filter_map(|line| line.strip_prefix("# left_wrist")).collect();
        assert!(Config::parse(&format!("[cameras]\nleft_wrist{examples}"), "example").is_ok());
    }

    #[test]
    fn what_is_printed_is_read_back() {
        let text = "[zenoh]\nmode = \"client\"\n[cameras]\nhead = \"/head\"\n[policy]\nseed = 7\n";
        let config = Config::parse(text, "test").unwrap();
        assert_eq!((config.zenoh.mode, config.policy.seed), (Mode::Client, 7));
        assert_eq!(config.cameras["head"], CameraConfig::compressed("/head"));
        assert_eq!(Config::parse(&config.to_toml().unwrap(), "printed").unwrap(), config);
    }

    #[test]
    fn a_camera_is_a_topic_or_a_table() {
        let raw = "[cameras.head]\ntopic = \"/raw\"\nmessage = \"sensor_msgs/msg/Image\"\n";
        let config = Config::parse(raw, "test").unwrap();
        assert_eq!(config.cameras["head"].topic().unwrap().message, PictureMessage::Image);
        assert_eq!(Config::parse(&config.to_toml().unwrap(), "printed").unwrap(), config);
        let refusal = |text| Config::parse(text, "robot.toml").unwrap_err().to_string();
        let device = "device = \"/dev/video0\"\nwidth = 640\nheight = 480\nfps = 30\nformat = \"mjpeg\"\n";
        let config = Config::parse(&format!("[cameras.head]\n{device}"), "test").unwrap();
        let CameraConfig::Device(DeviceConfig { width: 640, format: DeviceFormat::Mjpeg, .. }) =
            config.cameras["head"]
        else {
            panic!("{:?}", config.cameras)
        };
        assert_eq!(Config::parse(&config.to_toml().unwrap(), "printed").unwrap(), config);
        assert!(refusal("[cameras.head]\ndevice = \"/dev/video0\"\n").contains("width"));
        let still = device.replace("30", "0");
        assert_eq!(
            Config::parse(&format!("[cameras.head]\n{still}"), "test").unwrap_err().to_string(),
            "`cameras.head.fps` is 0, expected at least 1"
        );
        assert!(refusal("[cameras.head]\ntopci = \"/x\"\n").contains("topci"));
        assert!(refusal("[cameras]\nhead = 3\n").contains("a topic's name, or a table"));
        assert!(refusal("[cameras]\nhead = { topic = \"/x\", message = \"Depth\" }\n").contains("Depth"));
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_nearest_one() {
        let refusal = |text| Config::parse(text, "robot.toml").unwrap_err().to_string();
        assert_eq!(
            refusal("[sync]\nmax_skew = 5\n"),
            "robot.toml: unknown key `sync.max_skew`; the nearest is `sync.max_skew_ms`"
        );
        assert_eq!(refusal("[zenho]\n"), "robot.toml: unknown key `zenho`; the nearest is `zenoh`");
        assert!(refusal("[policy]\ninstruction = 3\n").contains("instruction"));
        assert!(refusal("[policy]\nexecution_provider = \"cdua\"\n").contains("cdua"));
        assert_eq!(refusal("[sync]\nmax_age_ms = -1\n"), "`sync.max_age_ms` is -1, expected 0 to 60000");
    }
}
