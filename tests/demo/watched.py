# SPDX-License-Identifier: Apache-2.0
"""Programs and PAM conversations, watched with a clock: what was said when, on what screen.

Both give a Watched: `moments` (milliseconds since the start, kind, text), where the kind is
"said", "prompt" or "event", and when the last answer was given and the end came.
"""
import functools
import os
import re
import time

import pamclient
import pexpect

PROMPT = re.compile(r"(?:Last try. )?PIN of [^\r\n]*: $")
PATIENCE = 20  # seconds for the next thing that a program says


class Watched:
    def __init__(self):
        self.began = time.monotonic()
        self.moments = []
        self.answered = self.ended = None  # milliseconds
        self.status = None  # a program's exit status, or PAM's code
        self.user = None    # whom PAM let in

    def now(self):
        return (time.monotonic() - self.began) * 1000

    def note(self, kind, text, at=None):
        self.moments.append((self.now() if at is None else at, kind, text))

    @property
    def text(self):
        return "\n".join(text for _, _, text in self.moments)

    def prompts(self):
        return [text for _, kind, text in self.moments if kind == "prompt"]

    def prompt_after(self):
        """Milliseconds from the start to the first prompt, or None."""
        return next((at for at, kind, _ in self.moments if kind == "prompt"), None)

    def after_answer(self):
        """Milliseconds from the last answer to the end, or None."""
        return None if self.answered is None else self.ended - self.answered


def run(command, answers=()):
    """Runs it on a terminal of its own, as a person would, and types the answers."""
    answers = list(answers)
    environment = {**os.environ, "TERM": "xterm", "NO_COLOR": "1", "LC_ALL": "C.UTF-8"}
    watched = Watched()
    child = pexpect.spawn(command[0], list(command[1:]), env=environment, encoding="utf-8",
                          dimensions=(24, 400), timeout=PATIENCE)
    child.delaybeforesend = None
    while True:
        found = child.expect([r"\r?\n", PROMPT, pexpect.EOF])
        if found == 1:
            watched.note("prompt", child.after)
            child.sendline(answers.pop(0) if answers else "")
            watched.answered = watched.now()
        elif child.before.strip():
            watched.note("said", child.before.strip())
        if found == 2:
            break
    watched.ended = watched.now()
    child.close()
    watched.status = child.exitstatus
    return watched


class _Conversation(pamclient.Handle):
    def __init__(self, watched, *arguments):
        self.watched = watched
        super().__init__(*arguments)

    def _answer(self):
        self.watched.note("prompt", self.messages[-1][1])
        return super()._answer()

    def _converse(self, count, messages, responses, data):
        before = len(self.messages)
        code = super()._converse(count, messages, responses, data)
        for style, text in self.messages[before:]:
            if style in (pamclient.ERROR_MSG, pamclient.TEXT_INFO):
                self.watched.note("said", text)
        return code


def login(service, user, answers=()):
    """pam_authenticate, by this process. An answer may be a function: it is called with the
    Watched while the prompt stands, and returns the text."""
    watched = Watched()
    handle = _Conversation(watched, service, user, [
        functools.partial(answer, watched) if callable(answer) else answer
        for answer in answers])
    watched.status = handle.call("pam_authenticate")
    watched.ended = watched.now()
    if handle.prompted is not None:
        watched.answered = (handle.prompted - watched.began) * 1000
    watched.user = handle.item(pamclient.PAM_USER)
    handle.end()
    return watched
