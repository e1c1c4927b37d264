"""Networks that a run trains for itself: the bar on the terminal, what training said, and networks found in the folder."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from graphcert.core.progress import progress_bar
from graphcert.errors import InputError
from graphcert.models.fitting import FitLog


def refuse_other_training(path: Path, known: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Raise `InputError` if what is `known` about the training of the network at `path` is not what is wanted."""
    differing = [name for name, value in wanted.items() if known.get(name) != value]
    if differing:
        others = ", ".join(differing)
        raise InputError(f"{path} was trained with other settings ({others}); remove it or name another folder")


@contextmanager
def training_bar(steps: int, shown: bool) -> Iterator[Callable[..., None]]:
    """A bar on the terminal that a training of at most so many steps reports to."""
    with progress_bar(steps, "steps", "training", shown) as bar:

        def report(step: int, loss: float, *_: float) -> None:
            bar.set_postfix(loss=f"{loss:.3f}", refresh=False)
            bar.update(step - bar.n)

        yield report


def training_words(log: FitLog, what: str = "pixel") -> list[str]:
    """What training did, line by line; the accuracy is that of `what`s."""
    interrupted = [f"interrupted after {log.steps} steps"] if log.interrupted else []
    words = f"step {{}}: validation loss {{:.3f}}, {what} accuracy {{:.3f}} under noise"
    return interrupted + [words.format(*evaluated) for evaluated in log.history]
