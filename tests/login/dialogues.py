# SPDX-License-Identifier: Apache-2.0
"""Dialogues with hygied word by word, and hygied started anew with other settings: what the
tests of attacks are made with. Decides nothing about what ought to happen."""
import contextlib
import pathlib
import signal

import station as st
import wire

DROP_IN = pathlib.Path("/etc/hygie/hygie.conf.d/50-attack.conf")


def ask(request="REQUEST_AUTHENTICATE", **fields):
    """A connection on which that was asked."""
    link = st.connect()
    link.settimeout(20)
    link.sendall(wire.encode(request, fields))
    return link


def hear(link, *types):
    """The next message of these types. A connection that breaks is an error here."""
    while True:
        data = link.recv(wire.MESSAGE_MAX)
        assert data, "hygied hung up without a result"
        message = wire.decode(data)
        if message.type in (types or ("RESULT", "PROMPT")):
            return message


def outcome(message):
    names = {number: name[len("HYGIE_"):] for name, number in wire.OUTCOMES.items()}
    return names[message.get("OUTCOME")] if message.type == "RESULT" else message.type


@contextlib.contextmanager
def settings(station, text):
    """hygied with that in its configuration; afterwards without it."""
    station.stop_hygied()
    DROP_IN.write_text(text)
    restart(station)
    try:
        yield
    finally:
        station.stop_hygied()
        DROP_IN.unlink()
        restart(station)


def restart(station):
    station.log_path.unlink(missing_ok=True)
    station.start_hygied()


@contextlib.contextmanager
def stopped(station):
    """hygied stands still; what is sent meanwhile waits for it."""
    station.hygied.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        station.hygied.send_signal(signal.SIGCONT)
