"""Which official files of corrupted images there are: CIFAR-10-C and CIFAR-100-C (Hendrycks and Dietterich 2019)."""

from dataclasses import dataclass

from app_repro.core.errors import ParamsError, nearest_and_known

GENERATED = "generated"
"""The source that needs no files: corruptions made here."""


@dataclass(frozen=True)
class Release:
    """A published set of corrupted images."""

    title: str
    dataset: str
    """The data set whose test images they are."""
    address: str
    md5: dict[str, str]
    """Of each file, by its name without .npy."""
    classes: tuple[str, ...]
    """In the order of the labels."""
    images: int = 10_000
    """Under each severity."""
    side: int = 32


def release_of(source: str) -> Release | None:
    """The release that "cifar10c:PATH" names; None for GENERATED. Raises ParamsError for what is neither."""
    name, colon, path = source.partition(":")
    if source == GENERATED:
        return None
    if name not in RELEASES:
        known = nearest_and_known(
            name, (GENERATED, *RELEASES), f"{GENERATED}, " + ", ".join(f"{one}:PATH" for one in RELEASES)
        )
        raise ParamsError(f"--source {source!r}: unknown{known}", key="--source", kind="unknown")
    if not colon or not path:
        what = f"names no files; write {name}:PATH, the folder or tar of {RELEASES[name].title}"
        raise ParamsError(f"--source {source!r}: {what}", key="--source", kind="no path")
    return RELEASES[name]


_MD5 = {
    "gaussian_noise": ("ecaf8b9a2399ffeda7680934c33405fd", "ecc4d366eac432bdf25c024086f5e97d"),
    "shot_noise": ("3a7239bb118894f013d9bf1984be7f11", "b0a1fa6e1e465a747c1b204b1914048a"),
    "impulse_noise": ("2090e01c83519ec51427e65116af6b1a", "3b3c210ddfa0b5cb918ff4537a429fef"),
    "defocus_blur": ("7d1322666342a0702b1957e92f6254bc", "d923e3d9c585a27f0956e2f2ad832564"),
    "glass_blur": ("7361fb4019269e02dbf6925f083e8629", "0bf384f38e5ccbf8dd479d9059b913e1"),
    "motion_blur": ("fffa5f852ff7ad299cfe8a7643f090f4", "732a7e2e54152ff97c742d4c388c5516"),
    "zoom_blur": ("6ea8e63f1c5cdee1517533840641641b", "0204613400c034a81c4830d5df81cb82"),
    "snow": ("bb238de8555123da9c282dea23bd6e55", "0237be164583af146b7b144e73b43465"),
    "frost": ("31f6ab3bce1d9934abfb0cc13656f141", "3a39c6823bdfaa0bf8b12fe7004b8117"),
    "fog": ("7b397314b5670f825465fbcd1f6e9ccd", "4efc7ebd5e82b028bdbe13048e3ea564"),
    "brightness": ("0a81ef75e0b523c3383219c330a85d48", "f22d7195aecd6abb541e27fca230c171"),
    "contrast": ("3c8262171c51307f916c30a3308235a8", "322bb385f1d05154ee197ca16535f71e"),
    "elastic_transform": ("9421657c6cd452429cf6ce96cc412b5f", "a0792bd6581f6810878be71acedfc65a"),
    "pixelate": ("0f14f7e2db14288304e1de10df16832f", "96c00c60f144539e14cffb02ddbd0640"),
    "jpeg_compression": ("2b9cc4c864e0193bb64db8d7728f8187", "c851b7f1324e1d2ffddeb76920576d11"),
    "speckle_noise": ("ef00b87611792b00df09c0b0237a1e30", "e3f215b1a0f9fd9fd6f0d1cf94a7ce99"),
    "gaussian_blur": ("c33370155bc9b055fb4a89113d3c559d", "5204ba0d557839772ef5a4196a052c3e"),
    "spatter": ("8a5a3903a7f8f65b59501a6093b4311e", "12ccf41d62564d36e1f6a6ada5022728"),
    "saturate": ("1cfae0964219c5102abbb883e538cc56", "c0697e9fdd646916a61e9c312c77bf6b"),
    "labels": ("c439b113295ed5254878798ffe28fd54", "bb4026e9ce52996b95f439544568cdb2"),
}
"""Of CIFAR-10-C and of CIFAR-100-C: as the library torch-uncertainty 0.13 lists them."""

_CLASSES_10 = "airplane automobile bird cat deer dog frog horse ship truck"
_CLASSES_100 = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle
caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant flatfish
forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle
mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine
possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar
sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle wardrobe whale
willow_tree wolf woman worm
"""

RELEASES: dict[str, Release] = {
    "cifar10c": Release(
        "CIFAR-10-C",
        "cifar10",
        "https://zenodo.org/records/2535967",
        {name: of[0] for name, of in _MD5.items()},
        tuple(_CLASSES_10.split()),
    ),
    "cifar100c": Release(
        "CIFAR-100-C",
        "cifar100",
        "https://zenodo.org/records/3555552",
        {name: of[1] for name, of in _MD5.items()},
        tuple(_CLASSES_100.split()),
    ),
}
