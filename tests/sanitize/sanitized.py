# SPDX-License-Identifier: Apache-2.0
"""A pytest plugin for the runs of tests/sanitize/sanitize. It leaves out the tests that
tests/sanitize/deviations names, starts the interpreters of tests with the runtime that a
module needs whose host has none, and fails the test after which hygied, asked to end,
ended otherwise than with status 0: its leaks are looked for there.
"""
import os
import pathlib
import signal
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
KIND = os.environ["SANITIZE_KIND"]
PATIENCE = 8 if KIND == "asan" else 30
sys.path[:0] = [str(HERE.parent)]


def deviations():
    """[(file and test, or the beginning of its name)] of this kind."""
    lines = (HERE / "deviations").read_text(encoding="utf-8").splitlines()
    words = [line.split(None, 1) for line in lines if line and line[0] not in "# \t"]
    return [word[1] for word in words if word[0] == KIND]


def pytest_configure(config):
    for name in ("LD_PRELOAD", "ASAN_OPTIONS"):
        os.environ.pop(name, None)
    if os.environ.get("SANITIZE_PYTHON"):
        sys.executable = os.environ["SANITIZE_PYTHON"]


def pytest_collection_modifyitems(config, items):
    names = {item: str(item.path.relative_to(HERE.parent)) + "::" + item.name for item in items}
    files = {name.partition("::")[0] for name in names.values()}
    left_out = []
    for deviation in deviations():
        matching = [item for item in items if names[item].startswith(deviation)]
        if deviation.partition("::")[0] in files and not matching:
            raise pytest.UsageError("tests/sanitize/deviations: no test is " + deviation)
        left_out += matching
    config.hook.pytest_deselected(items=[item for item in items if item in left_out])
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session", autouse=True)
def patience():
    """What starts a helper that is watched waits longer for it to hang."""
    helper = sys.modules.get("helper")
    if not hasattr(helper, "Helper"):
        yield
        return
    begin = helper.Helper.__init__

    def begin_patiently(self, *arguments, timeout=10000, **more):
        begin(self, *arguments, timeout=PATIENCE * timeout, **more)

    helper.Helper.__init__ = begin_patiently
    yield
    helper.Helper.__init__ = begin


@pytest.fixture(scope="session", autouse=True)
def hygied_ends_well():
    import station

    ended = []
    stop = station.Station.stop_hygied

    def stop_and_look(self, how=signal.SIGTERM):
        alive = self.hygied is not None and self.hygied.poll() is None
        status = stop(self, how)
        if alive and how == signal.SIGTERM:
            ended.append(status)
        return status

    station.Station.stop_hygied = stop_and_look
    yield
    station.Station.stop_hygied = stop
    assert not [status for status in ended if status != 0], "hygied ended with %s" % ended
