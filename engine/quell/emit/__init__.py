"""Tells quell of predictions, of what became of them, and of business outcomes; needs nothing but Python.

    from quell.emit import Emitter

    emit = Emitter("https://quell.example:8080/in/predictions", token=TOKEN)
    emit.prediction(model="fraud", version="7", request_id=request_id, score=0.91, segment={"region": "eu"})
    emit.label(request_id, "fraud")
    emit.outcome(kpi="approvals", value=1)

Nothing here blocks its caller or raises: what cannot be sent is dropped, and counted in ``emit.counts``.
"""

from quell.emit.emitter import Emitter
from quell.emit.sender import Counts

__all__ = ["Emitter", "Counts"]
