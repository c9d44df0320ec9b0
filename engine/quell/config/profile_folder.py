"""The folder of reference profiles: every file, each version of an entity's data once."""

from __future__ import annotations

from pathlib import Path

from quell.config.folders import closed_folders, files_below, names_of, why_unread
from quell.config.profile_file import MOST_BYTES, read_profile
from quell.errors import Problem
from quell.model.playbook import Place
from quell.model.profile import Profile

FOLDER = "profiles"


def profile_files(directory: Path, closed: list[OSError] | None = None) -> list[Path]:
    """The files of profiles below a directory of rules; ``closed`` learns of folders that cannot be looked into."""
    return files_below(directory / FOLDER, (".json",), closed)


def read_profiles(
    directory: Path, problems: list[Problem], contents: dict[str, bytes], *, commit: str = "", signer: str = ""
) -> tuple[Profile, ...]:
    """All of them; what is wrong is added to ``problems``, what was read to ``contents`` by name."""
    found: dict[tuple[str, str], Profile] = {}
    closed: list[OSError] = []
    files = profile_files(directory, closed)
    problems += closed_folders(directory, closed)
    for name in names_of(files, directory, problems):
        try:
            with (directory / name).open("rb") as file:
                data = file.read(MOST_BYTES + 1)
        except OSError as error:
            problems.append(Problem(name, 0, 0, why_unread(error)))
            continue
        contents[name] = data
        profile = read_profile(name, data, problems, Place(file=name, line=0, commit=commit, signer=signer))
        if profile is None:
            continue
        known = found.setdefault((profile.entity, profile.version), profile)
        if known is not profile:
            text = f'version: "{profile.version}" of {profile.entity} is in {known.place.file} already'
            problems.append(Problem(name, 0, 0, text, "leave one of them out"))
    return tuple(found.values())
