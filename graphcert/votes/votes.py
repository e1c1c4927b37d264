"""Votes: the only thing that is kept of the sampling, and all that a certificate needs."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphcert.core.arguments import half_open
from graphcert.core.arrays import Integers as Counts
from graphcert.core.arrays import read_only, read_sealed, seal, to_json, write_sealed
from graphcert.core.reading import damage_refused
from graphcert.errors import DataError, InputError, VotesError
from graphcert.noise import Scheme, as_scheme, smoothing_from_dict
from graphcert.statistics import Looks
from graphcert.votes import BINS, UNIT, Scores

_FORMAT, _FORMAT_OF_INPUTS = 1, 2
"""Of votes of nodes, and of votes of inputs with rows of their own."""
_MOST_ROWS = 2**31
_COUNTS = ("pilot_counts", "counts")
_SCORES = ("pilot_sums", "sums", "squares", "histogram")
_FINGERPRINT = re.compile("[0-9a-f]{64}")
_QUANTISATION = {"unit": UNIT, "bins": BINS}


@dataclass(frozen=True, eq=False)
class Votes:
    """How often each node was given each class under noise: the pilot votes choose the label, the others bound it.

    With `rows` the outputs are no nodes: each of N inputs, an image, a cloud of points or a whole graph, has one label.

    The arrays are copied and read-only. Pilot and final samples must be independent of each other, and the samples of a
    node independent and identically distributed (theory section 10). The same votes given twice are refused (theory
    section 11, trap 19): the label would be chosen by the votes that bound it. Final votes that *contain* the pilot votes
    and more are just as wrong, and cannot be seen: keep the two apart. Votes with the same digest are equal.

    Attributes:
        pilot_counts: (N, K) integers; every row sums to the number of pilot samples.
        counts: (N, K) integers; every row sums to the number of samples, with `looks` to that of the look at which the node
            stopped.
        smoothing: the scheme under which the votes were taken; a bare law L of features stands for
            `Smoothing(features=L)`.
        total_variation: bound on the distance, for one sample, between the law that was sampled and the law of
            `smoothing`; certificates charge it to the adversary.
        scores: statistics of the class scores in the same samples, or None. They belong to another classifier, the
            mean score, with labels of its own.
        rows: how many rows each of N inputs has, as one whole number or as (N,) of them: the pixels of an image, the points
            of a cloud, the nodes of a graph. They are what noise selects and what budgets of `nodes` count, and each input
            is changed by itself. None if the outputs are the nodes of one graph, which are its rows too. Kept as (N,).
        looks: at which numbers of samples a node could stop, and what each look has of its level, fixed before the first
            final sample; None if every node has all samples. Votes with scores have no looks.
        manifest: provenance (seed, versions, hashes of data and model), as JSON values. "data" is the fingerprint of the
            graph, with which certificates compare the graph that they are given.
        independent: True states that pilot and final samples were drawn independently of each other although all of their
            counts agree, as unanimous votes do by chance. Sampled votes say so by themselves.

    Raises:
        VotesError: if the counts contradict themselves or each other, or pilot and final votes are the same.
    """

    pilot_counts: Counts
    counts: Counts
    smoothing: Scheme
    total_variation: float = field(default=0.0, kw_only=True)
    scores: Scores | None = field(default=None, kw_only=True)
    rows: Counts | None = field(default=None, kw_only=True)
    looks: Looks | None = field(default=None, kw_only=True)
    manifest: Mapping[str, Any] = field(default_factory=dict, kw_only=True)
    independent: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        given = self.pilot_counts, self.counts
        try:
            for name in _COUNTS:
                ends = self.looks.ends if name == "counts" and isinstance(self.looks, Looks) else None
                counts = checked_counts(name, getattr(self, name), "node", ends)
                object.__setattr__(self, name, read_only(np.array(counts, dtype=np.int64, order="C")))
            if self.counts.ndim != 2 or self.pilot_counts.shape != self.counts.shape:
                raise InputError(
                    f"pilot_counts and counts must agree on nodes and classes, got the shapes "
                    f"{self.pilot_counts.shape} and {self.counts.shape}"
                )
            object.__setattr__(self, "smoothing", as_scheme(self.smoothing))
            if self.rows is not None:
                object.__setattr__(self, "rows", checked_rows(self.rows, self.nodes))
            self.smoothing.check_outputs(self.nodes, self.rows)
            refuse_the_same_votes(*given, self.independent)
            object.__setattr__(self, "total_variation", half_open("total_variation", self.total_variation, 0, 1))
        except InputError as error:
            raise VotesError(str(error)) from None
        if self.looks is not None and not isinstance(self.looks, Looks):
            raise VotesError(
                f"Votes(looks=…) takes Looks, as sample_votes(…, until=…) makes them, got {self.looks!r:.60}"
            )
        if self.scores is not None:
            self._check_scores(self.scores)
        try:
            object.__setattr__(self, "manifest", json.loads(to_json(self.manifest)))
        except (TypeError, ValueError) as error:
            raise VotesError(f"the manifest of votes must hold JSON values only: {error}") from None

    def _check_scores(self, scores: Scores) -> None:
        if not isinstance(scores, Scores):
            raise VotesError(
                f"Votes(scores=…) takes Scores, as sample_votes(…, scores=True) takes them, got {scores!r}"
            )
        if self.rows is not None:
            raise VotesError("scores are kept of the nodes of one graph; leave rows or scores out")
        if self.looks is not None:
            raise VotesError("scores need the same samples for every node, so votes with looks have none")
        expected, found = ((part.nodes, part.classes, part.samples) for part in (self, scores))
        if expected != found:
            raise VotesError(f"votes and scores must agree on (nodes, classes, samples), got {expected} and {found}")
        if scores.pilot_sums.sum(axis=1).max() > self.pilot_samples * UNIT:
            raise VotesError(f"the scores of a node sum to more than 1 in the {self.pilot_samples} pilot samples")
        mine = np.take_along_axis(scores.pilot_sums, scores.labels[:, None], axis=1)[:, 0]
        if not self.independent and self.pilot_samples == self.samples and np.array_equal(mine, scores.sums):
            raise VotesError(f"the pilot scores and the final scores {_SAME}")

    @classmethod
    def of_largest(
        cls, labels: ArrayLike, largest: ArrayLike, counts: ArrayLike, samples: int, classes: int,
        smoothing: Scheme, **known: Any,
    ) -> "Votes":  # fmt: skip
        """Votes of which only some counts were kept, such as those of the two largest classes of each node.

        What is not known is pooled: one class more, the last, holds all other votes of a node. No class that was pooled has
        more votes than that, so bounds of it hold for each of them. A node whose label is not among the known classes counts
        no vote for it, and abstains.

        Args:
            labels: (N,) the class that *independent* pilot samples gave each node; no label may be chosen by `counts`.
            largest: (N, M) which classes are known of each node, all different.
            counts: (N, M) final votes for them.
            samples: final samples of each node.
            classes: K of the classifier; the votes have K + 1.
            smoothing: the scheme under which the votes were taken.
            known: other fields of `Votes`, such as total_variation, rows and manifest, which says that votes were pooled.

        Raises:
            VotesError: for classes that are none, a class that is named twice, or more votes than samples.
        """
        label, named, given = (np.asarray(array) for array in (labels, largest, counts))
        whole = all(np.issubdtype(array.dtype, np.integer) for array in (label, named, given))
        if (
            label.ndim != 1
            or not label.size
            or named.shape != given.shape
            or named.shape[:1] != label.shape
            or not whole
        ):
            raise VotesError(
                f"labels (N,), largest and counts (N, M) must be whole numbers, got the shapes {label.shape}, {named.shape} "
                f"and {given.shape}"
            )
        of_all = np.concatenate([named, label[:, None]], axis=1)
        if of_all.min() < 0 or of_all.max() >= classes or (np.diff(np.sort(named, axis=1), axis=1) == 0).any():
            raise VotesError(f"every node needs different classes from 0 to {classes - 1} in largest, and such a label")
        rest = samples - given.sum(axis=1)
        if given.min() < 0 or rest.min() < 0:
            raise VotesError(f"the counts of a node must be at least 0 and at most {samples} together")
        pilot = np.eye(classes + 1, dtype=np.int64)[label]
        final = np.zeros_like(pilot)
        np.put_along_axis(final, named.astype(np.int64), given.astype(np.int64), axis=1)
        final[:, classes] = rest
        manifest = {"pooled": "the last class holds all votes whose class is not known", **known.pop("manifest", {})}
        return cls(pilot, final, smoothing, manifest=manifest, **known)

    @property
    def nodes(self) -> int:
        """Number of nodes N, or of inputs."""
        return int(self.counts.shape[0])

    @property
    def classes(self) -> int:
        """Number of classes K."""
        return int(self.counts.shape[1])

    @property
    def pilot_samples(self) -> int:
        """Number of pilot samples."""
        return int(self.pilot_counts[0].sum())

    @property
    def samples(self) -> int:
        """Number of samples that bound the probabilities; with `looks` the most that a node can have."""
        return int(self.counts[0].sum()) if self.looks is None else self.looks.ends[-1]

    @cached_property
    def node_samples(self) -> Counts:
        """(N,) the number of samples of each node; all `samples` without `looks`."""
        return read_only(self.counts.sum(axis=1, dtype=np.int64))

    @cached_property
    def labels(self) -> Counts:
        """(N,) class with most pilot votes; the smallest class among equals."""
        return read_only(self.pilot_counts.argmax(axis=1).astype(np.int64))

    @cached_property
    def successes(self) -> Counts:
        """(N,) votes, out of `node_samples`, for the label that the pilot chose."""
        return read_only(np.take_along_axis(self.counts, self.labels[:, None], axis=1)[:, 0])

    @cached_property
    def digest(self) -> str:
        """Sha256 of counts, rows, smoothing, total variation, looks and scores; the manifest is not part of it."""
        return seal(to_json(self._description()), self._arrays())

    @property
    def data_fingerprint(self) -> str | None:
        """The name of the graph that was voted on, from the manifest; None for votes made elsewhere."""
        name = self.manifest.get("data")
        return name if isinstance(name, str) and _FINGERPRINT.fullmatch(name) else None

    @cached_property
    def _claims_made(self) -> set[tuple[Any, ...]]:
        """What was claimed from this very object so far; see `RepeatedClaimsWarning`."""
        return set()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Votes) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one .npz file, atomically and durably; equal votes and manifests give equal bytes."""
        description = {**self._description(), "manifest": self.manifest}
        if self.independent:
            description["independent"] = True
        # The seal is that of the values, whatever type holds them.
        arrays = self._arrays()
        arrays |= {name: arrays[name].astype(np.min_scalar_type(-1 - int(arrays[name].max()))) for name in _COUNTS}
        arrays |= {name: arrays[name].astype(np.int32) for name in ("histogram", "margins") if name in arrays}
        write_sealed(Path(path), description, arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str], smoothing: Scheme | None = None) -> "Votes":
        """Read votes back, verifying their checksum; nothing in the file is ever unpickled.

        Args:
            path: a file written by `save`.
            smoothing: the scheme the caller believes in, checked against the stored one if given.

        Raises:
            DataError: if the file is missing, truncated, altered or not a votes file.
            VotesError: if the votes claim another smoothing than `smoothing`.
        """
        remedy = "write one with Votes.save or `graphcert sample`"
        description, arrays = read_sealed(Path(path), "file of votes", None, remedy)
        with damage_refused(f"{path} is not a file of votes", remedy):
            stated = description["format"]
            if stated not in (_FORMAT, _FORMAT_OF_INPUTS) or (stated == _FORMAT_OF_INPUTS) != ("rows" in arrays):
                raise DataError(
                    f"{path} has format {stated} of votes; this version reads {_FORMAT} and {_FORMAT_OF_INPUTS}"
                )
            votes = cls(
                arrays["pilot_counts"], arrays["counts"], smoothing_from_dict(description["smoothing"]),
                total_variation=description["total_variation"], scores=_stored_scores(description, arrays),
                manifest=_plain_object(description["manifest"]), independent=description.get("independent", False),
                looks=Looks(**description["looks"]) if "looks" in description else None, rows=arrays.get("rows"),
            )  # fmt: skip
        stored = votes.smoothing
        if smoothing is not None and as_scheme(smoothing).on_graph(stored.directed, stored.edge_values) != stored:
            raise VotesError(f"{path} holds votes that do not match the smoothing: they claim {votes.smoothing}")
        return votes

    def _description(self) -> dict[str, Any]:
        form = _FORMAT if self.rows is None else _FORMAT_OF_INPUTS
        described = {"format": form, "smoothing": self.smoothing.to_dict(), "total_variation": self.total_variation}
        described |= {} if self.looks is None else {"looks": self.looks.to_dict()}
        return described if self.scores is None else {**described, "scores": _QUANTISATION}

    def _arrays(self) -> dict[str, Counts]:
        counts: dict[str, Counts] = {name: getattr(self, name) for name in _COUNTS}
        if self.rows is not None:
            counts["rows"] = self.rows
        return counts if self.scores is None else counts | self.scores.arrays()


def refuse_the_same_votes(pilot: ArrayLike, final: ArrayLike, independent: bool) -> None:
    """Raise `InputError` if pilot votes, as they were given, are given again as final ones (theory section 11, trap 19).

    `independent` states that they were drawn apart although equal; the very same array, or memory, is refused all the same.
    """
    if not isinstance(independent, bool):
        raise InputError(f"independent must be True or False, got {independent!r}")
    first, second = np.asarray(pilot), np.asarray(final)
    if pilot is final or np.shares_memory(first, second):
        same = "pilot and final votes are the same array, so the votes that bound a label would have chosen it"
        raise InputError(f"{same}; draw the final votes anew, independently of the pilot")
    if not independent and np.array_equal(first, second):
        raise InputError(f"the pilot votes and the final votes {_SAME}")


_SAME = (
    "agree in every number, as copies of each other do, and then the votes that bound a label would have chosen it; draw "
    "the final votes anew, or state with independent=True that both were drawn independently"
)


def _plain_object(manifest: object) -> dict[str, Any]:
    if not isinstance(manifest, dict):
        raise ValueError("its manifest is not a JSON object")
    return manifest


def _stored_scores(description: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Scores | None:
    if "scores" not in description:
        return None
    if description["scores"] != _QUANTISATION:
        raise ValueError(f"its scores are quantised as {description['scores']}, this version reads {_QUANTISATION}")
    return Scores(**{name: arrays[name] for name in _SCORES}, margins=arrays.get("margins"))


def checked_rows(rows: ArrayLike, inputs: int) -> Counts:
    """(N,) how many rows each of N inputs has, from one number for all or from one each.

    Raises `InputError` unless they are whole numbers from 1 to 2³¹.
    """
    given = np.asarray(rows)
    if given.shape not in ((), (inputs,)) or not np.issubdtype(given.dtype, np.integer):
        raise InputError(
            f"rows takes one whole number, or one per input, {inputs} in all; got {given.dtype} of the shape {given.shape}"
        )
    if not (given >= 1).all() or not (given <= _MOST_ROWS).all():
        raise InputError(f"rows must be whole numbers from 1 to {_MOST_ROWS:,}, got {given.min()} to {given.max()}")
    return read_only(np.array(np.broadcast_to(given, (inputs,)), np.int64))


def checked_counts(
    name: str, counts: ArrayLike, element: str, ends: tuple[int, ...] | None = None
) -> NDArray[np.integer]:
    """Counts (…, K) as they are, after a check that every `element`, such as "node", has the same number of votes.

    With `ends` every element has one of these numbers instead.
    """
    try:
        array = np.asarray(counts)
    except ValueError:
        raise InputError(f"every {element} of {name} needs one number per class; the rows differ in length") from None
    if array.ndim < 2 or array.size == 0 or array.shape[-1] < 2:
        raise InputError(f"{name} must have the shape ({element}s ≥ 1, classes ≥ 2), got {array.shape}")
    if not np.issubdtype(array.dtype, np.integer):
        raise InputError(f"{name} must hold integers, got {array.dtype}")
    if array.min() < 0:
        raise InputError(f"{name} must be at least 0 and not negative, got {array.min()}")
    if array.max() > 2**53 // array.shape[-1]:
        raise InputError(f"{name} counts more samples than anyone has drawn: {array.max()}")
    totals = array.sum(axis=-1, dtype=np.int64)
    if ends is not None and not np.isin(totals, ends).all():
        raise InputError(
            f"every {element} of {name} needs as many votes as one of the looks, {', '.join(map(str, ends))}"
        )
    if ends is None and totals.min() != totals.max():
        found = f"{name} has {totals.min()} to {totals.max()}"
        raise InputError(f"every {element} needs the same number of votes, but {found}")
    if totals.min() < 1:
        raise InputError(f"{name} holds no votes; take at least one sample")
    return array
