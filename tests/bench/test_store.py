# SPDX-License-Identifier: Apache-2.0
"""The benchmark of opening a store measures what it says, and what is exact in it holds: one
round of each."""
import math
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "machine")]

import store  # noqa: E402

POSITIVE = "store_open_apdus gocryptfs_alone_ms store_100_holders_open_apdus".split()
DIFFERENCES = "store_open_ms store_100_holders_open_ms".split()  # of single rounds, here


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return store.measure(tmp_path_factory.mktemp("bench"), 1)


@pytest.mark.parametrize("row", POSITIVE)
def test_row_is_there_and_is_positive(table, row):
    assert table.value(row) > 0


@pytest.mark.parametrize("row", DIFFERENCES)
def test_row_is_there(table, row):
    assert math.isfinite(table.value(row)) and table.value(row) != 0


def test_opening_a_store_costs_four_apdus_at_most(table):
    assert table.value("store_open_apdus") <= 4


def test_a_hundred_holders_cost_no_apdu_more(table):
    assert table.value("store_100_holders_open_apdus") == table.value("store_open_apdus")
