# SPDX-License-Identifier: Apache-2.0
"""Linux-PAM from Python, straight on libpam: an application with a conversation of its own.

    result = authenticate("alice", ["123456"])         # answers to the prompts, in order
    assert result.code == PAM_SUCCESS and result.user == "alice"

An answer may be a string, None (the conversation fails), or a function that is called while
the prompt waits and returns one of these. Runs in this process; see `as_uid` for another user.
"""
import ctypes
import json
import os
import pathlib
import subprocess
import sys
import time

(PAM_SUCCESS, PAM_SYSTEM_ERR, PAM_AUTH_ERR, PAM_AUTHINFO_UNAVAIL, PAM_USER_UNKNOWN, PAM_MAXTRIES,
 PAM_NEW_AUTHTOK_REQD, PAM_ACCT_EXPIRED, PAM_CONV_ERR, PAM_IGNORE) = (
    0, 4, 7, 9, 10, 11, 12, 13, 19, 25)
PROMPT_ECHO_OFF, PROMPT_ECHO_ON, ERROR_MSG, TEXT_INFO = 1, 2, 3, 4
PAM_USER, PAM_SERVICE, PAM_AUTHTOK = 2, 1, 6
PAM_SILENT = 0x8000

_pam = ctypes.CDLL("libpam.so.0")
_libc = ctypes.CDLL(None)
_libc.calloc.restype = ctypes.c_void_p
_libc.strdup.restype = ctypes.c_void_p
_pam.pam_getenv.restype = ctypes.c_char_p


class _Message(ctypes.Structure):
    _fields_ = [("style", ctypes.c_int), ("text", ctypes.c_char_p)]


class _Response(ctypes.Structure):
    _fields_ = [("text", ctypes.c_void_p), ("code", ctypes.c_int)]


_CONVERSATION = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_int, ctypes.POINTER(ctypes.POINTER(_Message)),
    ctypes.POINTER(ctypes.POINTER(_Response)), ctypes.c_void_p)


class _Conv(ctypes.Structure):
    _fields_ = [("function", _CONVERSATION), ("data", ctypes.c_void_p)]


class Handle:
    """One PAM transaction. `messages` collects (style, text) of everything that was said."""

    def __init__(self, service, user=None, answers=()):
        self.messages, self._answers = [], list(answers)
        self.prompted = None  # monotonic seconds when the last prompt was answered
        self._function = _CONVERSATION(self._converse)
        self._conv = _Conv(self._function, None)
        self._handle = ctypes.c_void_p()
        name = user.encode() if user is not None else None
        self._check(_pam.pam_start(service.encode(), name, ctypes.byref(self._conv),
                                   ctypes.byref(self._handle)))
        self.code = None

    @staticmethod
    def _check(code):
        if code != PAM_SUCCESS:
            raise RuntimeError("pam: code %d" % code)

    def _answer(self):
        answer = self._answers.pop(0) if self._answers else None
        if callable(answer):
            answer = answer()
        self.prompted = time.monotonic()
        return answer

    def _converse(self, count, messages, responses, _data):
        block = _libc.calloc(count, ctypes.sizeof(_Response))
        array = ctypes.cast(block, ctypes.POINTER(_Response))
        for i in range(count):
            message = messages[i].contents
            self.messages.append((message.style, message.text.decode("utf-8", "replace")))
            if message.style in (PROMPT_ECHO_OFF, PROMPT_ECHO_ON):
                answer = self._answer()
                if answer is None:
                    return PAM_CONV_ERR
                array[i].text = _libc.strdup(answer.encode())
        responses[0] = array
        return PAM_SUCCESS

    def call(self, name, flags=0):
        """pam_authenticate, pam_setcred, ...: returns its code."""
        self.code = getattr(_pam, name)(self._handle, flags)
        return self.code

    def item(self, kind):
        value = ctypes.c_void_p()
        self._check(_pam.pam_get_item(self._handle, kind, ctypes.byref(value)))
        return ctypes.string_at(value.value).decode() if value.value else None

    def getenv(self, name):
        value = _pam.pam_getenv(self._handle, name.encode())
        return value.decode() if value is not None else None

    def putenv(self, text):
        self._check(_pam.pam_putenv(self._handle, text.encode()))

    def end(self):
        _pam.pam_end(self._handle, self.code or 0)


class Result:
    """How an authentication came out."""

    def __init__(self, code, user, messages, seconds, after_answer):
        self.code, self.user, self.messages = code, user, messages
        self.seconds, self.after_answer = seconds, after_answer

    @property
    def text(self):
        """All that was said, prompts too, a line each."""
        return "\n".join(text for _, text in self.messages)

    def prompts(self):
        return [text for style, text in self.messages if style in (PROMPT_ECHO_OFF, PROMPT_ECHO_ON)]

    def __repr__(self):
        return "Result(code=%s, user=%r, messages=%r)" % (self.code, self.user, self.messages)


def authenticate(user, answers, service="hygie-test", flags=0):
    """pam_authenticate once, in this process. Returns a Result."""
    handle = Handle(service, user, answers)
    began = time.monotonic()
    code = handle.call("pam_authenticate", flags)
    ended = time.monotonic()
    result = Result(code, handle.item(PAM_USER), handle.messages, ended - began,
                    ended - handle.prompted if handle.prompted else None)
    handle.end()
    return result


def as_uid(uid, user, answers, service="hygie-test"):
    """The same in a process of another user, as a screen locker is."""
    program = ("import sys, json; sys.path.insert(0, sys.argv[1]); import pamclient as p;"
               "r = p.authenticate(*json.loads(sys.argv[2]));"
               "print(json.dumps([r.code, r.user, r.messages, r.seconds, r.after_answer]))")
    done = subprocess.run(
        [sys.executable, "-c", program, str(pathlib.Path(__file__).parent),
         json.dumps([user, list(answers), service])],
        user=uid, group=uid, extra_groups=[], capture_output=True, text=True, check=False,
        env={"PATH": os.environ["PATH"]})
    if done.returncode != 0:
        raise RuntimeError("PAM client as uid %d: %s" % (uid, done.stderr))
    code, name, messages, seconds, after = json.loads(done.stdout)
    return Result(code, name, [tuple(message) for message in messages], seconds, after)
