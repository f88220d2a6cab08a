/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hygie pam check: what is wrong with the PAM stacks as far as cards are concerned, with
 * file and line.
 */
#include "command.h"
#include "display.h"
#include "libhygie/settings.h"
#include "pam_door.h"
#include "pam_managed.h"
#include "pam_report.h"
#include "pam_way_back.h"

#include <errno.h>
#include <security/_pam_types.h>
#include <stdio.h>
#include <string.h>

/* Where Linux-PAM looks for modules. */
static const char *const module_folders[] = { HYGIE_PAMDIR, "/usr/lib/security",
					      "/lib/security" };

static bool module_exists(const char *module)
{
	char path[512];

	if (module[0] == '/')
		return access(module, F_OK) == 0;
	for (size_t i = 0; i < array_size(module_folders); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", module_folders[i], module);
		if (access(path, F_OK) == 0)
			return true;
	}
	return false;
}

/* What holds for a line in any stack. */
static void line_check(const struct pam_stack *stack, size_t i,
		       struct pam_findings *findings)
{
	const struct pam_line *line = &stack->line[i];
	bool ignored;
	int widest = 0;

	if (line->what != PAM_LINE_MODULE)
		return;
	ignored = line->action[PAM_MODULE_UNKNOWN] == PAM_DO_IGNORE;
	if (!line->quiet && !module_exists(line->module))
		pam_findings_add(
			findings, ignored ? PAM_WARNING : PAM_ERROR, line->file,
			line->line,
			ignored ? "%s is not installed, so this line does nothing"
				: "%s is not installed, so whoever comes here is "
				  "refused",
			line->module);
	for (int code = 0; code < PAM_CODES; code++)
		if (line->action[code] > widest)
			widest = line->action[code];
	if (pam_stack_jumps_out(stack, i, widest))
		pam_findings_add(
			findings, PAM_ERROR, line->file, line->line,
			"it jumps over %d lines, beyond the end of the stack, so "
			"that is a refusal. Count the lines that follow",
			widest);
}

static const struct pam_line *line_of(const struct pam_stack *stack, const char *module)
{
	for (size_t i = 0; i < stack->count; i++)
		if (pam_line_calls(&stack->line[i], module))
			return &stack->line[i];
	return NULL;
}

/*
 * cron, sshd with a key and systemd's user managers set credentials without a login before:
 * our module says PAM_IGNORE there, as it never does to a login.
 */
static void credentials_check(const struct pam_line *line, struct pam_findings *findings)
{
	int action = line->action[PAM_IGNORE];

	if (action == PAM_DO_BAD || action == PAM_DO_DIE)
		pam_findings_add(
			findings, PAM_ERROR, line->file, line->line,
			"jobs of cron, logins by ssh key and systemd's user managers "
			"fail here, since they come without a login by card. Add "
			"ignore=ignore to the control");
}

/* What holds for a stack in which our module is. */
static void door_check(const struct pam_stack *stack, const struct pam_line *ours,
		       const char *service, const struct pam_door *door,
		       struct pam_findings *findings)
{
	bool required = door->card == PAM_CARD_REQUIRED || door->card == PAM_CARD_BOTH;

	for (size_t i = 0; i < stack->count; i++)
		if (pam_line_calls(&stack->line[i], "pam_hygie"))
			credentials_check(&stack->line[i], findings);
	for (size_t i = 0; i < stack->count; i++)
		if (pam_line_calls(&stack->line[i], "pam_hygie") && !door->reached[i])
			pam_findings_add(
				findings, PAM_WARNING, stack->line[i].file,
				stack->line[i].line,
				"pam_hygie is never asked here: a line above it ends "
				"or jumps over it");
	if (door->password == PAM_PASSWORD_NEEDLESS)
		pam_findings_add(
			findings, PAM_ERROR, ours->file, ours->line,
			"service %s lets everybody in, with a wrong PIN and a wrong "
			"password. A refusal (pam_deny.so) is missing at the end",
			service);
	else if (door->asked && door->card == PAM_CARD_NO)
		pam_findings_add(
			findings, PAM_ERROR, ours->file, ours->line,
			"service %s asks for the card and refuses even the right "
			"one. Where its line ends or jumps to, something must say "
			"yes (pam_permit.so)",
			service);
	if (door->password_first && !required)
		pam_findings_add(findings, PAM_WARNING, ours->file, ours->line,
				 "the password is asked before the card: whoever has no "
				 "password must fail at it first. Put pam_hygie above");
	if (door->card == PAM_CARD_REQUIRED && door->password != PAM_PASSWORD_NO &&
	    door->exempt_count == 0)
		pam_findings_add(
			findings, PAM_ERROR, ours->file, ours->line,
			"a card is required and nobody is exempt: while hygied does "
			"not run, nobody gets in. hygie-pam(8) has the lines that "
			"exempt root and the group " PAM_EXEMPT_GROUP);
}

/* Where login secrets are given, the password's module after ours may take one for it. */
static void secret_check(const struct pam_line *ours, const char *service,
			 const struct pam_door *door, struct pam_findings *findings)
{
	const struct pam_line *line = door->takes_secret;
	const char *word;
	char module[64];

	if (!line)
		return;
	word = pam_line_first_pass(line);
	pam_line_module_name(line, module, sizeof(module));
	pam_findings_add(
		findings, PAM_WARNING, line->file, line->line,
		"service %s refuses whoever has a login secret here: after the "
		"card %s takes that for the password, and does not ask. Put this "
		"line above that of pam_hygie (%s:%u)%s%s, or leave %s out of "
		"services under [secret] in hygie.conf",
		service, module, ours->file, ours->line, word ? ", without " : "",
		word ? word : "", service);
}

static void way_back_check(const struct pam_line *ours, const struct pam_door *door,
			   struct pam_findings *findings)
{
	struct pam_way_back way;

	if (door->card != PAM_CARD_REQUIRED || door->exempt_count == 0)
		return;
	pam_way_back_find(&way);
	if (way.known && !pam_way_back_exists(&way))
		pam_findings_add(findings, PAM_ERROR, ours->file, ours->line, "%s",
				 pam_way_back_advice(&way));
	else if (!way.known)
		pam_findings_add(
			findings, PAM_WARNING, ours->file, ours->line,
			"whether somebody exempt has a password only root can see");
}

/* Our session line comes after the one that makes the session. */
static void session_check(const struct pam_stack *stack, struct pam_findings *findings)
{
	const struct pam_line *ours = line_of(stack, "pam_hygie");
	const struct pam_line *systemd = line_of(stack, "pam_systemd");

	if (ours && systemd && ours < systemd)
		pam_findings_add(
			findings, PAM_WARNING, ours->file, ours->line,
			"pam_hygie comes before pam_systemd (%s:%u), so it does not "
			"know the session yet, and taking the card out does not "
			"lock it. Put it below",
			systemd->file, systemd->line);
	if (ours && ours->action[PAM_SESSION_ERR] != PAM_DO_IGNORE)
		pam_findings_add(findings, PAM_WARNING, ours->file, ours->line,
				 "a session that cannot be bound to the card is refused "
				 "here. \"optional\" would let it in");
}

static int service_check(const struct settings *settings, const char *service,
			 struct pam_findings *findings)
{
	int r = 0;

	for (int kind = 0; kind < PAM_KINDS; kind++) {
		cleanup_pam_stack struct pam_stack stack = { 0 };
		cleanup_pam_door struct pam_door door = { 0 };
		const struct pam_line *ours;

		r = pam_stack_read(&pam_place_system, service, (enum pam_kind)kind,
				   findings, &stack);
		if (r < 0)
			return r;
		for (size_t i = 0; i < stack.count; i++)
			line_check(&stack, i, findings);
		if (kind == PAM_KIND_SESSION)
			session_check(&stack, findings);
		ours = line_of(&stack, "pam_hygie");
		if (kind != PAM_KIND_AUTH || stack.broken || !ours)
			continue;
		r = pam_door_judge(&stack, service, &door);
		if (r < 0)
			return r;
		door_check(&stack, ours, service, &door, findings);
		way_back_check(ours, &door, findings);
		if (settings_gives_secret(settings, service))
			secret_check(ours, service, &door, findings);
	}
	return 0;
}

static json_t *finding_json(const struct pam_finding *finding)
{
	return json_pack("{s:s, s:s, s:i, s:s}", "severity",
			 finding->severity == PAM_ERROR ? "error" : "warning", "file",
			 finding->file, "line", (int)finding->line, "text",
			 finding->text);
}

static void finding_print(const struct pam_finding *finding)
{
	bool error = finding->severity == PAM_ERROR;
	char place[320];

	if (finding->line > 0)
		(void)snprintf(place, sizeof(place), "%s:%u: ", finding->file,
			       finding->line);
	else
		(void)snprintf(place, sizeof(place), "%s: ", finding->file);
	display_put(stdout, COLOUR_NONE, place);
	display_put(stdout, error ? COLOUR_BAD : COLOUR_POOR,
		    error ? "error: " : "warning: ");
	display_put(stdout, COLOUR_NONE, finding->text);
	(void)fputs(".\n", stdout);
}

static int check_print(const struct options *options, const struct pam_findings *findings)
{
	bool wrong = pam_findings_have(findings, PAM_ERROR);
	struct client_result result =
		pam_result(wrong ? HYGIE_BROKEN_SETUP : HYGIE_OK, "%s",
			   wrong                 ? "The PAM set-up has mistakes."
			   : findings->count > 0 ? "The PAM set-up works, with warnings."
						 : "The PAM set-up is good.");
	json_t *value, *list;

	if (!(options->given & OPTION_JSON)) {
		for (size_t i = 0; i < findings->count; i++)
			finding_print(&findings->finding[i]);
		return wrong ? output_failure(options, &result)
			     : output_done(&result, "");
	}
	value = output_result(&result);
	list = json_array();
	for (size_t i = 0; i < findings->count; i++)
		if (json_array_append_new(list, finding_json(&findings->finding[i])) < 0)
			result.outcome = HYGIE_FAULT;
	if (json_object_set_new(value, "findings", list) < 0) {
		json_decref(value);
		value = NULL;
	}
	return output_json(value, result.outcome);
}

int command_pam_check(const struct options *options)
{
	cleanup_pam_findings struct pam_findings findings = { 0 };
	cleanup_json json_t *services = pam_services(&pam_place_system);
	struct config_errors errors = { 0 };
	struct settings settings;
	const json_t *service;
	size_t i;

	if (!services)
		return output_fault(options);
	/* Mistakes in it are told by "hygie config check". */
	if (settings_load(NULL, &settings, &errors) < 0)
		settings_default(&settings);
	/* Without pam-auth-update (another distribution) there is nothing to edit. */
	if (access("/usr/sbin/pam-auth-update", F_OK) == 0)
		pam_managed_check(&pam_managed_system, &findings);
	json_array_foreach(services, i, service)
	{
		if (service_check(&settings, json_string_value(service), &findings) < 0)
			return output_fault(options);
	}
	return findings.incomplete ? output_fault(options)
				   : check_print(options, &findings);
}
