"""Inception features: only from a file that the user has, and named for it."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from shapegen.formats.tensors import sha256
from shapegen.metrics import FeatureDistances, image_features
from shapegen.metrics.inception import inception_features

KEY = "Mixed_7c.branch1x1.conv.weight"


class Fake(nn.Module):
    """In the place of torch-fidelity's class: mean levels as features, and what it was given."""

    def __init__(self, name: str, layers: list[str], feature_extractor_weights_path: str) -> None:
        super().__init__()
        assert layers == ["2048"]
        if torch.load(feature_extractor_weights_path)[KEY].shape != (1,):
            raise RuntimeError("Error(s) in loading state_dict:\n\tsize mismatch")

    def forward(self, images: Tensor) -> tuple[Tensor]:
        assert images.dtype == torch.uint8
        assert images.shape[1] == 3
        return (images.float().mean((2, 3)),)


@pytest.fixture
def faked(monkeypatch: pytest.MonkeyPatch) -> None:
    package, module = ModuleType("torch_fidelity"), ModuleType("extractor")
    module.FeatureExtractorInceptionV3 = Fake  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch_fidelity", package)
    monkeypatch.setitem(sys.modules, "torch_fidelity.feature_extractor_inceptionv3", module)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "inception.pth"
    torch.save({KEY: torch.zeros(1)}, path)
    return path


@pytest.mark.usefixtures("faked")
def test_images_arrive_as_whole_levels_in_three_channels(weights: Path) -> None:
    pixels = torch.tensor([-1.0, 0.0, 1.0, 4 / 255 - 1]).view(4, 1, 1, 1).expand(4, 1, 5, 5)
    found = image_features(pixels, features=weights)
    assert found[:, 0].tolist() == [0, 128, 255, 2]
    assert (found == found[:, :1]).all()


@pytest.mark.usefixtures("faked")
def test_only_inception_figures_are_fid_and_kid(weights: Path) -> None:
    rng = torch.Generator().manual_seed(0)
    pixels = torch.rand(20, 3, 4, 4, generator=rng)
    measure = FeatureDistances(pixels[:10], weights)
    figures = measure(pixels[10:])
    assert {"fid", "kid", "kid error"} <= set(figures)
    assert not {"frechet", "kernel"} & set(figures)
    settings = measure.settings({})
    assert sha256(weights)[:8] in settings["extractor"]
    assert settings["extractor"].startswith("InceptionV3 2048")
    assert settings["resize"].startswith("299 x 299")
    assert not {"fid", "kid"} & set(FeatureDistances(pixels[:10])(pixels[10:]))


class Harmful:
    def __reduce__(self) -> Any:
        return (print, ("run",))


@pytest.mark.usefixtures("faked")
def test_what_is_no_file_of_weights_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ValueError, match=r"no Inception weights at .*nowhere\.pth"):
        inception_features(tmp_path / "nowhere.pth")
    path = tmp_path / "other.pth"
    path.write_text("no weights")
    with pytest.raises(ValueError, match=r"is no file of weights: .+") as caught:
        inception_features(path)
    assert "\n" not in str(caught.value)
    path.write_bytes(pickle.dumps({KEY: Harmful()}))
    with pytest.raises(ValueError, match="is no file of weights"):
        inception_features(path)
    assert capsys.readouterr().out == ""
    torch.save({"conv.weight": torch.zeros(1)}, path)
    with pytest.raises(ValueError, match=f"no Inception weights of 2015-12-05: {KEY} is missing"):
        inception_features(path)
    torch.save({KEY: torch.zeros(2)}, path)
    with pytest.raises(ValueError, match="other weights than Inception's: size mismatch"):
        inception_features(path)


def test_without_the_package_it_is_said_how_to_get_it(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    with pytest.raises(ValueError, match=r"torch-fidelity: pip install 'shapegen\[metrics\]'"):
        inception_features(weights)


def test_weights_in_the_published_format_are_read(tmp_path: Path) -> None:
    """Random ones: the published file is not part of the project."""
    module = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    # The class always wants a file: an empty one of the right shapes is made without it.
    network = module.FeatureExtractorInceptionV3.__new__(module.FeatureExtractorInceptionV3)
    stored: dict[str, Tensor] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "load", lambda path: {})
        patch.setattr(nn.Module, "load_state_dict", lambda self, state: None)
        network.__init__("empty", ["2048"], feature_extractor_weights_path="none")
        stored = network.state_dict()
    path = tmp_path / "random.pth"
    torch.save(stored, path)
    pixels = torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    found = image_features(pixels, features=path)
    assert found.shape == (2, 2048)
    levels = ((pixels + 1) * 127.5).round().to(torch.uint8).expand(-1, 3, -1, -1)
    torch.testing.assert_close(torch.from_numpy(found).float(), network(levels)[0])
