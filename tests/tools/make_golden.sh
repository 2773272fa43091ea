#!/usr/bin/env bash
# Records every folder of tests/fixtures/golden. Needs the environment that README.md describes; PYTHON names its interpreter.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${PYTHON:-python}
golden=tests/fixtures/golden

record() { # folder, then arguments of make_reference.py
  local out=$golden/$1
  shift
  "$python" tests/tools/make_reference.py --out "$out" "$@"
  chmod 644 "$out"/*.safetensors
}

# Everything that LeRobot computes: stages, real-time chunking, gradients, optimiser steps.
record tiny --size tiny --seed 0 --cameras 2 --pad-tail 9

# What a forward pass needs: inputs, each stage, the ends of the Euler loop, the loss.
stages=('in.*' 'pre.state*' 'pre.action*' 'pre.image_mask.*' 'vision.out.*' 'connector.out.*' 'prefix.*' 'kv.*' 'suffix.*'
        'sample.x_t.1' 'sample.x_t.10' 'sample.v_t.0' 'sample.v_t.9' 'sample.actions*' 'train.loss' 'train.losses')

# The R1 Pro's contract (32 numbers in, 23 out, three cameras) with the statistics of the simulated episodes.
"$python" tests/tools/behavior_stats.py tests/fixtures/behavior_sim --std-floor 0.01 --out $golden/r1pro/stats.json
record r1pro --size tiny --lean --seed 0 --batch 1 --cameras 3 --state-dim 32 --action-dim 23 --image-hw 120x160 --pad-tail 9 \
  --camera-keys observation.images.rgb.head observation.images.rgb.left_wrist observation.images.rgb.right_wrist \
  --stats $golden/r1pro/stats.json --keep "${stages[@]}" pre.image.0 'sample.*'

# One configuration per folder.
micro() { # folder, then arguments of make_reference.py
  local folder=$1
  shift
  record "$folder" --size micro --lean --seed 1 --pad-tail 5 --keep "${stages[@]}" "$@"
  rm "$golden/$folder"/{lr_schedule,tensors,tokenizer_cases}.json
}
micro cameras1 pre.image.0 --cameras 1 --batch 1 --image-hw 480x640 --chunk 30 --pad-language longest
micro cameras3 pre.image.0 --cameras 3 --chunk 20
micro missing_middle --cameras 3 --chunk 20 --missing 2 --empty-cameras 0
micro missing_empty --cameras 3 --chunk 20 --missing 2 --empty-cameras 1
micro special_tokens --cameras 2 --chunk 20 --special-tokens --pad-language longest
micro prefix_length --cameras 2 --chunk 20 --prefix-length 40
micro self_every_3 --cameras 2 --chunk 20 --self-attn-every 3
micro all_cross --cameras 2 --chunk 20 --self-attn-every 0
micro self_only --cameras 2 --chunk 20 --attention-mode self_attn
micro mixed --cameras 2 --chunk 20 --store mixed
micro zero_std --cameras 2 --chunk 20 --zero-std

# The whole VLM trained: gradients reach the vision tower.
micro unfrozen 'train.*' 'opt.*' --cameras 2 --chunk 20 --unfreeze
