"""What every model can do: the abstract classes, and the protocols of data and results."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from shapegen.core import latent
from shapegen.core.objective import Objective

if TYPE_CHECKING:
    from shapegen.scene import Scene


@runtime_checkable
class Shapes(Protocol):
    """A batch of results or of data: part trees, clouds, images, ..."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: Any, /) -> Any:
        """One shape by a number; a batch of the same kind by a slice or several numbers."""
        ...

    def to_scene(self) -> Scene:
        """All shapes as points, boxes, meshes and images."""
        ...

    def write(self, path: str | Path) -> None:
        """Write to a file, or one file a shape to a folder; the extension says the format."""
        ...


class Prepared(Protocol):
    """Data brought into a model's own form once, from which batches are gathered by index.

    A plain tensor is one.
    """

    def __len__(self) -> int: ...

    def __getitem__(self, indices: Tensor, /) -> Any:
        """The batch of the shapes at ``indices`` ``(b,)``; it has ``to(device)``."""
        ...


class GenerativeModel(nn.Module, ABC):
    """A model built from one frozen dataclass."""

    name: ClassVar[str]
    """Key in ``shapegen.models()``."""
    config: Any
    """The frozen dataclass that the model was built from."""

    @abstractmethod
    def prepare(self, shapes: Any) -> Prepared:
        """Bring data into the form that the objectives' losses take; done once a run.

        Raises:
            ValueError: The shapes are not of this model's kind or cannot be represented.
        """

    @abstractmethod
    def objectives(self, *, rng: torch.Generator | None = None) -> tuple[Objective, ...]:
        """The losses to minimise, one an optimiser; their noise is drawn from ``rng``."""

    @abstractmethod
    def sample(self, n: int, *, rng: torch.Generator | None = None) -> Shapes:
        """Draw ``n`` new shapes."""


class LatentModel(GenerativeModel):
    """A model that maps a latent vector to a shape."""

    @property
    @abstractmethod
    def latent_dim(self) -> int:
        """Length of a latent vector."""

    @abstractmethod
    def sample_latent(self, n: int, *, rng: torch.Generator | None = None) -> Tensor:
        """Draw ``n`` latents ``(n, latent_dim)`` from the model's prior."""

    @abstractmethod
    def decode(self, z: Tensor, *, rng: torch.Generator | None = None) -> Any:
        """Map latents ``(n, latent_dim)`` to ``n`` shapes."""

    def sample(self, n: int, *, rng: torch.Generator | None = None) -> Any:
        """Draw ``n`` new shapes: latents from the prior, decoded."""
        if n < 1:
            raise ValueError(f"the number of samples must be at least 1; got {n}")
        return self.decode(self.sample_latent(n, rng=rng), rng=rng)

    def interpolate(
        self, a: Any, b: Any, steps: int, *, rng: torch.Generator | None = None
    ) -> Any:
        """Decode ``steps`` latents on the way from ``a`` to ``b``, ends included.

        Args:
            a: One latent ``(latent_dim,)`` or, for an autoencoder, one shape.
            b: The same.
            steps: At least 2.
            rng: For decoders that draw.
        """
        ends = [self._as_latent(end) for end in (a, b)]
        path = latent.interpolate(ends[0], ends[1], steps)
        if isinstance(self, Walker):
            return self.decode_walk(path, rng=rng)
        return self.decode(path, rng=rng)

    def arithmetic(self, a: Any, b: Any, c: Any, *, rng: torch.Generator | None = None) -> Any:
        """Decode ``a - b + c``, one shape: what ``a`` is to ``b``, it is to ``c``.

        Args:
            a: One latent ``(latent_dim,)`` or, for an autoencoder, one shape.
            b: The same.
            c: The same.
            rng: For decoders that draw.
        """
        terms = [self._as_latent(term) for term in (a, b, c)]
        return self.decode(latent.arithmetic(*terms)[None], rng=rng)

    def _as_latent(self, end: Any) -> Tensor:
        if isinstance(end, Tensor):
            if end.shape != (self.latent_dim,):
                raise ValueError(f"a latent must be ({self.latent_dim},); got {tuple(end.shape)}")
            return end
        if not isinstance(self, Autoencoder):
            raise TypeError(f"{self.name} has no encoder: give latents, got {type(end).__name__}")
        return self.encode([end])[0]


class Autoencoder(LatentModel):
    """A latent model that can also find the latent of a shape."""

    @abstractmethod
    def encode(self, shapes: Any) -> Tensor:
        """Latents ``(n, latent_dim)`` of shapes: the posterior's mean where there is one."""

    def reconstruct(self, shapes: Any, *, rng: torch.Generator | None = None) -> Any:
        """Encode and decode."""
        return self.decode(self.encode(shapes), rng=rng)


@runtime_checkable
class Walker(Protocol):
    """A latent model that decodes the steps of a walk together: parts keep their identity."""

    def decode_walk(self, z: Tensor, *, rng: torch.Generator | None = None) -> Any:
        """Map latents ``(steps, latent_dim)``, in the order of the walk, to shapes."""
        ...


@runtime_checkable
class Flowing(Protocol):
    """A latent model whose points flow from noise to the shape, and can be watched."""

    trajectory: Callable[..., Any]
    """``trajectory(z, steps, *, rng)``: of one latent, as many shapes as steps, of the same
    points; the first is the noise and the last what :meth:`LatentModel.decode` gives."""


@runtime_checkable
class Sketching(Protocol):
    """A latent model that can decode roughly in a fraction of the time, while a slider moves."""

    sketch: Callable[..., Any]
    """``sketch(z, *, rng)``: nearly what :meth:`LatentModel.decode` gives."""


@runtime_checkable
class Composed(Protocol):
    """A latent model whose latent has parts with a meaning of their own."""

    @property
    def latent_parts(self) -> Mapping[str, int]:
        """Length of every part by its name, in the order in which a latent has them."""
        ...


@runtime_checkable
class Differentiable(Protocol):
    """A latent model whose shapes are numbers that follow the latent with gradients.

    Latents can be found by optimisation in place of an encoder
    (:func:`shapegen.core.latent_projection.project`).
    """

    choices: slice
    """Entries of a latent that are a choice, such as a class, and not a number; may be empty."""

    def generate(self, z: Tensor) -> Tensor:
        """What :meth:`LatentModel.decode` makes shapes of: numbers ``(n, ...)`` of latents."""
        ...

    def targets(self, shapes: Any) -> Tensor:
        """Shapes as such numbers.

        Raises:
            TypeError: Shapes of another kind.
            ValueError: None, or of another size.
        """
        ...


@runtime_checkable
class Translator(Protocol):
    """A model that makes one image of another."""

    translate: Callable[..., Any]
    """``translate(images, *, rng)``: as many images; a model of two kinds takes ``to`` too."""


@runtime_checkable
class Calibrated(Protocol):
    """A model with statistics of its training data (a fitted prior, a scale) in its buffers.

    The training loop calls :meth:`calibrate` before every checkpoint, on the weights to be saved,
    and once before the first step: data that it refuses are refused at once.
    """

    calibrate: Callable[..., None]
    """``calibrate(prepared, *, rng)``: measure the data and store what sampling needs."""


@runtime_checkable
class Batched(Protocol):
    """A model that does not learn from batches of any size.

    :func:`shapegen.fit` calls :meth:`check_batch` before the first step.
    """

    check_batch: Callable[..., None]
    """``check_batch(shapes, batch_size)``: refuse so many shapes, or such batches."""


@runtime_checkable
class Initialised(Protocol):
    """A model that takes over trained weights that its config names.

    :func:`shapegen.fit` calls :meth:`initialise` before the first step of a run; from then on the
    model's own file holds the weights.
    """

    initialise: Callable[..., None]
    """``initialise(*, resumed)``: read the weights, unless the run goes on from a state that holds
    them."""


class Likelihood(ABC):
    """A model with an exact likelihood; a bound is called ``elbo`` instead."""

    @abstractmethod
    def log_prob(self, shapes: Any) -> Tensor:
        """Log-likelihood of every shape ``(n,)`` in nats."""
