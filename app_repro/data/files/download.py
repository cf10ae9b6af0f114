"""Download one file over https: its digest is checked before it gets its name, and known files are resumed."""

import contextlib
import http.client
import os
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app_repro.core.errors import DataError, one_line
from app_repro.core.files import disk_full_as_error, file_digest

_BLOCK = 1 << 18  # bytes

Progress = Callable[[str, int, int], None]
"""(what is being done, bytes or images done, their total; 0 if it is not known)"""


def download(
    url: str,
    target: Path,
    *,
    digest: str = "",
    max_bytes: int = 64 << 30,
    timeout: float = 30.0,
    context: ssl.SSLContext | None = None,
    on_progress: Progress = lambda what, done, total: None,
) -> None:
    """Download `url` to `target`, which appears only when it is whole and has the `digest` ("md5:...", "sha256:...").

    If the digest is known, an interrupted download leaves `<target>.part`, and the next call asks for the rest of it
    (HTTP Range). timeout: seconds without a byte. Progress is in bytes. Raises DiskFullError, or DataError of `kind`
    "not https" (redirects included), "status", "timeout", "connection", "short", "size" or "digest".
    """
    shown, part = shown_url(url), target.with_name(f"{target.name}.part")
    _require_https(url)
    target.parent.mkdir(parents=True, exist_ok=True)
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), _HttpsOnly())
    mirror = "give a mirror with --from"
    try:
        if not digest:
            part.unlink(missing_ok=True)
        with disk_full_as_error(target):
            _receive(opener, url, part, max_bytes, timeout, on_progress)
        algorithm, _, expected = digest.partition(":")
        if digest and (actual := file_digest(part, algorithm)) != expected:
            part.unlink()
            what = f"{algorithm} is {actual}, expected {expected}; it was removed"
            raise DataError(f"{shown}: {what}, {mirror}", kind="digest")
        part.replace(target)
    except urllib.error.HTTPError as error:
        what = f"the server answers HTTP {error.code} {error.reason}"
        raise DataError(f"{shown}: {what}; {mirror}", kind="status") from None
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        is_late = isinstance(reason, TimeoutError)
        what = f"no data for {timeout:g} s" if is_late else one_line(reason)
        raise DataError(
            f"{shown}: {what}; run again, or {mirror}", kind="timeout" if is_late else "connection"
        ) from None
    finally:
        if not digest:
            part.unlink(missing_ok=True)


def shown_url(url: str) -> str:
    """`url` without user, password, query and fragment: fit for messages and records."""
    pieces = urllib.parse.urlsplit(url)
    return urllib.parse.urlunsplit((pieces.scheme, pieces.netloc.rpartition("@")[2], pieces.path, "", ""))


class _HttpsOnly(urllib.request.HTTPRedirectHandler):
    """Follows redirects to https only."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        _require_https(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _require_https(url: str) -> None:
    if urllib.parse.urlsplit(url).scheme != "https":
        what = "only https is taken; give an https address or a local path with --from"
        raise DataError(f"{shown_url(url)}: {what}", kind="not https")


def _receive(
    opener: urllib.request.OpenerDirector, url: str, part: Path, max_bytes: int, timeout: float, on_progress: Progress
) -> None:
    """Bring `part` to the length that the server announces. Raises DataError if it falls short or is too long."""
    held = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "app-repro", "Accept-Encoding": "identity"}
    request = urllib.request.Request(url, headers=headers | ({"Range": f"bytes={held}-"} if held else {}))  # noqa: S310 - https alone
    try:
        answer = opener.open(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        if not (held and error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE):
            raise
        part.unlink()  # as much as the server has, or more
        return _receive(opener, url, part, max_bytes, timeout, on_progress)
    with contextlib.closing(answer) as response:
        done = held if str(response.headers.get("Content-Range", "")).startswith(f"bytes {held}-") else 0
        length = response.headers.get("Content-Length", "")
        total = done + int(length) if length.isdigit() else 0
        with part.open("ab" if done else "wb") as file:
            while max(done, total) <= max_bytes and (block := response.read1(_BLOCK)):
                file.write(block)
                done += len(block)
                on_progress("download", done, total)
            file.flush()
            os.fsync(file.fileno())
    if max(done, total) > max_bytes:
        part.unlink()
        what = f"{total or 'more than the admitted'} bytes, at most {max_bytes} are admitted"
        raise DataError(f"{shown_url(url)}: {what}; give another with --from", kind="size")
    if done < max(total, 1):
        raise DataError(f"{shown_url(url)}: ends after {done} of {total} bytes; run again", kind="short")
