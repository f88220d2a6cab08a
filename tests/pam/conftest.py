# SPDX-License-Identifier: Apache-2.0
"""What the tests of the PAM module and of the command share.

HYGIE_BUILD names the folder of what was built (default: build/ of this tree); in it
pam_hygie.so, hygie/hygie or hygie, and under tests/ pam_application, pam_look_module.so and
fail_calls.so.
"""

import os
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

BUILD = os.environ.get("HYGIE_BUILD", os.path.join(ROOT, "build"))


def built(*names):
    """The first of these that exists under the build folder."""
    for folder in (BUILD, os.path.join(BUILD, "tests"), os.path.join(BUILD, "tests", "pam")):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.isfile(path):
                return path
    raise FileNotFoundError("%s under %s: build it first" % (" or ".join(names), BUILD))


@pytest.fixture
def socket_path(tmp_path):
    return str(tmp_path / "hygied.sock")


class Application:
    """Runs pam_application with service files of its own."""

    def __init__(self, folder, socket_path):
        self.confdir = str(folder / "pam.d")
        os.mkdir(self.confdir)
        self.socket_path = socket_path
        self.module = built("pam_hygie.so")
        self.look = built("pam_look_module.so")
        self.stack()

    def stack(self, before="", after="", arguments="", control="required"):
        """Writes the service "test": our module in all four stacks."""
        line = "%s %s socket=%s %s" % (control, self.module, self.socket_path, arguments)
        with open(os.path.join(self.confdir, "test"), "w", encoding="ascii") as file:
            for kind in ("auth", "account", "session", "password"):
                file.write(before if kind == "auth" else "")
                file.write("%s %s\n" % (kind, line))
                file.write(after if kind == "auth" else "")

    def run(self, user, *steps, options=(), preload=None, env=None, status=0):
        """Runs it; the lines of its output."""
        return self.run_bytes(user, *steps, options=options, preload=preload, env=env,
                              status=status).decode("utf-8").splitlines()

    def run_bytes(self, user, *steps, options=(), preload=None, env=None, status=0,
                  program=None, uid=None):
        """The same; its output as it is. `program` in place of pam_application, run by uid."""
        environment = {**os.environ, "LC_ALL": "C", **(env or {})}
        if preload:
            environment["LD_PRELOAD"] = preload
        done = subprocess.run(
            [program or built("pam_application"), *options, self.confdir, "test", user, *steps],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, env=environment,
            check=False, user=uid,
        )
        assert done.returncode == status, done
        return done.stdout

    def code(self, user, *steps, **keywords):
        """Runs it; the PAM code of the last step."""
        return codes(self.run(user, *steps, **keywords))[-1]


STEPS = ("authenticate", "setcred", "acct_mgmt", "open_session", "close_session", "chauthtok",
         "chauthtok_expired")


def codes(lines):
    """The codes of the steps, in order."""
    return [int(line.split()[-1]) for line in lines if line.split(" ")[0] in STEPS]


def said(lines):
    """What was said: pairs of style and text."""
    return [tuple(line.split(" ", 3)[2:4]) for line in lines if line.startswith("say ")]


@pytest.fixture
def application(tmp_path, socket_path):
    return Application(tmp_path, socket_path)


@pytest.fixture
def pamtester(socket_path):
    """Runs pamtester on a service file in /etc/pam.d, which must be a private mount: these
    tests never write to the machine's own."""
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        mounts = {line.split()[4] for line in file}
    if not mounts & {"/etc", "/etc/pam.d"}:
        pytest.fail("run these tests with a mount of their own on /etc or /etc/pam.d")
    name = "hygie-test-%d" % os.getpid()
    path = os.path.join("/etc/pam.d", name)
    with open(path, "w", encoding="ascii") as file:
        for kind in ("auth", "account", "session", "password"):
            file.write("%s required %s socket=%s\n" % (kind, built("pam_hygie.so"), socket_path))

    def run(user, *operations, typed=""):
        return subprocess.run(
            ["pamtester", name, user, *operations], input=typed.encode(),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False,
        )

    yield run
    os.unlink(path)
