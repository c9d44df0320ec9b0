"""What the receiver and the daemon tell each other, over a stream of messages.

A message is its head and as many bytes as that says. File descriptors go over a socket beside the stream, each sent
before the message that speaks of it, so that it is there when the message is.
"""

from __future__ import annotations

from array import array
from struct import Struct

HEAD = Struct("<IIQI")
"""Kind, bytes that follow, number of the connection, and what else there is to say."""

# From the receiver.
HELLO = 1
"""It is ready to take connections."""
ASK = 2
"""A head that it does not know; the bytes are the peer's address, a zero, and the head."""
DELIVERY = 3
"""A whole body; the extra number is its way."""
HAND = 4
"""The daemon is to go on with a connection; the bytes are those still to be sent (so many says the extra number), and
those that were read and not answered."""
PONG = 5
AWAY = 6
"""A connection was turned away, as it could not be handed over."""

# From the daemon.
WAY = 16
"""The number of a head's way; 0: the daemon is to be handed this connection."""
ANSWER = 17
"""An answer (so many bytes says the extra number), and the numbers of all connections that get it."""
LAST_ANSWER = 18
"""The same, and the connections are closed then."""
FORGET = 19
"""No head is known any more."""
PING = 20
BEGIN = 21
"""Connections are the receiver's to take from now on."""
TAKE = 22
"""The receiver is to go on with a connection on which nothing is under way."""
END = 23
"""No more connections are taken in, and those on which nothing is under way are closed."""

END_OF_HEAD = b"\r\n\r\n"
LONGEST_HEAD = 2048
"""Bytes of a head that is known again."""
LARGEST = 16 * 1024
"""Bytes of the largest body that goes this way; of larger ones, which the daemon reads itself, HTTP is a small part."""
LENGTHS = (b"\r\nContent-Length: ", b"\r\ncontent-length: ")
"""How a head says how long its body is, where it may be known again with another length."""
_LONGEST_NUMBER = 9


def length_in(head: bytes) -> tuple[int, int, int]:
    """How long the body is, and from where to where the head says so; a length of 0 where that is not plain.

    Two heads that differ in this number only mean the same otherwise.
    """
    for name in LENGTHS:
        begin = head.find(name)
        if begin >= 0:
            begin += len(name)
            end = head.find(b"\r\n", begin)
            digits = head[begin:end]
            if digits.isdigit() and digits[0] != 48 and len(digits) <= _LONGEST_NUMBER:  # 48 is a zero
                return int(digits), begin, end
            break
    return 0, 0, 0


def message(kind: int, number: int = 0, extra: int = 0, *parts: bytes | bytearray | memoryview) -> bytes:
    """A message as it goes over the stream."""
    return b"".join((HEAD.pack(kind, sum(map(len, parts)), number, extra), *parts))


def numbers(text: bytes | memoryview) -> array[int]:
    """The numbers of connections that ``text`` holds."""
    return array("Q", bytes(text))
