/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hygie config check: reads the configuration as hygied would and tells every mistake;
 * then has hygied itself look at what only it reads (card profiles, CA folders).
 */
#include "command.h"
#include "language.h"
#include "libhygie/error_text.h"
#include "libhygie/printable.h"
#include "libhygie/settings.h"
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#ifndef HYGIED_PATH
#define HYGIED_PATH "/usr/sbin/hygied"
#endif

static const char hygied_path[] = HYGIED_PATH;

/* Adds each line of hygied's output, made printable. */
static int lines_read(int fd, json_t *lines)
{
	char line[HYGIE_TEXT_MAX], clean[PRINTABLE_SIZE(HYGIE_TEXT_MAX)];
	FILE *from = fdopen(fd, "r");
	int r = 0;

	if (!from) {
		(void)close(fd);
		return -errno;
	}
	while (r == 0 && fgets(line, sizeof(line), from)) {
		size_t length = strcspn(line, "\n");

		text_clean(clean, sizeof(clean), line, length);
		if (json_array_append_new(lines, json_string(clean)) < 0)
			r = -ENOMEM;
	}
	(void)fclose(from);
	return r;
}

/* Starts "hygied --check"; its standard output and error come through *ret_fd. */
static int hygied_start(const struct options *options, pid_t *ret_pid, int *ret_fd)
{
	char name[] = "hygied", check[] = "--check", config[] = "--config";
	cleanup_free char *file = options->config ? strdup(options->config) : NULL;
	char *argv[] = { name, check, file ? config : NULL, file, NULL };
	posix_spawn_file_actions_t actions;
	int fds[2];
	int r;

	if ((options->config && !file) || pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	r = posix_spawn_file_actions_init(&actions);
	if (r == 0) {
		r = posix_spawn_file_actions_adddup2(&actions, fds[1], STDOUT_FILENO);
		if (r == 0)
			r = posix_spawn_file_actions_adddup2(&actions, fds[1],
							     STDERR_FILENO);
		if (r == 0)
			r = posix_spawn(ret_pid, hygied_path, &actions, NULL, argv,
					environ);
		(void)posix_spawn_file_actions_destroy(&actions);
	}
	(void)close(fds[1]);
	if (r != 0) {
		(void)close(fds[0]);
		return -r;
	}
	*ret_fd = fds[0];
	return 0;
}

/* Whether hygied finds all well; what it says goes to `lines`. */
static enum hygie_outcome hygied_check(const struct options *options, json_t *lines)
{
	int status = 0;
	pid_t pid = -1;
	int fd = -1;
	int r;

	r = hygied_start(options, &pid, &fd);
	if (r < 0) {
		char text[HYGIE_TEXT_MAX];

		(void)snprintf(text, sizeof(text),
			       "%s: %s; card profiles and CAs were not checked",
			       hygied_path, error_text(-r));
		return json_array_append_new(lines, json_string(text)) < 0
			       ? HYGIE_FAULT
			       : HYGIE_BROKEN_SETUP;
	}
	r = lines_read(fd, lines);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return HYGIE_FAULT;
	if (r < 0)
		return HYGIE_FAULT;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? HYGIE_OK
							     : HYGIE_BROKEN_SETUP;
}

static enum hygie_outcome settings_check(const struct options *options, json_t *lines)
{
	struct config_errors errors = { 0 };
	struct settings settings;
	int r;

	r = settings_load(options->config, &settings, &errors);
	for (size_t i = 0; i < errors.count && i < CONFIG_ERRORS_MAX; i++)
		if (json_array_append_new(lines, json_string(errors.text[i])) < 0)
			return HYGIE_FAULT;
	if (errors.count > CONFIG_ERRORS_MAX &&
	    json_array_append_new(lines, json_sprintf("and %zu more mistakes",
						      errors.count - CONFIG_ERRORS_MAX)) <
		    0)
		return HYGIE_FAULT;
	if (r == 0)
		return HYGIE_OK;
	return errors.count > 0 ? HYGIE_BROKEN_SETUP : HYGIE_FAULT;
}

static int check_print(const struct options *options, enum hygie_outcome outcome,
		       json_t *lines)
{
	struct client_result result = { .outcome = outcome };
	FILE *to = outcome == HYGIE_OK ? stdout : stderr;
	const json_t *line;
	size_t i;

	(void)snprintf(result.text, sizeof(result.text), "%s",
		       outcome == HYGIE_OK ? N_("The configuration is good.")
		       : outcome == HYGIE_BROKEN_SETUP
			       ? N_("The configuration has mistakes.")
			       : outcome_text(outcome));
	if (options->given & OPTION_JSON) {
		json_t *value = output_result(&result);

		if (json_object_set(value, "lines", lines) < 0) {
			json_decref(value);
			value = NULL;
		}
		return output_json(value, outcome);
	}
	json_array_foreach(lines, i, line)(void)
		fprintf(to, "%s\n", json_string_value(line));
	return outcome == HYGIE_OK ? output_done(&result, "")
				   : output_failure(options, &result);
}

int command_config_check(const struct options *options)
{
	cleanup_json json_t *lines = json_array();
	enum hygie_outcome outcome;

	if (!lines)
		return output_fault(options);
	outcome = settings_check(options, lines);
	if (outcome == HYGIE_OK)
		outcome = hygied_check(options, lines);
	return check_print(options, outcome, lines);
}
