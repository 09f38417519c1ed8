"""The real service over the fake network, on a free port: python tests/page/service.py FOLDER

Its own line on stderr, once it listens, tells the address.  FOLDER takes its cache, jobs and keys.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import fake_network

from bshm.server.run import run
from bshm.server.settings import Settings


def main(folder: Path) -> None:
    fake_network.install(setattr)
    run(
        Settings(
            port=0, cache_dir=folder / "cache", results=str(folder / "jobs"), keys_file=folder / "keys.json", jobs=False
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
