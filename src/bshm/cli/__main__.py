"""``python -m bshm.cli``."""

import sys

from bshm.cli import main

if __name__ == "__main__":
    sys.exit(main())
