//! Commands and flags.

mod eval;

pub use eval::EvalArgs;

use crate::config::{CameraConfig, Config, ExecutionProvider, KeyForm, Mode};
use crate::error::Error;
use crate::replay::ReplayOptions;
use crate::watch::WatchOptions;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

/// Runs a SmolVLA bundle on a robot: cameras and joint states in over zenoh, action chunks out.
///
/// Exit status: 0 done, 1 failed, 2 bad usage or configuration, 3 finished, but data was lost or a check fell short.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a bundle's policy on a robot.
    Run(RunArgs),
    /// Play a recorded LeRobot episode as a robot's live topics.
    Replay(ReplayArgs),
    /// Record episodes of a robot that somebody else drives.
    Record(RecordArgs),
    /// Play an episode's log through scheduling and safety alone: what would have been sent?
    Rehearse(RehearseArgs),
    /// Mend an episode's log that was cut short.
    Recover(RecoverArgs),
    /// Print chunks as they arrive at any subscriber.
    Watch(WatchArgs),
    /// Look whether the robot would move, before it does, and what to do where not. Nothing is sent to it.
    ///
    /// Exit status: 0 nothing is against motion, 1 the check itself failed, 2 motion would be refused.
    Check(CheckArgs),
    /// Print how a run is doing, as it says itself.
    ///
    /// Exit status: 0 everything is as it should be, 1 something is not, 3 nobody answers.
    Status(StatusArgs),
    /// Let a bundle do its tasks on a simulated robot, again and again, and count.
    ///
    /// Exit status: 0 evaluated, 1 failed, 2 refused, interrupted, or the robot is gone.
    Eval(EvalArgs),
    /// Run policy and robot on this machine: a simulated one that does its tasks, or an episode played as one.
    Demo(DemoArgs),
}

/// Flags of every command.
#[derive(Debug, Args)]
pub struct CommonArgs {
    /// Configuration file (TOML); flags override it.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print the resulting configuration and exit.
    #[arg(long)]
    pub print_config: bool,
    /// Print one JSON object a line on standard output.
    #[arg(long)]
    pub json: bool,
    /// Stop after so long.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub seconds: Option<Duration>,
}

/// Flags of `[zenoh]`.
#[derive(Debug, Args)]
pub struct ZenohArgs {
    /// Part in the zenoh network.
    #[arg(long, value_name = "MODE")]
    pub mode: Option<Mode>,
    /// Endpoint to listen on, such as tcp/0.0.0.0:7447; may be given several times.
    #[arg(long, value_name = "ENDPOINT")]
    pub listen: Vec<String>,
    /// Endpoint to connect to; may be given several times.
    #[arg(long, value_name = "ENDPOINT")]
    pub connect: Vec<String>,
    /// Find others by multicast.
    #[arg(long)]
    pub scouting: bool,
    /// In front of every key.
    #[arg(long)]
    pub namespace: Option<String>,
    /// How ROS topics are written.
    #[arg(long, value_name = "FORM")]
    pub keys: Option<KeyForm>,
}

/// Flags of `[policy]` and `[cameras]`.
#[derive(Debug, Args)]
pub struct PolicyArgs {
    /// What the robot is to do.
    #[arg(long)]
    pub instruction: Option<String>,
    /// Description of the bundle's robot, where it is none of the built-in ones.
    #[arg(long, value_name = "FILE")]
    pub robot_file: Option<String>,
    /// Where the graphs run.
    #[arg(long, value_name = "PROVIDER")]
    pub execution_provider: Option<ExecutionProvider>,
    /// Run on the CPU where the provider cannot be had.
    #[arg(long)]
    pub allow_cpu_fallback: bool,
    /// Threads of a graph on the CPU; 0: all cores.
    #[arg(long)]
    pub threads: Option<usize>,
    /// ONNX Runtime's library.
    #[arg(long, value_name = "FILE")]
    pub onnxruntime: Option<String>,
    /// Seed of the flow's noise.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Topic of a camera, as NAME=TOPIC; may be given several times.
    #[arg(long, value_name = "NAME=TOPIC", value_parser = pair)]
    pub camera: Vec<(String, String)>,
}

/// Flags of what is played.
#[derive(Debug, Args)]
pub struct EpisodeArgs {
    /// Number of the episode; the first if left out.
    #[arg(long)]
    pub episode: Option<u64>,
    /// Robot: a built-in one, or the file of another's description.
    #[arg(long, default_value = "r1pro", value_name = "NAME|FILE")]
    pub robot: String,
    /// Times the recorded rate.
    #[arg(long, default_value_t = 1.0)]
    pub speed: f64,
    /// Quality of the JPEG frames, 1 to 100.
    #[arg(long, default_value_t = 90)]
    pub jpeg_quality: i32,
}

/// `run`
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Folder of the bundle.
    #[arg(long, value_name = "DIR", required_unless_present = "print_config")]
    pub bundle: Option<PathBuf>,
    /// Record episodes into this folder.
    #[arg(long, value_name = "DIR")]
    pub record: Option<String>,
    /// Flags of every command.
    #[command(flatten)]
    pub common: CommonArgs,
    /// Flags of the network.
    #[command(flatten)]
    pub zenoh: ZenohArgs,
    /// Flags of the policy.
    #[command(flatten)]
    pub policy: PolicyArgs,
}

/// `record`
#[derive(Debug, Args)]
pub struct RecordArgs {
    /// Robot: a built-in one, or the file of another's description.
    #[arg(long, default_value = "r1pro", value_name = "NAME|FILE")]
    pub robot: String,
    /// Folder for episodes.
    #[arg(long, value_name = "DIR")]
    pub folder: Option<String>,
    /// What the robot is to do; kept with every episode.
    #[arg(long)]
    pub instruction: Option<String>,
    /// Flags of every command.
    #[command(flatten)]
    pub common: CommonArgs,
    /// Flags of the network.
    #[command(flatten)]
    pub zenoh: ZenohArgs,
}

/// `rehearse`
#[derive(Debug, Args)]
pub struct RehearseArgs {
    /// The log, such as episode_000003.mcap.
    pub log: PathBuf,
    /// Folder of the bundle.
    #[arg(long, value_name = "DIR")]
    pub bundle: PathBuf,
    /// Log of the commands that would have been sent.
    #[arg(long, value_name = "FILE")]
    pub output: PathBuf,
    /// Flags of every command.
    #[command(flatten)]
    pub common: CommonArgs,
}

/// `recover`
#[derive(Debug, Args)]
pub struct RecoverArgs {
    /// The log, such as episode_000003.mcap.part.
    pub log: PathBuf,
    /// The mended file; by default beside the log.
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Print one JSON object on standard output.
    #[arg(long)]
    pub json: bool,
}

/// `replay`
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Folder of a LeRobot dataset, v2.1 or v3.0.
    #[arg(long, value_name = "DIR")]
    pub dataset: PathBuf,
    /// Flags of what is played.
    #[command(flatten)]
    pub episode: EpisodeArgs,
    /// Start again at the end.
    #[arg(long = "loop")]
    pub repeats: bool,
    /// Begin when somebody listens to every camera.
    #[arg(long)]
    pub wait_for_subscriber: bool,
    /// Flags of every command.
    #[command(flatten)]
    pub common: CommonArgs,
    /// Flags of the network.
    #[command(flatten)]
    pub zenoh: ZenohArgs,
}

/// `watch`
#[derive(Debug, Args)]
pub struct WatchArgs {
    /// Robot: a built-in one, or the file of another's description.
    #[arg(long, default_value = "r1pro", value_name = "NAME|FILE")]
    pub robot: String,
    /// Stop after so many chunks.
    #[arg(long)]
    pub count: Option<u64>,
    /// Draw the last chunk over the joints' history into this PNG.
    #[arg(long, value_name = "FILE")]
    pub plot: Option<PathBuf>,
    /// Flags of every command.
    #[command(flatten)]
    pub common: CommonArgs,
    /// Flags of the network.
    #[command(flatten)]
    pub zenoh: ZenohArgs,
}

/// `check`
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Folder of the bundle.
    #[arg(long, value_name = "DIR", required_unless_present = "print_config")]
    pub bundle: Option<PathBuf>,
    /// Flags of every command; `--seconds` is how long to listen, 5 if left out.
    #[command(flatten)]
    pub common: CommonArgs,
    /// Flags of the network.
    #[command(flatten)]
    pub zenoh: ZenohArgs,
    /// Flags of the policy.
    #[command(flatten)]
    pub policy: PolicyArgs,
}

/// `status`
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// How long to wait for an answer.
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "3")]
    pub timeout: Duration,
    /// Go on until Ctrl-C.
    #[arg(long)]
    pub watch: bool,
    /// Print every value of every part.
    #[arg(long)]
    pub values: bool,
    /// Flags of every command.
    #[command(flatten)]
    pub common: CommonArgs,
    /// Flags of the network.
    #[command(flatten)]
    pub zenoh: ZenohArgs,
}

/// `demo`
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Folder of the bundle.
    #[arg(long, value_name = "DIR")]
    pub bundle: PathBuf,
    /// Command line of a simulated robot that does its tasks; where to connect is added to it.
    #[arg(long, value_name = "COMMAND", conflicts_with = "dataset")]
    pub rig: Option<String>,
    /// With a rig: scenes, both ends included.
    #[arg(long, default_value = "0..1")]
    pub seeds: String,
    /// Without: folder of a LeRobot dataset, v2.1 or v3.0, that is played again and again.
    #[arg(long, value_name = "DIR", required_unless_present = "rig")]
    pub dataset: Option<PathBuf>,
    /// Flags of what is played.
    #[command(flatten)]
    pub episode: EpisodeArgs,
    /// Draw into this PNG what the robot did in each scene, or the last chunk over the joints' history.
    #[arg(long, value_name = "FILE")]
    pub plot: Option<PathBuf>,
    /// Flags of every command.
    #[command(flatten)]
    pub common: CommonArgs,
    /// Flags of the policy.
    #[command(flatten)]
    pub policy: PolicyArgs,
}

impl CommonArgs {
    /// The configuration file, laid over the default.
    ///
    /// # Errors
    /// As [`Config::open`].
    pub fn configuration(&self) -> Result<Config, Error> {
        self.config.as_deref().map_or_else(Config::built_in, Config::open)
    }
}

impl RecordArgs {
    /// Lays the flags over a configuration.
    pub fn apply(&self, config: &mut Config) {
        override_with(&mut config.record.folder, self.folder.clone());
        override_with(&mut config.policy.instruction, self.instruction.clone());
        self.zenoh.apply(config);
    }
}

impl ZenohArgs {
    /// Lays the flags over a configuration.
    pub fn apply(&self, config: &mut Config) {
        let zenoh = &mut config.zenoh;
        override_with(&mut zenoh.mode, self.mode);
        override_with(&mut zenoh.namespace, self.namespace.clone());
        override_with(&mut zenoh.keys, self.keys);
        zenoh.scouting |= self.scouting;
        for (target, given) in [(&mut zenoh.listen, &self.listen), (&mut zenoh.connect, &self.connect)] {
            if !given.is_empty() {
                given.clone_into(target);
            }
        }
    }
}

impl PolicyArgs {
    /// Lays the flags over a configuration.
    pub fn apply(&self, config: &mut Config) {
        let policy = &mut config.policy;
        override_with(&mut policy.instruction, self.instruction.clone());
        override_with(&mut policy.robot, self.robot_file.clone());
        override_with(&mut policy.execution_provider, self.execution_provider);
        override_with(&mut policy.threads, self.threads);
        override_with(&mut policy.onnxruntime, self.onnxruntime.clone());
        override_with(&mut policy.seed, self.seed);
        policy.allow_cpu_fallback |= self.allow_cpu_fallback;
        let topics = self.camera.iter().map(|(name, topic)| (name.clone(), CameraConfig::compressed(topic)));
        config.cameras.extend(topics);
    }
}

impl EpisodeArgs {
    /// As the replay takes them.
    #[must_use]
    pub fn options(self, dataset: PathBuf, repeats: bool, waits_for_subscriber: bool) -> ReplayOptions {
        let Self { episode, robot, speed, jpeg_quality } = self;
        ReplayOptions { dataset, episode, robot, speed, repeats, waits_for_subscriber, jpeg_quality }
    }
}

impl WatchArgs {
    /// As the watch takes them.
    #[must_use]
    pub fn options(&self) -> WatchOptions {
        WatchOptions { robot: self.robot.clone(), chunk_limit: self.count, plot: self.plot.clone() }
    }
}

fn override_with<T>(target: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *target = given;
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, topic) = text.split_once('=').ok_or("expected NAME=TOPIC")?;
    Ok((name.to_owned(), topic.to_owned()))
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "expected a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}
