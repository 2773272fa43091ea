//! Against numbers of others: tokenizer ids, LeRobot's list of tensors.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use serde_json::Value;
use sinew_models::checkpoint::{Checkpoint, PAD_ID};
use sinew_models::preprocess::InstructionTokenizer;
use sinew_models::weights::expected_tensors;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures").join(name)
}

fn json(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(fixture(name)).unwrap()).unwrap()
}

fn ids(value: &Value) -> Vec<i64> {
    value.as_array().unwrap().iter().map(|id| id.as_i64().unwrap()).collect()
}

#[test]
fn smolvlms_tokenizer_gives_the_published_ids() {
    let tokenizer = InstructionTokenizer::open(&fixture("tokenizer/tokenizer.json"), 48, PAD_ID).unwrap();
    let mut compared = 0;
    for case in json("tokenizer/reference_ids.json").as_array().unwrap() {
        let text = case["text"].as_str().unwrap();
        // The references are of the bare text; ours always ends in a newline.
        let expected = ids(&case["ids"]);
        if !text.ends_with('\n') || expected.len() > 48 {
            continue;
        }
        let found = tokenizer.encode(text).unwrap();
        assert_eq!(found.ids, ids(&case["padded48"]), "{text:?}");
        let valid: Vec<i64> = found.valid.iter().map(|valid| i64::from(*valid)).collect();
        assert_eq!(valid, ids(&case["mask48"]), "{text:?}");
        compared += 1;
    }
    assert!(compared >= 5, "only {compared} texts were compared");
}

#[test]
fn lerobots_pipeline_gives_the_same_tokens_padded_and_truncated() {
    let mut compared = 0;
    for case in json("golden/tiny/tokenizer_cases.json").as_array().unwrap() {
        let max_length = case["max_length"].as_u64().unwrap() as usize;
        let file = fixture("golden/tiny/tokenizer.json");
        let tokenizer = InstructionTokenizer::open(&file, max_length, PAD_ID).unwrap();
        let rows = case["texts"].as_array().unwrap().iter().zip(case["input_ids"].as_array().unwrap());
        for (text, expected) in rows {
            let expected = ids(expected);
            let found = tokenizer.encode(text.as_str().unwrap()).unwrap();
            // A batch padded to its longest text is shorter than ours, which pads to the full length.
            assert_eq!(found.ids[..expected.len()], expected, "{text}");
            assert!(found.ids[expected.len()..].iter().all(|id| *id == PAD_ID), "{text}");
            compared += 1;
        }
    }
    assert!(compared >= 10, "only {compared} texts were compared");
}

#[test]
fn a_newline_is_added_only_where_there_is_none() {
    let tokenizer = InstructionTokenizer::open(&fixture("golden/tiny/tokenizer.json"), 16, PAD_ID).unwrap();
    let with = tokenizer.encode("pick up the red cube\n").unwrap();
    assert_eq!(tokenizer.encode("pick up the red cube").unwrap(), with);
    assert_eq!(with.valid.iter().filter(|valid| **valid).count(), 6);
}

#[test]
fn a_checkpoint_has_exactly_the_tensors_that_lerobot_writes() {
    let checkpoint = Checkpoint::open(&fixture("golden/tiny"), None).unwrap();
    let written: BTreeMap<String, (String, Vec<usize>)> =
        serde_json::from_value(json("golden/tiny/tensors.json")).unwrap();
    let written: BTreeMap<String, Vec<usize>> =
        written.into_iter().map(|(name, (_, shape))| (name, shape)).collect();
    let expected: BTreeMap<String, Vec<usize>> =
        expected_tensors(&checkpoint.model).into_iter().map(|spec| (spec.name, spec.shape)).collect();
    assert_eq!(expected, written);
}

#[test]
fn the_published_model_has_500_tensors_and_450_million_parameters() {
    use sinew_models::config::{ModelConfig, PolicyConfig, VlmConfig};
    let config = ModelConfig::new(&PolicyConfig::default(), &VlmConfig::smolvlm2_500m(), None).unwrap();
    let tensors = expected_tensors(&config);
    assert_eq!(tensors.len(), 500);
    assert_eq!(tensors.iter().map(|spec| spec.shape.iter().product::<usize>()).sum::<usize>(), 450_046_176);
    assert_eq!((config.expert_hidden_size, config.expert_intermediate_size), (720, 2048));
    assert_eq!([1, 2, 3].map(|cameras| config.prefix_token_count(cameras, 48)), [113, 177, 241]);
}
