"""Download one file over https: resumable, with a timeout, checked before it gets its name."""

import contextlib
import http.client
import os
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from app_repro.core.errors import DataError
from app_repro.core.files import disk_full_as_error, file_digest, write_text
from app_repro.data.pace import MIN_RATE, Pace, WatchedHTTPS

_BLOCK = 1 << 18  # bytes


def download(
    url: str,
    target: Path,
    *,
    digest: str = "",
    max_bytes: int = 64 << 30,
    timeout: float = 30.0,
    min_rate: float = MIN_RATE,
    context: ssl.SSLContext | None = None,
    on_progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> None:
    """Download `url` to `target`, which appears only when it is whole and has the `digest` ("md5:...", "sha256:...").

    An interrupted download leaves `<target>.part`; the next call asks for the rest of it (HTTP Range) if the digest is
    known or the server names a version (ETag, Last-Modified). timeout: seconds without a byte; min_rate: bytes per
    second, over any such span. Progress is in bytes, total 0 where the server does not say. Raises DataError (not
    https, redirects included; unreachable, stalled, too slow, short, too large, an HTML page, another digest) or
    DiskFullError.
    """
    shown = shown_url(url)
    _require_https(url)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    pace = Pace(timeout, min_rate)
    opener = urllib.request.build_opener(WatchedHTTPS(pace, context), _HttpsOnly())
    try:
        with disk_full_as_error(target), _resumable_only(part, bool(digest)), _quick_enough(shown, pace):
            _receive(opener, url, part, bool(digest), max_bytes, pace, on_progress)
    except urllib.error.HTTPError as error:
        raise DataError(
            f"{shown}: the server answers HTTP {error.code} {error.reason}; give a mirror with --from"
        ) from None
    except TimeoutError:
        raise DataError(f"{shown}: no data for {timeout:g} s; run again, or give a mirror with --from") from None
    except (http.client.HTTPException, urllib.error.URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, TimeoutError):
            raise DataError(f"{shown}: no answer for {timeout:g} s; run again, or give a mirror with --from") from None
        raise DataError(f"{shown}: {' '.join(str(reason).split())}; run again, or give a mirror with --from") from None
    _check_digest(shown, part, digest)
    part.replace(target)
    _validator(part).unlink(missing_ok=True)


def shown_url(url: str) -> str:
    """`url` without user, password, query and fragment: fit for messages and records."""
    pieces = urllib.parse.urlsplit(url)
    return urllib.parse.urlunsplit((pieces.scheme, pieces.netloc.rpartition("@")[2], pieces.path, "", ""))


class _HttpsOnly(urllib.request.HTTPRedirectHandler):
    """Follows redirects to https alone."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        _require_https(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


@contextlib.contextmanager
def _quick_enough(shown: str, pace: Pace) -> Iterator[None]:
    """Turn whatever error follows when `pace` closed the connection into one DataError that says the server is slow."""
    failed: Exception | None = None
    with pace:
        try:
            yield
        except Exception as error:
            failed = error
    if pace.is_too_slow:
        rate = f"less than {pace.least / pace.seconds:g} bytes/s for {pace.seconds:g} s"
        raise DataError(f"{shown}: {rate}; run again, or give a mirror with --from") from None
    if failed:
        raise failed


def _require_https(url: str) -> None:
    if urllib.parse.urlsplit(url).scheme != "https":
        raise DataError(f"{shown_url(url)}: only https is taken; give an https address or a local path with --from")


def _validator(part: Path) -> Path:
    """Holds the version (ETag or Last-Modified) of what `part` is a piece of."""
    return part.with_name(part.name + ".version")


def _receive(
    opener: urllib.request.OpenerDirector,
    url: str,
    part: Path,
    digest_known: bool,
    max_bytes: int,
    pace: Pace,
    on_progress: Callable[[str, int, int], None],
) -> None:
    """Bring `part` to the full length the server announces; raises DataError if it falls short."""
    headers = {"User-Agent": "app-repro", "Accept-Encoding": "identity"}
    version = _validator(part).read_text() if _validator(part).exists() else ""
    held = part.stat().st_size if part.exists() and (version or digest_known) else 0
    if held:
        headers |= {"Range": f"bytes={held}-"} | ({"If-Range": version} if version else {})
    try:
        response = opener.open(urllib.request.Request(url, headers=headers), timeout=pace.seconds)  # noqa: S310 - https alone
    except urllib.error.HTTPError as error:
        if not (held and error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE):
            raise
        error.close()
        _discard(part)  # more is held than the server has: start again
        return _receive(opener, url, part, digest_known, max_bytes, pace, on_progress)
    with contextlib.closing(response):
        kept = held if held and _starts_at(response, held) else 0
        length = response.headers.get("Content-Length", "")
        total = kept + int(length) if length.isdigit() else 0
        if total > max_bytes:
            raise DataError(
                f"{shown_url(url)}: {total} bytes, more than the {max_bytes} admitted; give another with --from"
            )
        if not kept:
            _discard(part)
            fresh = response.headers.get("ETag") or response.headers.get("Last-Modified") or ""
            if fresh and not fresh.startswith("W/"):
                write_text(_validator(part), fresh)
        done = _append(response, url, part, kept, total, max_bytes, pace, on_progress)
    if done < max(total, 1):
        raise DataError(f"{shown_url(url)}: ends after {done} of {total} bytes; run again")


def _append(
    response: Any,
    url: str,
    part: Path,
    done: int,
    total: int,
    max_bytes: int,
    pace: Pace,
    on_progress: Callable[[str, int, int], None],
) -> int:
    """Append the body to `part`; returns its length in bytes."""
    is_page = "html" in response.headers.get("Content-Type", "").lower()
    with part.open("ab" if done else "wb") as file:
        while block := response.read1(_BLOCK):
            if is_page or (done == 0 and block[:64].lstrip().lower().startswith((b"<!doctype", b"<html"))):
                _discard(part)
                raise DataError(
                    f"{shown_url(url)}: answers with an HTML page, not an archive; give a mirror with --from"
                )
            file.write(block)
            done += len(block)
            pace.add(len(block))
            if done > max_bytes:
                _discard(part)
                raise DataError(f"{shown_url(url)}: more than the {max_bytes} bytes admitted; give another with --from")
            on_progress("download", done, total)
        file.flush()
        os.fsync(file.fileno())
    return done


@contextlib.contextmanager
def _resumable_only(part: Path, digest_known: bool) -> Iterator[None]:
    """After a failure keep `part` only if a later call can tell that what it appends belongs to the same file."""
    try:
        yield
    except BaseException:
        if not digest_known and not _validator(part).exists():
            _discard(part)
        raise


def _starts_at(response: Any, held: int) -> bool:
    return str(response.headers.get("Content-Range", "")).startswith(f"bytes {held}-")


def _check_digest(shown: str, part: Path, digest: str) -> None:
    if not digest:
        return
    algorithm, _, expected = digest.partition(":")
    found = file_digest(part, algorithm)
    if found != expected:
        _discard(part)
        raise DataError(
            f"{shown}: {algorithm} is {found}, expected {expected}; it was removed, give a mirror with --from"
        )


def _discard(part: Path) -> None:
    part.unlink(missing_ok=True)
    _validator(part).unlink(missing_ok=True)
