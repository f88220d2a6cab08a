/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file of a trial; see pam_trial.h. Its states are its names, so each step is one
 * rename.
 */
#include "libhygie/pam_trial.h"

#include "libhygie/durable.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define RUNNING_PATH PAM_TRIAL_FOLDER "/pam-trial"
#define REVERTING_PATH PAM_TRIAL_FOLDER "/pam-reverting"
#define CONFIRMED_PATH PAM_TRIAL_FOLDER "/pam-confirmed"

static uint64_t number_after(const char *line, const char *name)
{
	const char *at = strstr(line, name);

	return at ? strtoull(at + strlen(name), NULL, 10) : 0;
}

/* What cannot be read is a trial whose time is over and before which there was nothing. */
static void trial_read(const char *path, struct pam_trial *ret_trial)
{
	FILE *from = fopen(path, "re");
	struct pam_trial trial = { 0 };
	char line[64] = "";

	if (from) {
		if (fgets(line, sizeof(line), from)) {
			trial.until = number_after(line, "until=");
			trial.before = (unsigned)number_after(line, "before=");
		}
		(void)fclose(from);
	}
	if (ret_trial)
		*ret_trial = trial;
}

enum pam_trial_state pam_trial_look(struct pam_trial *ret_trial)
{
	if (access(RUNNING_PATH, F_OK) == 0) {
		trial_read(RUNNING_PATH, ret_trial);
		return PAM_TRIAL_RUNNING;
	}
	if (access(REVERTING_PATH, F_OK) == 0) {
		trial_read(REVERTING_PATH, ret_trial);
		return PAM_TRIAL_REVERTING;
	}
	return access(CONFIRMED_PATH, F_OK) == 0 ? PAM_TRIAL_CONFIRMED : PAM_TRIAL_NONE;
}

int pam_trial_begin(const struct pam_trial *trial)
{
	char line[64];
	int length = snprintf(line, sizeof(line), "until=%" PRIu64 " before=%u\n",
			      trial->until, trial->before);

	return durable_write(RUNNING_PATH, 0600, line, (size_t)length);
}

static int trial_move(const char *to)
{
	int r = durable_rename(RUNNING_PATH, to);

	return r == -ENOENT ? 0 : r < 0 ? r : 1;
}

int pam_trial_confirm(void)
{
	return trial_move(CONFIRMED_PATH);
}

int pam_trial_take(void)
{
	return trial_move(REVERTING_PATH);
}

int pam_trial_clear(void)
{
	int r = durable_remove(RUNNING_PATH);

	if (r == 0)
		r = durable_remove(REVERTING_PATH);
	return r < 0 ? r : durable_remove(CONFIRMED_PATH);
}

bool pam_trial_counts(const char *service)
{
	return service[0] != '\0' && strncmp(service, "hygie", strlen("hygie")) != 0;
}
