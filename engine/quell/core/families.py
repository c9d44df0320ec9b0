"""Symptom families: what kind of trouble an alert speaks of, read from the words of its name and summary.

Four families are enough to tell apart how trouble travels: something fails, something is slow or full, something
receives no work any more, or data and the results made from it are off. Words decide, not alert names of one estate.
"""

from __future__ import annotations

import re
from enum import IntEnum
from functools import lru_cache

from quell.core.kinds import made, shown
from quell.model.alert import Alert


class Family(IntEnum):
    """The kind of symptom; the numbers index tables."""

    FAILING = 0
    SLOW = 1
    IDLE = 2
    DATA = 3


COUNT = len(Family)

_WORK = r"requests?|traffic|messages?|operations?|queries|transactions|invocations|throughput"
_IDLE = (
    rf"no (?:\w+ )?(?:{_WORK}|data points|samples)|traffic (?:drop|loss)|received no|requests? dropped to|"
    rf"(?:{_WORK}) (?:rate )?(?:(?:is|are|at) )?(?:zero|absent|gone|stopped)"
)
_DATA = (
    r"stale|staleness|fresh(?:ness)?|drift\w*|psi|null rate|nulls|quality|skew|accuracy|auc|recall|precision|f1|"
    r"distributions?|schema|expectations?|kpi|conversion|revenue|approvals?|"
    r"business|metric anomaly|expected band|expected range|bias|fairness|null"
)
_OF_DATA = r"predictions?|features?|datasets?|outliers?|labels?"
"""What data are called, which may as well fail or be slow: it tells the kind of trouble if nothing else does."""
_SLOW = (
    r"latency|latencies|slow\w*|p9\d|p50|throttl\w*|saturat\w*|cpu|memory|oom|exhaust\w*|pool|connections|lag\w*|queue|"
    r"backlog|full|filling|capacity|load|pressure|maxed|max replicas|"
    r"duration|timeouts?|response time|degraded|delay\w*|"
    r"overrun|sla|gpu|disk|iops|io|contention|quota|usage|behind"
)
_FAILING = (
    r"down|errors?|fail\w*|crash\w*|unreachable|unavailable|not ready|notready|unready|5xx|exception\w*|refused|dead|"
    r"expired|broken|lost|loss|missing|mismatch|killed|restart\w*|unhealthy|outage|impair\w*|tls|handshake\w*|budget|"
    r"waiting|replication|under.replicated|offline|absent|abort\w*|rejected|panic"
)
_NUMBER = re.compile(r"\b\d+\b", re.ASCII)
"""Numbers that stand for themselves say nothing of the kind of trouble, and would make every summary another one."""
_WITHIN = re.compile(r"[A-Za-z_]0|0[A-Za-z_]")
_ALIKE = bytes(48 if 48 <= code <= 57 else code for code in range(256))
"""All digits become 0."""
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[_\-./]+")


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{pattern})\b")


_ORDER = (
    (Family.IDLE, _words(_IDLE)),
    (Family.DATA, _words(_DATA)),
    (Family.FAILING, _words(_FAILING)),
    (Family.SLOW, _words(_SLOW)),
    (Family.DATA, _words(_OF_DATA)),
)


_OVERDUE = _words("stale|staleness|fresh|freshness|overdue|outdated|late|not updated|not been updated|old|age|missing")


def overdue(alert: Alert) -> bool:
    """Whether an alert says that something was not made in time: who makes it failed, and not the thing itself."""
    return any(_says_overdue(text) for text in (alert.name, alert.annotations.get("summary", "")))


@lru_cache(maxsize=8192)
def _says_overdue(text: str) -> bool:
    return bool(_OVERDUE.search(_CAMEL.sub(" ", text).lower()))


_ITSELF = _words(
    r"crash\w*|restart\w*|(?<!retry )(?<!retries )(?<!with )(?<!exponential )back ?off(?! limit)|"
    r"(?<!queries )(?<!connections )(?<!transactions )(?<!sessions )killed|"
    r"(?<!keys )(?<!cache )(?<!entries )evict\w*(?! keys)(?! entries)|segfault|panic|not ready|notready|unready|"
    r"readiness|liveness|image pull\w*|containers? waiting|pods? failed|failed pods?|replicas|"
    r"(?<!after )(?<!since )(?<!last )(?<!latest )(?<!the )rollouts?|certificates?|handshakes?|tls"
)
_NOT_ITSELF = _words(r"upstreams?|dependency|dependencies|soon|expires|expiring")
"""Of what an entity asks, or of what is still to come."""


def of_itself(alert: Alert) -> bool:
    """Whether an alert speaks of a process itself, that it crashes or is not ready, and not of what it answers.

    Its name decides if that tells the kind of trouble, else it or its summary says so.
    """
    name = alert.labels.get("alertname", "")
    if _told_by(name) is not None:
        return _says_itself(name)
    annotations = alert.annotations
    said = annotations.get("summary") or annotations.get("description", "")
    return _says_itself(name) or _says_itself(_NUMBER.sub("0", said))


@lru_cache(maxsize=8192)
def _says_itself(text: str) -> bool:
    words = _CAMEL.sub(" ", text).lower()
    return bool(_ITSELF.search(words)) and not _NOT_ITSELF.search(words)


def family(alert: Alert) -> Family:
    """The family of an alert: by its name first, by its summary where the name says nothing, else by where it fires.

    A KPI, which only shows what became of others, is of data whatever is said of it. Where nothing tells, so is all
    that others make, which does not fail by itself; the rest is "failing".
    """
    kind = "" if alert.entity is None else alert.entity.partition("/")[0]
    if shown(kind):
        return Family.DATA
    named = _told_by(alert.labels.get("alertname", ""))
    if named is not None:
        return named
    annotations = alert.annotations
    said = annotations.get("summary") or annotations.get("description", "")
    # In a storm mostly the numbers differ; to make all digits alike takes a fraction of a search for numbers.
    alike, told = _told_alike(said.encode("utf-8", "surrogatepass").translate(_ALIKE))
    if not alike:
        told = _told_by(_NUMBER.sub("0", said))
    if told is not None:
        return told
    return Family.DATA if made(kind) else Family.FAILING


@lru_cache(maxsize=8192)
def _told_alike(text: bytes) -> tuple[bool, Family | None]:
    """Whether the digits of a text in which all are 0 stand for themselves; if so, what it says."""
    said = text.decode("utf-8", "surrogatepass")
    if _WITHIN.search(said):
        return False, None  # "p99" is not "p00"
    return True, _told_by(_NUMBER.sub("0", said))


@lru_cache(maxsize=8192)
def _told_by(text: str) -> Family | None:
    words = _CAMEL.sub(" ", text).lower()
    for candidate, pattern in _ORDER:
        if pattern.search(words):
            return candidate
    return None
