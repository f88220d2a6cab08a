/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making a store's encrypted folder.
 */
#include "hygie-store/disk.h"
#include "hygie-store/keep_own.h"
#include "hygie-store/place.h"
#include "libhygie/error_text.h"
#include "libhygie/log.h"

#include <stdio.h>

static struct wire_message *report_of(const struct keep *keep, int status)
{
	enum keeper_failure failure = keep_failure_of(keep, status);
	char text[HYGIE_TEXT_MAX];
	struct disk disk;

	if (status == 0)
		return report_plain(WIRE_KEEPER_DONE);
	if (failure == KEEPER_NO_ENCRYPTION &&
	    disk_find(keep->subject.folder, &disk) == 0) {
		disk_advise(&disk, keep->subject.folder, text, sizeof(text));
		log_warning("%s: %s", keep->name, text);
		return report_no_encryption(text, &disk);
	}
	(void)snprintf(text, sizeof(text), "%s ended with status %d, making it: %.300s",
		       cipher_program(keep->subject.backend), status,
		       cipher_said(keep->cipher));
	log_warning("%s: %s", keep->name, text);
	return report_failed(failure, text);
}

static void on_made(void *context, int status)
{
	struct keep *keep = context;
	struct wire_message *report = report_of(keep, status);

	keep_become_shut(keep); /* before it is told */
	keep_say(keep, keep->asker, report);
	keep->listener->shut(keep->context);
}

static const struct cipher_callbacks init_callbacks = { .ended = on_made };

/* 0 or a negative errno, `failure` and what to say. */
static int begin_making(struct keep *keep, const struct wire_message *order,
			enum keeper_failure *failure, char *text, size_t size)
{
	cleanup_secret struct secret *secret = NULL;
	const struct subject *subject = &keep->subject;
	uint32_t group = 0;
	int r = keep_take_place(keep, order, &secret);

	*failure = KEEPER_FAULT;
	if (r == 0)
		r = wire_get_u32(order, TAG_GROUP_ID, &group);
	(void)snprintf(text, size, "%s", error_text(-r));
	if (r < 0)
		return r;
	*failure = KEEPER_BAD_MOUNT;
	r = place_judge_mount(subject->mount, true, text, size);
	if (r < 0)
		return r;
	*failure = KEEPER_BAD_CIPHER;
	r = place_make_cipher(subject->folder, group, subject->backend == BACKEND_FSCRYPT,
			      text, size);
	if (r < 0)
		return r;
	*failure = KEEPER_FAULT;
	r = cipher_init(keep->loop, subject, secret, &init_callbacks, keep,
			&keep->cipher);
	if (r == 0)
		r = keep_start_timer(keep);
	(void)snprintf(text, size, "%s", error_text(-r));
	return r < 0 ? r : 0;
}

void keep_make(struct keep *keep, unsigned peer, const struct wire_message *order)
{
	keep_begin(keep, peer, order, begin_making, MAKING);
}
