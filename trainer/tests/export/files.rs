//! What is written: valid ONNX, the same bytes every time, and the data types that were asked for.

use crate::support::{Array, Bench, assert_close, environment, graph, message, python, session, weights};
use ort::session::Session;
use prost::Message;
use sinew_models::ops::{Heads, Ops, Rope};
use sinew_models::weights::Weights;
use sinew_trainer::Error;
use sinew_trainer::export::onnx::{ModelProto, tensor_proto::DataLocation};
use sinew_trainer::export::{Dtype, GraphDtype, GraphOps, audit, write};
use std::path::Path;
use std::process::Command;

/// Numbers without a pattern that a transposed or shifted file would keep.
fn ramp(shape: &[usize]) -> Array<f32> {
    let count: usize = shape.iter().product();
    let values = (0..count).map(|i| ((i * i + 7 * i) % 101) as f32 / 101.0 - 0.5).collect();
    Array { shape: shape.to_vec(), values }
}

fn every_weight(width: usize) -> Weights {
    weights(&[
        ("table", ramp(&[6, width])),
        ("q", ramp(&[width, width])),
        ("kv", ramp(&[width / 2, width])),
        ("bias", ramp(&[width])),
        ("norm", ramp(&[width])),
        ("unused", ramp(&[3, width])),
    ])
}

/// One of every operation.
fn wire(ops: &GraphOps<'_>, width: usize) -> Result<(), Error> {
    let heads = Heads { query: 4, key_value: 2, dim: width / 4 };
    let rope = Rope { head_dim: heads.dim, base: 10000.0, position_count: 9 };
    let ids = ops.input("ids", Dtype::I64, &[1, 3])?;
    let positions = ops.input("positions", Dtype::I64, &[1, 3])?;
    let mask = ops.input("mask", Dtype::F32, &[1, 3, 3])?;
    let time = ops.input("time", Dtype::F32, &[1, 3])?;

    let table = ops.param("table", &[6, width])?;
    let [bias, norm] = [ops.param("bias", &[width])?, ops.param("norm", &[width])?];
    let [q, kv] = [ops.param("q", &[width, width])?, ops.param("kv", &[width / 2, width])?];
    let x = ops.scale(&ops.embedding(&table, &ids)?, 3.0)?;
    let waves = ops.sinusoid(&time, &vec![1.5; width / 2])?;
    let x = ops.tag("embedded", &ops.add(&x, &waves)?)?;
    ops.linear(&x, &ops.param("unused", &[3, width])?, None)?;
    let normalized = ops.rms_norm(&x, &norm, 1e-5)?;
    let queries = ops.rope(&ops.linear(&normalized, &q, Some(&bias))?, &positions, &rope)?;
    let [keys, values] = [ops.linear(&normalized, &kv, None)?, ops.linear(&normalized, &kv, None)?];
    let keys = ops.rope(&keys, &positions, &rope)?;
    let seen = ops.attention(&queries, &keys, &values, Some(&mask), heads)?;
    let all = ops.attention(&queries, &queries, &seen, None, Heads::uniform(4, width / 4))?;
    let mlp = ops.silu(&ops.gelu_tanh(&ops.linear(&all, &q, Some(&bias))?)?)?;
    let y = ops.layer_norm(&ops.mul(&mlp, &x)?, &norm, &bias, 1e-6)?;
    let y = ops.concat(&[&y, &ops.slice(&y, 1, 1, 2)?], 1)?;
    let y = ops.permute(&ops.reshape(&y, &[1, 5, 2, width / 2])?, &[0, 2, 1, 3])?;
    let y = ops.expand(&y, &[2, 2, 5, width / 2])?;
    ops.output("y", &ops.add(&y, &ops.constant(&[0.5], &[1])?)?)
}

fn read(path: &Path) -> ModelProto {
    ModelProto::decode(std::fs::read(path).unwrap().as_slice()).unwrap()
}

/// Width at which the weights exceed what stays in the model.
const LARGE: usize = 512;

#[test]
fn every_operation_passes_onnx_own_checker_and_opens() {
    for (dtype, width) in [(GraphDtype::F32, 16), (GraphDtype::F16, 16), (GraphDtype::F32, LARGE)] {
        let weights = every_weight(width);
        let folder = tempfile::tempdir().unwrap();
        let written =
            write(&graph(dtype, &weights, |ops| wire(ops, width)), &weights, folder.path()).unwrap();
        // With shape inference, which compares the shapes we wrote with those it finds.
        let program = "import onnx, sys; onnx.checker.check_model(sys.argv[1], full_check=True)";
        let output = Command::new(python()).args(["-c", program]).arg(&written.model).output().unwrap();
        assert!(output.status.success(), "{dtype:?}: {}", String::from_utf8_lossy(&output.stderr));
        session(&written.model);
    }
}

#[test]
fn many_weights_go_to_a_file_beside_the_model_and_come_back() {
    let (x, w, b) = (ramp(&[1, 2, 500]), ramp(&[600, 500]), ramp(&[600]));
    let weights = weights(&[("w", w.clone()), ("b", b.clone())]);
    let expected = {
        let (w, b) = (&w.values, &b.values);
        let dot = |row: &[f32], out: usize| {
            let products = row.iter().zip(&w[out * 500..]).map(|(x, w)| f64::from(*x) * f64::from(*w));
            (products.sum::<f64>() + f64::from(b[out])) as f32
        };
        let values = x.values.chunks(500).flat_map(|row| (0..600).map(move |out| dot(row, out))).collect();
        Array { shape: vec![1, 2, 600], values }
    };
    let mut bench = Bench::new(GraphDtype::F32, &weights);
    let x = bench.floats("x", &x);
    let [w, b] = [bench.ops.param("w", &[600, 500]).unwrap(), bench.ops.param("b", &[600]).unwrap()];
    bench.ops.output("y", &bench.ops.linear(&x, &w, Some(&b)).unwrap()).unwrap();
    assert_close("y", &bench.run()["y"], &expected, 1e-6);
}

#[test]
fn tensors_start_on_pages_and_small_ones_stay_in_the_model() {
    let weights = every_weight(LARGE);
    let folder = tempfile::tempdir().unwrap();
    let graph = graph(GraphDtype::F32, &weights, |ops| wire(ops, LARGE));
    let written = write(&graph, &weights, folder.path()).unwrap();
    assert_eq!(written.data.as_deref(), Some(folder.path().join("case.onnx.data").as_path()));
    for tensor in read(&written.model).graph.unwrap().initializer {
        let place =
            |key: &str| tensor.external_data.iter().find(|entry| entry.key == key).map(|e| e.value.as_str());
        if tensor.data_location() == DataLocation::External {
            assert_eq!(place("location"), Some("case.onnx.data"), "{}", tensor.name);
            assert_eq!(place("offset").unwrap().parse::<u64>().unwrap() % 4096, 0, "{}", tensor.name);
        } else {
            assert!(tensor.raw_data.unwrap().len() < 1024, "{}", tensor.name);
        }
    }
}

#[test]
fn equal_graphs_are_equal_bytes_and_hold_only_what_they_use() {
    let weights = every_weight(LARGE);
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let [first, second] = folders.each_ref().map(|folder| {
        write(&graph(GraphDtype::F32, &weights, |ops| wire(ops, LARGE)), &weights, folder.path()).unwrap()
    });
    assert_eq!(std::fs::read(&first.model).unwrap(), std::fs::read(&second.model).unwrap());
    assert_eq!(std::fs::read(first.data.unwrap()).unwrap(), std::fs::read(second.data.unwrap()).unwrap());
    let names: Vec<String> =
        read(&first.model).graph.unwrap().initializer.into_iter().map(|tensor| tensor.name).collect();
    assert!(!names.iter().any(|name| name.starts_with("unused")), "{names:?}");
    // Used by two layers, stored once.
    assert_eq!(names.iter().filter(|name| name.starts_with("kv")).count(), 1, "{names:?}");
}

#[test]
fn the_audit_counts_what_the_file_holds() {
    let weights = every_weight(LARGE);
    let folder = tempfile::tempdir().unwrap();
    for dtype in [GraphDtype::F32, GraphDtype::F16] {
        let graph = graph(dtype, &weights, |ops| wire(ops, LARGE));
        let written = write(&graph, &weights, folder.path()).unwrap();
        let bytes = audit::weight_bytes(&written.model).unwrap();
        let matrices = (6 * LARGE + LARGE * LARGE + LARGE / 2 * LARGE) as u64;
        match dtype {
            GraphDtype::F32 => {
                assert!(bytes["float32"] >= 4 * matrices && !bytes.contains_key("float16"), "{bytes:?}");
            }
            GraphDtype::F16 => {
                // The matrices and the bias of a linear layer; norms and tables of angles stay float32.
                assert_eq!(bytes["float16"], 2 * (matrices + LARGE as u64));
                assert!(bytes["float32"] < 16 * 1024, "{bytes:?}");
            }
        }
        audit::check_dtype(&written.model, dtype).unwrap();
        let other = if dtype == GraphDtype::F32 { GraphDtype::F16 } else { GraphDtype::F32 };
        let text = message(audit::check_dtype(&written.model, other));
        assert!(text.contains("float32") && text.contains("float16"), "{text}");
    }
}

#[test]
fn the_audit_misses_a_lost_tail() {
    let weights = every_weight(LARGE);
    let folder = tempfile::tempdir().unwrap();
    let graph = graph(GraphDtype::F32, &weights, |ops| wire(ops, LARGE));
    let data = write(&graph, &weights, folder.path()).unwrap().data.unwrap();
    let file = std::fs::File::options().write(true).open(&data).unwrap();
    file.set_len(file.metadata().unwrap().len() - 1).unwrap();
    let text = message(audit::weight_bytes(&folder.path().join("case.onnx")));
    assert!(text.contains("case.onnx.data") && text.contains("too few"), "{text}");
}

#[test]
fn a_weight_beyond_float16_is_refused_by_name() {
    let mut table = ramp(&[2, 2]);
    table.values[3] = 70000.0;
    let weights = weights(&[("w", table)]);
    let graph = graph(GraphDtype::F16, &weights, |ops| {
        let x = ops.input("x", Dtype::F32, &[1, 2])?;
        ops.output("y", &ops.linear(&x, &ops.param("w", &[2, 2])?, None)?)
    });
    let folder = tempfile::tempdir().unwrap();
    let text = message(write(&graph, &weights, folder.path()));
    assert!(text.contains("`w`") && text.contains("70000"), "{text}");
}

#[test]
fn onnx_runtime_recognises_the_norm_and_the_activations() {
    let weights = every_weight(16);
    let folder = tempfile::tempdir().unwrap();
    let written =
        write(&graph(GraphDtype::F32, &weights, |ops| wire(ops, 16)), &weights, folder.path()).unwrap();
    let optimized = folder.path().join("optimized.onnx");
    let builder = Session::builder(environment()).unwrap().with_optimized_model_path(&optimized).unwrap();
    { builder }.commit_from_file(&written.model).unwrap();
    let ops: Vec<String> =
        read(&optimized).graph.unwrap().node.into_iter().map(|node| node.op_type).collect();
    assert!(ops.iter().any(|op| op == "SimplifiedLayerNormalization"), "{ops:?}");
    assert!(ops.iter().any(|op| op == "QuickGelu"), "{ops:?}");
    assert!(!ops.iter().any(|op| op == "Pow" || op == "ReduceMean"), "{ops:?}");
}
