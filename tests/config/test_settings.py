import pytest

from config.written import MAIN, SPECS, loaded_from, problems_of, write
from quell.config import check, load_file, watched
from quell.config.settings import Acts
from quell.sdk.secret import Secret
from quell.sdk.signatures import Basic, Bearer, Hmac

SHA = "a" * 64

FULL = """\
listen: "[::1]:0"
store: sqlite:///data/quell.db
sources:
  prod:
    use: inbox
    auth: {hmac: {secret: "env:KEY", old_secret: "file:old", header: X-Hub-Signature, prefix: "sha256=", window: 1m}}
  lab: {use: inbox, auth: {token: "env:KEY"}}
  shop: {use: inbox, auth: {basic: {user: am, password: "env:KEY"}}}
  anyone: {use: inbox, auth: {open: true}, every: 30s, acts: {at_once: 2, per_minute: 30}}
  self: {use: signed, auth: bearer, secret: "env:KEY", every: other}
  ticket:
    use: ticket
    url: https://tickets.example/api
    token: file:secret
    retries: 5
    wait: 1m
    style: long
    strict: true
    factor: 2
    fields: {title: summary}
    tags: [a, b]
pages:
  - name: night
    to: ticket.open
    with: {title: "${incident.title}", key: "${incident.id}"}
    match: ['severity="critical"']
limits: {body: 1MiB, inbox: 100, alerts_per_post: 10, labels: 5, label_value: 50}
retention: {records: 1d, incidents: 2d, audit: 3d}
log: {level: debug, format: json}
tokens: keys.yaml
snapshot_every: 2m
resolve_timeout: 10m
allow_addresses: [loopback, 10.0.0.0/8, prometheus.internal]
open_on_loopback: false
"""
FILES = {
    "quell.yaml": FULL,
    "secret": "s3cret\n",
    "old": "0ld",
    "keys.yaml": f"tokens: [{{id: ops, sha256: {SHA}, scopes: [read, act], by: ana}}]\n",
}


def test_everything_is_read():
    settings = loaded_from(FILES, {"KEY": "k"}).settings
    assert (settings.host, settings.port) == ("::1", 0)
    assert settings.store == f"sqlite:///{settings.directory}/data/quell.db"
    assert settings.source("prod").auth == Hmac(
        secrets=(Secret("k"), Secret("0ld")), header="x-hub-signature", prefix="sha256=", window_s=60.0
    )
    assert settings.source("lab").auth == Bearer(secrets=(Secret("k"),))
    assert settings.source("shop").auth == Basic(user="am", secrets=(Secret("k"),))
    assert (settings.source("anyone").open, settings.source("anyone").every_s) == (True, 30.0)
    own = settings.source("self")
    assert settings.source("anyone").acts == Acts(at_once=2, per_minute=30)
    assert own.acts == Acts(at_once=6, per_minute=None)
    assert (own.open, own.auth, own.every_s) == (True, None, None)
    assert own.options == {"auth": "bearer", "secret": Secret("k"), "every": "other"}
    assert settings.source("ticket").options == {
        "url": "https://tickets.example/api", "token": Secret("s3cret"), "retries": 5, "wait": 60.0, "style": "long",
        "strict": True, "factor": 2.0, "fields": {"title": "summary"}, "tags": ["a", "b"],
    }  # fmt: skip
    assert settings.source("nobody") is None
    assert (settings.limits.body, settings.limits.inbox, settings.limits.label_value) == (1 << 20, 100, 50)
    assert (settings.retention.records_s, settings.retention.audit_s) == (86400.0, 259200.0)
    assert (settings.log.level, settings.log.format) == ("debug", "json")
    assert (settings.tokens[0].id, settings.tokens[0].scopes) == ("ops", {"read", "act"})
    assert (settings.snapshot_every_s, settings.resolve_timeout_s, settings.open_on_loopback) == (120.0, 600.0, False)
    assert settings.allow_addresses == ("loopback", "10.0.0.0/8", "prometheus.internal")


def test_a_route_is_read_and_the_core_gets_the_resolve_timeout():
    book = loaded_from(FILES, {"KEY": "k"}).rulebook
    route = book.routes[0]
    assert (route.name, route.action, route.params["key"]) == ("night", "ticket.open", "${incident.id}")
    assert str(route.matchers[0]) == 'severity="critical"'
    assert book.resolve_timeout_s == 600.0


def test_an_empty_file_is_all_defaults():
    settings = loaded_from({"quell.yaml": "# nothing yet\n"}).settings
    assert (settings.host, settings.port, settings.open_on_loopback) == ("127.0.0.1", 9099, True)
    assert settings.store.endswith("/quell.db")
    assert settings.limits.body == 8_000_000
    assert settings.source("x") is None


@pytest.mark.parametrize(
    ("held", "said"),
    [(b"", "is empty"), (b"\n", "is empty"), (b"\xff\xfe", "holds no UTF-8 text"), (b"x" * 70_000, "is too large")],
)
def test_a_secret_file_holds_a_secret(held, said):
    found = problems_of({"quell.yaml": _ticket("token: file:secret"), "secret": held})
    assert [f'the secret file "secret" {said}' in problem for problem in found] == [True]


AS_THEY_ARE = [
    "sqlite:///:memory:", "sqlite:////var/lib/quell.db", "memory://", "postgresql://db/quell",
    "postgres://ada:a%40b@db.example.org:5433/quell?sslmode=verify-full", "postgresql://ada@/quell?host=/run/postgresql",
    "postgresql://ada:x@db1,db2:5433,[fd00::1]:5432/quell?target_session_attrs=primary", "postgresql://",
]  # fmt: skip


@pytest.mark.parametrize("url", AS_THEY_ARE)
def test_other_stores_stay_as_they_are(url):
    assert loaded_from({"quell.yaml": f'store: "{url}"\n'}).settings.store == url
    assert loaded_from({"quell.yaml": "store: env:STORE\n"}, {"STORE": url}).settings.store == url


@pytest.mark.parametrize(
    "url", ["postgresql://ada:hun/ter2@db/quell", "postgres://ada:hun@ter2@db", "postgresql:hunter2"]
)
@pytest.mark.parametrize("through_variable", [False, True])
def test_a_url_that_is_none_is_named_without_its_password(tmp_path, url, through_variable):
    text = "env:STORE" if through_variable else f'"{url}"'
    (tmp_path / "quell.yaml").write_text(f"store: {text}\n")
    (problem,) = check(tmp_path, SPECS, {"STORE": url})
    assert "the store is not a URL" in str(problem)
    assert "ter2" not in str(problem)


def test_a_secret_is_never_shown(tmp_path):
    loaded = loaded_from(FILES, {"KEY": "hunter2"})
    assert "hunter2" not in repr(loaded)
    found = check(
        write(
            tmp_path, {"quell.yaml": "sources:\n  t: {use: ticket, url: 'https://x.example', token: hunter2, a: b}\n"}
        ),
        {},
        {},
    )
    assert "hunter2" not in " ".join(map(str, found))


def _ticket(more):
    return f"sources: {{t: {{use: ticket, url: 'https://x.example', {more}}}}}\n"


def test_every_route_has_a_name_of_its_own():
    again = MAIN + "  - to: console.page\n  - {to: console.page, name: console.page 2}\n  - to: console.page\n"
    names = [route.name for route in loaded_from({"quell.yaml": again}).rulebook.routes]
    assert names == ["console.page", "console.page 3", "console.page 2", "console.page 4"]


MISTAKES = [
    (
        "a name of a page twice",
        MAIN + "    name: a\n  - {to: console.page, name: a}\n",
        '7:30: the page name "a" stands here twice (first in line 5)',
    ),
    ("an unknown key", "lisen: x\n", '1:1: unknown key "lisen"; did you mean "listen"?'),
    ("not a mapping", "- a\n", "1:1: expected a mapping, found a list"),
    ("an address without port", "listen: localhost\n", '1:9: "localhost" is not an address'),
    ("a port too high", "listen: localhost:99999\n", "is not an address"),
    ("a port alone", "listen: 9099\n", '"9099" is not an address'),
    ("a store that is no URL", "store: quell.db\n", "1:8: the store is not a URL"),
    ("a store from nowhere", "store: env:STORE\n", "environment variable STORE is not set"),
    ("a store of another kind", "store: mysql://h/db\n", '1:8: a store of kind "mysql" is unknown; write "sqlite:'),
    ("a port of the store that is none", "store: postgresql://u@h:x/db\n", "is not a URL of a PostgreSQL database"),
    (
        "an unknown connector",
        "sources: {am: {use: alertmanagr}}\n",
        '1:21: unknown connector "alertmanagr"; connectors here: console, inbox',
    ),
    ("a misspelt connector", "sources: {am: {use: tickt}}\n", 'did you mean "ticket"?'),
    ("no connector", "sources: {am: {}}\n", '1:11: source "am" needs "use", the connector'),
    ("a source that is text", "sources: {am: inbox}\n", '1:15: expected a mapping, found "inbox"'),
    ("sources as a list", "sources: [inbox]\n", "1:10: expected a mapping, found a list"),
    ("a bad id", "sources: {Am.1: {use: inbox}}\n", '1:11: "Am.1" is not an id'),
    (
        "the id of quell's own detectors",
        "sources: {detect: {use: inbox}}\n",
        '1:11: no source may be called "detect": the alerts of quell\'s detectors come from there; choose another',
    ),
    (
        "a missing option",
        "sources: {t: {use: ticket}}\n",
        '1:11: source "t" (ticket) needs option "url"; for example url: https://tickets.example',
    ),
    ("an unknown option", _ticket("tokn: x"), 'unknown option "tokn" of connector "ticket"; did you mean "token"?'),
    (
        "a secret in the file",
        _ticket("token: hunter2"),
        "a secret may not stand in the file itself; refer to it as env:NAME",
    ),
    ("a secret from nowhere", _ticket("token: env:NOPE"), "1:61: environment variable NOPE is not set"),
    ("a secret file that is not there", _ticket("token: file:nope"), 'the secret file "nope" cannot be read'),
    ("a bad URL", "sources: {t: {use: ticket, url: tickets.example}}\n", '1:33: "tickets.example" is not a URL'),
    ("a URL with a bad port", "sources: {t: {use: ticket, url: 'http://x:y'}}\n", "is not a URL"),
    (
        "a URL with a password",
        "sources: {t: {use: ticket, url: 'https://me:pw@x.example'}}\n",
        "may not hold a user name or password",
    ),
    ("a wrong duration", _ticket("wait: 5"), '"5" has no unit'),
    ("a wrong number", _ticket("retries: many"), 'expected a whole number, found "many"'),
    ("a wrong boolean", _ticket("strict: yes"), 'expected true or false, found "yes"'),
    ("a boolean for a number", _ticket("factor: true"), "expected a number"),
    ("a wrong choice", _ticket("style: shrt"), '"shrt" is not one of short, long; did you mean "short"?'),
    ("a list for a mapping", _ticket("fields: [a]"), "expected a mapping, found a list"),
    ("a text for a list", _ticket("tags: a"), 'expected a list, found "a"'),
    ("no place", "sources: {a: {use: inbox, acts: {at_once: 0}}}\n", "greater than or equal to 1"),
    ("asked too often", "sources: {a: {use: inbox, every: 1ms}}\n", '"1ms" is too often'),
    ("no unit in every", "sources: {a: {use: inbox, every: 30}}\n", '1:34: "30" has no unit'),
    (
        "auth as text",
        "sources: {a: {use: inbox, auth: open}}\n",
        "expected a mapping with one of token, hmac, basic or open",
    ),
    ("two kinds of auth", "sources: {a: {use: inbox, auth: {open: true, token: env:X}}}\n", "auth holds one of"),
    (
        "a header of no token",
        "sources: {a: {use: inbox, auth: {open: true, header: x-t}}}\n",
        "says where a token stands",
    ),
    (
        "an unknown auth",
        "sources: {a: {use: inbox, auth: {tokn: env:X}}}\n",
        'unknown key "tokn"; did you mean "token"?',
    ),
    ("hmac without secret", "sources: {a: {use: inbox, auth: {hmac: {}}}}\n", '"hmac" needs "secret"'),
    (
        "an unknown hash",
        "sources: {a: {use: inbox, auth: {hmac: {secret: env:X, algorithm: md5}}}}\n",
        '"md5" is not one of sha1, sha256, sha512',
    ),
    (
        "its own auth without secret",
        "sources: {a: {use: signed, auth: bearer}}\n",
        'auth "bearer" needs option "secret"',
    ),
    ("a page to nowhere", "pages: [{to: nobody.page}]\n", '1:14: unknown action "nobody.page"'),
    ("a page without action", "pages: [{with: {}}]\n", '1:9: this needs "to"'),
    ("a page by approval", "pages: [{to: approve}]\n", 'unknown action "approve"'),
    (
        "a page with nonsense",
        MAIN + "    with: {text: '${incidnt.id}', txt: x}\n",
        'unknown name "incidnt"; did you mean "incident"?',
    ),
    ("a page with a bad matcher", MAIN + "    match: ['a']\n", '6:15: expected one of = != =~ !~ after "a"'),
    ("a size without unit", "limits: {body: 8}\n", '1:16: "8" is not a size'),
    ("no inbox", "limits: {inbox: 0}\n", '1:17: "0" is out of range'),
    ("no retention", "retention: {records: 30}\n", '"30" has no unit'),
    ("an unknown level", "log: {level: loud}\n", '"loud" is not one of debug, info, warning, error'),
    ("a bad address to allow", "allow_addresses: [10.0.0.0/99]\n", "is not a network"),
    ("tokens that are not there", "tokens: nope.yaml\n", "nope.yaml: the file cannot be read: No such file"),
]


@pytest.mark.parametrize(("text", "said"), [case[1:] for case in MISTAKES], ids=[case[0] for case in MISTAKES])
def test_each_mistake_is_told(text, said):
    found = problems_of({"quell.yaml": text})
    assert any(said in problem for problem in found), found


TOKENS = [
    ("a hash that is none", f"tokens: [{{id: a, sha256: {SHA[:-1]}, scopes: [read]}}]\n", "stored as its SHA-256"),
    ("an unknown scope", f"tokens: [{{id: a, sha256: {SHA}, scopes: [reed]}}]\n", 'did you mean "read"?'),
    ("a role nobody has", f"tokens: [{{id: a, sha256: {SHA}, scopes: [read], roles: ['user:bob']}}]\n", "not a role"),
    ("no scope", f"tokens: [{{id: a, sha256: {SHA}, scopes: []}}]\n", "at least 1 is needed"),
    (
        "an id twice",
        f"tokens: [{{id: a, sha256: {SHA}, scopes: [read]}}, {{id: a, sha256: {SHA}, scopes: [read]}}]\n",
        "stands here twice",
    ),
]


@pytest.mark.parametrize(("text", "said"), [case[1:] for case in TOKENS], ids=[case[0] for case in TOKENS])
def test_each_mistake_in_tokens_is_told(text, said):
    found = problems_of({"tokens.yaml": text})
    assert any(said in problem and problem.startswith("tokens.yaml:1:") for problem in found), found


def test_a_directory_without_the_main_file_says_how_to_begin(tmp_path):
    found = check(tmp_path, {}, {})
    assert [problem.message for problem in found] == ["the file is not there"]
    assert "quell init" in found[0].suggestion


def test_all_problems_of_all_files_come_at_once():
    found = problems_of(
        {"quell.yaml": "a: 1\nb: 2\n", "rules/r.yaml": "a: [", "rules/s.yaml": "b: 1\n", "playbooks/p.yaml": "c: 1\n"}
    )
    assert {problem.split(":")[0] for problem in found} == {
        "quell.yaml",
        "rules/r.yaml",
        "rules/s.yaml",
        "playbooks/p.yaml",
    }


def test_the_path_of_the_main_file_will_do_and_its_files_can_be_watched(tmp_path):
    place = write(tmp_path, {"rules/a.yaml": "mute: []\n", "playbooks/p.test.yaml": "x"})
    assert load_file(place / "quell.yaml", SPECS, {}).settings.directory == place
    names = {path.relative_to(place).as_posix() for path in watched(place)}
    assert names == {"quell.yaml", "tokens.yaml", "people.yaml", "rules/a.yaml"}
