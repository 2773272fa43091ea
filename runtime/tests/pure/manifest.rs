//! A manifest without files: the R1 Pro's own layout, three cameras, statistics that change nothing.

use sinew_models::config::{ModelConfig, TextConfig, VisionConfig};
use sinew_models::contract::{
    Bundle, CameraSpec, Dimension, Graph, Graphs, InstructionRule, Manifest, Mode, Parity, Provenance,
    Statistics, Training, Vector,
};
use sinew_models::embodiment::{Embodiment, LayoutDimension};
use std::collections::BTreeMap;

pub(crate) fn robot() -> Embodiment {
    Embodiment::built_in("r1pro").unwrap()
}

pub(crate) fn bundle(change: impl FnOnce(&mut Manifest)) -> Bundle {
    let mut manifest = manifest();
    change(&mut manifest);
    Bundle { folder: "nowhere".into(), manifest }
}

pub(crate) fn manifest() -> Manifest {
    let robot = robot();
    let layout = robot.layout("behavior-2025-top32").unwrap();
    let graph = |name: &str| Graph { file: format!("{name}.onnx"), weight_bytes: BTreeMap::new() };
    let camera = |name: &str| CameraSpec {
        name: name.to_owned(),
        key: format!("observation.images.{name}"),
        width: 64,
        height: 64,
    };
    Manifest {
        format_version: 1,
        bundle_id: "0123456789abcdef".to_owned(),
        embodiment: "r1pro".to_owned(),
        rate_hz: 30.0,
        model: model(),
        instruction: InstructionRule { max_token_count: 16, pad_id: 0 },
        cameras: ["head", "left_wrist", "right_wrist"].map(camera).to_vec(),
        state: vector(&layout.state),
        action: vector(&layout.action),
        graphs: Graphs { vision: graph("vision"), prefix: graph("prefix"), denoise: graph("denoise") },
        files: BTreeMap::new(),
        training: Training::default(),
        provenance: Provenance::default(),
        parity: Parity { tolerance: 1e-4, execution_provider: "cpu".to_owned(), stages: Vec::new() },
    }
}

fn vector(dimensions: &[LayoutDimension]) -> Vector {
    let dimension = |(source_index, dimension): (usize, &LayoutDimension)| Dimension {
        name: dimension.name.clone(),
        unit: dimension.unit,
        source_index: Some(source_index),
        derived: None,
        statistics: Statistics { mean: 0.0, std: 1.0, low: None, high: None },
    };
    Vector {
        normalization: Mode::MeanStd,
        eps: 0.0,
        dimensions: dimensions.iter().enumerate().map(dimension).collect(),
    }
}

fn model() -> ModelConfig {
    ModelConfig {
        vision: VisionConfig {
            hidden_size: 8,
            intermediate_size: 8,
            num_hidden_layers: 1,
            num_attention_heads: 1,
            image_size: 64,
            patch_size: 16,
            layer_norm_eps: 1e-6,
        },
        text: TextConfig {
            hidden_size: 32,
            intermediate_size: 32,
            num_hidden_layers: 1,
            num_attention_heads: 1,
            num_key_value_heads: 1,
            head_dim: 32,
            vocab_size: 512,
            rms_norm_eps: 1e-5,
        },
        scale_factor: 2,
        expert_hidden_size: 24,
        expert_intermediate_size: 256,
        cross_layers: vec![false],
        chunk_size: 50,
        max_state_dim: 32,
        max_action_dim: 32,
        language_token_count: 16,
        image_special_tokens: None,
        prefix_length: 0,
        denoise_step_count: 10,
        min_period: 4e-3,
        max_period: 4.0,
    }
}
