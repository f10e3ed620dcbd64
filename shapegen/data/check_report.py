"""What a check of a file or folder found."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class CheckReport:
    """What was found in a file or folder."""

    path: str
    kind: str
    """Such as ``"part trees"``; ``"unknown"`` where it could not be told."""
    counts: dict[str, int] = field(default_factory=dict)
    """Such as shapes, nodes, relations."""
    problems: tuple[str, ...] = ()
    """A line each: what is wrong, and where."""
    notes: tuple[str, ...] = ()
    """What is repaired in reading, or legal but worth knowing."""

    @property
    def ok(self) -> bool:
        """Whether the file can be used as it is."""
        return not self.problems

    def __str__(self) -> str:
        """The report as lines of text."""
        counts = ", ".join(f"{count} {name}" for name, count in self.counts.items())
        head = f"{self.path}: {'sound' if self.ok else 'not sound'}, {self.kind}"
        lines = [f"{head}: {counts}" if counts else head]
        lines += [f"  problem: {line}" for line in self.problems]
        lines += [f"  note: {line}" for line in self.notes]
        return "\n".join(lines)
