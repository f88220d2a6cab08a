/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state of one dialogue that uses a PIN (a login, an enrolment, a change of the PIN),
 * and how it ends: what is stored, told and audited. The one place from which success can
 * come.
 */
#pragma once

#include "hygied/hygied.h"
#include "hygied/peer.h"
#include "hygied/secret_plan.h"
#include "hygied/store_grantor.h"
#include "hygied/store_plan.h"
#include "hygied/store_trial.h"

enum login_stage {
	LOGIN_CHOOSING = 1, /* no card yet */
	LOGIN_ASKING_WHO,
	LOGIN_ASKING_CARD, /* or a password instead */
	LOGIN_PROBING,     /* is the reader free? */
	LOGIN_ASKING_PIN,
	LOGIN_QUEUED,  /* PIN there, card not ready */
	LOGIN_PROVING, /* PIN on its way */
	LOGIN_OPENING, /* proven; its stores are being opened */
	LOGIN_FINISHED,
};

/* The prompt of a PIN change or unblocking that is open. */
enum login_pin_step {
	LOGIN_PIN_OLD, /* the PIN that holds, or the PUK; of a login, the PIN */
	LOGIN_PIN_NEW,
	LOGIN_PIN_AGAIN,
};

struct login {
	struct hygied *hygied;
	struct peer *peer;
	bool enrolment, reassign, pretyped, or_password;
	enum token_operation pin_operation; /* 0: a login or an enrolment */
	bool check;    /* asks only whether the PIN could be changed */
	bool any_card; /* root's, with nobody's name */
	char user[HYGIE_USER_MAX];
	char service[HYGIE_SERVICE_MAX];
	char reader[READER_NAME_MAX];
	enum login_stage stage;
	struct card *card; /* borrowed; NULL once it left */
	uint8_t key_id[HYGIE_KEY_ID_SIZE];
	struct secret *pin;     /* owned, while queued; of an unblocking, the PUK */
	struct secret *new_pin; /* owned, likewise */
	enum login_pin_step pin_step;
	bool pin_missed; /* a new PIN that would not do: it is asked for once more only */
	bool sent;       /* to the card, of a change of the PIN */
	bool reread;     /* the card was blocked, and was read anew once */
	struct login *next_queued;
	struct reset *probe;
	struct store_trial *trial; /* of an enrolment */
	struct store_plan *plan;   /* what a login opens besides; NULL: nothing */
	size_t left_out;           /* of its stores, so that the login came in time */
	bool store_open;           /* asks for the stores alone, in a session */
	char store[STORE_NAME_MAX + 1];  /* for the one; "" for all */
	bool reencrypt;                  /* asks for that one to be reencrypted */
	struct store_grantor *grantor;   /* whose card does it; owned */
	bool secret_show;                /* asks for the login secret alone */
	struct secret_plan *secret_plan; /* NULL: nobody is given it */
	struct secret *secret;           /* owned, from the card until it is sent */
	sd_event_source *timer;
	uint64_t started, card_deadline, reading_deadline;
	uint64_t deadline; /* after the PIN */
	unsigned prompts;
	bool reading, told_insert, told_last;
};

/* Tells an administrator who is on the card before he asks for its PIN. */
void login_result_describe_card(const struct login *login);

/*
 * Ends the dialogue. HYGIE_OK is only a claim that the card has proven itself: the
 * enrolment is looked up once more (or made), and may turn it into a refusal.
 */
void login_result_send(struct login *login, enum hygie_outcome outcome, const char *text);

/*
 * The client went away before there was a result, or ended it: that, too, is for the auditor
 * to see.
 */
void login_result_abandon(const struct login *login);

/* Forgets the PINs. */
void login_forget_pins(struct login *login);
