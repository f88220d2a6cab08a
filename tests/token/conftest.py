# SPDX-License-Identifier: Apache-2.0
"""What the tests of hygie-token share: where things lie, and a private system around them."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "card"))
