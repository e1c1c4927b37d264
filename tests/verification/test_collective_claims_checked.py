"""Collective certificates: honest ones of every scheme are proved, and every forged number is a contradiction."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from collective_runs import StoredRun, stored_run
from more_schemes import INCOMPARABLE, RISING, five_clusters
from seeds import begin

import graphcert as gc

pytestmark = pytest.mark.filterwarnings("ignore::graphcert.errors.RepeatedClaimsWarning")

FIVE = five_clusters()
LOCALIZED = gc.Smoothing(RISING, None, FIVE)
WIDE = gc.Smoothing([gc.BernoulliFlip(0.01, 0.5), gc.BernoulliFlip(0.05, 0.7), gc.BernoulliFlip(0.15, 0.8)], None, FIVE)
WIDE_GAUSSIAN = gc.Smoothing([gc.Gaussian(0.1), gc.Gaussian(1.0), gc.Gaussian(1.5)], None, FIVE)
"""Noise that differs so much from block to block that targets gain from being certified together."""

EDGES = [gc.BernoulliFlip(0.01, 0.5), gc.BernoulliFlip(0.02, 0.7)]
BOTH = ({"add": (0, 1, 3), "delete": (0, 2)},)
HONEST: dict[str, tuple[Any, tuple[dict[str, Any], ...]]] = {
    "isotropic": (gc.Smoothing(gc.BernoulliFlip(0.01, 0.6)), BOTH),
    "localized": (LOCALIZED, BOTH),
    "incomparable": (gc.Smoothing(INCOMPARABLE, None, FIVE), ({"add": (0, 1, 2)}, {"delete": (1, 3)})),
    "edges": (gc.Smoothing(None, EDGES, FIVE), ({"edge_add": (0, 2), "edge_delete": (0, 1)},)),
    "features and edges": (gc.Smoothing(RISING, EDGES, FIVE), ({"add": (1, 2), "edge_delete": (0, 1)},)),
    "directed": (gc.Smoothing(edges=EDGES[0], directed=True), ({"edge_delete": (0, 1)},)),
    "own weights": (gc.Smoothing(edges=EDGES[0], edge_values="own"), ({"edge_add": (0, 1)}, {"edge_delete": (0, 1)})),
    "localized, wide": (WIDE, ({"add": (0, 1, 3)}, {"delete": (2, 3)})),
    "Gaussian": (WIDE_GAUSSIAN, ({"shift": (0.0, 0.1, 0.2, 0.3)},)),
    "uniform": (gc.Smoothing([gc.Uniform(0.5), gc.Uniform(1.0)], None, FIVE), ({"shift": (0.05, 0.2)},)),
    "one sigma": (gc.Smoothing(gc.Gaussian(0.3)), ({"shift": (0.0, 0.2)},)),
    "Laplace": (gc.Smoothing(gc.Laplace(0.5)), ({"shift": (0.0, 0.2)},)),
}
"""Schemes all of whose numbers are proved."""

SEARCHED: dict[str, tuple[Any, tuple[dict[str, Any], ...]]] = {
    "selected": (gc.Hierarchical(0.9, gc.Smoothing(RISING, None, FIVE)), ({"add": (0, 1, 2), "nodes": 1},)),
    "ablation": (gc.Hierarchical(0.8, gc.Ablation()), ({"nodes": (0, 1)},)),
}
"""Schemes some of whose numbers rest on the search."""


@pytest.mark.parametrize("method", ["binary", "multiclass"])
@pytest.mark.parametrize("name", HONEST)
def test_every_number_is_proved(name: str, method: str, tmp_path: Path) -> None:
    scheme, sweeps = HONEST[name]
    # The programs of shifts are checked through prices, which prove linear programs.
    methods = ("naive", "lp") if scheme.norm else "all"
    run = stored_run(scheme, tmp_path, *sweeps, method=method, methods=methods)
    found = run.findings()
    assert [one.what for one in found if one.kind == "contradiction"] == []
    assert [one.what for one in found if one.kind == "believed" and "gaps" not in one.what] == []
    certified = [
        curve["targets"] - min(curve["attacked_upper"]) for one in run.collective["ladders"] for curve in one.values()
    ]
    assert max(certified) > 0, "it certifies nothing"


@pytest.mark.parametrize("name", SEARCHED)
def test_nodes_alone_prove_what_needs_no_search(name: str, tmp_path: Path) -> None:
    scheme, sweeps = SEARCHED[name]
    found = stored_run(scheme, tmp_path, *sweeps).findings()
    assert [one.what for one in found if one.kind == "contradiction"] == []
    assert any(one.kind == "proved" and "naive at" in one.what for one in found)


def test_receptive_fields_are_believed_and_attacks_from_afar_refute_nothing(tmp_path: Path) -> None:
    run = stored_run(LOCALIZED, tmp_path, {"add": (0, 1, 3)}, layers=0)
    assert run.wrong() == []
    assert any("looks no further" in found.what for found in run.findings() if found.kind == "believed")
    run.collective.pop("receptive_field")
    assert any("an attack breaks" in what for what in run.wrong()), "a model that sees everything loses more"
    run.collective["receptive_field"] = "perhaps"
    assert run.wrong()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> StoredRun:
    """A run whose proofs are coverings of several boxes, by three methods of different numbers."""
    begin("a run with coverings")  # the same one, whichever test asks for it first
    found = stored_run(WIDE, tmp_path_factory.mktemp("run"), {"add": (0, 1, 3, 4)}, methods=("naive", "lp", "tight"))
    curves = found.collective["ladders"][0]
    for name in ("attacked_upper", "correct_upper"):
        assert curves["tight"][name][1] < curves["naive"][name][1], "nothing is gained together"
    assert any(row["targets"].get("nodes", 0) > 1 for row in curves["tight"]["proofs"])
    return found


def tight(run: StoredRun) -> dict[str, Any]:
    return run.collective["ladders"][0]["tight"]  # type: ignore[no-any-return]


def boxes(run: StoredRun) -> tuple[int, dict[str, Any]]:
    """A row with a covering of several boxes, and the covering."""
    rows = [(row, proofs["targets"]) for row, proofs in enumerate(tight(run)["proofs"])]
    return max(rows, key=lambda one: one[1].get("nodes", 0))


def lowered(run: StoredRun) -> None:
    tight(run)["attacked_upper"][1] -= 1
    tight(run)["bound"][1] -= 1
    tight(run)["gap"][1] = 0


def nothing_attacked(run: StoredRun) -> None:
    for curve in run.collective["ladders"][0].values():
        for name in ("attacked_upper", "bound", "gap", "correct_upper"):
            curve[name] = [0] * 4


def nothing_attacked_and_no_proofs(run: StoredRun) -> None:
    nothing_attacked(run)
    for curve in run.collective["ladders"][0].values():
        del curve["proofs"]
        curve["attacks"] = None


def nothing_attacked_by_search(run: StoredRun) -> None:
    nothing_attacked_and_no_proofs(run)
    for curve in run.collective["ladders"][0].values():
        curve["proofs"] = [{"targets": {"kind": "search"}, "correct": {"kind": "search"}}] * 4


def budgets_renamed(run: StoredRun) -> None:
    for curve in run.collective["ladders"][0].values():
        curve["budgets"] = [[2 * n for n in row] for row in curve["budgets"]]


def axes_renamed(run: StoredRun) -> None:
    for curve in run.collective["ladders"][0].values():
        curve["axes"] = ["feature_delete", "feature_add", "edge_add", "edge_delete"]


def gap_altered(run: StoredRun) -> None:
    row = int(np.argmax(tight(run)["attacked_upper"]))
    tight(run)["gap"][row] = tight(run)["gap"][row] + 1


def attack_altered(run: StoredRun) -> None:
    tight(run)["attacks"][1] = [0] * len(tight(run)["attacks"][1])


def attack_too_large(run: StoredRun) -> None:
    tight(run)["attacks"][1][0] += 3


def bits_altered(run: StoredRun) -> None:
    _, proof = boxes(run)
    proof["bits"] = ("A" if proof["bits"][0] != "A" else "B") + proof["bits"][1:]


def root_is_a_leaf(run: StoredRun) -> None:
    _, proof = boxes(run)
    proof |= {"nodes": 1, "bits": "AA=="}


def upper_lowered(run: StoredRun) -> None:
    _, proof = boxes(run)
    proof["upper"] = [0] * len(proof["upper"])


def axis_left_out(run: StoredRun) -> None:
    _, proof = boxes(run)
    proof["axes"], proof["upper"] = proof["axes"][1:], proof["upper"][1:]


def targets_altered(run: StoredRun) -> None:
    for curve in run.collective["ladders"][0].values():
        curve["targets"] += 1


def correct_altered(run: StoredRun) -> None:
    for curve in run.collective["ladders"][0].values():
        curve["correct_targets"] += 1


def correct_lowered(run: StoredRun) -> None:
    tight(run)["correct_upper"][1] = 0


def of_another_method(run: StoredRun) -> None:
    run.collective["ladders"][0]["naive"] = tight(run)


def rounding_altered(run: StoredRun) -> None:
    tight(run)["rounding"] = 0.9


def other_without_a_proof(run: StoredRun) -> None:
    for curve in run.collective["ladders"][0].values():
        for row in curve["proofs"]:
            row["targets"] = {"kind": "other"}


def all_without_all(run: StoredRun) -> None:
    tight(run)["proofs"][1]["targets"] = {"kind": "all"}


def unknown_kind(run: StoredRun) -> None:
    tight(run)["proofs"][1]["targets"] = {"kind": "trust me"}


def duals_under_flips(run: StoredRun) -> None:
    tight(run)["proofs"][1]["targets"] = {"kind": "duals", "prices": []}


def damaged(run: StoredRun, **values: Any) -> None:
    tight(run).update(values)


def damaged_proof(run: StoredRun, **values: Any) -> None:
    boxes(run)[1].update(values)


FORGERIES: dict[str, Callable[[StoredRun], Any]] = {
    forge.__name__: forge
    for forge in (
        lowered, nothing_attacked, nothing_attacked_and_no_proofs, nothing_attacked_by_search, budgets_renamed,
        axes_renamed, gap_altered, attack_altered, attack_too_large, bits_altered, root_is_a_leaf, upper_lowered,
        axis_left_out, targets_altered, correct_altered, correct_lowered, of_another_method, rounding_altered,
        other_without_a_proof, all_without_all, unknown_kind, duals_under_flips,
    )
}  # fmt: skip
FORGERIES |= {
    "another level": lambda run: run.collective.update(alpha=0.2),
    "other votes": lambda run: run.collective.update(votes="0" * 64),
    "a row too few": lambda run: damaged(run, attacked_upper=[0]),
    "words for gaps": lambda run: damaged(run, gap=["nothing"] * 4),
    "an infinite gap": lambda run: damaged(run, gap=[float("inf")] * 4),
    "a proof too few": lambda run: tight(run)["proofs"].pop(),
    "proofs of one method": lambda run: tight(run).pop("proofs"),
    "proofs that are words": lambda run: damaged(run, proofs=["trust me"] * 4),
    "a number nobody knows": lambda run: damaged(run, trust="me"),
    "a large tree": lambda run: damaged_proof(run, nodes=10**9),
    "an axis that is not": lambda run: damaged_proof(run, axes=[10**6] * len(boxes(run)[1]["axes"])),
    "no base 64": lambda run: damaged_proof(run, bits="%%%"),
    "no upper corner": lambda run: damaged_proof(run, upper=None),
    "no sweep": lambda run: run.collective["ladders"].append({"tight": 3}),
    "no method": lambda run: run.collective["ladders"].append({"trust me": tight(run)}),
    "no sweeps": lambda run: run.collective.pop("ladders"),
}


def test_the_run_itself_holds(run: StoredRun) -> None:
    assert run.wrong() == []


@pytest.mark.parametrize("name", FORGERIES)
def test_forgeries_are_contradictions(name: str, run: StoredRun) -> None:
    copy = run.forged()
    FORGERIES[name](copy)
    assert copy.wrong(), "nobody noticed"


def test_altered_prices_are_contradictions(tmp_path: Path) -> None:
    scheme, sweeps = HONEST["Gaussian"]
    run = stored_run(scheme, tmp_path, *sweeps, methods=("naive", "lp"))
    rows = [row["targets"] for row in run.collective["ladders"][0]["lp"]["proofs"]]
    used = [row for row in rows if row["kind"] == "duals" and any(max(chain[1:]) > 0 for chain in row["prices"])]
    assert used, "no proof by prices"
    for factor in (0.0, 0.5, 2.0, -1.0, float("nan")):
        copy = run.forged()
        for row in copy.collective["ladders"][0]["lp"]["proofs"]:
            for chain in row["targets"].get("prices", []):
                chain[1:] = [factor * price for price in chain[1:]]
        assert copy.wrong(), factor


def test_old_files_without_proofs_are_believed(run: StoredRun) -> None:
    copy = run.forged()
    for curve in copy.collective["ladders"][0].values():
        del curve["proofs"]
    found = copy.findings()
    assert not [one for one in found if one.kind == "contradiction"]
    assert any(one.kind == "believed" and "tight" in one.what for one in found)


def test_a_graph_with_less_room_needs_no_other_proof(run: StoredRun) -> None:
    full = run.graph._replace(ones=np.full(len(run.graph.truth), run.graph.features))
    found = run._replace(graph=full).findings()
    wrong = [one.what for one in found if one.kind == "contradiction"]
    assert all("changes more than there is" in what for what in wrong)
    assert wrong, "attacks add bits where there is no room"
