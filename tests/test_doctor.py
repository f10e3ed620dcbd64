"""The doctor: what is there is found, what is not is named with its remedy."""

from __future__ import annotations

import ctypes.util
import importlib.metadata
import sys

import pytest
import torch

from shapegen import doctor


def test_versions_and_devices_are_found() -> None:
    found = {finding.name: finding for finding in doctor.examine()}
    assert found["torch"].detail == importlib.metadata.version("torch")
    assert found["cpu"].state == "ok"
    assert ("cuda:0" in found) == torch.cuda.is_available()
    assert all(finding.state != "missing" for finding in found.values())


def test_a_missing_package_has_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "CORE", ("torch", "no-such-package"))
    missing = [finding for finding in doctor.examine() if finding.state == "missing"]
    assert [finding.name for finding in missing] == ["no-such-package"]
    assert missing[0].remedy == "pip install no-such-package"


def test_a_library_that_does_not_load_is_told_apart_from_one_that_is_absent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Done:
        returncode = 1
        stderr = "Traceback\nImportError: libusb-1.0.so.0: cannot open shared object file\n"

    monkeypatch.setattr(doctor.subprocess, "run", lambda *_, **__: Done)
    finding = doctor._open3d(doctor.Finding("ok", "open3d", "0.20.0"))
    assert finding.state == "note"
    assert "libusb-1.0.so.0" in finding.detail
    assert "apt-get install" in finding.remedy


@pytest.mark.skipif(sys.platform != "linux", reason="other systems always have a display")
def test_a_screen_that_cannot_be_opened_is_told_with_what_works_instead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("DISPLAY", raising=False)
    finding = doctor._screen()
    assert finding.state == "note"
    assert finding.detail.startswith("DISPLAY is not set: no window; shapegen view writes")
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    assert doctor._screen() == doctor.Finding("ok", "screen", "wayland-0")
    monkeypatch.delenv("WAYLAND_DISPLAY")
    if ctypes.util.find_library("X11") is None:
        pytest.skip("no X11 library here, so nothing tells whether a display can be opened")
    monkeypatch.setenv("DISPLAY", ":987")
    finding = doctor._screen()
    assert finding.state == "note"
    assert "':987' cannot be opened" in finding.detail
    assert "--backend web" in finding.detail
    assert "\n" not in finding.detail
