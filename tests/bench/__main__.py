"""`make bench`: ratios, each measured in one run on this machine."""

from __future__ import annotations

from tests.bench import decode, jobs, lab, machines, provisioning


def main() -> None:
    for part in (decode, machines, lab, jobs, provisioning):
        print(f"--- {(part.__doc__ or '').splitlines()[0]}")
        part.main()
        print()


if __name__ == "__main__":
    main()
