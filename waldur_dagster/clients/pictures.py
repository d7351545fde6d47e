"""Pictures that another system names by their address: fetched without credentials, recognized, and made harmless."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from urllib.parse import urlsplit

from waldur_dagster.clients import http
from waldur_dagster.clients.addresses import Network
from waldur_dagster.clients.failures import ItemFailed
from waldur_dagster.words import in_words

LARGEST = 5 * 2**20  # bytes
SVG = "image/svg+xml"
_SVG = re.compile(rb"^(\xef\xbb\xbf)?\s*(<\?xml.*?\?>\s*)?(<!--.*?-->\s*|<!DOCTYPE\s+svg.*?>\s*)*<svg[\s>]", re.DOTALL)


@dataclass(frozen=True)
class Picture:
    """A picture as it is kept: an SVG without its scripts. ``hash`` is SHA-256 in hex digits."""

    content: bytes = field(repr=False)
    mime_type: str

    @property
    def hash(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


def fetch_picture(address: str, *, home: str, verify: bool, permitted: Sequence[Network]) -> Picture:
    """The picture at an address that the system at ``home`` has told. Raises ItemFailed.

    On the system's own host any address is called. Elsewhere only public ones are, and those of ``permitted`` networks:
    what is found there is shown to everybody.
    """
    own = urlsplit(address).hostname == urlsplit(home).hostname
    try:
        answer = http.get(address, read=LARGEST + 1, verify=verify, permitted=None if own else permitted)
    except http.CallFailed as problem:
        raise ItemFailed(f"a picture could not be fetched: {in_words(problem)}") from None
    if not answer.is_success:
        raise ItemFailed(f"a picture could not be fetched: HTTP {answer.status}")
    return picture_of(answer.body)


def picture_of(content: bytes) -> Picture:
    """Raises ItemFailed when this is no picture, or too large a one."""
    if len(content) > LARGEST:
        raise ItemFailed(f"a picture is larger than {LARGEST // 2**20} MiB")
    if _SVG.match(content[:4096]):
        return Picture(_without_scripts(content), SVG)
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(BytesIO(content)) as image:
            kind = image.get_format_mimetype()
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        kind = None
    if kind is None:
        raise ItemFailed("a picture is none that browsers show")
    return Picture(content, kind)


def _without_scripts(content: bytes) -> bytes:
    """As Waldur keeps an SVG: what it writes, to the byte, so that the same picture is the same here and there."""
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(content, "xml")
    for script in soup.find_all("script"):
        script.decompose()
    return str(soup).encode()
