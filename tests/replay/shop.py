"""A small shop in trouble, as records of every kind: a deploy of cart breaks cart, and what needs it alerts."""

import json

from quell.model.times import format_time

T0 = 1772431200.0
CALLS = [("service/web", "service/cart"), ("service/api", "service/cart"), ("service/cart", "database/carts")]


def line(kind, after_s, **fields):
    return {"kind": kind, "at": format_time(T0 + after_s), "source": "test", **fields}


def alert(name, service, after_s, *, status="firing", severity="critical", **fields):
    labels = {"alertname": name, "service": service, "severity": severity}
    return line("alert", after_s, status=status, labels=labels, starts_at=format_time(T0 + after_s), **fields)


def graph():
    yield line("entity", 0, entity="service/web", owner="shop", tier=1)
    yield line("entity", 0, entity="service/cart", labels={"instance": "10.0.0.7:80"})
    for from_, to in CALLS:
        yield line("dependency", 0, **{"from": from_}, to=to, type="calls")


def story():
    """Lines in order of arrival."""
    yield from graph()
    yield line("change", 600, id="chg-1", type="deploy", entity="service/cart", revision="v2", previous="v1")
    yield line("sample", 640, entity="service/cart", metric="error_rate", value=0.4)
    yield line("log", 645, entity="service/cart", severity="error", template="no cart <*>", count=40, over_s=30)
    yield line("span", 650, trace="t", span="s", entity="service/web", name="GET /", duration_s=0.2, error=True)
    yield alert("HighErrors", "cart", 660, id="first")
    yield alert("LogErrorSpike", "cart", 662)
    yield alert("HighErrors", "web", 690)
    yield alert("HighErrors", "api", 700, id="api")
    yield alert("BudgetBurn", "web", 720)
    yield line("incident", 730, status="open", title="Somebody else's", entity="service/mail", id="EXT-1")
    yield alert("HighErrors", "cart", 760, id="again")
    yield alert("DiskFills", "wiki", 800, severity="warning", id="noise")
    yield line("tick", 830)
    yield line("feedback", 835, verdict="not_actionable", alert="noise", by="ana")
    yield alert("DiskFills", "wiki", 840, status="resolved", severity="warning")
    yield line("command", 850, verb="pause", by="ana")


def written(path, lines):
    path.write_text("".join(json.dumps(each) + "\n" for each in lines))
    return path
