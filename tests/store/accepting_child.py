"""Accepts groups for ever and prints the seq of each once it is durable; its parent kills it."""

import sys
from pathlib import Path

from quell.store.opening import open_store
from quell.store.port import Accepted, Turn
from store.values import accepted, finished, perform

store = open_store("sqlite:///quell.db", Path(sys.argv[1]))
n = 0
while True:
    n += 1
    group = store.accept(accepted(*range(n, n + n % 40 + 1), cursors={"pull": str(n)}))
    print(group.seq, flush=True)
    key = f"run/{group.seq}"
    store.commit(Turn(seq=group.seq, intents=[perform(key)]))
    done = store.accept(Accepted(now=1000.0, records=[finished(key)]))
    print(done.seq, flush=True)
