"""The data sets, one entry of plain values each; every room may import this file, which imports `core` alone."""

from dataclasses import dataclass

from app_repro.core.errors import DataError, nearest


@dataclass(frozen=True)
class Augmentation:
    """How the training images of a data set are varied."""

    crop: str
    """"pad" (random crop after zero padding) or "resized" (random resized crop)."""
    padding: int
    """Pixels, for "pad"."""
    flip: bool
    """Horizontal flip with probability 1/2."""


@dataclass(frozen=True, kw_only=True)
class SetInfo:
    """What is known of a data set before it is fetched.

    Its mean and standard deviation are computed from the training images when it is prepared.
    """

    embedded: str = ""
    """.npz file that comes with the project, below its root: {train,test}_{images,labels}; classes have numbers."""
    url: str = ""
    """Address of the publisher's archive. A data set without it and without `embedded` has to be given with --from."""
    digest: str = ""
    """Digest of the archive or embedded file, "md5:..." or "sha256:..."; data with this digest is called official."""
    max_bytes: int = 64 << 30
    """Larger archives, packed or unpacked, are refused."""
    form: str = "class folders"
    """What an archive holds: "class folders", "synset folders", or "cifar batches" if it is the official one and class
    folders if it is a mirror's."""
    classes: int = 0
    """0 if this, train, test and size are known from the data only."""
    train: int = 0
    """Training images."""
    test: int = 0
    """Test images."""
    estimated: bool = False
    """Whether `train` and `test` are estimates, with which the fetched data is not compared."""
    size: int = 0
    """Height and width in pixels."""
    channels: int = 3
    sizes: tuple[int, ...] = ()
    """Sizes that images can be resized to; only for data sets with any do image_size and few_shot apply."""
    mixed: bool = False
    """Whether the classes are mixed in the publisher's order, which a copy in class folders has lost."""
    padding: int | None = None
    """Pixels of zeros around a training image before it is cropped at random; None: an eighth of its side."""
    resized_crop: tuple[int, ...] = ()
    """The sizes at which images are cropped and resized at random instead of padded."""
    flip: bool = True
    """Whether training images are flipped at random."""
    margin: float | None = None
    """Default margin of claims about its accuracy, in points; None: no claims about it are imported."""
    preset: str = "headline"
    """The preset that trains the runs of such claims."""
    hint: str = ""
    """How to give it, if it cannot be downloaded."""

    def augmentation(self, side: int) -> Augmentation:
        """How training images are varied whose shorter side has `side` pixels."""
        if side in self.resized_crop:
            return Augmentation("resized", 0, self.flip)
        return Augmentation("pad", max(1, side // 8) if self.padding is None else self.padding, self.flip)


def find(name: str) -> SetInfo:
    """The entry of "cifar10" or "folder:PATH". Raises DataError for an unknown name, with the known and the nearest."""
    if name == "folder:":
        raise DataError("folder: names no folder; write folder:/path/to/images", key="dataset", kind="no path")
    if name.startswith("folder:"):
        return FOLDER
    if name not in SETS:
        raise DataError(f"dataset {name!r}: unknown; known: {', '.join(known())}{nearest(name, SETS)}")
    return SETS[name]


def known() -> list[str]:
    """Every name that a data set can have."""
    return [*SETS, "folder:PATH"]


TIMED = "cifar10"
"""The data set whose images networks are timed on unless another one is named."""

FOLDER = SetInfo()
"""The entry of every folder:PATH, which holds train/<class>/* and test/<class>/*."""

SETS: dict[str, SetInfo] = {
    "digits": SetInfo(
        embedded="data/digits.npz",
        digest="sha256:69ec09bbf22340657a76aecaf341b512450ab33b0f6db3d6817068eec4018266",
        classes=10,
        train=1_497,
        test=300,
        size=8,
        channels=1,
        padding=1,
        flip=False,
    ),
    "cifar10": SetInfo(
        url="https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
        digest="md5:c58f30108f718f92721af3b95e74349a",
        max_bytes=2 << 30,
        form="cifar batches",
        classes=10,
        train=50_000,
        test=10_000,
        size=32,
        mixed=True,
        padding=4,
        margin=1.0,
    ),
    "cifar100": SetInfo(
        url="https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
        digest="md5:eb9058c3a382ffc7106e4002c42a8d85",
        max_bytes=2 << 30,
        form="cifar batches",
        classes=100,
        train=50_000,
        test=10_000,
        size=32,
        mixed=True,
        padding=4,
        margin=2.0,
    ),
    "restricted_imagenet": SetInfo(  # 69 synsets of ImageNet in 14 classes: Tsipras et al. 2019, balanced
        form="synset folders",
        hint="give your ImageNet folder: app-repro fetch restricted_imagenet --from /path/to/imagenet",
        classes=14,
        train=89_500,
        test=3_450,
        estimated=True,
        size=32,
        sizes=(32, 224),
        resized_crop=(224,),
        padding=4,
        margin=1.0,
        preset="fewshot",
    ),
}
