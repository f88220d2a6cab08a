# SPDX-License-Identifier: Apache-2.0
"""A store's recovery key is changed: one page holds at any time, and never none."""
import pytest

from storesite import KEYS, STORE, site_at


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    yield from site_at(tmp_path_factory.mktemp("site"))


@pytest.fixture
def pages(site):
    """A fresh store of Alice's, with a new page that is noted: the old passphrase, the new."""
    site.fresh("alice")
    old = site.passphrase
    status, page = site.print_page("recovery", "records")
    assert status == 0 and "pending" in page and site.passphrase != old
    return old, site.passphrase


def by_paper(site, passphrase):
    """What openssl gets out of the envelope by recovery.der and that passphrase, or None."""
    site.passphrase = passphrase
    try:
        return site.secret_by_paper()
    except AssertionError:
        return None


def recover(site, passphrase):
    return site.store("recover", "records", "--pin-stdin", pin=passphrase, check=False)


def test_new_page_holds_after_the_next_opening_that_grants(site, pages):
    old, new = pages
    assert any("pending" in one["problem"] for one in site.store("check")[1]["findings"])
    assert site.mounts(by_paper(site, old)) and not by_paper(site, new)
    site.login("alice")
    assert site.mounts(by_paper(site, new)) and not by_paper(site, old)
    assert site.store("check")[1]["findings"] == [] and not list(STORE.glob("recovery-*"))
    assert recover(site, new)[0] == 0
    status, told, _ = recover(site, old)
    assert status != 0 and "older" in told["text"]


def test_old_passphrase_makes_the_new_one_hold_at_once(site, pages):
    old, new = pages
    status, told, _ = recover(site, new)
    assert status != 0 and "does not hold yet" in told["text"]
    assert recover(site, old)[0] == 0
    assert site.mounts(by_paper(site, new)) and not by_paper(site, old)
    assert site.mounts(site.secret_by_key("alice"))


def test_holder_who_may_not_grant_does_not_change_it(site, pages):
    old, _ = pages
    site.store("add", "records", "bob", "--no-grant")
    site.login("alice")  # carries out both
    old = site.passphrase
    assert site.print_page("recovery", "records")[0] == 0
    before = KEYS.read_bytes()
    site.login("bob")
    assert KEYS.read_bytes() == before and site.mounts(by_paper(site, old))


@pytest.mark.parametrize("answer", ["", "XXXX\nYYYY\nZZZZ"])
def test_who_does_not_note_the_new_page_keeps_the_old_one(site, answer):
    site.fresh("alice")
    old, files = site.passphrase, {path: path.read_bytes() for path in STORE.glob("*.*")}
    status, _ = site.print_page("recovery", "records", answer=answer)
    assert status != 0 and "the old one stays" in site.said
    assert {path: path.read_bytes() for path in STORE.glob("*.*")} == files
    site.login("alice")
    assert site.mounts(by_paper(site, old))


def test_of_two_new_pages_the_last_holds(site, pages):
    old, never = pages
    assert site.print_page("recovery", "records")[0] == 0
    new = site.passphrase
    site.login("alice")
    assert site.mounts(by_paper(site, new))
    assert not by_paper(site, old) and not by_paper(site, never)
