"""`python -m cimi_cim` is `cimi-cim`."""

from cimi_cim.cli.main import main

if __name__ == "__main__":
    main()
