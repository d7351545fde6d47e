"""Lists of outside systems, page by page: complete, or an error.

Only a list that was read to its end may be the reason for marking or deleting what it does not hold. So ``complete``
looks at what pages show of each other: one that comes twice, one that has shifted while the list was read, counts that
differ. Each kind of paging is a function that gives what reads the pages from the beginning.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from waldur_dagster.clients.failures import Incomplete

ATTEMPTS = 3  # of a list that moves while it is read
MOST_PAGES = 10_000

Pages = Callable[[], Iterator["Page"]]


@dataclass(frozen=True)
class Page:
    """A page: its items, how many there are on all pages where the system says it, and the address of the next."""

    items: Sequence[Any]
    total: int | None = None
    next: str | None = None


def complete(what: str, pages: Pages, identity: Callable[[Any], Hashable] | None = None) -> list[Any]:
    """All items of a list. ``what`` names it in errors; ``identity`` tells items apart (the key ``id`` by default).

    A list that moves is read again, three times at most. Raises Incomplete when it could not be read to its end.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _read(pages(), identity or _id)
        except Incomplete as problem:
            if attempt == ATTEMPTS:
                raise Incomplete(f"the list of {what} is not complete: {problem}") from None
    raise AssertionError


def _read(pages: Iterator[Page], identity: Callable[[Any], Hashable]) -> list[Any]:
    found: dict[Hashable, Any] = {}
    total: int | None = None
    for number, page in enumerate(pages, 1):
        if number > MOST_PAGES:
            raise Incomplete(f"it has more than {MOST_PAGES} pages")
        if total is not None and page.total != total:
            raise Incomplete(f"it had {total} items, and {page.total} on page {number}")
        total = page.total
        for item in page.items:
            if found.setdefault(name := identity(item), item) is not item:
                raise Incomplete(f"{name} is on it twice, at least on page {number}")
    if total is not None and len(found) != total:
        raise Incomplete(f"it is said to have {total} items, {len(found)} came")
    return list(found.values())


def items_of(answer: Any, key: str) -> list[Any]:
    """The list under ``key`` of an answer. Raises Incomplete when the answer has none, or one of other things."""
    items = answer.get(key) if isinstance(answer, dict) else None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise Incomplete(f"the answer has no list {key}")
    return items


def by_link(read: Callable[[str], Page], first: str) -> Pages:
    """Pages that name the address of the next one; ``read`` must pin it to the site's host (``json_api.pinned``)."""

    def pages() -> Iterator[Page]:
        address: str | None = first
        seen: set[str] = set()
        while address is not None:
            if address in seen:
                raise Incomplete("its pages lead in a circle")
            seen.add(address)
            page = read(address)
            yield page
            address = page.next

    return pages


def by_offset(read: Callable[[int], Page], *, unless_ignored: bool = False, by: int = 0, short_below: int = 0) -> Pages:
    """Pages that begin at a number of items, until one is empty: servers may cut them shorter than they were asked.

    ``unless_ignored``: some servers of the kind answer everything, whatever offset is asked. ``by``: how many items of
    the server's own count a page is, where it shows others than it counts. ``short_below``: a page with fewer items is
    the last, for lists that hardly ever have two.
    """

    def pages() -> Iterator[Page]:
        offset = 0
        first: Sequence[Any] = ()
        while (page := read(offset)).items:
            if unless_ignored and page.items == first:
                return
            first = first or page.items
            yield page
            offset += by or len(page.items)
            if len(page.items) < short_below or (page.total is not None and offset >= page.total):
                return

    return pages


def by_number(read: Callable[[int], Page]) -> Pages:
    """Pages 1, 2, 3 ... until one is empty, or as many items have come as there are."""

    def pages() -> Iterator[Page]:
        number, count = 1, 0
        while (page := read(number)).items:
            yield page
            number, count = number + 1, count + len(page.items)
            if page.total is not None and count >= page.total:
                return

    return pages


def until_nothing_new(pages: Pages, identity: Callable[[Any], Hashable] | None = None) -> Pages:
    """The same pages until one has nothing new, without what came before.

    For servers that cap pages as they like, show some items again on the next page, or repeat the first page for ever:
    of their lists neither a short page nor a number tells the end.
    """

    def new_pages() -> Iterator[Page]:
        seen: set[Hashable] = set()
        for page in pages():
            new: dict[Hashable, Any] = {}
            for item in page.items:
                name = (identity or _id)(item)
                if name not in seen:
                    new.setdefault(name, item)
            if not new:
                return
            seen.update(new)
            yield Page(list(new.values()))

    return new_pages


def by_marker(read: Callable[[str | None], Page], marker: Callable[[Any], str] | None = None) -> Pages:
    """Pages that begin after an item, until one has nothing new: some servers answer everything, whatever is asked."""

    def pages() -> Iterator[Page]:
        last: str | None = None
        seen: set[str] = set()
        name = marker or (lambda item: str(_id(item)))
        while True:
            page = read(last)
            names = [name(item) for item in page.items]
            if seen.issuperset(names):
                return
            yield page
            seen.update(names)
            last = names[-1]

    return pages


def _id(item: Any) -> Hashable:
    try:
        return str(item["id"])
    except (KeyError, TypeError):
        raise Incomplete("an item on it has no id") from None
