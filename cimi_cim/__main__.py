"""The command `cimi-cim`, as `python -m cimi_cim`, too."""

from __future__ import annotations

import sys


def main() -> None:
    """Run a command; Ctrl-C ends it without a traceback while it is still being loaded, too."""
    try:
        from cimi_cim.cli.main import main as run
    except KeyboardInterrupt:
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
