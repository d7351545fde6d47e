"""Connecting to a name within a deadline, and only to addresses that may be called."""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Sequence
from typing import Any

from waldur_dagster.clients.deadline import Deadline

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class AddressRefused(OSError):
    """A name leads to addresses inside the deployment's own networks only, which are not to be called."""


def connect(host: str, port: int, deadline: Deadline, *, permitted: Sequence[Network] | None = None) -> socket.socket:
    """A connection to the first address of ``host`` that answers; the deadline watches it.

    With ``permitted`` only public addresses are called, and those of the networks that it names. The check is made on
    the very address that is connected to, so a name that changes its address in between gains nothing.

    Raises AddressRefused, TimeoutError, or another OSError.
    """
    found = _resolved(host, port, deadline)
    if permitted is not None:
        allowed = [one for one in found if may_be_called(one[4][0], permitted)]
        if found and not allowed:
            raise AddressRefused(f"{host} is {found[0][4][0]}, an address that is not public")
        found = allowed
    problem: OSError = OSError(f"{host} has no address")
    for position, (family, kind, protocol, _, address) in enumerate(found):
        connection = socket.socket(family, kind, protocol)
        try:
            deadline.watch(connection)
            connection.settimeout(deadline.remaining() / (len(found) - position))
            connection.connect(address)
        except OSError as error:
            connection.close()
            problem = error
        else:
            return connection
    raise problem


def may_be_called(address: str, permitted: Sequence[Network]) -> bool:
    """Whether an address is public, or of a permitted network; also the IPv4 address that an IPv6 one leads to."""
    given = ipaddress.ip_address(address.partition("%")[0])
    return all(
        (one.is_global and not one.is_multicast) or any(one in network for network in permitted)
        for one in (_embedded(given) or [given])
    )


def _embedded(address: Address) -> list[Address]:
    """The IPv4 addresses that an IPv6 address is a way to."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    ways = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64:
        ways.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return [way for way in ways if way is not None]


def _resolved(host: str, port: int, deadline: Deadline) -> list[tuple[Any, ...]]:
    """What the resolver says, which knows no time-out of its own."""
    answer: list[Any] = []

    def ask() -> None:
        try:
            answer.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except Exception as error:  # a host or port that is none: of many types
            answer.append(error)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(deadline.remaining())
    if not answer:
        raise TimeoutError(f"the address of {host} could not be found in time")
    if isinstance(answer[0], Exception):
        raise answer[0]
    found: list[tuple[Any, ...]] = answer[0]
    return found
