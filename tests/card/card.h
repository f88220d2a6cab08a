/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A PIV card (NIST SP 800-73-4 part 2) as a state machine: command APDU in, answer out.
 * It knows no reader, no time and no faults; those are in reader.h and faults.h. The
 * struct is open, for the control socket shows and turns every screw of it.
 */
#pragma once

#include "card/apdu.h"
#include "card/piv_data.h"

#include <stdbool.h>

enum applet {
	APPLET_NONE, /* after a reset */
	APPLET_PIV,
	APPLET_OTHER, /* a stranger's: A0 00 00 00 01 02 03 */
};

/* What the answer to GENERAL AUTHENTICATE contains instead of the truth. */
enum sig_mode {
	SIG_NORMAL,
	SIG_EMPTY, /* nothing */
	SIG_SHORT, /* its first half */
	SIG_ZERO,  /* zeroes of the same length */
	SIG_OTHER, /* a good signature, but of another challenge */
};

/* How long the PIN stays good for 9C. */
enum pin_always {
	PIN_ALWAYS_NORMAL, /* until any private key was used: as cards do */
	PIN_ALWAYS_STRICT, /* until any other command whatever */
};

struct card {
	struct piv_data data;
	enum applet selected;
	bool verified;
	bool fresh; /* verified for 9C: VERIFY came after the last use of a key */
	unsigned tries;
	unsigned puk_tries;
	bool yubico; /* answers Yubico's own commands */
	/*
	 * SP 800-73-4 part 2, 3.1.1: selecting the PIV application anew leaves the
	 * security status as it is, which is what this card does. A YubiKey drops it: so
	 * does this one as a YubiKey, or when told so.
	 */
	bool reselect_drops_pin;
	enum pin_always pin_always;
	enum sig_mode sig_mode;
	bool replay;
	unsigned refuse_new; /* the status word for a new PIN that it does not like; 0 */
	struct bytes recorded; /* the last answer to GENERAL AUTHENTICATE */
	struct apdu_chain chain;
	/* Counted since card_reset_counts. */
	unsigned verifies;       /* VERIFY with a PIN, at any applet */
	unsigned empty_verifies; /* VERIFY asking for the state */
	unsigned misdirected;    /* VERIFY with a PIN while PIV was not selected */
	unsigned signatures;     /* private key operations done */
};

void card_free(struct card *card);

/* Takes over the content, as a new card would bring it: full counters, nothing verified.
 */
void card_take_data(struct card *card, struct piv_data *data);

/* Reset or power: nothing selected, nothing verified; counters of tries stay. */
void card_reset(struct card *card);

/* Performs one command APDU and appends data and status word to `ret_answer`. */
void card_command(struct card *card, const uint8_t *raw, size_t len,
		  struct bytes *ret_answer);

void card_reset_counts(struct card *card);

/* "none", "piv", "other". */
const char *applet_name(enum applet applet);
