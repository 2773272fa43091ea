#!/usr/bin/env python3
"""Records what each tensor operation should compute, as torch and transformers compute it.

    make_ops.py --out tests/fixtures/ops
"""

import argparse
import pathlib

import torch
from safetensors.torch import save_file
from torch.nn import functional
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

F32_MIN = torch.finfo(torch.float32).min


def random(*shape):
    return torch.randn(*shape, dtype=torch.float32)


def exact(operation, *tensors):
    """The operation in float64, rounded once."""
    return operation(*(x.double() for x in tensors)).float()


def rotate(x, positions, base, dim):
    frequencies = base ** (-torch.arange(0, dim, 2, dtype=torch.float64) / dim)
    angles = positions.double()[..., None] * frequencies
    angles = torch.cat([angles, angles], dim=-1)
    heads = x.double().unflatten(-1, (-1, dim)).transpose(1, 2)
    rotated, _ = apply_rotary_pos_emb(heads, heads, angles.cos(), angles.sin())
    return rotated.transpose(1, 2).flatten(2).float()


def attend(q, k, v, mask, heads, groups, dim):
    """Eager, in float32: there a score plus the most negative float is exactly that float."""
    q = q.unflatten(-1, (heads, dim)).transpose(1, 2)
    k, v = (x.unflatten(-1, (groups, dim)).transpose(1, 2).repeat_interleave(heads // groups, dim=1) for x in (k, v))
    scores = q @ k.transpose(-1, -2) * dim**-0.5
    if mask is not None:
        scores = scores + mask[:, None]
    return (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    out = parser.parse_args().out
    torch.manual_seed(0)
    t = {}

    t["linear.x"], t["linear.w"], t["linear.b"] = random(1, 3, 4), random(5, 4), random(5)
    t["linear.y"] = exact(functional.linear, t["linear.x"], t["linear.w"], t["linear.b"])
    t["linear.y_without_bias"] = exact(functional.linear, t["linear.x"], t["linear.w"])

    t["embedding.table"], t["embedding.ids"] = random(6, 4), torch.tensor([[5, 0, 3, 3]])
    t["embedding.y"] = functional.embedding(t["embedding.ids"], t["embedding.table"])

    t["gelu_tanh.x"] = torch.linspace(-8, 8, 64).reshape(1, 4, 16)
    t["gelu_tanh.y"] = exact(lambda x: functional.gelu(x, approximate="tanh"), t["gelu_tanh.x"])
    t["silu.x"] = t["gelu_tanh.x"].clone()
    t["silu.y"] = exact(functional.silu, t["silu.x"])

    # An offset much larger than the spread: a one-pass variance would lose its digits.
    t["norm.x"], t["norm.w"], t["norm.b"] = random(1, 3, 8) + 10, random(8), random(8)
    t["norm.layer"] = exact(lambda x, w, b: functional.layer_norm(x, (8,), w, b, 1e-6), t["norm.x"], t["norm.w"], t["norm.b"])
    t["norm.small"] = random(1, 3, 8) * 1e-3  # Here eps matters.
    t["norm.rms"] = exact(lambda x, w: functional.rms_norm(x, (8,), w, 1e-5), t["norm.small"], t["norm.w"])

    t["rope.x"], t["rope.positions"] = random(1, 5, 3 * 8), torch.tensor([[0, 1, 1, 4, 200]])
    t["rope.y"] = rotate(t["rope.x"], t["rope.positions"], 10000.0, 8)

    t["attention.q"], t["attention.k"], t["attention.v"] = random(1, 5, 4 * 8), random(1, 7, 4 * 8), random(1, 7, 4 * 8)
    t["attention.y"] = attend(t["attention.q"], t["attention.k"], t["attention.v"], None, 4, 4, 8)
    t["grouped.q"], t["grouped.k"], t["grouped.v"] = random(1, 5, 6 * 8), random(1, 7, 2 * 8), random(1, 7, 2 * 8)
    mask = torch.where(torch.rand(1, 5, 7) < 0.4, F32_MIN, 0.0)
    mask[:, 1] = F32_MIN  # A query that may look nowhere.
    mask[:, 2] = 0.0
    t["grouped.mask"] = mask
    t["grouped.y"] = attend(t["grouped.q"], t["grouped.k"], t["grouped.v"], mask, 6, 2, 8)
    t["grouped.y_without_mask"] = attend(t["grouped.q"], t["grouped.k"], t["grouped.v"], None, 6, 2, 8)

    t["sinusoid.time"] = torch.tensor([[1.0, 0.7, 0.001, 0.0]])
    t["sinusoid.frequencies"] = 2 * torch.pi * torch.tensor([250.0, 11.3, 0.25], dtype=torch.float64)
    angles = t["sinusoid.time"].double()[..., None] * t["sinusoid.frequencies"]
    t["sinusoid.y"] = torch.cat([angles.sin(), angles.cos()], dim=-1).float()

    t["layout.x"], t["layout.row"] = random(2, 3, 4), random(1, 4)
    t["layout.permuted"] = t["layout.x"].permute(2, 0, 1).contiguous()
    t["layout.sliced"] = t["layout.x"][:, 1:3].contiguous()
    t["layout.expanded"] = t["layout.row"].expand(3, 4).contiguous()
    t["layout.joined"] = torch.cat([t["layout.x"], t["layout.x"][:, :1]], dim=1)
    t["layout.sum"] = t["layout.x"] + t["layout.row"]
    t["layout.product"] = t["layout.x"] * t["layout.row"]
    t["layout.scaled"] = t["layout.x"] * -2.5

    save_file(t, out / "ops.safetensors")


if __name__ == "__main__":
    main()
