//! The kernels give the numbers of candle's own operations, composed.
//!
//! Sizes are chosen to leave remainders: of vectors, of lanes and of blocks of rows.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use candle_core::{D, Device, Tensor, Var};
use sinew_models::ops::{Heads, Ops, Rope};
use sinew_models::weights::Weights;
use sinew_trainer::Error;
use sinew_trainer::candle_ops::CandleOps;
use std::path::Path;

/// Numbers up to `size` that do not repeat.
fn tensor(shape: &[usize], phase: f32, size: f32) -> Tensor {
    let count: usize = shape.iter().product();
    let values: Vec<f32> = (0..count).map(|i| size * (i as f32 * 2.399_963 + phase).sin()).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

fn weights() -> Weights {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/golden/tiny/model.safetensors");
    Weights::open(&file).unwrap()
}

/// Compares an operation with `composed`, on a constant and on a variable, in memory and as a device composes it; and the
/// gradients that the last two give the variable.
fn check(
    name: &str,
    input: &Tensor,
    operation: impl Fn(&CandleOps<'_>, &Tensor) -> Result<Tensor, Error>,
    composed: impl Fn(&Tensor) -> candle_core::Result<Tensor>,
) {
    let weights = weights();
    let ops = CandleOps::new(&weights, &Device::Cpu);
    let device_ops = CandleOps::new(&weights, &Device::Cpu).composed();
    let variable = Var::from_tensor(input).unwrap();
    let [frozen, trained] = [input, variable.as_tensor()].map(|input| operation(&ops, input).unwrap());
    assert!(!frozen.track_op() && trained.track_op(), "{name}: gradients where they should not or should be");
    let on_device = operation(&device_ops, &variable).unwrap();
    let expected = composed(input).unwrap();
    for (kind, found) in [("frozen", &frozen), ("trained", &trained), ("on a device", &on_device)] {
        compare(&format!("{name}, {kind}"), found, &expected, 2e-6);
    }
    let worth = tensor(expected.dims(), 0.5, 1.0);
    let gradient = |result: &Tensor| {
        let gradients = (result * &worth).unwrap().sum_all().unwrap().backward().unwrap();
        gradients.get(&variable).unwrap().clone()
    };
    compare(&format!("gradient of {name}"), &gradient(&trained), &gradient(&on_device), 1e-5);
}

/// Within `tolerance` of the largest number, or of 1.
fn compare(name: &str, found: &Tensor, expected: &Tensor, tolerance: f32) {
    let values = |x: &Tensor| -> Vec<f32> { x.flatten_all().unwrap().to_vec1().unwrap() };
    let largest = values(expected).iter().fold(1.0, |a: f32, b| a.max(b.abs()));
    assert_eq!(found.dims(), expected.dims(), "{name}");
    for (i, (found, expected)) in values(found).iter().zip(values(expected)).enumerate() {
        let error = (found - expected).abs() / largest;
        assert!(error < tolerance, "{name}[{i}]: {found} is not {expected}");
    }
}

#[test]
fn activations() {
    for size in [1.0, 30.0, 1e4] {
        let x = tensor(&[3, 131], 0.1, size);
        check("silu", &x, |ops, x| ops.silu(x), Tensor::silu);
        check("gelu_tanh", &x, |ops, x| ops.gelu_tanh(x), Tensor::gelu);
    }
}

#[test]
fn norms() {
    let (w, b) = (tensor(&[131], 1.0, 1.0), tensor(&[131], 2.0, 1.0));
    let unit = |x: &Tensor, eps: f64| x.broadcast_div(&(x.sqr()?.mean_keepdim(D::Minus1)? + eps)?.sqrt()?);
    let rms = |x: &Tensor| unit(x, 1e-5)?.broadcast_mul(&w);
    let layer = |x: &Tensor| {
        let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
        unit(&centred, 1e-6)?.broadcast_mul(&w)?.broadcast_add(&b)
    };
    let x = (tensor(&[2, 70, 131], 0.1, 3.0) + 5.0).unwrap();
    check("layer_norm", &x, |ops, x| ops.layer_norm(x, &w, &b, 1e-6), layer);
    check("rms_norm", &x, |ops, x| ops.rms_norm(x, &w, 1e-5), rms);
    let swapped = tensor(&[131, 70], 0.1, 3.0);
    check("rms_norm of a view", &swapped, |ops, x| ops.rms_norm(&x.t()?, &w, 1e-5), |x| rms(&x.t()?));
}

#[test]
fn linear_layers() {
    let (w, b) = (tensor(&[37, 20], 1.0, 1.0), tensor(&[37], 2.0, 1.0));
    let x = tensor(&[2, 9, 20], 0.1, 1.0);
    let product = |x: &Tensor| x.broadcast_matmul(&w.t()?);
    check("linear", &x, |ops, x| ops.linear(x, &w, Some(&b)), |x| product(x)?.broadcast_add(&b));
    check("linear without bias", &x, |ops, x| ops.linear(x, &w, None), product);
    let swapped = tensor(&[20, 9], 0.1, 1.0);
    check("linear of a view", &swapped, |ops, x| ops.linear(&x.t()?, &w, None), |x| x.t()?.matmul(&w.t()?));
}

#[test]
fn rotary_embedding() {
    let rope = Rope { head_dim: 6, base: 10_000.0, position_count: 300 };
    let positions: Vec<i64> = (0..2 * 70).map(|i| (i * 7) % 300).collect();
    let composed = |x: &Tensor, positions: &[i64]| {
        let (cos, sin) = rope.tables();
        let rows = |table: &[f32]| {
            let rows = positions.iter().flat_map(|p| &table[3 * *p as usize..][..3]).copied().collect();
            Tensor::from_vec(rows, (positions.len() / 70, 70, 1, 3), &Device::Cpu)
        };
        let heads = x.reshape((2, 70, 3, 6))?;
        let (a, b) = (heads.narrow(3, 0, 3)?, heads.narrow(3, 3, 3)?);
        let (cos, sin) = (rows(&cos)?, rows(&sin)?);
        let first = (a.broadcast_mul(&cos)? - b.broadcast_mul(&sin)?)?;
        let second = (b.broadcast_mul(&cos)? + a.broadcast_mul(&sin)?)?;
        Tensor::cat(&[first, second], 3)?.reshape((2, 70, 18))
    };
    let x = tensor(&[2, 70, 18], 0.1, 1.0);
    for (name, used) in [("own", &positions[..]), ("shared", &positions[..70])] {
        let ids = |ops: &CandleOps<'_>| ops.ids(used, &[used.len() / 70, 70]);
        check(name, &x, |ops, x| ops.rope(x, &ids(ops)?, &rope), |x| composed(x, used));
    }
}

#[test]
fn attention() {
    let heads = Heads { query: 6, key_value: 2, dim: 5 };
    let (k, v) = (tensor(&[2, 83, 10], 1.0, 3.0), tensor(&[2, 83, 10], 2.0, 1.0));
    // The first row sees nothing, the others ever more.
    let mask = (0..2 * 150 * 83).map(|i| if (i % 83) < (i / 83) % 150 { 0.0 } else { f32::MIN }).collect();
    let mask = Tensor::from_vec(mask, (2, 150, 83), &Device::Cpu).unwrap();
    let shared = mask.narrow(0, 0, 1).unwrap();
    let composed = |q: &Tensor, mask: Option<&Tensor>| {
        let heads_of = |x: &Tensor, repeat: usize| {
            let (batch, tokens, width) = x.dims3()?;
            let split = x.reshape((batch, tokens, width / 5, 1, 5))?;
            let repeated = split.broadcast_as((batch, tokens, width / 5, repeat, 5))?;
            repeated.reshape((batch, tokens, width / 5 * repeat, 5))?.transpose(1, 2)?.contiguous()
        };
        let (q, k, v) = (heads_of(q, 1)?, heads_of(&k, 3)?, heads_of(&v, 3)?);
        let mut scores = (q.matmul(&k.t()?)? * 5.0_f64.powf(-0.5))?;
        if let Some(mask) = mask {
            scores = scores.broadcast_add(&mask.unsqueeze(1)?)?;
        }
        let weights = candle_nn::ops::softmax(&scores, D::Minus1)?;
        weights.matmul(&v)?.transpose(1, 2)?.reshape((2, 150, 30))
    };
    let q = tensor(&[2, 150, 30], 0.1, 3.0);
    for mask in [Some(&mask), Some(&shared), None] {
        let name = format!("attention, mask {:?}", mask.map(Tensor::dims));
        check(&name, &q, |ops, q| ops.attention(q, &k, &v, mask, heads), |q| composed(q, mask));
    }
}

/// Gradients by finite differences need small operands; these have several blocks of queries and a remainder.
#[test]
fn gradients_of_large_operands_are_those_of_the_composed_operations() {
    let heads = Heads { query: 4, key_value: 2, dim: 4 };
    let inputs = [(vec![2, 150, 16], 0.1), (vec![2, 83, 8], 1.0), (vec![2, 83, 8], 2.0)];
    let vars: Vec<Var> =
        inputs.iter().map(|(shape, phase)| Var::from_tensor(&tensor(shape, *phase, 2.0)).unwrap()).collect();
    let weights = weights();
    let ops = CandleOps::new(&weights, &Device::Cpu);
    let worth = tensor(&[2, 150, 16], 0.5, 1.0);
    let gradients = |result: Tensor| {
        let store = (result * &worth).unwrap().sum_all().unwrap().backward().unwrap();
        vars.iter().map(|var| store.get(var).unwrap().clone()).collect::<Vec<_>>()
    };
    let found = gradients(ops.attention(&vars[0], &vars[1], &vars[2], None, heads).unwrap());
    let split = |x: &Var, repeat: usize| {
        let (batch, tokens, width) = x.dims3().unwrap();
        let split = x.reshape((batch, tokens, width / 4, 1, 4)).unwrap();
        let repeated = split.broadcast_as((batch, tokens, width / 4, repeat, 4)).unwrap();
        let flat = repeated.reshape((batch, tokens, width / 4 * repeat, 4)).unwrap();
        flat.transpose(1, 2).unwrap().contiguous().unwrap()
    };
    let (q, k, v) = (split(&vars[0], 1), split(&vars[1], 2), split(&vars[2], 2));
    let scores = (q.matmul(&k.t().unwrap()).unwrap() * 0.5).unwrap();
    let attended = candle_nn::ops::softmax(&scores, D::Minus1).unwrap().matmul(&v).unwrap();
    let expected = gradients(attended.transpose(1, 2).unwrap().reshape((2, 150, 16)).unwrap());
    for (name, (found, expected)) in ["query", "key", "value"].iter().zip(found.iter().zip(&expected)) {
        let error = (found - expected).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap();
        let error = error.to_scalar::<f32>().unwrap();
        assert!(error < 2e-5, "{name}: {error:e}");
    }
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    let weights = weights();
    let ops = CandleOps::new(&weights, &Device::Cpu);
    let x = tensor(&[2, 3, 4], 0.0, 1.0);
    assert!(ops.linear(&x, &tensor(&[5, 3], 0.0, 1.0), None).is_err());
    assert!(ops.linear(&x, &tensor(&[5, 4], 0.0, 1.0), Some(&tensor(&[4], 0.0, 1.0))).is_err());
    assert!(ops.layer_norm(&x, &tensor(&[3], 0.0, 1.0), &tensor(&[3], 0.0, 1.0), 1e-6).is_err());
    assert!(ops.rms_norm(&x, &tensor(&[3], 0.0, 1.0), 1e-6).is_err());
    let heads = Heads::uniform(2, 2);
    assert!(
        ops.attention(&x, &tensor(&[2, 5, 6], 0.0, 1.0), &tensor(&[2, 5, 6], 0.0, 1.0), None, heads).is_err()
    );
    let mask = tensor(&[1, 3, 4], 0.0, 1.0);
    assert!(
        ops.attention(&x, &tensor(&[2, 5, 4], 0.0, 1.0), &tensor(&[2, 5, 4], 0.0, 1.0), Some(&mask), heads)
            .is_err()
    );
    let rope = Rope { head_dim: 2, base: 10_000.0, position_count: 3 };
    assert!(ops.rope(&x, &ops.ids(&[0, 1, 3], &[1, 3]).unwrap(), &rope).is_err());
    assert!(ops.rope(&x, &ops.ids(&[0, 1], &[1, 2]).unwrap(), &rope).is_err());
}
