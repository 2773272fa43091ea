//! The vision tower (SigLIP) and the connector to the text model.

use crate::config::ModelConfig;
use crate::nn::{layer_norm, linear, projection};
use crate::ops::Ops;

const TOWER: &str = "model.vlm_with_expert.vlm.model.vision_model";
const CONNECTOR: &str = "model.vlm_with_expert.vlm.model.connector.modality_projection.proj";

/// Images to tokens of the text model's width, not yet scaled.
///
/// # Shapes
/// `pixels` `[batch, 3, image_size, image_size]`, −1 … 1; the result `[batch, image_token_count, text hidden]`.
pub(crate) fn image_tokens<O: Ops>(
    ops: &O,
    config: &ModelConfig,
    pixels: &O::Tensor,
) -> Result<O::Tensor, O::Error> {
    let eps = config.vision.layer_norm_eps;
    let mut x = ops.tag("vision.embeddings", &embed_patches(ops, config, pixels)?)?;
    for layer in 0..config.vision.num_hidden_layers {
        let path = format!("{TOWER}.encoder.layers.{layer}");
        let attended =
            self_attention(ops, config, &path, &layer_norm(ops, &format!("{path}.layer_norm1"), &x, eps)?)?;
        let h = ops.add(&x, &attended)?;
        let n = layer_norm(ops, &format!("{path}.layer_norm2"), &h, eps)?;
        let inner =
            ops.gelu_tanh(&linear(ops, &format!("{path}.mlp.fc1"), &n, config.vision.intermediate_size)?)?;
        x = ops.add(&h, &linear(ops, &format!("{path}.mlp.fc2"), &inner, config.vision.hidden_size)?)?;
        x = ops.tag(&format!("vision.layer.{layer}"), &x)?;
    }
    let x = ops.tag("vision.out", &layer_norm(ops, &format!("{TOWER}.post_layernorm"), &x, eps)?)?;
    let shuffled = pixel_shuffle(ops, config, &x)?;
    ops.tag("connector.out", &projection(ops, CONNECTOR, &shuffled, config.text.hidden_size)?)
}

/// A convolution whose kernel is its stride is a matrix product over the patches; row-major order. The positions
/// are added by raster index: the input is always the full square.
fn embed_patches<O: Ops>(ops: &O, config: &ModelConfig, pixels: &O::Tensor) -> Result<O::Tensor, O::Error> {
    let (side, patch, hidden) =
        (config.patches_per_side(), config.vision.patch_size, config.vision.hidden_size);
    let batch = ops.shape(pixels)[0];
    let tiles = ops.reshape(pixels, &[batch, 3, side, patch, side, patch])?;
    let tiles = ops.permute(&tiles, &[0, 2, 4, 1, 3, 5])?;
    let patches = ops.reshape(&tiles, &[batch, side * side, 3 * patch * patch])?;
    let w = ops.param(&format!("{TOWER}.embeddings.patch_embedding.weight"), &[hidden, 3, patch, patch])?;
    let w = ops.reshape(&w, &[hidden, 3 * patch * patch])?;
    let b = ops.param(&format!("{TOWER}.embeddings.patch_embedding.bias"), &[hidden])?;
    let positions =
        ops.param(&format!("{TOWER}.embeddings.position_embedding.weight"), &[side * side, hidden])?;
    ops.add(&ops.linear(&patches, &w, Some(&b))?, &positions)
}

fn self_attention<O: Ops>(
    ops: &O,
    config: &ModelConfig,
    path: &str,
    x: &O::Tensor,
) -> Result<O::Tensor, O::Error> {
    let width = config.vision.hidden_size;
    let project = |name: &str, x: &O::Tensor| linear(ops, &format!("{path}.self_attn.{name}"), x, width);
    let (q, k, v) = (project("q_proj", x)?, project("k_proj", x)?, project("v_proj", x)?);
    project("out_proj", &ops.attention(&q, &k, &v, None, config.vision_heads())?)
}

/// Each token takes the patches of a `scale × scale` square side by side, row by row.
fn pixel_shuffle<O: Ops>(ops: &O, config: &ModelConfig, x: &O::Tensor) -> Result<O::Tensor, O::Error> {
    let (scale, hidden) = (config.scale_factor, config.vision.hidden_size);
    let grid = config.patches_per_side() / scale;
    let batch = ops.shape(x)[0];
    let squares = ops.reshape(x, &[batch, grid, scale, grid, scale, hidden])?;
    let squares = ops.permute(&squares, &[0, 1, 3, 2, 4, 5])?;
    ops.reshape(&squares, &[batch, grid * grid, scale * scale * hidden])
}
