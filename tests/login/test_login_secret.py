# SPDX-License-Identifier: Apache-2.0
"""A login by card hands the person's login secret to the module after ours, and to nobody else;
it is made, put aside and sealed anew without a card of an administrator's."""
import stat
import subprocess

import pytest

import dialogues
import pamclient as pam
import pins
import processes
import station as st
from attack import eventually
from secretsite import FOLDER, GIVEN, NOT_GIVEN, SHAPE, file_of, site_at, uid_of

BOTH = "secret-card-and-password"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    yield from site_at(tmp_path_factory.mktemp("site"))


@pytest.fixture(autouse=True)
def nothing(site):
    """Each test begins with no secret."""
    site.clear()


def test_without_a_secret_authtok_stays_empty(site):
    with site.card():
        assert site.login() == (pam.PAM_SUCCESS, "unset", "PIN of Alice Specimen: ")


def test_secret_is_handed_to_the_next_module_and_is_the_same_each_time(site):
    said = site.enable()
    assert said["outcome"] == "ok" and "hygie secret keyring" in said["text"]
    mode = file_of("alice").stat()
    assert stat.S_IMODE(mode.st_mode) == 0o600 and stat.S_IMODE(FOLDER.stat().st_mode) == 0o700
    with site.card():
        code, first, text = site.login()
        assert (code, text) == (pam.PAM_SUCCESS, "PIN of Alice Specimen: ")
        assert SHAPE.fullmatch(first)
        assert site.login()[:2] == (pam.PAM_SUCCESS, first)
        site.station.wait_ready()
        assert site.show() == first
    secret, binding = site.opened("alice")
    assert secret == first and binding.startswith("hygie-secret-1 alice 1 ")
    assert site.opened("bob", file_of("alice")) is None


def test_shown_alone_on_standard_output(site):
    site.enable()
    with site.card():
        site.station.wait_ready()
        done = subprocess.run(["hygie", "secret", "show", "--pin-stdin"], input=st.PIN + "\n", text=True,
                              capture_output=True, user=uid_of("alice"), group=uid_of("alice"),
                              check=True)
    assert SHAPE.fullmatch(done.stdout.rstrip("\n")) and done.stdout == site.opened("alice")[0] + "\n"


def test_two_people_have_two_secrets(site):
    site.enable()
    site.enable("bob")
    assert site.opened("alice")[0] != site.opened("bob")[0]
    with site.card("bob"):
        assert site.login("bob")[1] == site.opened("bob")[0]


def test_wrong_pin_gives_nothing(site):
    site.enable()
    with site.card():
        assert site.login(pin="654321")[:2] == (None, "unset")
        site.station.wait_ready()
        assert "secret" not in site.show(pin="654321", check=False)
        assert site.login()[0] == pam.PAM_SUCCESS


def test_service_that_is_not_named_gets_nothing(site):
    site.enable()
    with site.card():
        assert site.login(service=NOT_GIVEN)[:2] == (pam.PAM_SUCCESS, "unset")
        assert SHAPE.fullmatch(site.login(service=GIVEN)[1])  # the control


@pytest.mark.parametrize("option", ["", " try_first_pass"])
def test_card_and_password_work_with_the_password_first_alone(site, option):
    """As the manual says: after us, pam_unix takes the secret for the password."""
    password, unix = "correct horse", "auth required pam_unix.so" + option
    subprocess.run(["chpasswd"], input="alice:" + password, text=True, check=True)

    def login(answers, *stack):
        st.write_service(BOTH, stack)
        site.station.wait_ready()
        handle = pam.Handle(BOTH, "alice", answers)
        code = handle.call("pam_authenticate")
        handle.end()
        return code
    before = [password, st.PIN], unix, "auth required pam_hygie.so"
    after = [st.PIN, password], "auth required pam_hygie.so", unix
    with dialogues.settings(site.station, "[secret]\nservices = %s\n" % BOTH), site.card():
        assert login(*before) == login(*after) == pam.PAM_SUCCESS
        site.enable()
        assert login(*before) == pam.PAM_SUCCESS
        assert login(*after) == pam.PAM_AUTH_ERR
    with site.card():  # the service is left out
        assert login(*after) == pam.PAM_SUCCESS


def test_enabling_refuses_clearly(site):
    status, said, _ = site.secret("enable", "mallory", check=False)
    assert status != 0 and "mallory has no enrolled card" in said["text"]
    for name in ("al ice", "-alice", ".alice", "ali/ce", "a" * 65, "\u00e9lise", "clinic\\alice"):
        told = pins.converse("REQUEST_SECRET_ENABLE", USER=name)
        assert told.outcome == "BAD_REQUEST" and "can have no login secret" in told.text, name
    site.enable()
    before = file_of("alice").read_bytes()
    status, said, _ = site.secret("enable", "alice", check=False)
    assert status != 0 and "--new" in said["text"] and file_of("alice").read_bytes() == before
    for words in (("enable", "bob"), ("disable", "alice")):
        status, said, _ = site.secret(*words, uid=uid_of("alice"), check=False)
        assert status != 0 and said["outcome"] == "not-allowed"
    assert [path.name for path in FOLDER.iterdir()] == ["alice.cms"]


def test_card_without_a_key_for_it_is_refused_at_enable(site):
    station = site.station
    content = station.make_card("mallory", kind="p256")
    with station.card(content, atr="yubikey"):
        station.wait_ready()
        station.enrol("mallory")
    status, said, _ = site.secret("enable", "mallory", check=False)
    assert status != 0 and "key that opens record stores" in said["text"]
    assert not FOLDER.exists()
    station.run("revoke", "--user", "mallory")


def test_put_aside_and_taken_back_it_is_the_same(site):
    site.enable()
    secret = site.opened("alice")[0]
    said = site.secret("disable", "alice")[1]
    assert "hygie secret enable" in said["text"] and site.state_of()["state"] == "off"
    with site.card():
        assert site.login()[:2] == (pam.PAM_SUCCESS, "unset")
        site.station.wait_ready()
        status, said, _ = site.secret("show", "--pin-stdin", uid=uid_of("alice"), pin=st.PIN, check=False)
        assert status != 0 and "no login secret of yours" in said["text"]
        assert "back" in site.enable()["text"]
        assert site.login()[1] == secret
    status, said, _ = site.secret("disable", "bob", check=False)
    assert status != 0 and "bob has no login secret" in said["text"]


def test_new_one_takes_its_place_and_the_old_envelope_is_kept(site):
    site.enable()
    old = site.opened("alice")[0]
    said = site.enable("alice", "--new")
    new = site.opened("alice")[0]
    assert new != old and "changed over" in said["text"]
    assert site.opened("alice", file_of("alice", "old"))[0] == old
    with site.card():
        assert site.login()[1] == new


def secrets_kept(site):
    """The secrets that some envelope of Alice's opens to, by its name."""
    return {path.name: site.opened("alice", path)[0] for path in FOLDER.iterdir()}


def test_no_secret_is_ever_lost_however_often_another_is_made(site):
    """Typed twice since the first seemed to hang, before anything was changed over."""
    made = set()
    for words in (["enable"], ["enable", "--new"], ["enable", "--new"], ["disable"], ["enable", "--new"],
                  ["disable"], ["enable", "--new"], ["enable", "--new"], ["disable"]):
        site.secret(words[0], "alice", *words[1:])
        made |= set(secrets_kept(site).values())
        assert set(secrets_kept(site).values()) == made, words
    assert len(made) == 6
    newest = secrets_kept(site)["alice.off"]
    assert site.secret("disable", "alice", check=False)[0] != 0
    assert secrets_kept(site)["alice.off"] == newest
    site.enable()
    assert site.opened("alice")[0] == newest


def test_damaged_one_is_kept_beside_a_new_one(site):
    """Perhaps a later version's: what is no envelope to us may be one to who knows more."""
    site.enable()
    first = site.opened("alice")[0]
    site.enable("alice", "--new")
    file_of("alice").write_bytes(b"damaged")
    assert "kept as USER.old" in site.enable("alice", "--new")["text"]
    assert file_of("alice", "old").read_bytes() == b"damaged"
    assert site.opened("alice", file_of("alice", "old.1"))[0] == first
    with site.card():
        assert site.login()[1] == site.opened("alice")[0]


def test_second_card_opens_after_a_login_by_the_first_and_a_revoked_one_no_more(site):
    site.enable()
    secret = site.opened("alice")[0]
    with site.card("alice-two"):
        assert "after the next login by a card" in site.station.enrol("alice")[2]
    with site.card("alice"):
        assert "login secret" not in site.station.enrol("alice")[2]
    assert site.cards_of() == {"alice": "in", "alice-two": "next"}
    with site.card("alice-two"):
        code, found, text = site.login()
        assert (code, found) == (pam.PAM_SUCCESS, "unset") and "login secret was not opened" in text
        site.station.wait_ready()
        said = site.show(check=False)
        assert "card does not open your login secret" in said["text"]
    with site.card("alice"):
        assert site.login()[1] == secret
    assert site.audited("secret-sealed", "generation 2, 2 cards")
    assert site.opened("alice-two")[1].startswith("hygie-secret-1 alice 2 ")
    assert site.cards_of() == {"alice": "in", "alice-two": "in"}
    with site.card("alice-two"):
        assert site.login()[1] == secret
    site.station.run("revoke", site.card_id("alice"))
    assert site.cards_of() == {"alice": "leaving", "alice-two": "in"}
    assert "no card's of this user" not in (site.state_of().get("problem") or "")
    assert site.opened("alice")[0] == secret  # as the manual says, until the next login
    with site.card("alice-two"):
        assert site.login()[1] == secret
    assert site.opened("alice") is None and site.opened("alice-two")[1].split()[2] == "3"
    site.enrol("alice")
    with site.card("alice-two"):
        site.station.wait_ready()
        assert site.show() == secret  # "show" takes a card in as a login does
    assert site.opened("alice")[0] == secret
    site.station.run("revoke", site.card_id("alice-two"))
    with site.card("alice"):
        site.login()


def test_lost_card_without_a_second_needs_a_new_secret(site):
    site.enable()
    site.secret("disable", "alice")
    site.station.run("revoke", "--user", "alice")
    site.enrol("alice-two")
    status, said, _ = site.secret("enable", "alice", check=False)
    assert status != 0 and "none of the cards" in said["text"] and "--new" in said["text"]
    site.enable("alice", "--new")
    with site.card("alice-two"):
        assert site.login()[1] == site.opened("alice-two")[0]
    site.station.run("revoke", "--user", "alice")
    site.enrol("alice")
    assert "None of the user's cards opens it" in site.state_of()["problem"]


def test_list_is_for_root_and_each_persons_own(site):
    site.enable()
    site.enable("bob")
    assert {one["user"]: one["state"] for one in site.secret("list")[1]["secrets"]} == {
        "alice": "on", "bob": "on"}
    assert all(one["since"] for one in site.secret("list")[1]["secrets"])
    mine = site.secret("list", uid=uid_of("bob"))[1]
    assert [one["user"] for one in mine["secrets"] + mine["cards"]] == ["bob", "bob"]
    plain = subprocess.run(["hygie", "secret", "list"], capture_output=True, text=True, check=True)
    assert plain.stdout.splitlines()[0].startswith("secret\talice\ton\t")


def test_list_has_the_secrets_of_whom_a_new_registry_does_not_know(site):
    """The registry was lost: the card is enrolled again, and opens what it opened."""
    site.enable()
    site.enable("bob")
    site.secret("disable", "bob")
    secret = site.opened("alice")[0]
    site.station.stop_hygied()
    for path in st.REGISTRY.parent.glob("registry.db*"):
        path.unlink()
    site.station.start_hygied()
    try:
        (alice, bob), cards = (site.secret("list")[1][word] for word in ("secrets", "cards"))
        assert (alice["user"], alice["state"], cards) == ("alice", "on", [])
        assert "No card of this user is enrolled" in alice["problem"]
        assert (bob["user"], bob["state"]) == ("bob", "off") and "problem" not in bob
        assert [one["user"] for one in site.secret("list", uid=uid_of("bob"))[1]["secrets"]] == ["bob"]
        FOLDER.chmod(0o722)
        status, said, _ = site.secret("list", check=False)
        assert status != 0 and str(FOLDER) in said["text"]
        FOLDER.chmod(0o700)
    finally:
        for name in ("alice", "bob"):
            site.enrol(name)
    assert "problem" not in site.state_of() and site.cards_of() == {"alice": "in"}
    with site.card():
        assert site.login()[1] == secret


def test_secret_costs_the_card_four_exchanges_at_most(site):
    counts = []
    with site.card() as card:
        for wanted in (False, True):
            if wanted:
                site.enable()
            site.station.wait_ready()
            card.reset_count()
            assert site.login()[0] == pam.PAM_SUCCESS
            site.station.wait_ready()  # a successor reads in between, the same each time
            counts.append((card.count(), card.verify_count()))
    (without, pin), (with_it, pin_again) = counts
    assert pin == pin_again == 1 and 0 < with_it - without <= 4


def test_slow_card_leaves_it_out_and_logs_in_all_the_same(site):
    """Six of the nine seconds are the signature's; the PIN alone takes the card more than three."""
    site.enable()
    with dialogues.settings(site.station, "[login]\ndeadline = 9s\n"), site.card() as card:
        site.station.wait_ready()
        card.latency(1200)
        code, found, text = site.login()
        card.latency(0)
        assert (code, found) == (pam.PAM_SUCCESS, "unset") and "login secret was not opened" in text
        assert "record store was left out" not in text
        assert site.audited("secret-open", "no time left")
        assert site.login()[1] == site.opened("alice")[0]  # the control


def test_enrolment_and_change_of_the_pin_carry_none(site):
    site.enable()
    with site.card():
        site.station.wait_ready()
        status, said, _ = site.station.enrol("alice")
        assert status == 0 and "secret" not in said
        site.station.wait_ready()
        for request, answers in (("REQUEST_ENROL", [st.PIN]), ("REQUEST_PIN_CHANGE", [st.PIN, pins.NEW, pins.NEW]),
                                 ("REQUEST_PIN_CHANGE", [pins.NEW, st.PIN, st.PIN])):
            site.station.wait_ready()
            result = pins.converse(request, *answers, USER="alice", SERVICE=GIVEN)
            assert result.outcome == "OK" and "LOGIN_SECRET" not in result.message.names()
            assert not [said for said in result.sentences if "login secret" in said]
        site.station.wait_ready()
        assert site.login()[0] == pam.PAM_SUCCESS


def test_it_stays_nowhere(site):
    """Not in hygied's memory, log or environment, nor in what a helper was started with."""
    site.enable()
    secret = site.opened("alice")[0].encode()
    with site.card():
        assert site.login()[1] == secret.decode()
        site.station.wait_ready()
        assert site.show() == secret.decode()
        eventually(lambda: not processes.memory_holds(site.station.hygied.pid, secret), "it stays")
        assert processes.memory_holds(site.station.hygied.pid, b"secret-enable")  # the control
        for pid in [site.station.hygied.pid, *processes.find("hygie-token")]:
            for name in ("cmdline", "environ"):
                assert secret not in open("/proc/%d/%s" % (pid, name), "rb").read()
    assert secret.decode() not in site.station.log() and "secret-show" in site.station.log()
    for path in FOLDER.iterdir():
        assert secret not in path.read_bytes()
