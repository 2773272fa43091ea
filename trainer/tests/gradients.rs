//! Every operation of the training model has a gradient, and it is the right one.
//!
//! candle has fused kernels that return no gradient and no error; a model built on one trains nothing, silently.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use candle_core::{Device, Tensor, Var};
use sinew_models::ops::{Heads, Ops, Rope};
use sinew_models::weights::Weights;
use sinew_trainer::Error;
use sinew_trainer::candle_ops::CandleOps;
use std::path::Path;

/// Numbers of order one that do not repeat.
fn numbers(count: usize, phase: f32) -> Vec<f32> {
    (0..count).map(|i| (i as f32 * 2.399_963 + phase).sin()).collect()
}

fn tensor(shape: &[usize], phase: f32) -> Tensor {
    Tensor::from_vec(numbers(shape.iter().product(), phase), shape, &Device::Cpu).unwrap()
}

/// A scalar that depends on every number of the operation's result, each with a weight of its own.
fn loss(result: &Tensor) -> Tensor {
    (result * tensor(result.dims(), 0.5)).unwrap().sum_all().unwrap()
}

fn weights() -> Weights {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/golden/tiny/model.safetensors");
    Weights::open(&file).unwrap()
}

/// Checks the kernels in memory, and what a device composes.
fn check(name: &str, shape: &[usize], operation: impl Fn(&CandleOps<'_>, &Tensor) -> Result<Tensor, Error>) {
    let weights = weights();
    check_on(&CandleOps::new(&weights, &Device::Cpu), name, shape, &operation);
    check_on(
        &CandleOps::new(&weights, &Device::Cpu).composed(),
        &format!("{name}, composed"),
        shape,
        &operation,
    );
}

/// Compares the gradient with central differences, for every number of the input.
fn check_on(
    ops: &CandleOps<'_>,
    name: &str,
    shape: &[usize],
    operation: &impl Fn(&CandleOps<'_>, &Tensor) -> Result<Tensor, Error>,
) {
    let input = Var::from_tensor(&tensor(shape, 0.1)).unwrap();
    let gradients = loss(&operation(ops, input.as_tensor()).unwrap()).backward().unwrap();
    let gradient = gradients.get(&input).unwrap_or_else(|| panic!("{name}: no gradient"));
    let gradient: Vec<f32> = gradient.flatten_all().unwrap().to_vec1().unwrap();
    let values: Vec<f32> = input.flatten_all().unwrap().to_vec1().unwrap();
    let at = |index: usize, step: f32| -> f64 {
        let mut moved = values.clone();
        moved[index] += step;
        let moved = Tensor::from_vec(moved, shape, &Device::Cpu).unwrap();
        f64::from(loss(&operation(ops, &moved).unwrap()).to_scalar::<f32>().unwrap())
    };
    let step = 1e-2;
    for (index, found) in gradient.iter().enumerate() {
        let expected = (at(index, step) - at(index, -step)) / (2.0 * f64::from(step));
        let error = (f64::from(*found) - expected).abs();
        assert!(error < 5e-3 * expected.abs().max(1.0), "{name}[{index}]: {found} is not {expected}");
    }
}

#[test]
fn elementwise_operations() {
    check("silu", &[2, 5], |ops, x| ops.silu(x));
    check("gelu_tanh", &[2, 5], |ops, x| ops.gelu_tanh(x));
    check("scale", &[2, 5], |ops, x| ops.scale(x, -1.5));
    check("add", &[2, 5], |ops, x| ops.add(x, &tensor(&[5], 1.0)));
    check("add, the broadcast side", &[5], |ops, x| ops.add(&tensor(&[2, 5], 1.0), x));
    check("mul", &[2, 5], |ops, x| ops.mul(x, &tensor(&[2, 5], 1.0)));
    check("mul, the broadcast side", &[5], |ops, x| ops.mul(&tensor(&[2, 5], 1.0), x));
    check("tag", &[2, 5], |ops, x| ops.tag("x", x));
}

#[test]
fn layouts() {
    check("reshape", &[2, 6], |ops, x| ops.reshape(x, &[3, 4]));
    check("permute", &[2, 3, 4], |ops, x| ops.permute(x, &[2, 0, 1]));
    check("expand", &[1, 3], |ops, x| ops.expand(x, &[4, 3]));
    check("concat", &[2, 3], |ops, x| ops.concat(&[x, &tensor(&[2, 2], 1.0), x], 1));
    check("slice", &[2, 5], |ops, x| ops.slice(x, 1, 1, 3));
}

#[test]
fn linear_layers_and_embeddings() {
    check("linear, input", &[2, 3, 4], |ops, x| {
        ops.linear(x, &tensor(&[5, 4], 1.0), Some(&tensor(&[5], 2.0)))
    });
    check("linear, weight", &[5, 4], |ops, w| ops.linear(&tensor(&[2, 3, 4], 1.0), w, None));
    check("linear, bias", &[5], |ops, b| ops.linear(&tensor(&[2, 4], 1.0), &tensor(&[5, 4], 2.0), Some(b)));
    check("embedding", &[4, 3], |ops, table| ops.embedding(table, &ops.ids(&[3, 0, 3], &[1, 3])?));
}

#[test]
fn frozen_weights_take_no_gradient() {
    let weights = weights();
    let ops = CandleOps::new(&weights, &Device::Cpu);
    let x = Var::from_tensor(&tensor(&[2, 3, 4], 0.1)).unwrap();
    let (frozen, trained) = (tensor(&[5, 4], 1.0), Var::from_tensor(&tensor(&[5, 4], 1.0)).unwrap());
    let gradients = |w: &Tensor| loss(&ops.linear(x.as_tensor(), w, None).unwrap()).backward().unwrap();
    let (with_frozen, with_trained) = (gradients(&frozen), gradients(trained.as_tensor()));
    assert!(with_frozen.get(&frozen).is_none());
    assert!(with_trained.get(&trained).is_some());
    let of_input = |gradients: &candle_core::backprop::GradStore| -> Vec<f32> {
        gradients.get(&x).unwrap().flatten_all().unwrap().to_vec1().unwrap()
    };
    assert_eq!(of_input(&with_frozen), of_input(&with_trained));
}

#[test]
fn norms() {
    let (w, b) = (tensor(&[6], 1.0), tensor(&[6], 2.0));
    check("layer_norm, input", &[2, 6], |ops, x| ops.layer_norm(x, &w, &b, 1e-6));
    check("layer_norm, weight", &[6], |ops, w| ops.layer_norm(&tensor(&[2, 6], 1.0), w, &b, 1e-6));
    check("layer_norm, bias", &[6], |ops, b| ops.layer_norm(&tensor(&[2, 6], 1.0), &w, b, 1e-6));
    check("rms_norm, input", &[2, 6], |ops, x| ops.rms_norm(x, &w, 1e-5));
    check("rms_norm, weight", &[6], |ops, w| ops.rms_norm(&tensor(&[2, 6], 1.0), w, 1e-5));
}

#[test]
fn attention_and_rope() {
    let rope = Rope { head_dim: 4, base: 10_000.0, position_count: 8 };
    check("rope", &[1, 3, 8], |ops, x| ops.rope(x, &ops.ids(&[0, 2, 7], &[1, 3])?, &rope));
    let heads = Heads { query: 4, key_value: 2, dim: 2 };
    let (q, kv) = (tensor(&[1, 3, 8], 1.0), tensor(&[1, 5, 4], 2.0));
    let mut mask = vec![0.0; 15];
    mask[4] = f32::MIN;
    let mask = Tensor::from_vec(mask, (1, 3, 5), &Device::Cpu).unwrap();
    check("attention, query", &[1, 3, 8], |ops, q| ops.attention(q, &kv, &kv, Some(&mask), heads));
    check("attention, key", &[1, 5, 4], |ops, k| ops.attention(&q, k, &kv, Some(&mask), heads));
    check("attention, value", &[1, 5, 4], |ops, v| ops.attention(&q, &kv, v, None, heads));
}
