#!/usr/bin/env bash
# Makes tests/fixtures/trained: a small policy that Sinew trained on real episodes' layout, and what LeRobot predicts with
# it. Needs the environment that README.md describes; PYTHON names its interpreter, TRAINER the program.
set -euo pipefail
cd "$(dirname "$0")/../.."
trainer=${TRAINER:-target/release/sinew-trainer}
out=tests/fixtures/trained
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

golden=tests/fixtures/golden/cameras3
python3 - "$golden/config.json" "$work/config.json" <<'PYTHON'
import json, sys
config = json.load(open(sys.argv[1]))
config["input_features"] = {
    "observation.state": {"type": "STATE", "shape": [34]},
    "observation.images.camera1": {"type": "VISUAL", "shape": [3, 192, 256]},
    "observation.images.camera2": {"type": "VISUAL", "shape": [3, 128, 128]},
}
config["output_features"]["action"]["shape"] = [23]
json.dump(config, open(sys.argv[2], "w"))
PYTHON
"$trainer" init --config "$work/config.json" --vlm $golden/vlm_config.json --tokenizer $golden/tokenizer.json --seed 3 \
  --output "$work/base"
cat > "$work/train.toml" <<TOML
policy = { checkpoint = "$work/base", max_state_dim = 40, chunk_size = 16, train_expert_only = false, freeze_vision_encoder = false }
run = { output = "$work/run", steps = 60, batch_size = 4, seed = 5 }
validation = { every = 20, frames = 8 }
optimizer = { lr = 1e-3, ema_decay = 0.9 }
schedule = { kind = "cosine", warmup_steps = 5 }
[data]
datasets = [{ path = "tests/fixtures/lerobot_v21_sample/dataset" }]
normalization = { state = "QUANTILES", action = "MEAN_STD" }
[data.cameras]
"observation.images.camera1" = "observation.images.head"
"observation.images.camera2" = "observation.images.right_wrist"
TOML
# Eleven velocities on top of 23 numbers: more than the 32 that a stock policy has room for.
for i in 1 2 3 4; do printf '[[data.derived]]\nkind = "velocity"\nname = "torso_joint%s.vel"\nof = "torso_joint%s"\n' $i $i; done >> "$work/train.toml"
for i in 1 2 3 4 5 6 7; do printf '[[data.derived]]\nkind = "velocity"\nname = "left_arm_joint%s.vel"\nof = "left_arm_joint%s"\n' $i $i; done >> "$work/train.toml"
"$trainer" train --config "$work/train.toml"
rm -rf $out
cp -r "$(realpath "$work/run/checkpoints/last")/pretrained_model" $out
"${PYTHON:-python}" tests/tools/record_policy.py $out
sed -i "s|$work/||" $out/train_config.json
chmod 644 $out/*
cat > $out/SOURCE.md <<'MARKDOWN'
# A policy that Sinew trained

Made by `tests/tools/make_trained.sh`: random weights, 60 steps with the VLM unfrozen on `lerobot_v21_sample`, 34 numbers of
state (a widened projection), quantile normalisation, averaged weights. `lerobot.safetensors` is what LeRobot 0.4.4 predicts with
the folder, loaded by its own `from_pretrained`, and the inputs it was given. Licence: Apache-2.0, the project's own.
MARKDOWN
