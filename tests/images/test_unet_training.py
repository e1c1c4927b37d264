"""Training a U-Net: it learns, repeats itself, survives an interrupt, and its files are safe."""

import time
from pathlib import Path

import numpy as np
import pytest
import torch
from seeds import fresh_rng
from shape_pictures import NAMES, VOID, pictures

from graphcert.errors import DataError, InputError, ModelError
from graphcert.images.segmenter import CAMVID, Segmenter, colours
from graphcert.images.unet import UNet
from graphcert.images.unet_training import (
    UNetTraining,
    Windows,
    add_noise,
    localized_deviations,
    train_unet,
)
from graphcert.models.fitting import class_weights

SHAPE = {"width": 8, "depth": 2, "context": 0, "cell": 1}
SHORT = UNetTraining(steps=60, batch=4, learning_rate=0.02, validate_every=20)


def trained(**options: object) -> tuple[UNet, object]:
    settings = {"ignore": VOID, "training": SHORT, "shape": SHAPE, **options}
    return train_unet(*pictures(12), 0.2, 3, **settings)  # type: ignore[arg-type]


def accuracy(model: UNet) -> float:
    """On new clean pictures."""
    images, masks = pictures(6, seed=9)
    x = torch.stack([torch.from_numpy(image.astype(np.float32).transpose(2, 0, 1)) / 255 for image in images])
    with torch.no_grad():
        predicted = model(x).argmax(dim=1).numpy()
    known = np.stack(masks) != VOID
    return float((predicted == np.stack(masks))[known].mean())


def test_it_learns_shapes_and_repeats_itself() -> None:
    model, log = trained(validation=pictures(4, seed=5))
    again, other = trained(validation=pictures(4, seed=5))
    assert log == other
    for one, two in zip(model.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(one, two)
    # Ground alone is about three quarters of the pixels.
    assert accuracy(model) > 0.9
    assert not model.training
    different, _ = trained(seed=1)
    assert any(not torch.equal(a, b) for a, b in zip(model.parameters(), different.parameters(), strict=True))


def test_an_interrupt_keeps_what_was_best() -> None:
    def stop(step: int, _: float) -> None:
        if step == 50:
            raise KeyboardInterrupt

    model, log = trained(validation=pictures(4, seed=5), report=stop)
    assert log.interrupted
    assert log.best_step in (20, 40)
    assert accuracy(model) > 0.75


def test_void_teaches_nothing() -> None:
    images, masks = pictures(3)
    everything = [np.full_like(mask, VOID) for mask in masks]
    with pytest.raises(InputError, match="no pixel"):
        train_unet(images, everything, 0.1, 3, ignore=VOID, training=SHORT, shape=SHAPE)
    with pytest.raises(InputError, match="names class 255"):
        train_unet(images, masks, 0.1, 3, training=SHORT, shape=SHAPE)


def test_windows_keep_images_and_masks_together() -> None:
    rng = fresh_rng()
    labels = [torch.from_numpy(rng.integers(0, 2, (3, 4)).repeat(8, 0).repeat(8, 1)) for _ in range(4)]
    # Where the image shows the mask itself, a window of both shows it again, but for borders that are blurred.
    windows = Windows([label[None].float() for label in labels], labels, 0.0, 0.6)
    other = Windows([label[None].float().flip(2) for label in labels], labels, 0.0, 0.6)
    agree, disagree = (
        float(np.mean([float(((picture[0] > 0.5) == label).float().mean()) for picture, label in drawn]))
        for drawn in ([w._window(k % 4) for k in range(40)] for w in (windows, other))
    )
    assert agree > 0.97
    assert disagree < 0.9


def test_class_weights_have_mean_one_and_favour_what_is_rare() -> None:
    labels = [torch.tensor([[0, 0, 0, 0, 0, 0, 0, 0, 1, -1]])]
    weights = class_weights(labels, 3, 0.5)
    assert weights[1] > weights[0]
    assert weights[2] == 1
    assert float((8 * weights[0] + weights[1]) / 9) == pytest.approx(1)
    assert torch.equal(class_weights(labels, 3, 0.0), torch.ones(3))


def test_localized_noise_grows_with_distance_from_one_cell() -> None:
    for _ in range(20):
        levels = localized_deviations(12, 18, 0.1, 0.4)
        assert float(levels.min()) == pytest.approx(0.1)
        assert float(levels.max()) <= 0.4 + 1e-6
    clean = torch.full((64, 1, 30, 30), 0.5)
    spread = (add_noise(clean, 0.3) - clean).std(dim=(1, 2, 3))
    assert float(spread.min()) >= 0
    assert float(spread.max()) < 0.33


@pytest.mark.parametrize("options", [{"steps": 0}, {"zoom": 0}, {"balance": 2}, {"learning_rate": 0}, {"batch": 1.5}])
def test_settings_out_of_their_domain_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(InputError):
        UNetTraining(**options)  # type: ignore[arg-type]


def test_a_loss_that_is_no_number_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "graphcert.images.unet_training._loss", lambda *_: torch.tensor(float("nan"), requires_grad=True)
    )
    with pytest.raises(ModelError, match="step 1"):
        trained()


def segmenter() -> Segmenter:
    model = UNet(classes=3, width=4, depth=2, cell=1, mean=[0.4, 0.5, 0.6], deviation=[0.2, 0.2, 0.3]).eval()
    return Segmenter(model, NAMES, colours(NAMES), VOID, 0.5, {"steps": 3})


def test_files_bring_everything_back(tmp_path: Path) -> None:
    before = segmenter()
    before.save(tmp_path / "unet.pt")
    after = Segmenter.load(tmp_path / "unet.pt")
    assert (after.names, after.palette, after.ignore, after.sigma) == (NAMES, colours(NAMES), (VOID,), 0.5)
    image = torch.rand(1, 3, 10, 14)
    torch.testing.assert_close(after.model(image), before.model(image))


def test_damaged_and_altered_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "unet.pt"
    with pytest.raises(DataError, match="no network"):
        Segmenter.load(path)
    segmenter().save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="damaged"):
        Segmenter.load(path)
    path.write_bytes(whole)
    content = torch.load(path, weights_only=True)
    content["state"]["head.bias"][0] += 1
    torch.save(content, path)
    with pytest.raises(DataError, match="altered"):
        Segmenter.load(path)
    torch.save({"format": "something"}, path)
    with pytest.raises(DataError, match="no file of a U-Net"):
        Segmenter.load(path)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        *(("shape", (name, 10**6)) for name in ("depth", "context", "width", "cell", "channels", "classes")),
        ("shape", ("depth", 10**30)), ("shape", ("mean", [0.0] * 3)), ("names", ["a"]), ("names", [1, 2, 3]),
        ("palette", [[0, 0, 300]] * 3), ("ignore", 256), ("ignore", "x"), ("sigma", float("nan")), ("sigma", -1.0),
        ("state", ("head.bias", torch.full((3,), 1e-41))), ("state", ("deviation", torch.zeros(3, 1, 1))),
    ],
)  # fmt: skip
def test_what_a_network_cannot_be_is_refused_before_it_is_built(place: str, value: object, tmp_path: Path) -> None:
    path = tmp_path / "unet.pt"
    segmenter().save(path)
    content = torch.load(path, weights_only=True)
    if isinstance(value, tuple):
        content[place][value[0]] = value[1]
    else:
        content[place] = value
    torch.save(content, path)
    if isinstance(value, tuple) and value[0] == "mean":
        Segmenter.load(path)  # normalisation is part of the weights
        return
    start = time.process_time()
    with pytest.raises(DataError, match="does not describe a U-Net") as caught:
        Segmenter.load(path)
    assert time.process_time() - start < 5
    assert "\n" not in str(caught.value)


def test_names_must_fit_the_network() -> None:
    model = UNet(classes=3, width=4, depth=2)
    with pytest.raises(InputError, match="2 names"):
        Segmenter(model, ("a", "b"), colours(NAMES), None, 0.5)


def test_colours_of_any_classes_are_told_apart() -> None:
    found = colours(tuple(f"class {k}" for k in range(20)))
    assert len(set(found)) == 20
    assert colours(tuple(CAMVID)) == tuple(CAMVID.values())
