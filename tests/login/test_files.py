# SPDX-License-Identifier: Apache-2.0
"""Files and folders that others than root can write: hygied does not start, or the card is not
used, the file is named, and nothing is written through it."""
import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import threading

import pytest

import pamclient as pam
import station as st
from sockets import being, uid_of

WRONG = "654321"
HYGIE = pathlib.Path("/etc/hygie")


def victim(path):
    """Where such a file goes that is linked to: nobody looks there, and it can be moved there."""
    return pathlib.Path("/var/lib/victim" if path == st.REGISTRY else "/etc/victim")


def kept(path):
    """Puts a file or folder back as it was, whatever is done to it."""
    @contextlib.contextmanager
    def keep():
        path_is_new = not os.path.lexists(path)
        spare = path.with_name(path.name + ".kept")
        if not path_is_new:
            subprocess.run(["cp", "-a", path, spare], check=True)
        try:
            yield
        finally:
            subprocess.run(["rm", "-rf", path], check=True)
            if not path_is_new:
                os.rename(spare, path)
    return keep()


def replace_by_link(path):
    path.rename(victim(path))
    path.symlink_to(victim(path))


def own_by_mallory(path):
    os.chown(path, uid_of("mallory"), -1)


def mode(bits):
    return lambda path: path.chmod(bits)


def hard_link(path):
    os.link(path, victim(path))


CONF, DROP_IN = HYGIE / "hygie.conf", HYGIE / "hygie.conf.d" / "50-site.conf"
PROFILE, CA = HYGIE / "cards.d" / "50-site.conf", HYGIE / "ca" / "us-piv" / "root.pem"
HELPER = pathlib.Path("/usr/libexec/hygie/hygie-token")
BAD_FILES = [(path, how, spoil)
             for path in (CONF, DROP_IN, PROFILE, CA, st.REGISTRY)
             for how, spoil in (("group-writable", mode(0o664)), ("world-writable", mode(0o646)),
                                ("mallory's", own_by_mallory), ("a link", replace_by_link),
                                ("hard-linked", hard_link))
             if (path, how) != (CA, "hard-linked")]
BAD_FILES += [(path, how, spoil)
              for path in (HYGIE, HYGIE / "hygie.conf.d", HYGIE / "cards.d", HYGIE / "ca",
                           HYGIE / "ca" / "us-piv", st.REGISTRY.parent)
              for how, spoil in (("group-writable", mode(0o775)), ("mallory's", own_by_mallory))]
BAD_FILES += [(HELPER, how, spoil) for how, spoil in (
    ("group-writable", mode(0o775)), ("mallory's", own_by_mallory))]


def hygied_check():
    done = subprocess.run(["hygied", "--check"], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def idle(station, alice):
    """The station with all the files that may be there, and hygied stopped."""
    station.stop_hygied()
    DROP_IN.write_text("[login]\ncard_wait = 1s\n")
    PROFILE.write_text("[card site]\natr = 3b00\nmodule = opensc-pkcs11.so\npin_min = 4\n"
                       "pin_max = 8\n")
    assert hygied_check()[0] == 0
    yield station
    DROP_IN.unlink()
    PROFILE.unlink()


@pytest.mark.parametrize("path,how,spoil", BAD_FILES,
                         ids=["%s is %s" % row[:2] for row in BAD_FILES])
def test_file_that_others_can_write_is_refused_by_name(idle, path, how, spoil):
    with kept(path):
        content = None if path.is_dir() else path.read_bytes()
        spoil(path)
        before = os.stat(path), os.lstat(path)
        status, said = hygied_check()
        assert status == 7 and str(path) in said, said
        status, parsed, said = idle.run("config", "check", check=False)
        assert status == 7 and str(path) in repr(parsed) + said
        started = subprocess.run(["hygied"], capture_output=True, text=True, timeout=20,
                                 check=False)
        assert started.returncode == 7 and str(path) in started.stderr
        assert content is None or path.read_bytes() == content
        assert [(s.st_mtime_ns, s.st_mode, s.st_uid) for s in (os.stat(path), os.lstat(path))] == \
            [(s.st_mtime_ns, s.st_mode, s.st_uid) for s in before]
    victim(path).unlink(missing_ok=True)
    assert hygied_check()[0] == 0


def test_registry_that_links_to_nothing_makes_nothing(idle):
    with kept(st.REGISTRY):
        st.REGISTRY.unlink()
        st.REGISTRY.symlink_to(victim(st.REGISTRY))
        status, said = hygied_check()
        assert status == 7 and str(st.REGISTRY) in said
        assert not victim(st.REGISTRY).exists()


def test_module_that_others_can_write_makes_the_card_unusable(station, alice, tmp_path_factory):
    module = pathlib.Path("/usr/lib/hygie-tests/module.so")
    module.parent.mkdir(exist_ok=True)
    shutil.copy("/usr/lib/x86_64-linux-gnu/opensc-pkcs11.so", module)
    profile = st.CARDS / "99-module.conf"
    profile.write_text((pathlib.Path("/usr/share/hygie/cards.d/90-piv.conf").read_text())
                       .replace("opensc-pkcs11.so", str(module)))
    spoils = {str(module): (own_by_mallory, mode(0o666)),
              str(module.parent): (own_by_mallory, mode(0o777))}
    try:
        for path, ways in spoils.items():
            for spoil in ways:
                spoil(pathlib.Path(path))
                station.stop_hygied()
                station.log_path.unlink()
                station.start_hygied()
                with station.card(alice):
                    problem = next(reader["problem"] for reader in station.wait_ready("unreadable")
                                   if reader["state"] == "unreadable")
                    assert path in problem
                    result = station.login("alice", WRONG)
                    assert (result.code, result.prompts()) == (pam.PAM_SYSTEM_ERR, [])
                os.chown(path, 0, 0)
                os.chmod(path, 0o755)
    finally:
        profile.unlink()


@pytest.mark.parametrize("user,believed", [("mallory", False), ("root", True)])
def test_socket_that_another_user_listens_at_is_told_nothing(tmp_path, user, believed):
    """Root's is the control."""
    tmp_path.chmod(0o777)
    for parent in tmp_path.parents[:-2]:
        parent.chmod(0o755)
    path = tmp_path / "hygied.sock"
    st.write_service("hygie-false", ["auth required pam_hygie.so socket=%s" % path])
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(path))
        with being(user):
            listener.listen()
        heard = []

        def serve():
            link, _ = listener.accept()
            with link:
                heard.append(link.recv(65536))
        server = threading.Thread(target=serve)
        server.start()
        result = st.pamclient.authenticate("alice", ["654321"], "hygie-false")
        server.join()
    assert result.code == pam.PAM_AUTHINFO_UNAVAIL and result.prompts() == []
    assert (heard != [b""]) == believed
