/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Another program: run to its end, or looked at while it runs.
 */
#pragma once

#include "libhygie/attributes.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define PROCESS_OUTPUT_MAX 4096

/*
 * Runs `argv` (argv[0] is a path) with an environment of its own: PATH, LC_ALL=C and what
 * Debian's tools need to ask nothing. Its output and errors, printable, a blank in place of
 * each line's end and cut at PROCESS_OUTPUT_MAX, go to ret_output. Gives its exit status,
 * 128 and more when a signal ended it; or a negative errno when it could not be run.
 */
int process_run(char *const argv[], char ret_output[PROCESS_OUTPUT_MAX]) must_check;

/* Fields of /proc/PID/stat (proc(5)): their number behind the command's name. */
enum process_field {
	PROCESS_FLAGS = 7,
	PROCESS_START = 20, /* in ticks since the machine started */
};

/* Reads one of them; false when the process is gone. */
bool process_field(pid_t pid, enum process_field field, uint64_t *ret_value) must_check;
