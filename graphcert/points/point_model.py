"""Any module of points as a classifier of points."""

import torch
from torch import Tensor, nn

from graphcert.core.arguments import whole
from graphcert.errors import InputError, ModelError
from graphcert.voting.model_call import Call
from graphcert.voting.model_checks import check_model

ARGUMENTS = ("points", "pos", "batch", "x")
"""What the arguments of a call may be."""


class PointModel(nn.Module):
    """Wraps a module that maps points (B, P, C) to logits (B, P, K), or one of torch_geometric, and checks what it returns.

    C is 3, the coordinates; under hierarchical noise 4, and the last column marks the noised points.

    Args:
        module: called with float32 points.
        classes: K, if it is to be checked.
        batch: clouds per call. Sums may round differently in batches of other sizes, so it belongs to what determines the
            votes.
        call: the arguments of the module, in order: "points" (B, P, C); or those of a union of clouds, as modules of
            torch_geometric take them: "pos" (B · P, 3), "batch" (B · P,) and "x" (B · P, C − 3), None without further
            columns. Such a module returns logits (B · P, K).

    Raises:
        InputError: if a number is outside its domain, or the call names something else.
        ModelError: if `module` is no torch.nn.Module.
    """

    def __init__(self, module: nn.Module, classes: int | None = None, *, batch: int = 8, call: str = "points") -> None:
        super().__init__()
        self.module = check_model(module, "points")
        self.classes = None if classes is None else whole("classes of a model of points", classes, 2)
        self.batch = whole("batch of a model of points", batch, 1)
        names = tuple(name.strip() for name in call.split(",")) if isinstance(call, str) else ()
        mixed = "points" in names and len(names) > 1
        if mixed or len(set(names)) != len(names) or not {"points", "pos"} & set(names) or set(names) - set(ARGUMENTS):
            raise InputError(f"call is 'points', or some of 'x, pos, batch' with pos among them; got {call!r:.80}")
        self.call = ", ".join(names)

    @property
    def device(self) -> torch.device:
        """Where the module computes."""
        return Call(self.module).device

    def forward(self, points: Tensor) -> Tensor:
        """(B, P, C) float32 → logits (B, P, K) float32; `ModelError` if the module returns anything else."""
        batch, size, columns = points.shape
        names = self.call.split(", ")
        if names != ["points"]:
            flat = points.reshape(batch * size, columns)
            given = {
                "pos": flat[:, :3].contiguous(),
                "x": flat[:, 3:].contiguous() if columns > 3 else None,
                "batch": torch.arange(batch, device=points.device).repeat_interleave(size),
            }
        else:
            given = {"points": points}
        try:
            logits = self.module(*(given[name] for name in names))
        except (RuntimeError, TypeError, ValueError, IndexError) as error:
            first, *_ = str(error).splitlines() or [type(error).__name__]
            raise ModelError(
                f"the module cannot be called as model({self.call}) with {batch} clouds of {size} points with {columns} "
                f"columns: {first}"
            ) from error
        if names != ["points"] and isinstance(logits, Tensor) and logits.dim() == 2 and len(logits) == batch * size:
            logits = logits.reshape(batch, size, -1)
        return _checked(logits, batch, size, self.classes).float()


def _checked(logits: object, batch: int, size: int, classes: int | None) -> Tensor:
    """Return the logits if they are (B, P, K ≥ 2) floats."""
    wanted = f"({batch}, {size}, {'K ≥ 2' if classes is None else classes})"
    if not isinstance(logits, Tensor) or logits.dim() != 3 or not logits.is_floating_point():
        found = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise ModelError(f"the module must return logits of shape {wanted}, got {found}")
    if logits.shape[:2] != (batch, size) or logits.shape[2] < 2 or classes not in (None, logits.shape[2]):
        raise ModelError(f"the module must return logits of shape {wanted}, got {tuple(logits.shape)}")
    return logits
