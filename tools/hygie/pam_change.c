/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes of the PAM set-up; see pam_change.h.
 */
#include "pam_change.h"

#include "libhygie/error_text.h"
#include "libhygie/log.h"
#include "libhygie/pam_trial.h"
#include "pam_copy.h"
#include "pam_door.h"
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#define LOCK_PATH PAM_TRIAL_FOLDER "/pam.lock"
#define UPDATE_PATH "/usr/sbin/pam-auth-update"
#define WORDS_MAX (PROFILE_COUNT + 6)

int pam_change_begin(void)
{
	int fd = open(LOCK_PATH, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	sigset_t signals;

	if (fd < 0)
		return -errno;
	while (flock(fd, LOCK_EX) < 0)
		if (errno != EINTR) {
			int error = errno;

			(void)close(fd);
			return -error;
		}
	/* The lock goes with the process. */
	if (sigemptyset(&signals) < 0 || sigaddset(&signals, SIGINT) < 0 ||
	    sigaddset(&signals, SIGTERM) < 0 || sigaddset(&signals, SIGHUP) < 0 ||
	    sigaddset(&signals, SIGQUIT) < 0 || sigaddset(&signals, SIGTSTP) < 0)
		return -errno;
	return sigprocmask(SIG_BLOCK, &signals, NULL) < 0 ? -errno : 0;
}

/* "--enable a b --disable c": those of ours whose bit is in `bits`. */
static void words_add(char **words, size_t *count, char *option, unsigned bits,
		      char names[PROFILE_COUNT][32])
{
	if (bits == 0)
		return;
	words[(*count)++] = option;
	for (unsigned i = 0; i < PROFILE_COUNT; i++)
		if (bits & (1u << i))
			words[(*count)++] = names[i];
}

static int update_run(unsigned wanted, char output[PROCESS_OUTPUT_MAX])
{
	char program[] = UPDATE_PATH, package[] = "--package", enable[] = "--enable",
	     disable[] = "--disable";
	char names[PROFILE_COUNT][32];
	char *words[WORDS_MAX] = { program, package };
	size_t count = 2;

	for (unsigned i = 0; i < PROFILE_COUNT; i++)
		(void)snprintf(names[i], sizeof(names[i]), "%s", pam_profile_name(i));
	words_add(words, &count, enable, wanted, names);
	words_add(words, &count, disable, PROFILE_ALL & ~wanted, names);
	return process_run(words, output);
}

/* Whether common-auth does what the profiles are meant to do. */
static bool auth_is_wanted(unsigned wanted)
{
	cleanup_pam_findings struct pam_findings findings = { 0 };
	cleanup_pam_stack struct pam_stack stack = { 0 };
	cleanup_pam_door struct pam_door door = { 0 };

	if (pam_stack_read(&pam_place_system, "common-auth", PAM_KIND_AUTH, &findings,
			   &stack) < 0 ||
	    pam_door_judge(&stack, "common-auth", &door) < 0)
		return false;
	if (wanted & PROFILE_REQUIRED)
		return door.card == PAM_CARD_REQUIRED && door.exempt_count >= 2;
	return (wanted & PROFILE_OPTIONAL) ? door.card == PAM_CARD_OPTIONAL : !door.used;
}

int pam_change_apply(unsigned wanted, char reason[PAM_REASON_MAX])
{
	cleanup_pam_findings struct pam_findings findings = { 0 };
	char output[PROCESS_OUTPUT_MAX];
	int status = update_run(wanted, output);

	if (status < 0)
		(void)snprintf(reason, PAM_REASON_MAX, "%s cannot be run: %s",
			       UPDATE_PATH, error_text(-status));
	else if (status > 0)
		(void)snprintf(reason, PAM_REASON_MAX,
			       "pam-auth-update failed (%d): %.700s", status, output);
	if (status != 0)
		return -EIO;
	pam_managed_check(&pam_managed_system, &findings);
	if (findings.count == 0 && pam_profiles_enabled(&pam_managed_system) == wanted &&
	    auth_is_wanted(wanted))
		return 0;
	(void)snprintf(reason, PAM_REASON_MAX,
		       "pam-auth-update did not write what was asked for%s%.700s",
		       output[0] ? "; it said: " : "", output);
	return -EIO;
}

/* Back to what was enabled before the trial; by the copy when the tool does not do it. */
static int trial_undo(const struct pam_trial *trial, char reason[PAM_REASON_MAX])
{
	int r = pam_change_apply(trial->before & PROFILE_ALL, reason);

	if (r < 0 && pam_copy_exists())
		r = pam_copy_restore();
	if (r == 0)
		r = pam_copy_drop();
	return r < 0 ? r : pam_trial_clear();
}

static int confirmed_tidy(void)
{
	/* In this order: a copy without the mark would be put back. */
	int r = pam_copy_drop();

	return r < 0 ? r : pam_trial_clear();
}

static int interrupted_undo(void)
{
	int r = pam_copy_restore();

	return r < 0 ? r : pam_copy_drop();
}

static int state_settle(bool revert, enum pam_settled *ret_settled,
			char reason[PAM_REASON_MAX])
{
	struct pam_trial trial = { 0 };
	enum pam_trial_state state = pam_trial_look(&trial);
	int r = 0;

	if (state == PAM_TRIAL_RUNNING && !revert) {
		*ret_settled = PAM_SETTLED_RUNNING;
		return 0;
	}
	if (state == PAM_TRIAL_RUNNING) {
		r = pam_trial_take();
		/* 0: hygied was faster. */
		state = r == 0 ? PAM_TRIAL_CONFIRMED : PAM_TRIAL_REVERTING;
	}
	if (r < 0)
		return r;
	if (state == PAM_TRIAL_REVERTING) {
		*ret_settled = PAM_SETTLED_REVERTED;
		return trial_undo(&trial, reason);
	}
	if (state == PAM_TRIAL_CONFIRMED) {
		*ret_settled = PAM_SETTLED_CONFIRMED;
		return confirmed_tidy();
	}
	*ret_settled = pam_copy_exists() ? PAM_SETTLED_UNDONE : PAM_SETTLED_NOTHING;
	return pam_copy_exists() ? interrupted_undo() : 0;
}

int pam_change_settle(bool revert, enum pam_settled *ret_settled,
		      char reason[PAM_REASON_MAX])
{
	enum pam_settled settled = PAM_SETTLED_NOTHING;
	int r;

	reason[0] = '\0';
	r = state_settle(revert, &settled, reason);
	if (settled == PAM_SETTLED_REVERTED || settled == PAM_SETTLED_UNDONE)
		log_audit(settled == PAM_SETTLED_REVERTED ? "pam-reverted" : "pam-undone",
			  r < 0 ? HYGIE_BROKEN_SETUP : HYGIE_OK, NULL, 0);
	if (r < 0) {
		if (reason[0] == '\0')
			(void)snprintf(reason, PAM_REASON_MAX, "%s", error_text(-r));
		return r;
	}
	*ret_settled = settled;
	return 0;
}
