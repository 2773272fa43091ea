//! Every operation, run by ONNX Runtime, against what torch recorded.

use crate::support::{Array, Bench, Recorded, assert_close, weights};
use sinew_models::ops::{Heads, Ops, Rope};
use sinew_trainer::export::GraphDtype;

const TOLERANCE: f32 = 1e-6;

#[test]
fn linear_layers_multiply_by_the_transpose() {
    let recorded = Recorded::open();
    let weights = weights(&[("w", recorded.floats("linear.w")), ("b", recorded.floats("linear.b"))]);
    let mut bench = Bench::new(GraphDtype::F32, &weights);
    let x = bench.floats("x", &recorded.floats("linear.x"));
    let (w, b) = (bench.ops.param("w", &[5, 4]).unwrap(), bench.ops.param("b", &[5]).unwrap());
    bench.ops.output("y", &bench.ops.linear(&x, &w, Some(&b)).unwrap()).unwrap();
    bench.ops.output("y_without_bias", &bench.ops.linear(&x, &w, None).unwrap()).unwrap();
    let outputs = bench.run();
    for name in ["y", "y_without_bias"] {
        assert_close(name, &outputs[name], &recorded.floats(&format!("linear.{name}")), TOLERANCE);
    }
}

#[test]
fn a_kernel_stored_with_more_axes_is_a_matrix_too() {
    let recorded = Recorded::open();
    let kernel = Array { shape: vec![5, 1, 2, 2], ..recorded.floats("linear.w") };
    let weights = weights(&[("kernel", kernel)]);
    let mut bench = Bench::new(GraphDtype::F32, &weights);
    let x = bench.floats("x", &recorded.floats("linear.x"));
    let kernel = bench.ops.param("kernel", &[5, 1, 2, 2]).unwrap();
    let matrix = bench.ops.reshape(&kernel, &[5, 4]).unwrap();
    bench.ops.output("y", &bench.ops.linear(&x, &matrix, None).unwrap()).unwrap();
    assert_close("y", &bench.run()["y"], &recorded.floats("linear.y_without_bias"), TOLERANCE);
}

#[test]
fn a_computed_matrix_can_be_a_weight() {
    let recorded = Recorded::open();
    let weights = weights(&[]);
    let mut bench = Bench::new(GraphDtype::F32, &weights);
    let x = bench.floats("x", &recorded.floats("linear.x"));
    let w = bench.floats("w", &recorded.floats("linear.w"));
    bench.ops.output("y", &bench.ops.linear(&x, &w, None).unwrap()).unwrap();
    assert_close("y", &bench.run()["y"], &recorded.floats("linear.y_without_bias"), TOLERANCE);
}

#[test]
fn embeddings_pick_rows() {
    let recorded = Recorded::open();
    let weights = weights(&[("table", recorded.floats("embedding.table"))]);
    let mut bench = Bench::new(GraphDtype::F32, &weights);
    let ids = bench.ids("ids", &recorded.ids("embedding.ids"));
    let table = bench.ops.param("table", &[6, 4]).unwrap();
    bench.ops.output("y", &bench.ops.embedding(&table, &ids).unwrap()).unwrap();
    assert_close("y", &bench.run()["y"], &recorded.floats("embedding.y"), 0.0);
}

#[test]
fn activations_follow_their_formulas() {
    let recorded = Recorded::open();
    let weights = weights(&[]);
    let mut bench = Bench::new(GraphDtype::F32, &weights);
    let x = bench.floats("x", &recorded.floats("gelu_tanh.x"));
    bench.ops.output("gelu_tanh", &bench.ops.gelu_tanh(&x).unwrap()).unwrap();
    bench.ops.output("silu", &bench.ops.silu(&x).unwrap()).unwrap();
    let outputs = bench.run();
    for name in ["gelu_tanh", "silu"] {
        assert_close(name, &outputs[name], &recorded.floats(&format!("{name}.y")), TOLERANCE);
    }
}

#[test]
fn norms_follow_their_formulas() {
    let recorded = Recorded::open();
    let weights = weights(&[("w", recorded.floats("norm.w")), ("b", recorded.floats("norm.b"))]);
    let mut bench = Bench::new(GraphDtype::F32, &weights);
    let x = bench.floats("x", &recorded.floats("norm.x"));
    let small = bench.floats("small", &recorded.floats("norm.small"));
    let (w, b) = (bench.ops.param("w", &[8]).unwrap(), bench.ops.param("b", &[8]).unwrap());
    bench.ops.output("layer", &bench.ops.layer_norm(&x, &w, &b, 1e-6).unwrap()).unwrap();
    bench.ops.output("rms", &bench.ops.rms_norm(&small, &w, 1e-5).unwrap()).unwrap();
    let outputs = bench.run();
    // The mean is ten times the spread: float32 keeps one digit fewer of the difference.
    assert_close("layer_norm", &outputs["layer"], &recorded.floats("norm.layer"), 1e-5);
    assert_close("rms_norm", &outputs["rms"], &recorded.floats("norm.rms"), TOLERANCE);
}

#[test]
fn rope_rotates_every_head_by_its_position() {
    let recorded = Recorded::open();
    let weights = weights(&[]);
    let mut bench = Bench::new(GraphDtype::F32, &weights);
    let x = bench.floats("x", &recorded.floats("rope.x"));
    let positions = bench.ids("positions", &recorded.ids("rope.positions"));
    let rope = Rope { head_dim: 8, base: 10000.0, position_count: 201 };
    bench.ops.output("y", &bench.ops.rope(&x, &positions, &rope).unwrap()).unwrap();
    // At position 200 an angle has lost eight bits of its float32.
    assert_close("rope", &bench.run()["y"], &recorded.floats("rope.y"), 2e-5);
}

#[test]
fn attention_without_a_mask_sees_everything() {
    let recorded = Recorded::open();
    let weights = weights(&[]);
    let mut bench = Bench::new(GraphDtype::F32, &weights);
    let [q, k, v] =
        ["q", "k", "v"].map(|name| bench.floats(name, &recorded.floats(&format!("attention.{name}"))));
    let y = bench.ops.attention(&q, &k, &v, None, Heads::uniform(4, 8)).unwrap();
    bench.ops.output("y", &y).unwrap();
    assert_close("attention", &bench.run()["y"], &recorded.floats("attention.y"), TOLERANCE);
}

#[test]
fn grouped_attention_shares_keys_and_a_fully_masked_row_is_uniform() {
    let recorded = Recorded::open();
    let weights = weights(&[]);
    let mut bench = Bench::new(GraphDtype::F32, &weights);
    let [q, k, v, mask] =
        ["q", "k", "v", "mask"].map(|name| bench.floats(name, &recorded.floats(&format!("grouped.{name}"))));
    let heads = Heads { query: 6, key_value: 2, dim: 8 };
    for (name, mask) in [("y", Some(&mask)), ("y_without_mask", None)] {
        let y = bench.ops.attention(&q, &k, &v, mask, heads).unwrap();
        bench.ops.output(name, &y).unwrap();
    }
    let outputs = bench.run();
    for name in ["y", "y_without_mask"] {
        assert_close(name, &outputs[name], &recorded.floats(&format!("grouped.{name}")), TOLERANCE);
    }
}

#[test]
fn fast_sinusoids_keep_their_digits() {
    let recorded = Recorded::open();
    let weights = weights(&[]);
    let mut bench = Bench::new(GraphDtype::F32, &weights);
    let time = bench.floats("time", &recorded.floats("sinusoid.time"));
    let y = bench.ops.sinusoid(&time, &recorded.doubles("sinusoid.frequencies").values).unwrap();
    bench.ops.output("y", &y).unwrap();
    assert_close("sinusoid", &bench.run()["y"], &recorded.floats("sinusoid.y"), 1e-7);
}

#[test]
fn layouts_and_arithmetic_are_exact() {
    let recorded = Recorded::open();
    let weights = weights(&[]);
    let mut bench = Bench::new(GraphDtype::F32, &weights);
    let x = bench.floats("x", &recorded.floats("layout.x"));
    let row = bench.floats("row", &recorded.floats("layout.row"));
    let ops = &bench.ops;
    let first = ops.slice(&x, 1, 0, 1).unwrap();
    let results = [
        ("permuted", ops.permute(&x, &[2, 0, 1]).unwrap()),
        ("sliced", ops.slice(&x, 1, 1, 2).unwrap()),
        ("expanded", ops.expand(&row, &[3, 4]).unwrap()),
        ("joined", ops.concat(&[&x, &first], 1).unwrap()),
        ("sum", ops.add(&x, &row).unwrap()),
        ("product", ops.mul(&x, &row).unwrap()),
        ("scaled", ops.scale(&x, -2.5).unwrap()),
    ];
    for (name, value) in &results {
        ops.output(name, value).unwrap();
    }
    let names = results.map(|(name, _)| name);
    let outputs = bench.run();
    for name in names {
        assert_close(name, &outputs[name], &recorded.floats(&format!("layout.{name}")), 0.0);
    }
}

#[test]
fn half_precision_costs_what_its_eleven_bits_cost() {
    let recorded = Recorded::open();
    let weights = weights(&[("w", recorded.floats("linear.w")), ("b", recorded.floats("linear.b"))]);
    let mut bench = Bench::new(GraphDtype::F16, &weights);
    let x = bench.floats("x", &recorded.floats("linear.x"));
    let [q, k, v] =
        ["q", "k", "v"].map(|name| bench.floats(name, &recorded.floats(&format!("attention.{name}"))));
    let (w, b) = (bench.ops.param("w", &[5, 4]).unwrap(), bench.ops.param("b", &[5]).unwrap());
    bench.ops.output("linear", &bench.ops.linear(&x, &w, Some(&b)).unwrap()).unwrap();
    let y = bench.ops.attention(&q, &k, &v, None, Heads::uniform(4, 8)).unwrap();
    bench.ops.output("attention", &y).unwrap();
    let outputs = bench.run();
    for name in ["linear", "attention"] {
        let expected = recorded.floats(&format!("{name}.y"));
        assert_close(name, &outputs[name], &expected, 2e-3);
        assert_ne!(outputs[name], expected, "{name} was not computed in float16");
    }
}

#[test]
fn tags_name_values_and_can_be_looked_at() {
    let recorded = Recorded::open();
    let weights = weights(&[]);
    let mut bench = Bench::new(GraphDtype::F32, &weights);
    bench.ops = bench.ops.expose_tags();
    let x = bench.floats("x", &recorded.floats("layout.x"));
    let doubled = bench.ops.tag("doubled", &bench.ops.scale(&x, 2.0).unwrap()).unwrap();
    let again = bench.ops.tag("again", &doubled).unwrap();
    bench.ops.output("y", &bench.ops.scale(&again, -1.25).unwrap()).unwrap();
    let outputs = bench.run();
    assert_eq!(outputs.keys().collect::<Vec<_>>(), ["again", "doubled", "y"]);
    assert_eq!(outputs["again"], outputs["doubled"]);
    assert_close("y", &outputs["y"], &recorded.floats("layout.scaled"), 0.0);
}
