//! The data path alone beside LeRobot's, frames per second: AV1 as LeRobot writes it, and H.265 with a GOP of 250. And
//! what BEHAVIOR-1K's three cameras take.
//!
//!     cargo bench --package sinew-trainer --bench loader -- PYTHON
//!
//! `PYTHON` is one that has LeRobot (`scripts/bench` makes it). Both sides have as many workers, shuffle, and give a
//! picture and an action chunk of 50 a sample. Without it, only what needs no LeRobot is timed.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark stops at the first surprise")]

use sinew_trainer::data::{Corpus, DataOptions, DatasetOptions, Loader, LoaderOptions, Order};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

/// The programs' own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUND_COUNT: usize = 2;
const SAMPLE_COUNT: usize = 800;
/// LeRobot is slow where key frames are far apart.
const LEROBOT_SAMPLE_COUNT: usize = 160;

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let worker_count = std::thread::available_parallelism().unwrap().get();
    behavior(&repository.join("tests/fixtures/behavior_sim"), worker_count);
    let Some(python) = arguments.next() else {
        println!("usage: loader PYTHON (scripts/bench makes one that has LeRobot)");
        return;
    };
    let folder = repository.join("out/bench/loader");
    if !folder.exists() {
        let source = "behavior_sim/videos/task-0006/observation.images.rgb.head/episode_00060010.mp4";
        let source = repository.join("tests/fixtures").join(source);
        lerobot(&python, &["make".as_ref(), folder.as_os_str(), source.as_os_str()]);
    }
    println!("640 × 480, {worker_count} workers each; frames per second, the most of {ROUND_COUNT}");
    println!("{:<8}{:>10}{:>10}{:>8}", "", "Sinew", "LeRobot", "ratio");
    for name in ["av1", "h265"] {
        let dataset = folder.join(name);
        let (mut ours, mut theirs, mut decoder) = (0.0_f64, 0.0_f64, String::new());
        for _ in 0..ROUND_COUNT {
            ours = ours.max(sinew(&[&dataset], worker_count));
            let arguments = [worker_count.to_string(), LEROBOT_SAMPLE_COUNT.to_string()];
            let said = lerobot(
                &python,
                &["read".as_ref(), dataset.as_os_str(), arguments[0].as_ref(), arguments[1].as_ref()],
            );
            let (rate, used) =
                said.trim().rsplit_once('\n').map_or(said.trim(), |(_, last)| last).split_once(' ').unwrap();
            theirs = theirs.max(rate.parse().unwrap());
            decoder = used.to_owned();
        }
        println!(
            "{name:<8}{ours:>10.0}{theirs:>10.0}{:>8.1}  (LeRobot decodes with {decoder})",
            ours / theirs
        );
    }
}

/// Episodes of 180 rows in H.265 with a key frame in 250, head 720 × 720, wrists 480 × 480: copies of a fixture's two.
fn behavior(fixture: &Path, worker_count: usize) {
    let folder = tempfile::tempdir().unwrap();
    let copies: Vec<_> = (0..10).map(|copy| folder.path().join(copy.to_string())).collect();
    for copy in &copies {
        assert!(Command::new("cp").arg("-r").arg(fixture).arg(copy).status().unwrap().success());
    }
    let copies: Vec<&Path> = copies.iter().map(PathBuf::as_path).collect();
    let rate = (0..ROUND_COUNT).map(|_| sinew(&copies, worker_count)).fold(0.0, f64::max);
    println!("BEHAVIOR-1K's three cameras, {worker_count} workers: {rate:.0} samples per second");
}

/// Samples a second with the default shuffle and memory.
fn sinew(datasets: &[&Path], worker_count: usize) -> f64 {
    let datasets = datasets.iter().map(|path| DatasetOptions::of(path.to_str().unwrap())).collect();
    let options = DataOptions { datasets, validation_fraction: 0.0, ..DataOptions::default() };
    let corpus = Arc::new(Corpus::open(&options, 50).unwrap());
    let draws = Order::new(&corpus, &options, 0).unwrap().epoch(0).into_iter().take(SAMPLE_COUNT);
    let loader_options = LoaderOptions { worker_count, ..LoaderOptions::default() };
    let start = Instant::now();
    let cameras: Vec<usize> = (0..corpus.cameras().len()).collect();
    let picture_count = SAMPLE_COUNT * cameras.len();
    let loader =
        Loader::start(corpus, cameras, draws, loader_options, options.shuffle.window_blocks, |_| true)
            .unwrap();
    assert_eq!(loader.map(Result::unwrap).map(|sample| sample.pictures.len()).sum::<usize>(), picture_count);
    SAMPLE_COUNT as f64 / start.elapsed().as_secs_f64()
}

fn lerobot(python: &str, arguments: &[&std::ffi::OsStr]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/lerobot_loader.py");
    let output = Command::new(python).arg(script).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
