"""A run over the pixels of images: votes against the network and the images, and every result against the votes."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from hashlib import sha256
from typing import Any

from graphcert.images.image_files import pixel_values
from graphcert.images.image_path import ImagePath
from graphcert.images.image_votes import identified_image_path, image_problem
from graphcert.images.segmenter import Segmenter
from graphcert.models.checkpoint import model_fingerprint
from graphcert.run.commitment import Plan, image_plan
from graphcert.run.folder import AGAIN, MANIFEST, MODEL
from graphcert.run.image_network import network_of
from graphcert.run.images import Loaded, shown_model
from graphcert.run.settings.image_run import UNET, SegmentSettings, isotropic
from graphcert.run.verifying.comparing import Found, compared
from graphcert.run.verifying.input_run import InputChecks, InputVotes
from graphcert.verification import Finding
from graphcert.verification.run_files import StoredVotes
from graphcert.verification.segmentation import check_segmentation
from graphcert.voting.noisy_graph import Problem


class ImageChecks(InputChecks[SegmentSettings, Loaded]):
    """The checks of one run over images."""

    comparison = "votes/isotropic-"
    column = "image"
    network: Segmenter

    def _settings(self) -> Found:
        """See `RunChecks._settings`."""
        self.settings = settings = self.run.stored_settings()
        self.inputs = self.run._load(settings)
        if settings.model == UNET and not self.inventory.has(MODEL):
            yield Finding("contradiction", MODEL, "the network that this run trained is missing")
            return
        network = network_of(settings, self.run.path(MODEL), progress=False, log=AGAIN)
        known = {
            "model": model_fingerprint(network.model), "sigma": {one.name: one.sigma for one in self.inputs},
            "images": {one.name: sha256(one.image.tobytes()).hexdigest() for one in self.inputs},
        }  # fmt: skip
        yield from compared(MANIFEST, "it names the network, the images and their noise", self.manifest, known)
        self.network = network

    @cached_property
    def _planned(self) -> Plan:
        images, sigma = ({one.name: getattr(one, name) for one in self.inputs} for name in ("image", "sigma"))
        return image_plan(self.settings, images, sigma, model_fingerprint(self.network.model))

    def _sets(self) -> Iterator[InputVotes[Loaded]]:
        match = self.manifest.get("isotropic")
        for one in self.inputs:
            height, width = one.image.shape[:2]
            yield self._set(f"votes/{one.name}", one, self.settings.smoothing(height, width, one.sigma))
        if isinstance(match, dict):
            sigma = float(match["sigma"])
            for one in self.inputs:
                noise = isotropic(sigma, self.settings.lattice)
                yield self._set(f"{self.comparison}{sigma:.6f}/{one.name}", one, noise)

    @contextmanager
    def _voting(self, one: InputVotes[Loaded]) -> Iterator[tuple[ImagePath, Problem, dict[str, Any]]]:
        model, values = shown_model(self.network, self.settings), pixel_values(one.input.image)
        problem = image_problem(values, one.scheme, self.settings.seed)
        with identified_image_path(model, values, problem, one.scheme, self.settings.seed) as (path, identity):
            yield path, problem, identity

    def _rows(self, rows: list[dict[str, str]], votes: StoredVotes) -> Found:
        return check_segmentation(self.settings.to_dict(), votes, rows)
