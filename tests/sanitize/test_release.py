# SPDX-License-Identifier: Apache-2.0
"""The helper that is installed has the whole sandbox: HYGIE_SANITIZED, which widens it for
sanitisers and valgrind, leaves a mark that is not there."""
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
HELPER = pathlib.Path("/usr/libexec/hygie/hygie-token")
MARK = b"HYGIE_SANITIZED"


def test_installed_helper_has_not_the_wider_sandbox():
    assert MARK not in HELPER.read_bytes()


def test_no_installed_program_needs_a_sanitizer():
    (module,) = pathlib.Path("/usr/lib").glob("*/security/pam_hygie.so")
    for program in (HELPER, module, "/usr/sbin/hygied", "/usr/bin/hygie"):
        needed = subprocess.run(["readelf", "--dynamic", program], text=True, check=True,
                                capture_output=True).stdout
        assert "NEEDED" in needed and "san.so" not in needed


def test_control_the_mark_is_in_what_is_built_for_a_sanitizer(tmp_path):
    compiled = tmp_path / "process.o"
    kit = subprocess.run(["pkg-config", "--cflags", "p11-kit-1"], text=True, check=True,
                         capture_output=True).stdout.split()
    subprocess.run(["gcc", *kit, "-std=gnu17", "-O2", "-D_GNU_SOURCE",
                    "-DHYGIE_SANITIZED=\"/reports\"", "-Itools", "-c", "-o", compiled,
                    "tools/hygie-token/process.c"],
                   cwd=ROOT, check=True)
    assert MARK in compiled.read_bytes()
