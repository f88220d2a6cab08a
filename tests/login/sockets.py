# SPDX-License-Identifier: Apache-2.0
"""hygied's socket as any local user may use it: messages sent by hand, as nobody's library
would. The kernel says who connected, so a user is one by the effective uid of that moment."""
import contextlib
import os
import pwd

import station as st
import wire


def uid_of(name):
    return pwd.getpwnam(name).pw_uid


@contextlib.contextmanager
def being(name):
    """Everything in it is done with that user's uid: the kernel tells it to hygied."""
    os.seteuid(uid_of(name))
    try:
        yield
    finally:
        os.seteuid(0)


def connect_as(name):
    with being(name):
        link = st.connect()
    link.settimeout(15)
    return link


def hear(link):
    """All messages until the result or the end."""
    messages = []
    while True:
        try:
            data = link.recv(wire.MESSAGE_MAX)
        except ConnectionResetError:
            return messages
        if not data:
            return messages
        messages.append(wire.decode(data))
        if messages[-1].type in ("RESULT", "PROMPT"):
            return messages


def outcome(messages):
    """The outcome's name, or the last message's type, or None if nothing came."""
    if not messages or messages[-1].type != "RESULT":
        return messages[-1].type if messages else None
    names = {number: name[len("HYGIE_"):] for name, number in wire.OUTCOMES.items()}
    return names[messages[-1].get("OUTCOME")]
