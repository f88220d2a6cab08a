# SPDX-License-Identifier: Apache-2.0
"""The benchmark measures what it says, and what is exact in it holds: one round of each."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import measure  # noqa: E402

ROWS = """login_apdus_total login_apdus_after_pin floor_apdus_total floor_apdus_after_pin
insert_to_ready_apdus insert_to_ready_ms successor_apdus relogin_ready_ms
login_ms_total login_ms_total_p95 login_ms_after_pin login_ms_after_pin_p95 floor_ms_after_pin
login_own_cpu_ms login_cycle_cpu_ms login_own_cpu_ratio hygied_pss_kb helper_pss_kb
peer_pam_pkcs11_apdus peer_pam_pkcs11_apdus_after_pin peer_pam_pkcs11_ms peer_pam_pkcs11_cpu_ms
peer_pam_p11_apdus peer_pam_p11_apdus_after_pin peer_pam_p11_ms peer_pam_p11_cpu_ms""".split()


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return measure.measure(tmp_path_factory.mktemp("bench"), 1)


def test_every_row_is_there_once_and_is_a_positive_number(table, tmp_path):
    table.write(tmp_path / "bench.tsv")
    rows = [line.split("\t") for line in (tmp_path / "bench.tsv").read_text().splitlines()]
    assert {len(row) for row in rows} == {3}
    names = [row[0] for row in rows]
    assert len(names) == len(set(names))
    assert set(ROWS) <= set(names)
    assert all(float(value) > 0 for _, value, _ in rows)


def test_login_costs_six_apdus_at_most(table):
    assert table.value("login_apdus_total") <= 6


def test_from_the_pin_on_a_login_costs_what_the_card_asks_for_and_no_more(table):
    assert table.value("floor_apdus_after_pin") == 4
    assert table.value("login_apdus_after_pin") == table.value("floor_apdus_after_pin")


def test_peers_cost_more_apdus_on_the_same_card(table):
    for peer in ("pam_pkcs11", "pam_p11"):
        assert table.value("peer_%s_apdus" % peer) > table.value("login_apdus_total")


def test_a_login_is_told_from_its_successors_reading_by_the_reset_between():
    def apdu(name, resets, pin=""):
        return measure.pivcard.Apdu(1, name, 0, 0, 0, 0, 0, 0x9000, "piv", 0, resets, pin)
    log = [apdu("SELECT", 1), apdu("GET-DATA", 1), apdu("SELECT", 2),
           apdu("VERIFY", 2, "pin[8]=8d969eef"), apdu("GET-RESPONSE", 2), apdu("SELECT", 3),
           apdu("VERIFY", 3)]
    assert measure.split(log) == (2, 3, 2, 2)
