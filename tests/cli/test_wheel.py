"""What is installed is enough: the wheel carries the starters and the demo's storm."""

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).parents[2]
WANTED = {
    "quell/py.typed",
    "quell_connectors/py.typed",
    "quell/config/starter.yaml",
    "quell/emit/__init__.py",
    "quell/cli/demo/files/quell.yaml",
    "quell/starter/storm/stream.jsonl.gz",
    "quell/starter/storm/topology.json",
    *(f"quell/starter/{folder}/{path.name}" for folder in ("rules", "playbooks") for path in (ROOT / folder).iterdir()),
}


def test_the_wheel_has_the_starters_and_the_storm(tmp_path):
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    (wheel,) = tmp_path.glob("quell-*.whl")
    with ZipFile(wheel) as packed:
        names = set(packed.namelist())
    assert set() == WANTED - names
    assert not [name for name in names if name.startswith("tests/")]
