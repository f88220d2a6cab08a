/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hygie store reencrypt: hygied opens a store and the one that is to take its place, shows
 * both to root alone, and asks for the records to be copied; here they are. The removal of
 * copies, too: it may take long, and hygied has one thread.
 */
#include "command.h"
#include "display.h"
#include "language.h"
#include "libhygie/error_text.h"
#include "libhygie/folder_remove.h"
#include "libhygie/secret.h"
#include "output.h"
#include "store_copy.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define REENCRYPT_MILLISECONDS 280000 /* without typing and copying */

static const char *member(const json_t *record, const char *key)
{
	const char *text = json_string_value(json_object_get(record, key));

	return text ? text : "";
}

static const json_t *find(const json_t *items, const char *kind)
{
	const json_t *record;
	size_t i;

	json_array_foreach(items, i, record) if (strcmp(member(record, "kind"), kind) ==
						 0) return record;
	return NULL;
}

struct work {
	struct store_copy copy;
	struct archive_error error;
};

static bool work_takes(uint32_t text)
{
	return text == TEXT_STORE_COPY || text == TEXT_STORE_CLEAR;
}

/* 0, also if it is not there: -1 then. */
static int folder_hold(const char *path, int *ret_fd)
{
	*ret_fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return *ret_fd < 0 && errno != ENOENT ? -errno : 0;
}

/*
 * The encrypted files first: gocryptfs.conf says whether they are whole. The folders are
 * those that hygied has locked for us while it is there (`watched`): when it was started
 * anew while we stood still, others may have taken their places.
 */
static int clear(struct work *work, const json_t *record, int watched)
{
	const char *cipher = member(record, "cipher"), *folder = member(record, "file");
	const struct tree watching = { .watched = watched };
	cleanup_close int files = -1, whole = -1;
	int r = cipher[0] && folder[0] ? folder_hold(cipher, &files) : -EBADMSG;

	if (r == 0)
		r = folder_hold(folder, &whole);
	if (r == 0)
		r = tree_look(&watching);
	if (r == 0 && files >= 0 && unlinkat(files, "gocryptfs.conf", 0) < 0 &&
	    errno != ENOENT)
		r = -errno;
	if (r == 0 && files >= 0)
		r = folder_remove_held(cipher, files, watched);
	if (r == 0 && whole >= 0)
		r = folder_remove_held(folder, whole, watched);
	return r < 0 && r != -ECANCELED
		       ? archive_fail(&work->error, r, "%s: %s", folder, error_text(-r))
		       : r;
}

static int work_run(void *context, uint32_t text, const json_t *items, int fd,
		    struct secret **ret_answer, const char **ret_why)
{
	struct work *work = context;
	const json_t *record = find(items, text == TEXT_STORE_COPY ? "copy" : "clear");
	char answer[HYGIE_PIN_MAX];
	int r = record ? 0 : -EBADMSG;

	if (r == 0 && text == TEXT_STORE_CLEAR)
		r = clear(work, record, fd);
	else if (r == 0)
		r = store_copy_run(&work->copy, member(record, "file"),
				   member(record, "mount"), member(record, "cipher"), fd);
	if (r < 0) {
		if (r != -ECANCELED && !work->error.text[0])
			(void)archive_fail(&work->error, r, "%s", error_text(-r));
		*ret_why = work->error.text[0] ? work->error.text : NULL;
		return r;
	}
	(void)snprintf(answer, sizeof(answer), "%" PRIu64 " %" PRIu64, work->copy.files,
		       work->copy.bytes);
	return secret_new_from(answer, strlen(answer), ret_answer);
}

/* Two descriptors for each folder on the way down. */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int ask(const struct options *options, enum wire_type type, uint32_t flags,
	       const struct exchange_work *work, struct exchange *ret_exchange)
{
	cleanup_message struct wire_message *request = NULL;
	int r = wire_message_new((uint16_t)type, &request);

	if (r < 0)
		return r;
	wire_add_string(request, TAG_STORE, options->operands[0]);
	wire_add_u32(request, TAG_FLAGS, flags);
	if (flags & REQUEST_CARD && options->user)
		wire_add_string(request, TAG_USER, options->user);
	if (flags & REQUEST_CARD && options->reader)
		wire_add_string(request, TAG_READER, options->reader);
	exchange_run_with(options, request, REENCRYPT_MILLISECONDS, work, ret_exchange);
	return 0;
}

/* Before anybody types a passphrase: whether there is room for it. */
static int room_look(const struct options *options, struct work *work,
		     struct exchange *exchange)
{
	const json_t *record, *copy;
	int r = ask(options, WIRE_REQUEST_STORE_CHECK, 0, NULL, exchange);

	if (r < 0 || exchange->result.outcome != HYGIE_OK)
		return r;
	record = find(exchange->items, "store");
	copy = find(exchange->items, "copy");
	if (!record) /* hygied says why */
		return 0;
	work->copy.old_cipher = member(record, "cipher"); /* as long as `exchange` is */
	return store_copy_room(member(record, "cipher"),
			       copy ? member(copy, "cipher") : "", &work->error);
}

static int report(const struct options *options, const struct work *work,
		  const struct exchange *exchange)
{
	const struct store_copy *copy = &work->copy;
	json_t *value;

	if (exchange->result.outcome != HYGIE_OK)
		return output_failure(options, &exchange->result);
	if (options->given & OPTION_JSON) {
		value = output_result(&exchange->result);
		if (value && copy->done &&
		    (json_object_set_new(value, "files",
					 json_integer((json_int_t)copy->files)) < 0 ||
		     json_object_set_new(value, "bytes",
					 json_integer((json_int_t)copy->bytes)) < 0 ||
		     json_object_set_new(value, "left_out",
					 json_integer((json_int_t)copy->left_out)) < 0)) {
			json_decref(value);
			value = NULL;
		}
		return output_json(value, HYGIE_OK);
	}
	return output_done(&exchange->result, "");
}

static uint32_t flags_of(const struct options *options)
{
	if (options->given & OPTION_ABANDON)
		return REQUEST_ABANDON;
	if (options->given & OPTION_DISCARD)
		return REQUEST_DISCARD;
	return options->given & OPTION_CARD ? REQUEST_CARD : 0;
}

/* What cannot be meant: NULL for nothing. */
static const char *contradiction(const struct options *options)
{
	unsigned removal = options->given & (OPTION_ABANDON | OPTION_DISCARD);
	unsigned card = options->given & (OPTION_USER | OPTION_READER);

	if (removal == (OPTION_ABANDON | OPTION_DISCARD))
		return N_("Give --abandon or --discard-old, not both.");
	if (removal && (options->given & OPTION_CARD))
		return N_("To remove a copy no card is needed: leave out --card.");
	if (card && !(options->given & OPTION_CARD))
		return N_("--user and --reader say whose card opens the store: give "
			  "--card with them.");
	return NULL;
}

int command_store_reencrypt(const struct options *options)
{
	cleanup_exchange struct exchange exchange = { 0 }, look = { 0 };
	struct work work = { .error = { "" } };
	const struct exchange_work how = { work_takes, work_run, &work };
	uint32_t flags = flags_of(options);
	bool removal = flags & (REQUEST_ABANDON | REQUEST_DISCARD);
	int r;

	if (contradiction(options))
		return output_usage(options, contradiction(options));
	if (secret_protect_process() < 0)
		return output_fault(options);
	raise_file_limit();
	work.copy.error = &work.error;
	work.copy.old_cipher = "";
	work.copy.progress.quiet = options->given & OPTION_JSON;
	work.copy.progress.terminal = display_is_terminal(stderr);
	r = removal ? 0 : room_look(options, &work, &look);
	if (r < 0 && work.error.text[0])
		return archive_report(options, &work.error, r);
	if (r < 0)
		return output_fault(options);
	if (!removal && look.result.outcome != HYGIE_OK)
		return output_failure(options, &look.result);
	if (ask(options, WIRE_REQUEST_STORE_REENCRYPT, flags, &how, &exchange) < 0)
		return output_fault(options);
	return report(options, &work, &exchange);
}
