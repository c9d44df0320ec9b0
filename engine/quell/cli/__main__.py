"""``python -m quell.cli`` is the command ``quell``."""

from quell.cli.main import main

if __name__ == "__main__":
    main()
