"""A run over clouds of points: votes against the network and the clouds, and every result against the votes."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from graphcert.models.checkpoint import model_fingerprint
from graphcert.points import PointModel, PointSegmenter
from graphcert.points.point_votes import identified_point_path, point_problem
from graphcert.run.commitment import Plan, point_plan
from graphcert.run.folder import AGAIN, MANIFEST, MODEL
from graphcert.run.point_network import Shape, check_parts, network_of
from graphcert.run.settings.point_run import PointSettings
from graphcert.run.verifying.comparing import Found, compared
from graphcert.run.verifying.input_run import InputChecks, InputVotes
from graphcert.verification import Finding
from graphcert.verification.points import check_points
from graphcert.verification.run_files import StoredVotes
from graphcert.voting.noisy_graph import Problem
from graphcert.voting.paths import Path


class PointChecks(InputChecks[PointSettings, Shape]):
    """The checks of one run over clouds of points."""

    column = "shape"
    network: PointSegmenter

    def _settings(self) -> Found:
        """See `RunChecks._settings`."""
        self.settings = settings = self.run.stored_settings()
        self.inputs = self.run._load(settings)
        if settings.trained and not self.inventory.has(MODEL):
            yield Finding("contradiction", MODEL, "the network that this run trained is missing")
            return
        network = network_of(settings, self.run.path(MODEL), progress=False, log=AGAIN)
        check_parts(network, self.inputs)
        known = {"model": model_fingerprint(network.model), "shapes": self._shapes()}
        yield from compared(MANIFEST, "it names the network and the shapes", self.manifest, known)
        self.network = network

    def _shapes(self) -> dict[str, str]:
        return {one.name: one.digest for one in self.inputs}

    @cached_property
    def _planned(self) -> Plan:
        return point_plan(self.settings, self._shapes(), model_fingerprint(self.network.model))

    def _sets(self) -> Iterator[InputVotes[Shape]]:
        for one in self.inputs:
            yield self._set(f"votes/{one.name}", one, self.settings.smoothing(one.cloud.points))

    @contextmanager
    def _voting(self, one: InputVotes[Shape]) -> Iterator[tuple[Path, Problem, dict[str, Any]]]:
        model, points, seed = PointModel(self.network.model), one.input.cloud.points, self.settings.seed
        problem = point_problem(points, one.scheme, seed)
        with identified_point_path(model, points, problem, one.scheme, seed) as (path, identity):
            yield path, problem, identity

    def _rows(self, rows: list[dict[str, str]], votes: StoredVotes) -> Found:
        return check_points(self.settings.to_dict(), votes, rows)
