"""The errors of the package; each has a text of one line and the exit code of the command that it ends."""

import difflib
from collections.abc import Iterable


class AppReproError(Exception):
    """Base class. The text is one line that says what is wrong and what to do; `exit_code` is the command's."""

    exit_code = 2

    def __init__(self, text: str, *, key: str = "", kind: str = "") -> None:
        """key: the setting, file or name that it is about; kind: a word or two for what is wrong with it."""
        super().__init__(text)
        self.key, self.kind = key, kind


class ParamsError(AppReproError):
    """A setting that cannot be used: unknown key, wrong type, out of range."""


class DataError(AppReproError):
    """A data set that cannot be obtained or trusted: missing, truncated, hostile, of another digest."""


class RunError(AppReproError):
    """Some runs of the grid did not finish."""

    exit_code = 3


class DivergedError(RunError):
    """The loss of a run is not finite; or a score is not, then epoch is 0. Megabatch and epoch are 1-based."""

    def __init__(self, megabatch: int, epoch: int) -> None:
        what = "the loss" if epoch else "a score"
        super().__init__(f"{what} is not finite in {place(megabatch, epoch)}; lower lr")
        self.where = {"megabatch": megabatch, "epoch": epoch}


def place(megabatch: int, epoch: int) -> str:
    """Where a run diverged, in words; epoch 0 is the scoring before the first."""
    return f"megabatch {megabatch}, " + (f"epoch {epoch}" if epoch else "before epoch 1")


class IntegrityError(AppReproError):
    """A file whose checksum does not match what it holds."""

    exit_code = 3


class DiskFullError(AppReproError):
    """No room for a file; nothing was overwritten."""

    exit_code = 3


class PlaceError(AppReproError):
    """A folder in which nothing can be written, or that is none; `kind`: not writable, no folder, too long, a store."""


class Stopped(AppReproError):
    """The run was asked to stop; its state is saved."""

    exit_code = 130


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the known name nearest to `word`, or nothing. Case, dashes and spaces do not count."""
    names = {letters(name): name for name in known}
    close = difflib.get_close_matches(letters(word), names, n=1, cutoff=0.5)
    return f"; did you mean {names[close[0]]!r}?" if close else ""


def letters(name: str) -> str:
    """`CIFAR-10` and `cifar_10` as cifar10; a name without letters and digits as it is."""
    return "".join(filter(str.isalnum, name.casefold())) or name


def nearest_and_known(word: str, known: Iterable[str], shown: str | None = None) -> str:
    """`; did you mean 'x'? known: x, y`, or `; known: x, y` where none is near; `shown` stands for the known names."""
    names = list(known)
    return f"{nearest(word, names) or ';'} known: {', '.join(names) if shown is None else shown}"


def one_line(error: BaseException | str, most: int = 200) -> str:
    """A text, or the message of an error, on one line of at most `most` characters; an error without one: its type."""
    text = " ".join(str(error).split())[:most] or type(error).__name__
    return text if text.isprintable() else ascii(text)
