/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filling reports; see report.h.
 */
#include "hygie-store/report.h"

struct wire_message *report_plain(enum wire_type type)
{
	struct wire_message *report;

	return wire_message_new((uint16_t)type, &report) < 0 ? NULL : report;
}

struct wire_message *report_failed(enum keeper_failure failure, const char *text)
{
	struct wire_message *report = report_plain(WIRE_KEEPER_FAILED);

	if (!report)
		return NULL;
	wire_add_u32(report, TAG_FAILURE, failure);
	wire_add_string(report, TAG_TEXT, text);
	return report;
}

struct wire_message *report_no_encryption(const char *text, const struct disk *disk)
{
	struct wire_message *report = report_failed(KEEPER_NO_ENCRYPTION, text);

	if (!report)
		return NULL;
	wire_add_string(report, TAG_FILE, disk->device);
	wire_add_string(report, TAG_KIND, disk->type);
	return report;
}

struct wire_message *report_closed(enum keeper_failure failure)
{
	struct wire_message *report = report_plain(WIRE_KEEPER_CLOSED);

	if (report && failure)
		wire_add_u32(report, TAG_FAILURE, failure);
	return report;
}

static void add_holders(struct wire_message *report, const struct holders *holders)
{
	for (size_t i = 0; i < holders->count && i < HYGIE_HOLDERS_TOLD; i++) {
		const struct holder *holder = &holders->holder[i];

		wire_add_u32(report, TAG_PROCESS, (uint32_t)holder->pid);
		wire_add_u32(report, TAG_USER_ID, holder->uid);
		wire_add_string(report, TAG_NAME, holder->program);
		wire_add_string(report, TAG_FILE, holder->file);
	}
}

static struct wire_message *report_programs(enum wire_type type,
					    const struct holders *holders)
{
	struct wire_message *report = report_plain(type);

	if (report)
		add_holders(report, holders);
	return report;
}

struct wire_message *report_busy(const struct holders *holders)
{
	return report_programs(WIRE_KEEPER_BUSY, holders);
}

struct wire_message *report_forced(const struct holders *holders)
{
	return report_programs(WIRE_KEEPER_FORCED, holders);
}

struct wire_message *report_state(const char *state, const void *note, size_t size,
				  uint64_t since, const struct holders *holders)
{
	struct wire_message *report = report_plain(WIRE_KEEPER_STATE);

	if (!report)
		return NULL;
	wire_add_string(report, TAG_STATE, state);
	wire_add_bytes(report, TAG_NOTE, note, size);
	if (since)
		wire_add_u64(report, TAG_SINCE, since);
	add_holders(report, holders);
	return report;
}
