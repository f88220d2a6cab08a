# SPDX-License-Identifier: Apache-2.0
"""Which language and which character set pam_hygie.so speaks, in hosts that chose a locale
and in hosts that did not, and what nobody's environment can make it read."""

import os
import pwd
import shutil
import subprocess

import pytest
import wire
from conftest import built, codes, said
from fake_hygied import FakeHygied
from test_pam import walk_calls

SUCCESS, AUTH_ERR = 0, 7
NBSP = "\u00a0"
ENGLISH = [("info", "Insert your card."), ("hidden", "PIN of Zoé 山田: "),
           ("error", "This is a patient's card: use your own professional card.")]
FRENCH = [("info", "Insérez votre carte."), ("hidden", "Code de Zoé 山田" + NBSP + ": "),
          ("error", "C'est la carte d'un patient" + NBSP + ": utilisez votre propre carte "
           "professionnelle.")]
GERMAN = [("info", "Stecken Sie Ihre Karte ein."), ("hidden", "PIN von Zoé 山田: "),
          ("error", "Dies ist die Karte eines Patienten: Nehmen Sie Ihren eigenen "
           "Heilberufsausweis.")]


def sentence(text, *arguments, english):
    return [("TEXT_ID", wire.TEXTS[text]), ("TEXT", english),
            *(("TEXT_ARGUMENT", argument) for argument in arguments)]


def refused(dialogue, name="Zoé 山田"):
    """A note, a prompt with the holder's name, and a refusal without a number."""
    dialogue.send("INFO", sentence("TEXT_INSERT_CARD", english="Insert your card."))
    dialogue.send("PROMPT", sentence("TEXT_PIN_PROMPT", name, english="PIN of %s: " % name))
    assert dialogue.receive().type == "ANSWER"
    dialogue.result("CARD_UNTRUSTED",
                    TEXT="This is a patient's card: use your own professional card.")


@pytest.fixture(scope="module")
def locales():
    """Locales that this private machine shall have, besides C.UTF-8."""
    for name, charset in (("fr_FR", "UTF-8"), ("de_DE", "ISO-8859-1"), ("ja_JP", "EUC-JP")):
        done = subprocess.run(
            ["localedef", "-i", name, "-f", charset, "%s.%s" % (name, charset)],
            capture_output=True, text=True, check=False)
        assert done.returncode in (0, 1), done  # 1: with a warning
    known = subprocess.check_output(["locale", "-a"], text=True)
    assert all(name in known for name in ("fr_FR.utf8", "de_DE.iso88591", "ja_JP.eucjp"))


def login(application, socket_path, *steps, script=refused, options=(), **keywords):
    with FakeHygied(socket_path, script):
        lines = application.run("alice", *steps, "authenticate",
                                options=[*options, "--answer", "1234"], **keywords)
    assert codes(lines) == [AUTH_ERR]
    return said(lines)


# An application in its own locale


@pytest.mark.parametrize("locale,expected", [
    ("fr_FR.UTF-8", FRENCH), ("C.UTF-8", ENGLISH), ("C", ENGLISH)])
def test_application_speaks_the_language_of_its_locale(application, socket_path, locales,
                                                       locale, expected):
    assert login(application, socket_path, options=["--locale", locale]) == expected


def test_locale_of_the_application_comes_before_all_else(application, socket_path, locales):
    application.stack(arguments="lang=de_DE.UTF-8")
    assert login(application, socket_path, "putenv:LC_ALL=de_DE.UTF-8",
                 options=["--locale", "fr_FR.UTF-8"]) == FRENCH


def test_each_sentence_is_a_message_of_its_own(application, socket_path, locales):
    with FakeHygied(socket_path, refused):
        lines = application.run("alice", "authenticate",
                                options=["--locale", "fr_FR.UTF-8", "--answer", "1"])
    assert [line.split()[1] for line in lines if line.startswith("say")] == ["1"] * 3


# An application that never set a locale


@pytest.mark.parametrize("name", ["LC_ALL", "LC_MESSAGES", "LANG"])
def test_pam_environment_names_the_language(application, socket_path, name):
    assert login(application, socket_path, "putenv:%s=fr_FR.UTF-8" % name) == FRENCH


def test_lc_all_comes_before_lang(application, socket_path):
    assert login(application, socket_path, "putenv:LANG=de_DE.UTF-8",
                 "putenv:LC_ALL=fr_FR.UTF-8") == FRENCH


@pytest.mark.parametrize("argument,expected", [
    ("lang=fr_FR.UTF-8", FRENCH), ("lang=fr", FRENCH), ("lang=fr_BE.UTF-8@euro", FRENCH),
    ("lang=de_AT", GERMAN), ("lang=it_IT.UTF-8", ENGLISH), ("lang=C.UTF-8", ENGLISH),
    ("lang=", ENGLISH), ("lang=../../../../tmp/evil", ENGLISH), ("lang=fr/../../x", ENGLISH),
    ("lang=FR", ENGLISH), ("lang=french", ENGLISH)])
def test_argument_names_the_language_of_a_site(application, socket_path, argument, expected):
    """No locale has to be generated for it."""
    application.stack(arguments=argument)
    assert login(application, socket_path) == expected


def test_pam_environment_comes_before_the_argument(application, socket_path):
    application.stack(arguments="lang=de")
    assert login(application, socket_path, "putenv:LANG=fr_FR.UTF-8") == FRENCH
    assert login(application, socket_path, "putenv:LANG=C.UTF-8") == GERMAN
    assert login(application, socket_path, "putenv:LANG=en_IE.UTF-8") == ENGLISH


def test_locale_of_the_application_stays_as_it_was(application, socket_path, locales):
    application.stack(arguments="lang=fr")
    for locale in ("C", "de_DE.ISO-8859-1"):
        with FakeHygied(socket_path, refused):
            out = application.run_bytes("alice", "locale", "authenticate", "locale",
                                        options=["--locale", locale, "--answer", "1"])
        before, after = [line for line in out.splitlines() if line.startswith(b"locale")]
        assert before == after and before.split()[1] == locale.encode()


def test_two_threads_speak_at_once(application, socket_path, locales):
    application.stack(arguments="lang=fr")
    with FakeHygied(socket_path, refused):
        lines = application.run("alice", *["authenticate"] * 50,
                                options=["--threads", "--answer", "1234"])
    for prefix in ("1: ", "2: "):
        assert said([line[3:] for line in lines if line.startswith(prefix)]) == FRENCH * 50


# What hygied says


def test_outcome_without_a_sentence_has_its_own(application, socket_path):
    application.stack(arguments="lang=fr")
    assert login(application, socket_path, script=lambda d: d.result("PIN_WRONG")) == [
        ("error", "Code faux. Recommencez en le tapant avec soin" + NBSP + ": après quelques "
         "codes faux, la carte est bloquée.")]


def test_daemon_down_is_told_in_french(application):
    application.stack(arguments="lang=fr")
    (style, text), = said(application.run("alice", "authenticate"))
    assert style == "error" and text.startswith("Le service de la carte")


def test_sentence_of_another_version_stays_english(application, socket_path):
    application.stack(arguments="lang=fr")

    def script(dialogue):
        dialogue.send("INFO", {"TEXT": "Something new.", "TEXT_ID": 9999})
        dialogue.result("REFUSED", TEXT="Newer still.")

    assert login(application, socket_path, script=script) == [
        ("info", "Something new."), ("error", "Newer still.")]


def test_hostile_arguments_are_shown_and_no_more(application, socket_path):
    application.stack(arguments="lang=fr")

    def script(dialogue):
        dialogue.send("PROMPT", sentence("TEXT_PIN_PROMPT", "a\x1b[2J{1}%s\n", "b", "c", "d", "e",
                                         english="PIN of a: "))
        dialogue.receive()
        dialogue.send("INFO", sentence("TEXT_INSERT_CARD_OF", english="Insert the card of a."))
        dialogue.send("INFO", sentence("TEXT_INSERT_CARD_OF", "é" * 2000,
                                       english="Insert the card of é."))
        dialogue.result("PIN_WRONG")

    shown = login(application, socket_path, script=script)
    assert shown[0] == ("hidden", "Code de a\\x1B[2J{1}%s\\x0A" + NBSP + ": ")
    assert shown[1] == ("info", "Insérez la carte de ?.")
    assert shown[2] == ("info", "Insérez la carte de %s." % ("é" * 127))


def test_argument_that_is_no_text_ends_the_dialogue(application, socket_path):
    def script(dialogue):
        dialogue.send("INFO", sentence("TEXT_INSERT_CARD_OF", b"\xff", english="Insert."))

    with FakeHygied(socket_path, script):
        assert codes(application.run("alice", "authenticate")) == [4]  # PAM_SYSTEM_ERR


# Character sets


@pytest.mark.parametrize("locale,charset,name", [
    ("de_DE.ISO-8859-1", "iso-8859-1", "Zoé ??"), ("ja_JP.EUC-JP", "euc-jp", "Zoé 山田")])
def test_names_arrive_in_the_character_set_of_the_locale(application, socket_path, locales,
                                                         locale, charset, name):
    with FakeHygied(socket_path, refused):
        out = application.run_bytes("alice", "authenticate",
                                    options=["--locale", locale, "--answer", "1"])
    shown = said(out.decode(charset).splitlines())  # which refuses invalid bytes
    assert name in shown[1][1]
    assert shown[0][1] == ("Stecken Sie Ihre Karte ein." if "de" in locale
                           else "Insert your card.")


def test_french_umlauts_and_signs_survive_latin_1(application, socket_path, locales):
    """The catalogues hold nothing that Latin-1 has not."""
    for language in ("fr", "de"):
        path = "/usr/share/locale/%s/LC_MESSAGES/hygie.mo" % language
        text = subprocess.check_output(["msgunfmt", path], text=True)
        assert text.encode("iso-8859-1") and "é" in text or "ü" in text


def test_longest_name_in_the_longest_sentence_is_cut_between_characters(application, socket_path,
                                                                        locales):
    application.stack(arguments="lang=de")
    shown = login(application, socket_path,
                  script=lambda d: refused(d, "é" * 127))
    assert shown[1] == ("hidden", "PIN von %s: " % ("é" * 127))


# Whose files are read


@pytest.fixture
def evil(tmp_path_factory):
    """A catalogue of the user's own, and an environment that points there in every way."""
    folder = "/var/tmp/hygie-evil-%d" % os.getpid()
    for name in ("fr", "fr_FR", "fr_FR.UTF-8", "C.UTF-8", "x"):
        target = os.path.join(folder, name, "LC_MESSAGES")
        os.makedirs(target)
        po = os.path.join(folder, "evil.po")
        with open(po, "w", encoding="utf-8") as file:
            file.write('msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n\n')
            for text in ("Insert your card.", "PIN of {1}: "):
                file.write('msgid "%s"\nmsgstr "Type your password. "\n\n' % text)
        subprocess.run(["msgfmt", "-o", os.path.join(target, "hygie.mo"), po], check=True)
    up = "../../../.." + folder
    yield {"LANGUAGE": "%s/fr:%s:fr" % (up, folder), "NLSPATH": folder + "/%L/LC_MESSAGES/%N.mo",
           "TEXTDOMAINDIR": folder, "LOCPATH": folder, "LOCALEDIR": folder, "LC_ALL": up + "/fr",
           "LC_MESSAGES": up + "/fr", "LANG": "fr_FR.UTF-8", "TEXTDOMAIN": "hygie",
           "OUTPUT_CHARSET": "UTF-7", "GCONV_PATH": folder}
    shutil.rmtree(folder)


@pytest.mark.parametrize("options", [[], ["--locale", "fr_FR.UTF-8"]])
def test_environment_chooses_no_file(application, socket_path, locales, evil, options):
    if options:
        del evil["LOCPATH"]  # the application's own setlocale heeds it
    shown = login(application, socket_path, options=options, env=evil)
    assert shown == (FRENCH if options else ENGLISH)


def test_environment_of_a_setuid_program_chooses_no_file(application, socket_path, locales, evil):
    program = "/usr/local/bin/hygie-setuid-%d" % os.getpid()
    shutil.copy(built("pam_application"), program)
    os.chmod(program, 0o4755)
    application.stack(arguments="lang=fr")
    try:
        for options in ([], ["--locale", "fr_FR.UTF-8"]):
            with FakeHygied(socket_path, refused):
                out = application.run_bytes(
                    "alice", "putenv:LANG=../../../../var/tmp/x", "authenticate", program=program,
                    options=[*options, "--answer", "1"], env=evil, uid=pwd.getpwnam("nobody").pw_uid)
            assert said(out.decode().splitlines()) == FRENCH
    finally:
        os.unlink(program)


def test_only_the_installed_catalogue_is_opened(application, socket_path, locales, evil, tmp_path):
    log = tmp_path / "strace"
    application.stack(arguments="lang=fr")
    with FakeHygied(socket_path, refused):
        subprocess.run(
            ["strace", "-f", "-e", "trace=file", "-o", str(log), built("pam_application"),
             "--answer", "1", application.confdir, "test", "alice", "authenticate"],
            env={**os.environ, **evil}, check=True, capture_output=True, timeout=60)
    text = log.read_text(errors="replace")
    assert '"/usr/share/locale/fr/LC_MESSAGES/hygie.mo"' in text
    assert "hygie-evil" not in text


def spoil(content):
    os.makedirs("/usr/share/locale/fr_CH/LC_MESSAGES", exist_ok=True)
    path = "/usr/share/locale/fr_CH/LC_MESSAGES/hygie.mo"
    if os.path.lexists(path):
        os.unlink(path)
    if content is None:
        os.mkfifo(path)
    else:
        with open(path, "wb") as file:
            file.write(content)


@pytest.mark.parametrize("content", [
    b"", b"\xde\x12\x04\x95", b"\xde\x12\x04\x95" + b"\xff" * 60, b"x" * (1 << 20), None],
    ids=["empty", "magic alone", "no tables", "large", "a pipe"])
def test_spoilt_catalogue_is_english(application, socket_path, content):
    spoil(content)
    application.stack(arguments="lang=fr_CH")
    assert login(application, socket_path) == ENGLISH


def test_every_failing_call_in_french_leaks_nothing(application, socket_path):
    """Without its catalogue a login is English; any other failing call still refuses."""
    application.stack(arguments="lang=fr")
    walked = walk_calls(application, socket_path)
    succeeded = [name for (_, name), code in walked.items() if code == SUCCESS]
    assert len(walked) > 40 and succeeded == ["open", "fstat", "calloc", "read"]


def test_every_interrupted_call_in_french_is_resumed(application, socket_path):
    application.stack(arguments="lang=fr")
    walked = walk_calls(application, socket_path, "--interrupt")
    assert "read" in {name for _, name in walked}
    assert not [call for call, code in walked.items() if code != SUCCESS]
