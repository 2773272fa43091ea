//! What the tests are made of: the program, a bundle known in closed form, and a robot in Python.

use serde_json::Value;
use sinew_models::contract::{BLANK_ID, identity};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use turbojpeg::{Image, PixelFormat, Subsamp};
use zenoh::Wait;

/// Long enough for a machine that does much else; only a failing test waits for it.
const PATIENCE: Duration = Duration::from_secs(90);

pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

pub(crate) fn dataset() -> PathBuf {
    repository().join("tests/fixtures/behavior_sim")
}

/// The same episodes in format v3.0.
pub(crate) fn dataset_v30() -> TempDir {
    let (folder, fixtures) = (TempDir::new().unwrap(), repository().join("tests/fixtures"));
    let place = |from: PathBuf, to: String| {
        let to = folder.path().join(to);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
    };
    for file in ["meta/info.json", "meta/tasks.parquet", "meta/episodes/chunk-000/file-000.parquet"] {
        place(fixtures.join("behavior_sim_v30").join(file), file.to_owned());
    }
    for (number, episode) in ["episode_00060010", "episode_00060020"].into_iter().enumerate() {
        let data = dataset().join(format!("data/task-0006/{episode}.parquet"));
        place(data, format!("data/chunk-000/file-00{number}.parquet"));
        for camera in
            ["head", "left_wrist", "right_wrist"].map(|name| format!("observation.images.rgb.{name}"))
        {
            let video = dataset().join(format!("videos/task-0006/{camera}/{episode}.mp4"));
            place(video, format!("videos/{camera}/chunk-000/file-00{number}.mp4"));
        }
    }
    folder
}

fn python() -> PathBuf {
    std::env::var_os("SINEW_PYTHON").map_or_else(|| repository().join(".venv/bin/python"), PathBuf::from)
}

fn oracle(name: &str) -> Command {
    let mut command = Command::new(python());
    command.arg(repository().join("tests/oracles/runtime").join(name));
    command
}

/// The lines that an oracle makes of a text, as JSON.
pub(crate) fn ask_oracle(name: &str, text: &str) -> Vec<Value> {
    let mut child = oracle(name).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{name} failed; if a package is missing, run scripts/setup");
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// ONNX Runtime's library: where the environment says, or the one that `scripts/setup` installed.
pub(crate) fn onnxruntime() -> PathBuf {
    if let Some(path) = std::env::var_os("ORT_DYLIB_PATH") {
        return path.into();
    }
    let environments = fs::read_dir(repository().join(".venv/lib")).into_iter().flatten().flatten();
    let libraries = environments.flat_map(|python| {
        let folder = python.path().join("site-packages/onnxruntime/capi");
        fs::read_dir(folder).into_iter().flatten().flatten()
    });
    let is_library =
        |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with("libonnxruntime.so.");
    libraries.map(|entry| entry.path()).find(is_library).expect("no ONNX Runtime in .venv: run scripts/setup")
}

/// A folder with a bundle whose policy lets the robot stay as it is.
pub(crate) fn bundle() -> TempDir {
    hold_still(&[])
}

/// The same with the shapes of SmolVLA's 450 M parameters.
pub(crate) fn full_size_bundle() -> TempDir {
    hold_still(&["--full-size"])
}

/// A bundle whose policy never rests, and computes so many matrix products a chunk.
pub(crate) fn swing(busy: u32) -> TempDir {
    written_by("swing.py", &["--busy", &busy.to_string()])
}

fn hold_still(arguments: &[&str]) -> TempDir {
    written_by("hold_still.py", arguments)
}

fn written_by(name: &str, arguments: &[&str]) -> TempDir {
    let folder = TempDir::new().unwrap();
    let status = oracle(name)
        .arg(folder.path())
        .arg("--tokenizer")
        .arg(repository().join("tests/fixtures/golden/tiny/tokenizer.json"))
        .args(arguments)
        .status()
        .unwrap_or_else(|error| panic!("cannot run {}: {error}; run scripts/setup", python().display()));
    assert!(status.success(), "the bundle was not written; if a package is missing, run scripts/setup");
    folder
}

/// One of the programs of `tests/sim`.
fn simulator(name: &str) -> Command {
    let mut command = Command::new(python());
    command.arg(repository().join("tests/sim").join(name));
    command
}

/// Command line of the simulated robot without physics, as a rig.
pub(crate) fn kinematic_rig(arguments: &str) -> String {
    let program = repository().join("tests/sim/robot.py");
    format!("{} {} --body kinematic --small-pictures {arguments}", python().display(), program.display())
}

/// Judges what a simulated robot was told by the robot's limits and the runtime's configuration.
pub(crate) fn check_log(log: &Path, config: &Path) {
    let found = simulator("check_log.py").arg(log).arg("--config").arg(config).output().unwrap();
    let said = String::from_utf8_lossy(&found.stdout);
    assert!(found.status.success(), "{said}{}", String::from_utf8_lossy(&found.stderr));
}

/// Runs a module of tests of `tests/sim`.
pub(crate) fn python_tests(module: &str) {
    let folder = repository().join("tests/sim");
    let found = Command::new(python()).args(["-m", "unittest", module]).current_dir(folder).output().unwrap();
    assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stderr));
}

/// A wall clock of one program alone, which can be set.
pub(crate) struct SettableClock {
    library: PathBuf,
    offset: PathBuf,
}

impl SettableClock {
    /// So many seconds off the true time.
    pub(crate) fn set(&self, seconds: i64) {
        let mut file = fs::OpenOptions::new().write(true).open(&self.offset).unwrap();
        file.write_all(&seconds.to_ne_bytes()).unwrap();
    }
}

/// Builds the library that lies between a program and the system's clock.
pub(crate) fn clock_to_set(folder: &TempDir) -> SettableClock {
    let clock =
        SettableClock { library: folder.path().join("clock.so"), offset: folder.path().join("offset") };
    let source = repository().join("tests/oracles/runtime/clock.c");
    let arguments = ["-shared", "-fPIC", "-O1", "-o"];
    let status = Command::new("cc").args(arguments).arg(&clock.library).arg(source).status().unwrap();
    assert!(status.success());
    fs::write(&clock.offset, 0_i64.to_ne_bytes()).unwrap();
    clock
}

/// Changes the bundle's manifest, as if the trainer had written it so.
pub(crate) fn edit_manifest(bundle: &TempDir, change: impl FnOnce(&mut Value)) {
    let path = bundle.path().join("bundle.json");
    let mut manifest: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut manifest);
    manifest["bundle_id"] = BLANK_ID.into();
    manifest["bundle_id"] = identity(&manifest.to_string(), BLANK_ID).into();
    fs::write(&path, manifest.to_string()).unwrap();
}

/// Two JPEG files of one colour, with a little noise in one corner: no camera shows the same picture twice.
pub(crate) fn pictures(
    folder: &TempDir,
    name: &str,
    [width, height]: [usize; 2],
    color: [u8; 3],
) -> [PathBuf; 2] {
    const NOISE_EDGE_PX: usize = 8;
    [0, 6].map(|noise| {
        let mut pixels = color.repeat(width * height);
        for row in pixels.chunks_exact_mut(3 * width).take(NOISE_EDGE_PX) {
            row[..3 * NOISE_EDGE_PX].iter_mut().for_each(|shade| *shade = shade.saturating_add(noise));
        }
        let image =
            Image { pixels: pixels.as_slice(), width, pitch: 3 * width, height, format: PixelFormat::RGB };
        let path = folder.path().join(format!("{name}_{noise}.jpg"));
        fs::write(&path, turbojpeg::compress(image, 95, Subsamp::None).unwrap()).unwrap();
        path
    })
}

/// A zenoh router on a port of its own choice, and where it can be reached.
pub(crate) fn router() -> (zenoh::Session, String) {
    let mut config = zenoh::Config::default();
    for (key, value) in [
        ("mode", "\"router\""),
        ("listen/endpoints", "[\"tcp/127.0.0.1:0\"]"),
        ("scouting/multicast/enabled", "false"),
    ] {
        config.insert_json5(key, value).unwrap();
    }
    let router = zenoh::open(config).wait().unwrap();
    let locator = router.info().locators().wait()[0].to_string();
    (router, locator)
}

/// Somebody else on the network.
pub(crate) fn peer(locator: &str) -> zenoh::Session {
    let mut config = zenoh::Config::default();
    let endpoints = format!("[\"{locator}\"]");
    for (key, value) in [("connect/endpoints", endpoints.as_str()), ("scouting/multicast/enabled", "false")] {
        config.insert_json5(key, value).unwrap();
    }
    zenoh::open(config).wait().unwrap()
}

/// A program that prints one line after another.
pub(crate) struct Program {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Program {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = sync_channel(1 << 16);
        let forward = move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line));
        std::thread::Builder::new().name("stdout".to_owned()).spawn(forward).unwrap();
        Self { stdin: child.stdin.take(), child, lines }
    }

    /// `sinew-runtime` with arguments, speaking JSON.
    pub(crate) fn runtime<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sinew-runtime"));
        command.args(arguments).arg("--json").env("ORT_DYLIB_PATH", onnxruntime());
        Self::start(command)
    }

    /// `sinew-runtime run` as a peer that listens on a port of its own choice; also where it can be reached.
    pub(crate) fn run(bundle: &TempDir, arguments: &[&str]) -> (Self, String) {
        let folder = bundle.path().to_str().unwrap();
        let fixed = ["run", "--bundle", folder, "--listen", "tcp/127.0.0.1:0"];
        let program = Self::runtime(fixed.into_iter().chain(arguments.iter().copied()));
        let ready = program.event("ready");
        let locator = ready["locators"][0].as_str().unwrap().to_owned();
        (program, locator)
    }

    /// The same by a clock that can be set.
    pub(crate) fn run_with_clock(
        bundle: &TempDir,
        clock: &SettableClock,
        arguments: &[&str],
    ) -> (Self, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sinew-runtime"));
        command.args(["run", "--json", "--listen", "tcp/127.0.0.1:0", "--bundle"]).arg(bundle.path());
        command.args(arguments).env("ORT_DYLIB_PATH", onnxruntime());
        command.env("LD_PRELOAD", &clock.library).env("CLOCK_OFFSET_FILE", &clock.offset);
        let program = Self::start(command);
        let ready = program.event("ready");
        let locator = ready["locators"][0].as_str().unwrap().to_owned();
        (program, locator)
    }

    /// The same, with no file allowed to grow beyond so many blocks of 512 bytes, as on a full disk.
    pub(crate) fn run_with_file_limit(
        bundle: &TempDir,
        block_count: u32,
        arguments: &[&str],
    ) -> (Self, String) {
        let mut command = Command::new("sh");
        // A program that ignores the signal is told of the limit by an error.
        let script = format!("trap '' XFSZ; ulimit -f {block_count}; exec \"$@\"");
        command.args(["-c", &script, "sh", env!("CARGO_BIN_EXE_sinew-runtime"), "run", "--json"]);
        command.arg("--bundle").arg(bundle.path()).args(["--listen", "tcp/127.0.0.1:0"]).args(arguments);
        command.env("ORT_DYLIB_PATH", onnxruntime());
        let program = Self::start(command);
        let ready = program.event("ready");
        let locator = ready["locators"][0].as_str().unwrap().to_owned();
        (program, locator)
    }

    /// The robot of `robot.py`.
    pub(crate) fn robot(folder: &TempDir, plan: &Value) -> Self {
        let path = folder.path().join("plan.json");
        fs::write(&path, plan.to_string()).unwrap();
        let mut command = oracle("robot.py");
        command.arg(path);
        Self::start_connected(command)
    }

    /// The robot of `tests/sim`, without physics.
    pub(crate) fn simulated(arguments: &[&str]) -> Self {
        let mut command = simulator("robot.py");
        command.args(["--body", "kinematic", "--small-pictures"]).args(arguments);
        Self::start_connected(command)
    }

    /// A router between robot and runtime.
    pub(crate) fn router(endpoint: &str) -> Self {
        let mut command = simulator("router.py");
        command.arg(endpoint);
        Self::start_connected(command)
    }

    fn start_connected(command: Command) -> Self {
        let program = Self::start(command);
        assert_eq!(program.line(), "connected");
        program
    }

    /// Says a line to the program and hears the next one it says.
    pub(crate) fn ask(&mut self, line: &Value) -> Value {
        writeln!(self.stdin.as_mut().unwrap(), "{line}").unwrap();
        serde_json::from_str(&self.line()).unwrap()
    }

    /// The next line.
    pub(crate) fn line(&self) -> String {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => panic!("no line within {PATIENCE:?}"),
            Err(RecvTimeoutError::Disconnected) => panic!("the program ended"),
        }
    }

    /// The next line that satisfies a condition, as JSON; `what` it is called in a failure.
    pub(crate) fn line_where(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            let line: Value = serde_json::from_str(&self.line()).unwrap();
            if holds(&line) {
                return line;
            }
        }
        panic!("no such {what} within {PATIENCE:?}");
    }

    /// The next event of a kind that satisfies a condition.
    pub(crate) fn event_where(&self, kind: &str, holds: impl Fn(&Value) -> bool) -> Value {
        self.line_where(&format!("event `{kind}`"), |event| event["event"] == kind && holds(event))
    }

    /// The next event of a kind.
    pub(crate) fn event(&self, kind: &str) -> Value {
        self.event_where(kind, |_| true)
    }

    /// Every line until the end, as JSON, and how the program ended.
    pub(crate) fn rest(mut self) -> (Vec<Value>, ExitStatus) {
        let start = Instant::now();
        let mut lines = Vec::new();
        loop {
            match self.lines.recv_timeout(PATIENCE.saturating_sub(start.elapsed())) {
                Ok(line) => lines.push(serde_json::from_str(&line).unwrap()),
                Err(RecvTimeoutError::Timeout) => panic!("the program did not end within {PATIENCE:?}"),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        (lines, self.child.wait().unwrap())
    }

    /// Closes the program's standard input.
    pub(crate) fn hang_up(&mut self) {
        drop(self.stdin.take());
    }

    /// Sends a signal by name.
    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        let status = Command::new("sh").arg("-c").arg(kill).status();
        assert!(status.unwrap().success());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Already gone in a test that passed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `sinew-runtime` until its end: exit code, standard output, standard error.
pub(crate) fn complete(arguments: &[&str]) -> (i32, String, String) {
    let folder = TempDir::new().unwrap();
    let [stdout, stderr] = ["stdout", "stderr"].map(|name| folder.path().join(name));
    let mut command = Command::new(env!("CARGO_BIN_EXE_sinew-runtime"));
    command.args(arguments).env("ORT_DYLIB_PATH", onnxruntime());
    command.stdout(fs::File::create(&stdout).unwrap()).stderr(fs::File::create(&stderr).unwrap());
    let mut child = command.spawn().unwrap();
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if start.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("{arguments:?} did not end within {PATIENCE:?}");
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let [stdout, stderr] = [stdout, stderr].map(|path| fs::read_to_string(path).unwrap());
    (status.code().unwrap(), stdout, stderr)
}

/// An episode's log, as `read_log.py` sees it.
pub(crate) fn read_log(path: &Path) -> Value {
    let output = oracle("read_log.py").arg(path).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{} cannot be read", path.display());
    serde_json::from_slice(&output.stdout).unwrap()
}
