# SPDX-License-Identifier: Apache-2.0
"""A machine that is restarted while its PAM set-up is on trial."""
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import machine as mc  # noqa: E402

COMMON = "/etc/pam.d/common-auth"
KEPT = ("/etc/pam.d", "/var/lib/pam", "/var/lib/hygie")


class Restarted(mc.Machine):
    """A machine that starts with what another one left on its disk."""

    def __init__(self, home, left):
        super().__init__(home)
        self.left = left

    def write_site(self, layer):
        super().write_site(layer)
        subprocess.run(["tar", "-C", layer, "-x"], input=self.left, check=True)


def test_restart_during_a_trial_undoes_it_before_anybody_is_asked(tmp_path):
    with mc.Machine(tmp_path / "first") as machine:
        before = machine.read(COMMON)
        machine.run("hygie", "pam", "enable", "--required", "--confirm", "10min")
        left = subprocess.run(machine.command("tar", "-c", *KEPT), check=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        assert machine.read(COMMON) != before
    with Restarted(tmp_path / "second", left) as again:
        assert again.read(COMMON) == before
        assert again.run("find", "/var/lib/hygie", "-name", "pam-*").stdout == ""
        assert "pam-reverted" in again.journal("-t", "hygie")
        order = again.run("systemctl", "show", "--property=ExecMainStartTimestampMonotonic",
                          "--value", "hygie-pam-revert.service", "systemd-logind.service",
                          "cron.service").stdout.split()
        assert 0 < int(order[0]) < min(map(int, order[1:]))
