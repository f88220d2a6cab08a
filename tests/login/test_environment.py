# SPDX-License-Identifier: Apache-2.0
"""What surrounds a login: the caller's environment, which reaches neither hygied nor a helper,
and memory, logs and arguments, where no PIN may be found afterwards."""
import contextlib
import errno
import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest

import pamclient as pam
import pivcard
import processes
import station as st
import wire
from sockets import being, connect_as, hear, uid_of

WRONG = "654321"
PIN = "83620917"  # looked for in memory: no other text has it
BUILT = pathlib.Path(pivcard.PIV_CARD).parent

TRACE = pathlib.Path("/tmp/poisoned-trace")


@pytest.fixture(scope="module")
def poison(tmp_path_factory):
    """An environment in which each entry would do harm if it were heeded."""
    home = tmp_path_factory.mktemp("poison")
    home.chmod(0o755)
    (home / "opensc.conf").write_text("app default {\n\tdebug = 9;\n\tdebug_file = %s;\n}\n"
                                      % TRACE)
    (home / "openssl.cnf").write_text("openssl_conf = none\n[none]\nproviders = missing\n"
                                      "[missing]\nnowhere = section-that-is-not-there\n")
    library = home / "preloaded.so"
    shutil.copy(BUILT / "evil-module.so", library)
    return {"OPENSC_CONF": str(home / "opensc.conf"), "OPENSSL_CONF": str(home / "openssl.cnf"),
            "PKCS11_MODULE_PATH": str(library), "PKCS11_PROVIDER_MODULE": str(library),
            "SSL_CERT_FILE": "/dev/null", "SSL_CERT_DIR": str(home), "LD_PRELOAD": str(library),
            "LD_LIBRARY_PATH": str(home), "LC_ALL": "bogus", "LANG": "../../bogus",
            "TMPDIR": str(home / "nowhere"), "HYGIE_SOCKET": str(home / "socket"),
            "P11_KIT_CONFIG_FILE": str(home / "p11"), "SOFTHSM2_CONF": str(home / "hsm"),
            "GCONV_PATH": str(home), "MALLOC_CHECK_": "3", "HOME": str(home)}


def check_untouched(poison, pids):
    assert len(pids) >= 2
    for pid in pids:
        environment = processes.environment(pid)
        assert not set(environment) & set(poison), (pid, environment)
        assert not any("preloaded" in name for _, _, name in processes.regions(pid))
    assert not TRACE.exists()


def test_environment_of_the_caller_reaches_nobody(station, card, poison):
    environment = {"PATH": os.environ["PATH"], **poison}
    for command, typed, status in (
            (["hygie", "status"], "", 0),
            (["hygie", "enroll", "alice", "--pin-stdin"], st.PIN + "\n", 0),
            (["pamtester", st.SERVICE, "alice", "authenticate"], st.PIN + "\n", 0),
            (["pamtester", st.SERVICE, "alice", "authenticate"], WRONG + "\n", 1)):
        done = subprocess.run(command, input=typed, env=environment, capture_output=True, text=True,
                              check=False)
        assert done.returncode == status, (command, done.stdout, done.stderr)
        station.wait_ready()
        check_untouched(poison, [station.hygied.pid, *processes.find("hygie-token")])
    card.unblock()


def test_helper_takes_nothing_over_from_hygied(station, alice, poison):
    """Even when hygied itself was started in it: what a helper is given is a list of ours."""
    station.stop_hygied()
    station.log_path.unlink()
    inherited = {name: value for name, value in poison.items() if name != "OPENSSL_CONF"}
    station.start_hygied(inherited)
    try:
        with station.card(alice):
            station.wait_ready()
            helpers = processes.find("hygie-token")
            assert helpers and all(not processes.environment(pid) for pid in helpers)
            assert station.login("alice", st.PIN).code == pam.PAM_SUCCESS
            station.wait_ready()
        assert not TRACE.exists()
    finally:
        station.stop_hygied()
        station.log_path.unlink()
        station.start_hygied()


def test_control_poisoned_configuration_does_harm_where_it_is_heeded(station, card, poison):
    subprocess.run(["pkcs11-tool", "-L"], capture_output=True, check=False,
                   env={"PATH": os.environ["PATH"], "OPENSC_CONF": poison["OPENSC_CONF"]})
    assert TRACE.exists()
    TRACE.unlink()


# Where a PIN may not be.

@pytest.fixture
def pinned(station, alice):
    """Alice's card with a PIN that can be told from any other bytes."""
    with station.card(alice, absent=True) as card:
        card.set_pin(PIN)
        card.insert()
        station.wait_ready()
        card.reset_count()
        yield card


def holders(pids, needle=PIN.encode()):
    """{pid: where}, of those in whose memory it is."""
    found = {pid: processes.memory_holds(pid, needle) for pid in pids}
    return {pid: where for pid, where in found.items() if where}


def application(tmp_path, *steps):
    """A PAM application that lives on; its PIN is hidden in its arguments. It waits at each
    prompt until a byte comes through the fifo."""
    folder, fifo = tmp_path / "pam.d", tmp_path / "fifo"
    folder.mkdir()
    (folder / "test").write_text("auth required pam_hygie.so\n")
    os.mkfifo(fifo)
    hidden = bytes(byte ^ 0x5A for byte in PIN.encode()).hex()
    process = subprocess.Popen([BUILT / "pam_application", "--hidden-answer", hidden, "--fifo",
                                fifo, folder, "test", "alice", *steps],
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return process, fifo


@contextlib.contextmanager
def waiting_reader(fifo, timeout=10):
    """From when somebody waits for what comes through the fifo; nothing comes."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            writer = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
            break
        except OSError as error:  # ENXIO: nobody yet
            assert error.errno == errno.ENXIO and time.monotonic() < deadline
            time.sleep(0.005)
    try:
        yield
    finally:
        os.close(writer)


def test_control_a_planted_pin_is_found():
    with subprocess.Popen(["cat"], env={"PLANTED": PIN}, stdin=subprocess.PIPE) as planted:
        assert holders([planted.pid])
        planted.stdin.close()


def test_pin_is_in_no_process_after_a_login(station, pinned, tmp_path):
    """The application goes on to a second prompt, and is looked at there."""
    process, fifo = application(tmp_path, "authenticate", "authenticate")
    with process:
        before = station.log().count("authenticate: ok")
        fifo.write_bytes(b"x")
        station.wait_log("authenticate: ok", count=before + 1)
        with waiting_reader(fifo):
            station.wait_ready()
            helpers = processes.find("hygie-token")
            assert helpers and holders([station.hygied.pid, *helpers, process.pid]) == {}
        process.send_signal(signal.SIGKILL)


@pytest.mark.parametrize("typed", [PIN[:-1] + "0", PIN + "00", "x" + PIN])
def test_pin_is_in_no_process_after_a_refusal(station, pinned, typed):
    station.login("alice", typed)
    station.wait_ready()
    helpers = processes.find("hygie-token")
    assert helpers and holders([station.hygied.pid, *helpers], typed.encode()) == {}
    pinned.unblock()


def test_pin_of_a_login_that_was_cut_off_is_gone_too(station, pinned):
    with connect_as("root") as link:
        link.sendall(wire.encode("REQUEST_AUTHENTICATE", {"USER": "alice", "SERVICE": "x"}))
        hear(link)
        pinned.silent_at(3)
        link.sendall(wire.encode("ANSWER", {"ANSWER": PIN.encode()}))
        pinned.wait_silent()
        assert holders(processes.find("hygie-token")) != {}  # the control: it was there
        assert holders([station.hygied.pid]) == {}
    pinned.speak()
    station.wait_ready()
    assert holders([station.hygied.pid, *processes.find("hygie-token")]) == {}


def test_pin_is_in_no_log_no_argument_and_no_environment(station, pinned):
    result = station.login("alice", PIN)
    assert result.code == pam.PAM_SUCCESS
    for typed in (PIN[::-1], PIN + "1", "x" + PIN):
        station.login("alice", typed)
        station.wait_ready()
        assert typed not in station.log() + station.pcscd.log()
    assert PIN not in station.log() + station.pcscd.log()
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                assert PIN.encode() not in (entry / "cmdline").read_bytes()
                assert PIN.encode() not in (entry / "environ").read_bytes()
    for folder in ("/run", "/var/lib/hygie", "/etc/hygie"):
        found = subprocess.run(["grep", "-rlF", "--binary-files=text", "--devices=skip", PIN,
                                folder], capture_output=True, text=True, check=False)
        assert found.stdout == ""
    pinned.unblock()


def test_no_core_is_written_and_helpers_memory_is_not_their_users(station, card):
    helpers = processes.find("hygie-token")
    assert helpers
    for pid in [station.hygied.pid, *helpers]:
        limits = (pathlib.Path("/proc", str(pid), "limits")).read_text()
        core = next(line for line in limits.splitlines() if line.startswith("Max core"))
        assert core.split()[4:6] == ["0", "0"]
    for pid in helpers:
        assert processes.status(pid)["Uid"].split()[0] == str(uid_of("hygie-token"))
        assert os.stat("/proc/%d/mem" % pid).st_uid == 0  # not dumpable
        with being("hygie-token"), pytest.raises(PermissionError):
            processes.memory_holds(pid, b"x")


def test_control_a_users_own_dumpable_process_is_his_to_read():
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, user="hygie-token",
                          extra_groups=[]) as own:
        with being("hygie-token"):
            processes.memory_holds(own.pid, b"x")
        own.stdin.close()
