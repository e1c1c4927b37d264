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


def sampling_facts(votes: Votes) -> dict[str, str]:
    """What stopping nodes saved, for a table of settings; nothing if no node could stop."""
    if votes.looks is None:
        return {}
    taken, most, looks = int(votes.node_samples.sum()), votes.nodes * votes.samples, votes.looks
    return {
        "looks": f"{len(looks.ends)}, after {looks.ends[0]:,} to {looks.ends[-1]:,} samples",
        "samples of single nodes": f"{taken:,} of {most:,}",
    }


def saved_words(votes: Votes, targets: NDArray[Any]) -> str | None:
    """How many samples of single nodes were taken, of all nodes and of the targets (N,); None if no node could stop."""
    found = [f"{name}: {fact}" for name, fact in sampling_facts(votes).items()]
    share = votes.node_samples[targets].mean() / votes.samples
    return "; ".join([*found, f"of the targets {share:.1%}"]) if found else None
