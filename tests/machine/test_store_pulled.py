# SPDX-License-Identifier: Apache-2.0
"""The card is pulled at each APDU of a login that opens a record store: no half-open mount, no key
without one, and the whole card opens it."""
import machine as mc
import shell
from recordsite import CONFIG, card, cards, made, store  # noqa: F401


def test_no_card_pulled_at_an_apdu_leaves_it_half_open(machine, store, card):
    """At each APDU of an opening; then, and in between, the whole card opens it."""
    card.reset_count()
    with shell.session(machine):
        total = card.count()
    store.wait_shut()
    assert total > 5
    for number in range(1, total + 1):
        machine.wait_ready()
        card.remove_after(number)
        machine.run("pamtester", "login", "alice", "authenticate", stdin=mc.PIN + "\n",
                    check=False)
        store.wait_shut()
        card.clear_faults()
        card.insert()
    machine.wait_ready()
    with shell.session(machine):
        assert store.is_open()
