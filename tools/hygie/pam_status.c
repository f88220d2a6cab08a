/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hygie pam status: at which doors a card opens, a password still does, and who is exempt;
 * for services that are named, also every line that is run there.
 */
#include "command.h"
#include "display.h"
#include "libhygie/pam_trial.h"
#include "libhygie/settings.h"
#include "pam_door.h"
#include "pam_managed.h"
#include "pam_report.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SCREEN 80

static const struct column columns[] = {
	{ "service", "SERVICE" },    { "card", "CARD" },
	{ "password", "PASSWORD" },  { "pretyped", "PRE-TYPED" },
	{ "exempt_text", "EXEMPT" },
};

static json_t *exempt_json(const struct pam_door *door, char *ret_text, size_t size)
{
	cleanup_json json_t *exempt = json_array();
	size_t used = 0;

	ret_text[0] = '\0';
	for (size_t i = 0; i < door->exempt_count; i++) {
		if (used < size)
			used += (size_t)snprintf(ret_text + used, size - used, "%s%s",
						 i > 0 ? ", " : "", door->exempt[i]);
		if (json_array_append_new(exempt, json_string(door->exempt[i])) < 0)
			return NULL;
	}
	return json_incref(exempt);
}

/* The lines of one kind, as objects. */
static int lines_add(const char *service, enum pam_kind kind, json_t *lines)
{
	cleanup_pam_findings struct pam_findings findings = { 0 };
	cleanup_pam_stack struct pam_stack stack = { 0 };
	int r = pam_stack_read(&pam_place_system, service, kind, &findings, &stack);

	if (r < 0)
		return r;
	for (size_t i = 0; i < stack.count; i++) {
		const struct pam_line *line = &stack.line[i];

		if (json_array_append_new(lines, json_pack("{s:s, s:o?, s:o?, s:i}",
							   "type", pam_kind_name(kind),
							   "line", pam_line_text(line),
							   "at", pam_line_place(line),
							   "level", (int)line->level)) <
		    0)
			return -ENOMEM;
	}
	return 0;
}

/* One record of the table. NULL without memory. */
static json_t *service_json(const struct settings *settings, const char *service,
			    bool with_lines)
{
	cleanup_pam_findings struct pam_findings findings = { 0 };
	cleanup_pam_stack struct pam_stack stack = { 0 };
	cleanup_pam_door struct pam_door door = { 0 };
	cleanup_json json_t *record = NULL, *lines = json_array();
	char exempt[128];

	if (pam_stack_read(&pam_place_system, service, PAM_KIND_AUTH, &findings, &stack) <
		    0 ||
	    pam_door_judge(&stack, service, &door) < 0)
		return NULL;
	record = json_pack("{s:s, s:s, s:s, s:s, s:b, s:o?}", "kind", "door", "service",
			   service, "card", pam_door_card_name(door.card), "password",
			   pam_door_password_name(door.password), "pretyped",
			   settings_is_pretyped(settings, service), "exempt",
			   exempt_json(&door, exempt, sizeof(exempt)));
	if (!record ||
	    json_object_set_new(record, "exempt_text", json_string(exempt)) < 0)
		return NULL;
	for (int kind = 0; with_lines && kind < PAM_KINDS; kind++)
		if (lines_add(service, (enum pam_kind)kind, lines) < 0)
			return NULL;
	if (with_lines && json_object_set(record, "stack", lines) < 0)
		return NULL;
	return json_incref(record);
}

/* The services that were named, or all. NULL: no memory, or -ENOENT in *ret_missing. */
static json_t *doors_json(const struct options *options, const struct settings *settings,
			  const char **ret_missing)
{
	cleanup_json json_t *names = NULL, *doors = json_array();
	bool named = options->operand_count > 0;
	const json_t *name;
	size_t i;

	names = named ? json_array() : pam_services(&pam_place_system);
	for (i = 0; i < options->operand_count; i++) {
		cleanup_free char *file =
			pam_place_file(&pam_place_system, options->operands[i]);

		if (!file || strchr(options->operands[i], '/')) {
			*ret_missing = options->operands[i];
			return NULL;
		}
		if (json_array_append_new(names, json_string(options->operands[i])) < 0)
			return NULL;
	}
	json_array_foreach(names, i, name)
	{
		if (json_array_append_new(
			    doors,
			    service_json(settings, json_string_value(name), named)) < 0)
			return NULL;
	}
	return names ? json_incref(doors) : NULL;
}

/* On a terminal a line is cut at its edge; what is cut is in the file that is named. */
static void stack_print(const json_t *door)
{
	const char *service = json_string_value(json_object_get(door, "service"));
	const char *before = "";
	const json_t *line;
	size_t i;

	json_array_foreach(json_object_get(door, "stack"), i, line)
	{
		const char *type = json_string_value(json_object_get(line, "type"));
		const char *text = json_string_value(json_object_get(line, "line"));
		const char *at = json_string_value(json_object_get(line, "at"));
		int level = (int)json_integer_value(json_object_get(line, "level"));

		if (!display_is_terminal(stdout)) {
			(void)printf("line\t%s\t%s\t%d\t%s\t%s\n", service, type, level,
				     text, at);
			continue;
		}
		if (strcmp(before, type) != 0)
			(void)printf("\n%s, %s:\n", service, type);
		before = type;
		at = strrchr(at, '/') ? strrchr(at, '/') + 1 : at;
		(void)printf("  %-18.18s %*s%.*s\n", at, level, "", SCREEN - 21 - level,
			     text);
	}
}

static void state_print(unsigned profiles)
{
	struct pam_trial trial = { 0 };
	bool terminal = display_is_terminal(stdout);
	char until[32];

	if (terminal)
		(void)printf("\nProfiles enabled:%s", profiles ? "" : " none");
	for (unsigned i = 0; i < PROFILE_COUNT; i++)
		if (profiles & (1u << i))
			(void)printf(terminal ? " %s" : "profile\t%s\n",
				     pam_profile_name(i));
	if (terminal)
		(void)puts("");
	if (pam_trial_look(&trial) != PAM_TRIAL_RUNNING)
		return;
	pam_time_text((time_t)trial.until, until);
	(void)printf(terminal ? "On trial until %s: a login with a card keeps it.\n"
			      : "trial\t%s\n",
		     until);
}

static int status_json(json_t *doors, unsigned profiles)
{
	struct client_result result = pam_result(HYGIE_OK, "Done.");
	json_t *value = output_result(&result);
	cleanup_json json_t *services = output_records(doors, "door");
	struct pam_trial trial = { 0 };
	json_t *service;
	size_t i;

	json_array_foreach(services, i, service)
	{
		(void)json_object_del(service, "exempt_text");
	}
	if (json_object_set(value, "services", services) < 0 ||
	    json_object_set_new(value, "profiles", pam_profiles_json(profiles)) < 0 ||
	    (pam_trial_look(&trial) == PAM_TRIAL_RUNNING &&
	     json_object_set_new(value, "trial_until",
				 json_integer((json_int_t)trial.until)) < 0)) {
		json_decref(value);
		value = NULL;
	}
	return output_json(value, HYGIE_OK);
}

int command_pam_status(const struct options *options)
{
	cleanup_json json_t *doors = NULL;
	struct config_errors errors = { 0 };
	unsigned profiles = pam_profiles_enabled(&pam_managed_system);
	const char *missing = NULL;
	struct settings settings;
	const json_t *door;
	size_t i;

	/* What hygied would not start with is for "hygie config check" to tell. */
	if (settings_load(NULL, &settings, &errors) < 0)
		settings_default(&settings);
	doors = doors_json(options, &settings, &missing);
	if (missing) {
		struct client_result result = pam_result(
			HYGIE_NOT_FOUND,
			"There is no PAM service \"%.64s\" here: a program that asks for it "
			"gets the lines of \"other\".",
			missing);
		return output_failure(options, &result);
	}
	if (!doors)
		return output_fault(options);
	if (options->given & OPTION_JSON)
		return status_json(doors, profiles);
	(void)output_table(doors, "door", columns, array_size(columns), true);
	json_array_foreach(doors, i, door)
	{
		stack_print(door);
	}
	state_print(profiles);
	return 0;
}
