/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fills requests from the items of a PAM handle; see request.h.
 */
#include "request.h"

#include "libhygie/printable.h"
#include "libhygie/protocol.h"

#include <string.h>

#define NOTE_MAX 256

static const char *item_string(pam_handle_t *handle, int type)
{
	const void *item = NULL;

	if (pam_get_item(handle, type, &item) != PAM_SUCCESS || !item)
		return NULL;
	return ((const char *)item)[0] != '\0' ? item : NULL;
}

const char *request_user(pam_handle_t *handle)
{
	return item_string(handle, PAM_USER);
}

static void add_item(struct wire_message *request, uint16_t tag, pam_handle_t *handle,
		     int type)
{
	const char *string = item_string(handle, type);

	if (string)
		wire_add_string(request, tag, string);
}

/* Terminal and remote host are notes for the audit; a peer's choice may not spoil a
 * login. */
static void add_note(struct wire_message *request, uint16_t tag, pam_handle_t *handle,
		     int type)
{
	const char *string = item_string(handle, type);
	char note[NOTE_MAX];

	if (!string)
		return;
	(void)printable_copy(note, sizeof(note), string, strlen(string));
	wire_add_string(request, tag, note);
}

/* Who asks what, from where. */
static int request_new(pam_handle_t *handle, uint16_t type, uint32_t flags,
		       struct wire_message **ret_request)
{
	struct wire_message *request;
	int r;

	r = wire_message_new(type, &request);
	if (r < 0)
		return r;
	add_item(request, TAG_USER, handle, PAM_USER);
	add_item(request, TAG_SERVICE, handle, PAM_SERVICE);
	add_note(request, TAG_TTY, handle, PAM_TTY);
	add_note(request, TAG_REMOTE_HOST, handle, PAM_RHOST);
	wire_add_u32(request, TAG_FLAGS, flags);
	*ret_request = request;
	return 0;
}

static uint32_t silence(int flags)
{
	return ((unsigned)flags & PAM_SILENT) ? REQUEST_SILENT : 0;
}

int request_authenticate(pam_handle_t *handle, int flags,
			 struct wire_message **ret_request)
{
	return request_new(handle, WIRE_REQUEST_AUTHENTICATE, silence(flags),
			   ret_request);
}

int request_pin_change(pam_handle_t *handle, int flags, bool check,
		       struct wire_message **ret_request)
{
	return request_new(handle, WIRE_REQUEST_PIN_CHANGE,
			   silence(flags) | (check ? REQUEST_CHECK : 0), ret_request);
}

int request_session(pam_handle_t *handle, uint16_t type, const char *ticket,
		    struct wire_message **ret_request)
{
	const char *session = pam_getenv(handle, "XDG_SESSION_ID");
	struct wire_message *request;
	int r;

	r = wire_message_new(type, &request);
	if (r < 0)
		return r;
	if (ticket)
		wire_add_string(request, TAG_TICKET, ticket);
	if (session && session[0] != '\0')
		wire_add_string(request, TAG_SESSION, session);
	add_item(request, TAG_USER, handle, PAM_USER);
	add_item(request, TAG_SERVICE, handle, PAM_SERVICE);
	add_note(request, TAG_TTY, handle, PAM_TTY);
	*ret_request = request;
	return 0;
}
