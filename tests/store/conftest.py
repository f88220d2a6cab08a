# SPDX-License-Identifier: Apache-2.0
"""What the tests of the record store share: where the virtual card's modules lie."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "card"))
