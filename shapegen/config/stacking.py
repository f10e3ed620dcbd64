"""How single digits become images of three, as options."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class StackConfig:
    """Three digits at random in the red, green and blue of an image: 1000 classes, all alike."""

    size: int = 14
    """Height and width of the images, which divides the digits': pixels are means of squares."""
    each: int = 4
    """Images to every digit of a part of the data: one digit is seen three times as often."""

    def __post_init__(self) -> None:
        for name in ("size", "each"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1; got {getattr(self, name)}")
