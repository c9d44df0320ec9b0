"""Which network addresses a connector may speak to: the open internet, and inside only what is allowed by name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

LOOPBACK: tuple[Network, ...] = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
PRIVATE: tuple[Network, ...] = tuple(
    ip_network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
)
METADATA: frozenset[Address] = frozenset(
    ip_address(text) for text in ("169.254.169.254", "168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254")
)
"""Where clouds hand out credentials; only an entry that names the very address opens them."""

_INSIDE = tuple(ip_network(text) for text in ("192.0.0.0/24", "fec0::/10"))
"""Networks that are not the internet's, which not every version of Python knows."""
_NAT64 = IPv6Network("64:ff9b::/96")
_COMPATIBLE = IPv6Network("::/96")


def unwrapped(address: Address) -> Address:
    """The IPv4 address inside a v4-mapped, v4-compatible, NAT64 or 6to4 address; others as they are."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


@dataclass(frozen=True, slots=True)
class Allowed:
    """Inside addresses and hosts that may be spoken to nevertheless."""

    networks: tuple[Network, ...] = ()
    hosts: frozenset[str] = frozenset()

    @classmethod
    def of(cls, entries: Iterable[str]) -> Allowed:
        """From texts: "loopback", "private", a network such as 10.0.0.0/8, an address or a host name.

        Raises ValueError for what can be none of these.
        """
        networks: list[Network] = []
        hosts: set[str] = set()
        for entry in entries:
            text = entry.strip().lower()
            if text in ("loopback", "private"):
                networks += LOOPBACK if text == "loopback" else PRIVATE
                continue
            try:
                networks.append(ip_network(text, strict=False))
            except ValueError as error:
                if not text or "/" in text or ":" in text or " " in text:
                    raise ValueError(
                        f'"{entry}" is not a network, address or host name; '
                        "write one such as loopback, private, 10.0.0.0/8 or prometheus.internal"
                    ) from error
                hosts.add(text.rstrip("."))
        return cls(tuple(networks), frozenset(hosts))

    def refusal(self, text: str) -> str:
        """Why the numeric address may not be spoken to; "" when it may."""
        address = unwrapped(ip_address(text.partition("%")[0]))
        holding = [network for network in self.networks if address in network]
        if address in METADATA:
            named = any(network.num_addresses == 1 for network in holding)
            return "" if named else f"{address} hands out cloud credentials"
        if holding:
            return ""
        if address.is_loopback:
            return f"{address} is this very machine"
        if address.is_link_local or address.is_multicast or address.is_unspecified or address.is_reserved:
            return f"{address} is no address of a service"
        inside = not address.is_global or any(address in network for network in _INSIDE)
        return f"{address} is inside a private network" if inside else ""
