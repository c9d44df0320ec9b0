import json
from pathlib import Path

from config.written import SPECS
from quell.config.built_in import BUILT_IN
from quell.config.schema import DIALECT, schemas
from quell.sdk.registry import find_connectors

FOUND = schemas(SPECS)


def _nodes(value):
    yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _nodes(inner)


def test_there_is_one_for_every_kind_of_file():
    assert set(FOUND) == {"config", "rules", "playbook", "test", "tokens", "people", "profile", "prediction"}
    assert {schema["$schema"] for schema in FOUND.values()} == {DIALECT}
    assert json.loads(json.dumps(FOUND)) == FOUND


def test_every_reference_leads_somewhere():
    for schema in FOUND.values():
        wanted = {node["$ref"] for node in _nodes(schema) if isinstance(node, dict) and "$ref" in node}
        assert wanted <= {f"#/$defs/{name}" for name in schema["$defs"]}


def test_keys_are_those_of_the_files():
    step = FOUND["playbook"]["$defs"]["StepShape"]
    assert {"id", "do", "with", "if", "check", "undo"} <= set(step["properties"])
    assert step["additionalProperties"] is False
    assert step["properties"]["if"]["description"].startswith("A CEL condition; when it is false the step is skipped")
    assert {"from", "for", "days"} <= set(FOUND["rules"]["$defs"]["WindowShape"]["properties"])
    assert FOUND["config"]["properties"]["listen"]["description"]


def test_parameters_of_actions_complete():
    step = FOUND["playbook"]["$defs"]["StepShape"]
    assert step["properties"]["do"]["examples"] == [*BUILT_IN, "console.page", "ticket.open", "ticket.close"]
    opened = next(case["then"] for case in step["allOf"] if case["if"]["properties"]["do"]["const"] == "ticket.open")
    params = opened["properties"]["with"]
    assert set(params["properties"]) == {"title", "key", "body", "priority", "labels", "watch"}
    assert params["properties"]["priority"]["anyOf"] == [{"type": "integer"}, {"type": "string", "pattern": "\\$\\{"}]
    deeds = FOUND["playbook"]["$defs"]["DeedShape"]["allOf"]
    assert "approve" not in {case["if"]["properties"]["do"]["const"] for case in deeds}


def test_options_of_connectors_complete():
    source = FOUND["config"]["properties"]["sources"]["additionalProperties"]
    assert source["properties"]["use"]["enum"] == sorted(SPECS)
    ticket = next(case["then"] for case in source["allOf"] if case["if"]["properties"]["use"]["const"] == "ticket")
    assert ticket["required"] == ["url"]
    assert {"use", "every", "auth", "url", "token"} <= set(ticket["properties"])
    assert ticket["properties"]["style"]["enum"] == ["short", "long"]


def test_the_published_schemas_are_those_of_this_version():
    specs = {name: connector.spec for name, connector in find_connectors().connectors.items()}
    published = Path(__file__).parents[2] / "docs" / "reference" / "schema"
    for name, schema in schemas(specs).items():
        found = json.loads((published / f"{name}.schema.json").read_text())
        assert found == schema, "the files changed their shape: run quell schema --all docs/reference/schema"
