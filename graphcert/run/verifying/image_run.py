"""A run over the pixels of images: votes against the network and the images, and every result against the votes."""

import csv
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from typing import Any, NamedTuple

from graphcert.core.arrays import to_json
from graphcert.core.reading import PER_CHARACTER, read_bytes
from graphcert.images import ImageModel
from graphcert.images.image_files import pixel_values
from graphcert.images.image_path import ImagePath
from graphcert.images.image_votes import identified_image_path, image_problem
from graphcert.images.segmenter import Segmenter
from graphcert.models.checkpoint import model_fingerprint
from graphcert.noise import Scheme
from graphcert.run.commitment import (
    PLAN,
    chosen_after,
    image_choices,
    image_plan,
    plan_digest,
    planned_again,
    read_plans,
)
from graphcert.run.folder import MANIFEST, MODEL
from graphcert.run.image_network import network_of
from graphcert.run.images import RESULTS, SETTINGS, Loaded, SegmentRun
from graphcert.run.settings.image_run import UNET, SegmentSettings, isotropic, read_settings
from graphcert.run.verifying.comparing import Found, check_last_look, compared, settled
from graphcert.run.verifying.folder import Inventory
from graphcert.run.verifying.resample import MACHINE, check_picked, picked, what_is_left
from graphcert.run.verifying.shards import Shard, check_shards
from graphcert.verification import Finding
from graphcert.verification.run_files import StoredVotes
from graphcert.verification.segmentation import check_segmentation
from graphcert.votes import Votes
from graphcert.voting.again import vote_again
from graphcert.voting.counting import processors
from graphcert.voting.noisy_graph import Problem
from graphcert.voting.vote_sums import Sums

_COMPARISON = "votes/isotropic-"


class Pixels(NamedTuple):
    """One image under one noise, and the shards of its votes, which lie at `place` in the folder."""

    place: str
    image: Loaded
    scheme: Scheme
    shards: tuple[Shard, ...]


class ImageChecks:
    """The checks of one run over images; `resample` says how many shards are voted again."""

    settings: SegmentSettings
    network: Segmenter

    def __init__(self, inventory: Inventory, run: SegmentRun, resample: int) -> None:
        self.inventory, self.run, self.resample = inventory, run, resample
        self.manifest, self.plans = run.manifest(), tuple[dict[str, Any], ...]()
        self.images: list[Loaded] = []

    def check(self) -> Found:
        """Everything; results are made again only from votes that nothing speaks against, for that takes votes that lack."""
        holds = True
        for where, check in ((SETTINGS, self._settings), (PLAN, self._plan), ("votes", self._votes)):
            for finding in settled(where, check):
                holds &= finding.kind != "contradiction"
                yield finding
            if not hasattr(self, "network"):
                return
        yield from settled(MANIFEST, self._results if holds else self._looks)

    def _settings(self) -> Found:
        """The settings, the images and the network are those that the manifest names."""
        self.settings = settings = SegmentSettings.from_dict(read_settings(self.run.path(SETTINGS)))
        self.images = self.run._load(settings)
        if settings.model == UNET and not self.inventory.has(MODEL):
            yield Finding("contradiction", MODEL, "the network that this run trained is missing")
            return
        network = network_of(settings, self.run.path(MODEL), progress=False, say=lambda _: None)
        known = {
            "model": model_fingerprint(network.model), "sigma": {one.name: one.sigma for one in self.images},
            "images": {one.name: sha256(one.image.tobytes()).hexdigest() for one in self.images},
        }  # fmt: skip
        yield from compared(MANIFEST, "it names the network, the images and their noise", self.manifest, known)
        self.network = network

    def _plan(self) -> Found:
        """What was committed to before the final votes is what the run is."""
        self.plans = read_plans(self.run.folder)
        if not self.plans:
            yield Finding(
                "believed", "votes", "that claims and budgets were chosen before the votes: the run has no plan"
            )
            return
        images, sigma = ({one.name: getattr(one, name) for one in self.images} for name in ("image", "sigma"))
        found = image_plan(self.settings, images, sigma, model_fingerprint(self.network.model))
        free = ("certificate", "previous", "graphcert")
        plan, known = ({n: value for n, value in one.items() if n not in free} for one in (self.plans[-1], found))
        yield from compared(PLAN, "images, network, noise, seed and samples are as planned", plan, known)
        for sentence in chosen_after(self.plans[-1], image_choices(self.settings)):
            yield Finding("believed", PLAN, f"that this was not chosen to please: {sentence}")
        sha = plan_digest(self.plans[0])
        yield Finding(
            "believed", PLAN, f"that plan {sha} was made first: compare it with the one that was published before"
        )

    def _votes(self) -> Found:
        """The votes of every image; those of the comparison are voted again only when all of the claims' own are."""
        left, sets = self.resample, list(self._sets())
        for name in ("votes", _COMPARISON):
            some = [one for one in sets if one.place.startswith(_COMPARISON) == (name == _COMPARISON)]
            pool = [(place, shard) for place, one in enumerate(some) for shard in one.shards]
            chosen = picked(pool, left)
            left -= len(chosen)
            for place, one in enumerate(some):
                mine = [shard for other, shard in chosen if other == place]
                yield from settled(one.place, partial(self._one, one, mine))
            if some:
                yield from what_is_left(name, len(pool), len(chosen))

    def _sets(self) -> Iterator[Pixels]:
        match = self.manifest.get("isotropic")
        for one in self.images:
            height, width = one.image.shape[:2]
            yield self._set(f"votes/{one.name}", one, self.settings.smoothing(height, width, one.sigma))
        if isinstance(match, dict):
            sigma = float(match["sigma"])
            for one in self.images:
                yield self._set(f"{_COMPARISON}{sigma:.6f}/{one.name}", one, isotropic(sigma, self.settings.lattice))

    def _set(self, place: str, image: Loaded, scheme: Scheme) -> Pixels:
        names = [name for name in self.inventory.files if name.rpartition("/")[0] == place]
        return Pixels(place, image, scheme, tuple(map(Shard.of, names)))

    def _one(self, one: Pixels, chosen: list[Shard]) -> Found:
        """The shards of one image: of one origin, complete, with the votes that the manifest names, and some voted again."""
        settings, folder = self.settings, self.run.folder
        with self._voting(one) as (path, problem, identity):
            stated = one.shards[0].read(folder)[0]["identity"] if one.shards else {}
            known, here = ({n: v for n, v in i.items() if n not in MACHINE} for i in (identity, stated))
            same = "the shards name the network, the image, the noise and the seed of this run"
            yield from compared(one.place, same, here, known, whole=True)
            purposes = {"pilot": [settings.pilot_samples], "main": [settings.samples]}
            earlier = [{"pilot": [plan["pilot_samples"]], "main": [plan["samples"]]} for plan in self.plans]
            plans: list[str | None] = [*map(plan_digest, self.plans)] or [None]
            both = {"pilot": stated, "main": stated}
            totals = yield from check_shards(folder, one.shards, both, purposes, problem.nodes, earlier, plans)
            votes = Votes(
                totals["pilot"]["counts"], totals["main"]["counts"], one.scheme, independent=True,
                total_variation=problem.sampler.total_variation,
            )  # fmt: skip
            if not one.place.startswith(_COMPARISON):
                yield from settled(RESULTS, partial(self._slow_path, one, votes))
                named = {one.image.name: votes.digest}
                yield from compared(
                    MANIFEST, f"it names the votes of {one.image.name}", self.manifest.get("votes", {}), named
                )

            def vote(shard: Shard) -> Sums:
                return vote_again(
                    path, problem, *shard.range, workers=self.run.workers or processors(), batch=path.unit,
                    progress=self.run.progress,
                )  # fmt: skip

            yield from check_picked(folder, chosen, vote, stated, identity)

    def _slow_path(self, one: Pixels, votes: Votes) -> Found:
        """What the table claims of one image, by exact arithmetic."""
        text = io.StringIO(read_bytes(self.run.path(RESULTS), PER_CHARACTER).decode(), newline="")
        rows = [row for row in csv.DictReader(text) if row["image"] == one.image.name]
        stored = StoredVotes(
            votes.pilot_counts, votes.counts, json.loads(to_json(one.scheme.to_dict())), votes.total_variation,
            {}, votes.digest, has_scores=False, independent=True,
        )  # fmt: skip
        return check_segmentation(self.settings.to_dict(), stored, rows)

    @contextmanager
    def _voting(self, one: Pixels) -> Iterator[tuple[ImagePath, Problem, dict[str, Any]]]:
        """The path that takes votes of an image, as it is here and now."""
        model, values = ImageModel(self.network.model, self.network.model.classes), pixel_values(one.image.image)
        problem = image_problem(values, one.scheme, self.settings.seed)
        with identified_image_path(model, values, problem, one.scheme, self.settings.seed) as (path, identity):
            yield path, problem, identity

    def _looks(self) -> Found:
        """The manifest lists the look at these claims, and says what was chosen after the votes."""
        settings, looks = self.settings, self.run.looks()
        look = {
            "samples": settings.samples,
            "pilot_samples": settings.pilot_samples,
            "alpha": settings.alpha,
            "tau": settings.tau,
        }
        yield from check_last_look(looks, look)
        said = chosen_after(self.plans[-1], image_choices(settings)) if self.plans else []
        known = {"chosen_after_votes": [*planned_again(self.plans), *said]}
        yield from compared(MANIFEST, "it says what was chosen after the votes", self.manifest, known)

    def _results(self) -> Found:
        """Tables, pictures and report show what the votes give."""
        yield from self._looks()
        rebuilt = self.run.rebuilt()
        for name, content in rebuilt.items():
            if not self.inventory.has(name):
                yield Finding("contradiction", name, "it is missing")
            elif read_bytes(self.run.path(name)) != content:
                yield Finding("contradiction", name, "made again from the votes, it is another file")
            else:
                yield Finding("recomputed", name, "made again from the votes, it is the same byte for byte")
        shown = [name for name in self.inventory.files if name.startswith("pictures/") and name not in rebuilt]
        for name in shown:
            yield Finding("contradiction", name, "the votes give no such picture")
