"""The models by name: a line each, and classes that are imported when they are asked for."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shapegen.base import GenerativeModel


@dataclass(frozen=True)
class Entry:
    """Where a model lives and what it is."""

    module: str
    model: str
    """Class in the module."""
    config: str
    """Frozen dataclass in the module that the class is built from."""
    family: str
    summary: str
    capabilities: tuple[str, ...]
    """What can be done with it beside training and sampling."""
    paper: str
    options: Mapping[str, Any] = field(default_factory=dict)
    """Values of the config's fields where they are not its defaults: another name for a setting
    of a class that has its own."""


MODELS: dict[str, Entry] = {
    "grass": Entry(
        module="shapegen.structures.grass",
        model="GRASS",
        config="GRASSConfig",
        family="structures",
        summary="recursive VAE over binary merge trees of part boxes and their symmetries",
        capabilities=("encode", "reconstruct", "interpolate"),
        paper="Li et al., GRASS: Generative Recursive Autoencoders for Shape Structures, 2017",
    ),
    "structurenet": Entry(
        module="shapegen.structures.structurenet",
        model="StructureNet",
        config="StructureNetConfig",
        family="structures",
        summary="graph VAE over labelled part hierarchies with relations among siblings",
        capabilities=("encode", "reconstruct", "interpolate"),
        paper="Mo et al., StructureNet: Hierarchical Graph Networks for 3D Shape Generation, 2019",
    ),
    "partgeometry": Entry(
        module="shapegen.structures.part_geometry",
        model="PartGeometry",
        config="PartGeometryConfig",
        family="structures",
        summary="VAE of the point clouds of single parts, which structurenet can be built on",
        capabilities=("encode", "reconstruct", "interpolate"),
        paper="Mo et al., StructureNet, 2019, section 4.1",
    ),
    "abstraction": Entry(
        module="shapegen.structures.abstraction",
        model="Abstraction",
        config="AbstractionConfig",
        family="structures",
        summary="part hierarchies from point clouds or depth maps, by a trained structurenet",
        capabilities=("encode", "reconstruct", "interpolate"),
        paper="Mo et al., StructureNet, 2019, section 5.5",
    ),
    "pointflow": Entry(
        module="shapegen.points.pointflow",
        model="PointFlow",
        config="PointFlowConfig",
        family="points",
        summary="continuous flows of shape codes and of points, with exact likelihoods",
        capabilities=("encode", "reconstruct", "interpolate"),
        paper="Yang et al., PointFlow: 3D Point Cloud Generation with Continuous Normalizing "
        "Flows, 2019",
    ),
    "voxelgan": Entry(
        module="shapegen.fields.voxelgan",
        model="VoxelGAN",
        config="VoxelGANConfig",
        family="fields",
        summary="3D-GAN: a generative adversarial network of voxels, by convolutions in space",
        capabilities=("interpolate",),
        paper="Wu et al., Learning a Probabilistic Latent Space of Object Shapes via 3D "
        "Generative-Adversarial Modeling, 2016",
    ),
    "autoencoder": Entry(
        module="shapegen.images.autoencoder",
        model="ImageAutoencoder",
        config="AutoencoderConfig",
        family="images",
        summary="a network to a short code and one back, by squared errors",
        capabilities=("encode", "reconstruct", "interpolate"),
        paper="Hinton and Salakhutdinov, Reducing the Dimensionality of Data with Neural "
        "Networks, 2006",
    ),
    "vae": Entry(
        module="shapegen.images.vae",
        model="VAE",
        config="VAEConfig",
        family="images",
        summary="variational and importance-weighted autoencoder",
        capabilities=("encode", "reconstruct", "interpolate"),
        paper="Kingma and Welling, Auto-Encoding Variational Bayes, 2014",
    ),
    "disentangled": Entry(
        module="shapegen.images.disentangled",
        model="DisentangledVAE",
        config="DisentangledConfig",
        family="images",
        summary="VAE with one code for the class and one for everything else",
        capabilities=("encode", "reconstruct", "interpolate"),
        paper="Mathieu et al., Disentangling Factors of Variation in Deep Representations Using "
        "Adversarial Training, 2016",
    ),
    "pixelcnn": Entry(
        module="shapegen.images.pixelcnn",
        model="PixelCNN",
        config="PixelCNNConfig",
        family="images",
        summary="convolutions over the pixels before one, masked or gated, given a label or not",
        capabilities=("log_prob", "complete"),
        paper="van den Oord et al., Conditional Image Generation with PixelCNN Decoders, 2016",
    ),
    "pixelrnn": Entry(
        module="shapegen.images.pixelrnn",
        model="PixelRNN",
        config="PixelRNNConfig",
        family="images",
        summary="LSTMs over the pixels before one, row by row or along the diagonals",
        capabilities=("log_prob", "complete"),
        paper="van den Oord et al., Pixel Recurrent Neural Networks, 2016",
    ),
    "realnvp": Entry(
        module="shapegen.images.realnvp",
        model="RealNVP",
        config="RealNVPConfig",
        family="images",
        summary="flow of images by couplings of checkerboards and of channels",
        capabilities=("encode", "reconstruct", "interpolate", "log_prob"),
        paper="Dinh et al., Density Estimation Using Real NVP, 2017",
    ),
    "glow": Entry(
        module="shapegen.images.glow",
        model="Glow",
        config="GlowConfig",
        family="images",
        summary="flow of images with learned 1x1 convolutions between its couplings",
        capabilities=("encode", "reconstruct", "interpolate", "log_prob"),
        paper="Kingma and Dhariwal, Glow: Generative Flow with Invertible 1x1 Convolutions, 2018",
    ),
    "gan": Entry(
        module="shapegen.images.gan",
        model="GAN",
        config="GANConfig",
        family="images",
        summary="generative adversarial networks, given a class or not, with every loss and "
        "regulariser of the core",
        capabilities=("interpolate",),
        paper="Goodfellow et al., Generative Adversarial Nets, 2014; Radford et al., Unsupervised "
        "Representation Learning with Deep Convolutional GANs, 2016",
    ),
    "dcgan": Entry(
        module="shapegen.images.gan",
        model="GAN",
        config="GANConfig",
        family="images",
        summary="gan with DCGAN's networks and noise, and the plain game",
        capabilities=("interpolate",),
        paper="Radford et al., Unsupervised Representation Learning with Deep Convolutional GANs, "
        "2016",
        options={
            "network": "dcgan",
            "noise_dim": 100,
            "hidden": (64, 128),
            "game": {"loss": "non_saturating", "r1": 0.0},
        },
    ),
    "infogan": Entry(
        module="shapegen.images.infogan",
        model="InfoGAN",
        config="InfoGANConfig",
        family="images",
        summary="GAN whose images tell the code that they were made of: classes without labels",
        capabilities=("interpolate",),
        paper="Chen et al., InfoGAN: Interpretable Representation Learning by Information "
        "Maximizing Generative Adversarial Nets, 2016",
    ),
    "progan": Entry(
        module="shapegen.images.progan",
        model="ProGAN",
        config="ProGANConfig",
        family="images",
        summary="GAN whose networks begin with tiny images and grow",
        capabilities=("interpolate",),
        paper="Karras et al., Progressive Growing of GANs for Improved Quality, Stability, and "
        "Variation, 2018",
    ),
    "stylegan": Entry(
        module="shapegen.images.stylegan",
        model="StyleGAN",
        config="StyleGANConfig",
        family="images",
        summary="GAN whose noise becomes a style of every scale: mixing, truncation",
        capabilities=("interpolate",),
        paper="Karras et al., A Style-Based Generator Architecture for Generative Adversarial "
        "Networks, 2019; Analyzing and Improving the Image Quality of StyleGAN, 2020",
    ),
    "began": Entry(
        module="shapegen.images.began",
        model="BEGAN",
        config="BEGANConfig",
        family="images",
        summary="GAN whose discriminator is an autoencoder, kept in balance with the generator",
        capabilities=("interpolate",),
        paper="Berthelot et al., BEGAN: Boundary Equilibrium Generative Adversarial Networks, "
        "2017",
    ),
    "pix2pix": Entry(
        module="shapegen.images.pix2pix",
        model="Pix2Pix",
        config="Pix2PixConfig",
        family="images",
        summary="images from images, learnt from pairs: a U-Net against a judge of squares",
        capabilities=("translate",),
        paper="Isola et al., Image-to-Image Translation with Conditional Adversarial Networks, "
        "2017",
    ),
    "cyclegan": Entry(
        module="shapegen.images.cyclegan",
        model="CycleGAN",
        config="CycleGANConfig",
        family="images",
        summary="images of one kind from another's without pairs: there and back is where it was",
        capabilities=("translate",),
        paper="Zhu et al., Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial "
        "Networks, 2017",
    ),
    "chain": Entry(
        module="shapegen.images.chain",
        model="Chain",
        config="ChainConfig",
        family="images",
        summary="images from images in two stages, coarse colours then details, each with a style "
        "that is drawn or chosen",
        capabilities=("translate",),
        paper="Kelly et al., FrankenGAN: Guided Detail Synthesis for Building Mass Models Using "
        "Style-Synchronized GANs, 2018",
    ),
    "graf": Entry(
        module="shapegen.fields.graf",
        model="GRAF",
        config="GRAFConfig",
        family="fields",
        summary="radiance fields with codes of shape and appearance, from images of unknown poses",
        capabilities=("interpolate",),
        paper="Schwarz et al., GRAF: Generative Radiance Fields for 3D-Aware Image Synthesis, "
        "2020",
    ),
    "graphrnn": Entry(
        module="shapegen.graphs.graphrnn",
        model="GraphRNN",
        config="GraphRNNConfig",
        family="graphs",
        summary="recurrent networks over the nodes of a graph and the edges of each, with exact "
        "likelihoods",
        capabilities=("log_prob",),
        paper="You et al., GraphRNN: Generating Realistic Graphs with Deep Auto-regressive "
        "Models, 2018",
    ),
    "dgmg": Entry(
        module="shapegen.graphs.dgmg",
        model="DGMG",
        config="DGMGConfig",
        family="graphs",
        summary="graphs that grow by decisions of a message passing network, with exact "
        "likelihoods",
        capabilities=("log_prob",),
        paper="Li et al., Learning Deep Generative Models of Graphs, 2018",
    ),
}


def models() -> dict[str, str]:
    """Every model's name with one line: family, what it is, capabilities, paper."""
    return {
        name: f"{entry.family}: {entry.summary}; {', '.join(('sample', *entry.capabilities))} "
        f"({entry.paper})"
        for name, entry in MODELS.items()
    }


def entry(name: str) -> Entry:
    """Look a model up.

    Raises:
        ValueError: No model of that name; the nearest one is named.
    """
    if name in MODELS:
        return MODELS[name]
    from shapegen.config.strict import nearest

    raise ValueError(f"unknown model `{name}`; {nearest(str(name).lower(), MODELS)}")


def model_class(name: str) -> type[GenerativeModel]:
    """Import a model's class."""
    found: type[GenerativeModel] = getattr(_module(name), entry(name).model)
    return found


def config_class(name: str) -> type[Any]:
    """Import the dataclass that a model is built from."""
    found: type[Any] = getattr(_module(name), entry(name).config)
    return found


def config_of(name: str, values: Any, *, at: str = "", known: Iterable[str] = ()) -> Any:
    """The dataclass that a model is built from, with the options of its name.

    Args:
        name: Key in :func:`models`.
        values: Fields as plain values, before the options; a dataclass is returned.
        at: As for :func:`shapegen.config.strict.from_dict`.
        known: The same.

    Raises:
        ValueError: Unknown model or field, or a value of the wrong type or out of range.
    """
    from shapegen.config.strict import from_dict, merged

    if isinstance(values, Mapping):
        values = merged(entry(name).options, values)
    return from_dict(config_class(name), values, at=at, known=known)


def build(name: str, **config: Any) -> GenerativeModel:
    """Build an untrained model; its first weights come from torch's global random stream.

    Args:
        name: Key in :func:`models`.
        **config: Fields of the model's dataclass, as plain values.

    Raises:
        ValueError: Unknown model or field, or a value of the wrong type or out of range.
    """
    return model_class(name)(config_of(name, config, at=name))


def build_seeded(name: str, config: Any, seed: int) -> GenerativeModel:
    """Build an untrained model whose first weights depend on ``seed`` alone.

    Args:
        name: Key in :func:`models`.
        config: The model's dataclass.
        seed: Of the first weights; the caller's random state is left as it was.
    """
    from shapegen.core.seeding import seeded

    with seeded(seed):
        return model_class(name)(config)


def _module(name: str) -> Any:
    return importlib.import_module(entry(name).module)
