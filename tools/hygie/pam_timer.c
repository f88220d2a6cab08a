/* SPDX-License-Identifier: Apache-2.0 */
/*
 * systemd-run and systemctl; see pam_timer.h.
 */
#include "pam_timer.h"

#include "libhygie/error_text.h"
#include "process.h"

#include <errno.h>
#include <stdio.h>
#include <systemd/sd-daemon.h>

#define UNIT "hygie-pam-revert"

int pam_timer_start(unsigned milliseconds, char *reason, size_t reason_size)
{
	char program[] = "/usr/bin/systemd-run", quiet[] = "--quiet",
	     unit[] = "--unit=" UNIT ".service", active[48],
	     accuracy[] = "--timer-property=AccuracySec=100ms";
	char *words[] = { program, quiet, unit, active, accuracy, NULL };
	char output[PROCESS_OUTPUT_MAX];
	int r;

	if (sd_booted() <= 0) {
		(void)snprintf(reason, reason_size, "systemd does not run here");
		return -EIO;
	}
	pam_timer_stop();
	(void)snprintf(active, sizeof(active), "--on-active=%ums", milliseconds);
	r = process_run(words, output);
	if (r == 0)
		return 0;
	(void)snprintf(reason, reason_size, "systemd-run: %.400s",
		       r < 0 ? error_text(-r) : output);
	return -EIO;
}

void pam_timer_stop(void)
{
	char program[] = "/usr/bin/systemctl", stop[] = "stop", quiet[] = "--quiet",
	     unit[] = UNIT ".timer";
	char *words[] = { program, quiet, stop, unit, NULL };
	char output[PROCESS_OUTPUT_MAX];

	/* Fails when there is none. A timer left running finds nothing to undo. */
	if (sd_booted() > 0 && process_run(words, output) != 0)
		return;
}
