"""``python -m bshm.cli``."""

import sys

from bshm.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
