"""Debian's own Redmine on a free port of loopback, with a database of its own; no root, no service, no web server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ports import free_port

HOME = Path("/usr/share/redmine")
KEY = "a" * 40
CLERK_KEY = "b" * 40
"""API keys: the administrator's, and that of a member who may open and comment but has no way to close."""

_SEED = f"""
require 'redmine/default_data/loader'
Redmine::DefaultData::Loader.load('en')
Setting.rest_api_enabled = '1'
clerk = User.new(firstname: 'Ana', lastname: 'Clerk', mail: 'ana@example.org')
clerk.login = 'ana'
clerk.password = 'secret-enough-1'
clerk.save!
role = Role.create!(name: 'Clerk', permissions: [:view_issues, :add_issues, :add_issue_notes, :edit_issues],
                    assignable: true)
project = Project.create!(name: 'Ops', identifier: 'ops', is_public: false)
project.enabled_module_names = ['issue_tracking']
project.trackers = Tracker.all
Member.create!(project: project, principal: clerk, roles: [role])
field = IssueCustomField.create!(name: 'quell', field_format: 'string', is_for_all: true, is_filter: true,
                                 trackers: Tracker.all)
raise "field #{{field.id}}" unless field.id == 1
{{ User.find_by_login('admin') => '{KEY}', clerk => '{CLERK_KEY}' }}.each do |user, value|
  user.update_columns(must_change_passwd: false)
  Token.where(user_id: user.id, action: 'api').delete_all
  Token.create!(user: user, action: 'api').update_columns(value: value)
end
"""


class RealRedmine:
    """The package's own code, copied so that it finds our database instead of the machine's."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._app = directory / "redmine"
        self._log = directory / "log"
        self._prepare(directory)
        self.environment = {
            **os.environ,
            "RAILS_ENV": "production",
            "HOME": str(directory),
            "BUNDLE_GEMFILE": str(self._app / "Gemfile"),
        }
        self.environment.pop("REDMINE_INSTANCE", None)
        self._rails("db:migrate")
        self._rails("runner", str(directory / "seed.rb"))
        (self._app / "Gemfile.local").write_text("gem 'puma'\n")
        with self._log.open("a") as log:
            self.process = subprocess.Popen(
                ["ruby", "bin/rails", "server", "-u", "puma", "-b", "127.0.0.1", "-p", str(self.port), "-P",
                 str(directory / "pid")],
                cwd=self._app,
                env=self.environment,
                stderr=log,
                stdout=log,
            )  # fmt: skip

    def ask(self, path: str) -> Any:
        request = urllib.request.Request(self.url + path, headers={"X-Redmine-API-Key": KEY})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def wait(self) -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                self.ask("/issue_statuses.json")
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.2)
            else:
                return
        raise AssertionError(self._log.read_text()[-2000:])

    def _prepare(self, directory: Path) -> None:
        shutil.copytree(HOME, self._app, ignore=_of_the_machine)
        own = self._app / "instances" / "default"
        for name in ("config", "log", "tmp/cache", "tmp/pids", "files", "plugins"):
            (own / name).mkdir(parents=True)
        for name in ("tmp/pids", "log"):
            (self._app / name).mkdir(parents=True, exist_ok=True)
        database = f"production:\n  adapter: sqlite3\n  timeout: 20000\n  database: {directory}/redmine.sqlite3\n"
        for place in (own / "config", self._app / "config"):
            (place / "database.yml").write_text(database)
        (own / "config" / "secret_key.txt").write_text("0123456789abcdef" * 5)
        (directory / "seed.rb").write_text(_SEED)
        gems = self._app / "Gemfile"
        gems.write_text(gems.read_text().replace(f"{HOME}/{{config", f"{self._app}/{{config"))

    def _rails(self, *arguments: str) -> None:
        done = subprocess.run(
            ["ruby", "bin/rails", *arguments], cwd=self._app, env=self.environment, capture_output=True, check=False
        )
        assert done.returncode == 0, (done.stdout + done.stderr).decode("utf-8", "replace")[-3000:]


def _of_the_machine(directory: str, names: list[str]) -> list[str]:
    own = {"Gemfile.lock", "instances", "tmp", "log"} if Path(directory) == HOME else {"database.yml"}
    return [name for name in names if name in own]


@contextmanager
def real_redmine(directory: Path) -> Iterator[RealRedmine]:
    redmine = RealRedmine(directory)
    try:
        redmine.wait()
        yield redmine
    finally:
        redmine.process.terminate()
        redmine.process.wait(20)
