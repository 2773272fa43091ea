//! The kernels for frozen values give the numbers of the composed, differentiable ones.
//!
//! A variable as input makes [`CandleOps`] compose candle's operations; the same numbers without one go through the
//! kernels. Sizes are chosen to leave remainders: of vectors, of lanes and of blocks of rows.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use candle_core::{Device, Tensor, Var};
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

fn check(name: &str, input: &Tensor, operation: impl Fn(&CandleOps<'_>, &Tensor) -> Result<Tensor, Error>) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/golden/tiny/model.safetensors");
    let weights = Weights::open(&file).unwrap();
    let ops = CandleOps::new(&weights, &Device::Cpu);
    let found = operation(&ops, input).unwrap();
    assert!(!found.track_op(), "{name}: a gradient is recorded");
    let variable = Var::from_tensor(input).unwrap();
    let expected = operation(&ops, variable.as_tensor()).unwrap();
    assert!(expected.track_op(), "{name}: the comparison is with itself");
    assert_eq!(found.dims(), expected.dims(), "{name}");
    let values = |x: &Tensor| -> Vec<f32> { x.flatten_all().unwrap().to_vec1().unwrap() };
    let (found, expected) = (values(&found), values(&expected));
    let largest = expected.iter().fold(1.0, |a: f32, b| a.max(b.abs()));
    for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
        let error = (found - expected).abs() / largest;
        assert!(error < 2e-6, "{name}[{i}]: {found} is not {expected}");
    }
}

#[test]
fn activations() {
    for size in [1.0, 30.0, 1e4] {
        check("silu", &tensor(&[3, 131], 0.1, size), |ops, x| ops.silu(x));
        check("gelu_tanh", &tensor(&[3, 131], 0.1, size), |ops, x| ops.gelu_tanh(x));
    }
}

#[test]
fn norms() {
    let (w, b) = (tensor(&[131], 1.0, 1.0), tensor(&[131], 2.0, 1.0));
    let x = (tensor(&[2, 70, 131], 0.1, 3.0) + 5.0).unwrap();
    check("layer_norm", &x, |ops, x| ops.layer_norm(x, &w, &b, 1e-6));
    check("rms_norm", &x, |ops, x| ops.rms_norm(x, &w, 1e-5));
    let swapped = tensor(&[131, 70], 0.1, 3.0);
    check("rms_norm of a view", &swapped, |ops, x| ops.rms_norm(&x.t()?, &w, 1e-5));
}

#[test]
fn linear_layers() {
    let (w, b) = (tensor(&[37, 20], 1.0, 1.0), tensor(&[37], 2.0, 1.0));
    check("linear", &tensor(&[2, 9, 20], 0.1, 1.0), |ops, x| ops.linear(x, &w, Some(&b)));
    check("linear without bias", &tensor(&[2, 9, 20], 0.1, 1.0), |ops, x| ops.linear(x, &w, None));
    check("linear of a view", &tensor(&[20, 9], 0.1, 1.0), |ops, x| ops.linear(&x.t()?, &w, Some(&b)));
}

#[test]
fn rotary_embedding() {
    let rope = Rope { head_dim: 6, base: 10_000.0, position_count: 300 };
    let positions: Vec<i64> = (0..2 * 70).map(|i| (i * 7) % 300).collect();
    check("rope", &tensor(&[2, 70, 18], 0.1, 1.0), |ops, x| {
        ops.rope(x, &ops.ids(&positions, &[2, 70])?, &rope)
    });
    check("rope, positions shared", &tensor(&[2, 70, 18], 0.1, 1.0), |ops, x| {
        ops.rope(x, &ops.ids(&positions[..70], &[1, 70])?, &rope)
    });
}

#[test]
fn attention() {
    let heads = Heads { query: 6, key_value: 2, dim: 5 };
    let (k, v) = (tensor(&[2, 83, 10], 1.0, 3.0), tensor(&[2, 83, 10], 2.0, 1.0));
    // The first row sees nothing, the others ever more.
    let mask: Vec<f32> =
        (0..2 * 70 * 83).map(|i| if (i % 83) < (i / 83) % 70 { 0.0 } else { f32::MIN }).collect();
    let mask = Tensor::from_vec(mask, (2, 70, 83), &Device::Cpu).unwrap();
    let shared = mask.narrow(0, 0, 1).unwrap();
    let q = tensor(&[2, 70, 30], 0.1, 3.0);
    check("attention", &q, |ops, q| ops.attention(q, &k, &v, Some(&mask), heads));
    check("attention, one mask", &q, |ops, q| ops.attention(q, &k, &v, Some(&shared), heads));
    check("attention, no mask", &q, |ops, q| ops.attention(q, &k, &v, None, heads));
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/golden/tiny/model.safetensors");
    let weights = Weights::open(&file).unwrap();
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
