"""Weights from labelled storms: what is read, counted, searched, calibrated; what is refused; what is said of it."""

from __future__ import annotations

import dataclasses
import gzip
import json
from dataclasses import dataclass, field
from math import exp
from pathlib import Path
from random import Random

import msgspec
import pytest

from config.written import loaded_from
from quell.cli.replaying import opened
from quell.config.trained_file import weights_file
from quell.core.confidence import Standing
from quell.core.engine import Engine
from quell.errors import Misconfigured
from quell.model.records import AlertRecord, CommandRecord, FeedbackRecord
from quell.model.rulebook import Rulebook
from quell.model.weights import DEFAULT, Confidence, Weights
from quell.training import calibrating, counting
from quell.training.feedback import judged
from quell.training.searching import Bench, searched
from quell.training.storms import Storm, Truth, parted, read_storm
from quell.training.training import TooLittle, _estimates, train
from quell.training.trying import Answer, Tried, course, sightings, tried, weighed
from training.made import T0, edges, firing, services, storm, written

replace = msgspec.structs.replace
BOOK = Rulebook()


def quiet(_: str) -> None:
    """Says nothing."""


def test_a_storm_is_read_as_it_was_written(tmp_path: Path) -> None:
    made = storm("a", 1, 3, noise=2)
    folder = written(tmp_path / "a", made)
    reader, _ = opened(None, strict=True)
    found = read_storm(folder, reader)
    assert found.name == "a"
    assert list(found.records) == list(made.records)
    assert found.truth == made.truth


def test_envelopes_of_a_generator_are_read_with_their_topology(tmp_path: Path) -> None:
    nodes = [{"id": name, "kind": "service", "name": name[8:]} for name in services(0)]
    topology = {"nodes": nodes, "edges": [{"src": services(0)[0], "dst": services(0)[1], "type": "calls"}]}
    (tmp_path / "topology.json").write_text(json.dumps(topology))
    alert = {
        "status": "firing", "startsAt": "2026-03-02T06:16:00Z", "endsAt": "0001-01-01T00:00:00Z",
        "labels": {"alertname": "Down", "service": "c0-1"}, "annotations": {},
    }  # fmt: skip
    body = {"version": "4", "status": "firing", "receiver": "q", "alerts": [alert]}
    line = {"t": "2026-03-02T06:16:10Z", "to": "/ingest/alertmanager", "event_ids": ["e1"], "body": body}
    (tmp_path / "stream.jsonl.gz").write_bytes(gzip.compress(json.dumps(line).encode()))
    (tmp_path / "truth.jsonl").write_text('{"kind": "event", "event_id": "e1", "incident_id": null}\n')
    reader, _ = opened(None, strict=True)
    found = read_storm(tmp_path, reader)
    assert [one.labels["service"] for one in found.records if isinstance(one, AlertRecord)] == ["c0-1"]
    (seen,) = sightings(course(found, BOOK), found.truth)
    assert (seen.entity, seen.incident) == ("service/c0-1", None)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("truth.jsonl", '{"kind": "event", "event_id": "e"}\n', "truth.jsonl:1:1: a line of kind event needs"),
        ("truth.jsonl", "{}\n[1]\n", "truth.jsonl:2:1: expected one JSON object a line"),
        ("truth.jsonl", "{", "truth.jsonl:1:1: not JSON"),
        ("truth.jsonl", "[" * 100_000, "truth.jsonl:1:1: not JSON"),
        (
            "truth.jsonl",
            '{"kind": "event", "event_id": "e", "incident_id": ["i"]}\n',
            'truth.jsonl:1:1: incident_id: expected a name, found ["i"]',
        ),
        (
            "truth.jsonl",
            '{"kind": "incident", "incident_id": "i", "root_nodes": "database/orders"}\n',
            'root_nodes: expected a list of entities, found "database/orders"',
        ),
        ("records.jsonl", '{"kind": "alert"}\n', "records.jsonl:1:1:"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(tmp_path: Path, name: str, text: str, said: str) -> None:
    folder = written(tmp_path / "a", storm("a", 1, 1))
    (folder / name).write_text(text)
    reader, _ = opened(None, strict=True)
    with pytest.raises(Misconfigured) as error:
        read_storm(folder, reader)
    assert said in str(error.value.problems[0])


def test_what_ships_is_right_about_plain_outages_and_other_weights_are_not() -> None:
    made = storm("a", 1, 6, noise=3)
    good = tried(course(made, BOOK), made.truth)
    assert good.score == pytest.approx(1.0)
    assert (good.incidents, good.missed, len(good.answers)) == (6, 0.0, 6)
    dear = replace(DEFAULT, prices=replace(DEFAULT.prices, least_net=20.0))
    bad = tried(course(made, weighed(BOOK, dear)), made.truth)
    assert (bad.score, bad.missed) == (0.0, 1.0)


def test_lags_and_shares_are_counted() -> None:
    parts = []
    for seed in range(2):
        made = storm(str(seed), seed, 9, lag_s=60.0)
        parts.append(counting.counted(course(made, BOOK), made.truth))
    whole = counting.together(parts)
    assert whole.trials["request", 0] == 2 * 9 * 3
    ways, told = counting.travel(whole)
    passage = next(one for one in ways.request if (one.cause, one.symptom) == ("failing", "failing"))
    assert 45.0 < passage.lag_s < 62.0
    assert passage.p > 0.85
    assert told["travel", "request", "failing", "failing"] == (54, 54)
    assert ways.queue == DEFAULT.travel.queue
    assert next(one for one in ways.request if (one.cause, one.symptom) == ("failing", "slow")).p < 0.05


def test_noise_is_counted_by_kind() -> None:
    made = storm("a", 1, 12, noise=60)
    counts = counting.counted(course(made, BOOK), made.truth)
    found, told = counting.noise(counts)
    assert found.slow > 0.2
    assert told["noise", "slow"] == (60, 60)
    assert counting.noise(counting.Counts()) == (DEFAULT.noise, {})


def _answers(count: int, seed: int, curve: Confidence) -> list[Answer]:
    chance = Random(seed)
    found = []
    for _ in range(count):
        one = Standing(
            margin=chance.expovariate(0.5), silent=chance.random() < 0.3, changed=chance.random() < 0.2,
            entities=chance.randrange(1, 20), path=chance.randrange(1, 5), nats=chance.expovariate(0.1),
        )  # fmt: skip
        terms = dict(zip(calibrating.NAMES, calibrating.facts(one), strict=True))
        odds = curve.constant + sum(getattr(curve, name) * value for name, value in terms.items())
        found.append(Answer(one, 0.5, True, chance.random() < 1.0 / (1.0 + exp(-odds))))
    return found


def test_the_curve_behind_answers_is_found() -> None:
    true = Confidence(constant=-1.0, margin=1.5, silent=-1.0, changed=0.5, entities=-0.2, path=0.1, nats=0.3)
    curve = calibrating.fitted(_answers(3000, 1, true))
    assert curve.margin == pytest.approx(true.margin, abs=0.25)
    assert curve.silent == pytest.approx(true.silent, abs=0.35)
    others = _answers(1500, 2, true)
    said = calibrating.restated(others, curve)
    assert calibrating.calibration_error(said, [one.right for one in others]) < 0.06


def test_few_answers_calibrate_nothing() -> None:
    answers = _answers(59, 1, DEFAULT.confidence)
    assert "59 answers" in calibrating.enough(answers)
    assert "60 are needed" in calibrating.enough(answers)
    assert calibrating.enough(_answers(300, 1, replace(DEFAULT.confidence, constant=0.0, margin=0.0))) == ""


@dataclass(slots=True)
class Believed(Bench):
    """A bench on which the score is a formula."""

    best: float = 5.6
    gain: float = 0.02
    tries: list[Weights] = field(default_factory=list)

    def tried(self, at: int, weights: Weights) -> Tried:
        self.tries.append(weights)
        wobble = 0.001 * Random(f"{at}{weights.prices.fold}").random()
        score = 0.8 + self.gain * (weights.prices.opening == self.best) + wobble
        return Tried(score, score, score, 0.0, 10, ())


def test_a_price_is_taken_where_it_is_better_on_storms_left_out() -> None:
    bench = Believed([storm(str(at), at, 1) for at in range(4)], BOOK)
    found, verdicts = searched(bench, DEFAULT, ["opening", "fold"], quiet)
    assert found.prices.opening == 5.6
    assert found.prices.fold == DEFAULT.prices.fold
    assert [one.accepted for one in verdicts] == [True, False]
    assert "taken" in str(verdicts[0])
    assert "left as it ships" in str(verdicts[1])


def test_too_little_is_refused() -> None:
    few = [storm(str(at), at, 2) for at in range(4)]
    with pytest.raises(TooLittle, match="too little to train on: 3 storms with 6 incidents"):
        train(few[:3], few[3:], BOOK, [], quiet)
    many = [storm(f"m{at}", at, 8) for at in range(3)]
    with pytest.raises(TooLittle, match="too little to report on"):
        train(many, [], BOOK, [], quiet)
    with pytest.raises(TooLittle, match="named twice"):
        train(many, many[:1], BOOK, [], quiet)


def test_the_file_gives_the_weights_again() -> None:
    made = storm("a", 1, 9, lag_s=60.0)
    counts = counting.counted(course(made, BOOK), made.truth)
    ways, seen = counting.travel(counts)
    told = []
    for place, (trials, hits) in seen.items():
        _, way, cause, symptom = place
        value, ships = (
            next(one for one in getattr(table, way) if (one.cause, one.symptom) == (cause, symptom))
            for table in (ways, DEFAULT.travel)
        )
        told.append((place, value, ships, f"{trials} times, {hits} of them shown"))
    told.append((("prices", "opening"), 5.5, 5.0, "9 storms"))
    text = weights_file(told, ["a"], ["b"], ["Made up."])
    assert "failing: {p: 0.932, lag: " in text
    assert "# ships: p: 0.75, lag: 12s; 27 times, 27 of them shown" in text
    found = loaded_from({"rules/weights.yaml": text}).rulebook.correlate.weights
    assert found == replace(DEFAULT, travel=ways, prices=replace(DEFAULT.prices, opening=5.5))


def test_words_of_people_are_labels() -> None:
    made = storm("a", 1, 5)
    engine = Engine(BOOK)
    names: dict[str, str] = {}
    for record in made.records:
        engine.decide([record], record.arrived)
        names |= {one.alerts[0]: name for name, one in engine.state.incidents.items() if one.is_open and one.alerts}
    opened_at = {one.opened_at: one for one in engine.state.incidents.values()}
    first, second, third, fourth, _ = (opened_at[at].id for at in sorted(opened_at))
    end = made.records[-1].arrived + 60.0
    said = [
        FeedbackRecord(at=end, verdict="right_cause", incident=first, by="ana"),
        FeedbackRecord(at=end, verdict="wrong_cause", incident=second, by="ana"),
        FeedbackRecord(at=end, verdict="not_actionable", incident=third, by="ana"),
        FeedbackRecord(at=end, verdict="right_cause", incident="INC-none", by="ana"),
        FeedbackRecord(at=end, verdict="missed", incident=fourth, by="ana"),
    ]
    found = judged("kept", [*made.records, *said], BOOK)
    assert (found.words, found.unknown) == (5, ("INC-none",))
    truth = found.storm.truth
    assert {truth.incident[f"o0-{at}"] for at in range(4)} == {first}
    assert truth.roots[first] == {services(0)[-1]}
    assert truth.innocent == {second: {services(1)[-1]}}
    assert {truth.incident[f"o2-{at}"] for at in range(4)} == {None}
    assert "o4-0" not in truth.incident
    assert not any(isinstance(record, FeedbackRecord) for record in found.storm.records)
    again = tried(course(found.storm, BOOK), truth)
    assert sorted(one.right for one in again.answers) == [False, True]


def test_what_people_merged_belongs_together() -> None:
    apart = [*firing(services(0)[-1], T0 + 700.0, "Down", "a0"), *firing(services(0)[-2], T0 + 710.0, "Down", "a1")]
    apart += firing(services(0)[-3], T0 + 720.0, "Down", "a2")
    apart += [
        record for at, one in enumerate(services(1)[1:]) for record in firing(one, T0 + 705.0 + at, "Down", f"b{at}")
    ]
    records = [*edges(), *sorted(apart, key=lambda record: record.arrived)]
    engine = Engine(BOOK)
    for record in records:
        if record.arrived <= T0 + 800.0:
            engine.decide([record], record.arrived)
    engine.decide([], T0 + 800.0)
    one, other = sorted(engine.state.incidents)
    word = CommandRecord(at=T0 + 800.0, verb="merge", target=one, by="ana", args={"incident": other})
    at = next(number for number, record in enumerate(records) if record.arrived > T0 + 800.0)
    found = judged("kept", [*records[:at], word, *records[at:]], BOOK)
    assert set(found.storm.truth.incident.values()) == {one}
    assert word not in found.storm.records
    assert tried(course(found.storm, BOOK), found.storm.truth).pair_f1 < 1.0


def test_one_past_is_parted_by_time() -> None:
    made = storm("kept", 1, 7, noise=7)
    parts = parted(made, 3)
    assert [one.name for one in parts] == ["kept, part 1", "kept, part 2", "kept, part 3"]
    assert [sorted(one.truth.roots) for one in parts] == [["i0", "i1"], ["i2", "i3"], ["i4", "i5", "i6"]]
    assert [sorted(mark for mark in one.truth.incident if mark[0] == "n") for one in parts] == [
        ["n0", "n1"], ["n2", "n3"], ["n4", "n5", "n6"],
    ]  # fmt: skip
    assert {mark for one in parts for mark in one.truth.incident} == set(made.truth.incident)
    assert tried(course(parts[1], BOOK), parts[1].truth).score == pytest.approx(1.0)
    assert parted(storm("one", 1, 1), 3)[0].name == "one"


def test_a_storm_without_labels_scores_nothing_wrong() -> None:
    made = storm("a", 1, 2)
    bare = Storm("bare", made.records, Truth({}, {}, whole=False))
    assert tried(course(bare, BOOK), bare.truth).score == pytest.approx(1.0)


def test_what_is_told_where_nothing_was_is_a_wrong_answer() -> None:
    made = storm("a", 1, 2)
    told = course(made, BOOK)
    nothing = Truth(dict.fromkeys(made.truth.incident), {})
    assert [one.right for one in tried(told, made.truth).answers] == [True, True]
    assert [one.right for one in tried(told, nothing).answers] == [False, False]
    assert tried(told, dataclasses.replace(nothing, whole=False)).answers == ()


def test_an_incident_some_of_which_has_no_label_is_no_wrong_answer() -> None:
    made = storm("a", 1, 2)
    some = Truth({mark: None for mark in made.truth.incident if mark != "o0-1"}, {})
    assert [one.right for one in tried(course(made, BOOK), some).answers] == [False]


def test_part_of_an_outage_answers_what_caused_all_of_it() -> None:
    """However small a part it is, or however large a part another incident is."""
    made = storm("a", 1, 6)  # two of the outages have one cause
    told = course(made, BOOK)
    apart = {mark: mark for mark in made.truth.incident}
    small = Truth(dict.fromkeys(apart, "all"), {"all": made.truth.roots["i2"]}, alerts=apart)
    assert sorted(one.right for one in tried(told, small).answers) == [False] * 4 + [True] * 2
    assert tried(told, dataclasses.replace(small, roots={"all": frozenset()})).answers == ()
    halves = {mark: "i0" if name == "i1" else name for mark, name in made.truth.incident.items()}
    roots = {**made.truth.roots, "i0": made.truth.roots["i0"] | made.truth.roots["i1"]}
    assert [one.right for one in tried(told, Truth(halves, roots)).answers] == [True] * 6


def test_a_curve_is_told_whole() -> None:
    """What is left out of a file is taken from what ships with whoever reads it, which may be another curve."""
    ships = DEFAULT.confidence
    weights = replace(DEFAULT, confidence=replace(ships, margin=0.5))
    seen = {("confidence", name): "60 answers" for name in ships.__struct_fields__}
    told = {one.place[1]: one.value for one in _estimates(weights, seen)}
    assert told == msgspec.structs.asdict(weights.confidence)


def test_what_no_answer_shows_stays_as_it_ships() -> None:
    true = replace(DEFAULT.confidence, constant=-1.0, margin=1.5)
    plain = [replace_standing(one, silent=False, path=4) for one in _answers(200, 3, true)]
    curve = calibrating.fitted(plain)
    ships = DEFAULT.confidence
    assert (curve.silent, curve.path) == (ships.silent, ships.path)
    some = [replace_standing(one, silent=at < 2, path=4) for at, one in enumerate(plain)]
    assert ships.silent < calibrating.fitted(some).silent < -0.4
    said = calibrating.restated(plain, curve)
    assert sum(said) / len(said) == pytest.approx(sum(one.right for one in plain) / len(plain), abs=0.05)


def replace_standing(one: Answer, *, silent: bool, path: int) -> Answer:
    """The same answer with other facts."""
    return dataclasses.replace(one, standing=dataclasses.replace(one.standing, silent=silent, path=path))


def test_a_fact_alike_in_all_answers_moves_the_constant_alone() -> None:
    answers = [
        Answer(Standing(margin=1.0, silent=False, changed=False, entities=3, path=2), 0.5, True, at % 4 > 0)
        for at in range(100)
    ]
    curve = calibrating.fitted(answers)
    assert replace(curve, constant=0.0) == replace(DEFAULT.confidence, constant=0.0)
    assert calibrating.restated(answers, curve)[0] == pytest.approx(0.75, abs=0.01)


def test_labels_of_no_record_count_for_nothing(tmp_path: Path) -> None:
    folder = written(tmp_path / "a", storm("a", 1, 2))
    with (folder / "truth.jsonl").open("a") as file:
        file.write('{"kind": "event", "event_id": "nowhere", "incident_id": "other"}\n')
        file.write('{"kind": "incident", "incident_id": "other", "root_node": "service/x"}\n')
    reader, _ = opened(None, strict=True)
    found = read_storm(folder, reader)
    assert found.unknown == 1
    assert set(found.truth.roots) == {"i0", "i1"}
    (folder / "truth.jsonl").write_text('{"kind": "event", "event_id": "nowhere", "incident_id": "other"}\n')
    with pytest.raises(Misconfigured) as error:
        read_storm(folder, reader)
    assert 'none of its 1 events is the id of a record, "nowhere" for one' in str(error.value.problems[0])
