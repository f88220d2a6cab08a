# SPDX-License-Identifier: Apache-2.0
"""The hygie command against a hygied that does what the test says: on a terminal, in a
pipe, and as JSON."""

import json
import os
import re
import signal
import subprocess
import threading

import pexpect
import pytest
import wire
from conftest import built
from fake_hygied import Cancelled, FakeHygied, answers

HYGIE = built("hygie/hygie", "hygie")
EXITS = {
    "OK": 0, "REFUSED": 1, "USER_UNKNOWN": 5, "NOT_FOUND": 5, "ALREADY_ENROLLED": 5, "NO_SUCH_USER": 5,
    "NOT_ALLOWED": 6, "GAVE_UP": 8, "TIMED_OUT": 8,
    **{name[len("HYGIE_"):]: 3 for name in wire.OUTCOMES if "CARD" in name or "READER" in name},
    **{name[len("HYGIE_"):]: 4 for name in wire.OUTCOMES if "_PIN" in name or "_PUK" in name},
    **dict.fromkeys(["TOO_MANY", "UNAVAILABLE", "BROKEN_SETUP", "FAULT", "BAD_REQUEST"], 7),
}
SOMEDAY = 1893456000  # 2030-01-01T00:00:00Z
CARD = "0123456789abcdef"


@pytest.fixture
def hygie(socket_path):
    """Runs it in a pipe: the finished process."""

    def run(*arguments, typed="", **environment):
        return subprocess.run(
            [HYGIE, "--socket", socket_path, *arguments], input=typed, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False,
            env={**os.environ, "LC_ALL": "C.UTF-8", **environment}, encoding="utf-8",
        )

    return run


@pytest.fixture
def terminal(socket_path):
    """Starts it on a terminal of 200 columns."""
    children = []

    def start(*arguments, **environment):
        child = pexpect.spawn(
            HYGIE, ["--socket", socket_path, *arguments], timeout=20, encoding="utf-8",
            dimensions=(24, 200), echo=True,
            env={**os.environ, "TERM": "xterm", "LC_ALL": "C.UTF-8", **environment},
        )
        children.append(child)
        return child

    yield start
    for child in children:
        child.close(force=True)


def finish(child):
    """What it printed to its end, and its exit status."""
    child.expect(pexpect.EOF)
    child.close()
    return child.before.replace("\r\n", "\n"), child.exitstatus


def status(dialogue):
    dialogue.item("service", NAME="hygied", VALUE="running")
    dialogue.item("service", NAME="cardholders", VALUE="12")
    dialogue.item("reader", READER="Reader A", STATE="ready", HOLDER="Zoé MÜLLER",
                  SCHEME="fr-igc-sante", PERSON_ID="8…1234", CARD_ID=CARD, USER="zoe",
                  NOT_AFTER=SOMEDAY, TRUST="ok", EXCLUSIVE=1, TRIES="last")
    dialogue.item("reader", READER="Reader B", STATE="empty")
    dialogue.item("reader", READER="C", STATE="ready", HOLDER="山田", EXCLUSIVE=0,
                  TRUST="revoked", CARD_ID="f" * 16)
    dialogue.result("OK")


def cards(dialogue):
    dialogue.item("enrolment", USER="zoe", CARD_ID=CARD, HOLDER="Zoé", SCHEME="us-piv",
                  PERSON_ID="1", ISSUER="CA", NOT_AFTER=SOMEDAY, STATE="active",
                  ENROLLED_BY="root", ENROLLED_AT=0)
    dialogue.item("enrolment", USER="yves", CARD_ID="f" * 16, STATE="revoked",
                  REVOKED_AT=SOMEDAY)
    dialogue.result("OK")


# Usage


@pytest.mark.parametrize("arguments", [
    [], ["frobnicate"], ["status", "more"], ["--frob"], ["enroll"], ["enroll", "a", "b"],
    ["enroll", ""], ["enroll", "x" * 256], ["config"], ["config", "frob"], ["revoke"],
    ["revoke", "xyz"], ["revoke", CARD + "0"], ["revoke", CARD, "--user", "a"],
    ["revoke", "--user", ""], ["status", "--reassign"], ["cards", "--reader", "x"],
    ["status", "--socket"], ["status", "1", "2", "3", "4", "5", "6"], ["session-lock"],
    ["session-lock", "--seen-by", "hope", "i3lock"], ["session-lock", "--seen-by", "fork"],
    ["status", "--seen-by", "fork"],
])
def test_wrong_usage_exits_2_and_asks_nothing(hygie, socket_path, arguments):
    with FakeHygied(socket_path, answers("OK")) as daemon:
        plain = hygie(*arguments)
        as_json = hygie("--json", *arguments)
    assert plain.returncode == 2 and plain.stderr.startswith("hygie: ")
    assert plain.stdout == ""
    if arguments[-1:] != ["--socket"]:
        assert as_json.returncode == 2 and json.loads(as_json.stdout)["outcome"] == "usage"
    assert not daemon.dialogues


def test_words_behind_a_locker_are_the_lockers(hygie):
    ours = hygie("session-lock", "--frob", "i3lock")
    assert ours.returncode == 2 and "--frob" in ours.stderr
    for words in (["i3lock", "--frob"], ["--seen-by=fork", "i3lock", "--help", "-V", "x"],
                  ["--", "i3lock", "--json"], ["i3lock"] + ["-x"] * 62):
        done = hygie("session-lock", *words)
        assert done.returncode == 2 and not done.stdout
        assert "runs in no session" in done.stderr, done.stderr
    assert "Too many arguments" in hygie("session-lock", "i3lock", *["-x"] * 64).stderr


def test_help_and_version_go_to_standard_output(hygie):
    top = hygie("--help")
    assert top.returncode == 0 and "Commands:" in top.stdout and not top.stderr
    for word in ("status", "cards", "enroll", "revoke", "config check", "session-lock"):
        assert "\n  %s " % word in top.stdout
        mine = hygie(*word.split(), "--help")
        assert mine.returncode == 0 and mine.stdout.startswith("Usage: hygie %s" % word)
    assert re.fullmatch(r"hygie \S+\n", hygie("--version").stdout)


# Outcomes


@pytest.mark.parametrize("outcome", [name[len("HYGIE_"):] for name in wire.OUTCOMES])
@pytest.mark.parametrize("command", [["status"], ["cards"], ["enroll", "zoe"], ["revoke", CARD]])
def test_outcome_is_the_exit_status(hygie, socket_path, outcome, command):
    with FakeHygied(socket_path, answers(outcome, TEXT="Do this.")):
        plain = hygie(*command)
        as_json = hygie(*command, "--json")
    value = json.loads(as_json.stdout)
    assert plain.returncode == as_json.returncode == EXITS[outcome]
    assert value["outcome"] == outcome.lower().replace("_", "-")
    assert value["text"] == "Do this." and as_json.stderr == ""
    if outcome != "OK":
        assert plain.stderr == "hygie: Do this.\n" and plain.stdout == ""


def test_daemon_down_says_what_to_do(hygie):
    done = hygie("status")
    assert done.returncode == 7 and "start hygied" in done.stderr
    assert json.loads(hygie("status", "--json").stdout)["outcome"] == "unavailable"


def test_full_disk_is_no_success(socket_path):
    with FakeHygied(socket_path, cards):
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run([HYGIE, "--socket", socket_path, "cards"], stdout=full,
                                  stderr=subprocess.PIPE, check=False)
    assert done.returncode != 0 and b"cannot write" in done.stderr


# Lists


def test_pipe_gets_a_line_each_with_every_column(hygie, socket_path):
    with FakeHygied(socket_path, status, cards):
        first, second = hygie("status"), hygie("cards")
    assert first.stdout.split("\n") == [
        "service\thygied\trunning",
        "service\tcardholders\t12",
        "reader\tReader A\tready\tZoé MÜLLER\tzoe\t" + CARD +
        "\tfr-igc-sante\t8…1234\t2030-01-01T00:00:00Z\tok\tlast\tyes",
        "reader\tReader B\tempty\t\t\t\t\t\t\t\t\t",
        "reader\tC\tready\t山田\t\tffffffffffffffff\t\t\t\trevoked\t\tno",
        "",
    ]
    assert second.stdout.split("\n")[0] == (
        "zoe\t" + CARD + "\tZoé\tus-piv\t1\tCA\t2030-01-01T00:00:00Z\tactive\troot\t"
        "1970-01-01T00:00:00Z\t\t")


def test_json_has_every_field(hygie, socket_path):
    with FakeHygied(socket_path, status, cards):
        first = json.loads(hygie("status", "--json").stdout)
        second = json.loads(hygie("cards", "--json").stdout)
    assert first["services"] == [{"name": "hygied", "value": "running"},
                                 {"name": "cardholders", "value": "12"}]
    assert first["readers"][0] == {
        "reader": "Reader A", "user": "zoe", "card_id": CARD, "state": "ready",
        "holder": "Zoé MÜLLER", "scheme": "fr-igc-sante", "person_id": "8…1234",
        "not_after": "2030-01-01T00:00:00Z", "trust": "ok", "exclusive": True,
        "tries": "last"}
    assert first["readers"][1] == {"reader": "Reader B", "state": "empty"}
    assert [card["state"] for card in second["enrolments"]] == ["active", "revoked"]


def plain_of(text):
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


@pytest.mark.parametrize("locale,third", [("C.UTF-8", "山田        "), ("C", "??          ")])
def test_terminal_aligns_columns_by_their_width(terminal, socket_path, locale, third):
    with FakeHygied(socket_path, status):
        text, code = finish(terminal("status", LC_ALL=locale))
    lines = plain_of(text).split("\n")
    begin = next(i for i, line in enumerate(lines) if line.startswith("READER"))
    heading, first = lines[begin:begin + 2]
    assert code == 0
    assert heading.index("USER") == first.index("zoe")
    assert heading.index("UNTIL") == first.index("2030-01-01 ")
    # Two characters that take two columns each, or one "?" each.
    if locale == "C":
        assert "Zo? M?LLER  zoe" in first
        assert third + "-" in lines[begin + 3]
    else:
        assert "Zoé MÜLLER  zoe" in first
        assert third in lines[begin + 3]
        assert lines[begin + 3].index("ffff") == first.index(CARD) - 2
    assert not [line for line in lines if line.endswith(" ")]


def test_colours_are_for_terminals_that_want_them(terminal, hygie, socket_path):
    with FakeHygied(socket_path, status):
        coloured, _ = finish(terminal("status"))
        uncoloured = [finish(terminal("status", NO_COLOR="1"))[0],
                      finish(terminal("status", TERM="dumb"))[0],
                      hygie("status").stdout]
    assert "\x1b[31mlast\x1b[0m" in coloured and "\x1b[32mready\x1b[0m" in coloured
    assert all("\x1b" not in text for text in uncoloured)


@pytest.mark.parametrize("command,sentence", [
    ("cards", "No card is enrolled. Put one in and run: hygie enroll USER"),
    ("status", "No card reader is attached.")])
def test_empty_list_is_said(terminal, hygie, socket_path, command, sentence):
    with FakeHygied(socket_path, answers("OK")):
        text, code = finish(terminal(command))
        piped = hygie(command)
        as_json = json.loads(hygie(command, "--json").stdout)
    assert code == piped.returncode == 0 and sentence in text
    assert piped.stdout == "" and sentence in piped.stderr
    assert [] in as_json.values()


def test_names_cannot_steer_the_terminal(terminal, hygie, socket_path):
    evil = "a\x1b]0;x\x07\tb\nc\u202e\x9b\x7f"

    def script(dialogue):
        dialogue.item("enrolment", USER=evil, HOLDER=b"\xff\x00" + evil.encode(), STATE=evil)
        dialogue.item("enrolment", USER="z", HOLDER="already \\x1B escaped")
        dialogue.info(evil)
        dialogue.result("OK", TEXT=evil)

    with FakeHygied(socket_path, script):
        piped, as_json = hygie("cards"), hygie("cards", "--json")
        text, _ = finish(terminal("cards", NO_COLOR="1"))
    for output in (piped.stdout, piped.stderr, as_json.stdout, as_json.stderr, text):
        assert all(c.isprintable() or c in "\n\t" for c in output), output
    assert len(piped.stdout.splitlines()) == 2
    assert all(line.count("\t") == 11 for line in piped.stdout.splitlines())
    # What hygied has escaped is not escaped again.
    assert "already \\x1B escaped" in piped.stdout
    assert json.loads(as_json.stdout)["enrolments"][0]["holder"].startswith("\\xFF\\x00a\\x1B")


# Enrolment and revocation


def enrolment(pin):
    def script(dialogue):
        dialogue.info("Card of Zoé, for user zoe.")
        dialogue.warning("This is a TEST card.")
        dialogue.progress("Reading the card...")
        if dialogue.prompt("PIN of Zoé: ") == pin:
            dialogue.result("OK", TEXT="Enrolled.", USER="zoe", HOLDER="Zoé",
                            NOT_AFTER=SOMEDAY)
        else:
            dialogue.result("PIN_WRONG")

    return script


def test_enroll_asks_on_the_terminal_without_echo(terminal, socket_path):
    with FakeHygied(socket_path, enrolment(b"271828")) as daemon:
        child = terminal("enroll", "zoe", "--reassign", "--reader", "Reader A")
        child.expect_exact("Card of Zoé, for user zoe.")
        child.expect_exact("This is a TEST card.")
        child.expect_exact("Reading the card...")
        child.expect_exact("PIN of Zoé: ")
        child.waitnoecho()
        child.sendline("271828")
        text, code = finish(child)
    assert code == 0 and "Enrolled." in text and "271828" not in text
    request = daemon.requests[0]
    assert request.type == "REQUEST_ENROL" and request.get("USER") == "zoe"
    assert request.get("FLAGS") == wire.REQUEST_FLAGS["REQUEST_REASSIGN"]
    assert request.get("READER") == "Reader A"


def test_echo_comes_back_after_the_prompt(socket_path):
    with FakeHygied(socket_path, enrolment(b"1")):
        child = pexpect.spawn("/bin/sh", ["-c", "%s --socket %s enroll zoe; stty -a" %
                                          (HYGIE, socket_path)], timeout=20, encoding="utf-8")
        child.expect_exact("PIN of Zoé: ")
        child.waitnoecho()
        child.sendline("2")
        text, _ = finish(child)
    assert "Wrong PIN." in text and re.search(r"\secho\s", text)


@pytest.mark.parametrize("key,number", [("\x03", signal.SIGINT), ("\x1c", signal.SIGQUIT)])
def test_interrupt_restores_the_terminal_and_ends(socket_path, key, number):
    def script(dialogue):
        dialogue.ask("PIN: ")
        assert dialogue.connection.recv(100) == b""

    with FakeHygied(socket_path, script):
        child = pexpect.spawn(
            "/bin/sh", ["-c", "ulimit -c 0; trap : INT QUIT; %s --socket %s enroll zoe; "
                        "echo exit $?; stty -a" % (HYGIE, socket_path)],
            timeout=20, encoding="utf-8", preexec_fn=lambda: [
                signal.signal(each, signal.SIG_DFL)  # a shell's background job ignores both
                for each in (signal.SIGINT, signal.SIGQUIT)])
        child.expect_exact("PIN: ")
        child.waitnoecho()
        child.send("27" + key)
        text, _ = finish(child)
    assert "exit %d" % (128 + number) in text and re.search(r"\secho\s", text)


def test_end_of_file_at_the_prompt_gives_up(terminal, socket_path):
    def script(dialogue):
        with pytest.raises(Cancelled):
            dialogue.prompt("PIN: ")
        dialogue.result("GAVE_UP")

    with FakeHygied(socket_path, script):
        child = terminal("enroll", "zoe")
        child.expect_exact("PIN: ")
        child.waitnoecho()
        child.send("\x04")
        text, code = finish(child)
    assert code == 8 and "Cancelled." in text


def test_stopped_command_asks_again_when_it_goes_on(socket_path):
    with FakeHygied(socket_path, enrolment(b"271828")):
        child = pexpect.spawn("/bin/bash", ["--norc", "-i"], timeout=20, encoding="utf-8",
                              env=dict(os.environ, PS1="$ ", LC_ALL="C.UTF-8"))
        child.expect_exact("$ ")
        child.sendline("%s --socket %s enroll zoe" % (HYGIE, socket_path))
        child.expect_exact("PIN of Zoé: ")
        child.waitnoecho()
        child.send("999\x1a")
        child.expect("Stopped")
        child.expect_exact("$ ")
        child.sendline("fg")
        child.expect_exact("PIN of Zoé: ")
        child.waitnoecho()
        child.sendline("271828")
        child.expect_exact("Enrolled.")
        child.sendline("exit")
        child.expect(pexpect.EOF)


def test_pulled_card_ends_the_prompt_at_once(terminal, socket_path):
    def script(dialogue):
        dialogue.ask("PIN: ")
        started.wait(20)
        dialogue.result("CARD_REMOVED", TEXT="The card was taken out.")
        assert dialogue.connection.recv(100) == b""  # and no PIN came

    started = threading.Event()
    with FakeHygied(socket_path, script):
        child = terminal("enroll", "zoe")
        child.expect_exact("PIN: ")
        child.waitnoecho()
        child.send("2718")
        started.set()
        text, code = finish(child)
    assert code == 3 and "The card was taken out." in text


def test_too_long_pin_is_not_sent(terminal, hygie, socket_path):
    def script(dialogue):
        with pytest.raises(Cancelled):
            dialogue.prompt("PIN: ")
        dialogue.result("GAVE_UP")

    with FakeHygied(socket_path, script):
        child = terminal("enroll", "zoe")
        child.expect_exact("PIN: ")
        child.waitnoecho()
        child.sendline("7" * 500)
        text, code = finish(child)
        piped = [hygie("enroll", "zoe", "--pin-stdin", typed="7" * 65 + "\n"),
                 hygie("enroll", "zoe", "--pin-stdin", typed="7" * 5000)]
    assert code == 4 and "cannot be this card's PIN" in text
    assert all(done.returncode == 4 for done in piped)


@pytest.mark.parametrize("typed", ["271828\n", "271828"])
def test_pin_from_standard_input(hygie, socket_path, typed):
    with FakeHygied(socket_path, enrolment(b"271828")):
        done = hygie("enroll", "zoe", "--pin-stdin", "--json", typed=typed)
    assert done.returncode == 0 and json.loads(done.stdout) == {
        "outcome": "ok", "text": "Enrolled.", "user": "zoe", "holder": "Zoé",
        "not_after": "2030-01-01T00:00:00Z"}
    assert done.stderr == "Card of Zoé, for user zoe.\nwarning: This is a TEST card.\n"


def test_each_prompt_takes_one_line_of_standard_input(hygie, socket_path):
    def script(dialogue):
        assert dialogue.prompt("PIN: ") == b"1"
        assert dialogue.prompt("Again: ") == b"22"
        with pytest.raises(Cancelled):
            dialogue.prompt("And again: ")
        dialogue.result("GAVE_UP")

    with FakeHygied(socket_path, script):
        assert hygie("enroll", "zoe", "--pin-stdin", typed="1\n22\n").returncode == 8


def test_pin_stdin_refuses_a_terminal(terminal, socket_path):
    with FakeHygied(socket_path, answers("OK")) as daemon:
        text, code = finish(terminal("enroll", "zoe", "--pin-stdin"))
    assert code == 2 and "for scripts" in text and not daemon.dialogues


def test_without_a_terminal_the_prompt_says_how(socket_path):
    def script(dialogue):
        with pytest.raises(Cancelled):
            dialogue.prompt("PIN: ")
        dialogue.result("GAVE_UP")

    with FakeHygied(socket_path, script):
        done = subprocess.run(
            [HYGIE, "--socket", socket_path, "enroll", "zoe"], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
            timeout=60, check=False)
    assert done.returncode == 8 and b"--pin-stdin" in done.stderr


def test_revoke_names_a_card_or_a_user(hygie, socket_path):
    with FakeHygied(socket_path, answers("OK", TEXT="1 card revoked.")) as daemon:
        assert hygie("revoke", CARD, "--reason", "lost").stdout == "1 card revoked.\n"
        assert hygie("revoke", "--user", "zoe").returncode == 0
        assert hygie("revoke", "A" * 64).returncode == 0
    first, second, third = daemon.requests
    assert dict(first.fields) == {"CARD_ID": CARD, "TEXT": "lost"}
    assert dict(second.fields) == {"USER": "zoe"}
    assert first.type == "REQUEST_REVOKE" and third.get("CARD_ID") == "A" * 64


# The configuration


def test_config_check_tells_every_mistake(hygie, tmp_path):
    path = tmp_path / "hygie.conf"
    path.write_text("[login]\npin_wait = never\n[nonsense]\na = b\n", encoding="ascii")
    plain = hygie("config", "check", "--config", str(path))
    value = json.loads(hygie("config", "check", "--json", "--config", str(path)).stdout)
    assert plain.returncode == 7 and value["outcome"] == "broken-setup"
    assert "%s:2:" % path in plain.stderr and len(value["lines"]) >= 2


def test_config_check_fails_for_a_missing_file(hygie, tmp_path):
    assert hygie("config", "check", "--config", str(tmp_path / "none")).returncode == 7


@pytest.mark.parametrize("script,code,lines", [
    ("echo profiles: 3; echo \"$@\"", 0, ["profiles: 3", "--check --config {path}"]),
    ("printf 'bad\\033[2J\\n' >&2; exit 7", 7, ["bad\\x1B[2J"]),
    ("kill -9 $$", 7, []),
])
def test_config_check_asks_hygied_for_the_rest(socket_path, tmp_path, script, code, lines):
    with open(HYGIE, "rb") as file:
        hygied = re.search(rb"/[\w./-]*hygied(?=\0)", file.read()).group().decode()
    path = tmp_path / "hygie.conf"
    path.write_text("[login]\npin_wait = 30s\n", encoding="ascii")
    fake = tmp_path / "sbin"
    fake.mkdir()
    (fake / os.path.basename(hygied)).write_text("#!/bin/sh\n%s\n" % script, encoding="ascii")
    (fake / os.path.basename(hygied)).chmod(0o755)
    # The folder that hygied is installed in, with ours above it, for this run alone.
    folder = os.path.dirname(hygied)
    done = subprocess.run(
        ["unshare", "-m", "--propagation", "private", "/bin/sh", "-c",
         'mount -t overlay none -o "lowerdir=$1:$2" "$2" && shift 2 && exec "$@"', "sh",
         str(fake), folder, HYGIE, "config", "check", "--json", "--config", str(path)],
        stdout=subprocess.PIPE, timeout=60, check=False)
    assert done.returncode == code
    assert json.loads(done.stdout)["lines"] == [line.format(path=path) for line in lines]
