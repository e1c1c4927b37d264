"""The independent check on changed claims of a run: what it does not contradict claims no more than the honest run."""

import json
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from fuzz_kind import CORPUS, Kind, split, whole, written
from fuzz_runs import changed_run

from graphcert.data import load_dataset
from graphcert.errors import DataError
from graphcert.run.commitment import PLAN, read_plans
from graphcert.run.settings.graph_run import RunConfig
from graphcert.run.statement import STATEMENT, read_statement
from graphcert.verification import run_files
from graphcert.verification.collective_claims import check_collective
from graphcert.verification.node_claims import check_certificate

RUN = CORPUS / "run"
CERTIFICATE, COLLECTIVE, VOTES = "certificate.json", "collective.json", "votes/votes.npz"
TINY = 1e-9


@cache
def graph() -> run_files.PlainGraph:
    """The graph of the run in the corpus."""
    config = RunConfig.load(RUN / "config.toml")
    data = load_dataset(config.dataset.name, seed=config.seed, **config.dataset.options)
    x = data.x.numpy()
    ones = np.count_nonzero(x, axis=1).astype(np.int64)
    return run_files.PlainGraph(data.y.numpy(), data.test_mask.numpy(), ones, x.shape[1], data.edge_index.numpy())


def read_claims(path: Path) -> None:
    """Check the claims with one file changed, by the independent check alone."""
    folder = written(path.parent / "claims", whole("run", path.read_bytes()))
    votes = run_files.read_votes(folder / VOTES)
    certificate, collective = (run_files.read_json(folder / name) for name in (CERTIFICATE, COLLECTIVE))
    if not isinstance(certificate, dict) or not isinstance(collective, dict):
        raise DataError("the claims are no objects")  # what the checks are promised
    checks = check_certificate(certificate, votes, graph()), check_collective(collective, certificate, votes, graph())
    found = [*chain(*checks)]
    wrong = next((one for one in found if one.kind == "contradiction"), None)
    if wrong is not None:
        raise DataError(wrong.what.replace("\n", " "))
    assert votes.digest == run_files.read_votes(RUN / VOTES).digest, "other votes pass for those of the certificate"
    assert_no_more(certificate, collective, any(one.kind == "believed" for one in found))


def assert_no_more(certificate: dict[str, Any], collective: dict[str, Any], believed: bool) -> None:
    """Claims at the level and by the rule of the honest run are no stronger than its own."""
    honest, together = (json.loads((RUN / name).read_text()) for name in (CERTIFICATE, COLLECTIVE))
    if any(certificate.get(name) != honest.get(name) for name in ("alpha", "simultaneous", "method", "label_share")):
        return
    nodes, wanted = certificate["nodes"], honest["nodes"]
    for node in np.flatnonzero(wanted["target"]):
        assert nodes["p_lower"][node] <= wanted["p_lower"][node] + TINY
        assert nodes["abstained"][node] or not wanted["abstained"][node]
        assert nodes["abstained"][node] or nodes["label"][node] == wanted["label"][node]
    for new, old in zip(certificate["grids"], honest["grids"], strict=False):
        if all(new[name] == old[name] for name in ("axes", "values", "fixed")):
            assert (np.array(new["certified_ratio"]) <= np.array(old["certified_ratio"]) + TINY).all()
    for new, old in zip(collective["ladders"], together["ladders"], strict=False):
        best = old["tight"]
        reached = np.array(best["attacked_upper"]) - np.array(best["gap"], float)
        for curve in new.values():
            if not believed and (curve["axes"], curve["budgets"]) == (best["axes"], best["budgets"]):
                assert (np.array(curve["attacked_upper"]) >= reached).all(), "fewer targets fall than to a known attack"


def read_record(path: Path) -> None:
    """plan.json and statement.json as the stages of a run read them."""
    name, content = split(path.read_bytes())
    folder = written(path.parent / "records", {PLAN if name == PLAN else STATEMENT: content})
    if name == PLAN:
        for plan in read_plans(folder):
            assert isinstance(plan, dict)
    else:
        subject = read_statement(folder)["subject"]
        assert all(isinstance(one["name"], str) and isinstance(one["digest"]["sha256"], str) for one in subject)


CHECKS = {
    "claims": Kind(changed_run, read_claims, parts=True, among=("run", (CERTIFICATE, COLLECTIVE, VOTES))),
    "records": Kind(changed_run, read_record, parts=True, among=("run", (PLAN, STATEMENT))),
}
