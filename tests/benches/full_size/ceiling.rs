//! How fast this machine could answer: the arithmetic of a call, and the rate of its largest matrix product.

use crate::seconds;
use ort::session::Session;
use ort::value::Tensor;
use sinew_models::checkpoint::Checkpoint;
use sinew_models::config::ModelConfig;
use sinew_models::ops::Ops;
use sinew_trainer::export::engine::Engine;
use sinew_trainer::export::{Dtype, GraphDtype, GraphOps, write};

/// Floating-point operations of one call as LeRobot computes it, a multiplication and its addition counted as two.
///
/// Matrix products and attention only. Ours are 1.5 % fewer: the last layer's unused tail is left out, and the
/// prefix's keys and values are projected for the expert once and not at every step.
pub(crate) fn operations(model: &ModelConfig, camera_count: usize) -> f64 {
    let (vision, text) = (&model.vision, &model.text);
    let (patches, tokens) = (model.patches_per_side().pow(2), model.image_token_count());
    let prefix = model.prefix_token_count(camera_count, model.language_token_count);
    let (chunk, expert) = (model.chunk_size, model.expert_hidden_size);
    let (query, key_value) = (model.heads().query_width(), model.heads().key_value_width());
    let attention = |from: usize, to: usize, width: usize| 2 * from * to * width;

    let width = vision.hidden_size;
    let tower = vision.num_hidden_layers
        * (patches * (4 * width * width + 2 * width * vision.intermediate_size)
            + attention(patches, patches, width));
    let embedding = patches * 3 * vision.patch_size.pow(2) * width;
    let connector = tokens * (width * patches / tokens) * text.hidden_size;

    let decoder = |hidden: usize, intermediate: usize| hidden * (2 * query + 3 * intermediate);
    let layer = prefix
        * (decoder(text.hidden_size, text.intermediate_size) + 2 * text.hidden_size * key_value)
        + attention(prefix, prefix, query);
    let suffix = |crosses: &bool| {
        let (projected, seen) = match crosses {
            true => (prefix * 2 * key_value * key_value, prefix),
            false => (chunk * 2 * expert * key_value, prefix + chunk),
        };
        chunk * decoder(expert, model.expert_intermediate_size) + projected + attention(chunk, seen, query)
    };
    let ends = chunk * (2 * model.max_action_dim * expert + 3 * expert * expert);
    let step = model.cross_layers.iter().map(suffix).sum::<usize>() + ends;

    let images = camera_count * (tower + embedding + connector);
    2.0 * (images + model.layer_count() * layer + model.denoise_step_count * step) as f64
}

/// Operations a second that ONNX Runtime reaches in the call's largest product, the vision tower's first MLP layer,
/// with the threads and the spinning of the robot's sessions.
pub(crate) fn product_rate(engine: &Engine, checkpoint: &Checkpoint) -> f64 {
    const CALLS: usize = 20;
    let (model, weights) = (&checkpoint.model, &checkpoint.weights);
    let (rows, width) = (model.patches_per_side().pow(2), model.vision.hidden_size);
    let inner = model.vision.intermediate_size;
    let ops = GraphOps::new("product", GraphDtype::F32, weights);
    let x = ops.input("x", Dtype::F32, &[1, rows, width]).unwrap();
    let layer = "model.vlm_with_expert.vlm.model.vision_model.encoder.layers.0.mlp.fc1";
    let weight = ops.param(&format!("{layer}.weight"), &[inner, width]).unwrap();
    ops.output("y", &ops.linear(&x, &weight, None).unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let written = write(&ops.finish(), weights, folder.path()).unwrap();
    let builder = Session::builder(engine.environment()).unwrap();
    let mut session =
        builder.with_intra_op_spinning(false).unwrap().commit_from_file(&written.model).unwrap();
    let input = Tensor::from_array(([1, rows, width], vec![0.1_f32; rows * width])).unwrap();
    let time = seconds(|| {
        for _ in 0..CALLS {
            session.run(ort::inputs!["x" => &input]).unwrap();
        }
    });
    (CALLS * 2 * rows * width * inner) as f64 / time
}
