# SPDX-License-Identifier: Apache-2.0
"""A PKCS#11 module or token that hangs, crashes, lies: the login is refused in time and with
words, hygied lives and answers meanwhile, the next card works, nothing is left behind.

Bob's token is served by tests/login/evil_module.c; Alice's card in the reader by OpenSC. Each
attack is a restart of hygied, since a profile is read then."""
import pathlib
import shutil
import threading

import pytest

import pamclient as pam
import pivcard
import processes
import station as st
import wire
from tokens import SoftToken

BUILT = pathlib.Path(pivcard.PIV_CARD).parent / "evil-module.so"
MODULE = pathlib.Path("/usr/lib/hygie-tests/evil-module.so")
DEADLINE = 5.0  # seconds, as set below
SPARE = 10.0  # for a busy machine; the attacks themselves would last for ever
CONFIG = "[login]\ndeadline = 5s\n"
PROFILE = """[card evil]
uri = pkcs11:token=Trial
module = %s
pin_min = 6
pin_max = 8
paths_rw = %s
environment = SOFTHSM2_CONF=%s EVIL_HOME=%s EVIL=%s
"""
SILENT, BROKEN = "stopped answering", "driver failed"


class EvilToken(SoftToken):
    with_pcscd = True

    def prepare(self):
        super().prepare()
        MODULE.parent.mkdir(exist_ok=True)
        shutil.copy(BUILT, MODULE)
        self.profile = self.profile_of("honest")

    def profile_of(self, words):
        return PROFILE % (MODULE, self.place, self.conf, self.place, words)

    def behave(self, words):
        """From now on, in a new hygied; until what its start did has come out."""
        self.station.stop_hygied()
        (st.CARDS / "50-token.conf").write_text(self.profile_of(words))
        self.start_hygied()

    def state(self):
        """What hygied says of Bob's token, and of Alice's card."""
        readers = {reader["reader"]: reader for reader in self.station.readers()}
        return readers.pop("pkcs11:token=Trial"), next(
            reader for reader in readers.values() if reader["state"] != "empty")

    def wait(self, condition):
        return self.station.wait_readers(condition)

    def wait_token(self, *states):
        self.wait(lambda readers: any(reader["reader"].startswith("pkcs11:") and
                                      reader["state"] in states for reader in readers))

    def wait_no_card(self):
        self.wait(lambda readers: not any(reader["reader"].startswith("Virtual") and
                                          reader["state"] != "empty" for reader in readers))

    def wait_card(self):
        self.wait(lambda readers: any(reader["reader"].startswith("Virtual") and
                                      reader["state"] == "ready" for reader in readers))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Bob's token in place, Alice's card in the reader, both enrolled and honest."""
    home = tmp_path_factory.mktemp("t")
    keys = pivcard.KeyStore(home / "keys")
    token = EvilToken("evil", "rsa2048")
    token.people = {}
    token.home = home
    token.prepare()
    with st.Station(home, CONFIG, keys=keys, profiles={"50-token.conf": token.profile}) as station:
        token.station = station
        token.fill_place(token.make("bob"))
        card = station.make_card("alice")
        with pivcard.PivCard(card) as token.card:
            token.behave("record")
            token.wait_token("ready")
            token.wait_card()
            station.enrol("bob", st.PIN, "--reader", "pkcs11:token=Trial")
            station.enrol("alice", st.PIN, "--reader", "Virtual PCD 00 00")
            yield token
        station.stop()
    assert processes.find("hygie-token") == []


def login_in_time(world, user="bob", pin=st.PIN):
    """PAM's answer, which must come within the deadline."""
    result = world.station.login(user, pin)
    assert (result.after_answer or result.seconds) < DEADLINE + SPARE, result.seconds
    assert world.station.hygied.poll() is None, world.station.log()
    return result


def check_the_rest(world):
    """hygied serves, Alice gets in, and no more helpers are there than cards."""
    world.wait_card()
    assert world.state()[1]["user"] == "alice"
    assert world.station.login("alice", st.PIN).code == pam.PAM_SUCCESS, world.station.log()
    world.wait_card()
    world.wait(lambda _: len(processes.find("hygie-token")) <= 2)
    parents = {pid: processes.parent(pid) for pid in processes.find("hygie-token")}
    assert set(parents.values()) <= {world.station.hygied.pid}, parents


@pytest.mark.parametrize("words,said", [
    ("C_GetFunctionList:spin", SILENT),
    ("C_Initialize:hang", SILENT),
    ("C_Initialize:crash", BROKEN),
    ("C_Initialize:exit", BROKEN),
    ("C_Initialize:_exit", BROKEN),
    ("C_Initialize:abort", BROKEN),
    ("C_Initialize:forge", BROKEN),
    ("C_Initialize:babble", BROKEN),
    ("no-token", "cannot be read"),
    ("objects-10000", "no certificate"),
    ("certificate-big", "cannot be read"),
    ("certificate-random", "no certificate"),
    ("certificate-off", "not genuine"),
])
def test_token_that_cannot_be_read_is_refused_without_a_prompt(world, words, said):
    world.card.remove()
    world.wait_no_card()
    world.behave(words)
    result = login_in_time(world, pin="999999")
    world.card.insert()
    assert result.code in (pam.PAM_AUTH_ERR, pam.PAM_AUTHINFO_UNAVAIL)
    assert result.prompts() == []
    assert said in result.text, (result, world.station.log())
    check_the_rest(world)


@pytest.mark.parametrize("words,said", [
    ("C_Login:spin", SILENT),
    ("C_Login:crash", BROKEN),
    ("C_Login:exit", BROKEN),
    ("C_Login:_exit", BROKEN),
    ("C_Login:abort", BROKEN),
    ("C_Login:forge", BROKEN),
    ("C_Login:babble", BROKEN),
    ("C_Sign:hang", SILENT),
    ("C_Sign:crash", BROKEN),
    ("C_Sign:_exit", BROKEN),
    ("C_Sign:forge", BROKEN),
    ("any-pin,signature-zero", "could not prove"),
    ("any-pin,signature-garbage", "could not prove"),
    ("any-pin,signature-short", "could not prove"),
    ("any-pin,signature-recorded", "could not prove"),
    ("any-pin,signature-other", "could not prove"),
    ("any-pin,signature-empty", BROKEN),
    ("any-pin,signature-huge", BROKEN),
    ("login-says-wrong", "Wrong PIN"),
    ("login-says-locked", "blocked"),
    ("login-says-expired", "new PIN"),
    ("login-says-removed", "taken out"),
    ("login-says-nonsense", BROKEN),
])
def test_token_that_fails_at_the_login_is_refused_in_time(world, words, said):
    world.behave(words)
    world.wait_token("ready")
    result = login_in_time(world)
    assert result.code not in (pam.PAM_SUCCESS, pam.PAM_IGNORE)
    assert len(result.prompts()) == 1
    assert said in result.text, (result, world.station.log())
    check_the_rest(world)


def test_recording_was_a_good_one(world):
    """The control of signature-recorded: it is Bob's, of another challenge."""
    assert len((world.place / "recorded").read_bytes()) == 256


@pytest.mark.parametrize("words", ["C_Initialize:print", "C_Login:print", "C_Sign:print"])
def test_printing_changes_nothing(world, words):
    world.behave(words)
    world.wait_token("ready")
    assert login_in_time(world).code == pam.PAM_SUCCESS
    assert login_in_time(world, pin="654321").code == pam.PAM_AUTH_ERR
    check_the_rest(world)


@pytest.mark.parametrize("words", ["C_Initialize:fork", "C_Login:fork", "C_Sign:fork"])
def test_child_of_a_module_does_not_outlive_it(world, words):
    world.behave(words)
    world.wait_card()
    login_in_time(world)
    check_the_rest(world)


@pytest.mark.parametrize("words", ["C_Initialize:memory", "C_Login:memory", "C_Sign:memory"])
def test_memory_that_a_module_eats_is_its_own(world, words):
    world.behave(words)
    world.wait_card()
    login_in_time(world)
    check_the_rest(world)


@pytest.mark.parametrize("words,code,said", [
    ("locked", pam.PAM_MAXTRIES, "blocked"),
    ("no-pin", pam.PAM_AUTH_ERR, "no PIN yet"),
])
def test_flags_that_forbid_a_login_are_believed_without_a_prompt(world, words, code, said):
    world.behave(words)
    world.wait_token("ready")
    result = login_in_time(world)
    assert (result.code, result.prompts()) == (code, [])
    assert said in result.text
    check_the_rest(world)


@pytest.mark.parametrize("words", ["final", "low", "final,low,must-change"])
def test_flags_that_warn_change_no_verdict(world, words):
    world.behave(words)
    world.wait_token("ready")
    assert login_in_time(world, pin="654321").code == pam.PAM_AUTH_ERR
    world.wait_token("ready")
    assert login_in_time(world).code == pam.PAM_SUCCESS


def test_pin_pad_that_is_none_lets_nobody_in_without_a_pin(world):
    """SoftHSM refuses a NULL PIN; the token says that it has a pin-pad."""
    world.behave("pin-pad")
    world.wait_token("ready")
    result = login_in_time(world)
    assert (result.code == pam.PAM_SUCCESS, result.prompts()) == (False, [])
    check_the_rest(world)


@pytest.mark.parametrize("words", ["C_Login:hang", "C_Sign:spin"])
def test_others_are_served_while_a_module_hangs(world, words):
    """Status, and another person's whole login, before the hanging one is answered."""
    world.behave(words)
    world.wait_token("ready")
    world.wait_card()
    results = []
    bob = threading.Thread(target=lambda: results.append(login_in_time(world)))
    bob.start()
    world.wait_token("busy")
    assert world.station.login("alice", st.PIN).code == pam.PAM_SUCCESS
    assert world.state()[0]["state"] == "busy" and not results
    bob.join()
    assert results[0].code == pam.PAM_AUTHINFO_UNAVAIL
    check_the_rest(world)


def test_client_that_leaves_takes_the_hanging_helper_along(world):
    world.behave("C_Login:hang")
    world.wait_token("ready")
    world.wait_card()  # it has a helper, too
    before = processes.find("hygie-token")
    with st.connect() as link:
        link.sendall(wire.encode("REQUEST_AUTHENTICATE", {"USER": "bob", "SERVICE": "test"}))
        assert wire.decode(link.recv(65536)).type == "PROMPT"
        link.sendall(wire.encode("ANSWER", {"ANSWER": st.PIN.encode()}))
        world.wait_token("busy")
    world.wait_token("ready")
    world.wait_card()
    after = processes.find("hygie-token")
    assert len(after) == len(before) and after != before
    check_the_rest(world)


def test_honest_token_works_again_after_all_that(world):
    world.behave("honest")
    world.wait_token("ready")
    assert login_in_time(world).code == pam.PAM_SUCCESS
    assert login_in_time(world, pin="654321").code == pam.PAM_AUTH_ERR
    check_the_rest(world)
