//! `sinew-runtime`: commands, exit codes, and what goes to which stream. Standard output is data, standard error is
//! for people.

mod log;
mod status_line;

use crate::log::{log_event, log_summary};
use crate::status_line::StatusLine;
use anyhow::Context;
use clap::Parser;
use serde::Serialize;
use sinew_runtime::Error;
use sinew_runtime::check::{Verdict, check};
use sinew_runtime::cli::{
    CheckArgs, Cli, Command, CommonArgs, DemoArgs, EvalArgs, RecordArgs, RecoverArgs, RehearseArgs,
    ReplayArgs, RunArgs, StatusArgs, WatchArgs,
};
use sinew_runtime::config::Config;
use sinew_runtime::demo::{DemoOptions, Say, demo, show};
use sinew_runtime::diagnostics::{Level, StatusOptions, status};
use sinew_runtime::eval::{Cause, EvalOptions, evaluate, parse_seeds};
use sinew_runtime::record::{record, recover};
use sinew_runtime::rehearse::rehearse;
use sinew_runtime::replay::replay;
use sinew_runtime::run::run;
use sinew_runtime::stop::Stop;
use sinew_runtime::telemetry::Terminal;
use sinew_runtime::watch::{WatchEvent, watch};
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tracing_subscriber::EnvFilter;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Finished, but data was lost or a check fell short.
const FELL_SHORT: u8 = 3;
/// `check`: motion would be refused.
const REFUSED: u8 = 2;
/// How long `check` listens unless it is told.
const LISTENING: Duration = Duration::from_secs(5);
/// `status`: something is not as it should be.
const NOT_WELL: u8 = 1;
/// `status`: nobody answers.
const NO_ANSWER: u8 = 3;
/// What is logged unless RUST_LOG says otherwise.
const LOG_FILTER: &str = "info,zenoh=warn,ort=warn";

fn main() -> ExitCode {
    let cli = Cli::parse();
    let terminal = Terminal::default();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LOG_FILTER));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(terminal.clone())
        .init();
    let code = |is_complete| if is_complete { 0 } else { FELL_SHORT };
    let outcome = match cli.command {
        Command::Run(args) => run_command(args, &terminal).map(code),
        Command::Replay(args) => replay_command(args).map(code),
        Command::Record(args) => record_command(args).map(code),
        Command::Rehearse(args) => rehearse_command(&args).map(code),
        Command::Recover(args) => recover_command(&args).map(code),
        Command::Watch(args) => watch_command(args).map(code),
        Command::Check(args) => check_command(args),
        Command::Status(args) => status_command(&args),
        Command::Eval(args) => eval_command(&args).map(|()| 0),
        Command::Demo(args) => demo_command(args).map(code),
    };
    terminal.set_status(String::new());
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            tracing::error!("{error}");
            let is_usage = error.chain().any(|cause| cause.downcast_ref().is_some_and(Error::is_usage));
            ExitCode::from(if is_usage { 2 } else { 1 })
        }
    }
}

fn run_command(args: RunArgs, terminal: &Terminal) -> anyhow::Result<bool> {
    let mut config = args.common.configuration()?;
    args.zenoh.apply(&mut config);
    args.policy.apply(&mut config);
    if let Some(folder) = args.record {
        config.record.folder = folder;
    }
    if print_config(&args.common, &config)? {
        return Ok(true);
    }
    let bundle = args.bundle.context("--bundle is missing")?;
    let stop = Stop::on_signals()?.within(args.common.seconds);
    let mut status_line = StatusLine::new(terminal);
    let summary = run(&bundle, &config, &stop, |event| {
        status_line.take_in(event);
        log_event(event);
        if args.common.json { print_json(event) } else { Ok(()) }
    })?;
    log_summary(&summary);
    Ok(summary.is_complete())
}

fn replay_command(args: ReplayArgs) -> anyhow::Result<bool> {
    let mut config = args.common.configuration()?;
    args.zenoh.apply(&mut config);
    if print_config(&args.common, &config)? {
        return Ok(true);
    }
    let stop = Stop::on_signals()?.within(args.common.seconds);
    let options = args.episode.options(args.dataset, args.repeats, args.wait_for_subscriber);
    let summary = replay(&options, &config.zenoh, &stop, |event| {
        tracing::info!("{}", serde_json::to_string(event).unwrap_or_default());
        if args.common.json { print_json(event) } else { Ok(()) }
    })?;
    if summary.late_row_count > 0 {
        tracing::warn!(
            "{} rows were late, the latest by {:.0} ms",
            summary.late_row_count,
            summary.max_late_ms
        );
    }
    Ok(true)
}

fn record_command(args: RecordArgs) -> anyhow::Result<bool> {
    let mut config = args.common.configuration()?;
    args.apply(&mut config);
    if print_config(&args.common, &config)? {
        return Ok(true);
    }
    let stop = Stop::on_signals()?.within(args.common.seconds);
    let summary = record(&args.robot, &config, &stop, |event| {
        log_event(event);
        if args.common.json { print_json(event) } else { Ok(()) }
    })?;
    let totals = summary.recording;
    tracing::info!(
        "{} episodes, {} messages, {:.1} MB",
        totals.episode_count,
        totals.message_count,
        totals.payload_bytes as f64 / 1e6
    );
    Ok(summary.is_complete())
}

fn rehearse_command(args: &RehearseArgs) -> anyhow::Result<bool> {
    let mut config = args.common.configuration()?;
    // There is nothing to rehearse without them, and nobody is there to follow.
    config.setpoints.publish = true;
    if print_config(&args.common, &config)? {
        return Ok(true);
    }
    let rehearsal = rehearse(&args.log, &args.bundle, &config, &args.output)?;
    tracing::info!(
        "{} ticks, {} with a command; {} chunks, {} of them dropped; {}",
        rehearsal.tick_count,
        rehearsal.command_count,
        rehearsal.chunk_count,
        rehearsal.dropped_chunk_count,
        args.output.display()
    );
    for change in &rehearsal.changes {
        tracing::info!(
            "{:8.3} s: {} {}",
            change.at_s,
            change.state.name(),
            change.reason.unwrap_or_default()
        );
    }
    if args.common.json {
        print_json(&rehearsal)?;
    }
    Ok(true)
}

fn recover_command(args: &RecoverArgs) -> anyhow::Result<bool> {
    let recovered = recover(&args.log, args.output.as_deref())?;
    match &recovered.damage {
        Some(damage) => tracing::info!("{} is torn: {damage}", args.log.display()),
        None => tracing::info!("{} is whole", args.log.display()),
    }
    tracing::info!("{}: {} messages", recovered.path.display(), recovered.message_count);
    if args.json {
        print_json(&recovered)?;
    }
    Ok(true)
}

fn watch_command(args: WatchArgs) -> anyhow::Result<bool> {
    let mut config = args.common.configuration()?;
    args.zenoh.apply(&mut config);
    if print_config(&args.common, &config)? {
        return Ok(true);
    }
    let stop = Stop::on_signals()?.within(args.common.seconds);
    let summary = watch(&args.options(), &config.zenoh, &stop, |event| match event {
        event if args.common.json => print_json(event),
        WatchEvent::Seen(sighting) => print_line(&sighting.to_string()),
        WatchEvent::Malformed { key, message } => {
            tracing::warn!("{key}: {message}");
            Ok(())
        }
        _ => Ok(()),
    })?;
    let is_enough = args.count.is_none_or(|count| summary.chunk_count >= count);
    tracing::info!("{} chunks seen, {} lost", summary.chunk_count, summary.lost_chunk_count);
    Ok(summary.is_complete() && is_enough)
}

fn check_command(args: CheckArgs) -> anyhow::Result<u8> {
    let mut config = args.common.configuration()?;
    args.zenoh.apply(&mut config);
    args.policy.apply(&mut config);
    if print_config(&args.common, &config)? {
        return Ok(0);
    }
    let bundle = args.bundle.context("--bundle is missing")?;
    let report = check(&bundle, &config, args.common.seconds.unwrap_or(LISTENING), &Stop::on_signals()?)?;
    if args.common.json {
        print_json(&report)?;
    } else {
        print_line(report.table().trim_end())?;
    }
    Ok(if report.verdict == Verdict::Refused { REFUSED } else { 0 })
}

fn status_command(args: &StatusArgs) -> anyhow::Result<u8> {
    let mut config = args.common.configuration()?;
    args.zenoh.apply(&mut config);
    if print_config(&args.common, &config)? {
        return Ok(0);
    }
    let stop = Stop::on_signals()?.within(args.common.seconds);
    let options = StatusOptions { timeout: args.timeout, watches: args.watch };
    let is_redrawn = args.watch && std::io::stdout().is_terminal();
    let found = status(&config.zenoh, options, &stop, |reading| {
        if args.common.json {
            return print_json(reading);
        }
        let clear = if is_redrawn { "\x1b[H\x1b[2J" } else { "" };
        print_line(&format!("{clear}{}", reading.table(args.values).trim_end()))
    });
    let found = match found {
        // Whoever cannot be reached does not answer.
        Err(error @ Error::Zenoh { .. }) => {
            tracing::error!("{error}");
            None
        }
        found => found?,
    };
    Ok(match found {
        Some(Level::Ok) => 0,
        Some(_) => NOT_WELL,
        None => {
            let seconds = args.timeout.as_secs_f64();
            tracing::error!(
                "nobody said how a run is doing for {seconds} s: is it on, and can it be reached?"
            );
            NO_ANSWER
        }
    })
}

fn eval_command(args: &EvalArgs) -> anyhow::Result<()> {
    let mut config = args.common.configuration()?;
    args.zenoh.apply(&mut config);
    args.policy.apply(&mut config);
    let options = args.options()?;
    if print_config(&args.common, &options.configured(&config))? {
        return Ok(());
    }
    let bundle = args.bundle.as_deref().context("--bundle is missing")?;
    let stop = Stop::on_signals()?.within(args.common.seconds);
    let report = evaluate(bundle, &config, &options, &stop, |episode| {
        let outcome = episode.cause.map_or("success", Cause::name);
        tracing::info!("{}, seed {}: {outcome} after {:.1} s", episode.task, episode.seed, episode.seconds);
    })?;
    if args.common.json {
        print_json(&report)?;
    } else {
        print_line(report.table().trim_end())?;
    }
    if let Some(output) = &options.output {
        tracing::info!("{}", output.join("eval.json").display());
    }
    Ok(())
}

fn demo_command(args: DemoArgs) -> anyhow::Result<bool> {
    let mut config = args.common.configuration()?;
    args.policy.apply(&mut config);
    if print_config(&args.common, &config)? {
        return Ok(true);
    }
    let say: Say = Arc::new(|words| tracing::info!("{words}"));
    if let Some(rig) = args.rig {
        let stop = Stop::on_signals()?.within(args.common.seconds);
        let options = EvalOptions { rig: Some(rig), ..EvalOptions::in_lock_step(parse_seeds(&args.seeds)?) };
        let is_done = show(&args.bundle, &options, args.plot.as_deref(), &config, &stop, &say)?;
        if let Some(path) = &args.plot {
            tracing::info!("{} shows what it did", path.display());
        }
        return Ok(is_done);
    }
    let stop = Stop::on_signals()?;
    let dataset = args.dataset.context("--dataset is missing")?;
    let options = DemoOptions {
        bundle: args.bundle,
        replay: args.episode.options(dataset, true, true),
        duration: args.common.seconds.unwrap_or(Duration::from_secs(20)),
        plot: args.plot,
    };
    let summary = demo(&options, &config, &stop, &say)?;
    log_summary(&summary.run);
    let (out, seen) = (summary.run.chunk_count, summary.watch.chunk_count);
    tracing::info!(
        "{out} chunks were published, the onlooker saw {seen}; the robot played {} rows",
        summary.replay.row_count
    );
    if let Some(path) = &options.plot {
        tracing::info!("{} shows the last chunk over the joints' history", path.display());
    }
    if args.common.json {
        print_json(&summary)?;
    }
    Ok(summary.is_complete())
}

fn print_config(args: &CommonArgs, config: &Config) -> anyhow::Result<bool> {
    config.validate()?;
    if args.print_config {
        print_line(config.to_toml()?.trim_end())?;
    }
    Ok(args.print_config)
}

fn print_json(value: &impl Serialize) -> std::io::Result<()> {
    print_line(&serde_json::to_string(value)?)
}

fn print_line(text: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{text}")?;
    stdout.flush()
}
