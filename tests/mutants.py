"""``python -m tests.mutants [NAME ...]``: break the core, and see which models' tests notice.

A copy of the project is broken in one line at a time, and a few tests of every model that should
stand on that line are run in it. A model whose tests pass there does not share the core, or is
not tested. First the same tests must pass in a copy that is whole.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("shapegen", "tests")


@dataclass(frozen=True)
class Mutant:
    """One line of the core, what it is broken to, and whose tests must fail."""

    path: str
    line: str
    """Occurs once in the file."""
    broken: str
    users: Mapping[str, str]
    """A test by model."""


STRUCTURES, POINTS, IMAGES, GRAPHS, FIELDS = (
    "tests/structures",
    "tests/points",
    "tests/images",
    "tests/graphs",
    "tests/fields",
)
DRIVER = "shapegen/core/autoregressive.py"
PIXEL_STEPS = f"{IMAGES}/test_pixel_order.py::test_steps_say_what_the_whole_says"
PIXEL_DRAWS = f"{IMAGES}/test_pixel_models.py::test_draws_and_completions_have_their_probabilities"
GRAPH_DRAWS = f"{GRAPHS}/test_ordered_models.py::test_draws_have_their_probabilities"
VOLUME = f"{IMAGES}/test_flows.py::test_the_whole_flow_has_the_volume_of_autograd_and_its_inverse"
CODES = "charges_for_codes_is_the_divergence_of_their_draws"

MUTANTS: dict[str, Mutant] = {
    "kl": Mutant(
        "shapegen/core/gaussian.py",
        "return 0.5 * (self.mean.square() + self.logvar.exp() - 1 - self.logvar)",
        "return self.mean.square() + self.logvar.exp() - 1 - self.logvar",
        {
            "vae": f"{IMAGES}/test_vae.py::test_what_the_loss_{CODES}[mlp]",
            "grass": f"{STRUCTURES}/test_grass.py"
            "::test_levels_equal_the_recursion_in_values_and_gradients[ours]",
            "structurenet": f"{STRUCTURES}/test_structurenet.py::test_what_the_objective_{CODES}",
            "pointflow": f"{POINTS}/test_pointflow_objectives.py::test_what_matching_{CODES}",
        },
    ),
    "log_det": Mutant(
        "shapegen/core/flows.py",
        """            x, log_det = layer(x, context)
            total = log_det if total is None else total + log_det""",
        """            x, log_det = layer(x, context)
            total = -log_det if total is None else total - log_det""",
        {
            "realnvp": f"{VOLUME}[realnvp-1]",
            "glow": f"{VOLUME}[glow-1]",
            "pointflow": f"{POINTS}/test_pointflow.py"
            "::test_a_density_is_that_of_the_noise_by_the_jacobian_of_autograd",
        },
    ),
    # Networks that score all values at once see the value that they predict.
    "shift": Mutant(
        DRIVER,
        "return torch.cat([first.to(values.dtype), before], dim)",
        "return values",
        {
            "pixelcnn": f"{IMAGES}/test_pixel_order.py"
            "::test_all_that_is_before_is_seen_and_nothing_else[gated-1]",
            "pixelrnn": f"{IMAGES}/test_pixel_order.py"
            "::test_all_that_is_before_is_seen_and_nothing_else[diagonal-1]",
            "graphrnn": f"{GRAPHS}/test_graphrnn.py"
            "::test_a_bit_depends_on_those_before_alone[graphrnn]",
        },
    ),
    # Scoring step by step, the last value alone counts.
    "sum": Mutant(
        DRIVER,
        "total = total + process.predict(state)",
        "total = process.predict(state)",
        {
            "pixelcnn": f"{PIXEL_STEPS}[binary-gated]",
            "pixelrnn": f"{PIXEL_STEPS}[binary-diagonal]",
            "graphrnn": f"{GRAPHS}/test_graphrnn.py"
            "::test_bits_one_by_one_score_as_all_at_once[2-graphrnn]",
            "dgmg": f"{GRAPHS}/test_dgmg.py::test_scores_are_those_of_a_plain_loop",
        },
    ),
    # Drawing, a process is told the first value again and again.
    "draw": Mutant(
        DRIVER,
        "state = process.advance(state, values[number])",
        "state = process.advance(state, values[0])",
        {
            "pixelcnn": f"{PIXEL_DRAWS}[gated]",
            "pixelrnn": f"{PIXEL_DRAWS}[diagonal]",
            "graphrnn": f"{GRAPH_DRAWS}[graphrnn]",
            "dgmg": f"{GRAPH_DRAWS}[dgmg]",
        },
    ),
    "r1": Mutant(
        "shapegen/core/gradient_penalties.py",
        "return gamma / 2 * _squared_norms(gradient).mean()",
        "return gamma * _squared_norms(gradient).mean()",
        {
            "gan": f"{IMAGES}/test_gan.py"
            "::test_the_discriminator_pays_half_gamma_for_squared_slopes_at_images",
            "disentangled": f"{IMAGES}/test_disentangled.py"
            "::test_the_discriminator_pays_for_slopes",
            "voxelgan": f"{FIELDS}/test_voxelgan.py"
            "::test_the_discriminator_pays_half_gamma_for_squared_slopes_at_voxels",
            "graf": f"{FIELDS}/test_graf.py"
            "::test_the_discriminator_pays_half_gamma_for_squared_slopes_at_patches",
            "grass": f"{STRUCTURES}/test_grass_adversarial.py"
            "::test_the_players_losses_written_out",
            "planegan": "tests/test_laboratory.py::test_the_players_losses_written_out",
            "progan": f"{IMAGES}/test_progan.py"
            "::test_the_discriminator_pays_half_gamma_for_squared_slopes_at_images[6]",
            "stylegan": f"{IMAGES}/test_stylegan.py"
            "::test_the_discriminator_pays_half_gamma_for_squared_slopes_at_images[0-4.0]",
        },
    ),
    # The generator is to be taken for generated.
    "sign": Mutant(
        "shapegen/core/adversarial.py",
        "return softplus(-fake).mean()",
        "return softplus(fake).mean()",
        {
            "gan": f"{IMAGES}/test_gan.py"
            "::test_the_generator_is_to_be_taken_for_real[non_saturating]",
            "disentangled": f"{IMAGES}/test_disentangled.py"
            "::test_the_autoencoder_is_to_be_taken_for_real",
            "voxelgan": f"{FIELDS}/test_voxelgan.py"
            "::test_the_generator_is_to_be_taken_for_real[non_saturating]",
            "graf": f"{FIELDS}/test_graf.py::test_the_generator_is_to_be_taken_for_real",
            "grass": f"{STRUCTURES}/test_grass_adversarial.py"
            "::test_the_players_losses_written_out",
            "planegan": "tests/test_laboratory.py::test_the_players_losses_written_out",
            "progan": f"{IMAGES}/test_progan.py"
            "::test_the_generator_is_to_be_taken_for_real[non_saturating-6]",
            "stylegan": f"{IMAGES}/test_stylegan.py::test_the_generator_is_to_be_taken_for_real",
        },
    ),
    # A patch lies at the other side of the image.
    "patch": Mutant(
        "shapegen/core/patch.py",
        "places = grid * scale[:, None, None, None] + offset[:, None, None]",
        "places = grid * scale[:, None, None, None] - offset[:, None, None]",
        {
            "pix2pix": f"{IMAGES}/test_pix2pix.py"
            "::test_the_discriminator_sees_patches_of_the_samplers_places",
            "graf": f"{FIELDS}/test_graf.py::test_a_rendered_patch_is_a_part_of_the_picture",
        },
    ),
}


def copied(folder: Path) -> Path:
    """A copy of the project that can be broken."""
    for name in PARTS:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def break_line(folder: Path, mutant: Mutant) -> None:
    """Break a copy.

    Raises:
        ValueError: The line does not occur once.
    """
    path = folder / mutant.path
    text = path.read_text()
    if text.count(mutant.line) != 1:
        raise ValueError(f"{mutant.path} has {text.count(mutant.line)} times {mutant.line!r}")
    path.write_text(text.replace(mutant.line, mutant.broken))


def failures(folder: Path, tests: Iterable[str]) -> dict[str, str]:
    """What the tests that fail in a copy say, by test.

    Raises:
        RuntimeError: A test was not run.
    """
    wanted, report = sorted(set(tests)), folder / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *wanted]
    done = subprocess.run(
        [*command, f"--junitxml={report}"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        check=False,
    )
    said: dict[str, str] = {}
    if done.returncode in (0, 1):
        for case in ElementTree.parse(report).iter("testcase"):
            test = f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name')}"
            failed = case.find("failure")
            if case.find("error") is None and case.find("skipped") is None:
                said[test] = "" if failed is None else failed.get("message", "")
    if sorted(said) != wanted:
        raise RuntimeError(f"not all was run:\n{done.stdout.decode()[-2000:]}")
    return {test: message for test, message in said.items() if message}


def survivors(mutant: Mutant) -> list[str]:
    """Models whose tests do not notice a mutant."""
    with tempfile.TemporaryDirectory() as made:
        folder = copied(Path(made))
        break_line(folder, mutant)
        failed = failures(folder, mutant.users.values())
    # A crash is no notice: the law must be seen to be broken.
    seen = {test for test, said in failed.items() if said.startswith(("assert", "AssertionError"))}
    return [model for model, test in mutant.users.items() if test not in seen]


def main() -> None:
    """Print a line a mutant; the exit code is 1 if one lives."""
    names = sys.argv[1:] or list(MUTANTS)
    with tempfile.TemporaryDirectory() as made:
        tests = [test for name in names for test in MUTANTS[name].users.values()]
        failed = failures(copied(Path(made)), tests)
    if failed:
        sys.exit(f"these tests fail where nothing is broken: {', '.join(failed)}")
    living = 0
    for name in names:
        alive = survivors(MUTANTS[name])
        living += len(alive)
        noticed = [model for model in MUTANTS[name].users if model not in alive]
        sys.stdout.write(f"{name}: noticed by {', '.join(noticed) or 'none'}")
        sys.stdout.write(f"; NOT by {', '.join(alive)}\n" if alive else "\n")
        sys.stdout.flush()
    sys.exit(min(living, 1))


if __name__ == "__main__":
    main()
