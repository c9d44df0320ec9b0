"""A task on standard input, its course on standard output; both as MessagePack."""

import sys

import msgspec

from quell.backtest.course import Task
from quell.backtest.replaying import course_of

if __name__ == "__main__":
    task = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Task)
    sys.stdout.buffer.write(msgspec.msgpack.encode(course_of(task)))
