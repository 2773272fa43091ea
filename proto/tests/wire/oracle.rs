//! Both directions against PyPI's `rosbags`, and keys against `eclipse-zenoh`.

use crate::kinds::{KINDS, hex, kind, unhex};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use sinew_proto::key::Key;
use sinew_proto::schema;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Runs the oracle on lines of JSON and returns the lines it prints.
fn ask(arguments: &[&str], lines: &[Value]) -> Vec<Value> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let python =
        std::env::var_os("SINEW_PYTHON").map_or_else(|| repository.join(".venv/bin/python"), PathBuf::from);
    let questions = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.jsonl", arguments[0]));
    fs::write(&questions, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    let output = Command::new(&python)
        .arg(repository.join("tests/oracles/proto/rosbags_oracle.py"))
        .args(arguments)
        .stdin(File::open(&questions).unwrap())
        .stderr(Stdio::inherit())
        .output()
        .unwrap_or_else(|error| panic!("cannot run {}: {error}; run scripts/setup", python.display()));
    assert!(output.status.success(), "the oracle failed; if a package is missing, run scripts/setup");
    let answers = String::from_utf8(output.stdout).unwrap();
    answers.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn reads_what_rosbags_writes_in_both_byte_orders_and_writes_the_same_bytes() {
    const COUNT: usize = 40;
    let corpus = ask(&["random", &COUNT.to_string(), "20250607"], &[]);
    assert_eq!(corpus.len(), COUNT * KINDS.len());
    for message in corpus {
        let kind = kind(message["type"].as_str().unwrap());
        let [little, big] = ["little", "big"].map(|order| unhex(message[order].as_str().unwrap()));
        let expected = (message["value"].clone(), little.clone());
        assert_eq!((kind.transcode)(&little).as_ref(), Ok(&expected), "{}", kind.type_name);
        assert_eq!((kind.transcode)(&big).as_ref(), Ok(&expected), "{}, big endian", kind.type_name);
    }
}

#[test]
fn rosbags_reads_what_we_write() {
    let (mut questions, mut expected) = (vec![], vec![]);
    for kind in KINDS {
        for (value, bytes) in (kind.samples)(40) {
            let cdr = hex(&bytes);
            questions.push(json!({"type": kind.type_name, "cdr": cdr}));
            expected.push(json!({"value": value, "cdr": cdr}));
        }
    }
    let answers = ask(&["decode"], &questions);
    assert_eq!(answers.len(), questions.len());
    for ((question, answer), expected) in questions.iter().zip(answers).zip(expected) {
        assert_eq!(answer, expected, "{}", question["type"]);
    }
}

#[test]
fn definitions_stand_alone_and_have_the_type_hash_ros_2_knows() {
    let question =
        |schema: &schema::Schema| json!({"type": schema.type_name, "definition": schema.definition});
    let answers = ask(&["schemas"], &schema::ALL.iter().map(question).collect::<Vec<_>>());
    assert_eq!(answers.len(), schema::ALL.len());
    for (schema, answer) in schema::ALL.iter().zip(answers) {
        let name = schema.type_name;
        assert_eq!(schema::definition(name), Some(schema.definition));
        assert_eq!(answer["hash"].as_str(), sinew_proto::type_hash(name), "{name}");
        let contained = schema.definition.matches("MSG: ").count();
        assert_eq!(
            answer["contains"].as_array().unwrap().len(),
            1 + contained,
            "{name} repeats a definition"
        );
        if name.starts_with("sinew_msgs/") || name.starts_with("hdas_msg/") {
            assert_eq!(answer["known_hash"], Value::Null);
        } else {
            assert_eq!(answer["hash"], answer["known_hash"], "{name}");
        }
    }
}

#[test]
fn accepts_the_topics_that_zenoh_accepts_as_one_key() {
    let mut runner = TestRunner::deterministic();
    let strategy = "/?([a-z0-9_ @:{~.-]{1,3}/?){0,3}[a-z*$#?]";
    let mut topics: Vec<String> =
        (0..2000).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect();
    topics.extend(["", "/", "//", "a//b", "a/", "/a", "a/*/b", "a/**", "a$*"].map(String::from));
    let question = |topic: &String| json!(topic.strip_prefix('/').unwrap_or(topic));
    let answers = ask(&["keys"], &topics.iter().map(question).collect::<Vec<_>>());
    assert_eq!(answers.len(), topics.len());
    let accepted = answers.iter().filter(|answer| answer.as_bool().unwrap()).count();
    assert!(
        (500..1500).contains(&accepted),
        "{accepted} of {} topics are keys: a one-sided test",
        topics.len()
    );
    for (topic, answer) in topics.iter().zip(answers) {
        assert_eq!(json!(Key::of_topic(topic).is_ok()), answer, "{topic:?}");
    }
}
