# SPDX-License-Identifier: Apache-2.0
"""A hygied that does what a script says, for tests of clients.

    def script(dialogue):
        assert dialogue.request.get("USER") == "alice"
        if dialogue.prompt("PIN of Alice: ") == b"1234":
            dialogue.result("OK", USER="alice")
        else:
            dialogue.result("PIN_WRONG")

    with FakeHygied(path, script) as daemon:
        ... run the client ...
    daemon.dialogues[0].received    # every message that came, the request first

A script runs in a thread of its own for each connection; several scripts serve the
connections in turn, the last one all that follow. What a script raises (an assertion, a
peer that went) is raised again when the block ends, unless the script expected it.
It is no hygied: it knows no card, no policy and no peer credentials.
"""

import os
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

import wire  # noqa: E402

PATIENCE = 20  # seconds that a script waits for a client


class PeerGone(Exception):
    """The client closed its end."""


class Cancelled(Exception):
    """The client sent CANCEL."""


class Dialogue:
    """One connection, as a script sees it."""

    def __init__(self, connection):
        self.connection = connection
        self.received = []
        self.request = None

    def receive(self):
        """The next message of the client."""
        data = self.connection.recv(wire.MESSAGE_MAX + 1)
        if not data:
            raise PeerGone()
        message = wire.decode(data)
        self.received.append(message)
        return message

    def send(self, type_name, fields=()):
        self.send_bytes(wire.encode(type_name, fields))

    def send_bytes(self, data):
        """Bytes as they are: for messages that no hygied would send."""
        self.connection.send(data)

    def info(self, text):
        self.send("INFO", {"TEXT": text})

    def warning(self, text):
        self.send("WARNING", {"TEXT": text})

    def progress(self, text):
        self.send("PROGRESS", {"TEXT": text})

    def item(self, kind, **fields):
        self.send("ITEM", {"KIND": kind, **fields})

    def ask(self, text, echo=False):
        """Opens a prompt and does not wait for its answer."""
        self.send("PROMPT", {"TEXT": text, "ECHO": int(echo)})

    def prompt(self, text, echo=False):
        """Asks and waits: the answer's bytes. Raises Cancelled."""
        self.ask(text, echo)
        message = self.receive()
        if message.type == "CANCEL":
            raise Cancelled()
        assert message.type == "ANSWER", message
        return message.get("ANSWER")

    def result(self, outcome, **fields):
        """Ends the dialogue; `outcome` as in outcome.h without HYGIE_, or a number."""
        number = outcome if isinstance(outcome, int) else wire.OUTCOMES["HYGIE_" + outcome]
        self.send("RESULT", {"OUTCOME": number, **fields})

    def close(self):
        self.connection.close()


class FakeHygied:
    """Listens at `path` while the block runs."""

    def __init__(self, path, *scripts):
        self.path = str(path)
        self.scripts = scripts
        self.dialogues = []
        self._errors = []
        self._threads = []
        self._listener = None

    def __enter__(self):
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(self.path)
        os.chmod(self.path, 0o666)
        self._listener.listen(16)
        self._accepter = threading.Thread(target=self._accept, daemon=True)
        self._accepter.start()
        return self

    def __exit__(self, kind, value, trace):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._accepter.join(PATIENCE)
        self._listener.close()
        os.unlink(self.path)
        for thread in self._threads:
            thread.join(PATIENCE)
            if thread.is_alive():
                self._errors.append(AssertionError("a script did not end"))
        if kind is None and self._errors:
            raise self._errors[0]

    @property
    def requests(self):
        return [dialogue.request for dialogue in self.dialogues]

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.settimeout(PATIENCE)
            script = self.scripts[min(len(self.dialogues), len(self.scripts) - 1)]
            dialogue = Dialogue(connection)
            self.dialogues.append(dialogue)
            thread = threading.Thread(
                target=self._serve, args=(dialogue, script), daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def _serve(self, dialogue, script):
        try:
            dialogue.request = dialogue.receive()
            script(dialogue)
        except Cancelled:
            dialogue.result("GAVE_UP")
        except PeerGone as error:
            if dialogue.request:  # else it asked nothing, which is its right
                self._errors.append(error)
        except Exception as error:  # pylint: disable=broad-except
            self._errors.append(error)
        finally:
            dialogue.close()


def answers(outcome, **fields):
    """A script that only gives a result."""
    return lambda dialogue: dialogue.result(outcome, **fields)


def login(pin, user, **fields):
    """A script of a login: asks for the PIN; OK for the right one, PIN_WRONG else."""

    def script(dialogue):
        if dialogue.prompt("PIN of %s: " % user) == pin:
            dialogue.result("OK", USER=user, **fields)
        else:
            dialogue.result("PIN_WRONG", TEXT="Wrong PIN.")

    return script
