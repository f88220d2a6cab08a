# SPDX-License-Identifier: Apache-2.0
"""What the tests of the record store share: where the modules lie that they use."""
import pathlib
import sys

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "card"), str(TESTS), str(TESTS / "login")]
