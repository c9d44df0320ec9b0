"""Tables in files, profiles of them, and the commands: what is read, what is said, what comes out."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree as ET

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from profiles.data import amounts
from quell.cli.main import run as quell
from quell.model.distribution import Distribution, of_record
from quell.model.records import DistributionRecord
from quell.profiling import tables
from quell.profiling.counting import counted
from quell.profiling.tables import TableError, chunks
from quell.replay.reader import decode_record

Rows = Mapping[str, Sequence[Any]]
Run = Callable[..., "Result"]
TABLE: Rows = {
    "amount": [1.5, None, 3.25, -2.0],
    "name": ["ada", "grace", None, "ada"],
    "new": [True, False, True, None],
    "made_at": ["2026-03-01T10:00:00Z", "2026-03-01T11:00:00Z", "2026-03-02T10:00:00Z", None],
}


def as_csv(path: Path, rows: Rows, separator: str = ",") -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter=separator)
        writer.writerow(rows)
        writer.writerows([["" if cell is None else cell for cell in line] for line in zip(*rows.values(), strict=True)])
    return path


def as_json_lines(path: Path, rows: Rows) -> Path:
    lines = [dict(zip(rows, line, strict=True)) for line in zip(*rows.values(), strict=True)]
    told = [{name: value for name, value in line.items() if value is not None} for line in lines]
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, told)).encode()))
    return path


def as_parquet(path: Path, rows: Rows) -> Path:
    parquet.write_table(pa.table(dict(rows)), path, row_group_size=2)
    return path


WRITERS: dict[str, Callable[[Path, Rows], Path]] = {
    "t.csv": as_csv,
    "t.tsv": lambda path, rows: as_csv(path, rows, "\t"),
    "semicolons.csv": lambda path, rows: as_csv(path, rows, ";"),
    "t.jsonl.gz": as_json_lines,
    "t.parquet": as_parquet,
}


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("cells", [1, 2_000_000])
def test_a_table_counts_the_same_whatever_it_comes_in(
    tmp_path: Path, name: str, cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "CELLS", cells)
    monkeypatch.setattr(tables, "FIRST_ROWS", 2)
    counting = counted(chunks(WRITERS[name](tmp_path / name, TABLE)), time="made_at")
    told = counting.told()
    assert counting.rows == 4
    assert {field: (one.type, one.count, one.nulls, one.bad) for field, one in told.items()} == {
        "amount": ("number", 4, 1, 0),
        "name": ("text", 4, 1, 0),
        "new": ("bool", 4, 1, 0),
        "made_at": ("time", 4, 1, 0),
    }
    assert (told["amount"].numbers.low, told["amount"].numbers.high) == (-2.0, 3.25)
    assert told["name"].categories == {"ada": 2, "grace": 1}
    assert told["new"].categories == {"false": 1, "true": 2}
    per_day = counting.per_day()
    assert per_day is not None
    assert (per_day.days, per_day.mean) == (1, 2.0)


def test_other_kinds_of_parquet_columns(tmp_path: Path) -> None:
    rows: Rows = {
        "whole": pa.array([1, None, 3], pa.int32()),
        "decimal": pa.array([Decimal("1.50"), None, Decimal(2)], pa.decimal128(20, 2)),
        "kind": pa.array(["a", "b", "a"]).dictionary_encode(),
        "at": pa.array([0, 86_400_000_000, None], pa.timestamp("us", "UTC")),
        "day": pa.array([0, 1, 2], pa.date32()),
        "list": pa.array([[1], [2, 3], []]),
    }
    told = counted(chunks(as_parquet(tmp_path / "t.parquet", rows))).told()
    types = {name: one.type for name, one in told.items()}
    assert types == {
        "whole": "number",
        "decimal": "number",
        "kind": "text",
        "at": "time",
        "day": "time",
        "list": "text",
    }
    assert told["at"].numbers.high == 86_400.0


def test_cells_that_do_not_fit_are_bad_and_not_zero() -> None:
    told = counted([{"amount": ["1"] * 97 + ["x", "inf", None]}]).told()["amount"]
    assert (told.type, told.count, told.nulls, told.bad, told.known) == ("number", 100, 1, 2, 97)
    assert told.numbers.low == 1.0


def test_the_type_of_the_profile_stands_where_half_of_the_cells_fit() -> None:
    cells = ["1"] * 60 + ["x"] * 40
    assert counted([{"a": cells}]).told()["a"].type == "text"
    told = counted([{"a": cells}], {"a": "number"}).told()["a"]
    assert (told.type, told.bad) == ("number", 40)
    assert counted([{"a": ["x"] * 60 + ["1"] * 40}], {"a": "number"}).told()["a"].type == "text"
    assert counted([{"a": ["1"] * 10}], {"a": "text"}).told()["a"].categories == {"1": 10}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.xlsx", b"", '".xlsx" is no kind of table; expected .csv'),
        ("t.csv", b"", "no columns were found"),
        ("t.csv", b"a,b\n1,2\n3\n", "t.csv:3: 1 cells, but the header names 2"),
        ("t.csv", b"a,a\n1,2\n", 'the column "a" is there twice'),
        ("t.csv", b"a\n\xff\n", "is not UTF-8 text"),
        ("t.jsonl", b'{"a": 1}\n[]\n', "t.jsonl:2: Expected `object`, got `array`"),
        ("t.jsonl", b'{"a": 1}\n{"a"\n', "t.jsonl:2:"),
        ("t.parquet", b"PAR1", "t.parquet:"),
        ("t.csv.gz", b"\x1f\x8bno", "t.csv.gz: cannot be read"),
    ],
)
def test_what_is_no_table_is_said_with_its_place(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TableError) as caught:
        list(chunks(tmp_path / name))
    assert said in str(caught.value)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.lists(
        st.one_of(st.none(), st.floats(), st.booleans(), st.text(max_size=6), st.lists(st.integers())), max_size=40
    )
)
def test_whatever_is_in_a_column_all_of_it_is_counted(column: list[Any]) -> None:
    told = counted([{"a": column}, {"a": column[:3]}]).told().get("a", Distribution())
    assert told.count == len(column) + len(column[:3]) == told.known + told.nulls + told.bad


# The commands


class Result(NamedTuple):
    exit_code: int
    output: str


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def called(*arguments: str | Path) -> Result:
        code = quell([str(one) for one in arguments])
        out, err = capsys.readouterr()
        return Result(code, out + err)

    return called


def payments(path: Path, times: float = 1.0, seed: int = 1, name: str = "amount") -> Path:
    random = np.random.default_rng(seed)
    rows = 2_000
    return as_csv(
        path,
        {
            "id": list(range(rows)),
            name: [f"{one * times:.2f}" for one in amounts(rows, seed)],
            "currency": random.choice(["EUR", "USD"], rows, p=[0.8, 0.2]).tolist(),
            "made_at": [f"2026-03-{1 + at * 10 // rows:02d}T12:00:00Z" for at in range(rows)],
        },
    )


@pytest.fixture
def made(tmp_path: Path, run: Run) -> Path:
    out = tmp_path / "profiles" / "payments.json"
    data = payments(tmp_path / "then.csv")
    named = ("--entity", "dataset/payments", "--version", "v3", "--time", "made_at", "--author", "ada")
    result = run("profile", data, *named, "--without", "id", "-o", out)
    assert result.exit_code == 0, result.output
    assert "dataset/payments v3: 3 columns, 2,000 rows, 200 a day over 8 days; hash " in result.output
    return out


def test_data_as_before_is_no_drift(made: Path, tmp_path: Path, run: Run) -> None:
    result = run("drift", payments(tmp_path / "now.csv", seed=5), "--profile", made, "--without", "id", "--all")
    assert result.exit_code == 0, result.output
    assert "0 of 2 columns drifted" in result.output
    assert "not judged: times go on" in result.output
    written = json.loads(made.read_text())
    assert (written["author"], written["source"], written["per_day"]["mean"]) == ("ada", "then.csv", 200.0)


def test_a_changed_unit_is_told_drawn_and_fails_the_check(made: Path, tmp_path: Path, run: Run) -> None:
    data, html, svg = payments(tmp_path / "now.csv", 100.0, 5), tmp_path / "r.html", tmp_path / "r.svg"
    result = run("drift", data, "--profile", made, "--without", "id", "--html", html, "--svg", svg, "--version", "v4")
    assert result.exit_code == 1
    assert "values ×100 (unit change?)" in result.output
    assert 'the data is version "v4", its profile is of version "v3"' in result.output
    root = ET.fromstring(svg.read_text())
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "amount" in texts
    assert "1 of 2 fields drifted" in texts
    page = html.read_text()
    assert page.count("<svg") == 1
    assert "<td>currency</td>" in page


def test_a_table_becomes_records_that_can_be_sent(tmp_path: Path, run: Run) -> None:
    data = payments(tmp_path / "now.csv")
    result = run("profile", data, "--entity", "dataset/payments", "--version", "v3", "--without", "id", "--records")
    told = [decode_record(line.encode()) for line in result.output.splitlines()]
    assert [(one.field, one.count) for one in told if isinstance(one, DistributionRecord)] == [
        ("amount", 2_000),
        ("currency", 2_000),
        ("made_at", 2_000),
    ]
    assert of_record(told[0]).numbers == counted(chunks(data)).told()["amount"].numbers


def test_programs_get_json(made: Path, tmp_path: Path, run: Run) -> None:
    data = payments(tmp_path / "now.csv", 1.0, 5, name="amount_eur")
    result = run("drift", data, "--profile", made, "--without", "id", "--json")
    assert result.exit_code == 1
    told = json.loads(result.output)
    assert told["wrong"]
    assert [(one["code"], one["field"], one["like"]) for one in told["troubles"]] == [
        ("renamed", "amount", "amount_eur")
    ]


@pytest.mark.parametrize(
    ("arguments", "said", "code"),
    [
        (("--entity", "payments", "--version", "v1"), "is no entity", 2),
        (("--entity", "dataset/p", "--version", "v1", "--time", "when"), 'there is no column "when"', 1),
        (("--entity", "dataset/p", "--version", "v1", "--time", "currency"), "holds no times", 1),
    ],
)
def test_what_makes_no_profile(tmp_path: Path, arguments: tuple[str, ...], said: str, code: int, run: Run) -> None:
    result = run("profile", payments(tmp_path / "then.csv"), *arguments, "-o", tmp_path / "p.json")
    assert said in result.output
    assert result.exit_code == code
    assert not (tmp_path / "p.json").exists()


def test_no_rows_make_no_profile(tmp_path: Path, run: Run) -> None:
    (tmp_path / "empty.csv").write_text("a,b\n")
    result = run(
        "profile", tmp_path / "empty.csv", "--entity", "dataset/x", "--version", "v1", "-o", tmp_path / "p.json"
    )
    assert result.exit_code == 1
    assert "there are no rows" in result.output


def test_a_table_without_rows_is_said(made: Path, tmp_path: Path, run: Run) -> None:
    (tmp_path / "empty.csv").write_text("amount,currency,made_at\n")
    result = run("drift", tmp_path / "empty.csv", "--profile", made)
    assert result.exit_code == 1
    assert "there are no rows of dataset/payments" in result.output
