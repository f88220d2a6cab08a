/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command's side of a dialogue; see exchange.h.
 */
#include "exchange.h"

#include "display.h"
#include "language.h"
#include "libhygie/deadline.h"
#include "libhygie/printable.h"
#include "output.h"
#include "prompt.h"
#include "recovery_page.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void exchange_fail(struct exchange *exchange, enum hygie_outcome outcome,
			  const char *text)
{
	exchange->outcome = outcome;
	exchange->result = (struct client_result){ .outcome = outcome };
	(void)snprintf(exchange->result.text, sizeof(exchange->result.text), "%s",
		       text ? text : outcome_text(outcome));
}

static void exchange_show(void *context, enum client_tone tone,
			  const struct client_text *text)
{
	(void)context;
	output_sentence(tone, text);
}

/* What a prompt that failed came to; NULL text: the outcome's own. */
static enum hygie_outcome outcome_of_prompt(int error, const char **ret_text)
{
	*ret_text = NULL;
	switch (-error) {
	case E2BIG:
		return HYGIE_PIN_MALFORMED;
	case ENOMEM:
	case EPERM:
		return HYGIE_FAULT;
	case ENXIO:
		*ret_text = N_("There is no terminal to ask on. In a script, give the "
			       "PIN on standard input with --pin-stdin.");
		return HYGIE_GAVE_UP;
	default:
		return HYGIE_GAVE_UP;
	}
}

static int exchange_work(struct exchange *exchange, int fd, uint32_t text,
			 struct secret **ret_answer)
{
	const char *why = NULL;
	int r = exchange->work->run(exchange->work->context, text, exchange->items, fd,
				    ret_answer, &why);

	if (r < 0) /* where hygied has ended it, that is the reason */
		exchange_fail(exchange,
			      r == -ECANCELED ? HYGIE_GAVE_UP : HYGIE_BROKEN_SETUP, why);
	return r;
}

static int exchange_ask(void *context, int fd, bool echo, const struct client_text *text,
			struct secret **ret_answer)
{
	struct exchange *exchange = context;
	char clean[PRINTABLE_SIZE(HYGIE_TEXT_MAX)], translated[HYGIE_TEXT_MAX];
	char shown[PRINTABLE_SIZE(HYGIE_TEXT_MAX)];
	struct prompt prompt = { .text = shown,
				 .echo = echo,
				 .most = echo ? HYGIE_USER_MAX - 1 : HYGIE_PIN_MAX,
				 .watched = fd };
	const char *why;
	int r;

	if (exchange->outcome != HYGIE_OK)
		return -ECANCELED;
	if (exchange->work && exchange->work->takes(text->id))
		return exchange_work(exchange, fd, text->id, ret_answer);
	translate_text(&language_translator, text, translated);
	text_clean(clean, sizeof(clean), translated, strlen(translated));
	display_encode(clean, shown, sizeof(shown));
	r = exchange->options->given & OPTION_PIN_STDIN
		    ? prompt_stdin(&prompt, ret_answer)
		    : prompt_terminal(&prompt, ret_answer);
	if (r < 0) {
		enum hygie_outcome outcome = outcome_of_prompt(r, &why);

		exchange_fail(exchange, outcome, why);
	}
	return r;
}

static void exchange_item(void *context, const struct wire_message *item)
{
	struct exchange *exchange = context;
	char kind[16];

	/* For a person's eyes, now: it goes into no list. */
	if (wire_get_string(item, TAG_KIND, kind, sizeof(kind)) == 0 &&
	    strcmp(kind, "recovery") == 0) {
		recovery_page_print(
			exchange->options->given & OPTION_JSON ? stderr : stdout, item);
		return;
	}
	if (exchange->outcome == HYGIE_OK &&
	    json_array_append_new(exchange->items, record_from_item(item)) < 0)
		exchange_fail(exchange, HYGIE_FAULT, NULL);
}

static void exchange_secret(void *context, struct secret *secret)
{
	struct exchange *exchange = context;

	secret_free(exchange->secret);
	exchange->secret = secret;
}

static const struct client_callbacks callbacks = {
	.show = exchange_show,
	.ask = exchange_ask,
	.secret = exchange_secret,
	.item = exchange_item,
};

/*
 * Puts both sides together. When a prompt was cut short because hygied had ended the
 * dialogue (the card was pulled), what hygied says is the reason; else it is ours. hygied
 * knows, too, whether a text that was too long was to be a PIN, a PUK or a new PIN.
 */
static void exchange_conclude(struct exchange *exchange,
			      const struct client_result *result)
{
	bool ours = exchange->outcome != HYGIE_OK;
	bool daemon_ended = (exchange->outcome == HYGIE_GAVE_UP ||
			     exchange->outcome == HYGIE_PIN_MALFORMED) &&
			    result->outcome != HYGIE_OK &&
			    result->outcome != HYGIE_GAVE_UP;
	const char *text = result->text[0] ? result->text : outcome_text(result->outcome);

	if (ours && !daemon_ended)
		return;
	exchange->result = *result;
	if (result->outcome != HYGIE_OK || result->text[0])
		text_clean(exchange->result.text, sizeof(exchange->result.text), text,
			   strlen(text));
}

void exchange_run(const struct options *options, const struct wire_message *request,
		  unsigned milliseconds, struct exchange *ret_exchange)
{
	exchange_run_with(options, request, milliseconds, NULL, ret_exchange);
}

void exchange_run_with(const struct options *options, const struct wire_message *request,
		       unsigned milliseconds, const struct exchange_work *work,
		       struct exchange *ret_exchange)
{
	struct client_result result;

	*ret_exchange = (struct exchange){ .options = options,
					   .work = work,
					   .items = json_array(),
					   .outcome = HYGIE_OK };
	if (!ret_exchange->items) {
		exchange_fail(ret_exchange, HYGIE_FAULT, NULL);
		return;
	}
	client_run(options->socket, request, deadline_after(milliseconds), &callbacks,
		   ret_exchange, &result);
	exchange_conclude(ret_exchange, &result);
}

void exchange_end(struct exchange *exchange)
{
	json_decref(exchange->items);
	secret_free(exchange->secret);
	exchange->items = NULL;
	exchange->secret = NULL;
}
