"""Muon: momentum whose update is replaced by its nearest orthogonal matrix; for the 2-D weights of the layers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

import torch
from torch import Tensor


def fast_dtype(device: str) -> torch.dtype:
    """bf16 where there are instructions for it; without them it is a hundred times slower than f32."""
    if device == "cuda" or torch.cpu._is_avx512_bf16_supported():
        return torch.bfloat16
    return torch.float32


def fast(device: str) -> contextlib.AbstractContextManager:
    """Matrix products in the fast type."""
    if fast_dtype(device) == torch.float32:
        return contextlib.nullcontext()
    return torch.autocast(device, dtype=torch.bfloat16)


def orthogonalise(update: Tensor, steps: int = 5) -> Tensor:
    """Pushes all singular values of a matrix, or of a stack of them, towards one by a quintic iteration."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = update.to(fast_dtype(update.device.type))
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    tall = x.shape[-2] > x.shape[-1]
    if tall:
        x = x.mT
    for _ in range(steps):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return (x.mT if tall else x).to(update.dtype)


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised, with decoupled weight decay; matrices of one shape are treated together."""

    def __init__(self, params: Iterable[Tensor], lr: float, momentum: float = 0.95, weight_decay: float = 0.1) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        for group in self.param_groups:
            shapes: dict[torch.Size, list[Tensor]] = {}
            for p in group["params"]:
                if p.grad is not None:
                    shapes.setdefault(p.shape, []).append(p)
            for shape, same in shapes.items():
                updates = []
                for p in same:
                    state = self.state[p]
                    velocity = state.setdefault("velocity", torch.zeros_like(p))
                    velocity.lerp_(p.grad, 1 - group["momentum"])
                    updates.append(p.grad.lerp(velocity, group["momentum"]))
                scale = group["lr"] * max(1.0, shape[0] / shape[1]) ** 0.5
                for p, update in zip(same, orthogonalise(torch.stack(updates)), strict=True):
                    p.mul_(1 - group["lr"] * group["weight_decay"])
                    p.add_(update, alpha=-scale)
