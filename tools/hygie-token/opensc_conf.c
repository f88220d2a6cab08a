/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text of OPENSC_CONF; see opensc_conf.h. Settings as in OpenSC 0.23's
 * opensc.conf(5).
 */
#include "hygie-token/opensc_conf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool byte_is_quotable(char byte)
{
	return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
}

/*
 * The longest run of bytes that can stand between quotes. OpenSC ignores a reader whose
 * name contains what is listed, so a part serves as well as the whole.
 */
static size_t quotable_part(const char *name, const char **ret_part)
{
	size_t best = 0;

	for (const char *at = name; *at != '\0'; at++) {
		size_t run = 0;

		while (at[run] != '\0' && byte_is_quotable(at[run]))
			run++;
		if (run > best) {
			best = run;
			*ret_part = at;
		}
		if (run > 0)
			at += run - 1;
	}
	return best;
}

/* Appends `, "part"` for a reader to ignore, unless that would ignore ours as well. */
static void ignored_reader_append(FILE *text, const char *other, const char *ours,
				  bool *first)
{
	char part[READER_NAME_MAX];
	const char *start = other;
	size_t size;

	size = quotable_part(other, &start);
	if (size == 0)
		return;
	memcpy(part, start, size);
	part[size] = '\0';
	if (strstr(ours, part))
		return;
	(void)fprintf(text, "%s\"%s\"", *first ? "\tignored_readers = " : ", ", part);
	*first = false;
}

/* lock_login: nobody else between C_Login and the end of this process.
 * use_pin_caching: off, or OpenSC verifies again on its own, behind the person's back.
 * transaction_end_action: reset, so that C_Logout leaves no verified state: pcscd makes
 * this one before it lets others in, unlike those of a disconnection and of a client's
 * death. disconnect_action: reset as well, for a module that ends otherwise.
 * user_pin_unblock_style: C_SetPIN takes the PUK, but only where no PIN is verified.
 * use_file_caching: off, since a cached certificate may be yesterday's. */
static void conf_write(FILE *text, const struct start_order *order)
{
	bool first = true;

	(void)fputs("app default {\n\tdebug = 0;\n", text);
	(void)fprintf(text, "\tcard_drivers = %s;\n", order->driver);
	for (size_t i = 0; i < order->other_reader_count; i++)
		ignored_reader_append(text, order->other_readers[i], order->reader,
				      &first);
	(void)fputs(first ? "" : ";\n", text);
	(void)fputs("\treader_driver pcsc {\n"
		    "\t\tdisconnect_action = reset;\n"
		    "\t\ttransaction_end_action = reset;\n"
		    "\t\treconnect_action = leave;\n",
		    text);
	(void)fputs(order->no_pin_pad ? "\t\tenable_pinpad = false;\n" : "", text);
	(void)fputs("\t}\n"
		    "\tframework pkcs15 {\n"
		    "\t\tuse_file_caching = no;\n"
		    "\t\tuse_pin_caching = false;\n"
		    "\t}\n"
		    "}\n"
		    "app opensc-pkcs11 {\n"
		    "\tpkcs11 {\n"
		    "\t\tmax_virtual_slots = 4;\n"
		    "\t\tslots_per_card = 2;\n"
		    "\t\tlock_login = true;\n"
		    "\t\tatomic = false;\n"
		    "\t\tcreate_puk_slot = false;\n"
		    "\t\tuser_pin_unblock_style = set_pin_in_unlogged_session;\n"
		    "\t}\n"
		    "}\n",
		    text);
}

int opensc_conf_format(const struct start_order *order, char *ret_text, size_t size)
{
	bool fits;
	FILE *text;

	text = fmemopen(ret_text, size, "w");
	if (!text)
		return -errno;
	conf_write(text, order);
	fits = fflush(text) == 0 && ftell(text) >= 0 && (size_t)ftell(text) < size;
	if (fclose(text) != 0 || !fits)
		return -E2BIG;
	return 0;
}
