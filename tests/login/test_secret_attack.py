# SPDX-License-Identifier: Apache-2.0
"""What an attacker makes of the login secrets: envelopes exchanged, damaged or left where others
write, and people who ask for another's. Nothing is given then, and nobody is locked out."""
import os
import subprocess
import threading

import pytest

import pamclient as pam
import station as st
from secretsite import FOLDER, GIVEN, SHAPE, file_of, site_at, uid_of
from traced import at, traced

PEER, GROUP = "secret-db", "secret-users"
CONFIG = "[peers]\n%s = %s\n" % (PEER, GROUP)
MOVED = FOLDER.with_name("moved")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    subprocess.run(["groupadd", GROUP], check=True)
    for name in (PEER, "alice"):
        st.add_user(name)
    subprocess.run(["usermod", "-aG", GROUP, "alice"], check=True)
    yield from site_at(tmp_path_factory.mktemp("site"), CONFIG)


@pytest.fixture
def alice(site):
    """Alice's secret, as it was made, and her card in the reader."""
    site.clear()
    site.enable()
    secret = site.opened("alice")[0]
    with site.card():
        yield secret


def put(content, mode=0o600, owner=0):
    path = file_of("alice")
    path.unlink(missing_ok=True)
    path.write_bytes(content)
    path.chmod(mode)
    os.chown(path, owner, owner)


def of_another_user(site):
    return site.seal("user:bob", "alice")


def of_a_store(site):
    """The practice's store, which Alice's card opens, called as she is."""
    return site.seal("alice", "alice")


def of_a_stranger(site):
    """Bob's own, under her name."""
    site.enable("bob")
    content = file_of("bob").read_bytes()
    file_of("bob").unlink()
    return content


def truncated(site):
    return file_of("alice").read_bytes()[:-20]


def changed(site):
    content = bytearray(file_of("alice").read_bytes())
    content[-1] ^= 1  # in its tag
    return bytes(content)


def nothing(_):
    return b""


def endless(_):
    return b"\x30" * (256 * 1024 + 1)


ENVELOPES = {"another user's": (of_another_user, "another user's, or a store's"),
             "a store's": (of_a_store, "another user's, or a store's"),
             "a stranger's": (of_a_stranger, "this card is not in its envelope"),
             "truncated": (truncated, "is damaged"),
             "changed": (changed, "it does not open"),
             "empty": (nothing, "is damaged"),
             "endless": (endless, "")}


SHOWN = {"another user's": "did not open", "a store's": "did not open", "changed": "did not open",
         "a stranger's": "This card does not open"}


@pytest.mark.parametrize("name", ENVELOPES)
def test_envelope_that_is_not_hers_gives_nothing_and_locks_nobody_out(site, alice, name):
    make, why = ENVELOPES[name]
    good, bad = file_of("alice").read_bytes(), make(site)
    put(bad)
    code, found, text = site.login()
    assert (code, found) == (pam.PAM_SUCCESS, "unset") and "login secret was not opened" in text
    assert site.audited("secret-open", why), site.station.log()[-1500:]
    assert file_of("alice").read_bytes() == bad, "it is not sealed anew"
    site.station.wait_ready()
    said = site.show(check=False)
    assert "secret" not in said and SHOWN.get(name, "cannot be used") in said["text"]
    put(good)
    assert site.login()[1] == alice  # the control


def test_recipient_that_was_slipped_in_is_gone_after_the_next_login(site, alice):
    """Whoever knows the secret may seal it to himself, and to her: she would not notice."""
    put(site.seal("user:alice", "alice", "bob", secret=alice))
    assert "no card's of this user" in site.state_of()["problem"]
    assert site.opened("bob", file_of("alice"))[0] == alice
    assert site.login()[1] == alice
    assert site.opened("bob", file_of("alice")) is None and site.opened("alice")[0] == alice
    assert "problem" not in site.state_of()


def writable(_):
    put(file_of("alice").read_bytes(), mode=0o622)


def anothers(_):
    put(file_of("alice").read_bytes(), owner=uid_of("bob"))


def link(site):
    target = site.home / "elsewhere"
    target.write_bytes(file_of("alice").read_bytes())
    file_of("alice").unlink()
    file_of("alice").symlink_to(target)


def second_name(_):
    os.link(file_of("alice"), FOLDER / "other")


def open_folder(_):
    FOLDER.chmod(0o755)


def folder_of_another(_):
    os.chown(FOLDER, uid_of("bob"), 0)


def folder_link(_):
    FOLDER.rename(MOVED)
    FOLDER.symlink_to(MOVED)


def pipe(_):
    """Nobody writes into it: who waits for that waits for ever."""
    file_of("alice").unlink()
    os.mkfifo(file_of("alice"), 0o600)


def directory(_):
    file_of("alice").unlink()
    file_of("alice").mkdir(mode=0o600)


def folder_pipe(_):
    FOLDER.rename(MOVED)
    os.mkfifo(FOLDER, 0o700)


@pytest.mark.parametrize("spoil", [writable, anothers, link, second_name, pipe, directory, open_folder,
                                   folder_of_another, folder_link, folder_pipe], ids=lambda function: function.__name__)
def test_file_that_others_may_have_written_gives_nothing(site, alice, spoil):
    assert site.login()[1] == alice  # the control
    spoil(site)
    code, found, text = site.login()
    assert (code, found) == (pam.PAM_SUCCESS, "unset") and "login secret was not opened" in text
    assert site.audited("secret-open", "refused")
    assert site.state_of()["state"] == "broken" and site.state_of()["problem"]
    for words in (("enable", "alice", "--new"), ("enable", "bob")):
        if words[1] == "alice" or "folder" in spoil.__name__:
            status, said, _ = site.secret(*words, check=False)
            assert status != 0 and "cannot be used" in said["text"], words
    if MOVED.exists():
        FOLDER.unlink()
        subprocess.run(["rm", "-rf", str(MOVED)], check=True)


def test_nobody_is_shown_anothers(site, alice):
    for uid, fields in ((uid_of("bob"), {"USER": "alice"}), (0, {"USER": "alice"}),
                        (uid_of(PEER), {"USER": "alice"})):
        assert site.ask("REQUEST_SECRET_SHOW", uid, **fields)[0] == "NOT_ALLOWED", uid
    for uid in (0, uid_of(PEER), uid_of("bob")):  # his own, with her card in
        outcome, names = site.ask("REQUEST_SECRET_SHOW", uid)
        assert outcome != "OK" and "LOGIN_SECRET" not in names
    assert site.ask("REQUEST_SECRET_SHOW", uid_of("alice")) == ["OK", ["OUTCOME", "LOGIN_SECRET"]]


@pytest.mark.parametrize("service", [GIVEN, "login", ""])
def test_login_by_a_program_of_ones_own_uid_carries_none(site, alice, service):
    """A locker, or what calls itself one: only root's programs get it with a login."""
    outcome, names = site.ask("REQUEST_AUTHENTICATE", uid_of("alice"), USER="alice", SERVICE=service)
    assert outcome == "OK" and "LOGIN_SECRET" not in names
    outcome, names = site.ask("REQUEST_AUTHENTICATE", 0, USER="alice", SERVICE=GIVEN)
    assert outcome == "OK" and "LOGIN_SECRET" in names  # the control


def test_service_of_peers_is_given_none(site, alice):
    outcome, names = site.ask("REQUEST_AUTHENTICATE", uid_of(PEER), USER="alice", SERVICE=GIVEN)
    assert outcome == "OK" and "LOGIN_SECRET" not in names
    assert site.login()[1] == alice  # the control


def while_asked(site, change):
    """A login whose PIN prompt is open while root does that."""
    site.station.wait_ready()

    def answer():
        change()
        return st.PIN
    handle = pam.Handle(GIVEN, "alice", [answer])
    handle.call("pam_authenticate")
    found, ticket = handle.getenv("LOOK_AUTHTOK"), handle.getenv("HYGIE_TICKET")
    handle.end()
    return found, ticket is not None


def test_put_aside_while_the_pin_is_typed_it_is_not_given(site, alice):
    assert while_asked(site, lambda: None) == (alice, True)
    found, logged_in = while_asked(site, lambda: site.secret("disable", "alice"))
    assert (found, logged_in) == ("unset", True)
    assert not file_of("alice").exists()


VERIFY = 0x20


@pytest.fixture(scope="module")
def first_decryption(site):
    """The number, in a login, of the exchange that comes after the PIN's."""
    site.clear()
    site.enable()
    with site.card() as card:
        site.station.wait_ready()
        card.reset_count()
        assert SHAPE.fullmatch(site.login()[1])
        return next(apdu.number for apdu in card.log() if apdu.ins == VERIFY) + 1


def login_while(site, card, number, change):
    """A login in which that is done after the PIN went to the card, before it decrypts."""
    site.station.wait_ready()
    result = []
    card.reset_count()
    card.silent_at(number)
    thread = threading.Thread(target=lambda: result.append(site.authenticate("alice", GIVEN, st.PIN)))
    thread.start()
    card.wait_silent()
    assert [apdu.number for apdu in card.log() if apdu.ins == VERIFY] == [number - 1]
    change()
    card.speak()
    thread.join()
    return result[0]


def test_put_aside_after_the_pin_went_to_the_card_it_is_not_given(site, first_decryption):
    site.clear()
    site.enable()
    with site.card() as card:
        secret = site.login()[1]
        code, found, _ = login_while(site, card, first_decryption, lambda: site.secret("disable", "alice"))
        assert (code, found) == (pam.PAM_SUCCESS, "unset") and not file_of("alice").exists()
        assert site.audited("secret-open", "it was put aside or removed while the card was at work")
        site.enable()
        assert login_while(site, card, first_decryption, lambda: None)[:2] == (pam.PAM_SUCCESS, secret)


def test_replaced_after_the_pin_went_to_the_card_it_is_neither_given_nor_sealed(site, first_decryption):
    """The card decrypts from the old envelope, in which a card is missing: the new one stays."""
    site.clear()
    site.enable()
    site.enrol("alice-two")
    with site.card() as card:
        code, found, _ = login_while(site, card, first_decryption, lambda: site.enable("alice", "--new"))
        assert (code, found) == (pam.PAM_SUCCESS, "unset")
        new = site.opened("alice")
        assert site.audited("secret-open", "it was replaced while the card was at work")
        assert new[1].split()[2] == "1" and site.opened("alice-two")[0] == new[0]
        assert site.login()[1] == new[0]
    site.station.run("revoke", site.card_id("alice-two"))


def test_card_that_is_revoked_after_its_pin_gets_neither_login_nor_secret(site, first_decryption):
    site.clear()
    site.enable()
    sealed = file_of("alice").read_bytes()
    with site.card() as card:
        code, found, _ = login_while(site, card, first_decryption,
                                     lambda: site.station.run("revoke", site.card_id("alice")))
    assert (code, found) == (None, "unset") and file_of("alice").read_bytes() == sealed
    site.enrol("alice")


def killed_at(site, call, *words):
    """hygied does that command, and is killed at that call of those that change something (None: at
    none). Which there were."""
    with traced(site.station.hygied.pid, site.home / "strace", at(call) if call else "") as calls:
        site.secret(*words, check=False)
    if call:
        site.station.kill_hygied()
    return calls


def secrets_there(site):
    """{suffix: secret} of the envelopes, each of which must open."""
    return {path.suffix: site.opened("alice", path)[0] for path in FOLDER.glob("alice.*")
            if "hygie-new" not in path.name}


@pytest.mark.parametrize("words", [("enable", "alice", "--new"), ("disable", "alice"), ("enable", "alice")],
                         ids="-".join)
def test_kill_at_any_call_leaves_the_old_secret_or_the_new_one(site, words):
    site.clear()
    site.enable()
    if words == ("enable", "alice"):
        site.secret("disable", "alice")
    first = {path: path.read_bytes() for path in FOLDER.iterdir()}
    before = secrets_there(site)
    calls = killed_at(site, None, *words)
    done = set(secrets_there(site)) - set(before)
    assert len(calls) > 3 and done
    changed = 0
    for call in calls:
        site.clear()
        FOLDER.mkdir(mode=0o700)
        for path, content in first.items():
            path.write_bytes(content)
            path.chmod(0o600)
        killed_at(site, call, *words)
        after = secrets_there(site)
        assert set(before.values()) <= set(after.values()), (call, after)
        assert ".cms" in after or ".off" in after, (call, after)
        assert not (".cms" in after and ".off" in after), (call, after)
        changed += set(after) != set(before)
    assert 0 < changed < len(calls)
    with site.card():
        if not file_of("alice").exists():
            site.enable()
        assert SHAPE.fullmatch(site.login()[1])
