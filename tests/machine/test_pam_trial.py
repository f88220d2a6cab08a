# SPDX-License-Identifier: Apache-2.0
"""`hygie pam enable` on a machine that runs: real doors and the real timer."""
import machine as mc
import pytest

COMMON = "/etc/pam.d/common-auth"


@pytest.fixture
def house(machine):
    """Nothing is enabled, before and after; carol is exempt, root has a password."""
    machine.run("usermod", "-aG", "hygie-exempt", "carol")
    yield machine
    machine.run("hygie", "pam", "disable")
    machine.run("systemctl", "reset-failed", check=False)


def enable(machine, *options):
    return machine.run("hygie", "pam", "enable", *options).stdout


def timer_state(machine):
    return machine.run("systemctl", "show", "--property=ActiveState", "--value",
                       "hygie-pam-revert.timer").stdout.strip()


def files(machine):
    return machine.run("sh", "-c", "cd /var/lib/hygie; ls -d pam-*", check=False).stdout.split()


def log_in(terminal, prompt, answer):
    terminal.expect(prompt)
    terminal.sendline(answer)
    terminal.expect(r"[$#] $")


def test_trial_that_nobody_confirms_ends_by_its_timer(house):
    before = house.read(COMMON)
    enable(house, "--required", "--confirm", "5s")
    assert "hygie-exempt" in house.read(COMMON)
    assert timer_state(house) == "active"
    house.wait_until(lambda: house.read(COMMON) == before, "to undo the trial")
    house.wait_until(lambda: not files(house), "to tidy up")
    assert "pam-reverted" in house.journal("-t", "hygie")
    assert house.run("hygie", "pam", "check").stdout == "The PAM set-up is good.\n"


def test_login_by_card_on_the_console_keeps_it(house):
    enable(house, "--required", "--confirm", "20s")
    now = house.read(COMMON)
    with house.card(house.cards["alice"]):
        house.wait_ready()
        with house.terminal("login", "-p", "alice") as terminal:
            log_in(terminal, "PIN of Alice Specimen: ", mc.PIN)
            house.wait_until(lambda: "pam-trial" not in files(house), "to confirm")
    assert "pam-confirmed" in house.journal("HYGIE_EVENT=pam-confirmed")
    house.wait_until(lambda: timer_state(house) == "inactive" and not files(house),
                     "to end the trial")
    assert house.read(COMMON) == now


def test_password_of_the_exempt_opens_and_does_not_confirm(house):
    enable(house, "--required", "--confirm", "10min")
    with house.terminal("login", "-p", "carol") as terminal:
        log_in(terminal, "Password: ", mc.PASSWORD)
    assert "pam-trial" in files(house)
    assert "undone" in house.run("hygie", "pam", "revert").stdout


def test_second_trial_has_a_timer_of_its_own(house):
    enable(house, "--required", "--confirm", "10min")
    house.run("hygie", "pam", "revert")
    before = house.read(COMMON)
    enable(house, "--required", "--confirm", "5s")
    house.wait_until(lambda: house.read(COMMON) == before, "to undo the trial")


def test_holder_without_the_card_is_refused_at_the_console_and_told_whom_to_call(house):
    house.write("/etc/hygie/contact", "Call the help desk: 4711.\n")
    enable(house, "--required", "--no-confirm")
    house.run("systemctl", "stop", "hygied.socket", "hygied.service")
    try:
        with house.terminal("login", "-p", "alice") as terminal:
            terminal.expect("is not running")
            terminal.expect("Call the help desk: 4711.")
            terminal.expect("Login incorrect")
        with house.terminal("login", "-p", "carol") as terminal:
            log_in(terminal, "Password: ", mc.PASSWORD)
    finally:
        house.run("systemctl", "start", "hygied.socket", "hygied.service")
        house.run("rm", "/etc/hygie/contact")


def test_cron_runs_its_jobs_while_hygied_is_down(house):
    enable(house, "--required", "--no-confirm")
    house.run("systemctl", "stop", "hygied.socket", "hygied.service")
    try:
        house.write("/etc/cron.d/hygie-test", "* * * * * alice /usr/bin/logger -t ran as-$LOGNAME\n")
        house.run("systemctl", "restart", "cron")
        house.wait_until(lambda: "as-alice" in house.journal("-t", "ran"),
                         "to run a job of cron:\n" + house.journal("-t", "cron"), timeout=100)
    finally:
        house.run("rm", "/etc/cron.d/hygie-test")
        house.run("systemctl", "start", "hygied.socket", "hygied.service")
