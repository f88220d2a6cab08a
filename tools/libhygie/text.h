/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sentences that a dialogue shows besides outcomes: prompts, notes, warnings. hygied
 * sends the number, the arguments and the English text, so that a client can translate.
 */
#pragma once

#include <stddef.h>

/* Numbers go over the wire: append. {1}, {2} stand for the arguments. */
enum hygie_text {
	TEXT_NONE = 0,
	TEXT_INSERT_CARD,        /* no argument */
	TEXT_INSERT_CARD_OF,     /* user */
	TEXT_READING_CARD,       /* no argument */
	TEXT_PIN_PROMPT,         /* holder */
	TEXT_PIN_PROMPT_LAST,    /* holder */
	TEXT_PIN_PAD,            /* holder */
	TEXT_PIN_LOW,            /* no argument */
	TEXT_PIN_LAST,           /* no argument */
	TEXT_WHOSE_CARD,         /* users, comma-separated */
	TEXT_ENROL_CARD,         /* holder, scheme and person id, issuer, user */
	TEXT_TEST_CARD,          /* no argument */
	TEXT_CERTIFICATE_ENDS,   /* date */
	TEXT_WAITING_TURN,       /* no argument */
	TEXT_PIN_OR_PASSWORD,    /* holder */
	TEXT_CARD_OR_PASSWORD,   /* user */
	TEXT_CARDS_REVOKED,      /* how many */
	TEXT_PIN_CURRENT,        /* holder */
	TEXT_PIN_CURRENT_LAST,   /* holder */
	TEXT_PUK_PROMPT,         /* holder */
	TEXT_PIN_NEW,            /* holder */
	TEXT_PIN_NEW_AGAIN,      /* holder */
	TEXT_PIN_CARD,           /* holder, reader */
	TEXT_PIN_NEW_DIGITS,     /* how many: "6-8", "4" */
	TEXT_PIN_NEW_LETTERS,    /* how many */
	TEXT_PIN_NEW_ANY,        /* how many */
	TEXT_PINS_DIFFER,        /* no argument */
	TEXT_PIN_NEW_UNFIT,      /* no argument */
	TEXT_PIN_PAD_CHANGE,     /* holder */
	TEXT_PIN_PAD_UNBLOCK,    /* holder */
	TEXT_PIN_CHANGED,        /* no argument */
	TEXT_PIN_UNBLOCKED,      /* no argument */
	TEXT_PIN_UNCERTAIN,      /* no argument */
	TEXT_SESSIONS_LOCKED,    /* how many */
	TEXT_OTHER_CARD,         /* user */
	TEXT_PIN_PROMPT_LOW,     /* holder */
	TEXT_PIN_PROMPT_WRONG,   /* holder */
	TEXT_PIN_PROMPT_UNFIT,   /* holder */
	TEXT_NO_STORE_KEY,       /* no argument */
	TEXT_STORE_LEFT_OUT,     /* no argument */
	TEXT_STORE_UNKNOWN,      /* store */
	TEXT_STORE_BROKEN,       /* English detail */
	TEXT_STORE_NO_KEY,       /* user */
	TEXT_STORE_ADDED,        /* user */
	TEXT_STORE_NO_HOLDER,    /* user */
	TEXT_STORE_LEAVING,      /* user */
	TEXT_STORE_ROTATES,      /* store */
	TEXT_STORE_FIRST_GROUP,  /* no argument */
	TEXT_STORE_OTHER_GROUP,  /* no argument */
	TEXT_STORE_CREATED,      /* mount point */
	TEXT_STORE_PASSPHRASE,   /* store */
	TEXT_STORE_MISTYPED,     /* no argument */
	TEXT_STORE_RECOVERED,    /* rights granted, rights taken away */
	TEXT_STORE_CARD_LEAVES,  /* store */
	TEXT_STORE_IMPORTED,     /* mount point */
	TEXT_STORE_CARD_STAYS,   /* store */
	TEXT_SECRET_SHUT,        /* no argument */
	TEXT_SECRET_NAME,        /* user */
	TEXT_SECRET_IS_ENABLED,  /* user */
	TEXT_SECRET_MADE,        /* user */
	TEXT_SECRET_BACK,        /* user */
	TEXT_SECRET_RENEWED,     /* user */
	TEXT_SECRET_OTHER_CARDS, /* user */
	TEXT_SECRET_NONE,        /* user */
	TEXT_SECRET_ASIDE,       /* user */
	TEXT_SECRET_NEXT,        /* user */
	TEXT_SECRET_BROKEN,      /* English detail */
	TEXT_STORE_IN_WORK,      /* store */
	TEXT_STORE_COPY,         /* store: the client is to copy its records */
	TEXT_STORE_CLEAR,        /* store: the client is to remove a copy */
	TEXT_STORE_REENCRYPTED,  /* store */
	TEXT_STORE_STAYS_SHUT,   /* store */
	TEXT_STORE_IS_OPEN,      /* users, comma-separated */
	TEXT_STORE_RIGHT_LET_GO, /* user */
	TEXT_STORE_KEY_LET_GO,   /* store */
	TEXT_STORE_SEAL_LET_GO,  /* store */
	TEXT_STORE_CARD_OPENS,   /* store */
	TEXT_COUNT
};

#define TEXT_ARGUMENTS_MAX 4
#define TEXT_ARGUMENT_SIZE 256 /* bytes of one, with its terminator; more is cut */

/* Marks a sentence for translation (tools/po/README.md) and leaves it as it is. */
#define N_(english) english

struct text_arguments {
	size_t count;
	char text[TEXT_ARGUMENTS_MAX][TEXT_ARGUMENT_SIZE];
};

/* The English template; "" for a number that is not known. */
const char *text_template(enum hygie_text text);

/*
 * Fills {1}..{4} of `template` with `arguments`, into `ret_text` of `size` bytes with its
 * terminator; what does not fit is cut at a character's edge.
 */
void text_render(const char *template, const char *const arguments[], size_t count,
		 char *ret_text, size_t size);
