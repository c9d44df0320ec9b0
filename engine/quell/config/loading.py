"""A directory of files becomes settings and a rulebook, or a list of everything that is wrong with it."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import chain

import msgspec

from quell.config.actions import Actions
from quell.config.chat_file import people_path, read_people
from quell.config.complaints import shaped
from quell.config.folders import YAML, closed_folders, files_below, names_of, why_unread
from quell.config.git_file import active_of, git_files
from quell.config.measures import measures_of, unanswered
from quell.config.nodes import MAX_BYTES, Document, read_document
from quell.config.oncall_file import OnCall
from quell.config.option_files import files_in
from quell.config.playbook_checks import PlaybookChecks
from quell.config.playbook_file import PlaybookShape, playbook_of
from quell.config.privacy_checks import privacy_warnings
from quell.config.profile_folder import profile_files, read_profiles
from quell.config.profiled_shapes import unprofiled
from quell.config.references import ANY
from quell.config.rules_file import Rules
from quell.config.secrets import Secrets
from quell.config.settings import Person, Settings, Token
from quell.config.settings_file import read_settings, read_tokens, tokens_path
from quell.config.sources import Instances, instances_of
from quell.errors import Misconfigured, Problem
from quell.model.playbook import Playbook
from quell.model.profile import Profile
from quell.model.rulebook import Route, Rulebook
from quell.sdk.spec import Spec

MAIN_FILE = "quell.yaml"
"""The file every directory of configuration has."""


@dataclass(frozen=True, slots=True)
class RulesAt:
    """Where rules/ and playbooks/ are, if not beside quell.yaml, and whose commit they are."""

    directory: pathlib.Path
    commit: str = ""
    signer: str = ""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the files say, checked. ``warnings`` are worth a look, but nothing is wrong."""

    settings: Settings
    rulebook: Rulebook
    warnings: tuple[Problem, ...] = ()


def load(
    directory: pathlib.Path,
    specs: Mapping[str, Spec],
    environ: Mapping[str, str],
    *,
    secrets_needed: bool = True,
    rules: RulesAt | None = None,
) -> Loaded:
    """Reads quell.yaml, tokens, rules/ and playbooks/ below a directory. Raises Misconfigured with every problem.

    ``specs`` are the installed connectors' declarations by name. Where nothing outside will be asked, secrets are not
    needed: then none is read, and one that is missing is no problem, nor is a missing token file. ``rules`` stands for
    where rules and playbooks are; without it they are beside quell.yaml, or those of the commit in use if quell.yaml
    names a git repository.
    """
    reading = _Reading(pathlib.Path(directory), secrets_needed, rules)
    loaded = reading.read(specs, environ)
    if loaded is None or reading.problems:
        raise Misconfigured(reading.problems)
    return loaded


def load_file(
    path: pathlib.Path,
    specs: Mapping[str, Spec],
    environ: Mapping[str, str],
    *,
    secrets_needed: bool = True,
    rules: RulesAt | None = None,
) -> Loaded:
    """As `load`, given the path of quell.yaml (or of its directory)."""
    path = pathlib.Path(path)
    return load(path if path.is_dir() else path.parent, specs, environ, secrets_needed=secrets_needed, rules=rules)


def check(directory: pathlib.Path, specs: Mapping[str, Spec], environ: Mapping[str, str]) -> list[Problem]:
    """Every problem of a directory, sorted by place; empty when `load` would succeed."""
    reading = _Reading(pathlib.Path(directory))
    reading.read(specs, environ)
    return sorted(reading.problems)


def watched(directory: pathlib.Path) -> list[pathlib.Path]:
    """The files that `load` would read now: what a reload on change has to look at."""
    directory = pathlib.Path(directory)
    main = _Reading(directory).document(MAIN_FILE)
    rules = git_files(directory, main.value) if main else None
    if rules is None:
        folders = (files_below(directory / folder, YAML) for folder in ("rules", "playbooks"))
        rules = [*chain.from_iterable(folders), *profile_files(directory)]
    named = files_in(main.value, directory) if main else ()
    return [directory / MAIN_FILE, *rules, *named, directory / tokens_path(main)[0], directory / people_path(main)[0]]


def rule_texts(settings: Settings) -> dict[str, str]:
    """The files below rules/ that are in use, by their names; without those that cannot be read just now."""
    directory = settings.directory
    if settings.git is not None:
        active = active_of(settings.git)
        if active is None:
            return {}
        directory = settings.git.keep / active.tree
    texts = {}
    for name in names_of(files_below(directory / "rules", YAML), directory, []):
        with suppress(OSError, UnicodeDecodeError):
            texts[name] = (directory / name).read_text(encoding="utf-8")
    return texts


@dataclass(slots=True)
class _Reading:
    """One pass over all files, which stops at nothing."""

    directory: pathlib.Path
    secrets_needed: bool = True
    rules_at: RulesAt | None = None
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    _contents: dict[str, bytes] = field(default_factory=dict)

    def read(self, specs: Mapping[str, Spec], environ: Mapping[str, str]) -> Loaded | None:
        if not (self.directory / MAIN_FILE).is_file():
            hint = f'run "quell init {self.directory}" to begin with a working example'
            self.problems.append(Problem(str(self.directory / MAIN_FILE), 0, 0, "the file is not there", hint))
            return None
        main = self.document(MAIN_FILE, private=True)
        instances = instances_of(main.value, specs) if main else Instances(known=False)
        actions = Actions(instances)
        secrets = Secrets(self.directory, environ, self.secrets_needed)
        settings: Settings | None = None
        routes: tuple[Route, ...] = ()
        if main is not None:
            settings, routes = read_settings(main, specs, secrets, actions, self.problems)
        self._find_rules(settings)
        profiles = self._profiles()
        rules = self._rules()
        self.problems.extend(unprofiled(rules.detect, profiles))
        playbooks = self._playbooks(actions, Actions(instances.with_spare(specs)), rules)
        version = self._version()
        tokens, people = self._tokens(main), self._people(main)
        on_call = OnCall(
            people, actions, self.problems, self.warnings, settings.sources if settings is not None else ()
        )
        on_call.read(rules, routes)
        if settings is None or self.problems:
            return None
        rulebook = Rulebook(
            version=_with_contacts(version, on_call.contacts),
            map=tuple(rules.map),
            mute=tuple(rules.mute),
            inhibit=tuple(rules.inhibit),
            windows=tuple(rules.windows),
            triage=rules.triage(),
            correlate=rules.correlate(),
            forget=rules.forget(),
            entities=rules.all_entities(),
            dependencies=tuple(rules.dependencies.values()),
            versions=tuple(rules.versions),
            routes=(*routes, *on_call.routes),
            chains=tuple(on_call.chains.values()),
            rotas=tuple(on_call.rotas.values()),
            contacts=on_call.contacts,
            playbooks=playbooks,
            freezes=tuple(rules.freezes),
            detect=tuple(rules.detect),
            drills=tuple(rules.drills),
            profiles=profiles,
            caps=settings.automation,
            resolve_timeout_s=settings.resolve_timeout_s,
        )
        self.warnings += privacy_warnings(settings.privacy, rulebook)
        chat = msgspec.structs.replace(settings.chat, rooms=(*settings.chat.rooms, *on_call.rooms))
        settings = msgspec.structs.replace(settings, tokens=tokens, people=people or (), chat=chat)
        return Loaded(settings, rulebook, tuple(sorted(self.warnings)))

    def _find_rules(self, settings: Settings | None) -> None:
        """Takes the commit in use for where rules are, if they come from git and nothing else was said."""
        if settings is None or settings.git is None or self.rules_at is not None:
            return
        active = active_of(settings.git)
        if active is None:
            self.rules_at = RulesAt(settings.git.keep / "nothing")
            text = "no commit has been taken up yet: there are no rules and no playbooks"
            self.warnings.append(Problem(MAIN_FILE, 0, 0, text, "quell serve fetches the first one"))
        else:
            self.rules_at = RulesAt(settings.git.keep / active.tree, active.commit, active.signer)
        if any((self.directory / folder).is_dir() for folder in ("rules", "playbooks", "profiles")):
            text = "rules/, playbooks/ and profiles/ beside it are not read: they come from git"
            self.warnings.append(Problem(MAIN_FILE, 0, 0, text))

    def document(self, name: str, *, private: bool = False, directory: pathlib.Path | None = None) -> Document | None:
        """One file, relative to the directory; None and a problem when it is beyond reading."""
        try:
            with ((directory or self.directory) / name).open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except OSError as error:
            self.problems.append(Problem(name, 0, 0, why_unread(error)))
            return None
        self._contents[name] = data
        document, problems = read_document(name, data, private=private)
        self.problems.extend(problems)
        return document

    def _documents(self, folder: str) -> list[Document]:
        at = self.rules_at or RulesAt(self.directory)
        closed: list[OSError] = []
        files = files_below(at.directory / folder, YAML, closed)
        self.problems += closed_folders(at.directory, closed)
        names = names_of(files, at.directory, self.problems)
        found = [document for name in names if (document := self.document(name, directory=at.directory)) is not None]
        for document in found:
            document.commit, document.signer = at.commit, at.signer
        return found

    def _profiles(self) -> tuple[Profile, ...]:
        at = self.rules_at or RulesAt(self.directory)
        return read_profiles(at.directory, self.problems, self._contents, commit=at.commit, signer=at.signer)

    def _rules(self) -> Rules:
        rules = Rules(self.problems, self.warnings)
        for document in self._documents("rules"):
            rules.read(document)
        rules.weighed()
        return rules

    def _playbooks(self, configured: Actions, installed: Actions, rules: Rules) -> tuple[Playbook, ...]:
        """All playbooks. One that is off may name what is ``installed`` only: its sources come before it is let on."""
        held_by = {freeze.name for freeze in rules.freezes} | {window.name for window in rules.windows}
        measures = measures_of(rules.measures, installed, self.problems)
        arity = {name: len(measures[name].params) if name in measures else ANY for name in rules.measures_named}
        checks = PlaybookChecks(configured, self.problems, self.warnings, held_by, arity, asked=rules.held)
        found = []
        for document in self._documents("playbooks"):
            if document.value is None:
                self.warnings.append(Problem(document.file, 0, 0, "the file holds no playbook"))
                continue
            off = isinstance(document.value, dict) and document.value.get("mode") == "off"
            checks.actions = actions = installed if off else configured
            checks.check(document)
            shape = shaped(PlaybookShape, document, self.problems, value=document.value)
            if shape is not None:
                playbook = playbook_of(document, shape, actions, held_by, measures)
                self.problems.extend(unanswered(document, playbook.measures, actions))
                found.append(playbook)
        checks.finish()
        return tuple(found)

    def _tokens(self, main: Document | None) -> tuple[Token, ...]:
        name, wanted = tokens_path(main)
        if not (wanted and self.secrets_needed) and not (self.directory / name).exists():
            return ()
        document = self.document(str(name), private=True)
        return read_tokens(document, self.problems) if document else ()

    def _people(self, main: Document | None) -> tuple[Person, ...] | None:
        """The people; None where there is no such file."""
        name, wanted = people_path(main)
        if not wanted and not (self.directory / name).exists():
            return None
        document = self.document(str(name), private=True)
        return read_people(document, self.problems) if document else ()

    def _version(self) -> str:
        """A hash of the names and contents of quell.yaml, rules and playbooks."""
        digest = blake2b(digest_size=6)
        for name, data in sorted(self._contents.items()):
            digest.update(f"{name}\x00{len(data)}\x00".encode())
            digest.update(data)
        return digest.hexdigest()


def _with_contacts(version: str, contacts: Mapping[str, object]) -> str:
    """The version of the rules, which is another one when whom they name is reached otherwise."""
    if not contacts:
        return version
    return blake2b(version.encode() + msgspec.json.encode(contacts, order="deterministic"), digest_size=6).hexdigest()
