"""What record.json and megabatch-NNN.json hold, as types: names, units and what may be missing."""

from typing import Any, NotRequired, TypedDict

Spec = dict[str, Any]
"""Settings of a run, plain values by the names of RunSpec's fields."""


class Timing(TypedDict):
    """What a megabatch took, earlier processes of a resumed run included."""

    wall_seconds: float
    score_seconds: float
    epoch_seconds: list[float]
    samples_per_second: float
    """Training samples over the seconds of all epochs."""


class Megabatch(TypedDict):
    """Results of one megabatch: accuracies, gaps and densities are fractions, errors and samples counts."""

    run_id: str
    megabatch: int
    """1 to T."""
    density_nominal: float
    """By the method's schedule."""
    density_effective: float
    """Of the mask: the share of all prunable weights that is kept."""
    kept: list[int]
    """Weights kept per prunable layer, in the order of `Network.layers`."""
    train_samples: int
    val_samples: int
    trained_samples: int
    """Training passes: train_samples times epochs."""
    score_samples: int
    best_epoch: int
    """1 to the number of epochs: the epoch of the best validation accuracy, whose weights are kept."""
    test_errors: int
    test_samples: int
    test_loss: float
    train_accuracy: float
    """As it ran in the last epoch, on augmented images."""
    train_accuracy_clean: float
    """Of the weights that are kept, on training images as they are."""
    val_accuracy: float
    """In the epoch whose weights are kept."""
    val_accuracy_last: float
    generalisation_gap: float
    """Training minus validation accuracy, both of the last epoch."""
    gap_test: float
    """Accuracy on training images as they are minus test accuracy, of the weights that are kept."""
    parameters: NotRequired[int]
    """Of the network that is left; of runs that remove channels alone, like the next two."""
    widths: NotRequired[list[int]]
    """Channels that each convolution makes, in the order of `Network.layers`."""
    macs: NotRequired[int]
    """Multiply-adds of one image's forward pass."""
    history: NotRequired[dict[str, list[float]]]
    """Curves per epoch; in megabatch-NNN.json only."""
    noise_ratio: NotRequired[float | None]
    """Of runs of N of each M weights, in the record: noise of the gradients at pruned weights over that at kept ones,
    each a mean over the epochs; None where nothing is pruned."""
    flow: NotRequired[dict[str, list[float | None]]]
    """Of runs of N of each M weights, per epoch: mean beta of its steps, and energy, noise and signal-to-noise ratio of
    the gradients at pruned and at kept weights (training/updates/energies.py); in megabatch-NNN.json only."""
    timing: Timing


class Layer(TypedDict):
    """One prunable layer."""

    weights: int
    flops: int
    """Of one image's forward pass, unpruned."""


class Network(TypedDict):
    """Sizes of the network that was trained."""

    parameters: int
    layers: dict[str, Layer]
    """Prunable layers by the name of their weight, by depth."""
    other_flops: int
    """FLOPs of one image's forward pass in all other layers."""


class Where(TypedDict):
    """Where a run diverged."""

    megabatch: int
    epoch: int


class Protocol(TypedDict):
    """The bundle of switches that a run is nearest to."""

    name: str
    departures: dict[str, Any]
    """Switches that depart from the bundle, with the run's values."""


class Source(TypedDict, total=False):
    """Where the data set came from."""

    origin: str
    digest: str
    official: bool
    """Whether the archive is the publisher's, by digest."""
    test_part: str
    """The folder that the test images of own images are from, if it is not test/."""
    test_images_in_train: int
    """How many test images of own images are training images, too, if any."""


class Control(TypedDict):
    """What a control arm took of its source, the run on whose final mask it was trained."""

    arm: str
    source: str
    """Its id."""
    source_code: str
    """Digest of the learning code that trained it."""
    mask_sha256: str
    """Of its masks.safetensors; another one now means that this run is about a mask that is no more."""
    flops_ratio: float
    """FLOPs of one image's forward pass, unpruned, over those at the densities of its layers."""
    epochs: int
    """That this run trained at each megabatch."""
    capped: bool
    """Whether budget_cap kept it from spending the FLOPs of the unpruned network."""


class Provenance(TypedDict, total=False):
    """Where and with what a run was trained."""

    git: dict[str, Any]
    """commit, dirty"""
    python: str
    versions: dict[str, str | None]
    platform: str
    device: dict[str, Any]
    """kind, name, threads or cuda and cudnn, peak_bytes, lanes, runs_together, energy_joules as far as known."""
    command: str


class Record(TypedDict):
    """record.json: one ended run."""

    schema: int
    run_id: str
    status: str
    """finished or diverged"""
    diverged: Where | None
    spec: Spec
    protocol: Protocol
    code_digest: str
    """Of the learning code that trained it."""
    accepted_code: list[str]
    """Digests of later learning code for which a person let its numbers stand."""
    data_source: Source
    network: Network
    summary: dict[str, Any]
    """The metrics of a run (metrics.summary); None for a diverged run."""
    megabatches: list[Megabatch]
    """Without their histories."""
    files: dict[str, str]
    """sha256 of each file left beside it."""
    provenance: Provenance
    control: NotRequired[Control]
    """Of control arms alone."""
    exempt_layers: NotRequired[list[str]]
    """Layers that stay dense, as their input channels are no multiple of M; of runs of N of each M weights alone."""
