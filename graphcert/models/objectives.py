"""Losses of noise-aware training, as plain functions of logits under several draws of noise."""

import torch
import torch.nn.functional as F
from torch import Tensor

from graphcert.core.arguments import real
from graphcert.errors import InputError


def consistency_loss(
    logits: Tensor, labels: Tensor, mask: Tensor | None = None, *, weight: float = 5.0, entropy: float = 0.5
) -> Tensor:
    """Cross-entropy under noise, and how much the predictions under different noise differ (Jeong & Shin 2020, eq. 6).

    With p_s the distribution of a node in draw s and p̄ their mean, it is the mean over draws of −log p_s(label), plus
    weight · mean_s KL(p̄ ‖ p_s), plus entropy · H(p̄). The last two need no label and are averaged over all N nodes, as is
    usual where most nodes have none (Feng et al. 2020).

    Args:
        logits: (S, N, K) under S ≥ 2 draws of noise.
        labels: (N,) classes; those outside of the mask are not looked at.
        mask: (N,) bool, the nodes whose labels are known; None for all.
        weight, entropy: λ ≥ 0 and η ≥ 0.

    Returns:
        A scalar, with gradients.

    Raises:
        InputError: if the shapes do not fit, there are fewer than two draws, no label or a wrong one, or a weight < 0.
    """
    mask = _checked(logits, labels, mask, 2, weight=weight, entropy=entropy)
    log = logits.log_softmax(dim=-1)
    draws = torch.tensor(len(log), dtype=log.dtype, device=log.device)
    mean_log = log.logsumexp(dim=0) - draws.log()
    mean = mean_log.exp()
    divergence = (mean * (mean_log - log)).sum(-1).mean()
    return _cross_entropy(log, labels, mask) + weight * divergence - entropy * (mean * mean_log).sum(-1).mean()


def stability_loss(
    clean: Tensor, noisy: Tensor, labels: Tensor, mask: Tensor | None = None, *, weight: float = 1.0
) -> Tensor:
    """Cross-entropy on the clean graph, and how far noise moves the predictions (Zheng et al. 2016; Li et al. 2019).

    It is −log p(label) + weight · mean_s KL(p ‖ p_s), with p the clean distribution of a node and p_s that in draw s; the
    second term needs no label and is averaged over all N nodes.

    Args:
        clean: (N, K) logits on the clean graph.
        noisy: (S, N, K) logits under S ≥ 1 draws of noise.
        labels, mask: as in `consistency_loss`.
        weight: ≥ 0.

    Returns:
        A scalar, with gradients.

    Raises:
        InputError: if the shapes do not fit, there is no label or a wrong one, or the weight is negative.
    """
    if clean.dim() != 2 or clean.shape != noisy.shape[1:]:
        raise InputError(
            f"clean logits have the shape (N, K) of one draw, got {tuple(clean.shape)}; call the model once"
        )
    mask = _checked(noisy, labels, mask, 1, weight=weight)
    log, under = clean.log_softmax(dim=-1), noisy.log_softmax(dim=-1)
    divergence = (log.exp() * (log - under)).sum(-1).mean()
    return _cross_entropy(log[None], labels, mask) + weight * divergence


def _cross_entropy(log: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    """Mean over draws and labelled nodes."""
    return F.nll_loss(log[:, mask].flatten(0, 1), labels[mask].repeat(len(log)))


def _checked(logits: Tensor, labels: Tensor, mask: Tensor | None, least: int, **weights: float) -> Tensor:
    """The mask, all True by default."""
    for name, value in weights.items():
        real(name, value, 0)
    if logits.dim() != 3 or len(logits) < least:
        raise InputError(
            f"noisy logits have the shape (draws ≥ {least}, N, K), got {tuple(logits.shape)}; stack the draws with "
            f"torch.stack"
        )
    mask = torch.ones_like(labels, dtype=torch.bool) if mask is None else mask
    if not labels.shape == mask.shape == logits.shape[1:2] or mask.dtype is not torch.bool:
        raise InputError(
            f"labels and a boolean mask have the shape ({logits.shape[1]},), got {tuple(labels.shape)} and "
            f"{mask.dtype} {tuple(mask.shape)}"
        )
    known, classes = labels[mask], logits.shape[2]
    if labels.dtype is not torch.int64 or not len(known) or known.min() < 0 or known.max() >= classes:
        raise InputError(
            f"the mask names nodes with int64 labels from 0 to {classes - 1}, as the logits have {classes} classes; got "
            f"{len(known)} of {labels.dtype}"
        )
    return mask
