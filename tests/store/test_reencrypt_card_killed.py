# SPDX-License-Identifier: Apache-2.0
"""A reencryption by a card that is cut short: by the card itself, pulled at any moment, or by hygied's
end at any call. The store is the old one or the new one; and by card or by passphrase, whichever was used
first, the same command goes on.

    HYGIE_STEP=1 tests/check store-reencrypt_card_killed    kills hygied at each call, not at every fifth
"""
import collections
import itertools
import os
import pathlib
import signal
import subprocess

import pytest

import station as st
from keeping import until
from reencrypting import (DAEMON, OLD, STAGE, STOP, arm, begun, census, end_of, filled, haltable_site,
                          held, is_stopped, look, reencrypt, start_anew)
from storesite import KEYS, STORE

BY_PAPER, BY_CARD = (), ("--card",)
STEP = int(os.environ.get("HYGIE_STEP", "5"))
COPYING, MIDST = 12, 60  # calls of the command
MOUNT = pathlib.Path("/srv/hygie/records")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    yield from haltable_site(tmp_path_factory.mktemp("site"))


@pytest.fixture
def records(site, sides):
    return fresh(site, sides, "alice", "bob")


def fresh(site, sides, *users):
    sides.end()
    start_anew(site)
    return filled(site, *users, large=300_000)


def look_at(site, records):
    look(site, records, site.secret_by_key("alice"), site.secret_by_paper())


def secret(site):
    return site.secret_by_paper().split()[0]


def staged(site):
    return site.secret_by_key("alice", STAGE / "keys.cms").split()[0]


def cut(site, sides, path, words):
    """A run that was killed in the midst of its copying; the new secret."""
    with held(site, sides, path / "halt", MIDST, words) as process:
        process.kill()
    assert STAGE.exists() and not OLD.exists()
    return staged(site)


@pytest.mark.parametrize("first, second, user", [
    (BY_CARD, BY_CARD, "alice"), (BY_CARD, BY_PAPER, "alice"), (BY_PAPER, BY_CARD, "alice"),
    (BY_CARD, BY_CARD, "bob"), (BY_PAPER, BY_CARD, "bob")])
def test_it_goes_on_with_what_was_copied(site, sides, records, tmp_path, first, second, user):
    with site.card("alice"):
        begun_with = cut(site, sides, tmp_path, first)
    with site.card(user) as card:
        card.reset_count()
        reencrypt(site, sides, *second)
        assert card.verify_count() == (second == BY_CARD)
    assert secret(site) == begun_with
    look_at(site, records)
    assert OLD.exists() and not STAGE.exists()


def test_copy_that_another_holders_card_began_after_a_change_is_gone_on_with(site, sides, records, tmp_path):
    """What is pending is carried out by the second, which seals the copy to the newcomer as well."""
    with site.card("alice"):
        begun_with = cut(site, sides, tmp_path, BY_CARD)
    site.store("rotate", "records")
    with site.card("bob"):
        reencrypt(site, sides, "--card")
    assert secret(site) == begun_with and site.store("list")[1]["stores"][0]["generation"] == 3
    look_at(site, records)


def test_card_for_which_the_copy_is_not_is_told_before_its_pin(site, sides, tmp_path):
    """Bob was added since: the copy's secret is for Alice and the paper alone."""
    records = fresh(site, sides, "alice")
    with site.card("alice"):
        begun_with = cut(site, sides, tmp_path, BY_CARD)
    site.store("add", "records", "bob")
    site.login("alice")
    site.store("close", "records", check=False)
    until(lambda: site.store("status")[1]["stores"][0]["state"] == "shut", "it stays open")
    assert site.holders() == {"alice": "held", "bob": "held"}
    with site.card("bob") as card:
        card.reset_count()
        status, told, _ = reencrypt(site, sides, "--card", check=False)
        assert status != 0 and "not for this card" in told["text"] and card.verify_count() == 0
    reencrypt(site, sides)
    assert secret(site) == begun_with and site.secret_by_key("bob")
    look_at(site, records)


def test_who_left_since_the_first_run_has_no_key_to_the_second(site, sides, records, tmp_path):
    with site.card("alice"):
        cut(site, sides, tmp_path, BY_CARD)
        site.store("remove", "records", "bob")
        status, told, _ = reencrypt(site, sides, "--card", check=False)
        assert status != 0 and "--abandon" in told["text"]
        site.store("reencrypt", "records", "--abandon")
        site.station.wait_ready()
        reencrypt(site, sides, "--card")
    assert not site.secret_by_key("bob")
    look_at(site, records)


def test_older_envelope_of_the_copy_put_back_is_refused(site, sides, records, tmp_path):
    with site.card("alice"):
        cut(site, sides, tmp_path, BY_CARD)
        old = (STAGE / "keys.cms").read_bytes()
        site.store("rotate", "records")
        with held(site, sides, tmp_path / "halt", COPYING, BY_CARD) as process:
            process.kill()
        assert (STAGE / "keys.cms").read_bytes() != old
        site.station.wait_ready()
        (STAGE / "keys.cms").write_bytes(old)
        status, told, _ = reencrypt(site, sides, "--card", check=False)
        assert status != 0 and "--abandon" in told["text"], told
        site.store("reencrypt", "records", "--abandon")
        site.station.wait_ready()
        reencrypt(site, sides, "--card")
    look_at(site, records)


# ---- the card is pulled

@pytest.mark.parametrize("first, least", [(None, 5), (BY_CARD, 8)])
def test_card_pulled_at_any_command_leaves_no_half_state(site, sides, records, tmp_path, first, least):
    """Of a first run, and of one that goes on, which decrypts twice; until it comes too late."""
    with site.card("alice") as card:
        kept = cut(site, sides, tmp_path, first) if first else None
        before, there = KEYS.read_bytes(), sorted(STORE.parent.iterdir())
        for number in itertools.count(1):
            site.station.wait_ready()
            card.remove_at(number)
            status, told, _ = reencrypt(site, sides, "--card", check=False)
            if status == 0:
                break
            assert told["text"] and KEYS.read_bytes() == before, (number, told)
            assert sorted(STORE.parent.iterdir()) == there and not OLD.exists(), number
            assert kept is None or staged(site) == kept, number
            site.station.wait_empty()
            card.clear_faults()
            card.insert()
        assert number > least
        assert kept is None or secret(site) == kept
    look_at(site, records)
    start_anew(site)  # it finds the keeper, which no systemd would start here
    site.login("alice")
    until(is_open, "it does not open")
    assert census(MOUNT) == records


def is_open():
    return subprocess.run(["mountpoint", "-q", str(MOUNT)], check=False).returncode == 0


# ---- hygied is killed

def is_over(site, sides, halt, call):
    """A run in which hygied is killed at that call of its; whether it came to the copying instead."""
    arm(halt, COPYING, STOP)
    arm(DAEMON, call)
    process = begun(site, sides, halt, BY_CARD)
    try:
        until(lambda: is_stopped(process) or process.poll() is not None, "it does not stop")
        if process.poll() is None:  # or it was killed since, as it began with the card anew
            return site.station.hygied.poll() is None
        assert process.returncode != 0
        assert site.station.hygied.wait(st.PATIENCE) == -signal.SIGKILL, end_of(process)
        return False
    finally:
        process.kill()
        process.communicate()
        DAEMON.unlink(missing_ok=True)
        sides.shut()
        start_anew(site)


@pytest.mark.parametrize("first", [None, BY_PAPER])
def test_kill_at_a_call_of_hygied_before_it_is_copied(site, sides, records, tmp_path, first):
    """Of a first run, and of one that goes on; on the way a wanted rotation is carried out."""
    halt, ends = tmp_path / "halt-command", collections.Counter()
    with site.card("alice"):
        old = secret(site)
        kept = None if first is None else cut(site, sides, tmp_path, first)
        for call in itertools.count(1, STEP):
            before = generation(site)
            site.store("rotate", "records")
            site.station.wait_ready()
            over = is_over(site, sides, halt, call)
            assert secret(site) == old and not OLD.exists(), call
            look_at(site, records)
            ends[generation(site) - before] += 1
            if over:
                break
            if kept:
                assert staged(site) == kept, call
            elif STAGE.exists():
                site.store("reencrypt", "records", "--abandon")
        assert call > 30 and set(ends) == {0, 1} and min(ends.values()) > 2, (call, ends)
        site.station.wait_ready()
        reencrypt(site, sides, "--card")
    assert secret(site) == kept if kept else secret(site) != old
    look_at(site, records)


def generation(site):
    return site.store("list")[1]["stores"][0]["generation"]
