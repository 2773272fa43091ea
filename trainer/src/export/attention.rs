//! Attention in a graph: one fused node where nothing is masked, plain products and a softmax where something is.

use super::graph::{Attribute, Dtype, Value};
use super::graph_ops::{GraphOps, MICROSOFT};
use crate::Error;
use sinew_models::ops::Heads;

/// Checks every shape against `heads` and the others.
pub(super) fn check(
    ops: &GraphOps<'_>,
    q: &Value,
    k: &Value,
    v: &Value,
    mask: Option<&Value>,
    heads: Heads,
) -> Result<(), Error> {
    let (&[batch, queries, query_width], &[_, keys, _]) = (q.shape.as_slice(), k.shape.as_slice()) else {
        return Err(ops.error("attention", &[q, k], "expected [batch, tokens, heads · dim]"));
    };
    if query_width != heads.query_width()
        || heads.key_value == 0
        || !heads.query.is_multiple_of(heads.key_value)
    {
        return Err(ops.error("attention", &[q], format!("it is not as wide as {heads:?}")));
    }
    let expected = [batch, keys, heads.key_value_width()];
    if let Some(other) = [k, v].into_iter().find(|x| x.shape != expected) {
        return Err(ops.error("attention", &[q, other], format!("expected {expected:?}")));
    }
    match mask {
        Some(mask) if mask.shape != [batch, queries, keys] && mask.shape != [1, queries, keys] => {
            let message = format!("the mask must be [1 or {batch}, {queries}, {keys}]");
            Err(ops.error("attention", &[q, k, mask], message))
        }
        _ => Ok(()),
    }
}

/// ONNX Runtime's fused attention, computed in `dtype`.
///
/// It is not used with a mask. On CUDA its kernel works with powers of two, where `f32::MIN · log₂ e` overflows and
/// a fully masked row comes out as NaN; on the CPU it copies the mask for every head and is slower than [`grouped`].
pub(super) fn fused(
    ops: &GraphOps<'_>,
    q: &Value,
    k: &Value,
    v: &Value,
    heads: Heads,
    dtype: Dtype,
) -> Value {
    let [q, k, v] = [q, k, v].map(|x| ops.cast(x, dtype));
    let attributes = vec![("num_heads", Attribute::Int(heads.query as i64))];
    let y = ops.node("MultiHeadAttention", MICROSOFT, &[&q, &k, &v], attributes, &q.shape);
    ops.cast(&y, Dtype::F32)
}

/// Products and softmax, with the query heads that share a key/value head stacked into one matrix, so that keys
/// and values are not repeated.
pub(super) fn grouped(
    ops: &GraphOps<'_>,
    q: &Value,
    k: &Value,
    v: &Value,
    mask: Option<&Value>,
    heads: Heads,
) -> Result<Value, Error> {
    let (batch, queries, keys) = (q.shape[0], q.shape[1], k.shape[1]);
    let Heads { key_value: groups, dim, .. } = heads;
    let shared = heads.query / groups;

    let scaled = ops.binary("Mul", q, &ops.scalar((dim as f32).powf(-0.5)))?;
    let by_token = ops.reshape_value(&scaled, &[batch, queries, groups, shared, dim]);
    let by_head = ops.permute_value(&by_token, &[0, 2, 3, 1, 4]);
    let stacked = ops.reshape_value(&by_head, &[batch, groups, shared * queries, dim]);
    let split = |x: &Value| ops.reshape_value(x, &[batch, keys, groups, dim]);
    let key_columns = ops.permute_value(&split(k), &[0, 2, 3, 1]);
    let value_rows = ops.permute_value(&split(v), &[0, 2, 1, 3]);

    let product = ops.simple("MatMul", &[&stacked, &key_columns], &[batch, groups, shared * queries, keys]);
    let mut scores = ops.reshape_value(&product, &[batch, groups, shared, queries, keys]);
    if let Some(mask) = mask {
        let mask = ops.reshape_value(mask, &[mask.shape[0], 1, 1, queries, keys]);
        scores = ops.binary("Add", &scores, &mask)?;
    }
    let softmax = ops.node("Softmax", "", &[&scores], vec![("axis", Attribute::Int(-1))], &scores.shape);
    let weights = ops.reshape_value(&softmax, &product.shape);
    let mixed = ops.simple("MatMul", &[&weights, &value_rows], &stacked.shape);
    let by_head = ops.reshape_value(&mixed, &[batch, groups, shared, queries, dim]);
    Ok(ops.reshape_value(&ops.permute_value(&by_head, &[0, 3, 1, 2, 4]), &q.shape))
}
