"""Fire drills: that what works comes out as such, and that what does not is said plainly; nothing outside is asked."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from quell.cli.main import cli
from quell.config import Loaded, load
from quell.config.starter import write_starter
from quell.errors import Misconfigured
from quell.model.topology import Dependency
from quell.sdk.registry import find_connectors
from quell.trial.actions import declared
from quell.trial.drill import Report, drilled

SPECS = {name: connector.spec for name, connector in find_connectors().connectors.items()}
AT = 1_772_431_200.0
DETECT = """\
detect:
  - name: Slow
    metric: http.server.duration
    when: {threshold: {above: 0.8, until: 0.6}}
    for: 3 of 5
    severity: critical
  - name: OrdersStopped
    metric: orders
    when: {absence: {after: 30m}}
    severity: critical
  - {name: Asleep, mode: off, metric: "*", when: {threshold: {above: 1}}}
"""
DRIFT = """\
detect:
  - name: PaymentsDrift
    distribution: "*"
    where: ['entity="dataset/payments"']
    when: {drift: {psi: 0.2}}
    every: 1h
    severity: critical
"""
LATENCY = """\
  - name: latency
    about: a slow service pages
    feed: [{at: 0s, series: {service: checkout, metric: http.server.duration, values: 0.2x20 0.9x20}, every: 1m}]
    expect: {detectors: [Slow], cause: checkout, pages: [console.page], playbooks: [open-ticket]}
"""
STORE_DOWN = """\
  - name: feature-store-down
    graph: {edges: [[scoring, feature-store], [checkout, scoring], [web, checkout]]}
    feed:
      - {at: 60s, alert: {alertname: StoreDown, service: feature-store, severity: critical}}
      - {at: 72s, alert: {alertname: ScoreErrors, service: scoring, severity: critical}}
      - {at: 84s, alert: {alertname: CheckoutErrors, service: checkout, severity: critical}}
      - {at: 96s, alert: {alertname: WebErrors, service: web, severity: critical}}
    expect: {cause: feature-store, pages: [console.page]}
"""
STOPPED = """\
  - name: alert-that-should-fire
    feed: [{at: 0s, series: {entity: kpi/orders, metric: orders, values: 5x30 _x60}, every: 1m}]
    lasts: 2h
    expect: {detectors: [OrdersStopped]}
"""
BOUNDARY = """\
  - name: boundary-values
    feed:
      - {at: 0s, series: {service: checkout, metric: http.server.duration, values: 0.2x20 NaN NaN 0 0 0.2x9}, every: 1m}
    expect: {quiet: true}
"""
POISONED = """\
  - name: poisoned-data
    feed: [{at: 0s, series: {entity: dataset/payments, field: amount, values: 5000x7000}, every: 1s}]
    lasts: 4h
    expect: {detectors: [PaymentsDrift]}
"""


@pytest.fixture
def house(tmp_path: Path) -> Path:
    write_starter(tmp_path, token_sha256="0" * 64, token_id="t")
    (tmp_path / "rules" / "drills.yaml").unlink(missing_ok=True)
    (tmp_path / "rules" / "own.yaml").write_text(DETECT)
    return tmp_path


def written(house: Path, *drills: str) -> Loaded:
    (house / "rules" / "own-drills.yaml").write_text("drills:\n" + "".join(drills))
    return load(house, SPECS, {}, secrets_needed=False)


def held(house: Path, drill: str, **known: tuple[Dependency, ...]) -> Report:
    loaded = written(house, drill)
    (one,) = loaded.rulebook.drills
    return drilled(one, loaded.rulebook, declared(loaded.settings.sources, SPECS), AT, **known)


def failed(report: Report) -> dict[str, str]:
    return {f"{one.what} {one.want}": one.got for one in report.checks if not one.ok}


@pytest.mark.parametrize("drill", [LATENCY, STORE_DOWN, STOPPED, BOUNDARY])
def test_what_works_is_said_to(house: Path, drill: str) -> None:
    report = held(house, drill)
    assert failed(report) == {}
    assert report.ok
    assert held(house, drill) == report


def test_poisoned_data_is_found_against_its_profile(house: Path) -> None:
    assert failed(held(house, POISONED)) == {"detector PaymentsDrift": "there is no such detector"}
    (house / "rules" / "drift.yaml").write_text(DRIFT)
    (house / "payments.csv").write_text("amount\n" + "".join(f"{10 + n % 90}\n" for n in range(2_000)))
    (house / "profiles").mkdir(exist_ok=True)
    words = ["profile", str(house / "payments.csv"), "--entity", "dataset/payments", "--version", "v1"]
    done = CliRunner().invoke(cli, [*words, "--out", str(house / "profiles" / "payments.json")], standalone_mode=False)
    assert done.exception is None, done.output
    assert failed(held(house, POISONED)) == {}
    alike = POISONED.replace("5000x7000", "10+1x89 10+1x89 10+1x89 10+1x89 10+1x89 10+1x89 10+1x89 10+1x89")
    assert failed(held(house, alike)) == {"detector PaymentsDrift": "it finds nothing in 1h windows"}


def test_it_lasts_until_what_is_expected_had_its_time(house: Path) -> None:
    """Windows of an hour, half an hour of silence: a drill that ended before would say that they do not work."""
    stopped = STOPPED.replace("    lasts: 2h\n", "").replace("_x60", "_x2")
    assert stopped.count("lasts") == 0
    assert failed(held(house, stopped)) == {}
    off = LATENCY.replace("[open-ticket]", "[pause-retraining-on-drift]")
    assert failed(held(house, off)) == {"playbook pause-retraining-on-drift": "it is off"}


def test_every_drill_of_the_starter_works_once_its_detectors_are_switched_on(house: Path) -> None:
    text = (Path(__file__).parents[2] / "rules" / "drills.yaml").read_text()
    head, _, rest = text.partition("  # Most detectors")
    drills = head + "\n".join(re.sub(r"^  # ?", "  ", line) for line in rest.splitlines()[1:]) + "\n"
    (house / "rules" / "starter-drills.yaml").write_text(drills)
    slow = "{name: CheckoutSlow, metric: http.server.duration, when: {threshold: {above: 0.8}}, severity: critical}"
    (house / "rules" / "drift.yaml").write_text(f"{DRIFT}  - {slow}\n")
    (house / "payments.csv").write_text("amount\n" + "".join(f"{10 + n % 90}\n" for n in range(2_000)))
    words = ["profile", str(house / "payments.csv"), "--entity", "dataset/payments", "--version", "v1"]
    (house / "profiles").mkdir(exist_ok=True)
    done = CliRunner().invoke(cli, [*words, "--out", str(house / "profiles" / "payments.json")], standalone_mode=False)
    assert done.exception is None, done.output
    loaded = load(house, SPECS, {}, secrets_needed=False)
    assert len(loaded.rulebook.drills) == 6
    acts = declared(loaded.settings.sources, SPECS)
    found = {one.name: failed(drilled(one, loaded.rulebook, acts, AT)) for one in loaded.rulebook.drills}
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


def test_what_does_not_work_is_said_plainly(house: Path) -> None:
    drill = LATENCY.replace("0.9x20", "0.3x20")
    assert failed(held(house, drill)) == {
        "detector Slow": "it finds nothing in 1m windows",
        "cause service/checkout": "no incident with a suspect",
        "page console.page": "nobody is called",
        "playbook open-ticket": "none begins",
    }
    other = LATENCY.replace("[Slow]", "[Asleep, Missing]").replace("cause: checkout", "cause: cart")
    assert failed(held(house, other.replace("[open-ticket]", "[gone]"))) == {
        "detector Asleep": "it is off",
        "detector Missing": "there is no such detector",
        "cause service/cart": "service/checkout",
        "playbook gone": "there is no such playbook",
    }
    loud = STORE_DOWN.replace("cause: feature-store, pages: [console.page]", "quiet: true")
    assert "pages: " in failed(held(house, loud))["quiet nobody is paged"]


def test_the_graph_in_use_counts(house: Path) -> None:
    edges = "    graph: {edges: [[scoring, feature-store], [checkout, scoring], [web, checkout]]}\n"
    bare = STORE_DOWN.replace(edges, "")
    assert bare != STORE_DOWN
    assert "cause service/feature-store" in failed(held(house, bare))
    chain = ("web", "checkout", "scoring", "feature-store")
    links = tuple(
        Dependency(from_=f"service/{name}", to=f"service/{needed}", type="calls") for name, needed in pairwise(chain)
    )
    assert failed(held(house, bare, dependencies=links)) == {}


def quell(*words: str) -> Result:
    return CliRunner().invoke(cli, list(words), standalone_mode=False)


def test_the_command_says_it_by_text_json_and_exit_code(house: Path) -> None:
    written(house, LATENCY, STOPPED.replace("_x60", "5x60"))
    done = quell("drill", "-c", str(house))
    assert done.return_value == 1
    assert "ok   latency: as expected (a slow service pages)" in done.output
    assert "FAIL alert-that-should-fire: 1 of 1 did NOT come as expected" in done.output
    assert "FAIL detector: OrdersStopped; got it finds nothing" in done.output
    done = quell("drill", "latency", "-c", str(house), "--json")
    assert done.return_value == 0
    (told,) = msgspec.json.decode(done.output)
    assert told["ok"]
    assert [one["what"] for one in told["checks"]] == ["detector", "cause", "page", "playbook"]
    assert "did you mean" in str(quell("drill", "latencx", "-c", str(house)).exception)
    assert sorted(path.name for path in house.glob("*.db*")) == []


@pytest.mark.parametrize(
    ("drill", "said"),
    [
        (LATENCY.replace("cause: checkout", "couse: checkout"), "couse"),
        (LATENCY.replace("0.2x20 0.9x20", "nonsense"), "nonsense"),
        ("  - {name: x, feed: [{at: 0s, log: {service: a, text: b}}], expect: {}}\n", "a drill expects something"),
        (LATENCY + '    cron: "61 * * * *"\n', "61"),
        (LATENCY + LATENCY, "latency"),
    ],
)
def test_mistakes_are_told_with_their_place(house: Path, drill: str, said: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        written(house, drill)
    assert any(said in str(one) and "own-drills.yaml" in str(one) for one in caught.value.problems)


def test_the_starter_drill_comes_as_expected(tmp_path: Path) -> None:
    write_starter(tmp_path, token_sha256="0" * 64, token_id="t")
    done = quell("drill", "-c", str(tmp_path))
    assert done.return_value == 0, done.output
