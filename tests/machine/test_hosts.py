# SPDX-License-Identifier: Apache-2.0
"""Doors on consoles and to other rights, each under each outcome."""
import hosts
import machine as mc
import outcomes
import stacks
import walk

CONFIG = outcomes.CONFIG
# The tests that come before the walk find nothing stopped.
HOSTS = (hosts.Login(), hosts.Getty(), hosts.Su(), hosts.SuByRoot(), hosts.Sudo(),
         hosts.SudoFromPipe(), hosts.Polkit(), hosts.Vlock())


def test_getty_takes_the_drop_in(doors):
    doors.run("install", "-D", "-m", "644", hosts.GETTY_DROP_IN,
              "/etc/systemd/system/getty@.service.d/card.conf")
    doors.run("systemctl", "daemon-reload")
    start = doors.run("systemctl", "show", "-p", "ExecStart", "getty@tty1.service").stdout
    assert start.count("--skip-login") == 1 and start.count("path=") == 1
    doors.run("rm", "-r", "/etc/systemd/system/getty@.service.d")
    doors.run("systemctl", "daemon-reload")


def test_password_piped_to_sudo_with_the_card_in_costs_no_try(doors):
    """The first line answers the PIN's prompt; it is no PIN, so the card never sees it."""
    stacks.use(doors, "optional")
    with doors.card(doors.cards["alice"]) as card:
        for lines, opened in ((1, False), (2, True)):
            doors.wait_ready()
            done = doors.run("sudo", "-S", hosts.DOOR, user="alice", check=False,
                             stdin=(mc.PASSWORD + "\n") * lines)
            assert ("open-for-root" in done.stdout) == opened, done.stderr
            assert "PIN of Alice" in done.stderr
        assert (card.verify_count(), card.tries()) == (0, 3)


@walk.cells(HOSTS)
def test_door(stage, host, matrix):
    stage.check(host, matrix)


def test_page_tells_what_was_run(matrix):
    assert matrix.differences() == []
