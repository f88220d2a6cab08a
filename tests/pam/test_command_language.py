# SPDX-License-Identifier: Apache-2.0
"""The hygie command in French and German: what people read is translated, what programs
read is not."""

import json
import subprocess

import pexpect
import pytest
import wire
from fake_hygied import FakeHygied, answers
from test_hygie_command import HYGIE, finish, hygie, status, terminal  # noqa: F401 (fixtures)

NBSP = "\u00a0"
FRENCH = {"LANGUAGE": "fr"}  # with LC_ALL=C.UTF-8, which needs no locale to be generated


def test_table_has_french_headings_and_words_and_leaves_names(terminal, socket_path):
    with FakeHygied(socket_path, status):
        text, code = finish(terminal("status", NO_COLOR="1", **FRENCH))
    lines = [line.split() for line in text.splitlines() if line]
    assert code == 0 and lines[0] == ["SERVICE", "ÉTAT"] and lines[1] == ["hygied", "en", "marche"]
    heading, = [line for line in text.splitlines() if line.startswith("LECTEUR")]
    row, = [line for line in text.splitlines() if line.startswith("Reader A")]
    for title, word in (("ÉTAT", "prête"), ("PORTEUR", "Zoé MÜLLER"), ("ESSAIS", "dernier"),
                        ("EXCLUSIF", "oui")):
        assert row[heading.index(title):].startswith(word), (title, text)


@pytest.mark.parametrize("language,told", [
    ("fr", "Le certificat de la carte a expiré" + NBSP + ": utilisez votre nouvelle carte, ou "
     "demandez-en une à l'émetteur."),
    ("de", "Das Zertifikat der Karte ist abgelaufen: Nehmen Sie Ihre neue Karte, oder bitten Sie "
     "den Herausgeber um eine.")])
def test_reason_of_distrust_is_translated_in_the_table(terminal, socket_path, language, told):
    def script(dialogue):
        dialogue.item("reader", READER="A", STATE="ready", TRUST="The card's certificate has "
                      "expired: use your new card, or ask its issuer for one.")
        dialogue.result("OK")

    with FakeHygied(socket_path, script):
        text, _ = finish(terminal("status", NO_COLOR="1", LANGUAGE=language))
    assert told in text


def test_pipe_is_for_programs(hygie, socket_path):
    with FakeHygied(socket_path, status):
        english = hygie("status", LANGUAGE="").stdout
    with FakeHygied(socket_path, status):
        assert hygie("status", **FRENCH).stdout == english
    assert "\tready\t" in english


@pytest.mark.parametrize("arguments", [
    ["status"], ["cards"], ["revoke", "x"], ["nonsense"], ["status", "--nonsense"],
    ["enroll", "zoe", "--pin-stdin"]])
def test_json_is_not_translated(hygie, socket_path, arguments):
    def script(dialogue):
        if dialogue.request.type == "REQUEST_ENROL":
            dialogue.prompt("PIN of Zoé: ")
        dialogue.result("CARD_REMOVED")

    told = []
    for language in ("", "fr"):
        with FakeHygied(socket_path, script):
            told.append(json.loads(hygie(*arguments, "--json", typed="1\n",
                                         LANGUAGE=language).stdout))
    assert told[0] == told[1] and told[0]["outcome"] != "ok"


@pytest.mark.parametrize("arguments,told", [
    (["nonsense"], "Cette commande n'existe pas.\nEssayez «%shygie --help%s»." % (NBSP, NBSP)),
    (["status", "--nonsense"], "L'option «%s--nonsense%s» n'existe pas." % (NBSP, NBSP)),
    (["status", "--reader", "A"], "--reader n'a pas de sens ici."),
    (["status", "more"], "Trop d'arguments.\nUtilisation%s: hygie status" % NBSP),
    (["revoke"], "Indiquez quelle carte, ou --user UTILISATEUR."),
    (["enroll", ""], "Ce n'est pas un nom d'utilisateur.")])
def test_mistakes_of_usage_are_told_in_french(hygie, arguments, told):
    done = hygie(*arguments, **FRENCH)
    assert done.returncode == 2 and done.stderr.startswith("hygie: " + told), done


def test_refusals_are_told_in_french(hygie, socket_path):
    with FakeHygied(socket_path, answers("NOT_ALLOWED")):
        done = hygie("revoke", "--user", "zoe", **FRENCH)
    assert done.stderr == ("hygie: Vous n'avez pas le droit de demander cela. Lancez la commande "
                           "en tant que root.\n")
    assert hygie("status", **FRENCH).stderr.startswith("hygie: Le service de la carte")


def test_number_of_cards_revoked_is_told_in_french(hygie, socket_path):
    def script(dialogue):
        dialogue.send("RESULT", [("OUTCOME", wire.OUTCOMES["HYGIE_OK"]),
                                 ("TEXT_ID", wire.TEXTS["TEXT_CARDS_REVOKED"]),
                                 ("TEXT", "3 cards were revoked."), ("TEXT_ARGUMENT", "3")])

    with FakeHygied(socket_path, script):
        done = hygie("revoke", "--user", "zoe", **FRENCH)
    assert (done.returncode, done.stdout) == (0, "3 cartes ont été révoquées.\n")


def test_help_is_in_german(hygie):
    text = hygie("--help", LANGUAGE="de").stdout
    assert text.startswith("Aufruf: hygie [--json]") and "Die registrierten Karten" in text


def enrolment(dialogue):
    name = "Zoé 山田"
    dialogue.send("WARNING", [("TEXT", "This is a test card."),
                              ("TEXT_ID", wire.TEXTS["TEXT_TEST_CARD"])])
    dialogue.send("PROMPT", [("TEXT", "PIN of %s: " % name), ("ECHO", 0),
                             ("TEXT_ID", wire.TEXTS["TEXT_PIN_PROMPT"]), ("TEXT_ARGUMENT", name)])
    assert dialogue.receive().get("ANSWER") == b"1234"
    dialogue.result("OK", USER="zoe")


def test_dialogue_is_in_french(terminal, socket_path):
    with FakeHygied(socket_path, enrolment):
        child = terminal("enroll", "zoe", NO_COLOR="1", **FRENCH)
        child.expect_exact("attention" + NBSP + ": C'est une carte de test. Ce poste est réglé")
        child.expect_exact("Code de Zoé 山田" + NBSP + ": ")
        child.sendline("1234")
        text, code = finish(child)
    assert code == 0 and "La carte est enrôlée." in text


def test_terminal_of_latin_1_gets_latin_1(socket_path):
    subprocess.run(["localedef", "-i", "fr_FR", "-f", "ISO-8859-1", "fr_FR.ISO-8859-1"],
                   check=False)
    with FakeHygied(socket_path, enrolment):
        child = pexpect.spawn(
            HYGIE, ["--socket", socket_path, "enroll", "zoe"], timeout=20, encoding="iso-8859-1",
            env={"TERM": "dumb", "LC_ALL": "fr_FR.ISO-8859-1"})
        child.expect_exact("test. Ce poste est réglé pour")
        child.expect_exact("Code de Zoé ??" + NBSP + ": ")
        child.sendline("1234")
        text, code = finish(child)
    assert code == 0 and "La carte est enrôlée." in text


def test_language_without_a_catalogue_is_english(hygie, socket_path):
    with FakeHygied(socket_path, answers("CARD_REMOVED")):
        done = hygie("status", LANGUAGE="it:es")
    assert done.stderr == "hygie: The card was taken out. Insert it and start again.\n"
