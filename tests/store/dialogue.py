# SPDX-License-Identifier: Apache-2.0
"""A dialogue with hygied, word by word."""
import station as st
import wire


class Dialogue:
    """One request, as root."""

    def __init__(self, request, **fields):
        self.link = st.connect()
        self.link.settimeout(st.PATIENCE)
        self.link.sendall(wire.encode(request, fields))

    def hear(self, *types):
        while True:
            data = self.link.recv(wire.MESSAGE_MAX)
            assert data, "hygied hung up"
            message = wire.decode(data)
            if message.type in types:
                return message

    def prompt(self):
        return self.hear("PROMPT", "RESULT")

    def answer(self, text):
        self.link.sendall(wire.encode("ANSWER", {"ANSWER": text.encode()}))

    def outcome(self):
        number = self.hear("RESULT").get("OUTCOME")
        return next(name for name, value in wire.OUTCOMES.items() if value == number)
