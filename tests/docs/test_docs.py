"""The docs agree with the code: generated pages are fresh, links lead somewhere, examples are what quell reads."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import click
import msgspec
import pytest

from profiles.data import fine, profile
from quell.cli.main import cli
from quell.config import load
from quell.config.profile_file import profile_text
from quell.config.starter import write_starter
from quell.model.records import AnyRecord
from quell.replay.reader import decode_record
from quell.sdk.registry import load_connectors, specs
from quell.trial.trying import Stage, try_files

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"
PAGES = sorted([*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"])
ENVIRONMENT = {
    "QUELL_EXAMPLE": "x",
    "PREDICTIONS_SECRET": "x",
    "QUELL_PRIVACY_KEY": "0123456789abcdef",
    "QUELL_GIT_TOKEN": "x",
    "QUELL_GIT_HOOK": "x",
    "AIRFLOW_PASSWORD": "x",
    "MLFLOW_PASSWORD": "x",
    "MLFLOW_WEBHOOK_SECRET": "x",
    "LINEAGE_TOKEN": "x",
    "LAUNCHDARKLY_TOKEN": "x",
    "UNLEASH_TOKEN": "x",
    "FLAGSMITH_KEY": "x",
    "JIRA_TOKEN": "x",
    "GITHUB_TOKEN": "x",
    "GITLAB_TOKEN": "x",
    "SERVICENOW_PASSWORD": "x",
    "REDMINE_KEY": "x",
    "PAGERDUTY_KEY": "x",
    "PAGERDUTY_SIGNS": "x",
    "PAGERDUTY_TOKEN": "x",
    "STATUSPAGE_KEY": "x",
    "SMTP_PASSWORD": "x",
    "TEAMS_WEBHOOK": "x",
    "DISCORD_WEBHOOK": "x",
    "SLACK_APP_TOKEN": "x",
    "SLACK_BOT_TOKEN": "x",
    "SLACK_SIGNING_SECRET": "x",
    "QUELL_STORE": "postgresql://quell:x@db.example.org/quell",
}


def blocks(page: Path, language: str) -> Iterator[str]:
    """Code blocks of one language, exactly."""
    yield from re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def all_blocks(language: str) -> list[object]:
    return [
        pytest.param(block, id=f"{page.relative_to(ROOT)}-{index}")
        for page in PAGES
        for index, block in enumerate(blocks(page, language))
    ]


def file_of(block: str) -> str:
    """The file an example stands for, by its first line."""
    named = re.match(r"# (\S+\.ya?ml)\n", block)
    assert named, f"the first line of a YAML example names its file, such as '# rules/map.yaml': {block[:60]!r}"
    return named[1]


def slug(heading: str) -> str:
    """The anchor that a heading gets where Markdown is shown."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
    return re.sub(r"[^\w \-]", "", text).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return {slug(heading) for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}


def test_generated_pages_are_fresh() -> None:
    ran = subprocess.run(
        [sys.executable, str(DOCS / "generate.py"), "--check"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_check_names_a_stale_page(tmp_path: Path) -> None:
    copy = tmp_path / "docs"
    shutil.copytree(DOCS, copy)
    (copy / "reference" / "actions.md").write_text("old")
    ran = subprocess.run(
        [sys.executable, str(copy / "generate.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 1
    assert "docs/reference/actions.md is stale" in ran.stdout


@pytest.mark.parametrize(
    "name", sorted(name for name, kind in load_connectors().items() if kind.__module__.startswith("quell_connectors."))
)
def test_every_option_and_action_is_documented(name: str) -> None:
    spec = specs()[name]
    connectors = (REFERENCE / "connectors.md").read_text(encoding="utf-8")
    actions = (REFERENCE / "actions.md").read_text(encoding="utf-8")
    section = connectors.split(f"\n## {name}\n", 1)[1].split("\n## ", 1)[0]
    assert spec.summary in section
    for option in spec.options:
        assert f"| `{option.name}` |" in section
        assert option.summary.strip(), f"{name}: option {option.name} has no summary"
    for action in spec.actions:
        section = actions.split(f"\n## {name}.{action.name}\n", 1)[1].split("\n## ", 1)[0]
        assert action.summary in section
        for option in action.params:
            assert f"| `{option.name}` |" in section


def commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group, info_name=path)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")


def test_every_command_and_option_is_documented() -> None:
    text = (REFERENCE / "commands.md").read_text(encoding="utf-8")
    for path, command in commands(cli, "quell"):
        assert f"\n## {path}\n" in text
        assert command.help, f"{path} has no help"
        for param in command.params:
            if isinstance(param, click.Option) and not param.hidden:
                assert all(f"`{name}`" in text for name in param.opts)


def test_every_record_and_field_is_documented() -> None:
    text = (REFERENCE / "records.md").read_text(encoding="utf-8")
    for kind in get_args(AnyRecord):
        section = text.split(f"\n### {kind.__struct_config__.tag}\n", 1)[1].split("\n#", 1)[0]
        common = {"at", "seen", "source", "id"}
        for field in msgspec.structs.fields(kind):
            if field.name not in common:
                assert f"`{field.encode_name}`" in section, f"{kind.__name__}.{field.name} is not in records.md"


@pytest.mark.parametrize("block", all_blocks("jsonl"))
def test_examples_of_records_are_read(block: str) -> None:
    for line in block.splitlines():
        decode_record(line.encode())


def sources_beside(playbook: str) -> str:
    """The sources that the page of this playbook names for it: what stands in an example that holds nothing else."""
    page = next(page for page in PAGES if playbook in page.read_text(encoding="utf-8"))
    found = (re.fullmatch(r"# quell\.yaml\nsources:\n((?: .*\n)+)", block) for block in blocks(page, "yaml"))
    return "".join(one[1] for one in found if one)


@pytest.mark.parametrize("block", all_blocks("yaml"))
def test_examples_of_configuration_load(block: str, tmp_path: Path) -> None:
    file = tmp_path / file_of(block)
    if file.parent.name == "playbooks":
        write_starter(tmp_path, "0" * 64, "admin")
        starter = tmp_path / "quell.yaml"
        starter.write_text(starter.read_text().replace("\nsources:\n", f"\nsources:\n{sources_beside(block)}", 1))
    else:
        (tmp_path / "quell.yaml").write_text("{}\n")
        file.parent.mkdir(exist_ok=True)
    if "distribution:" in block:  # detectors that compare with profiles need one
        (tmp_path / "profiles").mkdir()
        (tmp_path / "profiles" / "payments.json").write_text(profile_text(profile(fine(300))))
    file.write_text(block)
    (tmp_path / "allowed_signers").touch()
    loaded = load(tmp_path, specs(), ENVIRONMENT)
    assert [one for one in loaded.warnings if "no commit has been taken up yet" not in one.message] == []


def test_the_example_of_a_test_passes(tmp_path: Path) -> None:
    write_starter(tmp_path, "0" * 64, "admin")
    (block,) = blocks(DOCS / "how-to" / "test-playbooks.md", "yaml")
    file = tmp_path / file_of(block)
    file.write_text(block)
    tried = try_files(Stage.of(tmp_path, load(tmp_path, specs(), ENVIRONMENT), specs()), [file])
    assert tried.passed, tried.complaints()
    assert tried.trials


@pytest.mark.needs("promtool", "amtool")
@pytest.mark.parametrize("block", all_blocks("yml"))
def test_examples_for_prometheus_and_alertmanager_are_valid(block: str, tmp_path: Path) -> None:
    checks = {
        "prometheus.yml": ["promtool", "check", "config", "--syntax-only"],
        "alertmanager.yml": ["amtool", "check-config"],
    }
    name = file_of(block)
    file = tmp_path / name
    file.write_text(block)
    ran = subprocess.run([*checks[name], str(file)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", text)):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        to = (page.parent / file).resolve() if file else page
        assert to.exists(), f"{page.name}: {target} leads nowhere"
        if anchor:
            assert anchor in anchors(to), f"{page.name}: {target} names no heading"


def test_every_page_can_be_reached_from_the_index() -> None:
    seen, open_pages = set(), [DOCS / "README.md"]
    while open_pages:
        page = open_pages.pop()
        if page in seen:
            continue
        seen.add(page)
        for target in re.findall(r"\]\(([^)#\s]+\.md)", page.read_text(encoding="utf-8")):
            linked = (page.parent / target).resolve()
            if linked.is_relative_to(DOCS) and linked.exists():
                open_pages.append(linked)
    assert set(DOCS.rglob("*.md")) <= seen
