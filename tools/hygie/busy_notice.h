/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tells the person which of their programs keep a record store from being closed: by a
 * notification of the desktop's, until they have ended, and by a line on standard error.
 */
#pragma once

#include "libhygie/attributes.h"

#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

struct busy_notice;

/* A program that has a file of a store; the strings are printable. */
struct busy_program {
	uint32_t pid;
	char store[65], name[64];
	char file[128]; /* its name, without folders */
};

int busy_notice_new(sd_event *loop, struct busy_notice **ret_notice) must_check;
void busy_notice_free(struct busy_notice *notice);

/* All of them at present; what was told already is not told again. */
void busy_notice_set(struct busy_notice *notice, const struct busy_program *programs,
		     size_t count);
