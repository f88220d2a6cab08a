# SPDX-License-Identifier: Apache-2.0
"""Doors behind Debian's common-auth as `hygie pam enable` has it written: who gets in by
card, who by password, and who while something is broken."""

import os
import pathlib
import shutil
import subprocess

import pamclient as pam
import pytest
import station as st

PASSWORD, MODULE = "correct horse", "/usr/lib/x86_64-linux-gnu/security/pam_hygie.so"
STATE = pathlib.Path("/var/lib/hygie")
CONTACT = pathlib.Path("/etc/hygie/contact")
COMMON = pathlib.Path("/etc/pam.d/common-auth")


def hygie_pam(*words, check=True):
    done = subprocess.run(["hygie", "pam", *words], text=True, capture_output=True, check=False)
    assert not check or done.returncode == 0, done
    return done


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """Alice has a card and a password, bob a password only, dora is exempt, root has one."""
    hashed = subprocess.run(["openssl", "passwd", "-6", PASSWORD], text=True, check=True,
                            capture_output=True).stdout.strip()
    with st.Station(tmp_path_factory.mktemp("station"),
                    config="[login]\ncard_wait = 100ms\n") as station:
        st.add_user("dora")
        subprocess.run(["usermod", "-aG", "hygie-exempt", "dora"], check=True)
        for user in ("alice", "bob", "dora", "root"):
            subprocess.run(["usermod", "-p", hashed, user], check=True)
        st.write_service("door", ("@include common-auth", "@include common-account",
                                  "@include common-session"))
        station.alice = station.make_card("alice")
        with station.card(station.alice):
            station.wait_ready()
            station.enrol("alice")
            station.wait_ready()
        yield station


@pytest.fixture
def optional(house):
    hygie_pam("enable")
    yield house
    hygie_pam("disable")


@pytest.fixture
def required(house):
    hygie_pam("enable", "--required", "--no-confirm")
    yield house
    hygie_pam("disable")


def knock(station, user, *answers, service="door"):
    return station.login(user, *answers, service=service)


# Card or password


def test_card_and_pin_open_the_door(optional):
    with optional.card(optional.alice):
        optional.wait_ready()
        result = knock(optional, "alice", st.PIN)
    assert (result.code, result.prompts()) == (pam.PAM_SUCCESS, ["PIN of Alice Specimen: "])


def test_card_says_who_where_it_is_optional(optional):
    with optional.card(optional.alice):
        optional.wait_ready()
        result = knock(optional, None, st.PIN)
    assert (result.code, result.user) == (pam.PAM_SUCCESS, "alice")


def test_without_the_card_the_password_opens_where_it_is_optional(optional):
    result = knock(optional, "alice", PASSWORD)
    assert (result.code, result.prompts()) == (pam.PAM_SUCCESS, ["Password: "])
    assert "Insert the card of alice" in result.text


def test_wrong_pin_and_wrong_password_open_nothing(optional):
    with optional.card(optional.alice) as card:
        optional.wait_ready()
        result = knock(optional, "alice", "654321", "wrong")
        assert result.code == pam.PAM_AUTH_ERR
        card.unblock()
    assert knock(optional, "alice", "wrong").code == pam.PAM_AUTH_ERR


def test_pin_is_not_tried_as_a_password(optional):
    """pam_unix asks for its own: the answer to our prompt stays with us."""
    with optional.card(optional.alice) as card:
        optional.wait_ready()
        result = knock(optional, "alice", "654321", PASSWORD)
        assert (result.code, len(result.prompts())) == (pam.PAM_SUCCESS, 2)
        card.unblock()


# Card required


def test_card_opens_where_it_is_required(required):
    with required.card(required.alice):
        required.wait_ready()
        assert knock(required, "alice", st.PIN).code == pam.PAM_SUCCESS


def test_holder_without_the_card_is_refused_whatever_the_password(required):
    result = knock(required, "alice", PASSWORD)
    assert (result.code, result.prompts()) == (pam.PAM_AUTHINFO_UNAVAIL, [])


def test_whoever_has_no_card_logs_in_by_password(required):
    assert knock(required, "bob", PASSWORD).code == pam.PAM_SUCCESS
    assert knock(required, "bob", "wrong").code == pam.PAM_AUTH_ERR


def test_revoked_card_is_no_way_to_the_password(required):
    registry = st.REGISTRY.parent
    kept = required.home / "registry"
    required.stop_hygied()
    shutil.copytree(registry, kept)
    required.start_hygied()
    try:
        required.run("revoke", "--user", "alice")
        result = knock(required, "alice", PASSWORD)
        assert (result.code, result.prompts()) == (pam.PAM_AUTH_ERR, [])
    finally:
        required.stop_hygied()
        for path in kept.iterdir():
            shutil.copy2(path, registry)
        required.start_hygied()


def test_root_and_the_exempt_group_are_not_asked_for_a_card(required):
    for user in ("root", "dora"):
        result = knock(required, user, PASSWORD)
        assert (result.code, result.prompts()) == (pam.PAM_SUCCESS, ["Password: "])
        assert knock(required, user, "wrong").code == pam.PAM_AUTH_ERR


@pytest.fixture
def dead(required):
    """hygied is down, and will not come by itself."""
    required.stop_hygied()
    yield required
    required.start_hygied()


def test_while_hygied_is_down_only_the_exempt_get_in(dead):
    for user in ("root", "dora"):
        assert knock(dead, user, PASSWORD).code == pam.PAM_SUCCESS
        assert knock(dead, user, "wrong").code == pam.PAM_AUTH_ERR
    for user in ("alice", "bob"):
        result = knock(dead, user, PASSWORD)
        assert (result.code, result.prompts()) == (pam.PAM_AUTHINFO_UNAVAIL, [])


def test_while_hygied_is_down_the_person_is_told_whom_to_call(dead):
    CONTACT.write_text("Call the help desk: 4711.\nnot this\n")
    CONTACT.chmod(0o644)
    result = knock(dead, "alice", PASSWORD)
    assert "is not running" in result.messages[0][1]
    assert [text for _, text in result.messages][1:] == ["Call the help desk: 4711."]
    CONTACT.write_bytes(b"\x1b[2J" + b"x" * 4000)
    text = knock(dead, "alice", PASSWORD).messages[1][1]
    assert text.startswith("\\x1B[2Jxxx") and len(text) < 300
    CONTACT.chmod(0o666)
    assert len(knock(dead, "alice", PASSWORD).messages) == 1
    CONTACT.unlink()
    assert len(knock(dead, "alice", PASSWORD).messages) == 1


def test_nobody_is_sent_to_the_help_desk_for_a_wrong_pin(required):
    CONTACT.write_text("Call the help desk: 4711.\n")
    with required.card(required.alice) as card:
        required.wait_ready()
        assert "4711" not in knock(required, "alice", "654321").text
        card.unblock()
    CONTACT.unlink()


def test_without_the_module_only_the_exempt_get_in(required):
    os.rename(MODULE, MODULE + ".away")
    try:
        for user in ("root", "dora"):
            assert knock(required, user, PASSWORD).code == pam.PAM_SUCCESS
        for user in ("alice", "bob"):
            assert knock(required, user, PASSWORD).code != pam.PAM_SUCCESS
        done = hygie_pam("check", check=False)
        assert done.returncode == 7 and "pam_hygie.so is not installed" in done.stdout
    finally:
        os.rename(MODULE + ".away", MODULE)


@pytest.mark.parametrize("service", ["cron", "systemd-user", "su", "sudo"])
def test_account_and_session_of_machines_never_ask_hygied(dead, service):
    """Jobs run for people who did not log in, hygied or not."""
    done = subprocess.run(["pamtester", service, "alice", "acct_mgmt"], text=True, timeout=60,
                          capture_output=True, check=False)
    assert done.returncode == 0, done
    handle = pam.Handle(service, "alice")
    assert handle.call("pam_setcred", 0x2) == pam.PAM_SUCCESS  # as cron does, without a login
    code = handle.call("pam_open_session")
    assert code == pam.PAM_SUCCESS
    handle.call("pam_close_session")
    handle.end()


def test_login_by_card_passes_account_and_session(required):
    with required.card(required.alice):
        required.wait_ready()
        handle = pam.Handle("door", "alice", [st.PIN])
        for call in ("pam_authenticate", "pam_acct_mgmt", "pam_setcred"):
            assert handle.call(call, 0x2 if call == "pam_setcred" else 0) == pam.PAM_SUCCESS
        assert handle.getenv("HYGIE_TICKET")
        assert handle.call("pam_open_session") == pam.PAM_SUCCESS
        assert handle.getenv("HYGIE_TICKET") is None
        handle.end()


def test_required_replaces_optional_and_back(optional):
    before = COMMON.read_bytes()
    hygie_pam("enable", "--required", "--no-confirm")
    assert knock(optional, "alice", PASSWORD).code == pam.PAM_AUTHINFO_UNAVAIL
    hygie_pam("enable")
    assert COMMON.read_bytes() == before
    assert knock(optional, "alice", PASSWORD).code == pam.PAM_SUCCESS


# On trial. The real timer is for the machine's tests: here it is only seen to be asked for.


@pytest.fixture
def timer(house, tmp_path):
    """A systemd that notes what it is asked."""
    told = tmp_path / "told"
    told.write_text("")
    kept = {}
    pathlib.Path("/run/systemd/system").mkdir(parents=True, exist_ok=True)
    for name in ("systemd-run", "systemctl"):
        path = pathlib.Path("/usr/bin", name)
        kept[path] = path.read_bytes()
        path.unlink()
        path.write_text("#!/bin/sh\necho %s \"$@\" >>%s\n" % (name, told))
        path.chmod(0o755)
    yield told
    for path, content in kept.items():
        path.write_bytes(content)
    shutil.rmtree("/run/systemd")
    hygie_pam("revert", check=False)
    hygie_pam("disable")


def test_required_is_on_trial_unless_said_otherwise(house, timer):
    done = hygie_pam("enable", "--required")
    assert "On trial until" in done.stdout
    assert "systemd-run --quiet --unit=hygie-pam-revert.service --on-active=600000ms" in \
        timer.read_text()
    assert (STATE / "pam-trial").exists() and (STATE / "pam-before").is_dir()
    assert "trial\t" in hygie_pam("status").stdout


def test_trial_without_a_login_is_undone(house, timer):
    before = COMMON.read_bytes()
    hygie_pam("enable", "--required", "--confirm", "5s")
    assert COMMON.read_bytes() != before
    done = hygie_pam("revert")
    assert "as it was before" in done.stdout and COMMON.read_bytes() == before
    assert sorted(path.name for path in STATE.glob("pam-*")) == []


def test_trial_goes_back_to_what_was_enabled_before(house, timer):
    hygie_pam("enable")
    before = COMMON.read_bytes()
    hygie_pam("enable", "--required")
    hygie_pam("revert")
    assert COMMON.read_bytes() == before


def test_login_by_card_confirms_and_nothing_is_undone(house, timer):
    hygie_pam("enable", "--required")
    now = COMMON.read_bytes()
    with house.card(house.alice):
        house.wait_ready()
        assert knock(house, "alice", st.PIN).code == pam.PAM_SUCCESS
        house.wait_log("pam-confirmed")
    assert not (STATE / "pam-trial").exists()
    assert "Nothing was undone" in hygie_pam("revert").stdout
    assert COMMON.read_bytes() == now
    assert sorted(path.name for path in STATE.glob("pam-*")) == []


def test_password_and_trial_services_and_refusals_confirm_nothing(house, timer):
    hygie_pam("enable", "--required")
    assert knock(house, "dora", PASSWORD).code == pam.PAM_SUCCESS
    with house.card(house.alice) as card:
        house.wait_ready()
        assert knock(house, "alice", st.PIN, service=st.SERVICE).code == pam.PAM_SUCCESS
        house.wait_ready()
        assert knock(house, "alice", "654321").code == pam.PAM_AUTH_ERR
        card.unblock()
        house.wait_ready()
        uid = st.add_user("alice")
        st.write_service("screen")
        assert house.login("alice", st.PIN, service="screen", uid=uid).code == pam.PAM_SUCCESS
    assert (STATE / "pam-trial").exists()


def test_second_trial_is_refused_while_one_runs(house, timer):
    hygie_pam("enable", "--required")
    done = hygie_pam("enable", "--required", check=False)
    assert done.returncode == 1 and "A trial is running" in done.stderr


def test_disable_ends_a_trial(house, timer):
    before = COMMON.read_bytes()
    hygie_pam("enable", "--required")
    assert "out of the common stack" in hygie_pam("disable").stdout
    assert COMMON.read_bytes() == before and not list(STATE.glob("pam-*"))


def test_trial_is_undone_by_the_copy_when_pam_auth_update_is_broken(house, timer):
    update = pathlib.Path("/usr/sbin/pam-auth-update")
    real = update.read_bytes()
    before = COMMON.read_bytes()
    hygie_pam("enable", "--required")
    update.write_text("#!/bin/sh\necho broken >&2\nexit 1\n")
    try:
        assert "as it was before" in hygie_pam("revert").stdout
    finally:
        update.write_bytes(real)
    assert COMMON.read_bytes() == before


def test_timer_that_cannot_be_started_changes_nothing(house, timer):
    pathlib.Path("/usr/bin/systemd-run").write_text("#!/bin/sh\necho no bus >&2\nexit 1\n")
    before = COMMON.read_bytes()
    done = hygie_pam("enable", "--required", check=False)
    assert done.returncode == 7 and "no bus" in done.stderr
    assert COMMON.read_bytes() == before and not list(STATE.glob("pam-*"))


def test_unit_undoes_a_trial_before_anybody_is_asked(house):
    unit = pathlib.Path("/usr/lib/systemd/system/hygie-pam-revert.service").read_text()
    for line in ("ConditionPathExists=|/var/lib/hygie/pam-trial", "DefaultDependencies=no",
                 "ExecStart=/usr/bin/hygie pam revert"):
        assert line in unit.split("\n")
    assert pathlib.Path("/usr/lib/systemd/system/sysinit.target.wants",
                        "hygie-pam-revert.service").resolve().exists()
