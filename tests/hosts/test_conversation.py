# SPDX-License-Identifier: Apache-2.0
"""Conversations that fail, come late or say nonsense, against a whole station: a refusal each
time, no try of the card spent, and the next login is not kept waiting by it. And characters:
programs in a locale that is not UTF-8."""
import os
import subprocess

import pytest
import station as st
from hosts import (AUTH_ERR, AUTHINFO_UNAVAIL, CONV_ERR, SUCCESS, application, codes, finish, said,
                   started, wait_for_reader, write_service)

CONFIG = "[login]\npin_wait = 5s\n"
PIN = st.PIN


@pytest.fixture(autouse=True)
def service(station):
    return write_service()


def then_logs_in(station, card):
    """As if nothing had been."""
    assert card.verify_count() == 0
    assert codes(application("authenticate", options=["--answer", PIN])) == {
        "authenticate": SUCCESS}
    assert card.verify_count() == 1
    station.wait_ready()


BAD = {
    "fails": (["--error-answer"], CONV_ERR),
    "gives nothing": (["--null-answer"], CONV_ERR),
    "is not there": (["--no-conversation"], CONV_ERR),
    "has no answer": ([], CONV_ERR),
    "answers with nothing": (["--answer", ""], CONV_ERR),
    "answers with 65 digits": (["--answer", "7" * 65], AUTH_ERR),
    "answers with 512 digits": (["--answer", "7" * 512], AUTH_ERR),
    "answers with 70,000 digits": (["--answer", "7" * 70000], AUTH_ERR),
    "answers with its PIN and more": (["--answer", PIN + "\n"], AUTH_ERR),
    "answers in Latin-1": (["--answer", b"caf\xe9-12"], AUTH_ERR),
    "answers with an escape": (["--answer", "\x1b[31m1234"], AUTH_ERR),
}


@pytest.mark.parametrize("conversation", BAD)
@pytest.mark.parametrize("silent", [False, True], ids=["told", "silent"])
def test_conversation(station, card, conversation, silent):
    options, code = BAD[conversation]
    lines = application("authenticate", "acct_mgmt",
                        options=[*options, *(["--silent"] if silent else [])])
    assert codes(lines)["authenticate"] == code
    assert codes(lines)["acct_mgmt"] != SUCCESS
    assert not silent or not [style for style, _ in said(lines) if style in ("error", "info")]
    then_logs_in(station, card)


@pytest.mark.parametrize("options,outcome", [
    (["--answer", "7" * 65], "pin-malformed"), (["--answer", "7" * 70000], "pin-malformed"),
    (["--answer", "7" * 64], "pin-malformed"), (["--error-answer"], "gave-up")])
def test_audit_knows_a_text_that_is_too_long_for_a_pin_from_nobody(station, card, options, outcome):
    before = station.log().count("audit: authenticate: ")
    application("authenticate", options=options)
    station.wait_log("audit: authenticate: ", count=before + 1)
    line = [line for line in station.log().splitlines() if "audit: authenticate: " in line][-1]
    assert "audit: authenticate: %s user=alice" % outcome in line, line
    then_logs_in(station, card)


def test_silent_login_says_nothing_but_its_prompt(card):
    lines = application("authenticate", options=["--silent", "--answer", PIN])
    assert codes(lines) == {"authenticate": SUCCESS}
    assert said(lines) == [("hidden", "PIN of Alice Specimen: ")]


def test_sentences_that_the_program_refuses_do_not_matter(station, card):
    card.set_tries(2)
    assert codes(application("authenticate", options=["--answer", PIN[::-1]])) == {
        "authenticate": AUTH_ERR}
    station.wait_ready()
    lines = application("authenticate", options=["--say-fails", "--answer", PIN])
    assert [style for style, _ in said(lines)] == ["error", "hidden"]  # one try is left
    assert codes(lines) == {"authenticate": SUCCESS}


def test_answer_after_the_deadline_is_not_sent(station, card, tmp_path):
    fifo = str(tmp_path / "fifo")
    os.mkfifo(fifo)
    before = station.log().count("audit: authenticate: timed-out")
    with started("pam_application", "--answer", PIN, "--fifo", fifo, "/etc/pam.d", "hygie-host",
                 "alice", "authenticate") as process:
        writer = wait_for_reader(fifo)
        station.wait_log("audit: authenticate: timed-out", count=before + 1)
        os.write(writer, b"x")
        os.close(writer)
        status, lines = finish(process)
    assert status == 0 and codes(lines) == {"authenticate": AUTHINFO_UNAVAIL}
    assert said(lines)[-1] == ("error", "No answer came in time. Start again.")
    then_logs_in(station, card)


def test_somebody_who_never_answers_keeps_nobody_else_out(station, card, tmp_path):
    fifo = str(tmp_path / "fifo")
    os.mkfifo(fifo)
    with started("pam_application", "--answer", PIN, "--fifo", fifo, "/etc/pam.d", "hygie-host",
                 "alice", "authenticate"):
        writer = wait_for_reader(fifo)
        then_logs_in(station, card)
        os.close(writer)


# Locales


@pytest.fixture(scope="module")
def locales(tmp_path_factory):
    """A folder with locales that the machine has not."""
    folder = tmp_path_factory.mktemp("locales")
    for name, charset in (("de_DE", "ISO-8859-1"), ("ja_JP", "EUC-JP"), ("fr_FR", "UTF-8")):
        done = subprocess.run(["localedef", "-i", name, "-f", charset,
                               str(folder / ("%s.%s" % (name, charset)))],
                              capture_output=True, text=True, check=False)
        assert done.returncode in (0, 1), done  # 1: with a warning
    return folder


@pytest.fixture(scope="module")
def zoe(station, alice):
    """Bob's card, whose name needs more than ASCII. Made after Alice's: one reader."""
    content = station.make_card("zoe", person="Zoé 山田 Œ€", upns=("zoe@clinic.test",))
    with station.card(content):
        station.wait_ready()
        station.enrol("bob")
    return content


@pytest.mark.parametrize("locale,prompt", [
    ("de_DE.ISO-8859-1", "PIN von Zoé ?? OEEUR: "),
    ("ja_JP.EUC-JP", "PIN of Zoé 山田 ŒEUR: "),
    ("fr_FR.UTF-8", "Code de Zoé 山田 Œ€\u00a0: "),
    ("C", "PIN of Zoé 山田 Œ€: "),
])
def test_name_on_the_card_in_the_programs_characters(station, zoe, locales, locale, prompt):
    """What a locale has not is replaced, and every byte is valid there, in refusals too."""
    charset = locale.partition(".")[2].lower() or "utf-8"
    with station.card(zoe):
        station.wait_ready()
        for answer, code in ((PIN, SUCCESS), ("x", AUTH_ERR)):
            lines = application("authenticate", options=["--locale", locale, "--answer", answer],
                                user="bob", env={"LOCPATH": str(locales), "LC_ALL": ""})
            assert codes(lines) == {"authenticate": code}
            texts = [text.encode("utf-8", "surrogateescape").decode(charset)
                     for _, text in said(lines)]
            assert texts[0] == prompt and len(texts) == (1 if code == SUCCESS else 2)
            assert all(ord(c) >= 32 and not 127 <= ord(c) < 160 for c in "".join(texts))
            station.wait_ready()
