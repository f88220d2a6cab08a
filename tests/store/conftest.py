# SPDX-License-Identifier: Apache-2.0
"""What the tests of the record store share: where the modules lie that they use."""
import pathlib
import sys

import pytest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "card"), str(TESTS), str(TESTS / "login")]

from reencrypting import Sides  # noqa: E402


@pytest.fixture(scope="module")
def sides():
    made = Sides()
    yield made
    made.end()
