//! Events and summaries for people, on standard error.

use sinew_runtime::record::Outcome;
use sinew_runtime::telemetry::{Event, EventKind, RecordingReport, RecordingState, StreamReport, Summary};

/// What happens in a run or a recording.
pub(crate) fn log_event(event: &Event) {
    match &event.kind {
        EventKind::Ready(ready) => tracing::info!(
            "ready: bundle {} for {} on {}; listening on {}; instruction: {}",
            ready.bundle_id,
            ready.embodiment,
            ready.execution_provider,
            if ready.locators.is_empty() { "nothing".to_owned() } else { ready.locators.join(" ") },
            ready.instruction.as_deref().unwrap_or("none yet"),
        ),
        EventKind::Chunk(chunk) => {
            tracing::debug!(
                "chunk {}, {:.0} ms after its observation",
                chunk.sequence,
                chunk.observation_to_publish_ms
            );
        }
        EventKind::Listeners { outputs } => {
            for (key, _) in outputs.iter().filter(|(_, listeners)| listeners.count == 0) {
                tracing::warn!("nobody on the robot listens to {key}");
            }
        }
        EventKind::Merged(_) | EventKind::ChunkEnd(_) => {}
        EventKind::Motion { state, message: None, .. } => tracing::info!("motion: {}", state.name()),
        EventKind::Motion { state, message: Some(message), .. } => {
            tracing::warn!("motion: {}: {message}", state.name());
        }
        EventKind::NotReady { message, .. } => tracing::info!("waiting: {message}"),
        EventKind::Instruction { text, refusal: None, .. } => tracing::info!("instruction: {text}"),
        EventKind::Instruction { refusal: Some(refusal), .. } => {
            tracing::warn!("instruction refused: {refusal}")
        }
        EventKind::Unusable { stream, fault, count, message } => {
            tracing::warn!("{stream}: {count} messages were not used so far ({fault}); the last: {message}");
        }
        EventKind::CameraTopics { camera, used, ignored } => {
            tracing::warn!("camera {camera}: {used} is used, not {ignored}, which is alive too");
        }
        EventKind::FrameSize { camera, bundle: [width, height], found: [found_width, found_height] } => {
            tracing::warn!(
                "camera {camera}: the bundle was trained with {width}×{height} pixels, frames have {found_width}×{found_height}"
            )
        }
        EventKind::RealTime { refusal: None, .. } => {}
        EventKind::RealTime { priority, refusal: Some(refusal) } => tracing::warn!(
            "no real-time priority {priority} for the control tick ({refusal}): other programs can keep it waiting; \
             `sinew-runtime check` says what to do"
        ),
        EventKind::RecorderReady { robot, locators } => tracing::info!(
            "ready to record {robot}; listening on {}",
            if locators.is_empty() { "nothing".to_owned() } else { locators.join(" ") }
        ),
        EventKind::Recording(report) => log_recording(report),
        EventKind::Error { message } => tracing::error!("{message}"),
        EventKind::Summary(_) => {}
    }
}

fn log_recording(report: &RecordingReport) {
    let path = report.path.as_deref().map_or_else(String::new, |path| path.display().to_string());
    let message = report.message.as_deref().unwrap_or_default();
    match report.state {
        RecordingState::Started => tracing::info!("recording {path}"),
        RecordingState::Ended => tracing::info!(
            "recorded {path}: {} messages, {}",
            report.message_count,
            report.outcome.map_or("not marked", Outcome::name)
        ),
        RecordingState::Failed => tracing::error!("RECORDING STOPPED: {message}"),
        RecordingState::Behind | RecordingState::MarkRefused => tracing::warn!("{message}"),
    }
}

/// What a run came to.
pub(crate) fn log_summary(summary: &Summary) {
    let (whole, received) = (summary.observation_to_publish, summary.receive_to_publish);
    tracing::info!(
        "{} chunks in {:.1} s; observation to publication p50 {:.1} ms, p99 {:.1} ms; arrival to publication p50 {:.1} \
         ms, p99 {:.1} ms",
        summary.chunk_count,
        summary.seconds,
        whole.p50_ms,
        whole.p99_ms,
        received.p50_ms,
        received.p99_ms,
    );
    for (name, stream) in &summary.streams {
        let StreamReport { received, dropped, lost, .. } = stream;
        let faults = stream.unusable().filter(|(_, count, _)| *count > 0);
        let faults: String = faults.map(|(fault, count, _)| format!(", {count} {fault}")).collect();
        let lost = if *lost > 0 { format!(", lost {lost} times") } else { String::new() };
        tracing::info!("{name}: {received} messages, {dropped} replaced by newer ones{faults}{lost}");
    }
    let failed = summary.failed_chunk_count;
    for (count, what) in [
        (failed, "chunks could not be published"),
        (summary.clamped_chunk_count, "chunks had joints held at a limit"),
        (summary.expired_chunk_count, "chunks were over when they were published"),
        (summary.lost_event_count, "events were lost: standard output was not read in time"),
    ] {
        if count > 0 {
            tracing::warn!("{count} {what}");
        }
    }
}
