//! `sinew-trainer`: SmolVLA from logged episodes to a bundle for the robot.

use clap::Parser;
use sinew_trainer::Error;
use sinew_trainer::cli::Cli;
use std::io::IsTerminal;
use std::process::ExitCode;

/// candle's matrix products are several times faster with it: it returns fewer pages to the system.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let core_count = std::thread::available_parallelism().map_or(1, usize::from);
    set_unless_set("CANDLE_NUM_THREADS", "1");
    set_unless_set("RAYON_NUM_THREADS", &core_count.to_string());
    set_unless_set("SVT_LOG", "1");
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info,ort=warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .without_time()
        .init();
    let arguments: Vec<String> = std::env::args().collect();
    match Cli::parse().run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::from(match error {
                Error::Usage(_) | Error::Config { .. } => 2,
                Error::Unsound { .. } => 3,
                _ => 1,
            })
        }
    }
}

/// Of what libraries read from the environment.
///
/// candle shares out its small operations among threads that spin until the last one is done. Beside any other load (our own
/// decoders are enough) they wait for each other most of the time; matrix products have threads of their own,
/// whose number candle otherwise finds in `/proc/cpuinfo` before each single product. SVT-AV1 says
/// what it encodes with, for each video, unless only its errors (1) are asked for.
#[allow(unsafe_code)]
fn set_unless_set(variable: &str, value: &str) {
    if std::env::var_os(variable).is_none() {
        // SAFETY: no other thread has been started yet.
        unsafe { std::env::set_var(variable, value) };
    }
}
