"""What this machine has, what is missing, and the command that mends it."""

from __future__ import annotations

import ctypes.util
import importlib.metadata
import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from typing import Literal

CORE = (
    "torch",
    "numpy",
    "scipy",
    "lightning",
    "safetensors",
    "pyyaml",
    "jaxtyping",
    "pillow",
    "rich",
    "typer",
)
EXTRAS = {
    "trimesh": "reading mesh files",
    "tensorboard": "logs for TensorBoard",
    "viser": "the viewer in a browser with latent sliders",
    "imageio-ffmpeg": "films (.mp4)",
    "manifold3d": "shapegen mesh --printable",
    "open3d": "the 3D window",
}
LIBRARIES = {"usb-1.0": "libusb-1.0-0", "GL": "libgl1", "EGL": "libegl1", "vulkan": "libvulkan1"}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    state: Literal["ok", "note", "missing"]
    """``missing``: nothing works without it. ``note``: something optional does not."""
    name: str
    detail: str
    remedy: str = ""
    """A command, or nothing."""


def examine() -> list[Finding]:
    """Look at Python, packages, devices, graphics libraries and the shipped weights."""
    return [_python(), *map(_package, CORE), *_devices(), *_extras(), *_graphics(), _weights()]


def _python() -> Finding:
    detail = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return Finding("ok", "python", detail)


def _package(name: str) -> Finding:
    try:
        return Finding("ok", name, importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Finding("missing", name, "not installed", f"pip install {name}")


def _devices() -> list[Finding]:
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
    found = [Finding("ok", "cpu", f"{cores} cores, {platform.processor() or platform.machine()}")]
    try:
        import torch
    except ImportError as error:
        return [*found, Finding("missing", "torch", str(error), "pip install --force torch")]
    from shapegen.core.device import has_bfloat16

    if not has_bfloat16(torch.device("cpu")):
        detail = "no bfloat16 instructions; `train.precision: auto` trains in float32"
        found.append(Finding("note", "bfloat16", detail))
    if not torch.cuda.is_available():
        return [*found, Finding("note", "cuda", "no CUDA device; everything runs on the CPU")]
    for number in range(torch.cuda.device_count()):
        gigabytes = torch.cuda.get_device_properties(number).total_memory / 2**30
        name = torch.cuda.get_device_name(number)
        found.append(Finding("ok", f"cuda:{number}", f"{name}, {gigabytes:.0f} GiB"))
    return found


def _extras() -> list[Finding]:
    found = []
    for name, purpose in EXTRAS.items():
        try:
            found.append(Finding("ok", name, importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            remedy = f"pip install {name}"
            found.append(Finding("note", name, f"not installed ({purpose})", remedy))
    if found[-1].state == "ok":
        found[-1] = _open3d(found[-1])
    return found


def _open3d(finding: Finding) -> Finding:
    # In a process of its own: a broken graphics library can end the one that loads it.
    command = [sys.executable, "-c", "import open3d"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return finding
    lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
    return Finding("note", "open3d", f"does not load: {lines[-1]}", _system("libusb-1.0-0 libgl1"))


def _graphics() -> list[Finding]:
    if sys.platform != "linux":
        return []
    found = []
    for library, package in LIBRARIES.items():
        if ctypes.util.find_library(library):
            found.append(Finding("ok", f"lib{library}", "present"))
        else:
            detail = "not found (the 3D window needs it)"
            found.append(Finding("note", f"lib{library}", detail, _system(package)))
    return [*found, _screen()]


def _screen() -> Finding:
    from shapegen.view.display import display

    name, problem = display()
    if not problem:
        return Finding("ok", "screen", name)
    instead = "shapegen view writes a picture (--backend image) or serves a page (--backend web)"
    return Finding("note", "screen", f"{problem}: no window; {instead}")


def _system(packages: str) -> str:
    sudo = "" if os.getuid() == 0 else "sudo "
    return f"{sudo}apt-get install {packages}"


def _weights() -> Finding:
    from importlib.resources import files

    folder = files("shapegen") / "weights"
    names = sorted(
        path.name.removesuffix(".safetensors")
        for path in (folder.iterdir() if folder.is_dir() else ())
        if path.name.endswith(".safetensors")
    )
    if not names:
        return Finding("note", "weights", "none shipped", "shapegen train configs/tiny/grass.yaml")
    return Finding("ok", "weights", ", ".join(names))
