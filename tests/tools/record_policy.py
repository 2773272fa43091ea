"""What LeRobot predicts with a policy folder that Sinew wrote: recorded into the folder as `lerobot.safetensors`.

    python tests/tools/record_policy.py FOLDER

The folder is loaded by LeRobot's own `from_pretrained` and processor factory. Frames, state and noise are random but
seeded; they are stored with the result, so that Sinew can be asked the same.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from make_reference import offline_hub, use_raster_position_ids

TASK = "put the green block into the box"


def tokenizer_of(folder):
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"), pad_token="<|im_end|>", truncation_side="left",
        clean_up_tokenization_spaces=False, model_max_length=8192)


def vlm_config_of(folder):
    from transformers.models.smolvlm.configuration_smolvlm import SmolVLMConfig

    return SmolVLMConfig(**json.loads((folder / "vlm_config.json").read_text()))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder

    from lerobot.policies.factory import make_pre_post_processors
    from lerobot.policies.smolvla.modeling_smolvla import SmolVLAPolicy

    use_raster_position_ids()
    with offline_hub(vlm_config_of(folder), tokenizer_of(folder)):
        policy = SmolVLAPolicy.from_pretrained(folder).eval()
        policy.to(torch.float32)
        before, after = make_pre_post_processors(policy.config, pretrained_path=folder)
    config = policy.config
    rng = np.random.Generator(np.random.PCG64(11))
    state = torch.from_numpy(rng.normal(size=config.input_features["observation.state"].shape).astype(np.float32))
    batch, recorded = {"observation.state": state, "task": TASK}, {"state": state}
    for name, feature in config.image_features.items():
        _, height, width = feature.shape
        frame = torch.from_numpy(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))
        recorded[f"frame.{name}"] = frame
        batch[name] = frame.permute(2, 0, 1).float() / 255
    noise = torch.from_numpy(rng.normal(size=(1, config.chunk_size, config.max_action_dim)).astype(np.float32))
    with torch.no_grad():
        actions = after(policy.predict_action_chunk(before(batch), noise=noise))
    recorded |= {"noise": noise, "actions": actions.contiguous()}
    save_file(recorded, folder / "lerobot.safetensors", metadata={"task": TASK})
    print(f"{folder}: actions {tuple(actions.shape)}, largest {actions.abs().max():.3f}")


if __name__ == "__main__":
    main()
