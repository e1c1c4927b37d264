"""Votes of a run whose nodes stop once they are decided: the rule, and what it saved."""

from typing import Any

from numpy.typing import NDArray
from torch_geometric.data import Data

from graphcert.certificates import Until
from graphcert.certificates.until import UNDECIDED
from graphcert.run.settings.graph_run import RunConfig
from graphcert.run.settings.stages import until_budgets
from graphcert.statistics import Looks
from graphcert.votes import Votes


def stopping_rule(config: RunConfig, data: Data) -> Until | None:
    """For which budgets, and which claims about the test nodes, the votes of a run are taken; None for all samples."""
    sampling, claims = config.sampling, config.certificate
    if sampling.until is None:
        return None
    return Until(
        until_budgets(sampling.until), claims.alpha, claims.simultaneous, claims.method, claims.label_share,
        data.test_mask.numpy(), UNDECIDED if sampling.undecided is None else sampling.undecided,
    )  # fmt: skip


def planned_looks(config: RunConfig) -> dict[str, Any] | None:
    """At which numbers of samples nodes can stop, and what each look may spend; None if every node has all samples."""
    return None if config.sampling.until is None else Looks.planned(config.sampling.samples).to_dict()


def asked_of(until: Any) -> Any:
    """The parts of a described rule that a certificate of another level or kind does not change; None for none."""
    names = ("budgets", "targets", "undecided")
    return {name: until.get(name) for name in names} if isinstance(until, dict) else until


def saved_words(votes: Votes, targets: NDArray[Any]) -> str | None:
    """How many samples of single nodes were taken, of all nodes and of the targets (N,); None if no node could stop."""
    if votes.looks is None:
        return None
    taken, most = votes.node_samples, votes.samples
    return (
        f"{int(taken.sum()):,} of {most * votes.nodes:,} samples of single nodes ({taken.mean() / most:.1%}) were taken; of "
        f"the targets {taken[targets].mean() / most:.1%}"
    )
