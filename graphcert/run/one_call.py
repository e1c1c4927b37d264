"""`certify_model`: from a model and a graph to a certificate and its report in one call."""

import os
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, SupportsFloat

from numpy.typing import ArrayLike

from graphcert.certificates import BudgetGrid, Certificate, certify
from graphcert.certificates.method_hierarchy import BESIDE, MethodComparison
from graphcert.certificates.until import Asked, Until
from graphcert.certificates.vote_certificate import chosen_method, chosen_share
from graphcert.core.arguments import real
from graphcert.core.arrays import Integers
from graphcert.errors import InputError, OutOfReachWarning
from graphcert.noise import Budget, Law, Scheme, as_scheme
from graphcert.run.asked import AskedBudgets, Budgets, asked_targets
from graphcert.run.budget_choice import budget_grids, collective_sweeps, quiet_grid, too_few_samples
from graphcert.run.settings.stages import CertificateConfig, CollectiveConfig
from graphcert.run.shown import true_labels
from graphcert.statistics import check_level
from graphcert.voting import sample_votes


def certify_model(
    model: Callable[..., Any], data: Any, smoothing: Scheme | Law, budgets: Budgets | None = None, *,
    samples: int | None = None, pilot_samples: int = 1_000, alpha: float = 0.01, seed: int = 0,
    targets: ArrayLike | None = None, method: str | None = None, label_share: SupportsFloat | None = None,
    collective: bool = True, time_limit: float = 20.0, report: str | os.PathLike[str] | None = None,
    title: str | None = None, call: str | None = None, output: int | str | None = None, path: str = "auto",
    ignore: str | Sequence[str] = (), workers: int | None = None, memory: str | int | None = None,
    batch_size: int | None = None, store: str | os.PathLike[str] | None = None, shard_samples: int | None = None,
    progress: bool = False, until: Asked | None = None, max_samples: int | None = None, scheduler: str | None = None,
) -> Certificate:  # fmt: skip
    """Take votes, certify the targets, each alone and all at once, and write a report.

    The same certificate as `certify(sample_votes(…), alpha, targets=…)`, and all claims hold together with probability
    ≥ 1 − alpha. It remembers votes, labels, budgets and curves, for `summary()`, `plot()`, `to_pandas()` and `report(path)`.

    Args:
        model, data, smoothing, samples, pilot_samples, seed, call, output, path, ignore: as in `sample_votes`; 10,000
            samples by default.
        workers, memory, batch_size, store, shard_samples, progress, scheduler: as in `sample_votes`.
        until, max_samples: in place of `samples`: budgets for which the targets are to be decided, and the most samples that
            one may have, as in `sample_votes`.
        budgets: what the summary and the report are about: a `Budget`, several of them, or numbers per axis as in
            `Certificate.collective`, of which one or two vary (such as dict(add=range(5), delete=2) or
            dict(shift=[0.1, 0.2])). By default every axis of the noise, up to where nothing is certified. The certificate
            answers for every other budget too.
        alpha, method, label_share: as in `certify`.
        targets: the nodes of the claims; by default `data.test_mask` where it is there, else all.
        collective: whether to prove too how many targets survive one and the same perturbation. Under isotropic noise that
            is what holds for each alone, and nothing is computed.
        time_limit: seconds per budget of a collective certificate; what is proved by then is reported.
        report: where to write the report, or None.
        title: its first line.

    Returns:
        A `Certificate`; `curves` are the collective ones.

    Raises:
        InputError, DataError, ModelError, UnsupportedError, VotesError: as `sample_votes` and `certify`, and for budgets
            or a file of the report that cannot be; before voting, wherever that can be told.

    Warns:
        OutOfReachWarning: for every kind of change against which even unanimous votes of so few samples prove nothing.
    """
    scheme, mask = as_scheme(smoothing), asked_targets(data, targets)
    asked = None if budgets is None else AskedBudgets.of(budgets, scheme, mask.size)
    if asked is not None:
        _refuse_three_axes(asked)
    check_level(alpha)
    chosen_share(chosen_method(method or "multiclass", 2), label_share)
    options = _together(collective, time_limit)
    if isinstance(until, Until):
        raise InputError(
            "certify_model takes budgets for until, such as dict(add=2, delete=5); level, rule and targets are its own"
        )
    if until is None:
        number: dict[str, Any] = {"samples": 10_000 if samples is None else samples, "max_samples": max_samples}
        number |= {"alpha": alpha, "claims": int(mask.sum())}
    else:
        rule = Until(until, alpha, method=method, label_share=label_share, targets=mask)
        number = {"samples": samples, "max_samples": max_samples, "until": rule}
    file = None if report is None else _file_of(report)
    began = time.perf_counter()
    votes = sample_votes(
        model, data, scheme, pilot_samples=pilot_samples, seed=seed, call=call, output=output, **number, path=path,
        ignore=ignore, workers=workers, memory=memory, batch_size=batch_size, store=store, shard_samples=shard_samples,
        progress=progress, scheduler=scheduler,
    )  # fmt: skip
    voted = time.perf_counter()
    certificate = certify(votes, alpha, method=method, label_share=label_share, targets=mask)
    truth = true_labels(data, votes.nodes)
    grids = _grids(certificate, truth, asked)
    for sentence in too_few_samples(certificate, grids):
        certificate._said.append(sentence)  # and will not say so again
        warnings.warn(sentence, OutOfReachWarning, stacklevel=2)
    certified = time.perf_counter()
    curves = _curves(certificate, data, truth, asked, options)
    timings = {"sampling": voted - began, "certifying": certified - voted}
    timings |= {"collective": time.perf_counter() - certified} if curves else {}
    certificate._remember(
        data=data, truth=truth, grids=grids, curves=curves, timings=timings, budgets=_single(asked),
        title=title or f"{_name(model)} on {votes.nodes:,} nodes",
    )  # fmt: skip
    if file is not None:
        certificate.report(file)
    return certificate


def _together(collective: bool, time_limit: float) -> CollectiveConfig:
    """The settings of the collective certificate."""
    if not isinstance(collective, bool):
        raise InputError(f"collective must be True or False, got {collective!r}; Certificate.collective has methods")
    return CollectiveConfig("tight" if collective else "none", real("time_limit", time_limit, 0))


def _refuse_three_axes(asked: AskedBudgets) -> None:
    if len(asked.varying) > 2:
        raise InputError(
            f"budgets varies {', '.join(asked.varying)}, and a report draws two axes at most; give the others one number, "
            f"or give single Budgets"
        )


def _file_of(report: str | os.PathLike[str]) -> Path:
    """Where a report is to be written; `InputError` if no file can be there, which is better known before voting."""
    if not isinstance(report, (str, os.PathLike)):
        raise InputError(f"report takes the path of a file, such as 'report.html', got {report!r:.100}")
    file = Path(report)
    folder = next(parent for parent in file.absolute().parents if parent.exists())
    if file.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise InputError(f"the report cannot be written to {file}; name a file in a folder that can be written")
    return file


def _grids(certificate: Certificate, truth: Integers | None, asked: AskedBudgets | None) -> tuple[BudgetGrid, ...]:
    """A curve per axis that varies, and a map of two; every axis of the noise if there is none."""
    if asked is None or not asked.varying:
        return budget_grids(certificate, truth, CertificateConfig())
    sweep = {axis: values for axis, values in asked.sweep.items() if axis != "shift"}
    # Beside an axis the other one stands at its least number; nodes at the most, as in no nodes nothing changes.
    fixed = {axis: max(sweep[axis]) if axis == "nodes" else min(sweep[axis]) for axis in asked.varying}
    curves = [sweep | {other: fixed[other] for other in asked.varying if other != axis} for axis in asked.varying]
    maps = [sweep] if len(asked.varying) == 2 else []
    return tuple(quiet_grid(certificate, truth, **axes) for axes in (*curves, *maps))


def _curves(
    certificate: Certificate, data: Any, truth: Integers | None, asked: AskedBudgets | None, options: CollectiveConfig
) -> tuple[MethodComparison, ...]:
    """What holds for all targets at once; norms that are asked for have no other place, so each alone is shown there too."""
    norms = asked is not None and "shift" in asked.sweep
    together = certificate.smoothing.localized and options.method != "none"
    if not together and not norms:
        return ()
    sweeps = collective_sweeps(certificate, data, options) if asked is None else (asked.sweep,)
    methods = BESIDE[options.method if together else "naive"]
    return tuple(
        certificate.compare_methods(**sweep, methods=methods, truth=truth, data=data, time_limit=options.time_limit)
        for sweep in sweeps
    )


def _single(asked: AskedBudgets | None) -> tuple[Budget, ...]:
    """The budgets that are asked for one by one."""
    if asked is None or asked.varying:
        return ()
    return tuple(dict.fromkeys(budget for budget, _ in asked.cells if budget != Budget()))


def _name(model: object) -> str:
    """What a model is called in a title."""
    return getattr(model, "__name__", type(model).__name__).strip("<>")
