"""Clouds of points, from noise to report."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from graphcert.models.checkpoint import model_fingerprint
from graphcert.points import PointCloud, PointModel, PointSegmenter, sample_point_votes
from graphcert.report.frame.html import Page
from graphcert.report.frame.wording import percent
from graphcert.report.images.claims import ImageClaims
from graphcert.report.images.pictures import png
from graphcert.report.points.claims import points_table
from graphcert.report.points.content import PointContent
from graphcert.report.points.page import cloud_pictures, point_page
from graphcert.report.points.pictures import cloud_picture
from graphcert.run.commitment import Plan, commit, point_plan
from graphcert.run.folder import MODEL
from graphcert.run.image_claims import certify_image
from graphcert.run.inputs import RESULTS, InputRun
from graphcert.run.point_network import Shape, check_parts, network_of, shapes_of
from graphcert.run.settings.point_run import PointSettings


class PointRun(InputRun[PointSettings, list[Shape], PointContent]):
    """A run over the points of clouds."""

    section = "points"

    def _settings(self, values: Mapping[str, Any]) -> PointSettings:
        return PointSettings.from_dict(values)

    def _load(self, settings: PointSettings) -> list[Shape]:
        """All clouds that are wanted, after all checks that need no network."""
        shapes = shapes_of(settings)
        for shape in shapes:
            settings.check_samples(len(shape.cloud.points))
        return shapes

    def _made(self, settings: PointSettings, inputs: list[Shape], began: float) -> "_Made":
        """Take or read the votes and certify them; a plan is written before the first final vote."""
        segmenter = network_of(settings, self.path(MODEL), self.progress, self.log)
        check_parts(segmenter, inputs)
        shapes = {one.name: one.digest for one in inputs}
        plan = point_plan(settings, shapes, model_fingerprint(segmenter.model))
        self._plans = commit(self.folder, plan)
        timings = {"shapes and network": time.perf_counter() - began}
        began, total, model = time.perf_counter(), len(inputs), PointModel(segmenter.model)
        claims = [self._certify_cloud(model, one.cloud, settings, k, total) for k, one in enumerate(inputs)]
        timings["votes and certificates"] = time.perf_counter() - began
        return _Made(segmenter, inputs, plan, claims, timings)

    def _certify_cloud(
        self, model: PointModel, cloud: PointCloud, settings: PointSettings, place: int, total: int
    ) -> ImageClaims:
        title = f"{cloud.name} ({place + 1} of {total})"
        votes = sample_point_votes(
            model, cloud.points, settings.smoothing(cloud.points), settings.samples, settings.pilot_samples, settings.seed,
            workers=self.workers, store=self.path("votes") / cloud.name, progress=title if self.progress else False,
            plans=self._plans,
        )  # fmt: skip
        found = certify_image(cloud.name, votes, cloud.parts, settings, (votes.nodes,))
        claimed = percent(int(found.kept.sum()), found.kept.size)
        self.log.info(f"{title}: {claimed} of the points claimed at tau = {settings.tau:g}")
        return found


class _Made(NamedTuple):
    """What a run over clouds found: claims about the clouds in their order."""

    segmenter: PointSegmenter
    shapes: list[Shape]
    plan: Plan
    claims: list[ImageClaims]
    timings: dict[str, float]

    @property
    def facts(self) -> dict[str, Any]:
        """Everything that the results were made of."""
        return {
            "model": model_fingerprint(self.segmenter.model), "shapes": {one.name: one.digest for one in self.shapes},
            "votes": {one.name: one.digest for one in self.claims},
        }  # fmt: skip

    def look(self, settings: PointSettings) -> dict[str, Any]:
        """τ of SegCertify."""
        return {"tau": settings.tau}

    def content(
        self, settings: PointSettings, facts: Mapping[str, Any], timings: Mapping[str, float], warnings: Sequence[str]
    ) -> PointContent:
        """What the report shows."""
        return PointContent(
            [one.cloud.points for one in self.shapes], self._kinds, self.claims, self.segmenter.names,
            self.segmenter.palette, settings, _particulars(settings, self.segmenter, facts), timings, tuple(warnings),
        )  # fmt: skip

    def page(self, content: PointContent) -> Page:
        """The report."""
        return point_page(content)

    def tables(self, settings: PointSettings) -> dict[str, str]:
        """The content of results.csv."""
        return {RESULTS: points_table(self.claims, self._kinds, settings, self.segmenter.model.classes)}

    def pictures(self, settings: PointSettings) -> Iterator[tuple[str, bytes]]:
        """Names and PNGs, per shape: the truth, the prediction, and what is certified at few budgets."""
        content = self.content(settings, {}, {}, ())
        for shape, found in zip(self.shapes, self.claims, strict=True):
            for name, (_, marks) in cloud_pictures(content, found).items():
                picture = cloud_picture(shape.cloud.points, marks, self.segmenter.palette, settings.up)
                yield f"pictures/{shape.name}/{name}.png", png(picture)

    @property
    def _kinds(self) -> list[str]:
        return [one.cloud.kind for one in self.shapes]


def _particulars(
    settings: PointSettings, segmenter: PointSegmenter, provenance: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Names and values for the table of settings."""
    described = settings.to_dict()
    names = {
        "shapes": ("shapes", "input", "limit", "points", "up"),
        "sampling": ("samples", "pilot_samples", "seed"),
        "certificate": ("tau", "alpha", "method"),
    }
    found = {section: {key: described.get(key) for key in keys} for section, keys in names.items()}
    turned = {"rotation": settings.rotation, "σ of turns, degrees": settings.turn_sigma}
    found["noise"] = {"σ": described.get("sigma"), "cells": settings.cells, **turned}
    found["network"] = {
        "file": settings.model, "trained up to σ": segmenter.sigma or None,
        "trained under turns": segmenter.training.get("turns"), "sha256": provenance.get("model"),
    }  # fmt: skip
    found["certificate"]["errors tolerated"] = settings.errors or None
    found["environment"] = {key: provenance.get(key) for key in ("graphcert", "python", "torch", "numpy", "machine")}
    return found
