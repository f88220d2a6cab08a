# SPDX-License-Identifier: Apache-2.0
"""What surrounds a login: local users at the socket, files that others can write, the caller's
environment, and where a PIN may not be found afterwards."""
import contextlib
import errno
import os
import pathlib
import pwd
import resource
import shutil
import signal
import subprocess
import threading
import time

import pytest

import pamclient as pam
import pivcard
import processes
import station as st
import wire

WRONG = "654321"
PIN = "83620917"  # looked for in memory: no other text has it
BUILT = pathlib.Path(pivcard.PIV_CARD).parent


def uid_of(name):
    return pwd.getpwnam(name).pw_uid


@contextlib.contextmanager
def being(name):
    """Everything in it is done with that user's uid: the kernel tells it to hygied."""
    os.seteuid(uid_of(name))
    try:
        yield
    finally:
        os.seteuid(0)


def connect_as(name):
    with being(name):
        link = st.connect()
    link.settimeout(15)
    return link


def hear(link):
    """All messages until the result or the end."""
    messages = []
    while True:
        try:
            data = link.recv(wire.MESSAGE_MAX)
        except ConnectionResetError:
            return messages
        if not data:
            return messages
        messages.append(wire.decode(data))
        if messages[-1].type in ("RESULT", "PROMPT"):
            return messages


def outcome(messages):
    """The outcome's name, or the last message's type, or None if nothing came."""
    if not messages or messages[-1].type != "RESULT":
        return messages[-1].type if messages else None
    names = {number: name[len("HYGIE_"):] for name, number in wire.OUTCOMES.items()}
    return names[messages[-1].get("OUTCOME")]


def ask(user, request, fields=()):
    with connect_as(user) as link:
        link.sendall(wire.encode(request, fields))
        return hear(link)


def check_serves(station):
    assert station.hygied.poll() is None, station.log()
    assert station.status()["readers"]


# Local users at the socket.

def test_user_may_not_authenticate_as_another(station, card):
    for user in ("alice", "root", "nobody-of-that-name"):
        result = station.login(user, WRONG, uid=uid_of("mallory"))
        assert result.code == pam.PAM_AUTH_ERR and result.prompts() == [], result
        assert "not allowed" in result.text
    assert card.verify_count() == 0
    assert station.login("alice", st.PIN, uid=uid_of("alice")).code == pam.PAM_SUCCESS


def test_user_asking_three_times_for_anothers_card_spends_no_try(station, alice):
    own = station.make_card("mallory")
    with station.card(own):
        station.wait_ready()
        station.enrol("mallory")
    with station.card(alice) as card:
        station.wait_ready()
        card.reset_count()
        for user in ("mallory", None, "mallory"):
            result = station.login(user, WRONG, uid=uid_of("mallory"))
            assert (result.code, result.prompts()) == (pam.PAM_AUTH_ERR, [])
            assert "another user" in result.text
        assert (card.verify_count(), card.tries()) == (0, 3)


@pytest.mark.parametrize("request_name,fields", [
    ("REQUEST_ENROL", {"USER": "mallory"}),
    ("REQUEST_ENROL", {"USER": "mallory", "FLAGS": wire.REQUEST_FLAGS["REQUEST_REASSIGN"]}),
    ("REQUEST_REVOKE", {"USER": "alice"}),
    ("REQUEST_REVOKE", {"CARD_ID": "00" * 32}),
    ("REQUEST_OPEN_SESSION", {"TICKET": "0" * 64, "SESSION": "1"}),
    ("REQUEST_CLOSE_SESSION", {"SESSION": "1"}),
    ("REQUEST_AUTHENTICATE", {"USER": "alice", "SERVICE": "login"}),
    ("REQUEST_AUTHENTICATE", {"USER": "root"}),
])
def test_user_may_not_ask_what_is_roots(station, card, request_name, fields):
    assert outcome(ask("mallory", request_name, fields)) == "NOT_ALLOWED"
    assert card.verify_count() == 0
    assert station.login("alice", st.PIN).code == pam.PAM_SUCCESS
    station.wait_ready()


def test_user_does_not_see_who_else_has_a_card(station, card):
    for request in ("REQUEST_STATUS", "REQUEST_CARDS"):
        with connect_as("bob") as link:
            link.sendall(wire.encode(request))
            told = repr(read_all(link))
        assert "lice" not in told
    with connect_as("root") as link:
        link.sendall(wire.encode("REQUEST_STATUS"))
        assert "Alice" in repr(read_all(link))  # the control


def read_all(link):
    messages = []
    while not messages or messages[-1].type != "RESULT":
        messages += hear(link)
    return messages


def test_ticket_serves_once_and_root_alone(station, card):
    with connect_as("root") as link:
        link.sendall(wire.encode("REQUEST_AUTHENTICATE", {"USER": "alice", "SERVICE": "x"}))
        assert outcome(hear(link)) == "PROMPT"
        link.sendall(wire.encode("ANSWER", {"ANSWER": st.PIN.encode()}))
        result = hear(link)
    assert outcome(result) == "OK"
    fields = {"TICKET": result[-1].get("TICKET"), "SESSION": "1"}
    assert outcome(ask("mallory", "REQUEST_OPEN_SESSION", fields)) == "NOT_ALLOWED"
    assert outcome(ask("root", "REQUEST_OPEN_SESSION", fields)) == "OK"
    assert outcome(ask("root", "REQUEST_OPEN_SESSION", fields)) == "NOT_FOUND"
    assert outcome(ask("root", "REQUEST_OPEN_SESSION", {**fields, "TICKET": "f" * 64})) == \
        "NOT_FOUND"


def test_thousand_connections_of_a_user_leave_room_for_root(station, card):
    files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (2048, files[1]))
    links = []
    try:
        with being("mallory"):
            links = [st.connect() for _ in range(1000)]
        told = [outcome(hear(link)) for link in links[200:]]
        assert set(told) == {"TOO_MANY"}
        check_serves(station)
        assert station.login("alice", st.PIN).code == pam.PAM_SUCCESS
        result = station.login("mallory", st.PIN, uid=uid_of("mallory"))
        assert result.code == pam.PAM_AUTHINFO_UNAVAIL and "Too many" in result.text
    finally:
        for link in links:
            link.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, files)
    check_serves(station)
    assert outcome(ask("bob", "REQUEST_STATUS")[-1:]) != "TOO_MANY"


HEAD = wire.encode("REQUEST_STATUS")
NOT_MESSAGES = {
    "half a header": HEAD[:4],
    "one byte": b"\1",
    "another version": b"\2" + HEAD[1:],
    "reserved byte": HEAD[:1] + b"\1" + HEAD[2:],
    "size too large": HEAD[:4] + b"\0\0\0\4" + HEAD[8:],
    "size too small": HEAD + b"\0\1\0\0",
    "size over all": HEAD[:4] + b"\xff\xff\xff\xff",
    "half a field": HEAD[:4] + b"\0\0\0\2" + b"\0\1",
    "field beyond the end": HEAD[:4] + b"\0\0\0\5" + b"\0\x11\0\xff\0",
    "garbage": bytes(range(256)) * 8,
    "text": b"GET / HTTP/1.1\r\n\r\n",
    "over the maximum": b"\1\0\1\1\0\1\x0f\xf8" + b"\0" * 69624,
    "over a request's": wire.encode("REQUEST_AUTHENTICATE", [("TEXT", "x" * 60000)]),
    "unknown type": b"\1\0\x01\x77\0\0\0\0",
    "a server's message": wire.encode("RESULT", {"OUTCOME": 1}),
    "a helper's message": wire.encode("REPORT_READY"),
    "an order": wire.encode("ORDER_LOGIN"),
    "answer without a prompt": wire.encode("ANSWER", {"ANSWER": b"123456"}),
    "user with NUL": wire.encode("REQUEST_AUTHENTICATE", {"USER": b"alice\0root"}),
    "user not UTF-8": wire.encode("REQUEST_AUTHENTICATE", {"USER": b"\xff\xfe"}),
    "user too long": wire.encode("REQUEST_AUTHENTICATE", {"USER": "a" * 256}),
    "service too long": wire.encode("REQUEST_AUTHENTICATE", {"USER": "a", "SERVICE": "s" * 64}),
    "number of three bytes": wire.encode("REQUEST_AUTHENTICATE", {"FLAGS": b"\0\0\0"}),
}


@pytest.mark.parametrize("what", NOT_MESSAGES)
def test_what_is_no_request_is_refused_and_costs_nothing(station, card, what):
    with connect_as("root") as link:
        link.sendall(NOT_MESSAGES[what])
        assert outcome(hear(link)) in ("BAD_REQUEST", None)
        assert hear(link) == []  # and hangs up
    check_serves(station)
    assert card.verify_count() == 0


@pytest.mark.parametrize("second", [
    HEAD, wire.encode("REQUEST_AUTHENTICATE", {"USER": "alice"}), wire.encode("ANSWER"),
    wire.encode("ANSWER", {"ANSWER": b"x" * 4000}), b"", b"\1\0"])
def test_nonsense_while_a_prompt_waits_ends_the_dialogue(station, card, second):
    with connect_as("root") as link:
        link.sendall(wire.encode("REQUEST_AUTHENTICATE", {"USER": "alice", "SERVICE": "x"}))
        assert outcome(hear(link)) == "PROMPT"
        link.sendall(second)
        assert outcome(hear(link)) in ("BAD_REQUEST", "PIN_MALFORMED", None)
        assert hear(link) == []
    check_serves(station)
    assert card.verify_count() == 0


def test_second_answer_to_one_prompt_is_no_second_try(station, card):
    with connect_as("root") as link:
        link.sendall(wire.encode("REQUEST_AUTHENTICATE", {"USER": "alice", "SERVICE": "x"}))
        hear(link)
        for _ in range(2):
            link.sendall(wire.encode("ANSWER", {"ANSWER": WRONG.encode()}))
        assert outcome(hear(link)) in ("BAD_REQUEST", "PIN_WRONG")
    station.wait_ready()
    assert card.verify_count() <= 1
    card.unblock()


def test_client_that_says_nothing_is_dropped_after_five_seconds(station):
    with connect_as("mallory") as link:
        began = time.monotonic()
        assert outcome(hear(link)) in ("TIMED_OUT", None)
        assert hear(link) == []
        assert 4 < time.monotonic() - began < 12


# Two programs, one card.

def test_two_programs_spend_one_try_each_and_no_more(station, card):
    results = []
    logins = [threading.Thread(target=lambda: results.append(station.login("alice", WRONG)))
              for _ in range(2)]
    for login in logins:
        login.start()
    for login in logins:
        login.join()
    station.wait_ready()
    assert {result.code for result in results} <= {pam.PAM_AUTH_ERR, pam.PAM_CONV_ERR}
    assert card.verify_count() == sum("Wrong PIN" in result.text for result in results) <= 2
    card.unblock()


def test_other_programs_wrong_answer_does_not_spend_mine(station, card):
    def meanwhile():
        assert "Wrong PIN" in station.login("alice", WRONG).text
        station.wait_ready()
    result = station.login("alice", lambda: (meanwhile(), None)[1])
    assert result.code == pam.PAM_CONV_ERR
    assert (card.verify_count(), card.tries()) == (1, 2)
    card.unblock()


def test_pin_typed_before_another_program_spent_the_last_but_one_try_is_not_sent(station, alice):
    """It was asked when two tries were left: the last one is typed knowingly or not at all."""
    with station.card(alice, absent=True) as card:
        card.set_tries(2)
        card.insert()
        station.wait_ready()
        card.reset_count()

        def meanwhile():
            station.login("alice", WRONG)
            station.wait_ready()
            return WRONG
        result = station.login("alice", meanwhile, None)
        assert len(result.prompts()) == 2 and "One try is left" in result.text
        assert (card.verify_count(), card.tries()) == (1, 1)


# Files that others can write.

HYGIE = pathlib.Path("/etc/hygie")


def victim(path):
    """Where such a file goes that is linked to: nobody looks there, and it can be moved there."""
    return pathlib.Path("/var/lib/victim" if path == st.REGISTRY else "/etc/victim")


def kept(path):
    """Puts a file or folder back as it was, whatever is done to it."""
    @contextlib.contextmanager
    def keep():
        path_is_new = not os.path.lexists(path)
        spare = path.with_name(path.name + ".kept")
        if not path_is_new:
            subprocess.run(["cp", "-a", path, spare], check=True)
        try:
            yield
        finally:
            subprocess.run(["rm", "-rf", path], check=True)
            if not path_is_new:
                os.rename(spare, path)
    return keep()


def replace_by_link(path):
    path.rename(victim(path))
    path.symlink_to(victim(path))


def own_by_mallory(path):
    os.chown(path, uid_of("mallory"), -1)


def mode(bits):
    return lambda path: path.chmod(bits)


def hard_link(path):
    os.link(path, victim(path))


CONF, DROP_IN = HYGIE / "hygie.conf", HYGIE / "hygie.conf.d" / "50-site.conf"
PROFILE, CA = HYGIE / "cards.d" / "50-site.conf", HYGIE / "ca" / "us-piv" / "root.pem"
HELPER = pathlib.Path("/usr/libexec/hygie/hygie-token")
BAD_FILES = [(path, how, spoil)
             for path in (CONF, DROP_IN, PROFILE, CA, st.REGISTRY)
             for how, spoil in (("group-writable", mode(0o664)), ("world-writable", mode(0o646)),
                                ("mallory's", own_by_mallory), ("a link", replace_by_link),
                                ("hard-linked", hard_link))
             if (path, how) != (CA, "hard-linked")]
BAD_FILES += [(path, how, spoil)
              for path in (HYGIE, HYGIE / "hygie.conf.d", HYGIE / "cards.d", HYGIE / "ca",
                           HYGIE / "ca" / "us-piv", st.REGISTRY.parent)
              for how, spoil in (("group-writable", mode(0o775)), ("mallory's", own_by_mallory))]
BAD_FILES += [(HELPER, how, spoil) for how, spoil in (
    ("group-writable", mode(0o775)), ("mallory's", own_by_mallory))]


def hygied_check():
    done = subprocess.run(["hygied", "--check"], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def idle(station, alice):
    """The station with all the files that may be there, and hygied stopped."""
    station.stop_hygied()
    DROP_IN.write_text("[login]\ncard_wait = 1s\n")
    PROFILE.write_text("[card site]\natr = 3b00\nmodule = opensc-pkcs11.so\npin_min = 4\n"
                       "pin_max = 8\n")
    assert hygied_check()[0] == 0
    yield station
    DROP_IN.unlink()
    PROFILE.unlink()
    station.log_path.unlink()
    station.start_hygied()


@pytest.mark.parametrize("path,how,spoil", BAD_FILES,
                         ids=["%s is %s" % row[:2] for row in BAD_FILES])
def test_file_that_others_can_write_is_refused_by_name(idle, path, how, spoil):
    with kept(path):
        content = None if path.is_dir() else path.read_bytes()
        spoil(path)
        before = os.stat(path), os.lstat(path)
        status, said = hygied_check()
        assert status == 7 and str(path) in said, said
        status, parsed, said = idle.run("config", "check", check=False)
        assert status == 7 and str(path) in repr(parsed) + said
        started = subprocess.run(["hygied"], capture_output=True, text=True, timeout=20, check=False)
        assert started.returncode == 7 and str(path) in started.stderr
        assert content is None or path.read_bytes() == content
        assert [(s.st_mtime_ns, s.st_mode, s.st_uid) for s in (os.stat(path), os.lstat(path))] == \
            [(s.st_mtime_ns, s.st_mode, s.st_uid) for s in before]
    victim(path).unlink(missing_ok=True)
    assert hygied_check()[0] == 0


def test_registry_that_links_to_nothing_makes_nothing(idle):
    with kept(st.REGISTRY):
        st.REGISTRY.unlink()
        st.REGISTRY.symlink_to(victim(st.REGISTRY))
        status, said = hygied_check()
        assert status == 7 and str(st.REGISTRY) in said
        assert not victim(st.REGISTRY).exists()


def test_module_that_others_can_write_makes_the_card_unusable(station, alice, tmp_path_factory):
    module = pathlib.Path("/usr/lib/hygie-tests/module.so")
    module.parent.mkdir(exist_ok=True)
    shutil.copy("/usr/lib/x86_64-linux-gnu/opensc-pkcs11.so", module)
    profile = st.CARDS / "99-module.conf"
    profile.write_text((pathlib.Path("/usr/share/hygie/cards.d/90-piv.conf").read_text())
                       .replace("opensc-pkcs11.so", str(module)))
    spoils = {str(module): (own_by_mallory, mode(0o666)),
              str(module.parent): (own_by_mallory, mode(0o777))}
    try:
        for path, ways in spoils.items():
            for spoil in ways:
                spoil(pathlib.Path(path))
                station.stop_hygied()
                station.log_path.unlink()
                station.start_hygied()
                with station.card(alice):
                    problem = next(reader["problem"] for reader in station.wait_ready("unreadable")
                                   if reader["state"] == "unreadable")
                    assert path in problem
                    result = station.login("alice", WRONG)
                    assert (result.code, result.prompts()) == (pam.PAM_SYSTEM_ERR, [])
                os.chown(path, 0, 0)
                os.chmod(path, 0o755)
    finally:
        profile.unlink()
        station.stop_hygied()
        station.log_path.unlink()
        station.start_hygied()


# The caller's environment.

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
        while processes.arguments(planted.pid) != "cat\0":
            time.sleep(0.001)  # until it is cat, not yet us
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
        while processes.arguments(own.pid) != "cat\0":
            time.sleep(0.001)
        with being("hygie-token"):
            processes.memory_holds(own.pid, b"x")
        own.stdin.close()
