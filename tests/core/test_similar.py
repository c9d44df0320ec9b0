"""Past incidents like one at hand: what counts as alike, what is said of them, and that order does not matter."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from core.scene import T0, Scene, deploy, ends, fires, outage, playbook, rulebook, says
from quell.core.similar import Like, lines, similar
from quell.model.incident import Incident, Remedy, Suspect, TimelineEntry
from quell.model.records import FeedbackRecord


def incident(name: str, *symptoms: str, at: tuple[str, ...] = (), cause: str = "", **more: Any) -> Incident:
    given = {"status": "resolved", "opened_at": T0, "updated_at": T0, "resolved_at": T0 + 600.0, **more}
    suspects = (Suspect(entity=cause),) if cause else ()
    return Incident(id=name, title=f"trouble {name}", symptoms=symptoms, entities=at, suspects=suspects, **given)


POOL = "ConnectionPoolExhausted: no free connection to the orders database"
DISK = "DiskAlmostFull: device nearly out of space on the volume"
NOW = incident("NOW", POOL, at=("service/orders", "service/cart"), cause="database/orders", status="open")


def past(*known: Incident, asked: Incident = NOW) -> list[Like]:
    return list(similar(asked, known).past)


def test_same_words_same_places_and_same_cause_are_wholly_alike() -> None:
    (like,) = past(incident("OLD", POOL, at=NOW.entities, cause="database/orders"))
    assert (like.likeness, like.words, like.places, like.same_cause) == (1.0, 1.0, 1.0, True)
    assert like.shared == NOW.entities


def test_what_shares_nothing_is_not_shown() -> None:
    assert past(incident("OLD", DISK, at=("host/n1",), cause="host/n1")) == []


def test_the_same_words_elsewhere_are_shown_behind_the_same_words_here() -> None:
    here = incident("HERE", POOL, at=NOW.entities, cause="database/orders")
    elsewhere = incident("AWAY", POOL, at=("service/search",), cause="database/search", opened_at=T0 + 5.0)
    unlike = [incident(f"U{n}", DISK, at=(f"host/n{n}",), cause=f"host/n{n}") for n in range(4)]
    assert [like.incident for like in past(elsewhere, *unlike, here)] == ["HERE", "AWAY"]


def test_a_word_that_everybody_uses_says_less_than_a_rare_one() -> None:
    asked = incident("NOW", "PodCrash: process restarts again", "LeaseLost: leader election failed", status="open")
    common = [incident(f"C{n}", "PodCrash: process restarts again", f"Odd{chr(97 + n)}: thing") for n in range(8)]
    rare = incident("RARE", "LeaseLost: leader election failed", "Other: thing")
    likes = similar(asked, [*common, rare], most=9).past
    assert likes[0].incident == "RARE"


def test_open_near_duplicates_stand_apart_and_merged_or_withdrawn_ones_nowhere() -> None:
    twin = incident("TWIN", POOL, at=NOW.entities, cause="database/orders", status="acknowledged", resolved_at=None)
    cousin = incident("COUSIN", POOL, at=("service/x",), status="open", resolved_at=None)
    gone = [incident(status, POOL, at=NOW.entities, status=status) for status in ("merged", "withdrawn")]
    likes = similar(NOW, [twin, cousin, *gone])
    assert [like.incident for like in likes.open] == ["TWIN"]
    assert likes.past == ()
    assert list(lines(likes)) == ["Alike and open: TWIN (100% alike): trouble TWIN"]


def test_of_two_versions_the_newer_counts_and_the_asked_one_is_not_like_itself() -> None:
    old = incident("OLD", POOL, at=NOW.entities, version=2)
    new = incident("OLD", POOL, at=NOW.entities, version=3, cause="database/orders")
    for known in ([old, new, NOW], [new, NOW, old]):
        (like,) = past(*known)
        assert like.cause == "database/orders"


def test_what_ended_it_is_said_in_words() -> None:
    def note(what: str, text: str) -> TimelineEntry:
        return TimelineEntry(at=T0, what=what, text=text, by="ana")

    old = incident(
        "OLD", POOL, at=NOW.entities, cause="database/orders",
        timeline=(note("feedback", "wrong cause"), note("feedback", "right cause: it was the pool")),
        remedies=(Remedy(kind="playbook", text="widen-pool: 40 connections"), Remedy(kind="note", text="ok", by="ana")),
    )  # fmt: skip
    (like,) = past(old)
    assert like.confirmed
    assert like.text == (
        "cause database/orders (confirmed); ended after 10m: playbook widen-pool: 40 connections; ok (ana)"
    )
    (alone,) = past(incident("OLD", POOL, at=NOW.entities))
    assert alone.text == "no cause named; ended after 10m: by itself, as far as quell knows"


_words = st.lists(st.sampled_from([POOL, DISK, "HighErrors: many answers are errors", "Lag"]), max_size=3, unique=True)
_places = st.lists(st.sampled_from(["service/a", "service/b", "host/n"]), max_size=3, unique=True)
_known = st.lists(st.tuples(_words, _places, st.sampled_from(["open", "resolved", "merged"])), max_size=6)


@given(_known, st.randoms(use_true_random=False))
def test_order_does_not_matter_and_likeness_is_a_share(told: list[tuple[Any, ...]], shuffle: Any) -> None:
    known = [
        incident(f"INC-{n}", *words, at=tuple(places), status=status, opened_at=T0 + n % 3)
        for n, (words, places, status) in enumerate(told)
    ]
    likes = similar(NOW, known)
    shuffled = list(known)
    shuffle.shuffle(shuffled)
    assert similar(NOW, shuffled) == likes
    assert all(0.0 <= like.likeness <= 1.0 for like in (*likes.past, *likes.open))


def test_an_outage_that_comes_again_finds_the_one_before_with_what_ended_it() -> None:
    scene = Scene(rulebook(playbooks=(playbook(),)))
    scene.tell(deploy("ledger", -60.0, "bad"), *outage())
    scene.wait(120.0)
    first = scene.incident
    scene.tell(FeedbackRecord(at=T0 + 130.0, verdict="right_cause", incident=first.id, by="ana", note="the deploy"))
    back = deploy("ledger", 140.0, "good", revision="v8", previous="v9")
    scene.tell(back, says("resolve", first.id, 200.0, note="took v9 back"))
    scene.tell(*(ends(name, 210.0) for name in ("ledger", "payments", "checkout", "frontend")))
    scene.wait(20_000.0)
    scene.tell(*outage(20_000.0))
    scene.wait(20_120.0)
    (again,) = scene.open
    state = scene.engine.state
    (like,) = similar(again, state.incidents.values()).past
    assert like.incident == first.id
    assert like.confirmed
    assert [remedy.kind for remedy in like.remedies] == ["playbook", "rollback", "note"]
    assert "deploy v9 of service/ledger was taken back to v8 (ana)" in like.text
    assert "took v9 back (ana)" in like.text


def test_symptoms_outlive_the_alerts() -> None:
    scene = Scene()
    scene.tell(*(fires(name, n, annotations={"summary": f"{name} fails"}) for n, name in enumerate(["ledger"] * 1)))
    scene.tell(*outage(1.0, of=("payments", "checkout", "frontend")))
    scene.wait(60.0)
    assert scene.incident.symptoms == ("HighErrorRate: ledger fails",)
