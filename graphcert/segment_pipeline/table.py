"""Rows of results.csv: one per image and budget."""

import csv
import io
from collections.abc import Sequence
from typing import Any

from graphcert.segment_pipeline.judge import Integers, Judgement, Mask
from graphcert.segment_pipeline.settings import SegmentSettings

HEADER = (
    "image", "sigma", "budget", "claim", "pixels", "labelled", "pixel_accuracy", "miou", "abstained", "certified",
    "certified_accuracy", "certified_miou", "together_certified", "together_accuracy", "together_miou",
    "isotropic_certified", "isotropic_accuracy",
)  # fmt: skip

Isotropic = tuple[Integers, Integers]
Row = dict[str, Any]


def results_table(
    judgements: Sequence[Judgement], settings: SegmentSettings, classes: int, isotropic: Sequence[Isotropic] = ()
) -> str:
    """CSV text; shares are of all pixels, accuracies of those with a true class, empty where nothing is known.

    The certified mean IoU is the smallest that a change within the budget can bring about (`PixelCounts`); `sigma` is the
    smallest deviation of the noise on the image. The first row of an image is about SegCertify at its own radius, the
    others about the bounds of all pixels.
    """
    stream = io.StringIO()
    writer = csv.DictWriter(stream, HEADER, lineterminator="\n")
    writer.writeheader()
    for k, found in enumerate(judgements):
        writer.writerow(_row(found, found.radius, "segcertify", found.kept, classes))
        for b, budget in enumerate(settings.norms()):
            row = _row(found, budget, "simultaneous", found.alone[b], classes)
            if "together" in found.certified:
                correct = int(found.correct["together"][b]) if "together" in found.correct else None
                row |= _shares(row, "together", int(found.certified["together"][b]), correct)
                counts = found.counts(found.alone[b], classes)
                if counts is not None:
                    changes = found.labels.size - int(found.certified["together"][b])
                    row["together_miou"] = counts.mean_iou_after(changes)
            if isotropic:
                row |= _shares(row, "isotropic", int(isotropic[k][0][b]), int(isotropic[k][1][b]))
            writer.writerow(row)
    return stream.getvalue()


def _shares(row: Row, method: str, certified: int, correct: int | None) -> Row:
    """The columns of another method about the same pixels."""
    found: Row = {f"{method}_certified": certified / row["pixels"]}
    if correct is not None and "labelled" in row:
        found[f"{method}_accuracy"] = correct / row["labelled"]
    return found


def _row(found: Judgement, budget: float, claim: str, shown: Mask, classes: int) -> Row:
    pixels, certified = shown.size, int(shown.sum())
    row: Row = {"image": found.name, "sigma": found.sigma, "budget": budget, "claim": claim, "pixels": pixels}
    row |= {"abstained": (pixels - certified) / pixels, "certified": certified / pixels}
    counts = found.counts(shown, classes)
    if counts is not None:
        row |= {"labelled": counts.pixels, "pixel_accuracy": counts.accuracy, "miou": counts.mean_iou}
        row |= {"certified_accuracy": counts.certified_accuracy, "certified_miou": counts.mean_iou_lower}
    return row
