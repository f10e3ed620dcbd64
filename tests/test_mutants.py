"""The list of mutants stays true; ``make mutants`` runs them."""

from __future__ import annotations

import re

import pytest

from tests import mutants
from tests.mutants import MUTANTS, ROOT, Mutant

MATRIX = {
    "kl": {"vae", "grass", "structurenet", "pointflow"},
    "log_det": {"realnvp", "glow", "pointflow"},
    "draw": {"pixelcnn", "pixelrnn", "graphrnn", "dgmg"},
    "r1": {"gan", "disentangled", "planegan", "progan", "stylegan", "voxelgan", "graf", "grass"},
    "sign": {"gan", "disentangled", "planegan", "progan", "stylegan", "voxelgan", "graf", "grass"},
    "patch": {"pix2pix", "graf"},
}
"""Who must stand on which piece of the core."""


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=list(MUTANTS))
def test_every_mutant_breaks_a_line_and_asks_tests_that_are_there(mutant: Mutant) -> None:
    assert (ROOT / mutant.path).read_text().count(mutant.line) == 1
    assert mutant.broken != mutant.line
    for test in mutant.users.values():
        path, name = re.sub(r"\[.*", "", test).split("::")
        assert f"def {name}(" in (ROOT / path).read_text()


def test_every_model_of_the_matrix_is_asked() -> None:
    assert {name: set(MUTANTS[name].users) for name in MATRIX} == MATRIX


def test_tests_that_fail_anyway_are_no_notice(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["mutants", "kl"])
    monkeypatch.setattr(mutants, "copied", lambda folder: folder)
    monkeypatch.setattr(mutants, "failures", lambda folder, tests: {"test_kl": "no torch"})
    with pytest.raises(SystemExit, match="fail where nothing is broken: test_kl"):
        mutants.main()
    assert capsys.readouterr().out == ""


def test_a_crash_is_no_notice(monkeypatch: pytest.MonkeyPatch) -> None:
    said = dict.fromkeys(MUTANTS["log_det"].users.values(), "assert 1 == 2")
    said[MUTANTS["log_det"].users["glow"]] = "RuntimeError: sizes do not fit"
    monkeypatch.setattr(mutants, "failures", lambda folder, tests: said)
    assert mutants.survivors(MUTANTS["log_det"]) == ["glow"]
