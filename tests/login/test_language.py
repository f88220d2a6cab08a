# SPDX-License-Identifier: Apache-2.0
"""A login in French, from the card to the screen, and what it says when it refuses."""
import subprocess
import sys

import pamclient as pam
import pki
import pytest
import station as st

SERVICE = "hygie-french"
NBSP = "\u00a0"


@pytest.fixture(autouse=True)
def french():
    st.write_service(SERVICE, ["auth required pam_hygie.so lang=fr_FR.UTF-8",
                               "account required pam_hygie.so"])


def test_prompt_names_the_holder_in_french(station, card):
    result = station.login("alice", st.PIN, service=SERVICE)
    assert result.code == pam.PAM_SUCCESS
    assert result.messages == [(pam.PROMPT_ECHO_OFF, "Code de Alice Specimen" + NBSP + ": ")]


def test_wrong_codes_are_refused_in_french_until_the_card_is_blocked(station, card):
    card.set_tries(3)
    station.wait_ready()
    told = []
    for _ in range(4):
        result = station.login("alice", "654321", service=SERVICE)
        told.append(result.messages[-1])
        assert all(style in (pam.ERROR_MSG, pam.PROMPT_ECHO_OFF) for style, _ in result.messages)
        station.wait_ready()
    assert all(style == pam.ERROR_MSG for style, _ in told)
    assert told[0][1].startswith("Code faux. ")
    assert told[-1][1].startswith("Carte bloquée après trop de codes faux. ")
    for part in ("hygie pin unblock", "(PUK)", "administrateur"):
        assert part in told[-1][1]
    assert result.code == pam.PAM_MAXTRIES
    card.unblock()


def spend_the_last_but_one(station, card):
    card.set_tries(2)
    result = station.login("alice", "654321", service=SERVICE)
    assert result.messages[-1][1] == "Code faux. Il reste un seul essai%s: un autre code faux " \
        "bloque la carte." % NBSP
    station.wait_ready()


def test_last_try_is_asked_for_in_french(station, card):
    spend_the_last_but_one(station, card)
    result = station.login("alice", st.PIN, service=SERVICE)
    assert result.code == pam.PAM_SUCCESS
    assert result.messages[0] == (pam.ERROR_MSG, "Il reste un seul essai" + NBSP + ": un code faux "
                                  "bloque maintenant la carte.")
    assert result.prompts() == [
        "Dernier essai. Code de Alice Specimen, ou rien pour arrêter" + NBSP + ": "]


def test_card_of_somebody_else_is_refused_in_french(station, alice):
    with station.card(station.make_card("stranger", person="Sam Stranger")):
        station.wait_ready()
        result = station.login("alice", st.PIN, service=SERVICE)
    assert result.messages == [
        (pam.ERROR_MSG, "Cette carte n'est pas enrôlée sur ce poste. Insérez la vôtre, ou demandez "
         "à votre administrateur de l'enrôler.")]


def test_the_reason_of_distrust_is_told_in_french(station, alice):
    with station.card(station.make_card("old", person="Olga Old",
                                        not_before=pki.c.NOW - 9 * pki.c.DAY,
                                        not_after=pki.c.NOW - pki.c.DAY)):
        station.wait_ready()
        result = station.login("alice", st.PIN, service=SERVICE)
    (style, text), = result.messages
    assert style == pam.ERROR_MSG and text.startswith("Le certificat de la carte a expiré")


def test_application_in_a_french_locale_asks_in_french(station, card):
    """The service names no language."""
    subprocess.run(["localedef", "-i", "fr_FR", "-f", "UTF-8", "fr_FR.UTF-8"], check=False)
    script = ("import locale, pamclient; locale.setlocale(locale.LC_ALL, ''); "
              "result = pamclient.authenticate('alice', [%r]); print(result.code, result.prompts())"
              % st.PIN)
    done = subprocess.run([sys.executable, "-c", script], text=True, capture_output=True,
                          check=False, cwd=st.ROOT / "tests",
                          env={"PATH": "/usr/bin", "LC_ALL": "fr_FR.UTF-8"})
    assert done.stdout == "0 ['Code de Alice Specimen\\xa0: ']\n", done


def test_enrolment_speaks_the_language_of_the_command(station, alice):
    """C.UTF-8 is on every machine; LANGUAGE is gettext's own way to say which."""
    with station.card(station.make_card("bob", person="Bob Specimen")):
        station.wait_ready()
        done = subprocess.run(["hygie", "enroll", "bob", "--pin-stdin"], input=st.PIN + "\n",
                              text=True, capture_output=True, check=False,
                              env={"PATH": "/usr/bin", "LC_ALL": "C.UTF-8", "LANGUAGE": "fr"})
        assert (done.returncode, done.stdout) == (0, "La carte est enrôlée.\n"), done
        assert "Carte de Bob Specimen (us-piv " in done.stderr
        done = subprocess.run(["hygie", "revoke", "--user", "bob"], text=True, check=False,
                              capture_output=True,
                              env={"PATH": "/usr/bin", "LC_ALL": "C.UTF-8", "LANGUAGE": "de"})
        assert (done.returncode, done.stdout) == (0, "Die Karte wurde gesperrt.\n"), done


def test_pretyped_refusal_names_the_last_try_in_german(station, card):
    st.write_service("sshd", ["auth required pam_hygie.so lang=de"])
    spend_the_last_but_one(station, card)
    result = station.login("alice", st.PIN, service="sshd")
    (style, text), = result.messages
    assert style == pam.ERROR_MSG and text.startswith("Auf der Karte bleibt ein PIN-Versuch.")
    card.unblock()
