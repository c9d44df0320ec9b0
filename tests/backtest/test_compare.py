"""Differences of courses: none of a course with itself, the mirror image the other way round, stable in order."""

import random
import subprocess
import sys

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtest.shop import START, history, write_history
from export.story import StoryTeller
from quell.backtest import replaying
from quell.backtest.answers import Answers, Deed, read_deeds, write_deeds
from quell.backtest.compare import Twins
from quell.backtest.course import Case, Course, Firing, Span, Task, Told
from quell.backtest.difference import Limits
from quell.backtest.diffing import difference
from quell.backtest.follow import Follower, within
from quell.backtest.replaying import course_of, courses_of
from quell.backtest.text import MOST_LETTERS, lines, markdown
from quell.backtest.versions import Version
from quell.errors import BacktestError
from quell.export.lines import record_line
from quell.model.decision import Perform
from quell.model.mute import Matcher
from quell.model.playbook import Place, Playbook, Step
from quell.model.records import AlertRecord, CommandRecord, DependencyRecord, StepFinished
from quell.model.rulebook import Correlate, MuteRule, Rulebook, Triage

VERSIONS = (Version("before", None), Version("after", None))
PLACE = Place(file="p.yaml", line=1)
BOOKS = [
    Rulebook(version="1"),
    Rulebook(version="2", correlate=Correlate(least_alerts=5)),
    Rulebook(version="3", triage=Triage(lone_page_after_s=1500.0, flap_gap_s=30.0)),
    Rulebook(
        version="4",
        mute=(MuteRule(name="m", reason="r", matchers=(Matcher(name="severity", value="warning"),)),),
    ),
]


def story(seed, count=150):
    chance = random.Random(seed)
    teller, now = StoryTeller(chance), 1_772_431_200.0
    for _ in range(count):
        now = round(now + chance.choice([0.0, 1.5, 40.0, 400.0]), 3)
        yield teller.record(now)


def course(book, records, span=None, recorded=None):
    follower = Follower(book, span or Span(), recorded or Answers())
    follower.run(records, 15.0)
    return follower.course()


def compare(was, now, limits=None):
    return difference(was, now, VERSIONS, limits or Limits())


@pytest.mark.parametrize("seed", range(4))
def test_nothing_differs_from_itself(seed):
    for book in BOOKS:
        assert compare(course(book, story(seed)), course(book, story(seed))).nothing


@settings(max_examples=20)
@given(seed=st.integers(0, 40), books=st.tuples(st.sampled_from(BOOKS), st.sampled_from(BOOKS)))
def test_the_other_way_round_is_the_mirror_image(seed, books):
    was, now = (course(book, story(seed, 60)) for book in books)
    there, back = compare(was, now), compare(now, was)
    lost = sorted((page.mark, page.was_at) for page in there.pages if page.what in {"lost", "not_yet"})
    assert lost == sorted((page.mark, page.now_at) for page in back.pages if page.what == "new")
    turned = {"opened": "gone", "gone": "opened", "merged": "split", "split": "merged", "other_alerts": "other_alerts"}
    assert sorted((one.what, one.was, one.now) for one in there.incidents if one.what in {"opened", "gone"}) == sorted(
        (turned[one.what], one.now, one.was) for one in back.incidents if one.what in {"opened", "gone"}
    )
    assert sum(one.count for one in there.verdicts) == sum(one.count for one in back.verdicts)


def test_what_was_told_long_before_told_of_something_else():
    """One incident that swallows the pages of a week keeps none of them."""

    def told(at, incident, firing):
        return Told(at=at, incident=incident, firing=firing, severity="critical", why="w")

    def case(name, *firings):
        return Case(id=name, title=name, status="open", at=0.0, severity="", cause="", confidence=0.0, firings=firings)

    marks = [f"m{n}" for n in range(4)]
    times = [0.0, 3600.0, 5 * 3600.0, 100 * 3600.0]
    heard = tuple((mark, at, n) for n, (mark, at) in enumerate(zip(marks, times, strict=True)))

    def seen(incidents, pages, cases):
        firings = tuple(
            Firing(mark=mark, at=at, name=mark, labels={}, incident=incident)
            for mark, at, incident in zip(marks, times, incidents, strict=True)
        )
        return Course(from_=0.0, to=1e6, records=4, firings=firings, heard=heard, pages=pages, cases=cases)

    apart = seen(
        "abcd", tuple(told(times[n], "abcd"[n], n) for n in range(4)), tuple(case("abcd"[n], n) for n in range(4))
    )
    together = seen("xxxx", (told(0.0, "x", 0),), (case("x", 0, 1, 2, 3),))
    found = compare(apart, together)
    assert [(page.what, page.alert) for page in found.pages] == [("lost", "m2"), ("lost", "m3"), ("earlier", "m1")]
    assert [one.what for one in found.incidents] == ["merged"]
    assert not compare(apart, together, Limits(earlier_s=1e9)).failed


@pytest.mark.parametrize("seed", range(3))
def test_every_page_is_kept_or_told_of(seed):
    """What paged before and is not called lost did page after: it or what holds its alert."""
    was, now = course(BOOKS[0], story(seed, 200)), course(BOOKS[2], story(seed, 200))
    found = compare(was, now)
    twins = Twins(was, now)
    named = {page.mark for page in found.pages if page.what in {"lost", "not_yet"}}
    paged = {page.incident for page in now.pages}
    for page in was.pages:
        firing = was.firings[page.firing]
        if firing.mark in named:
            continue
        after = {now.firings[index].incident for index in twins.twins_of(page.firing)}
        paired = twins.pairing.pairs.get(twins.case_was.get(page.incident, -1))
        after |= {now.cases[paired].id} if paired is not None else set()
        also = {other.firing for other in now.pages} & set(twins.twins_of(page.firing))
        assert after & paged or also


def test_what_is_told_is_the_same_every_time():
    def told():
        found = compare(course(BOOKS[0], story(7, 300)), course(BOOKS[1], story(7, 300)))
        return "\n".join(lines(found, 1000)), markdown(found, 50)

    assert told() == told()


def test_an_alert_that_was_forgotten_comes_again_as_another():
    def alert(at, status="firing"):
        labels = {"alertname": "DiskFull", "service": "db", "severity": "critical"}
        return AlertRecord(at=START + at, status=status, labels=labels, source="am")

    day = 86_400.0
    records = [alert(0), alert(1800, "resolved"), alert(3 * day), alert(3 * day + 1800, "resolved")]
    found = course(BOOKS[0], records)
    assert [firing.mark for firing in found.firings] == [found.firings[0].mark] * 2
    assert len(found.pages) == 2


def test_before_the_span_only_what_lasts_counts():
    old = [
        DependencyRecord(at=1.0, from_="service/a", to="service/b"),
        CommandRecord(at=2.0, verb="silence", target="s"),
        CommandRecord(at=2.0, verb="ack", target="INC-1"),
        AlertRecord(at=3.0, status="firing", labels={"a": "b"}),
        AlertRecord(at=100.0, status="firing", labels={"a": "b"}),
        AlertRecord(at=200.0, status="firing", labels={"a": "b"}),
        AlertRecord(at=300.0, status="firing", labels={"a": "b"}),
    ]
    kept = list(within(old, Span(since=150.0, until=250.0, warm_up_s=60.0)))
    assert [record.at for record in kept] == [1.0, 2.0, 100.0, 200.0, 250.0]


def test_what_was_recorded_of_an_act_answers_it(tmp_path):
    step = Step(id="look", do="probe.look", place=PLACE, effect="read", check="result.up == true")
    book = Rulebook(version="5", playbooks=(Playbook(name="look", place=PLACE, mode="enforce", steps=(step,)),))
    plain = course(book, history())
    assert {run.state for run in plain.runs} == {"failed"}
    answers = [
        StepFinished(at=START + 9000, key=f"{run.id}/look/1", outcome="done", output={"up": True}) for run in plain.runs
    ]
    file = tmp_path / "h.jsonl"
    file.write_bytes(b"".join(record_line(each) + b"\n" for each in [*history(), *answers]) + b"junk\n")
    recorded = Answers([file])
    assert len(recorded) == len(answers)
    again = course(book, history(), recorded=recorded)
    assert {run.state for run in again.runs} == {"done"}
    assert {run.mode for run in again.runs} == {"enforce"}


def test_a_question_is_answered_as_it_was_then_whatever_the_incident_is_called(tmp_path):
    def asked(at, value, key, effect="read"):
        perform = Perform(at=at, key=key, action="probe.look", params={"a": 1, "b": 2}, effect=effect, repeat="state")
        return Deed(perform=perform, result=StepFinished(at=at, key=key, outcome="done", output={"value": value}))

    deeds = [asked(30.0, "late", "R-1/s/2"), asked(10.0, "early", "R-1/s/1"), asked(20.0, "act", "R-1/s/3", "change")]
    write_deeds(tmp_path / "deeds", deeds)
    answers = Answers(deeds=read_deeds(str(tmp_path / "deeds")))

    def told(now, key="R-9/s/1", **changes):
        deed = msgspec.structs.replace(deeds[0].perform, key=key, **changes)
        found = answers.to(deed, now)
        assert (found.key, found.at) == (key, now)
        return found.output.get("value", found.failure)

    assert told(5.0) == "early"
    assert told(29.0) == "early"
    assert told(30.0) == told(90.0) == "late"
    assert told(90.0, params={"b": 2, "a": 1}) == "late"
    assert told(90.0, params={"b": 3}) == "refused"
    assert told(90.0, key="R-1/s/1") == "early"
    assert told(90.0, key="R-1/s/3", effect="change") == "act"
    assert told(90.0, effect="change") == ""


def test_the_state_before_an_act_is_taken_to_be_another_one():
    step = Step(id="off", do="flag.off", place=PLACE, effect="change", repeat="state", before="flag.look")
    book = Rulebook(version="6", playbooks=(Playbook(name="off", place=PLACE, mode="enforce", steps=(step,)),))
    found = course(book, history())
    assert {run.state for run in found.runs} == {"done"}
    assert {run.steps for run in found.runs} == {(("off", "flag.off", "done"),)}


def test_markdown_is_bounded_and_forms_nothing():
    nasty = "@team <img src=x> | `a` [b](http://evil.example) \x1b[31m" + "x" * 400
    firings = [
        AlertRecord(
            at=START + n, status="firing", source="am", labels={"alertname": f"{nasty}{n}", "severity": "critical"}
        )
        for n in range(600)
    ]
    found = compare(course(BOOKS[0], firings), course(Rulebook(triage=Triage(page_severities=())), firings))
    assert found.nothing is False
    text = markdown(found, 100_000)
    assert len(text) <= MOST_LETTERS
    body = text.split("-->\n", 1)[1]
    assert "<img" not in body
    assert "@team" not in body
    assert "http://" not in body
    assert "\x1b" not in body
    for line in body.splitlines():
        if line.startswith("| "):
            assert line.count("|") - line.count("\\|") in {5, 6}


def test_nothing_seen_is_no_open_gate():
    with pytest.raises(BacktestError, match="no record of that time"):
        compare(Course(), Course())


def test_two_processes_give_what_one_does(tmp_path, monkeypatch):
    file = str(write_history(tmp_path / "history.jsonl"))
    (tmp_path / "quell.yaml").write_text("{}\n")
    tasks = [Task(directory=each, decode_as="", history=(file,)) for each in ("", str(tmp_path))]
    alone = [msgspec.structs.replace(course_of(task), took_s=0.0) for task in tasks]
    monkeypatch.setattr(replaying, "LEAST_BYTES", 0)
    together = [msgspec.structs.replace(each, took_s=0.0) for each in courses_of(tasks)]
    assert together == alone


def test_a_replay_that_ends_badly_is_told(monkeypatch, capfd):
    monkeypatch.setattr(replaying, "LEAST_BYTES", -1)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(BacktestError, match="ended with code 1"):
        courses_of([Task(directory="", decode_as="", history=())] * 2)


def test_an_interruption_ends_the_replays(monkeypatch):
    ended = []
    monkeypatch.setattr(replaying, "LEAST_BYTES", -1)

    class Interrupted(replaying._Process):
        def course(self):
            raise KeyboardInterrupt

        def end(self):
            super().end()
            ended.append(self._process.returncode)

    monkeypatch.setattr(replaying, "_Process", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        courses_of([Task(directory="", decode_as="", history=())] * 2)
    assert len(ended) == 2


def test_modules_where_it_is_called_are_not_imported(tmp_path, monkeypatch):
    for name in ("msgspec", "quell", "yaml"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.chdir(tmp_path)
    ran = subprocess.run(
        [sys.executable, "-P", "-m", "quell.backtest"],
        input=msgspec.msgpack.encode(Task(directory="", decode_as="", history=())),
        capture_output=True,
        check=True,
    )
    assert msgspec.msgpack.decode(ran.stdout, type=Course).records == 0


def test_a_history_that_cannot_be_opened_is_a_problem(tmp_path):
    found = course_of(Task(directory="", decode_as="", history=(str(tmp_path / "none.jsonl"),)))
    assert [problem.file for problem in found.refused] == [str(tmp_path / "none.jsonl")]
