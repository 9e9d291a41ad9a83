from __future__ import annotations

import pytest

from cimi_cim.mapping.wbem_uri import as_path
from cimi_cim.wbem.values import InstancePath


@pytest.mark.parametrize(
    "text",
    [
        '//host/root/virt:LAB_X.A="1"',
        'root/virt:LAB_X.A="1"',
        '/root/virt:LAB_X.A="1"',
        'https://host:5989/root/virt:LAB_X.A="1"',
        'LAB_X.A="1"',
    ],
)
def test_every_spelling_of_a_reference_is_the_same_path(text: str) -> None:
    assert as_path(text, "root/virt") == InstancePath("root/virt", "LAB_X", (("A", "1"),))


def test_quoted_values_may_hold_anything() -> None:
    path = as_path('root/virt:X_Y.A="a\\"b,c=d",B=7,C=TRUE', "other")
    assert path is not None
    assert path.keys == (("A", 'a"b,c=d'), ("B", 7), ("C", True))


@pytest.mark.parametrize("value", [None, 5, "", "nothing of the kind", 'X_Y.A="open', "/dev/vda"])
def test_what_is_no_reference_gives_none(value: object) -> None:
    assert as_path(value, "root/virt") is None
