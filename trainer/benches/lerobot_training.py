#!/usr/bin/env python3
"""LeRobot's side of the training benchmark: seconds of a step at a batch that is already decoded and on the device.

  lerobot_training.py CHECKPOINT BATCH STEPS
"""

import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests/tools"))
from make_reference import offline_hub  # noqa: E402
from record_policy import tokenizer_of, vlm_config_of  # noqa: E402


def main() -> None:
    folder, batch, steps = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    from lerobot.policies.smolvla.modeling_smolvla import SmolVLAPolicy

    with offline_hub(vlm_config_of(folder), tokenizer_of(folder)):
        policy = SmolVLAPolicy.from_pretrained(folder)
    policy.to(torch.float32).train()
    config = policy.config
    length = config.tokenizer_max_length
    samples = {
        "observation.state": torch.randn(batch, *config.input_features["observation.state"].shape),
        "action": torch.randn(batch, config.chunk_size, config.output_features["action"].shape[0]),
        "observation.language.tokens": torch.zeros(batch, length, dtype=torch.long),
        "observation.language.attention_mask": torch.arange(length).expand(batch, length) < 12,
    }
    for name, feature in config.image_features.items():
        samples[name] = torch.rand(batch, *feature.shape)
    trained = [parameter for parameter in policy.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4, betas=(0.9, 0.95), eps=1e-8, weight_decay=1e-10)
    best = float("inf")
    for _ in range(steps):
        start = time.perf_counter()
        loss, _ = policy.forward(dict(samples))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 10.0)
        optimizer.step()
        optimizer.zero_grad()
        best = min(best, time.perf_counter() - start)
    print(best)


if __name__ == "__main__":
    main()
