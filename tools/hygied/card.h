/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One card in one reader (or one token that has none), from insertion to removal: its
 * warm helper, what was read from it, and the one use of its PIN that may run. It goes
 *
 *	READING (helper warms up; card is reset once more) -> READY -> BUSY (a PIN was
 *	sent) -> LEAVING (the login is over; its helper resets the card and ends) ->
 *	READING (a successor warms up) -> READY
 *
 * or to UNREADABLE, from where card_retry() tries again.
 */
#pragma once

#include "hygied/challenge.h"
#include "hygied/pin_form.h"
#include "hygied/profile.h"
#include "hygied/readers.h"
#include "hygied/token_report.h"
#include "libhygie/outcome.h"
#include "libhygie/settings.h"

#include <sys/types.h>
#include <systemd/sd-event.h>
#include <time.h>

struct card;

enum card_state {
	CARD_READING = 1,
	CARD_READY,
	CARD_BUSY,
	CARD_LEAVING,
	CARD_UNREADABLE
};

#define READERS_KNOWN_MAX 16

/* What every card needs; outlives them all. */
struct card_environment {
	sd_event *loop;
	const struct settings *settings;
	const struct trust *trust;
	uid_t helper_uid;
	gid_t helper_gid;
	time_t time_floor; /* no certificate is judged at an earlier moment */
	size_t reader_count;
	char readers[READERS_KNOWN_MAX][READER_NAME_MAX];  /* all that are attached */
	void (*changed)(void *context, struct card *card); /* its state is another now */
	void *context;
};

/*
 * A card came: starts its helper. `reader` is "" for a token by URI. Never fails for the
 * card's sake: it is then UNREADABLE. -ENOMEM. The caller owns the result.
 */
int card_new(const struct card_environment *environment, const char *reader,
	     const struct profile *profile, struct card **ret_card) must_check;

/* A card whose kind no profile knows, or that gives no answer to reset: UNREADABLE. */
int card_new_unreadable(const struct card_environment *environment, const char *reader,
			const char *problem, struct card **ret_card) must_check;

/*
 * It was taken out, or we end: ends the helper and a running login (HYGIE_CARD_REMOVED).
 */
void card_free(struct card *card);

enum card_state card_state(const struct card *card);
/* The reader's name, or the token's URI where there is none. */
const char *card_reader(const struct card *card);
bool card_has_reader(const struct card *card);
bool card_is_exclusive(const struct card *card);
uint32_t card_token_flags(const struct card *card);

/* Why it is UNREADABLE: an outcome and an English detail for status and log. */
enum hygie_outcome card_problem(const struct card *card, const char **ret_detail);

/*
 * The certificate that a login would use: the first that is trusted, else the first of
 * all, so that one can say what is wrong with it. NULL before READY or without any.
 */
const struct token_certificate *card_certificate(const struct card *card);

/*
 * What tells a card from another one with the same key: the certificate of that key and
 * the card's serial number. Both can be copied.
 */
struct card_mark {
	uint8_t certificate[CERTIFICATE_HASH_SIZE];
	char serial[TOKEN_TEXT_SIZE];
};

/* Whether the card is known to hold that key's certificate, and if so its mark. */
bool card_has_key(const struct card *card, const uint8_t key_id[HYGIE_KEY_ID_SIZE],
		  struct card_mark *ret_mark);

/* Judges that certificate anew, now: it may have expired since the card was read. */
int card_judge(const struct card *card, struct trust_verdict *ret_verdict) must_check;

/* The time at which certificates are judged: the later of clock and floor. */
time_t card_time(const struct card_environment *environment);

/* Starts over with an UNREADABLE card; nothing happens in any other state. */
void card_retry(struct card *card);

/* Whether the PIN could be this card's: lengths and characters of profile and token. */
bool card_pin_fits(const struct card *card, const struct secret *pin);

/*
 * Has a READY card read anew by a new helper, when the last one said that its PIN is
 * blocked: somebody may have unblocked it since. Returns whether that is so.
 */
bool card_reread_blocked(struct card *card);

/* How its module takes a PUK; 0: in no way that its profile knows. */
enum token_unblock card_unblock_way(const struct card *card);

/* Whether it could be the card's PUK, and what form a PIN of it has. */
bool card_puk_fits(const struct card *card, const struct secret *puk);
struct pin_form card_pin_form(const struct card *card);

/*
 * How one use of the PIN came out. HYGIE_OK of a login means: PIN right and possession
 * proven; of a change or unblocking: the card says that the new PIN holds.
 */
typedef void (*card_login_callback)(void *context, enum hygie_outcome outcome);

/* What a card is to decrypt or derive in a login, before it signs. */
struct card_task {
	const struct token_certificate *key; /* the card's own */
	enum token_operation operation;      /* TOKEN_DECRYPT or TOKEN_DERIVE */
	uint32_t oaep_hash;                  /* 0: PKCS#1 v1.5 */
	const uint8_t *data;                 /* copied into the order */
	size_t size;
};

/* The card's certificate number `index` of all, trusted or not; NULL after the last. */
const struct token_certificate *card_certificate_at(const struct card *card,
						    size_t index);

/*
 * Sends the PIN (NULL at a pin-pad) to a READY card and has `challenge` signed with
 * card_certificate()'s key. The callback comes exactly once, by `deadline` at the latest,
 * unless this fails (-EPROTO when not READY) or card_login_cancel() comes first.
 */
int card_login(struct card *card, const struct secret *pin,
	       const struct challenge *challenge, uint64_t deadline,
	       card_login_callback callback, void *context) must_check;

/*
 * The same with at most TOKEN_SECRETS_MAX tasks. What came of task `index` is to be taken
 * within the callback by card_take_secret: the caller's, empty where the card could not
 * do it; NULL where the login failed. Unless it `insists` on the tasks, the last ten seconds
 * before the deadline, or two thirds of the time until it, are the signature's, none begins
 * in them, and none for which a pin-pad would ask again is tried:
 * card_left_out() says in the callback how many were left out so.
 */
int card_login_with(struct card *card, const struct secret *pin,
		    const struct card_task *tasks, size_t count, bool insists,
		    const struct challenge *challenge, uint64_t deadline,
		    card_login_callback callback, void *context) must_check;
struct secret *card_take_secret(struct card *card, size_t index);
size_t card_left_out(const struct card *card);

/*
 * The same with the PIN itself: has a READY card change it, or set a new one by its PUK
 * (`pin`). Both NULL at a pin-pad.
 */
int card_change_pin(struct card *card, enum token_operation operation,
		    const struct secret *pin, const struct secret *new_pin,
		    uint64_t deadline, card_login_callback callback,
		    void *context) must_check;

/*
 * Drops the running login without a callback; the helper gets a moment to let the card
 * go.
 */
void card_login_cancel(struct card *card);
