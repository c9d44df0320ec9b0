"""For tests of connectors: the checks that every one must pass, and the stand-ins of `quell.sdk.fakes`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine, Mapping, Sequence
from typing import Any, TypeVar, cast

from quell.errors import BadPayload, ConnectorError, Refused, Unreachable
from quell.sdk.connector import (
    Acts,
    Call,
    Connector,
    Context,
    Done,
    Pending,
    Received,
    Receives,
    Request,
    Serves,
    View,
)
from quell.sdk.fakes import NOW, FakeHttp, FakeView, Sent
from quell.sdk.http import Answer, Http
from quell.sdk.registry import offers
from quell.sdk.secret import Secret
from quell.sdk.spec import ActionSpec, Option, Spec

CANARY = "quell-canary-5d1f"
"""Part of every secret that `example_value` makes; it may show up nowhere."""

__all__ = ["check_connector", "check_spec", "example_options", "example_value", "run"]
__all__ += ["CANARY", "FAULTS", "NASTY_BODIES", "NOW", "FakeHttp", "FakeView", "Sent"]

T = TypeVar("T")


_EXAMPLES: Mapping[str, Any] = {
    "text": "example",
    "integer": 1,
    "number": 1.0,
    "boolean": True,
    "duration": 1.0,
    "url": "http://target.example:8080/path",
    "path": "/nonexistent/quell-example",
    "list": [],
    "mapping": {},
}


def example_value(option: Option) -> Any:
    """A decoded value that fits the option: its default, a choice, its example, or one made up by type."""
    if option.type == "secret":
        return Secret(f"{CANARY}-{option.name}")
    if option.default is not None:
        return option.default
    if option.choices:
        return option.choices[0]
    if option.example and option.type in ("text", "url", "path"):
        return option.example
    return _EXAMPLES[option.type]


def example_options(options: Sequence[Option]) -> dict[str, Any]:
    """Decoded options: the required ones, the secrets and those with a default."""
    wanted = [item for item in options if item.required or item.type == "secret" or item.default is not None]
    return {option.name: example_value(option) for option in wanted}


def check_connector(
    connector: type[Connector],
    options: Mapping[str, Any] | None = None,
    params: Mapping[str, Mapping[str, Any]] | None = None,
) -> None:
    """Raises AssertionError with a sentence for the first rule of the house that the class breaks.

    ``options`` are decoded options (default: made up from the spec); ``params`` are decoded parameters for actions,
    by action name, where made-up ones will not do. Runs its own event loop: call it from a plain test.
    """
    check_spec(connector.spec, connector)
    chosen = dict(example_options(connector.spec.options) if options is None else options)
    _check_construction(connector, chosen)
    if "receive" in offers(connector):
        _check_receive(connector, chosen)
    if "serve" in offers(connector):
        _check_serve(connector, chosen)
    for action in connector.spec.actions:
        given = (params or {}).get(action.name) or example_options(action.params)
        _check_action(connector, chosen, action, given)


def check_spec(spec: Spec, connector: type[Connector]) -> None:
    """The declaration is complete: names usable in YAML, sentences for people, undo names an action."""
    _must(bool((connector.__doc__ or "").strip()), f"{connector.__name__} has no docstring")
    named: list[tuple[str, str]] = [(spec.name, spec.summary)]
    named += [(option.name, option.summary) for option in spec.options]
    for action in spec.actions:
        named.append((action.name, action.summary))
        named += [(option.name, option.summary) for option in action.params]
        known = action.undo == "" or spec.action(action.undo) is not None
        _must(known, f'action "{action.name}" is undone by "{action.undo}", which is no action of {spec.name}')
        _no_twins([option.name for option in action.params], f'parameter of "{action.name}"')
    for name, summary in named:
        _must(name.isidentifier() and name == name.lower(), f'"{name}" is no name for YAML: lower case, digits, _')
        _must(len(summary.strip()) > 3, f'"{name}" of {spec.name} has no summary')
    _no_twins([option.name for option in spec.options], f"option of {spec.name}")
    _no_twins([action.name for action in spec.actions], f"action of {spec.name}")
    for option in [*spec.options, *(option for action in spec.actions for option in action.params)]:
        fits = not option.choices or option.default is None or option.default in option.choices
        _must(fits, f'the default of "{option.name}" is not among its choices')
        _must(not (option.required and option.default is not None), f'"{option.name}" is required and has a default')
    _must(all(path.startswith("/") for path in spec.paths), f"a path of {spec.name} does not start with /")


def _check_construction(connector: type[Connector], options: Mapping[str, Any]) -> None:
    http = FakeHttp()
    built = _built(connector, options, http)
    _must(not http.sent, f"the constructor of {connector.__name__} made a request")
    _must(CANARY not in repr(built), f"repr() of {connector.__name__} shows a secret")
    shown = repr(getattr(built, "__dict__", {}))
    _must(CANARY not in shown, f"{connector.__name__} keeps a secret as plain text; keep the Secret and reveal it late")


NASTY_BODIES: tuple[bytes, ...] = (
    b"",
    b"{",
    b"null",
    b"[]",
    b"{}",
    b"7",
    b'"text"',
    b"\xff\xfe\x00",
    b'{"a":"\\ud800"}',
    b"[" * 5000 + b"]" * 5000,
    b'[{"labels":{"a":7}}]',
    b'{"alerts":[null,7,{}]}',
)
"""Deliveries that every receiver must answer or refuse by `BadPayload`, and never choke on."""


def _check_receive(connector: type[Connector], options: Mapping[str, Any]) -> None:
    for body in NASTY_BODIES:
        request = Request("POST", f"/in/{connector.spec.name}", body, {"content-type": "application/json"})
        _check_pure(connector, options, request, "receive")


def _check_serve(connector: type[Connector], options: Mapping[str, Any]) -> None:
    for path in connector.spec.paths:
        for method, tail in (("GET", ""), ("GET", "/nonsense"), ("DELETE", "/nonsense"), ("HEAD", "")):
            _check_pure(connector, options, Request(method, path + tail, query=[("filter", "(")]), "serve")
        for body in NASTY_BODIES:
            request = Request("POST", path, body, {"content-type": "application/json"})
            _check_pure(connector, options, request, "serve")


def _check_pure(connector: type[Connector], options: Mapping[str, Any], request: Request, verb: str) -> None:
    first, second = (_received(connector, options, request, verb) for _ in range(2))
    pure = repr(first) == repr(second)
    _must(pure, f"{verb}() of {connector.spec.name} is not pure: answers differ for {request.body[:40]!r}")


def _received(connector: type[Connector], options: Mapping[str, Any], request: Request, verb: str) -> Received | str:
    built = _built(connector, options, FakeHttp())
    view: View = FakeView()
    try:
        if verb == "serve":
            received = cast("Serves", built).serve(request, view, NOW)
        else:
            received = cast("Receives", built).receive(request, NOW)
    except BadPayload as error:
        return str(error)
    except Exception as error:
        raise AssertionError(
            f"{verb}() of {connector.spec.name} raised {type(error).__name__} for {request.body[:40]!r}"
        ) from error
    _must(isinstance(received, Received), f"{verb}() of {connector.spec.name} gave no Received")
    return received


def _check_action(
    connector: type[Connector], options: Mapping[str, Any], action: ActionSpec, params: Mapping[str, Any]
) -> None:
    name = f"{connector.spec.name}.{action.name}"
    http = FakeHttp()
    try:
        done = _act(connector, options, http, _call(action, params, dry_run=True))
    except ConnectorError as error:
        done = Done(str(error))  # the answer "{}" tells nothing: what reads first may say so
    _must(bool(done.sentence.strip()), f"a dry run of {name} says nothing")
    written = [sent for sent in http.sent if action.effect != "read" and not _reads(sent)]
    _must(not written, f"a dry run of {name} made a request that does not only read")
    _must(CANARY not in repr(done), f"a dry run of {name} shows a secret")

    asking = FakeHttp(Unreachable("no answer"))
    try:
        _act(connector, options, asking, _call(action, params))
    except ConnectorError as error:
        _must(CANARY not in str(error), f"{name} shows a secret in its error")
    if asking.sent:
        _check_faults(connector, options, action, params)


_ASKING = frozenset({"token", "session", "search", "jql", "query", "graphql"})
"""Last parts of addresses that take a POST and change nothing."""


def _reads(sent: Sent) -> bool:
    last = sent.url.partition("?")[0].rstrip("/").rpartition("/")[2]
    return sent.method in ("GET", "HEAD") or (sent.method == "POST" and last in _ASKING)


FAULTS: tuple[tuple[str, Answer | Exception, type[ConnectorError]], ...] = (
    ("a refused connection", Unreachable("target.example:8080 cannot be connected to"), Unreachable),
    ("no answer in time", Unreachable("target.example:8080 did not answer within 10 s"), Unreachable),
    ("status 500", Answer(500, {}, b"oops"), Unreachable),
    ("status 503", Answer(503, {}, b""), Unreachable),
    ("status 429", Answer(429, {"Retry-After": "7"}, b"slow down"), Unreachable),
    ("status 400", Answer(400, {}, b"bad"), Refused),
    ("status 401", Answer(401, {}, b""), Refused),
    ("status 403", Answer(403, {}, b""), Refused),
    ("status 404", Answer(404, {}, b"\xff\xfe"), Refused),
)
"""What is injected into every action that asks over HTTP, and the error that must come of it."""


def _check_faults(
    connector: type[Connector], options: Mapping[str, Any], action: ActionSpec, params: Mapping[str, Any]
) -> None:
    name = f"{connector.spec.name}.{action.name}"
    for fault, answer, expected in FAULTS:
        try:
            outcome: object = _act(connector, options, FakeHttp(answer), _call(action, params))
        except ConnectorError as error:
            right = isinstance(error, expected)
            _must(right, f"{name} made of {fault} {type(error).__name__}, not {expected.__name__}: {error}")
            _must(CANARY not in str(error), f"{name} shows a secret in its error for {fault}")
            waits = fault != "status 429" or (isinstance(error, Unreachable) and error.retry_after_s == 7.0)
            _must(waits, f"{name} does not pass on Retry-After")
        except Exception as error:
            raise AssertionError(f"{name} made of {fault} {type(error).__name__}: {error}") from error
        else:
            raise AssertionError(f"{name} took {fault} for success: {outcome!r}")


def _call(action: ActionSpec, params: Mapping[str, Any], *, dry_run: bool = False) -> Call:
    return Call(key="run-1/step-1/1", action=action.name, params=params, now=NOW, dry_run=dry_run)


def _act(connector: type[Connector], options: Mapping[str, Any], http: Http, call: Call) -> Done | Pending:
    built = _built(connector, options, http)
    _must(isinstance(built, Acts), f"{connector.spec.name} declares actions but cannot act")
    return run(cast("Acts", built).act(call))


def run(work: Awaitable[T]) -> T:
    """The result of something awaitable, for tests without an event loop of their own."""

    async def awaited() -> T:
        return await work

    coroutine: Coroutine[Any, Any, T] = awaited()
    return asyncio.run(coroutine)


def _built(connector: type[Connector], options: Mapping[str, Any], http: Http) -> Connector:
    return connector(options, Context(source=connector.spec.name, http=http))


def _no_twins(names: Sequence[str], what: str) -> None:
    twins = sorted({name for name in names if names.count(name) > 1})
    _must(not twins, f"two {what} are named {', '.join(twins)}")


def _must(holds: bool, otherwise: str) -> None:
    if not holds:
        raise AssertionError(otherwise)
