"""quell oncall: who is called, by the rotas of a configuration."""

import json

import pytest

from quell.cli.main import run

ROTAS = """\
rotas:
  - name: web
    zone: Europe/Berlin
    people: [ana, dora]
    contacts: {dora: {name: Dora Lind, phone: "+49 30 1"}}
    handover: {at: "09:00", every: 1w, from: 2026-03-02}
  - name: data
    people: [cy]
"""


@pytest.fixture
def conf(tmp_path, capsys):
    """A directory with two rotas."""
    place = tmp_path / "conf"
    assert run(["init", str(place)]) == 0
    (place / "rules" / "rotas.yaml").write_text(ROTAS)
    capsys.readouterr()
    return str(place)


def test_who_is_called_at_a_time(conf, capsys):
    assert run(["oncall", "web", "--at", "2026-03-09T07:59:59Z", "--config", conf]) == 0
    assert capsys.readouterr().out == "web: ana until 2026-03-09 08:00 UTC\n"
    assert run(["oncall", "web", "--at", "2026-03-09T08:00:00Z", "--config", conf]) == 0
    assert capsys.readouterr().out == "web: Dora Lind until 2026-03-16 08:00 UTC\n"
    assert run(["oncall", "--at", "2026-03-09T08:00:00Z", "--config", conf, "--json"]) == 0
    web, data = json.loads(capsys.readouterr().out)
    assert (web["rota"], web["who"], web["contact"]["phone"]) == ("web", "dora", "+49 30 1")
    assert (data["rota"], data["who"]) == ("data", "cy")


def test_what_is_no_rota_and_no_time_is_said(conf, capsys):
    assert run(["oncall", "wbe", "--config", conf]) != 0
    assert 'there is no rota "wbe"; did you mean "web"?' in capsys.readouterr().err
    assert run(["oncall", "--at", "tomorrow", "--config", conf]) != 0
    assert '"tomorrow" is not a time' in capsys.readouterr().err
