# SPDX-License-Identifier: Apache-2.0
"""hygie pam: with Debian's own pam-auth-update on the enclave's /etc/pam.d. Logins through
what it writes are in tests/login/test_doors.py."""

import json
import os
import pathlib
import re
import shutil
import subprocess

import pexpect
import pytest

PAM = pathlib.Path("/etc/pam.d")
UPDATE = pathlib.Path("/usr/sbin/pam-auth-update")
STATE = pathlib.Path("/var/lib/hygie")
MANAGED = ("auth", "account", "password", "session", "session-noninteractive")
KEPT = [PAM / ("common-" + name) for name in MANAGED] + \
    [pathlib.Path("/var/lib/pam", name) for name in MANAGED]
RENAMES = 10  # that pam-auth-update makes: two for each file


def hygie(*arguments, user=0, **environment):
    return subprocess.run(["hygie", "pam", *arguments], text=True, capture_output=True, timeout=60,
                          check=False, stdin=subprocess.DEVNULL, user=user, group=user,
                          env={**os.environ, "LC_ALL": "C.UTF-8", **environment})


def as_json(*arguments, **keywords):
    done = hygie(*arguments, "--json", **keywords)
    return done.returncode, json.loads(done.stdout)


def contents():
    return {str(path): path.read_bytes() for path in KEPT}


def password(user, hashed):
    subprocess.run(["usermod", "-p", hashed, user], check=True)


def auth_lines():
    return [line.split("\t", 1)[1].split() for line in (PAM / "common-auth").read_text().splitlines()
            if line.startswith("auth")]


@pytest.fixture(autouse=True)
def before(tmp_path):
    """Everything is as the packages left it; and is put back so."""
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        if "/etc" not in {line.split()[4] for line in file}:
            pytest.fail("run these tests in tests/enclave")
    for folder in ("/etc/pam.d", "/var/lib/pam"):
        shutil.copytree(folder, str(tmp_path / "kept") + folder, symlinks=True)
    shutil.copy2(UPDATE, tmp_path / "pam-auth-update")
    yield contents()
    shutil.copy2(tmp_path / "pam-auth-update", UPDATE)
    for folder in ("/etc/pam.d", "/var/lib/pam"):
        for path in pathlib.Path(folder).iterdir():
            path.unlink()
        for path in pathlib.Path(str(tmp_path / "kept") + folder).iterdir():
            shutil.copy2(path, folder, follow_symlinks=False)
    shutil.rmtree(STATE)
    STATE.mkdir(mode=0o700)
    password("root", "*")


def breaking_update(at, code):
    """Puts a pam-auth-update in place that runs `code` before its at-th rename."""
    shutil.copy2(UPDATE, str(UPDATE) + ".real")
    UPDATE.write_text("""#!/usr/bin/perl
my $count = 0;
BEGIN { *CORE::GLOBAL::rename = sub { if (++$count == %d) { %s } CORE::rename($_[0], $_[1]) } }
do "/usr/sbin/pam-auth-update.real";
""" % (at, code))
    UPDATE.chmod(0o755)


KILL_ALL = """
    my $pid = getppid();
    while ($pid > 1) {
        open(my $stat, "<", "/proc/$pid/stat"); my ($name, $parent) = <$stat> =~ /\\((.*)\\) . (\\d+)/;
        if ($name eq "hygie") { kill 9, $pid; }
        $pid = $parent;
    }
    kill 9, $$;
"""


# Enable and disable


def test_enable_and_disable_leave_all_files_as_they_were(before):
    done = hygie("enable")
    assert done.returncode == 0, done.stderr
    assert "+ [success=2 default=ignore] pam_hygie.so\n" in done.stdout
    assert "- [success=1 default=ignore] pam_unix.so nullok\n" in done.stdout
    assert auth_lines()[:2] == [["[success=2", "default=ignore]", "pam_hygie.so"],
                                ["[success=1", "default=ignore]", "pam_unix.so", "nullok",
                                 "try_first_pass"]]
    done = hygie("disable")
    assert done.returncode == 0, done.stderr
    assert contents() == before
    assert not (STATE / "pam-before").exists()


def test_enable_and_disable_twice_change_nothing_more():
    assert hygie("enable").returncode == 0
    once = contents()
    done = hygie("enable")
    assert (done.returncode, done.stdout) == (0, "It is enabled so already. Nothing was changed.\n")
    assert contents() == once
    assert hygie("disable").returncode == 0
    assert hygie("disable").stdout == "It is not enabled. Nothing was changed.\n"


def test_session_line_comes_after_pam_systemd_and_only_for_people():
    assert hygie("enable").returncode == 0
    session = (PAM / "common-session").read_text()
    assert session.index("pam_systemd.so") < session.index("pam_hygie.so")
    assert "pam_hygie" not in (PAM / "common-session-noninteractive").read_text()


def test_json_says_what_was_and_what_is():
    status, value = as_json("enable")
    assert (status, value["outcome"]) == (0, "ok")
    assert value["profiles"] == ["hygie", "hygie-session"]
    assert "[success=2 default=ignore] pam_hygie.so" in value["after"]
    assert not any("pam_hygie" in line for line in value["before"])


def test_other_profiles_and_lines_outside_the_blocks_stay(before):
    path = PAM / "common-auth"
    path.write_text("auth optional pam_echo.so above\n" + path.read_text() +
                    "auth optional pam_echo.so below\n")
    assert hygie("enable").returncode == 0
    text = path.read_text()
    assert text.startswith("auth optional pam_echo.so above\n")
    assert text.endswith("auth optional pam_echo.so below\n") and "pam_cap.so" in text
    assert hygie("disable").returncode == 0
    assert "pam_hygie" not in path.read_text()


def test_what_the_administrator_added_to_our_line_is_kept():
    assert hygie("enable").returncode == 0
    path = PAM / "common-auth"
    path.write_text(path.read_text().replace("pam_hygie.so", "pam_hygie.so debug"))
    assert hygie("check").returncode == 0
    subprocess.run([str(UPDATE), "--package"], check=True, env={
        **os.environ, "DEBIAN_FRONTEND": "noninteractive"})
    assert "pam_hygie.so debug" in path.read_text()


@pytest.mark.parametrize("name", ["auth", "session"])
def test_line_within_a_block_is_refused_with_its_place(name):
    path = PAM / ("common-" + name)
    lines = path.read_text().splitlines()
    at = next(i for i, line in enumerate(lines) if "pam_unix" in line)
    lines.insert(at, name + " optional pam_echo.so mine")
    path.write_text("\n".join(lines) + "\n")
    edited = contents()
    done = hygie("enable")
    assert done.returncode == 7 and contents() == edited
    assert "%s:%d: edited by hand" % (path, at + 1) in done.stderr
    assert "Nothing was changed" in done.stderr and "pam-auth-update --force" in done.stderr
    checked = hygie("check")
    assert checked.returncode == 7
    assert "%s:%d: error: edited by hand" % (path, at + 1) in checked.stdout


def test_file_without_the_markers_is_refused():
    path = PAM / "common-auth"
    path.write_text("auth required pam_unix.so\n")
    done = hygie("enable")
    assert done.returncode == 7 and "the comments are gone" in done.stderr
    assert path.read_text() == "auth required pam_unix.so\n"


def test_without_pam_auth_update_it_says_so(before):
    UPDATE.unlink()
    done = hygie("enable")
    assert done.returncode == 7 and "no pam-auth-update" in done.stderr
    assert contents() == before


@pytest.mark.parametrize("at", [1, 2, RENAMES])
def test_update_that_fails_at_any_step_leaves_the_old_state(before, at):
    breaking_update(at, 'print STDERR "no space left\\n"; exit(3);')
    done = hygie("enable")
    assert done.returncode == 7 and "no space left" in done.stderr
    assert "as it was before" in done.stderr
    assert contents() == before and not (STATE / "pam-before").exists()


@pytest.mark.parametrize("at", range(1, RENAMES + 1))
def test_both_killed_at_any_step_are_undone_by_the_next_one(before, at):
    breaking_update(at, KILL_ALL)
    assert hygie("enable").returncode == -9
    assert (STATE / "pam-before").is_dir()
    shutil.copy2(str(UPDATE) + ".real", UPDATE)
    done = hygie("revert")
    assert done.returncode == 0 and "interrupted" in done.stdout
    assert contents() == before and not (STATE / "pam-before").exists()
    assert hygie("revert").stdout == "There is no trial. Nothing was changed.\n"


def test_enable_after_a_kill_undoes_first_and_then_works():
    breaking_update(3, KILL_ALL)
    assert hygie("enable").returncode == -9
    shutil.copy2(str(UPDATE) + ".real", UPDATE)
    done = hygie("enable")
    assert done.returncode == 0 and "interrupted has been undone" in done.stderr
    assert hygie("check").returncode == 0


def test_update_that_does_nothing_and_says_all_is_well_is_not_believed(before):
    UPDATE.write_text("#!/bin/sh\nexit 0\n")
    done = hygie("enable")
    assert done.returncode == 7 and "did not write what was asked for" in done.stderr
    assert contents() == before


# Required


def test_required_is_refused_without_a_way_back(before):
    done = hygie("enable", "--required", "--no-confirm")
    assert done.returncode == 7 and "No way back" in done.stderr
    assert "adduser USER hygie-exempt" in done.stderr
    assert contents() == before


def test_exempt_member_without_a_password_is_no_way_back(before):
    subprocess.run(["useradd", "-M", "-p", "!", "-G", "hygie-exempt", "locked"], check=True)
    done = hygie("enable", "--required", "--no-confirm")
    assert done.returncode == 7 and "passwd USER" in done.stderr
    assert contents() == before
    subprocess.run(["userdel", "locked"], check=True)


def test_required_is_refused_while_hygied_is_down(before):
    password("root", "$6$x$y")
    done = hygie("enable", "--required", "--no-confirm")
    assert done.returncode == 7 and "hygied does not answer" in done.stderr
    assert contents() == before


def test_trial_without_systemd_is_refused(before):
    done = hygie("enable", "--confirm", "10min")
    assert done.returncode == 7 and "systemd does not run here" in done.stderr
    assert "--no-confirm" in done.stderr
    assert contents() == before and not (STATE / "pam-before").exists()


@pytest.mark.parametrize("arguments", [
    ("enable", "--confirm", "soon"), ("enable", "--confirm", "1s"), ("enable", "--confirm", "2d"),
    ("enable", "--confirm", "10min", "--no-confirm"), ("disable", "--required"), ("enable", "now"),
])
def test_usage(arguments):
    assert hygie(*arguments).returncode == 2


def test_only_root_may_change():
    for word in ("enable", "disable", "revert"):
        done = hygie(word, user=65534)
        assert done.returncode == 6 and "root" in done.stderr


# Status


def doors(*services, **keywords):
    value = as_json("status", *services, **keywords)[1]
    return {door["service"]: door for door in value["services"]}


def test_status_of_debian_services_without_cards():
    found = doors()
    for service in ("login", "su", "sudo", "sshd"):
        assert (found[service]["card"], found[service]["password"]) == ("no", "yes")
    assert found["sshd"]["pretyped"] and not found["login"]["pretyped"]
    assert not any(name.startswith("common-") for name in found)


def test_status_of_debian_services_with_cards():
    assert hygie("enable").returncode == 0
    found = doors()
    for service in ("login", "su", "sudo", "sshd", "cron", "systemd-user"):
        assert found[service]["card"] == "optional" and found[service]["exempt"] == []
    assert found["runuser"]["card"] == "no"
    done = hygie("status", "login")
    assert "door\tlogin\toptional\tyes\tno\t\n" in done.stdout
    assert re.search(r"line\tlogin\tauth\t0\t\[success=2 default=ignore\] pam_hygie.so\t"
                     r"/etc/pam.d/common-auth:\d+\n", done.stdout)


def test_status_of_the_required_profile_names_the_exempt():
    subprocess.run([str(UPDATE), "--package", "--enable", "hygie-required"], check=True,
                   env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
    door = doors()["sudo"]
    assert (door["card"], door["password"]) == ("required", "no-card")
    assert door["exempt"] == ["root", "@hygie-exempt"]


def test_status_on_a_terminal_fits_80_columns():
    assert hygie("enable").returncode == 0
    child = pexpect.spawn("hygie", ["pam", "status", "login", "su", "sshd"], encoding="utf-8",
                          dimensions=(200, 80), env={**os.environ, "NO_COLOR": "1",
                                                     "LC_ALL": "C.UTF-8"})
    child.expect(pexpect.EOF)
    lines = child.before.replace("\r\n", "\n").split("\n")
    assert lines[0].split() == ["SERVICE", "CARD", "PASSWORD", "PRE-TYPED", "EXEMPT"]
    assert max(map(len, lines)) <= 80
    assert "Profiles enabled: hygie hygie-session" in lines
    assert "login, auth:" in lines


def test_status_of_an_unknown_service_exits_5():
    done = hygie("status", "no-such-door")
    assert done.returncode == 5 and "no-such-door" in done.stderr


def test_anybody_may_look():
    assert hygie("enable").returncode == 0
    assert hygie("status", user=65534).returncode == 0
    assert hygie("check", user=65534).returncode == 0
    assert doors(user=65534)["su"]["card"] == "optional"


# Own stacks


def service(*lines):
    (PAM / "own-door").write_text("\n".join(lines) + "\n")


OWN = {
    "only a card": (("auth required pam_hygie.so",), "required", "no", []),
    "card or password": (("auth sufficient pam_hygie.so", "auth required pam_unix.so"),
                         "optional", "yes", []),
    "card and password": (("auth requisite pam_unix.so", "auth required pam_hygie.so"),
                          "with-password", "no", []),
    "who has a card": (("auth [success=done user_unknown=ignore default=die] pam_hygie.so",
                        "auth required pam_unix.so"), "required", "no-card", []),
    "everybody": (("auth sufficient pam_hygie.so", "auth required pam_permit.so"),
                  "no", "needless", []),
    "exempt group": (("auth [success=1 default=ignore] pam_succeed_if.so quiet user ingroup "
                      "emergency", "auth [success=done user_unknown=ignore default=die] "
                      "pam_hygie.so", "auth required pam_unix.so"),
                     "required", "no-card", ["@emergency"]),
    "in a substack": (("auth substack common-auth",), "no", "yes", []),
    "without the file": (("@include no-such-file",), "no", "no", []),
}


@pytest.mark.parametrize("name", OWN)
def test_status_of_own_stacks(name):
    lines, card, word, exempt = OWN[name]
    service(*lines)
    door = doors("own-door")["own-door"]
    assert (door["card"], door["password"], door["exempt"]) == (card, word, exempt)


WRONG = {
    "kind": (("autth required pam_unix.so",), 1, "error", "does not understand"),
    "control": (("auth required pam_permit.so", "auth [success=] pam_unix.so"), 2, "error",
                "does not understand"),
    "module": (("auth required pam_no_such.so",), 1, "error", "not installed"),
    "module that is ignored": (("auth optional pam_no_such.so",), 1, "warning", "not installed"),
    "include": (("@include no-such-file",), 1, "error", "no such file"),
    "loop": (("auth include own-door",), 1, "error", "without end"),
    "jump": (("auth [success=3 default=ignore] pam_hygie.so", "auth required pam_unix.so"), 1,
             "error", "beyond the end"),
    "nobody refuses": (("auth [success=1 default=ignore] pam_hygie.so",
                        "auth optional pam_unix.so", "auth required pam_permit.so"), 1, "error",
                       "lets everybody in"),
    "nobody says yes": (("auth [success=1 default=ignore] pam_hygie.so",
                         "auth requisite pam_deny.so", "auth optional pam_cap.so"), 1, "error",
                        "refuses even the right"),
    "password first": (("auth sufficient pam_unix.so", "auth sufficient pam_hygie.so",
                        "auth required pam_deny.so"), 2, "warning", "before the card"),
    "never asked": (("auth requisite pam_deny.so", "auth required pam_hygie.so"), 2, "warning",
                    "never asked"),
    "nobody exempt": (("auth [success=done user_unknown=ignore default=die] pam_hygie.so",
                       "auth required pam_unix.so"), 1, "error", "nobody is exempt"),
    "credentials": (("auth [success=done user_unknown=ignore default=die] pam_hygie.so",
                     "auth required pam_unix.so"), 1, "error", "jobs of cron"),
    "session first": (("auth required pam_deny.so", "session optional pam_hygie.so",
                       "session optional pam_systemd.so"), 2, "warning", "before pam_systemd"),
    "session refused": (("auth required pam_deny.so", "session required pam_hygie.so"), 2,
                        "warning", "optional"),
}


@pytest.mark.parametrize("name", WRONG)
def test_check_tells_what_is_wrong_and_where(name):
    lines, line, severity, text = WRONG[name]
    service(*lines)
    status, value = as_json("check")
    found = [finding for finding in value["findings"] if text in finding["text"]]
    assert [(f["file"], f["line"], f["severity"]) for f in found] == [
        (str(PAM / "own-door"), line, severity)]
    assert status == (7 if any(f["severity"] == "error" for f in value["findings"]) else 0)
    done = hygie("check")
    assert "%s:%d: %s: " % (PAM / "own-door", line, severity) in done.stdout


CONF = pathlib.Path("/etc/hygie/hygie.conf")


@pytest.fixture
def secret_services():
    """Sets [secret] services; it is gone after the test."""
    yield lambda text: CONF.write_text("[secret]\nservices = %s\n" % text)
    CONF.unlink(missing_ok=True)


@pytest.mark.parametrize("options", ["", " try_first_pass", " nullok use_first_pass"])
def test_check_tells_which_line_takes_a_login_secret_for_the_password(secret_services, options):
    service("auth required pam_hygie.so", "auth required pam_unix.so" + options)
    secret_services("login")
    assert as_json("check")[1]["findings"] == []  # no secret is given there
    secret_services("login own-door")
    status, value = as_json("check")
    (found,) = value["findings"]
    place = str(PAM / "own-door")
    assert (status, found["file"], found["line"], found["severity"]) == (0, place, 2, "warning")
    assert "own-door refuses whoever has a login secret" in found["text"]
    assert "above that of pam_hygie (%s:1)" % place in found["text"]
    assert "leave own-door out" in found["text"]
    assert ("without use_first_pass" in found["text"]) == ("use_first_pass" in options)
    service("auth required pam_unix.so", "auth required pam_hygie.so")
    assert not [f for f in as_json("check")[1]["findings"] if "login secret" in f["text"]]


def test_check_finds_nothing_in_what_debian_and_we_ship():
    assert as_json("check")[1]["findings"] == []
    assert hygie("enable").returncode == 0
    assert as_json("check")[1]["findings"] == []


def test_check_of_the_required_profile_asks_for_a_way_back():
    subprocess.run([str(UPDATE), "--package", "--enable", "hygie-required", "hygie-session"],
                   check=True, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
    status, value = as_json("check")
    assert status == 7
    # One line, however many services share it.
    assert ["nobody could log in" in finding["text"] for finding in value["findings"]] == [True]
    password("root", "$6$x$y")
    assert as_json("check") == (0, {"outcome": "ok", "text": "The PAM set-up is good.",
                                    "findings": []})


@pytest.mark.parametrize("name", ["gdm-smartcard", "kde-smartcard"])
def test_shipped_services_are_sound(name):
    shutil.copy(pathlib.Path("/usr/share/hygie/pam.d", name), PAM)
    door = doors(name)[name]
    assert (door["card"], door["password"]) == ("required", "no")
    findings = as_json("check")[1]["findings"]
    assert [f["text"] for f in findings
            if f["severity"] == "error" and "pam_gnome_keyring" not in f["text"]] == []


def test_optional_and_required_exclude_each_other():
    subprocess.run([str(UPDATE), "--package", "--enable", "hygie", "hygie-required"], check=True,
                   env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, capture_output=True)
    assert sum("pam_hygie.so" in line for line in auth_lines()) == 1


def test_passwords_can_be_changed_beside_the_pin():
    """Whatever comes before pam_unix there makes it use a new password that it was not
    told: hence our line comes after it."""
    subprocess.run(["useradd", "-M", "changer"], check=True)
    subprocess.run([str(UPDATE), "--package", "--enable", "hygie", "hygie-pin-change"], check=True,
                   env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
    assert "pin_change" in (PAM / "common-password").read_text()
    done = subprocess.run(["pamtester", "passwd", "changer", "chauthtok"], text=True, check=False,
                          input="Some word 77\nSome word 77\n", capture_output=True)
    subprocess.run(["userdel", "changer"], check=True)
    assert done.returncode == 0, done
    assert as_json("check")[1]["findings"] == []
