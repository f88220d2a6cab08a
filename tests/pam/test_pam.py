# SPDX-License-Identifier: Apache-2.0
"""pam_hygie.so as applications use it, against a hygied that does what the test says."""

import os
import subprocess
import time

import pytest
import wire
from conftest import built, codes, said
from fake_hygied import Cancelled, FakeHygied, PeerGone, answers, login

SUCCESS, SYSTEM_ERR, AUTH_ERR, AUTHINFO_UNAVAIL = 0, 4, 7, 9
USER_UNKNOWN, MAXTRIES, NEW_AUTHTOK_REQD, ACCT_EXPIRED = 10, 11, 12, 13
SESSION_ERR, CONV_ERR, IGNORE = 14, 19, 25
# What libpam answers when every module of a required stack answered PAM_IGNORE.
ALL_IGNORED = 6
YEAR = 365 * 24 * 3600

# The codes of authenticate that the design's table fixes; the others are AUTH_ERR.
CODES = {
    "OK": SUCCESS, "USER_UNKNOWN": USER_UNKNOWN, "NOT_FOUND": USER_UNKNOWN,
    "PIN_BLOCKED": MAXTRIES, "PUK_BLOCKED": MAXTRIES, "GAVE_UP": CONV_ERR,
    "BROKEN_SETUP": SYSTEM_ERR, "FAULT": SYSTEM_ERR, "BAD_REQUEST": SYSTEM_ERR,
    **dict.fromkeys(
        ["NO_CARD", "NO_READER", "CARD_UNREADABLE", "CARD_SILENT", "CARD_BUSY",
         "CARD_BROKEN", "TIMED_OUT", "TOO_MANY", "UNAVAILABLE"], AUTHINFO_UNAVAIL),
}
UNTOLD = {"OK", "USER_UNKNOWN", "NOT_FOUND", "GAVE_UP"}
OUTCOMES = [name[len("HYGIE_"):] for name in wire.OUTCOMES]


def ok(user="alice", **fields):
    return answers("OK", USER=user, **fields)


# The file itself


def test_module_needs_libpam_and_libc_alone():
    out = subprocess.check_output(["readelf", "-d", built("pam_hygie.so")], text=True)
    needed = sorted(line.split("[")[1].rstrip("]") for line in out.splitlines()
                    if "(NEEDED)" in line)
    assert needed == ["libc.so.6", "libpam.so.0"]


def test_module_exports_the_six_functions_alone():
    out = subprocess.check_output(
        ["nm", "-D", "--defined-only", built("pam_hygie.so")], text=True)
    assert sorted(line.split()[-1] for line in out.splitlines()) == [
        "pam_sm_acct_mgmt", "pam_sm_authenticate", "pam_sm_chauthtok",
        "pam_sm_close_session", "pam_sm_open_session", "pam_sm_setcred"]


def test_module_has_no_writable_state():
    """Only what the linker and the compiler's start-up code put there."""
    out = subprocess.check_output(["nm", built("pam_hygie.so")], text=True)
    writable = {line.split()[-1] for line in out.splitlines()
                if line.split()[-2] in "bBdD" and not line.split()[-1].startswith("_")}
    assert {name.split(".")[0] for name in writable} <= {"completed", "conversation_callbacks",
                                                         "rows", "templates"}


def test_module_asks_neither_the_environment_nor_threads_nor_other_libraries():
    out = subprocess.check_output(["nm", "-D", "--undefined-only", built("pam_hygie.so")],
                                  text=True)
    used = {line.split()[-1].split("@")[0] for line in out.splitlines()}
    unwanted = {"getenv", "secure_getenv", "dlopen", "pthread_create", "fork", "vfork", "execve",
                "posix_spawn", "system", "signal", "sigaction", "setlocale", "printf", "fprintf",
                "syslog", "pam_get_user", "pam_get_authtok", "select"}
    assert not used & unwanted and {"pam_get_item", "pam_syslog", "poll"} <= used


# Outcomes


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_outcome_has_its_code_and_its_text(application, socket_path, outcome):
    with FakeHygied(socket_path, answers(outcome, TEXT="Do this.", USER="alice")):
        lines = application.run("alice", "authenticate")
    assert codes(lines) == [CODES.get(outcome, AUTH_ERR)]
    assert said(lines) == ([] if outcome in UNTOLD else [("error", "Do this.")])


@pytest.mark.parametrize("number", [len(OUTCOMES), 255, 2**32 - 1])
def test_unknown_outcome_is_refused(application, socket_path, number):
    with FakeHygied(socket_path, answers(number, USER="alice")):
        assert application.code("alice", "authenticate") == AUTH_ERR


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_refusal_leaves_no_trace(application, socket_path, outcome):
    script = answers(outcome, USER="alice", TICKET="ab" * 32)
    steps = ["authenticate", "setcred", "acct_mgmt", "open_session", "env", "user"]
    with FakeHygied(socket_path, script) as daemon:
        lines = application.run("-", *steps)
    if outcome == "OK":
        assert "user alice" in lines and len(daemon.dialogues) == 2
    else:
        assert codes(lines)[2:] == [ALL_IGNORED] * 2 and len(daemon.dialogues) == 1
        assert "user (none)" in lines
    assert not [line for line in lines if line.startswith("env")]


def test_result_without_text_says_the_outcomes_own(application, socket_path):
    with FakeHygied(socket_path, answers("CARD_REMOVED")):
        lines = application.run("alice", "authenticate")
    assert said(lines) == [("error", "The card was taken out. Insert it and start again.")]


def test_daemon_down_is_authinfo_unavail(application):
    assert application.code("alice", "authenticate") == AUTHINFO_UNAVAIL


@pytest.mark.parametrize("data", [
    b"", b"\x01", wire.encode("RESULT"), b"\x02" + wire.encode("RESULT", {"OUTCOME": 1})[1:],
    wire.encode("RESULT", {"OUTCOME": b"\0\1"}), wire.encode("ANSWER", {"ANSWER": b"1"}),
    wire.encode("RESULT", {"OUTCOME": 1, "USER": "alice"}) + b"\0",
    wire.encode("RESULT", {"OUTCOME": 1, "USER": b"alice\0"}),
    wire.encode("RESULT", {"OUTCOME": 1, "USER": b"alice\xff"}),
    wire.encode("RESULT", {"OUTCOME": 1, "USER": "alice", "TICKET": "a" * 65}),
    wire.encode("RESULT", {"OUTCOME": 1, "USER": "a" * 256}),
    wire.encode("RESULT", {"OUTCOME": 1, "USER": "alice", "TEXT": "a" * 512}),
    wire.encode("RESULT", {"OUTCOME": 1, "USER": "alice", "NOT_AFTER": b"1"}),
    wire.encode("PROMPT", {"ECHO": 0}),
])
def test_malformed_answer_of_the_daemon_never_logs_in(application, socket_path, data):
    def script(dialogue):
        dialogue.send_bytes(data)

    with FakeHygied(socket_path, script):
        assert application.code("alice", "authenticate") in (SYSTEM_ERR, AUTHINFO_UNAVAIL)


def test_daemon_that_goes_away_at_the_prompt_is_unavailable(application, socket_path):
    def script(dialogue):
        dialogue.ask("PIN: ")
        dialogue.close()

    with FakeHygied(socket_path, script):
        code = application.code("alice", "authenticate", options=["--answer", "1234"])
    assert code == AUTHINFO_UNAVAIL


# Who


@pytest.mark.parametrize("user", ["-", ""])
def test_without_a_name_the_card_says_who(application, socket_path, user):
    with FakeHygied(socket_path, ok("bob")) as daemon:
        lines = application.run(user, "authenticate", "user")
    assert "USER" not in daemon.requests[0].names()
    assert codes(lines) == [SUCCESS] and "user bob" in lines


@pytest.mark.parametrize("fields", [{}, {"USER": ""}])
@pytest.mark.parametrize("user", ["-", "alice"])
def test_success_that_names_nobody_is_refused(application, socket_path, user, fields):
    with FakeHygied(socket_path, answers("OK", TICKET="ab" * 32, **fields)):
        lines = application.run(user, "authenticate", "env", "setcred")
    assert codes(lines)[0] == AUTH_ERR
    assert not [line for line in lines if line.startswith("env")]


def test_success_for_another_user_is_refused(application, socket_path):
    with FakeHygied(socket_path, ok("bob", TICKET="ab" * 32)):
        lines = application.run("alice", "authenticate", "acct_mgmt", "user", "env")
    assert codes(lines) == [AUTH_ERR, ALL_IGNORED]
    assert "user alice" in lines and not [line for line in lines if line.startswith("env")]


@pytest.mark.parametrize("user", ["a" * 256, "x" * 5000, b"al\xefce"])
def test_impossible_name_is_unknown_and_not_asked_for(application, socket_path, user):
    with FakeHygied(socket_path, ok()) as daemon:
        assert application.code(user, "authenticate") == USER_UNKNOWN
    assert not daemon.dialogues


def test_request_says_who_where_and_how(application, socket_path):
    with FakeHygied(socket_path, ok()) as daemon:
        application.run("alice", "authenticate",
                        options=["--tty", "tty1", "--rhost", "far.example", "--silent"])
    request = daemon.requests[0]
    assert request.type == "REQUEST_AUTHENTICATE"
    assert dict(request.fields) == {
        "USER": "alice", "SERVICE": "test", "TTY": "tty1", "REMOTE_HOST": "far.example",
        "FLAGS": wire.REQUEST_FLAGS["REQUEST_SILENT"]}


def test_hostile_remote_host_spoils_nothing(application, socket_path):
    with FakeHygied(socket_path, ok()) as daemon:
        code = application.code("alice", "authenticate",
                                options=["--rhost", b"\x1b[2J\xff" + b"h" * 4000])
    host = daemon.requests[0].get("REMOTE_HOST")
    assert code == SUCCESS
    assert host.startswith("\\x1B[2J\\xFFhhh") and len(host) < 256 and host.isprintable()


# The conversation


def test_right_pin_logs_in_and_wrong_pin_does_not(application, socket_path):
    with FakeHygied(socket_path, login(b"1234", "alice")) as daemon:
        right = application.run("alice", "authenticate", options=["--answer", "1234"])
        wrong = application.run("alice", "authenticate", options=["--answer", "12345"])
    assert codes(right) == [SUCCESS] and said(right) == [("hidden", "PIN of alice: ")]
    assert codes(wrong) == [AUTH_ERR] and said(wrong)[1:] == [("error", "Wrong PIN.")]
    assert daemon.dialogues[1].received[1].get("ANSWER") == b"12345"


def everything(dialogue):
    dialogue.info("Insert your card.")
    dialogue.warning("Few tries are left.")
    dialogue.progress("Reading...")
    user = dialogue.prompt("User name: ", echo=True)
    dialogue.prompt("PIN: ")
    dialogue.result("CARD_REMOVED", USER=user, TEXT="It went.")


def test_each_sentence_is_a_message_of_its_style(application, socket_path):
    with FakeHygied(socket_path, everything):
        lines = application.run("alice", "authenticate",
                                options=["--answer", "alice", "--answer", "1"])
    assert all(line.split()[1] == "1" for line in lines if line.startswith("say"))
    assert said(lines) == [
        ("info", "Insert your card."), ("error", "Few tries are left."),
        ("shown", "User name: "), ("hidden", "PIN: "), ("error", "It went.")]


def test_silent_leaves_prompts_alone(application, socket_path):
    with FakeHygied(socket_path, everything):
        lines = application.run("alice", "authenticate",
                                options=["--silent", "--answer", "alice"])
    assert said(lines) == [("shown", "User name: "), ("hidden", "PIN: ")]


def test_control_characters_never_reach_the_application(application, socket_path):
    def script(dialogue):
        dialogue.info("a\x1b[31mb\nsay 1 info forged")
        dialogue.prompt("PIN of \u202eecila\x07: ")
        dialogue.result("REFUSED", TEXT="no\r\x9b")

    with FakeHygied(socket_path, script):
        lines = application.run("alice", "authenticate", options=["--answer", "1"])
    assert len(said(lines)) == 3
    assert all(text.isprintable() for _, text in said(lines))


@pytest.mark.parametrize("options", [["--error-answer"], ["--null-answer"],
                                     ["--no-conversation"], []])
def test_conversation_that_fails_cancels(application, socket_path, options):
    def script(dialogue):
        with pytest.raises(Cancelled):
            dialogue.prompt("PIN: ")
        dialogue.result("GAVE_UP")

    with FakeHygied(socket_path, script):
        assert application.code("alice", "authenticate", options=options) == CONV_ERR


def test_success_after_a_cancel_is_not_believed(application, socket_path):
    def script(dialogue):
        with pytest.raises(Cancelled):
            dialogue.prompt("PIN: ")
        dialogue.ask("PIN once more: ")
        assert dialogue.receive().type == "CANCEL"
        dialogue.result("OK", USER="alice")

    with FakeHygied(socket_path, script):
        lines = application.run("alice", "authenticate", "acct_mgmt",
                                options=["--error-answer"])
    assert codes(lines) == [CONV_ERR, ALL_IGNORED]
    assert len(said(lines)) == 1


def test_daemon_that_does_not_heed_a_cancel_is_not_waited_for(application, socket_path):
    def script(dialogue):
        dialogue.ask("PIN: ")
        assert dialogue.receive().type == "CANCEL"
        assert dialogue.connection.recv(1) == b""

    begin = time.monotonic()
    with FakeHygied(socket_path, script):
        assert application.code("alice", "authenticate", options=["--error-answer"]) == CONV_ERR
    assert time.monotonic() - begin < 8


def test_sentence_that_the_application_refuses_does_not_end_the_login(application, socket_path):
    def script(dialogue):
        dialogue.info("Insert your card.")
        login(b"1234", "alice")(dialogue)

    with FakeHygied(socket_path, script):
        code = application.code("alice", "authenticate",
                                options=["--say-fails", "--answer", "1234"])
    assert code == SUCCESS


@pytest.mark.parametrize("echo,most", [(False, 64), (True, 255)])
def test_longest_answer_goes_whole(application, socket_path, echo, most):
    def script(dialogue):
        assert dialogue.prompt("Say: ", echo) == b"7" * most
        dialogue.result("OK", USER="alice")

    with FakeHygied(socket_path, script):
        code = application.code("alice", "authenticate", options=["--answer", "7" * most])
    assert code == SUCCESS


@pytest.mark.parametrize("length", [65, 512, 70000])
def test_longer_answer_is_not_cut_and_not_sent(application, socket_path, length):
    def script(dialogue):
        with pytest.raises(Cancelled):
            dialogue.prompt("PIN: ")
        dialogue.result("GAVE_UP")

    with FakeHygied(socket_path, script) as daemon:
        lines = application.run("alice", "authenticate", options=["--answer", "7" * length])
    assert codes(lines) == [AUTH_ERR]
    assert "cannot be this card's PIN" in said(lines)[-1][1]
    (cancel,) = daemon.dialogues[0].received[1:]
    assert cancel.type == "CANCEL" and cancel.get("OUTCOME") == wire.OUTCOMES["HYGIE_PIN_MALFORMED"]


@pytest.mark.parametrize("options", [["--answer", "n" * 256], ["--error-answer"]])
def test_nothing_else_is_said_to_be_no_pin(application, socket_path, options):
    """A name that is too long, a conversation that fails."""
    def script(dialogue):
        with pytest.raises(Cancelled):
            dialogue.prompt("Name: ", options[0] == "--answer")
        dialogue.result("GAVE_UP")

    with FakeHygied(socket_path, script) as daemon:
        application.run("alice", "authenticate", options=options)
    (cancel,) = daemon.dialogues[0].received[1:]
    assert (cancel.type, cancel.get("OUTCOME")) == ("CANCEL", None)


def test_empty_answer_is_an_answer(application, socket_path):
    with FakeHygied(socket_path, login(b"1234", "alice")) as daemon:
        application.run("alice", "authenticate", options=["--answer", ""])
    assert daemon.dialogues[0].received[1].get("ANSWER") == b""


def test_pin_stays_here_when_the_card_went_meanwhile(application, socket_path, tmp_path):
    fifo = str(tmp_path / "fifo")
    os.mkfifo(fifo)

    def script(dialogue):
        dialogue.ask("PIN: ")
        dialogue.result("CARD_REMOVED", TEXT="It went.")
        with open(fifo, "w", encoding="ascii") as file:
            file.write("!")
        assert dialogue.connection.recv(100) == b""

    with FakeHygied(socket_path, script):
        lines = application.run("alice", "authenticate",
                                options=["--answer", "1234", "--fifo", fifo])
    assert codes(lines) == [AUTH_ERR] and said(lines)[-1] == ("error", "It went.")


# What is left behind


def test_mark_serves_the_later_functions(application, socket_path):
    with FakeHygied(socket_path, ok(NOT_AFTER=int(time.time()) + YEAR)):
        lines = application.run("alice", "authenticate", "setcred", "acct_mgmt", "chauthtok")
    assert codes(lines)[:3] == [SUCCESS] * 3
    assert codes(lines)[3] != SUCCESS


def test_later_functions_ignore_a_login_of_others(application, socket_path):
    with FakeHygied(socket_path, ok()) as daemon:
        for step in ("acct_mgmt", "open_session", "close_session"):
            assert application.code("alice", step) == ALL_IGNORED, step
    assert not daemon.dialogues


def test_setcred_alone_passes_where_all_that_is_not_named_dies(application, socket_path):
    """So cron calls it, and sshd in a process that did not authenticate."""
    application.stack(control="[success=1 user_unknown=ignore default=die]",
                      after="auth requisite pam_deny.so\nauth required pam_permit.so\n")
    with FakeHygied(socket_path, ok()) as daemon:
        assert application.code("alice", "setcred") == SUCCESS
    assert not daemon.dialogues


def test_acct_mgmt_works_with_the_daemon_down(application, socket_path):
    with FakeHygied(socket_path, ok(NOT_AFTER=int(time.time()) - 10)):
        assert application.code("alice", "authenticate", "acct_mgmt") == ACCT_EXPIRED


def test_acct_mgmt_asks_for_a_new_pin(application, socket_path):
    flags = wire.RESULT_FLAGS["RESULT_PIN_MUST_CHANGE"]
    with FakeHygied(socket_path, ok(FLAGS=flags)):
        assert application.code("alice", "authenticate", "acct_mgmt") == NEW_AUTHTOK_REQD


def test_failed_second_try_takes_the_first_success_away(application, socket_path):
    with FakeHygied(socket_path, ok(TICKET="ab" * 32), answers("PIN_WRONG")):
        lines = application.run("alice", "authenticate", "authenticate", "acct_mgmt", "env")
    assert codes(lines) == [SUCCESS, AUTH_ERR, ALL_IGNORED]
    assert not [line for line in lines if line.startswith("env")]


def test_ticket_opens_the_session_once(application, socket_path):
    with FakeHygied(socket_path, ok(TICKET="cd" * 32), answers("OK")) as daemon:
        lines = application.run("alice", "authenticate", "env", "session-id", "open_session",
                                "env", "close_session", "close_session", "open_session")
    assert codes(lines) == [SUCCESS, SUCCESS, SUCCESS, ALL_IGNORED, ALL_IGNORED]
    assert lines.count("env HYGIE_TICKET=" + "cd" * 32) == 1
    opened, closed = daemon.requests[1:]
    assert opened.type == "REQUEST_OPEN_SESSION" and opened.get("TICKET") == "cd" * 32
    assert opened.get("SESSION") == "c7" and opened.get("USER") == "alice"
    assert closed.type == "REQUEST_CLOSE_SESSION" and closed.get("SESSION") == "c7"


def test_session_ignores_a_daemon_that_is_down(application, socket_path):
    lines = application.run("alice", "ticket-forged", "open_session", "env")
    assert codes(lines) == [ALL_IGNORED]
    assert not [line for line in lines if line.startswith("env")]


def test_session_refused_by_a_living_daemon_is_an_error(application, socket_path):
    with FakeHygied(socket_path, answers("REFUSED")):
        lines = application.run("alice", "ticket-forged", "open_session", "env",
                                "close_session")
    assert codes(lines) == [SESSION_ERR, ALL_IGNORED]
    assert not [line for line in lines if line.startswith("env")]


@pytest.mark.parametrize("outcome", ["OK", "PIN_WRONG", "CARD_REMOVED"])
def test_authtok_is_not_set(application, socket_path, outcome):
    application.stack(after="auth required %s\n" % application.look)

    def script(dialogue):
        dialogue.prompt("PIN: ")
        dialogue.result(outcome, USER="alice")

    with FakeHygied(socket_path, script):
        lines = application.run("alice", "authenticate", "env", options=["--answer", "1234"])
    assert codes(lines) == [CODES.get(outcome, AUTH_ERR)]
    assert "env LOOK_AUTHTOK=unset" in lines


def test_authtok_of_an_earlier_module_is_left(application, socket_path):
    look = application.look
    application.stack(before="auth required %s set=theirs\n" % look,
                      after="auth required %s\n" % look)
    with FakeHygied(socket_path, login(b"1234", "alice")) as daemon:
        lines = application.run("alice", "authenticate", "env", options=["--answer", "1234"])
    assert codes(lines) == [SUCCESS] and "env LOOK_AUTHTOK=theirs" in lines
    assert daemon.dialogues[0].received[1].get("ANSWER") == b"1234"


def test_pin_is_nowhere_in_the_process_afterwards(application, socket_path):
    pin = b"9182736455" * 4
    hidden = bytes(byte ^ 0x5A for byte in pin).hex()
    for script in (login(pin, "alice"), login(b"other", "alice")):
        with FakeHygied(socket_path, script) as daemon:
            lines = application.run("alice", "authenticate", "scan",
                                    options=["--hidden-answer", hidden])
        assert daemon.dialogues[0].received[1].get("ANSWER") == pin
        assert "found 0" in lines


def test_scan_finds_a_pin_that_was_left(application, socket_path):
    """The control of the test above: a stack that keeps the PIN."""
    pin = b"9182736455" * 4
    application.stack(before="auth required %s set=%s\n" % (application.look, pin.decode()))
    with FakeHygied(socket_path, login(pin, "alice")):
        lines = application.run("alice", "authenticate", "scan", options=[
            "--hidden-answer", bytes(byte ^ 0x5A for byte in pin).hex()])
    assert "found 0" not in lines


# Arguments and stacks


def test_unknown_arguments_are_ignored(application, socket_path):
    application.stack(arguments="debug nonsense use_first_pass")
    with FakeHygied(socket_path, ok()):
        assert application.code("alice", "authenticate") == SUCCESS


@pytest.mark.parametrize("control,after,expected", [
    ("[success=end default=ignore]", "auth required pam_deny.so\n", SUCCESS),
    ("[success=end user_unknown=ignore default=die]", "auth required pam_deny.so\n", SUCCESS),
])
def test_success_ends_the_profile(application, socket_path, control, after, expected):
    control = control.replace("success=end", "success=done")
    application.stack(control=control, after=after)
    with FakeHygied(socket_path, ok()):
        assert application.code("alice", "authenticate") == expected


@pytest.mark.parametrize("outcome,expected", [
    ("USER_UNKNOWN", SUCCESS), ("UNAVAILABLE", AUTHINFO_UNAVAIL), ("PIN_WRONG", AUTH_ERR)])
def test_required_profile_lets_only_the_unknown_on(application, socket_path, outcome, expected):
    application.stack(control="[success=done user_unknown=ignore default=die]",
                      after="auth required pam_permit.so\n")
    with FakeHygied(socket_path, answers(outcome)):
        assert application.code("alice", "authenticate") == expected


# Applications as they are


HOSTS = {
    "4,000 descriptors": ["--descriptors", "4000"],
    "ignored SIGCHLD": ["--ignore-children"],
    "closed standard streams": ["--close-stdio"],
    "a signal every 0.5 ms": ["--alarms"],
}


@pytest.mark.parametrize("host", HOSTS)
def test_login_in_a_difficult_host(application, socket_path, host):
    def script(dialogue):
        dialogue.info("Insert your card.")
        login(b"1234", "alice")(dialogue)

    with FakeHygied(socket_path, script) as daemon:
        lines = application.run("alice", *["authenticate"] * 20,
                                options=[*HOSTS[host], "--answer", "1234"])
    assert codes(lines) == [SUCCESS] * 20
    assert all(len(dialogue.received) == 2 for dialogue in daemon.dialogues)


def test_two_handles_in_two_threads(application, socket_path):
    with FakeHygied(socket_path, login(b"1234", "alice")):
        lines = application.run("alice", *["authenticate", "acct_mgmt"] * 50,
                                options=["--threads", "--answer", "1234"])
    for prefix in ("1: ", "2: "):
        mine = [line[3:] for line in lines if line.startswith(prefix)]
        assert codes(mine) == [SUCCESS] * 100


def test_loading_and_unloading_leaks_nothing():
    out = subprocess.check_output(
        [built("pam_application"), "--reload", "1000", built("pam_hygie.so")], text=True)
    assert int(out.split()[1]) <= 16  # pages: as many as the kernel may hand out at once


def walk_calls(application, socket_path, *options):
    """Logs in again and again, with the n-th call failing; the codes by n, as far as there
    are calls (which there are depends a little on who is faster)."""

    def script(dialogue):
        try:
            dialogue.info("Insert your card.")
            login(b"1234", "alice", TICKET="ab" * 32)(dialogue)
        except (PeerGone, OSError):
            pass  # the client may vanish anywhere

    walked, at, unreached = {}, 0, 0
    with FakeHygied(socket_path, script):
        while unreached < 5:
            lines = application.run(
                "-", "authenticate", preload=built("fail_calls.so"),
                options=["--fail", str(at), "--answer", "1234", *options])
            failed = lines[-3].split()[2]
            assert lines[-2:] == ["owned 0", "secret-freed 0"], (at, failed)
            if failed == "none":
                assert codes(lines) == [SUCCESS], at
                unreached += at > 0
            else:
                walked[at, failed] = codes(lines)[0]
                unreached = 0
            at += 1
    return walked


def test_every_failing_call_refuses_and_leaks_nothing(application, socket_path):
    """The n-th allocation or system call of the module, or of libpam for it, fails."""
    walked = walk_calls(application, socket_path)
    assert len(walked) > 40
    assert not [call for call, code in walked.items() if code in (SUCCESS, IGNORE)]


def test_every_interrupted_call_is_resumed(application, socket_path):
    walked = walk_calls(application, socket_path, "--interrupt")
    assert len(walked) > 8
    assert not [call for call, code in walked.items() if code != SUCCESS]


def test_pamtester_logs_in(pamtester, socket_path):
    with FakeHygied(socket_path, login(b"1234", "alice", TICKET="ab" * 32), answers("OK")):
        done = pamtester("alice", "authenticate", "acct_mgmt", "setcred", "open_session",
                         "close_session", typed="1234\n")
    assert done.returncode == 0, done
    assert b"successfully authenticated" in done.stdout
    assert b"successfully opened a session" in done.stdout


def test_pamtester_is_refused(pamtester, socket_path):
    with FakeHygied(socket_path, login(b"1234", "alice")):
        done = pamtester("alice", "authenticate", typed="4321\n")
    assert done.returncode != 0 and b"Wrong PIN." in done.stdout
