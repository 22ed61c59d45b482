"""The dashboard's files, kept in memory as they are sent: compressed, and each with an ETag.

Browsers cache files with a hash in their name (`/assets/…`) without asking again. They ask for the
page itself each time, and get 304 if it has not changed. A path without a file (`/trades/7`) is
a view of the page, so the answer is the page, unless the path looks like the name of a file.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

FILE_BYTES_MAX = 5_000_000
COMPRESSED = ("text/", "application/javascript", "application/json", "image/svg+xml")
FOR_GOOD = "public, max-age=31536000, immutable"
EACH_TIME = "no-cache"
PAGE = "/index.html"
NOT_BUILT = b"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Commonwatt</title>
<p>The API runs; the dashboard is not built. <code>make up</code> builds it.</p></html>
"""


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is sent; `gzipped` is None if compression does not make it smaller."""

    content: bytes
    gzipped: bytes | None
    media_type: str
    etag: str
    cache: str


def read_assets(folder: Path) -> dict[str, Asset]:
    """Return every file of a built dashboard by its path; without a build, only a plain notice."""
    found = {
        f"/{path.relative_to(folder).as_posix()}": _asset(
            path.read_bytes(), path.name, folder, path
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.stat().st_size <= FILE_BYTES_MAX
    }
    if PAGE not in found:
        return {PAGE: _made(NOT_BUILT, "text/html", EACH_TIME)}
    return found


def asset_response(assets: Mapping[str, Asset], request: Request) -> Response:
    """Return the file, 304 if the browser has it, or the page for a path of one of its views."""
    path = request.url.path
    asset = assets.get(path)
    if asset is None:
        if "." in path.rpartition("/")[2]:
            return Response(b"not found", status_code=404, media_type="text/plain")
        asset = assets[PAGE]
    headers = {"ETag": asset.etag, "Cache-Control": asset.cache, "Vary": "Accept-Encoding"}
    known = {
        tag.strip().removeprefix("W/")
        for tag in request.headers.get("if-none-match", "").split(",")
    }
    if asset.etag in known:
        return Response(status_code=304, headers=headers)
    content = asset.content
    if asset.gzipped is not None and "gzip" in request.headers.get("accept-encoding", ""):
        content = asset.gzipped
        headers["Content-Encoding"] = "gzip"
    return Response(content, media_type=asset.media_type, headers=headers)


def _asset(content: bytes, name: str, folder: Path, path: Path) -> Asset:
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    if kind == "text/javascript":
        kind = "application/javascript"
    is_hashed = path.relative_to(folder).parts[0] == "assets"
    return _made(content, kind, FOR_GOOD if is_hashed else EACH_TIME)


def _made(content: bytes, kind: str, cache: str) -> Asset:
    gzipped = gzip.compress(content, 9, mtime=0) if kind.startswith(COMPRESSED) else None
    if gzipped is not None and len(gzipped) >= len(content):
        gzipped = None
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    return Asset(content, gzipped, kind, etag, cache)
