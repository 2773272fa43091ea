//! Starts that are refused: exit code 2 or 1, nothing on standard output, both sides named.

use crate::kit::{bundle, complete, edit_manifest};
use serde_json::{Value, json};
use std::fs;
use tempfile::TempDir;

fn refusal(bundle: &TempDir, arguments: &[&str]) -> (i32, String) {
    let folder = bundle.path().to_str().unwrap();
    let (code, stdout, stderr) = complete(&[&["run", "--bundle", folder], arguments].concat());
    assert_eq!(stdout, "");
    (code, stderr)
}

#[test]
fn a_bundle_that_is_not_what_it_says_is_refused() {
    type Change = fn(&mut Value);
    let cases: [(Change, &[&str]); 8] = [
        (|m| m["cameras"][0]["name"] = json!("haed"), &["`haed`", "robot `r1pro`", "`head`"]),
        (
            |m| m["action"]["dimensions"][7]["name"] = json!("left_arm_joint8"),
            &["`left_arm_joint8`", "`r1pro`"],
        ),
        (|m| m["state"]["dimensions"][0]["unit"] = json!("m"), &["`left_arm_joint1.pos`", "`m`", "`rad`"]),
        (
            |m| drop(m["action"]["dimensions"].as_array_mut().unwrap().remove(8)),
            &["`left_arm`", "`left_arm_joint2`"],
        ),
        (
            |m| drop(m["state"]["dimensions"][3]["statistics"].as_object_mut().unwrap().remove("std")),
            &["std"],
        ),
        (|m| m["state"]["dimensions"][3]["statistics"]["mean"] = Value::Null, &["bundle.json", "null"]),
        (|m| m["format_version"] = json!(2), &["this build says 1", "the bundle says 2"]),
        (
            |m| m["files"]["vision.onnx"]["byte_count"] = json!(1),
            &["vision.onnx", "bundle.json says sha256", "the file says sha256"],
        ),
    ];
    for (change, expected) in cases {
        let bundle = bundle();
        edit_manifest(&bundle, change);
        let (code, stderr) = refusal(&bundle, &[]);
        assert_eq!(code, 2, "{stderr}");
        for words in expected {
            assert!(stderr.contains(words), "`{stderr}` does not say {words}");
        }
    }
}

#[test]
fn a_file_that_was_touched_is_refused_with_both_hashes() {
    let bundle = bundle();
    let path = bundle.path().join("denoise.onnx");
    let mut content = fs::read(&path).unwrap();
    *content.last_mut().unwrap() ^= 1;
    fs::write(&path, content).unwrap();
    let (code, stderr) = refusal(&bundle, &[]);
    assert_eq!(code, 2, "{stderr}");
    assert_eq!(stderr.matches("sha256").count(), 2, "{stderr}");
}

#[test]
fn a_statistic_that_is_not_the_exported_one_is_refused_with_both_sides() {
    let bundle = bundle();
    let path = bundle.path().join("bundle.json");
    let exported = fs::read_to_string(&path).unwrap();
    let manifest: Value = serde_json::from_str(&exported).unwrap();
    let mean = format!("\"mean\": {}", manifest["state"]["dimensions"][3]["statistics"]["mean"]);
    assert_eq!(exported.matches(&mean).count(), 1);
    let edited = exported.replace(&mean, "\"mean\": 0.25");
    fs::write(&path, &edited).unwrap();
    let (code, stderr) = refusal(&bundle, &[]);
    assert_eq!(code, 2, "{stderr}");
    let written = manifest["bundle_id"].as_str().unwrap();
    let found = sinew_models::contract::identity(&edited, written);
    for words in
        ["bundle.json", &format!("`bundle_id` says {written}"), &format!("the rest of the file says {found}")]
    {
        assert!(stderr.contains(words), "`{stderr}` does not say {words}");
    }
}

#[test]
fn a_graph_with_another_signature_is_refused_with_both_sides() {
    let bundle = bundle();
    // As if the graphs had a layer more than they have.
    edit_manifest(&bundle, |manifest| {
        manifest["model"]["text"]["num_hidden_layers"] = json!(3);
        manifest["model"]["cross_layers"] = json!([false, true, false]);
    });
    let (code, stderr) = refusal(&bundle, &[]);
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("outputs of prefix.onnx: the manifest says `k.2`, `v.2`"), "{stderr}");
    let bundle = crate::kit::bundle();
    edit_manifest(&bundle, |manifest| manifest["model"]["chunk_size"] = json!(25));
    let (_, stderr) = refusal(&bundle, &[]);
    assert!(
        stderr.contains("`x_t` of denoise.onnx") && stderr.contains("25") && stderr.contains("50"),
        "{stderr}"
    );
}

#[test]
fn a_configuration_that_does_not_fit_is_refused() {
    let (bundle, folder) = (bundle(), TempDir::new().unwrap());
    let file = folder.path().join("robot.toml");
    let cases = [
        ("[cameras]\nhaed = \"/x\"\n", "`haed`"),
        ("[sync]\nmax_skew = 3\n", "the nearest is `sync.max_skew_ms`"),
        ("[policy]\nbundle_id = \"0000\"\n", "the configuration says `0000`"),
    ];
    for (text, words) in cases {
        fs::write(&file, text).unwrap();
        let (code, stderr) = refusal(&bundle, &["--config", file.to_str().unwrap()]);
        assert_eq!(code, 2, "{stderr}");
        assert!(stderr.contains(words), "`{stderr}` does not say {words}");
    }
    assert_eq!(refusal(&bundle, &["--camera", "head"]).0, 2);
}

#[test]
fn a_description_of_another_robot_is_refused_with_both_sides() {
    let (bundle, folder) = (bundle(), TempDir::new().unwrap());
    let r1pro = repository_file("models/embodiments/r1pro.toml");
    let file = folder.path().join("other.toml");
    let other = fs::read_to_string(&r1pro).unwrap().replace("name = \"r1pro\"", "name = \"r2\"");
    fs::write(&file, other).unwrap();
    let (code, stderr) = refusal(&bundle, &["--robot-file", file.to_str().unwrap()]);
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("the bundle says `r1pro`") && stderr.contains("says `r2`"), "{stderr}");
    let (runtime, _) = crate::kit::Program::run(&bundle, &["--robot-file", &r1pro]);
    runtime.signal("TERM");
    assert!(runtime.rest().1.success());
}

#[test]
fn a_missing_library_says_what_to_do() {
    let bundle = bundle();
    let (code, stderr) = refusal(&bundle, &["--onnxruntime", "/nonexistent/libonnxruntime.so.1"]);
    assert_eq!(code, 1, "{stderr}");
    assert!(
        stderr.contains("/nonexistent/libonnxruntime.so.1") && stderr.contains("pip install"),
        "{stderr}"
    );
    let no_library = repository_file("Cargo.toml");
    let (code, stderr) = refusal(&bundle, &["--onnxruntime", &no_library]);
    assert_eq!(code, 1, "{stderr}");
    assert!(stderr.contains(&no_library), "{stderr}");
}

/// This build has no CUDA: an error by default, the CPU if the user allows it.
#[cfg(not(feature = "cuda"))]
#[test]
fn cuda_that_cannot_be_had_is_an_error_unless_the_cpu_is_allowed() {
    let bundle = bundle();
    let (code, stderr) = refusal(&bundle, &["--execution-provider", "cuda"]);
    assert_eq!(code, 1, "{stderr}");
    assert!(stderr.contains("`cuda`") && stderr.contains("allow_cpu_fallback"), "{stderr}");
    let arguments = ["--execution-provider", "cuda", "--allow-cpu-fallback"];
    let (runtime, _) = crate::kit::Program::run(&bundle, &arguments);
    runtime.signal("TERM");
    let (_, status) = runtime.rest();
    assert!(status.success(), "{status}");
}

#[test]
fn the_printed_configuration_is_the_resulting_one() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("robot.toml");
    fs::write(&file, "[zenoh]\nmode = \"client\"\nnamespace = \"lab\"\n").unwrap();
    let arguments = ["run", "--config", file.to_str().unwrap(), "--namespace", "field", "--print-config"];
    let (code, stdout, _) = complete(&arguments);
    assert_eq!(code, 0);
    let config = sinew_runtime::config::Config::parse(&stdout, "printed").unwrap();
    assert_eq!(config.zenoh.mode, sinew_runtime::config::Mode::Client);
    assert_eq!(config.zenoh.namespace, "field");
    assert_eq!(complete(&["run"]).0, 2);
}

fn repository_file(name: &str) -> String {
    crate::kit::repository().join(name).to_str().unwrap().to_owned()
}
