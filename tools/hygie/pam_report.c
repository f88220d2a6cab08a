/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Services, lines and times for the pam subcommands; see pam_report.h.
 */
#include "pam_report.h"

#include "libhygie/printable.h"
#include "pam_managed.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct client_result pam_result(enum hygie_outcome outcome, const char *format, ...)
{
	struct client_result result = { .outcome = outcome };
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(result.text, sizeof(result.text), format, arguments);
	va_end(arguments);
	return result;
}

/* Backups and files that others include are no services. */
static bool name_is_service(const char *name)
{
	size_t length = strlen(name);

	return name[0] != '.' && length > 0 && name[length - 1] != '~' &&
	       strncmp(name, "common-", 7) != 0 && !strchr(name, '.') &&
	       printable_is_clean(name, length);
}

static int services_add(const char *folder, json_t *names)
{
	DIR *from = opendir(folder);
	const struct dirent *entry;
	int r = 0;

	if (!from)
		return 0;
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread */
	while (r == 0 && (entry = readdir(from)) != NULL)
		if (name_is_service(entry->d_name))
			r = json_object_set_new(names, entry->d_name, json_true());
	(void)closedir(from);
	return r;
}

static int names_compare(const void *left, const void *right)
{
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

json_t *pam_services(const struct pam_place *place)
{
	cleanup_json json_t *names = json_object(), *sorted = json_array();
	cleanup_free const char **list = NULL;
	size_t count = 0;
	const char *name;
	json_t *value;

	for (size_t i = 0; i < PAM_FOLDERS_MAX && place->folder[i]; i++)
		if (services_add(place->folder[i], names) < 0)
			return NULL;
	list = calloc(json_object_size(names) + 1, sizeof(*list));
	if (!list)
		return NULL;
	json_object_foreach(names, name, value)
	{
		list[count++] = name;
	}
	qsort(list, count, sizeof(*list), names_compare);
	for (size_t i = 0; i < count; i++)
		if (json_array_append_new(sorted, json_string(list[i])) < 0)
			return NULL;
	return json_incref(sorted);
}

json_t *pam_line_text(const struct pam_line *line)
{
	char clean[PRINTABLE_SIZE(HYGIE_TEXT_MAX)];
	cleanup_free char *text = NULL;

	if (asprintf(&text, "%s %s%s%s", line->control, line->module,
		     line->arguments[0] ? " " : "", line->arguments) < 0) {
		text = NULL;
		return NULL;
	}
	(void)printable_copy(clean, sizeof(clean), text, strlen(text));
	return json_string(clean);
}

json_t *pam_line_place(const struct pam_line *line)
{
	return json_sprintf("%s:%u", line->file, line->line);
}

json_t *pam_common_auth(void)
{
	cleanup_pam_findings struct pam_findings findings = { 0 };
	cleanup_pam_stack struct pam_stack stack = { 0 };
	cleanup_json json_t *lines = json_array();

	if (pam_stack_read(&pam_place_system, "common-auth", PAM_KIND_AUTH, &findings,
			   &stack) < 0)
		return json_incref(lines);
	for (size_t i = 0; i < stack.count; i++)
		if (json_array_append_new(lines, pam_line_text(&stack.line[i])) < 0)
			return NULL;
	return json_incref(lines);
}

json_t *pam_profiles_json(unsigned bits)
{
	cleanup_json json_t *names = json_array();

	for (unsigned i = 0; i < PROFILE_COUNT; i++)
		if ((bits & (1u << i)) &&
		    json_array_append_new(names, json_string(pam_profile_name(i))) < 0)
			return NULL;
	return json_incref(names);
}

void pam_time_text(time_t when, char ret_text[32])
{
	struct tm parts;

	if (!localtime_r(&when, &parts) ||
	    strftime(ret_text, 32, "%Y-%m-%d %H:%M:%S", &parts) == 0)
		(void)snprintf(ret_text, 32, "?");
}
