//! What does not fit is refused while wiring, in words that name both shapes.

use crate::support::{self, Array, message};
use sinew_models::ops::{Heads, Ops, Rope};
use sinew_models::weights::Weights;
use sinew_trainer::export::{Dtype, GraphDtype, GraphOps, Tensor};

fn weights() -> Weights {
    let zeros = |shape: &[usize]| Array { shape: shape.to_vec(), values: vec![0.0; shape.iter().product()] };
    support::weights(&[("w", zeros(&[5, 4])), ("b", zeros(&[6]))])
}

fn input(ops: &GraphOps<'_>, shape: &[usize]) -> Tensor {
    ops.input(&format!("x{shape:?}"), Dtype::F32, shape).unwrap()
}

/// Asserts that every part is in the text.
fn assert_says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in: {text}");
    }
}

#[test]
fn a_linear_layer_of_the_wrong_width() {
    let weights = weights();
    let ops = GraphOps::new("case", GraphDtype::F32, &weights);
    let w = ops.param("w", &[5, 4]).unwrap();
    let text = message(ops.linear(&input(&ops, &[1, 3, 7]), &w, None));
    assert_says(&text, &["linear", "[1, 3, 7]", "`w` [5, 4]"]);

    let b = ops.param("b", &[6]).unwrap();
    let text = message(ops.linear(&input(&ops, &[1, 3, 4]), &w, Some(&b)));
    assert_says(&text, &["`b` [6]", "[5]"]);
}

#[test]
fn a_weight_that_the_checkpoint_has_in_another_shape() {
    let weights = weights();
    let ops = GraphOps::new("case", GraphDtype::F32, &weights);
    assert_says(&message(ops.param("w", &[4, 5])), &["`w`", "[4, 5]", "[5, 4]"]);
    assert_says(&message(ops.param("v", &[4, 5])), &["`v`", "missing"]);
}

#[test]
fn shapes_that_do_not_broadcast() {
    let weights = weights();
    let ops = GraphOps::new("case", GraphDtype::F32, &weights);
    let (a, b) = (input(&ops, &[1, 3, 4]), input(&ops, &[2, 4]));
    assert_says(&message(ops.add(&a, &b)), &["Add", "[1, 3, 4]", "[2, 4]"]);
    assert_says(&message(ops.mul(&a, &b)), &["Mul", "[1, 3, 4]", "[2, 4]"]);
    assert_says(&message(ops.expand(&a, &[1, 5, 4])), &["[1, 3, 4]", "[1, 5, 4]"]);
    // Expanding may repeat, never lose an axis.
    assert_says(&message(ops.expand(&a, &[3, 4])), &["[1, 3, 4]", "[3, 4]"]);
    let ids = ops.constant_ids(&[1], &[1]).unwrap();
    assert_says(&message(ops.add(&a, &ids)), &["F32", "I64"]);
}

#[test]
fn layouts_that_lose_or_invent_numbers() {
    let weights = weights();
    let ops = GraphOps::new("case", GraphDtype::F32, &weights);
    let (a, b) = (input(&ops, &[1, 3, 4]), input(&ops, &[1, 3, 5]));
    assert_says(&message(ops.reshape(&a, &[3, 5])), &["[1, 3, 4]", "[3, 5]"]);
    assert_says(&message(ops.permute(&a, &[0, 1, 1])), &["[1, 3, 4]", "[0, 1, 1]"]);
    assert_says(&message(ops.concat(&[&a, &b], 1)), &["[1, 3, 4]", "[1, 3, 5]"]);
    assert_says(&message(ops.concat(&[&a, &b], 3)), &["axis 3"]);
    assert_says(&message(ops.slice(&a, 1, 2, 2)), &["[1, 3, 4]", "2..4"]);
    assert_says(&message(ops.constant(&[1.0; 5], &[2, 3])), &["5 numbers", "[2, 3]"]);
}

#[test]
fn norms_of_the_wrong_width() {
    let weights = weights();
    let ops = GraphOps::new("case", GraphDtype::F32, &weights);
    let (x, b) = (input(&ops, &[1, 3, 4]), ops.param("b", &[6]).unwrap());
    assert_says(&message(ops.rms_norm(&x, &b, 1e-5)), &["[1, 3, 4]", "[6]"]);
    assert_says(&message(ops.layer_norm(&x, &b, &b, 1e-5)), &["[1, 3, 4]", "[6]"]);
}

#[test]
fn rope_of_the_wrong_length_or_type() {
    let weights = weights();
    let ops = GraphOps::new("case", GraphDtype::F32, &weights);
    let rope = Rope { head_dim: 8, base: 10000.0, position_count: 10 };
    let x = input(&ops, &[1, 3, 16]);
    let positions = ops.input("positions", Dtype::I64, &[1, 4]).unwrap();
    assert_says(&message(ops.rope(&x, &positions, &rope)), &["[1, 3, 16]", "[1, 4]"]);
    let floats = input(&ops, &[1, 3]);
    assert_says(&message(ops.rope(&x, &floats, &rope)), &["int64"]);
    let narrow = input(&ops, &[1, 3, 12]);
    let positions = ops.constant_ids(&[0, 1, 2], &[1, 3]).unwrap();
    assert_says(&message(ops.rope(&narrow, &positions, &rope)), &["[1, 3, 12]", "heads · 8"]);
}

#[test]
fn attention_whose_parts_do_not_fit() {
    let weights = weights();
    let ops = GraphOps::new("case", GraphDtype::F32, &weights);
    let heads = Heads { query: 4, key_value: 2, dim: 8 };
    let (q, k, v) = (input(&ops, &[1, 3, 32]), input(&ops, &[1, 5, 16]), input(&ops, &[1, 6, 16]));
    assert_says(
        &message(ops.attention(&q, &k, &v, None, heads)),
        &["[1, 3, 32]", "[1, 6, 16]", "[1, 5, 16]"],
    );
    assert_says(&message(ops.attention(&k, &k, &k, None, heads)), &["[1, 5, 16]", "query: 4"]);
    let mask = input(&ops, &[1, 3, 3]);
    assert_says(&message(ops.attention(&q, &k, &k, Some(&mask), heads)), &["[1, 3, 3]", "3, 5]"]);
}

#[test]
fn ids_without_a_row() {
    let weights = weights();
    let ops = GraphOps::new("case", GraphDtype::F32, &weights);
    let table = ops.param("w", &[5, 4]).unwrap();
    for id in [5, -1] {
        let ids = ops.constant_ids(&[0, id], &[1, 2]).unwrap();
        assert_says(&message(ops.embedding(&table, &ids)), &["[5, 4]", &format!("id {id}")]);
    }
    let floats = input(&ops, &[1, 2]);
    assert_says(&message(ops.embedding(&table, &floats)), &["F32"]);
}

#[test]
fn names_that_are_taken() {
    let weights = weights();
    let ops = GraphOps::new("case", GraphDtype::F32, &weights);
    let x = input(&ops, &[1, 3]);
    let y = ops.tag("y", &ops.scale(&x, 2.0).unwrap()).unwrap();
    assert_says(&message(ops.tag("y", &ops.scale(&y, 2.0).unwrap())), &["`y`", "case"]);
    assert_says(&message(ops.input("y", Dtype::F32, &[1])), &["`y`"]);
}
