# SPDX-License-Identifier: Apache-2.0
"""What a hostile PKCS#11 module can do inside hygie-token: nothing that outlasts it.

hostile_module.c acts at a function's call, or lies about its data, as HOSTILE says. A
module on a reader gets the narrow filter after warm-up, one found by URI that for files;
both are tried. Needs root and a private /run and /tmp.
"""
import os
import pathlib
import socket
import stat

import pytest

from helper import BUILD, GID, UID, Helper, decrypt, sign

MODULE = BUILD / "tests" / "hostile-module.so"
READER = "Virtual PCD 00 00"
DATA = b"hygie-auth-v1 and the rest of a challenge"
WAYS = {"reader": {"reader": READER}, "uri": {"uri": "pkcs11:token=Hostile"}}
STAGES = ["C_GetFunctionList", "C_Initialize", "C_Login", "C_Sign"]
SIGSYS, SIGSEGV, SIGKILL = 31, 11, 9


@pytest.fixture(scope="session", autouse=True)
def pcscd_folder():
    """A reader's module is shown pcscd's folder; nothing of it is needed here."""
    pathlib.Path("/run/pcscd").mkdir(exist_ok=True)


def hostile(word, way="uri", operations=None, **more):
    return Helper(MODULE, environment=["HOSTILE=" + word], **{**WAYS[way], **more},
                  operations=operations or sign("01", DATA))


@pytest.mark.parametrize("way", WAYS)
def test_control_an_honest_module_works(way):
    with hostile("", way) as helper:
        helper.run()
        assert helper.outcome == "ok" and helper.signatures == [(1, bytes(256))]
        assert helper.said().count("C_Login") == 1


@pytest.mark.parametrize("action", ["hang", "spin"])
@pytest.mark.parametrize("stage", STAGES)
def test_hanging_is_ended_from_outside(stage, action):
    with hostile("%s:%s" % (stage, action), timeout=300) as helper:
        helper.run()
        assert helper.timed_out and helper.end == ("killed", SIGKILL)
        assert helper.outcome is None and not helper.signatures


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("action,end", [
    ("crash", ("killed", SIGSEGV)), ("exit", ("exited", 0)), ("exec", ("killed", SIGSYS)),
    ("ptrace", ("killed", SIGSYS)), ("kill", ("killed", SIGSYS)), ("root", ("killed", SIGSYS)),
    ("mount", ("killed", SIGSYS)), ("others", ("killed", SIGSYS))])
def test_ending_itself_or_attacking_ends_the_helper(stage, action, end, way):
    with hostile("%s:%s" % (stage, action), way) as helper:
        helper.run()
        assert helper.end == end and helper.outcome is None and not helper.signatures
        assert "tried" not in helper.said()


def test_abort_ends_the_helper():
    with hostile("C_Login:abort") as helper:
        helper.run()
        assert helper.end[0] == "killed" and helper.outcome is None


def tried(helper):
    return dict(line[len("tried "):].split(": ", 1) for line in helper.said().splitlines()
                if line.startswith("tried "))


@pytest.mark.parametrize("action", ["hang", "crash", "exit"])
def test_the_answer_is_out_before_the_module_lets_the_card_go(action):
    with hostile("C_Logout:" + action, timeout=500) as helper:
        helper.run()
        assert helper.outcome == "ok" and len(helper.signatures) == 1


@pytest.mark.parametrize("stage", STAGES)
def test_no_other_process(stage):
    with hostile(stage + ":fork") as helper:
        helper.run()
        assert tried(helper) == {"fork": "ENOSYS"}


@pytest.mark.parametrize("stage", STAGES)
def test_no_network(stage):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        with hostile(stage + ":tcp") as helper:
            helper.run()
            assert tried(helper) == {"tcp": "ENOSYS"}


@pytest.mark.parametrize("stage", STAGES)
def test_no_file_is_written(stage):
    with hostile(stage + ":write") as helper:
        helper.run()
        attempts = tried(helper)
        assert len(attempts) == 4 and set(attempts.values()) <= {"EROFS", "ENOENT"}
    for folder in ("/tmp", "/etc", "/usr", "/"):
        assert not pathlib.Path(folder, "hostile").exists()


@pytest.mark.parametrize("stage", STAGES)
def test_no_file_of_others_is_seen(stage):
    with hostile(stage + ":read") as helper:
        helper.run()
        attempts = tried(helper)
        assert len(attempts) == 8 and set(attempts.values()) == {"ENOENT"}


def test_no_file_at_all_for_a_module_on_a_reader_once_warm():
    with hostile("C_Login:read", "reader") as helper:
        helper.run()
        assert set(tried(helper).values()) == {"ENOSYS"}


def test_no_new_socket_and_no_new_code_once_warm():
    for stage, action, answer in (("C_Initialize", "unix", "ok"), ("C_Login", "unix", "ENOSYS"),
                                  ("C_Login", "code", "ENOSYS")):
        with hostile("%s:%s" % (stage, action)) as helper:
            helper.run()
            assert tried(helper) == {action: answer}


def test_what_it_prints_does_not_reach_the_daemon():
    with hostile("C_Sign:print") as helper:
        helper.run()
        assert helper.outcome == "ok" and tried(helper) == {"print": "ok"}
        assert "all is well" in helper.said()


def test_memory_is_bounded():
    with hostile("C_Login:memory") as helper:
        helper.run()
        assert int(tried(helper)["memory"].split()[0]) <= 128
        assert helper.end is not None and helper.outcome in ("ok", "fault", None)


def test_threads_are_bounded():
    with hostile("C_Initialize:threads") as helper:
        helper.run()
        assert int(tried(helper)["threads"]) < 256
    with hostile("C_Login:threads") as helper:
        helper.run()
        assert tried(helper)["threads"] == "0"


@pytest.mark.parametrize("lie,outcome", [
    ("initialize-fails", "card-broken"), ("no-slot", "card-unreadable"),
    ("slots-lie", "card-broken"), ("version", "broken-setup"),
    ("no-functions", "broken-setup"), ("find-lies", "card-broken"),
    ("big-certificate", "card-unreadable"), ("lengths-lie", "card-unreadable"),
    ("no-id", "card-unreadable")])
def test_lies_before_the_login_are_failures(lie, outcome):
    with hostile(lie) as helper:
        helper.warm()
        assert (helper.outcome, helper.ready) == (outcome, False), helper.text
        assert helper.end == ("exited", 1) and not helper.certificates


@pytest.mark.parametrize("lie,outcome", [
    ("wrong", "pin-wrong"), ("count-low", "pin-wrong"), ("locked", "pin-blocked"),
    ("expired", "pin-must-change"), ("removed", "card-removed"), ("already", "card-broken"),
    ("no-key", "card-broken"), ("key-type", "card-broken"), ("signature-empty", "card-broken"),
    ("signature-huge", "card-broken"), ("signature-too-long", "card-broken"),
    ("pin-lengths-lie", "pin-malformed")])
def test_what_goes_wrong_at_the_login_is_told(lie, outcome):
    with hostile(lie) as helper:
        helper.run()
        assert helper.outcome == outcome and not helper.signatures, helper.text
        assert helper.end == ("exited", 1)
        assert helper.said().count("C_Login") == (0 if outcome == "pin-malformed" else 1)
        assert helper.flags == ({"wrong": 0, "count-low": 1}.get(lie))


def test_short_signature_is_passed_on_for_the_daemon_to_refuse():
    with hostile("signature-short") as helper:
        assert helper.run().signatures == [(1, bytes(3))]


def test_ten_thousand_objects_are_cut_to_sixteen():
    with hostile("many-objects") as helper:
        assert helper.run().outcome == "ok"
        assert helper.certificate_count == 16


def test_list_of_mechanisms_without_end():
    with hostile("mechanisms-lie") as helper:
        helper.run()
        assert helper.end is not None and not helper.timed_out


def test_texts_of_the_token_are_made_printable():
    with hostile("escape") as helper:
        helper.warm()
        assert helper.token_field("TAG_TOKEN_SERIAL") == "\\x1B[2J\\x0Aroot#"
        assert [label for label, _ in helper.certificates.values()] == ["\\x1B]0;owned\\x07"]


def test_key_that_wants_the_pin_again_gets_it_once_for_each_use():
    with hostile("always-authenticate", operations=sign("01", DATA) * 2) as helper:
        assert helper.run().outcome == "ok"
        assert [line.split()[1] for line in helper.said().splitlines()] == ["1", "2", "2"]


STORES = decrypt("01", bytes(256)) * 3  # as a login that opens record stores has it
BEGIN_BY = [("--within", "TAG_BEGIN_BY", "300")]


def test_control_three_slow_stores_are_waited_for_where_they_are_what_it_is_about():
    with hostile("slow", operations=STORES + sign("01", DATA)) as helper:
        assert helper.run().outcome == "ok"
        assert helper.secrets == [bytes([7] * 32)] * 3 and len(helper.signatures) == 1


def test_slow_stores_are_left_out_and_the_signature_comes():
    """1.5 s of decryption, where the login has one second."""
    with hostile("slow", timeout=1000, operations=BEGIN_BY + STORES + sign("01", DATA)) as helper:
        assert helper.run().outcome == "ok"
        assert helper.secrets == [bytes([7] * 32), b"", b""]
        assert helper.signatures == [(1, bytes(256))]


def test_what_was_taken_to_type_at_a_pin_pad_is_missing_to_the_stores():
    """Half a second of typing, where they may begin in the first 300 ms."""
    with hostile("slow-typing", operations=BEGIN_BY + STORES + sign("01", DATA)) as helper:
        assert helper.run(None).outcome == "ok"
        assert helper.secrets == [b""] * 3 and helper.signatures == [(1, bytes(256))]


def test_control_typing_costs_the_stores_nothing_where_the_time_is_not_short():
    within = [("--within", "TAG_BEGIN_BY", "8000")]
    with hostile("slow-typing", operations=within + STORES + sign("01", DATA)) as helper:
        assert helper.run(None).outcome == "ok"
        assert helper.secrets == [bytes([7] * 32)] * 3


def test_pin_pad_is_not_asked_again_for_a_store_at_login():
    with hostile("pad-again", operations=BEGIN_BY + STORES + sign("01", DATA)) as helper:
        assert helper.run(None).outcome == "ok"
        assert helper.secrets == [b""] * 3
        assert helper.said().count("C_Login 2") == 1, "the signature's own"


def test_pin_pad_is_asked_again_where_a_store_is_what_it_is_about():
    again = [("--u32", "TAG_ASK_AGAIN", "1")]
    with hostile("pad-again", operations=again + STORES + sign("01", DATA)) as helper:
        assert helper.run(None).outcome == "ok"
        assert helper.secrets == [bytes([7] * 32)] * 3
        assert helper.said().count("C_Login 2") == 4


def test_wrong_pin_for_a_store_is_told_and_costs_one_try():
    with hostile("wrong-again", operations=BEGIN_BY + STORES + sign("01", DATA)) as helper:
        assert helper.run().outcome == "pin-wrong"
        assert helper.flags is not None
        assert helper.said().count("C_Login 2") == 1


def test_pin_pad_login_sends_no_pin():
    with hostile("pin-pad") as helper:
        assert helper.run(None).outcome == "ok"
        assert helper.said() == "C_Login 1 NULL 0 bytes\n"


@pytest.mark.parametrize("way", WAYS)
def test_warm_helper_seen_from_outside(way):
    with hostile("", way) as helper:
        helper.warm()
        process = pathlib.Path("/proc", str(helper.pid))
        status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
        assert status["Seccomp"].split() == ["2"] and status["NoNewPrivs"].split() == ["1"]
        assert status["Uid"].split() == [str(UID)] * 4
        assert status["Gid"].split() == [str(GID)] * 4 and status["Groups"].split() == []
        for capabilities in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert int(status[capabilities], 16) == 0
        assert status["NSpid"].split()[-1] == "1"
        assert (process / "environ").read_bytes() == b""
        assert process.joinpath("cmdline").read_bytes() == b"hygie-token\0"
        assert sorted(int(fd) for fd in os.listdir(process / "fd")) == [0, 1, 2, 3]
        assert os.stat(process / "mem").st_uid == 0  # undumpable: root's
        for space in ("mnt", "pid", "ipc", "net"):
            assert os.readlink(process / "ns" / space) != os.readlink("/proc/self/ns/" + space)


def test_root_of_a_warm_helper_holds_what_it_needs_and_no_more():
    with hostile("", "reader") as helper:
        helper.warm()
        root = pathlib.Path("/proc", str(helper.pid), "root")
        top = {"usr", "etc", "dev", "run", str(MODULE).split("/")[1]}
        links = {name for name in os.listdir(root) if (root / name).is_symlink()}
        assert links <= {"lib", "lib32", "lib64", "libx32", "bin", "sbin"}
        assert set(os.listdir(root)) - links == top
        assert set(os.listdir(root / "dev")) == {"null", "urandom"}
        assert set(os.listdir(root / "run")) == {"pcscd"}
        assert set(os.listdir(root / "etc")) <= {"ld.so.cache", "opensc"}
        mounts = pathlib.Path("/proc", str(helper.pid), "mountinfo").read_text().splitlines()
        for options in (line.split()[5].split(",") for line in mounts):
            assert "ro" in options and "nosuid" in options


@pytest.mark.parametrize("other", [READER + " (copy)", "x" + READER])
def test_reader_that_cannot_be_told_from_another_is_refused(other):
    with hostile("", "reader", others=[other]) as helper:
        assert helper.warm().outcome == "card-unreadable" and "like this" in helper.text


def test_opensc_configuration_is_private_and_root_s():
    with hostile("", "reader", driver="PIV-II", others=["Evil\" }\n Reader", "Virtual PCD 00"]) \
            as helper:
        helper.warm()
        conf = pathlib.Path("/proc", str(helper.pid), "root/etc/hygie-opensc.conf")
        assert stat.S_IMODE(conf.stat().st_mode) == 0o644 and conf.stat().st_uid == 0
        text = conf.read_text()
        assert "lock_login = true;" in text and "use_pin_caching = false;" in text
        assert 'ignored_readers = " Reader";' in text  # and not the one that is part of ours
        assert "card_drivers = PIV-II;" in text


BAD_STARTS = {
    "no module": [], "uid 0": {"uid": 0}, "gid 0": {"gid": 0}, "uid -1": {"uid": 2**32 - 1},
    "reader and URI": {"reader": READER}, "neither": {"uri": None},
    "driver without reader": {"driver": "PIV-II"},
    "driver that ends a line": {"uri": None, "reader": READER, "driver": "PIV-II; debug=9"},
    "PIN lengths": {"pin": (9, 8, "digits")}, "PIN too long": {"pin": (4, 65, "digits")},
    "no PIN length": {"pin": (0, 8, "digits")}, "charset": {"pin": (4, 8, "hex")},
    "relative path": {"rw": ["tmp"]}, "path up": {"rw": ["/tmp/../etc"]}, "root": {"rw": ["/"]},
    "module twice": {"fields": [("--field", "TAG_MODULE", "/usr/lib/x.so")]},
    "many readers": {"others": ["r%d" % number for number in range(16)]},
}
BAD_ENTRIES = ["LD_PRELOAD=/tmp/x.so", "OPENSSL_CONF=/tmp/x", "OPENSC_CONF=/tmp/x", "PATH=/tmp",
               "PCSCLITE_CSOCK_NAME=/tmp/x", "lower=1", "NOTHING", "=1", "GCONV_PATH=/tmp",
               "P11_KIT_DEBUG=all", "MALLOC_ARENA_MAX=1", "TMPDIR=/tmp", "LC_ALL=bogus"]


@pytest.mark.parametrize("name", BAD_STARTS)
def test_malformed_start_is_refused(name):
    more = {"uri": "pkcs11:token=Hostile", **dict(BAD_STARTS[name])}
    module = "relative.so" if name == "no module" else MODULE
    with Helper(module, operations=sign("01", DATA), **more) as helper:
        helper.warm()
        assert helper.outcome == "bad-request" and helper.end == ("exited", 1)


@pytest.mark.parametrize("entry", BAD_ENTRIES)
def test_environment_that_steers_libraries_is_refused(entry):
    with Helper(MODULE, uri="pkcs11:token=Hostile", environment=[entry]) as helper:
        assert helper.warm().outcome == "bad-request"


BAD_LOGINS = {
    "unknown operation": [("--u32", "TAG_OPERATION", "3")],
    "no data": sign("01", DATA)[:2], "no id": [sign("01", DATA)[0], sign("01", DATA)[2]],
    "id twice": sign("01", DATA)[:2] + sign("01", DATA)[1:],
    "id too long": sign("01" * 65, DATA), "data too long": sign("01", b"x" * 4097),
    "data before an operation": sign("01", DATA)[2:] + sign("01", DATA),
    "OAEP for a signature": sign("01", DATA) + [("--u32", "TAG_OAEP_HASH", "1")],
    "OAEP of MD5": [("--u32", "TAG_OPERATION", "2"), *sign("01", DATA)[1:],
                    ("--u32", "TAG_OAEP_HASH", "5")],
    "second PIN": sign("01", DATA) + [("--field", "TAG_PIN", "123456")],
    "nine operations": sign("01", DATA) * 9,
}


@pytest.mark.parametrize("name", BAD_LOGINS)
def test_malformed_login_is_refused_before_the_token_is_touched(name):
    with hostile("", operations=BAD_LOGINS[name]) as helper:
        helper.run()
        assert helper.outcome == "bad-request" and "C_Login" not in helper.said()


def test_module_that_others_may_write_is_refused(tmp_path):
    tmp_path.chmod(0o755)
    copy = tmp_path / "module.so"
    copy.write_bytes(MODULE.read_bytes())
    for mode, owner in ((0o777, 0), (0o755, UID)):
        copy.chmod(mode)
        os.chown(copy, owner, 0)
        with Helper(copy, uri="pkcs11:token=Hostile") as helper:
            assert helper.warm().outcome == "broken-setup" and "write" in helper.text
