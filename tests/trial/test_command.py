"""``quell test`` as people and pipelines call it."""

import json

import pytest

from quell.cli.main import run

PASSING = "test: it pages\nfeed: [{at: 0s, alert: {alertname: A, severity: critical}}]\nexpect: [{at: 30m, pages: 1}]\n"


@pytest.fixture
def told(capsys):
    def told(*words):
        code = run(["test", *map(str, words)])
        out, err = capsys.readouterr()
        return code, out, err

    return told


def test_what_passes_is_counted(house, told):
    house.test(PASSING)
    code, out, _ = told(house.directory)
    assert code == 0
    assert out.startswith("ok   playbooks/some.test.yaml: it pages (")
    assert "1 test in 1 file: 1 passed (" in out
    code, out, _ = told("-v", "--crash", house.directory / "playbooks" / "some.test.yaml")
    assert code == 0
    assert " kills)" in out
    assert "page for INC-" in out


def test_what_fails_says_where_and_what_happened(house, told):
    house.test(PASSING.replace("pages: 1", "pages: 2"))
    code, out, _ = told(house.directory)
    assert code == 1
    lines = out.splitlines()
    assert lines[0].startswith("FAIL playbooks/some.test.yaml: it pages")
    assert lines[1:3] == ["     playbooks/some.test.yaml:3: after 30m, pages", "       want: 2"]
    assert lines[3].startswith("       got:  1: A (")
    assert any("call console.page" in line for line in lines)
    assert lines[-1].startswith("1 test in 1 file: 0 passed, 1 failed (")


def test_programs_get_json(house, told):
    house.test(PASSING.replace("pages: 1", "pages: 2"))
    house.test("test: it\n", "bad")
    code, out, _ = told(house.directory, "--json")
    assert code == 2
    found = json.loads(out)
    assert not found["passed"]
    assert [one["line"] for one in found["problems"]] == [1]
    (trial,) = found["tests"]
    assert (trial["test"], trial["file"], trial["passed"]) == ("it pages", "playbooks/some.test.yaml", False)
    (failure,) = trial["failures"]
    assert (failure["line"], failure["what"], failure["want"], failure["crash"]) == (3, "pages", "2", False)


def test_a_file_that_cannot_be_read_is_a_problem(house, told):
    house.test("test: [it\n")
    code, out, err = told(house.directory)
    assert code == 2
    assert "this is not YAML" in err
    assert "1 problem in files that were not tried" in out


def test_a_configuration_with_a_mistake_is_told_as_always(house, told):
    house.test(PASSING)
    house.playbook("bad", "playbook: bad\n")
    code, _, err = told(house.directory)
    assert code == 2
    assert "bad.yaml" in err


def test_rules_without_a_quell_yaml_take_the_sources_of_another(house, tmp_path_factory, told):
    apart = tmp_path_factory.mktemp("rules")
    (apart / "playbooks").mkdir()
    (apart / "playbooks" / "it.test.yaml").write_text(PASSING)
    code, _, err = told(apart)
    assert code == 1
    assert 'no quell.yaml in its directory or above; it says which actions there are. Run "quell init DIR"' in err
    assert told(apart, "--config", house.directory)[0] == 0
    assert told(apart, "--config", house.directory / "quell.yaml")[0] == 0


def test_no_test_at_all_is_a_failure(house, told):
    code, _, err = told(house.directory / "playbooks")
    assert code == 1
    assert err.startswith("no test was found; a test is a file that ends in .test.yaml")
