"""A run that trains its network first, and keeps it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image
from shape_pictures import pictures

from graphcert.errors import DataError, InputError
from graphcert.images.segmenter import Segmenter
from graphcert.images.unet_training import UNetTraining
from graphcert.models.checkpoint import model_fingerprint
from graphcert.run.image_network import train_segmenter
from graphcert.run.images import SegmentRun
from graphcert.run.settings.image_run import SegmentSettings


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("shapes")
    for part, seed, count in (("train", 0, 3), ("other", 3, 3), ("test", 5, 1)):
        for kind, arrays in zip(("images", "masks"), pictures(count, seed), strict=True):
            (root / part / kind).mkdir(parents=True)
            for k, array in enumerate(arrays):
                Image.fromarray(array).save(root / part / kind / f"{k}.png")
    return root


def settings(shapes: Path, **options: object) -> SegmentSettings:
    given: dict[str, object] = {
        "images": str(shapes / "test/images"), "masks": str(shapes / "test/masks"), "model": "unet", "steps": 2,
        "train_images": str(shapes / "train/images"), "train_masks": str(shapes / "train/masks"), "sigma": (0.1,),
        "samples": 60, "pilot_samples": 5, "budgets": (0.05,), "tau": 0.6,
    }  # fmt: skip
    return SegmentSettings(**{**given, **options})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def finished(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    SegmentRun(folder).certify(settings(shapes))
    return folder


def test_the_network_is_that_of_the_training_command(shapes: Path, finished: Path, tmp_path: Path) -> None:
    folders = (str(shapes / "train/images"), str(shapes / "train/masks"))
    alone, _ = train_segmenter(tmp_path / "net.pt", folders, 0.1, training=UNetTraining(steps=2))
    found = Segmenter.load(finished / "model.pt")
    assert model_fingerprint(found.model) == model_fingerprint(alone.model)
    assert found.sigma == 0.1
    SegmentRun(tmp_path / "run").certify(
        settings(shapes, model=str(tmp_path / "net.pt"), steps=None, train_images=None, train_masks=None)
    )
    assert (tmp_path / "run/results.csv").read_bytes() == (finished / "results.csv").read_bytes()


def test_a_second_run_uses_the_network_again(shapes: Path, finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (finished / "results.csv").read_bytes()
    monkeypatch.setattr("graphcert.run.image_network.train_unet", lambda *_, **__: pytest.fail("trained again"))
    SegmentRun(finished).certify(settings(shapes))
    assert (finished / "results.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "words"),
    [({"steps": 3}, "steps"), ({"seed": 1}, "seed"), ({"sigma": (0.2,)}, "sigma"), ({"other": "train"}, "data"),
     ({"other": "val"}, "data")],
)  # fmt: skip
def test_a_network_of_other_settings_is_never_used(
    shapes: Path, finished: Path, options: dict[str, object], words: str
) -> None:
    other = options.get("other")
    if other is not None:
        options = {f"{other}_{kind}": str(shapes / "other" / kind) for kind in ("images", "masks")}
    before = (finished / "model.pt").read_bytes()
    with pytest.raises(InputError, match=rf"other settings \(.*{words}"):
        SegmentRun(finished).certify(settings(shapes, **options))
    assert (finished / "model.pt").read_bytes() == before


def test_an_interrupted_training_leaves_no_network(
    shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def bar(*_: object) -> Iterator[Callable[[int, float], None]]:
        def interrupt(step: int, _: float) -> None:
            if step == 2:
                raise KeyboardInterrupt

        yield interrupt

    monkeypatch.setattr("graphcert.run.image_network.training_bar", bar)
    with pytest.raises(KeyboardInterrupt):
        SegmentRun(tmp_path / "run").certify(settings(shapes))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"train_images": None}, "--train-images and --train-masks"),
        ({"train_masks": None}, "--train-images and --train-masks"),
        ({"val_images": "somewhere"}, "--val-masks"),
        ({"steps": 0}, "steps"),
        ({"model": "net.pt"}, "--train-masks, --steps, --train-images would train"),
        ({"model": "net.pt", "train_images": None, "train_masks": None}, "--steps would train"),
    ],
)
def test_settings_that_do_not_fit_are_refused(shapes: Path, options: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        settings(shapes, **options)


def test_everything_that_can_be_checked_is_checked_before_training(
    shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graphcert.run.image_network.train_unet", lambda *_, **__: pytest.fail("trained"))
    for options in (
        {"images": str(tmp_path / "none")},
        {"masks": str(tmp_path)},
        {"train_images": str(tmp_path / "no")},
    ):
        with pytest.raises(DataError, match=r"no folder|has no mask"):
            SegmentRun(tmp_path / "run").certify(settings(shapes, **options))
    with pytest.raises(InputError, match="at least"):
        SegmentRun(tmp_path / "run").certify(settings(shapes, samples=10))
    assert not (tmp_path / "run").exists()
