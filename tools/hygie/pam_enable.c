/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hygie pam enable, disable, revert: put cards into Debian's common PAM stack and take
 * them out again. All or nothing; a required card first on trial.
 */
#include "command.h"
#include "display.h"
#include "libhygie/config.h"
#include "libhygie/error_text.h"
#include "libhygie/log.h"
#include "libhygie/pam_trial.h"
#include "pam_change.h"
#include "pam_copy.h"
#include "pam_report.h"
#include "pam_timer.h"
#include "pam_way_back.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define ASK_MILLISECONDS 5000
#define TRIAL_DEFAULT "10min"
#define TRIAL_MINIMUM 5000L
#define TRIAL_MAXIMUM (24L * 3600 * 1000)
#define UPDATE_PATH "/usr/sbin/pam-auth-update"
#define PROFILES_PATH HYGIE_PREFIX "/share/pam-configs"

/* One change that was asked for. */
struct change {
	const struct options *options;
	unsigned before, wanted;
	unsigned trial;                     /* milliseconds; 0: at once for good */
	json_t *lines_before, *lines_after; /* owned */
	time_t until;
	struct client_result result; /* why not; HYGIE_OK so far */
};

static void change_end(struct change *change)
{
	json_decref(change->lines_before);
	json_decref(change->lines_after);
}

static bool change_refuse(struct change *change, struct client_result result)
{
	change->result = result;
	return false;
}

static bool change_may_begin(struct change *change)
{
	char reason[PAM_REASON_MAX];
	enum pam_settled settled;
	int r;

	if (geteuid() != 0)
		return change_refuse(change, pam_result(HYGIE_NOT_ALLOWED,
							"Only root may change the PAM "
							"set-up. Run it as root."));
	r = pam_change_begin();
	if (r < 0)
		return change_refuse(change, pam_result(HYGIE_FAULT,
							PAM_TRIAL_FOLDER
							": %s. Nothing was changed.",
							error_text(-r)));
	r = pam_change_settle(false, &settled, reason);
	if (r < 0)
		return change_refuse(
			change,
			pam_result(HYGIE_BROKEN_SETUP,
				   "An interrupted change could not be undone: %.300s",
				   reason));
	if (settled == PAM_SETTLED_UNDONE)
		(void)fputs("A change that was interrupted has been undone.\n", stderr);
	return true;
}

/* The first hand edit, as a sentence. */
static bool blocks_are_kept(struct change *change)
{
	cleanup_pam_findings struct pam_findings findings = { 0 };
	const struct pam_finding *first;
	char line[16] = "";

	if (access(UPDATE_PATH, X_OK) < 0)
		return change_refuse(
			change,
			pam_result(HYGIE_BROKEN_SETUP,
				   "There is no pam-auth-update here (Debian's package "
				   "libpam-runtime). hygie-pam(8) says what to write by "
				   "hand. Nothing was changed."));
	pam_managed_check(&pam_managed_system, &findings);
	if (findings.count == 0)
		return true;
	first = &findings.finding[0];
	if (first->line > 0)
		(void)snprintf(line, sizeof(line), ":%u", first->line);
	return change_refuse(change, pam_result(HYGIE_BROKEN_SETUP,
						"%s%s: %.350s. Nothing was changed.",
						first->file, line, first->text));
}

static bool parts_are_there(struct change *change)
{
	struct stat st;

	for (unsigned i = 0; i < PROFILE_COUNT; i++) {
		char path[256];

		(void)snprintf(path, sizeof(path), PROFILES_PATH "/%s",
			       pam_profile_name(i));
		if ((change->wanted & (1u << i)) && stat(path, &st) < 0)
			return change_refuse(
				change, pam_result(HYGIE_BROKEN_SETUP,
						   "%s is missing. Install Hygie anew. "
						   "Nothing was changed.",
						   path));
	}
	if (stat(HYGIE_PAMDIR "/pam_hygie.so", &st) == 0)
		return true;
	return change_refuse(change,
			     pam_result(HYGIE_BROKEN_SETUP, HYGIE_PAMDIR
					"/pam_hygie.so is missing. "
					"Install Hygie anew. Nothing was changed."));
}

/* Where a card is required: somebody must get in without, and everybody with one. */
static bool required_is_safe(struct change *change)
{
	cleanup_message struct wire_message *request = NULL;
	cleanup_exchange struct exchange exchange = { 0 };
	struct pam_way_back way;

	pam_way_back_find(&way);
	if (!pam_way_back_exists(&way))
		return change_refuse(change,
				     pam_result(HYGIE_BROKEN_SETUP,
						"No way back: %s. Nothing was changed.",
						pam_way_back_advice(&way)));
	if (wire_message_new(WIRE_REQUEST_STATUS, &request) < 0)
		return change_refuse(
			change, pam_result(HYGIE_FAULT, "%s", outcome_text(HYGIE_FAULT)));
	exchange_run(change->options, request, ASK_MILLISECONDS, &exchange);
	if (exchange.result.outcome == HYGIE_OK)
		return true;
	return change_refuse(
		change,
		pam_result(HYGIE_UNAVAILABLE,
			   "hygied does not answer, so nobody's card would be "
			   "accepted. Start it (systemctl start hygied) and repeat. "
			   "Nothing was changed."));
}

/* Puts back what was there; the reason stays the first one. */
static bool change_undo(struct change *change, const char *reason)
{
	int r = pam_copy_restore();

	if (r == 0)
		r = pam_copy_drop();
	pam_timer_stop();
	if (r < 0)
		return change_refuse(
			change,
			pam_result(
				HYGIE_BROKEN_SETUP,
				"%.300s And it could not be put back (%s): copy " PAM_COPY_PATH
				"/common-* to /etc/pam.d/ by hand.",
				reason, error_text(-r)));
	return change_refuse(change,
			     pam_result(HYGIE_BROKEN_SETUP,
					"%.400s. All is as it was before.", reason));
}

/* From here on whoever is interrupted leaves the copy, which the next one puts back. */
static bool change_prepare(struct change *change)
{
	char reason[PAM_REASON_MAX / 2];
	int r = pam_trial_clear();

	if (r == 0)
		r = pam_copy_take();
	if (r < 0)
		return change_refuse(
			change, pam_result(HYGIE_FAULT,
					   "Cannot copy the PAM files to " PAM_COPY_PATH
					   ": %s. Nothing was changed.",
					   error_text(-r)));
	if (change->trial == 0)
		return true;
	r = pam_timer_start(change->trial, reason, sizeof(reason));
	if (r == 0)
		return true;
	/* A copy that stays is put back later: it is what is there. */
	r = pam_copy_drop();
	return change_refuse(
		change,
		pam_result(HYGIE_BROKEN_SETUP,
			   "The timer that would end the trial cannot be started "
			   "(%.300s). Nothing was changed%s. Without a trial: "
			   "--no-confirm.",
			   reason, r < 0 ? " (but " PAM_COPY_PATH " stays)" : ""));
}

static bool change_make(struct change *change)
{
	struct pam_trial trial = { .before = change->before };
	char reason[PAM_REASON_MAX];
	int r;

	change->until = time(NULL) + (time_t)(change->trial / 1000);
	if (!change->lines_before)
		change->lines_before = pam_common_auth();
	if (!change_prepare(change))
		return false;
	if (pam_change_apply(change->wanted, reason) < 0)
		return change_undo(change, reason);
	trial.until = (uint64_t)change->until;
	r = change->trial ? pam_trial_begin(&trial) : pam_copy_drop();
	if (r < 0)
		return change_undo(change, error_text(-r));
	change->lines_after = pam_common_auth();
	log_audit(
		change->wanted ? "pam-enabled" : "pam-disabled", HYGIE_OK,
		(const struct log_field[]){
			{ "HYGIE_PROFILES", change->wanted & PROFILE_REQUIRED ? "required"
					    : change->wanted                  ? "optional"
									      : "none" },
			{ "HYGIE_TRIAL", change->trial ? "yes" : "no" },
		},
		2);
	return true;
}

static bool lines_have(const json_t *lines, const char *text)
{
	const json_t *line;
	size_t i;

	json_array_foreach(lines, i, line)
	{
		if (strcmp(json_string_value(line), text) == 0)
			return true;
	}
	return false;
}

static void lines_print(const struct change *change)
{
	const json_t *line;
	size_t i;

	(void)puts("/etc/pam.d/common-auth (- before, + now):");
	json_array_foreach(change->lines_before, i, line)
	{
		const char *text = json_string_value(line);

		if (!lines_have(change->lines_after, text))
			(void)printf("- %s\n", text);
	}
	json_array_foreach(change->lines_after, i, line)
	{
		const char *text = json_string_value(line);
		bool old = lines_have(change->lines_before, text);

		(void)printf("%c %s\n", old ? ' ' : '+', text);
	}
}

static int change_tell(const struct change *change, const char *done)
{
	struct client_result result = pam_result(HYGIE_OK, "%s", done);
	const struct options *options = change->options;
	json_t *value;

	if (change->trial && change->lines_after) {
		char until[32];

		pam_time_text(change->until, until);
		result = pam_result(
			HYGIE_OK,
			"%s On trial until %s: keep this session open and log in "
			"with a card on another console, which keeps it. Else it "
			"is undone then, or at a restart; \"hygie pam revert\" "
			"undoes it now.",
			done, until);
	}
	if (!(options->given & OPTION_JSON)) {
		if (change->lines_after)
			lines_print(change);
		return output_done(&result, "");
	}
	value = output_result(&result);
	if (change->lines_after &&
	    (json_object_set(value, "before", change->lines_before) < 0 ||
	     json_object_set(value, "after", change->lines_after) < 0 ||
	     json_object_set_new(value, "profiles", pam_profiles_json(change->wanted)) <
		     0 ||
	     (change->trial && json_object_set_new(value, "trial_until",
						   json_integer(change->until)) < 0))) {
		json_decref(value);
		value = NULL;
	}
	return output_json(value, HYGIE_OK);
}

/* A sentence when the command line makes no sense, else NULL. */
static const char *trial_read(const struct options *options, unsigned *ret_trial,
			      char *reason, size_t size)
{
	const struct config_key key = { .minimum = TRIAL_MINIMUM,
					.maximum = TRIAL_MAXIMUM };
	bool required = options->given & OPTION_REQUIRED;
	const char *text = options->confirm ? options->confirm : TRIAL_DEFAULT;
	const struct config_value value = { &key, "--confirm", text };
	char right[128];

	*ret_trial = 0;
	if ((options->given & OPTION_CONFIRM) && (options->given & OPTION_NO_CONFIRM))
		return "Say either --confirm or --no-confirm.";
	if ((options->given & OPTION_NO_CONFIRM) || !(options->confirm || required))
		return NULL;
	if (config_parse_duration(&value, ret_trial, right, sizeof(right)) == 0)
		return NULL;
	(void)snprintf(reason, size, "\"%.64s\" is not %s.", text, right);
	return reason;
}

static bool enable_run(struct change *change)
{
	if (!change_may_begin(change))
		return false;
	change->before = pam_profiles_enabled(&pam_managed_system);
	change->wanted |= change->before & PROFILE_PIN_CHANGE;
	if (pam_trial_look(NULL) != PAM_TRIAL_NONE)
		return change_refuse(
			change,
			pam_result(
				HYGIE_REFUSED,
				"A trial is running (\"hygie pam status\"). Log in with a "
				"card to keep it, or end it with \"hygie pam revert\"."));
	if (!blocks_are_kept(change) || !parts_are_there(change))
		return false;
	if ((change->wanted & PROFILE_REQUIRED) && !required_is_safe(change))
		return false;
	return change->before == change->wanted || change_make(change);
}

int command_pam_enable(const struct options *options)
{
	cleanup_with(change_end) struct change change = {
		.options = options,
		.wanted = PROFILE_SESSION |
			  ((options->given & OPTION_REQUIRED) ? PROFILE_REQUIRED
							      : PROFILE_OPTIONAL),
	};
	char reason[256];
	const char *wrong = trial_read(options, &change.trial, reason, sizeof(reason));

	if (wrong)
		return output_usage(options, wrong);
	log_open("hygie", LOG_TARGET_AUTO, LOG_LEVEL_WARNING);
	if (!enable_run(&change))
		return output_failure(options, &change.result);
	if (!change.lines_after)
		return change_tell(&change,
				   "It is enabled so already. Nothing was changed.");
	return change_tell(&change,
			   (options->given & OPTION_REQUIRED)
				   ? "A card is now required of whoever has one."
				   : "A card or a password now opens the doors.");
}

/* Ends a trial first: what was before it may be enabled, too. */
static bool disable_run(struct change *change)
{
	bool trial = pam_trial_look(NULL) == PAM_TRIAL_RUNNING;
	char reason[PAM_REASON_MAX];
	enum pam_settled settled;

	if (!change_may_begin(change))
		return false;
	change->lines_before = pam_common_auth();
	if (pam_change_settle(true, &settled, reason) < 0)
		return change_refuse(change,
				     pam_result(HYGIE_BROKEN_SETUP,
						"The trial could not be undone: %.300s",
						reason));
	pam_timer_stop();
	change->before = pam_profiles_enabled(&pam_managed_system);
	if (change->before != 0)
		return blocks_are_kept(change) && change_make(change);
	if (trial)
		change->lines_after = pam_common_auth();
	return true;
}

int command_pam_disable(const struct options *options)
{
	cleanup_with(change_end) struct change change = { .options = options };

	log_open("hygie", LOG_TARGET_AUTO, LOG_LEVEL_WARNING);
	if (!disable_run(&change))
		return output_failure(options, &change.result);
	return change_tell(&change, change.lines_after
					    ? "Cards are out of the common stack again."
					    : "It is not enabled. Nothing was changed.");
}

int command_pam_revert(const struct options *options)
{
	static const char *const texts[] = {
		[PAM_SETTLED_NOTHING] = "There is no trial. Nothing was changed.",
		[PAM_SETTLED_RUNNING] = "",
		[PAM_SETTLED_CONFIRMED] =
			"The trial was confirmed by a login. Nothing was undone.",
		[PAM_SETTLED_UNDONE] = "A change that was interrupted has been undone.",
		[PAM_SETTLED_REVERTED] = "The trial is undone: all is as it was before.",
	};
	cleanup_with(change_end) struct change change = { .options = options };
	enum pam_settled settled = PAM_SETTLED_NOTHING;
	char reason[PAM_REASON_MAX];

	log_open("hygie", LOG_TARGET_AUTO, LOG_LEVEL_WARNING);
	if (geteuid() != 0 || pam_change_begin() < 0)
		change_refuse(&change, pam_result(HYGIE_NOT_ALLOWED, "%s",
						  outcome_text(HYGIE_NOT_ALLOWED)));
	else if (pam_change_settle(true, &settled, reason) < 0)
		change_refuse(
			&change,
			pam_result(HYGIE_BROKEN_SETUP,
				   "It could not be undone: %.300s. Copy " PAM_COPY_PATH
				   "/common-* to /etc/pam.d/ by hand.",
				   reason));
	else
		return change_tell(&change, texts[settled]);
	return output_failure(options, &change.result);
}
