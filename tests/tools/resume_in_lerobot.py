#!/usr/bin/env python3
"""LeRobot takes up a training of Sinew's: its own `load_training_state` on a checkpoint, and one step from there.

  resume_in_lerobot.py CHECKPOINT STEPS        a folder such as run/checkpoints/last; the run's whole number of steps
"""

import sys
from pathlib import Path

import torch
from make_reference import offline_hub
from record_policy import tokenizer_of, vlm_config_of


def main() -> None:
    checkpoint, steps = Path(sys.argv[1]), int(sys.argv[2])
    from lerobot.policies.smolvla.modeling_smolvla import SmolVLAPolicy
    from lerobot.utils.train_utils import load_training_state

    folder = checkpoint / "pretrained_model"
    with offline_hub(vlm_config_of(folder), tokenizer_of(folder)):
        policy = SmolVLAPolicy.from_pretrained(folder)
    optimizer = policy.config.get_optimizer_preset().build(policy.get_optim_params())
    scheduler = policy.config.get_scheduler_preset().build(optimizer, steps)
    step, optimizer, scheduler = load_training_state(checkpoint, optimizer, scheduler)
    group = optimizer.param_groups[0]
    trained = [parameter for parameter in policy.parameters() if parameter.requires_grad]
    resumed = sum(1 for parameter in trained if parameter in optimizer.state)
    for parameter in trained:
        parameter.grad = torch.randn_like(parameter)
    rate = group["lr"]
    optimizer.step()
    scheduler.step()
    print(f"step {step}, rate {rate:.6e}, then {group['lr']:.6e}, {resumed} of {len(trained)} trained parameters resumed")


if __name__ == "__main__":
    main()
