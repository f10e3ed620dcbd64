"""ShapeNetCore.v2.PC15k, PointFlow's data: ``ROOT/SYNSET/SPLIT/ID.npy``, 15,000 points a shape.

The first 10,000 points of a shape are for training, the last 5,000 for testing, so that a model is
measured on points that it has not seen. Points stay in the frame and the unit of the files, which
is ShapeNet's: y up.

Reference: Yang et al., *PointFlow*, 2019, section 5.2 and the authors' code.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from shapegen.formats.npy import read_array
from shapegen.points.point_clouds import PointClouds
from shapegen.points.validity import checked_points

SPLITS = ("train", "val", "test")
TRAIN_POINTS, TEST_POINTS = 10_000, 5_000

Part = Literal["train", "test", "all"]

SYNSETS: dict[str, str] = {
    "airplane": "02691156",
    "bag": "02773838",
    "basket": "02801938",
    "bathtub": "02808440",
    "bed": "02818832",
    "bench": "02828884",
    "birdhouse": "02843684",
    "bookshelf": "02871439",
    "bottle": "02876657",
    "bowl": "02880940",
    "bus": "02924116",
    "cabinet": "02933112",
    "camera": "02942699",
    "can": "02747177",
    "cap": "02954340",
    "car": "02958343",
    "cellphone": "02992529",
    "chair": "03001627",
    "clock": "03046257",
    "dishwasher": "03207941",
    "earphone": "03261776",
    "faucet": "03325088",
    "file": "03337140",
    "guitar": "03467517",
    "helmet": "03513137",
    "jar": "03593526",
    "keyboard": "03085013",
    "knife": "03624134",
    "lamp": "03636649",
    "laptop": "03642806",
    "mailbox": "03710193",
    "microphone": "03759954",
    "microwave": "03761084",
    "monitor": "03211117",
    "motorcycle": "03790512",
    "mug": "03797390",
    "piano": "03928116",
    "pillow": "03938244",
    "pistol": "03948459",
    "pot": "03991062",
    "printer": "04004475",
    "remote_control": "04074963",
    "rifle": "04090263",
    "rocket": "04099429",
    "skateboard": "04225987",
    "sofa": "04256520",
    "speaker": "03691459",
    "stove": "04330267",
    "table": "04379243",
    "telephone": "04401088",
    "tin_can": "02946921",
    "tower": "04460130",
    "train": "04468005",
    "vessel": "04530566",
    "washer": "04554684",
}
"""WordNet's number of every category."""


def read_pc15k(
    root: str | Path, category: str, split: str, *, part: Part | None = None
) -> PointClouds:
    """Read one category of one split.

    Args:
        root: The folder ``ShapeNetCore.v2.PC15k``.
        category: A key of :data:`SYNSETS`, or a synset's number.
        split: ``"train"``, ``"val"`` or ``"test"``.
        part: Which points of every shape; by default ``"train"`` (the first 10,000) of the
            training split and ``"test"`` (the last 5,000) of the others.

    Returns:
        Clouds named ``SYNSET/ID``, in the order of names.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: Unknown category or split, or bad files.
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}; got {split!r}")
    if category not in SYNSETS and not category.isdecimal():
        raise ValueError(f"category must be one of {', '.join(SYNSETS)}; got {category!r}")
    folder = Path(root) / SYNSETS.get(category, category) / split
    if not folder.is_dir():
        raise FileNotFoundError(f"no such folder: {folder}")
    return read_pc15k_folder(folder, part=part)


def pc15k_folder(path: str | Path) -> Path | None:
    """The folder ``ROOT/SYNSET/SPLIT`` that a path means, with the category by name or number.

    None where the path is no such folder.
    """
    path = Path(path)
    category = path.parent.name
    if path.name not in SPLITS:
        return None
    number = SYNSETS.get(category, category)
    if not (number.isdecimal() and len(number) == 8):
        return None
    folder = path.parent.parent / number / path.name
    return folder if folder.is_dir() else None


def read_pc15k_folder(folder: Path, *, part: Part | None = None) -> PointClouds:
    """Read ``ROOT/SYNSET/SPLIT``; as :func:`read_pc15k`."""
    part = part or ("train" if folder.name == "train" else "test")
    cut = {
        "train": slice(0, TRAIN_POINTS),
        "test": slice(-TEST_POINTS, None),
        "all": slice(None),
    }[part]
    files = sorted(folder.glob("*.npy"))
    if not files:
        raise ValueError(f"{folder} holds no .npy file of a shape")
    clouds = []
    for file in files:
        points = checked_points(read_array(file), str(file))
        if points.shape[:2] != (1, TRAIN_POINTS + TEST_POINTS):
            raise ValueError(
                f"{file}: a shape has {TRAIN_POINTS + TEST_POINTS} points; got {points.shape[1:]}"
            )
        clouds.append(points[0, cut])
    names = [f"{folder.parent.name}/{file.stem}" for file in files]
    return PointClouds(np.stack(clouds), names)
