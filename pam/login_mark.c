/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The marks on the PAM handle; see login_mark.h.
 */
#include "login_mark.h"

#include <errno.h>

#define LOGIN_NAME "hygie_login"
#define SESSION_NAME "hygie_session"
#define PIN_NAME "hygie_pin"

static void mark_free(pam_handle_t *handle, void *data, int status)
{
	(void)handle;
	(void)status;
	free(data);
}

/* Whether the handle holds data under `name`: an entry that was cleared is one with NULL.
 */
static const void *mark_find(pam_handle_t *handle, const char *name)
{
	const void *data = NULL;

	return pam_get_data(handle, name, &data) == PAM_SUCCESS ? data : NULL;
}

/* Puts NULL in place of data, if there is any. */
static int mark_drop(pam_handle_t *handle, const char *name)
{
	if (!mark_find(handle, name))
		return 0;
	return pam_set_data(handle, name, NULL, NULL) == PAM_SUCCESS ? 0 : -EIO;
}

/* Gives `data`, which is malloc'ed, to the handle; it is freed on failure. */
static int mark_give(pam_handle_t *handle, const char *name, void *data)
{
	if (!data)
		return -ENOMEM;
	if (pam_set_data(handle, name, data, mark_free) == PAM_SUCCESS)
		return 0;
	free(data);
	return -EIO;
}

int login_mark_set(pam_handle_t *handle, const struct client_result *result)
{
	struct login_mark *mark = calloc(1, sizeof(*mark));

	if (mark)
		*mark = (struct login_mark){ .not_after = result->not_after,
					     .flags = result->flags };
	return mark_give(handle, LOGIN_NAME, mark);
}

int login_mark_clear(pam_handle_t *handle)
{
	return mark_drop(handle, LOGIN_NAME);
}

const struct login_mark *login_mark_get(pam_handle_t *handle)
{
	return mark_find(handle, LOGIN_NAME);
}

void login_mark_pin_changed(pam_handle_t *handle)
{
	const struct login_mark *mark = login_mark_get(handle);
	struct client_result result = { .outcome = HYGIE_OK };

	if (!mark)
		return;
	result.not_after = mark->not_after;
	result.flags = mark->flags & ~(uint32_t)RESULT_PIN_MUST_CHANGE;
	/* Without memory it is asked for once more: a nuisance, no harm. */
	(void)!login_mark_set(handle, &result);
}

int pin_mark_set(pam_handle_t *handle)
{
	return mark_give(handle, PIN_NAME, calloc(1, 1));
}

void pin_mark_clear(pam_handle_t *handle)
{
	(void)!mark_drop(handle, PIN_NAME);
}

bool pin_mark_get(pam_handle_t *handle)
{
	return mark_find(handle, PIN_NAME) != NULL;
}

int session_mark_set(pam_handle_t *handle)
{
	return mark_give(handle, SESSION_NAME, calloc(1, 1));
}

void session_mark_clear(pam_handle_t *handle)
{
	/* Left behind by a fault, it costs one request to close what is not open. */
	(void)mark_drop(handle, SESSION_NAME);
}

bool session_mark_get(pam_handle_t *handle)
{
	return mark_find(handle, SESSION_NAME) != NULL;
}
