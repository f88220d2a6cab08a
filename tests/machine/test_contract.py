# SPDX-License-Identifier: Apache-2.0
"""gdm and Plasma by contract: their calls of PAM against the services that Hygie ships, each under
each outcome, and what those greeters rely on besides."""
import hosts
import hosts_contract
import outcomes
import pytest
import stacks
import walk

CONFIG = outcomes.CONFIG
GDM, UNLOCK, KDE = hosts_contract.Gdm(), hosts_contract.GdmUnlock(), hosts_contract.Kde()
HOSTS = (GDM, UNLOCK, KDE)
PIN_PROMPT = r"PIN of Alice Specimen: "
# As gdm's session has it where another module put the card's name there.
TOKEN = "PKCS11_LOGIN_TOKEN_NAME=PIV card"


@pytest.fixture
def card(doors, card):
    stacks.use(doors, "optional")
    return card


def test_gdm_asks_nobody_for_a_name(doors, card):
    with doors.terminal(*GDM.command("")) as terminal:
        assert terminal.expect(["Username:", PIN_PROMPT]) == 1


def test_control_pam_nologin_in_auth_asks_for_a_name(doors, card):
    shipped = doors.read("/etc/pam.d/gdm-smartcard")
    doors.write("/etc/pam.d/gdm-smartcard", "auth requisite pam_nologin.so\n" + shipped)
    try:
        with doors.terminal(*GDM.command("")) as terminal:
            assert terminal.expect(["Username:", PIN_PROMPT]) == 0
    finally:
        doors.write("/etc/pam.d/gdm-smartcard", shipped)


@pytest.mark.parametrize("host, opened", [(GDM, False), (UNLOCK, True)],
                         ids=["login-refused", "unlocking-goes-on"])
def test_nologin(doors, card, host, opened):
    doors.write("/etc/nologin", "closed for an hour\n")
    try:
        visit = host.open(doors, "alice", outcomes.Answer())
    finally:
        doors.run("rm", "/etc/nologin")
    assert (visit.open, "closed for an hour" in visit.text) == (opened, True), visit.text


@pytest.mark.parametrize("host", [GDM, UNLOCK], ids=["login", "unlocking"])
def test_name_of_a_login_token_makes_no_difference(doors, card, host):
    with doors.terminal(*host.command("alice"), environment=[TOKEN]) as terminal:
        terminal.expect(PIN_PROMPT)
        terminal.sendline(outcomes.Answer().pin)
        terminal.expect(hosts.opened_for("alice"))


def test_plasma_asks_for_a_pin_that_nobody_can_type_beside_the_one_that_opens(doors, card):
    """Why kde-smartcard is not installed. It does no harm: the other authenticator opens, and
    when that cancels this one, no try was spent."""
    doors.run("cp", hosts_contract.SHIPPED + "kde-smartcard", "/etc/pam.d/")
    try:
        with doors.terminal(hosts_contract.CALLS, "kde-aside", "kde-smartcard", "alice",
                            user="alice") as aside:
            aside.expect("a prompt that nobody sees")
            assert KDE.open(doors, "alice", outcomes.Answer()).open
            doors.wait_ready()
            aside.send("\x04")
            aside.expect(r"authenticate (\d+)")
            assert aside.match.group(1) != "0"
    finally:
        doors.run("rm", "/etc/pam.d/kde-smartcard")
    assert (card.verify_count(), card.tries()) == (1, 3)


@walk.cells(HOSTS)
def test_door(stage, host, matrix):
    stage.check(host, matrix)


def test_page_tells_what_was_run(matrix):
    assert matrix.differences() == []
