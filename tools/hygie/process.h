/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Another program, run to its end.
 */
#pragma once

#include "libhygie/attributes.h"

#define PROCESS_OUTPUT_MAX 4096

/*
 * Runs `argv` (argv[0] is a path) with an environment of its own: PATH, LC_ALL=C and what
 * Debian's tools need to ask nothing. Its output and errors, printable, a blank in place of
 * each line's end and cut at PROCESS_OUTPUT_MAX, go to ret_output. Gives its exit status,
 * 128 and more when a signal ended it; or a negative errno when it could not be run.
 */
int process_run(char *const argv[], char ret_output[PROCESS_OUTPUT_MAX]) must_check;
