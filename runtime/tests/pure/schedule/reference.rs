//! The queue does what LeRobot's classes were recorded to do (`tests/fixtures/queues`).

use serde_json::Value;
use sinew_runtime::schedule::{LatencyWindow, Merge, Rows, StepQueue};

fn traces(kind: &str) -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/queues/traces.json");
    let traces: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    traces[kind].as_array().unwrap().clone()
}

fn numbers(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|row| match row {
            Value::Array(_) => numbers(row),
            number => vec![number.as_f64().unwrap()],
        })
        .collect()
}

fn count(value: &Value) -> usize {
    value.as_u64().unwrap() as usize
}

/// What is not there is nothing, as the reference says it.
fn take(queue: &mut StepQueue) -> Option<Vec<f64>> {
    let mut row = vec![0.0; 2];
    queue.take(&mut row).then_some(row)
}

#[test]
fn a_new_chunk_replaces_the_old_as_in_the_action_queue() {
    let mut merge_count = 0;
    for trace in traces("action_queue") {
        let mut queue = StepQueue::new(2, count(&trace["steps"]), Merge::Replace);
        for event in trace["events"].as_array().unwrap() {
            for expected in event["get"].as_array().into_iter().flatten() {
                // The reference's robot takes ten times what the policy says.
                let found = take(&mut queue).map(|row| row.iter().map(|x| 10.0 * x).collect::<Vec<f64>>());
                assert_eq!(found, expected.as_array().map(|_| numbers(expected)));
            }
            let Some(rows) = event.get("merge") else { continue };
            // From here on the policy computes: its chunk begins with the step that is next now.
            let position = queue.front();
            let left_over: Vec<f64> =
                (position..).map_while(|step| queue.get(step)).flatten().copied().collect();
            assert_eq!(
                left_over,
                event["left_over"].as_array().map_or(vec![], |_| numbers(&event["left_over"]))
            );
            for expected in event["during"].as_array().unwrap() {
                let found: Vec<f64> = take(&mut queue).unwrap().iter().map(|x| 10.0 * x).collect();
                assert_eq!(found, numbers(expected));
            }
            queue.merge(Rows { position: position as f64, values: &numbers(rows) });
            assert_eq!(queue.len(), count(&event["left"]));
            merge_count += 1;
        }
        assert!(queue.is_empty());
    }
    assert_eq!(merge_count, 240);
}

#[test]
fn an_ensemble_averages_as_acts_does() {
    for trace in traces("ensembler") {
        let coefficient = trace["coefficient"].as_f64().unwrap();
        let mut queue = StepQueue::new(2, count(&trace["steps"]), Merge::Ensemble { coefficient });
        for update in trace["updates"].as_array().unwrap() {
            queue.merge(Rows { position: queue.front() as f64, values: &numbers(&update["chunk"]) });
            let (found, expected) = (take(&mut queue).unwrap(), numbers(&update["action"]));
            for (found, expected) in found.iter().zip(expected) {
                // The reference averages in float32.
                assert!((found - expected).abs() < 2e-6, "{found} is not {expected}");
            }
        }
    }
}

/// The reference's quantiles, but for the first sample, which it counts like any other, and for its largest, which
/// it takes over all samples there ever were.
#[test]
fn latencies_have_the_quantiles_of_the_latency_tracker() {
    for trace in traces("latency") {
        for quantile in ["0.0", "0.5", "0.9", "0.95"] {
            let mut window = LatencyWindow::new(count(&trace["window"]), quantile.parse().unwrap());
            window.add(0);
            for sample in trace["samples"].as_array().unwrap() {
                window.add((sample["latency_s"].as_f64().unwrap() * 1e9) as i64);
                let expected = sample["quantiles"][quantile].as_f64().unwrap();
                let found = window.expected_ns() / 1e9;
                assert!((found - expected).abs() < 1e-6, "{quantile}: {found} is not {expected}");
            }
        }
    }
}
