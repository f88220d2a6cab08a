/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of readers and cards; see cards.h. A card is a new one whenever pcscd's
 * counter of insertions and removals moved, however short the gap was.
 */
#include "hygied/cards.h"

#include "libhygie/error_text.h"
#include "libhygie/log.h"
#include "libhygie/printable.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define TOKENS_MAX 8
#define PLACES_MAX (READERS_KNOWN_MAX + TOKENS_MAX)

struct place {
	char reader[READER_NAME_MAX]; /* "" for a token by URI */
	struct card *card;            /* NULL: empty */
	uint32_t count;               /* pcscd's counter */
};

struct cards {
	struct card_environment *environment;
	const struct profiles *profiles;
	cards_listener listener;
	void *context;
	struct readers *readers;
	bool service_up;
	struct place places[PLACES_MAX];
	size_t place_count, token_count;
};

static void on_card_changed(void *context, struct card *card)
{
	struct cards *cards = context;

	cards->listener(cards->context, CARDS_CHANGED, card);
}

static void remove_card(struct cards *cards, struct place *place)
{
	struct card *card = place->card;

	if (!card)
		return;
	place->card = NULL;
	cards->listener(cards->context, CARDS_LEAVING, card);
	card_free(card);
}

static struct place *find_place(struct cards *cards, const char *reader)
{
	for (size_t i = 0; i < cards->place_count; i++)
		if (strcmp(cards->places[i].reader, reader) == 0)
			return &cards->places[i];
	return NULL;
}

static struct place *place_for(struct cards *cards, const char *reader)
{
	struct place *place = find_place(cards, reader);

	if (place || cards->place_count >= PLACES_MAX)
		return place;
	place = &cards->places[cards->place_count++];
	*place = (struct place){ .card = NULL };
	(void)snprintf(place->reader, sizeof(place->reader), "%s", reader);
	return place;
}

/* Keeps the environment's list of reader names, which helpers are told to leave alone. */
static void list_readers(struct cards *cards)
{
	struct card_environment *environment = cards->environment;

	environment->reader_count = 0;
	for (size_t i = 0; i < cards->place_count; i++)
		if (cards->places[i].reader[0] &&
		    environment->reader_count < READERS_KNOWN_MAX)
			(void)snprintf(environment->readers[environment->reader_count++],
				       READER_NAME_MAX, "%s", cards->places[i].reader);
}

static int make_card(struct cards *cards, const struct reader_event *event,
		     struct card **ret_card)
{
	const struct profile *profile;

	if (event->mute)
		return card_new_unreadable(
			cards->environment, event->name,
			"it gives no answer to reset: is it upside down?", ret_card);
	profile = profile_for_reader(cards->profiles, event->name, event->atr,
				     event->atr_size);
	if (!profile)
		return card_new_unreadable(
			cards->environment, event->name,
			"no card profile knows its answer to reset; see "
			"hygie-cards(5)",
			ret_card);
	return card_new(cards->environment, event->name, profile, ret_card);
}

static void insert_card(struct cards *cards, struct place *place,
			const struct reader_event *event)
{
	int r;

	log_info("%s: card inserted", place->reader);
	r = make_card(cards, event, &place->card);
	if (r < 0) {
		log_error("%s: cannot take the card: %s", place->reader, error_text(-r));
		return;
	}
	cards->listener(cards->context, CARDS_CHANGED, place->card);
}

static void reader_changed(struct cards *cards, const struct reader_event *event)
{
	struct place *place;
	bool same;

	/*
	 * It could be told to no helper and no client, and would spoil the others'
	 * orders.
	 */
	if (!printable_is_clean(event->name, strlen(event->name))) {
		log_error("%s: a reader whose name is no text is left alone",
			  event->name);
		return;
	}
	place = place_for(cards, event->name);
	if (!place) {
		log_error("%s: too many readers; this one is left alone", event->name);
		return;
	}
	list_readers(cards);
	same = place->card && event->present && place->count == event->count;
	if (same)
		return;
	if (place->card) {
		log_info("%s: card removed", place->reader);
		remove_card(cards, place);
	}
	place->count = event->count;
	if (event->present)
		insert_card(cards, place, event);
}

static void drop_place(struct cards *cards, struct place *place)
{
	remove_card(cards, place);
	*place = cards->places[--cards->place_count];
	list_readers(cards);
}

static void reader_gone(struct cards *cards, const char *name)
{
	struct place *place = find_place(cards, name);

	if (!place)
		return;
	log_info("%s: reader unplugged", name);
	drop_place(cards, place);
}

static void service_down(struct cards *cards)
{
	cards->service_up = false;
	log_warning("pcscd is gone; waiting for it to come back");
	for (size_t i = cards->place_count; i-- > 0;)
		if (cards->places[i].reader[0])
			drop_place(cards, &cards->places[i]);
}

static void on_reader_event(void *context, const struct reader_event *event)
{
	struct cards *cards = context;

	switch (event->change) {
	case READERS_SERVICE_UP:
		cards->service_up = true;
		break;
	case READERS_SERVICE_DOWN:
		service_down(cards);
		break;
	case READER_CHANGED:
		reader_changed(cards, event);
		break;
	case READER_GONE:
		reader_gone(cards, event->name);
		break;
	}
}

/* Tokens by URI are always in. */
static int add_tokens(struct cards *cards)
{
	const struct profile *profile;
	size_t cursor = 0;

	while ((profile = profiles_next_uri(cards->profiles, &cursor)) &&
	       cards->token_count < TOKENS_MAX) {
		struct place *place = &cards->places[cards->place_count];
		int r;

		*place = (struct place){ .card = NULL };
		r = card_new(cards->environment, "", profile, &place->card);
		if (r < 0)
			return r;
		cards->place_count++;
		cards->token_count++;
	}
	return 0;
}

int cards_start(struct card_environment *environment, const struct profiles *profiles,
		cards_listener listener, void *context, struct cards **ret_cards)
{
	struct cards *cards = calloc(1, sizeof(*cards));
	int r;

	if (!cards)
		return -ENOMEM;
	cards->environment = environment;
	cards->profiles = profiles;
	cards->listener = listener;
	cards->context = context;
	environment->changed = on_card_changed;
	environment->context = cards;
	r = add_tokens(cards);
	if (r >= 0)
		r = readers_start(environment->loop, on_reader_event, cards,
				  &cards->readers);
	if (r < 0) {
		cards_free(cards);
		return r;
	}
	*ret_cards = cards;
	return 0;
}

void cards_free(struct cards *cards)
{
	if (!cards)
		return;
	readers_free(cards->readers);
	for (size_t i = 0; i < cards->place_count; i++)
		remove_card(cards, &cards->places[i]);
	free(cards);
}

struct card *cards_at(const struct cards *cards, size_t index)
{
	for (size_t i = 0; i < cards->place_count; i++)
		if (cards->places[i].card && index-- == 0)
			return cards->places[i].card;
	return NULL;
}

size_t cards_reader_count(const struct cards *cards)
{
	return cards->environment->reader_count;
}

const char *cards_reader_at(const struct cards *cards, size_t index)
{
	return index < cards->environment->reader_count
		       ? cards->environment->readers[index]
		       : NULL;
}

bool cards_service_is_up(const struct cards *cards)
{
	return cards->service_up;
}

bool cards_have_tokens(const struct cards *cards)
{
	return cards->token_count > 0;
}

void cards_retry(struct cards *cards)
{
	for (size_t i = 0; i < cards->place_count; i++)
		if (cards->places[i].card)
			card_retry(cards->places[i].card);
}
