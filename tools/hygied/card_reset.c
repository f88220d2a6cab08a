/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resetting a card between two helpers, or between a helper's warming up and its PIN: for as
 * long as it may take, and again where pcscd refuses. Declared in card_own.h.
 */
#include "hygied/card_own.h"
#include "libhygie/deadline.h"
#include "libhygie/log.h"

#define REFUSALS_MAX 5 /* by pcscd, one after the other */
#define REFUSED_MS 50u /* until it is asked again, then twice as long each time */

/* The reset goes on behind: reading goes on as soon as the other program lets go. */
static int on_reset_timeout(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	card_fail(userdata, HYGIE_CARD_BUSY, "another program holds the reader");
	return 0;
}

static int on_reset_again(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct card *card = userdata;

	(void)source;
	(void)usec;
	card_reset_begin(card, card->after_reset);
	return 0;
}

/*
 * pcscd refuses a card that it is just powering, or whose last client it is not done
 * with. False: it has refused too often.
 */
static bool ask_again(struct card *card)
{
	if (card->state != CARD_READING || card->refusals >= REFUSALS_MAX) {
		card->refusals = 0;
		return false;
	}
	if (card->refusals == 0)
		log_info("%s: pcscd refused to reset the card; asking again",
			 card_reader(card));
	return card_start_timer(card, deadline_after(REFUSED_MS << card->refusals++),
				on_reset_again) >= 0;
}

static void on_reset(void *context, bool done)
{
	struct card *card = context;

	reset_free(card->reset);
	card->reset = NULL;
	if (done || !ask_again(card))
		card->after_reset(card, done);
}

void card_reset_begin(struct card *card, card_reset_end end)
{
	const struct card_environment *environment = card->environment;

	card->after_reset = end;
	if (card_start_timer(card, deadline_after(environment->settings->busy_deadline),
			     on_reset_timeout) < 0 ||
	    reset_start(environment->loop, card->reader, RESET_CARD, on_reset, card,
			&card->reset) < 0)
		card_fail(card, HYGIE_FAULT, "no memory to reset the card");
}

void card_reset_refused(struct card *card)
{
	card_fail(card, HYGIE_CARD_BUSY,
		  "pcscd refused to reset the card: another program may hold it "
		  "exclusively");
}
