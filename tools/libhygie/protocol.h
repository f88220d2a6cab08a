/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is said over the wire: message types, field tags, and the table of who may say
 * what when. Two conversations have this one shape:
 *
 *	client  -> hygied	REQUEST_*, then ANSWER to each prompt, or CANCEL
 *	hygied  -> client	{ INFO | WARNING | PROMPT | PROGRESS | ITEM }*, then RESULT
 *
 *	hygied  -> hygie-token	ORDER_START, later at most one ORDER_LOGIN or ORDER_PIN
 *	hygie-token -> hygied	REPORT_TOKEN, REPORT_CERTIFICATE*, REPORT_READY; REPORT_DONE;
 *				or REPORT_FAILED at any point
 *
 *	hygied  -> hygie-store	KEEPER_INIT, _OPEN, _NOTE, _STATUS, _CLOSE
 *	hygie-store -> hygied	an answer to each; OPENED, BUSY, CLOSED also unasked, to
 *				everybody who is connected
 *
 * One request per connection. The protocol is private to one version of Hygie.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define HYGIE_SOCKET_PATH "/run/hygie/hygied.sock"

/* Limits of what a peer may say, in bytes with the terminator. */
#define HYGIE_USER_MAX 256   /* a login name */
#define HYGIE_SERVICE_MAX 64 /* a PAM service */
#define HYGIE_TEXT_MAX 512   /* PAM_MAX_MSG_SIZE */
#define HYGIE_TICKET_MAX 65  /* 32 random bytes in hex */
#define HYGIE_SESSION_MAX 64 /* a logind session id */
#define HYGIE_PIN_MAX 64     /* bytes of a PIN, without terminator */
#define HYGIE_KEY_ID_SIZE 32 /* SHA-256 of a SubjectPublicKeyInfo */
#define HYGIE_CERTIFICATES_MAX 16
#define HYGIE_NOTE_MAX 4096   /* bytes that hygied leaves with a store's keeper */
#define HYGIE_PATH_MAX 256    /* a folder of a store */
#define HYGIE_HOLDERS_TOLD 16 /* programs that keep a store busy; more are not told */

enum wire_type {
	WIRE_REQUEST_AUTHENTICATE = 0x0101,
	WIRE_REQUEST_OPEN_SESSION = 0x0102,
	WIRE_REQUEST_CLOSE_SESSION = 0x0103,
	WIRE_REQUEST_STATUS = 0x0104, /* readers and cards that are in, as ITEMs */
	WIRE_REQUEST_CARDS = 0x0105,  /* enrolments, as ITEMs */
	WIRE_REQUEST_ENROL = 0x0106,
	WIRE_REQUEST_REVOKE = 0x0107,
	WIRE_REQUEST_WATCH = 0x0108, /* what STATUS tells, anew at each change */
	WIRE_REQUEST_LOCK = 0x0109,  /* sessions: the peer's own, or TAG_USER's */
	WIRE_REQUEST_PIN_CHANGE = 0x0110,
	WIRE_REQUEST_PIN_UNBLOCK = 0x0111,
	/* Record stores, root alone; 0x0130 to 0x013F open and close them. */
	WIRE_REQUEST_STORE_CREATE = 0x0120,
	WIRE_REQUEST_STORE_ADD = 0x0121,
	WIRE_REQUEST_STORE_REMOVE = 0x0122,
	WIRE_REQUEST_STORE_ROTATE = 0x0123,
	WIRE_REQUEST_STORE_RECOVER = 0x0124,
	WIRE_REQUEST_STORE_CHECK = 0x0125,    /* as ITEMs: stores, holders, findings */
	WIRE_REQUEST_STORE_RECOVERY = 0x0126, /* a new recovery key */
	WIRE_REQUEST_STORE_IMPORT = 0x0127,   /* its files lie in their stage */
	WIRE_REQUEST_STORE_REENCRYPT = 0x0128,
	WIRE_REQUEST_STORE_OPEN =
		0x0130, /* a login that opens stores: TAG_STORE, or all */
	WIRE_REQUEST_STORE_CLOSE = 0x0131, /* TAG_STORE, or all */
	WIRE_REQUEST_STORE_STATUS = 0x0132,
	/* Login secrets: root makes and puts aside; each sees his own. */
	WIRE_REQUEST_SECRET_ENABLE = 0x0140,
	WIRE_REQUEST_SECRET_DISABLE = 0x0141,
	WIRE_REQUEST_SECRET_LIST = 0x0142, /* as ITEMs: secrets, and their cards */
	WIRE_REQUEST_SECRET_SHOW = 0x0143, /* a login whose result is the secret */
	WIRE_ANSWER = 0x0180,
	/* TAG_OUTCOME: HYGIE_PIN_MALFORMED where what was typed is too long to be sent. */
	WIRE_CANCEL = 0x0181,

	WIRE_INFO = 0x0201,
	WIRE_WARNING = 0x0202,
	WIRE_PROMPT = 0x0203,
	WIRE_PROGRESS = 0x0204, /* like INFO, for terminals only: PAM shows none */
	WIRE_ITEM = 0x0205,     /* one record of a list */
	WIRE_RESULT = 0x02FF,

	WIRE_ORDER_START = 0x0301,
	WIRE_ORDER_LOGIN = 0x0302,
	WIRE_ORDER_PIN = 0x0303, /* change the PIN, or set it by the PUK */
	WIRE_REPORT_TOKEN = 0x0401,
	WIRE_REPORT_CERTIFICATE = 0x0402,
	WIRE_REPORT_READY = 0x0403,
	WIRE_REPORT_DONE = 0x0404,
	WIRE_REPORT_FAILED = 0x0405,

	WIRE_KEEPER_INIT =
		0x0501, /* TAG_CIPHER, TAG_MOUNT, TAG_GROUP_ID, TAG_SECRET, TAG_BACKEND */
	WIRE_KEEPER_OPEN =
		0x0502, /* TAG_CIPHER, TAG_MOUNT, TAG_SECRET, TAG_NOTE, TAG_IDLE,
			 * TAG_FIXED, TAG_BACKEND */
	WIRE_KEEPER_NOTE = 0x0503,   /* TAG_NOTE */
	WIRE_KEEPER_STATUS = 0x0504, /* answered by STATE */
	WIRE_KEEPER_CLOSE =
		0x0505, /* TAG_LIMIT; answered by CLOSED or BUSY, then CLOSED */
	WIRE_KEEPER_DONE = 0x0601, /* of INIT, NOTE */
	WIRE_KEEPER_FAILED =
		0x0602, /* TAG_FAILURE; TAG_TEXT for the log. KEEPER_NO_ENCRYPTION:
			 * TAG_FILE, the device, and TAG_KIND, its file system */
	WIRE_KEEPER_OPENED = 0x0603,
	WIRE_KEEPER_BUSY = 0x0604,   /* a group of TAG_PROCESS for each program */
	WIRE_KEEPER_CLOSED = 0x0605, /* TAG_FAILURE: KEEPER_DIED, where nobody asked */
	WIRE_KEEPER_IDLE = 0x0607,   /* nobody used it for that long */
	WIRE_KEEPER_FORCED =
		0x0608, /* the limit is over: groups as BUSY were told to end */
	WIRE_KEEPER_STATE = 0x0606, /* TAG_STATE, TAG_NOTE, TAG_SINCE; groups as BUSY */
};

enum wire_tag {
	/* any conversation */
	TAG_OUTCOME = 1,       /* u32, enum hygie_outcome */
	TAG_TEXT = 2,          /* string, English, for a person */
	TAG_TEXT_ID = 3,       /* u32, enum hygie_text: for translation */
	TAG_TEXT_ARGUMENT = 4, /* string, repeated, in order */
	TAG_FLAGS = 5,         /* u32, meaning by message, below */

	/* client and hygied */
	TAG_USER = 0x10,        /* string; absent: the card says who */
	TAG_SERVICE = 0x11,     /* string, PAM service */
	TAG_TTY = 0x12,         /* string */
	TAG_REMOTE_HOST = 0x13, /* string */
	TAG_ECHO = 0x14,        /* u32, 1: the prompt's answer may be shown */
	TAG_ANSWER = 0x15,      /* secret bytes, at most HYGIE_PIN_MAX when no echo */
	TAG_TICKET = 0x16,      /* string */
	TAG_SESSION = 0x17,     /* string, logind session id */
	TAG_NOT_AFTER = 0x18,   /* u64, seconds since 1970 */
	TAG_HOLDER = 0x19,      /* string, printable */
	TAG_READER = 0x1A,      /* string, printable */
	TAG_STATE = 0x1B,       /* string, a word */
	TAG_SCHEME = 0x1C,      /* string */
	TAG_PERSON_ID = 0x1D,   /* string, printable */
	TAG_CARD_ID = 0x1E,     /* string: hex of the key id's first 8 bytes, or all 32 */
	TAG_ISSUER = 0x1F,      /* string, printable */
	TAG_ENROLLED_BY = 0x20, /* string */
	TAG_ENROLLED_AT = 0x21, /* u64, seconds since 1970 */
	TAG_TRUST = 0x22,       /* string: "ok" or why not */
	TAG_EXCLUSIVE = 0x23,   /* u32, 1: nobody else can use the card during a login */
	TAG_KIND = 0x24,  /* string: what an ITEM is: "service", "reader", "enrolment",
			     "session"; "end" of what WATCH tells at a time */
	TAG_TRIES = 0x25, /* string: "ok", "low", "last", "blocked" */
	TAG_VALUE = 0x26, /* string, what a "service" ITEM says */
	TAG_NAME = 0x27,  /* string, what a "service" ITEM is about */
	TAG_REVOKED_AT = 0x28,   /* u64, seconds since 1970 */
	TAG_BOUND_AT = 0x2F,     /* u64, seconds since 1970 */
	TAG_PHASE = 0x30,        /* string: removal_word(), of a "session" ITEM */
	TAG_REMOVAL = 0x31,      /* string: what follows when its card is out, a word */
	TAG_CARD_IN = 0x32,      /* u32, 1: its card is in */
	TAG_LOCKED = 0x33,       /* u32, 1: it was seen to be locked */
	TAG_LEFT = 0x34,         /* u32, milliseconds of the grace that are left */
	TAG_LOGIN_SECRET = 0x35, /* secret bytes, of RESULT: to root's logins, and SHOW */

	/* hygied and hygie-token */
	TAG_MODULE = 0x40,       /* string, absolute path */
	TAG_READER_NAME = 0x41,  /* string, as pcscd says it; absent for tokens by URI */
	TAG_OTHER_READER = 0x42, /* string, repeated */
	TAG_DRIVER = 0x43,       /* string, OpenSC card driver; absent: not OpenSC */
	TAG_TOKEN_URI = 0x44,    /* string, RFC 7512, for tokens without a reader */
	TAG_PATH_RW = 0x45,      /* string, repeated: folders the module may write */
	TAG_ENVIRONMENT = 0x46,  /* string NAME=value, repeated */
	TAG_PIN_MIN = 0x47,      /* u32, bytes */
	TAG_PIN_MAX = 0x48,      /* u32, bytes */
	TAG_PIN_CHARSET = 0x49,  /* string: "digits", "alphanumeric", "any" */
	TAG_USER_ID = 0x4A,      /* u32, uid to become */
	TAG_GROUP_ID = 0x4B,     /* u32, gid to become */
	TAG_PIN = 0x4C,          /* secret bytes; absent: pin-pad */
	TAG_OPERATION = 0x4D,    /* u32, enum token_operation: begins a group of fields */
	TAG_OBJECT_ID = 0x4E,    /* bytes, CKA_ID, at most 64 */
	TAG_DATA = 0x4F,         /* bytes: to sign, to decrypt; or the answer, in order */
	TAG_SIGNATURE_SCHEME = 0x50, /* u32, enum signature_scheme */
	TAG_CERTIFICATE = 0x51,      /* bytes, DER */
	TAG_LABEL = 0x52,            /* string, printable */
	TAG_TOKEN_SERIAL = 0x53,     /* string, printable */
	TAG_TOKEN_MODEL = 0x54,      /* string, printable */
	TAG_TOKEN_MAKER = 0x55,      /* string, printable */
	TAG_TOKEN_FLAGS = 0x56,      /* u32, enum token_flag */
	TAG_CERTIFICATE_TEXT = 0x57, /* bytes to hygie: DER of an ITEM, for --json */
	TAG_OAEP_HASH = 0x58,        /* u32: 1 or 256, for RSA-OAEP decryption */
	TAG_SECRET = 0x59,     /* secret bytes, decrypted, in order of the operations */
	TAG_NEW_PIN = 0x5A,    /* secret bytes; absent: pin-pad */
	TAG_UNBLOCK_BY = 0x5B, /* u32, enum token_unblock, with TOKEN_PIN_UNBLOCK */
	TAG_NO_PIN_PAD = 0x5C, /* u32, not 0: the reader's keys are not used */
	TAG_BEGIN_BY = 0x5D,   /* u64, us of CLOCK_MONOTONIC: no decryption before a
			       * signature begins later */
	TAG_ASK_AGAIN = 0x5E,  /* u32, not 0: a pin-pad may ask again for a decryption */
	TAG_LEFT_OUT = 0x5F,   /* u32: how many decryptions were not tried */

	/* rights of stores, client and hygied */
	TAG_WRAP = 0x60,       /* string: store_wrap_word() */
	TAG_GROUP = 0x61,      /* string, whose members walk in */
	TAG_UNTIL = 0x62,      /* string, YYYY-MM-DD: the last day of a right */
	TAG_GRANTS = 0x63,     /* u32, 1: carries out what is pending */
	TAG_GENERATION = 0x64, /* u64, of the envelope */
	TAG_MEMBER = 0x65,     /* string, repeated: a user who becomes a holder */
	TAG_LOCKED_KEY = 0x66, /* bytes, recovery.der */

	/* hygied and hygie-store, and what is told of stores */
	TAG_STORE = 0x70,  /* string, a store's name */
	TAG_CIPHER = 0x71, /* string, folder of the encrypted files */
	TAG_MOUNT = 0x72,  /* string, folder where they are seen */
	TAG_NOTE = 0x73,   /* bytes, at most HYGIE_NOTE_MAX: hygied's own */
	TAG_SINCE = 0x74,  /* u64, seconds since 1970 */
	TAG_PROCESS =
		0x75, /* u32, pid: begins a group with TAG_USER_ID, TAG_NAME, TAG_FILE */
	TAG_FILE = 0x76,    /* string, printable */
	TAG_FAILURE = 0x77, /* u32, enum keeper_failure */
	TAG_COUNT = 0x78,   /* u32: how many sessions hold a store open */
	TAG_IDLE = 0x79,    /* u32, ms without use until IDLE is told; 0: never */
	TAG_LIMIT = 0x7A,   /* u32, ms that a closing may last; 0: any time */
	TAG_FIXED = 0x7B,   /* u32, not 0: nobody can write in it */
	TAG_BACKEND = 0x7C, /* string, backend_word(); absent: gocryptfs */
};

/* Why a store's keeper did not do what it was told. */
enum keeper_failure {
	KEEPER_FAULT = 0,    /* of the machine or ours; the log says more */
	KEEPER_WRONG_SECRET, /* it does not open this store */
	KEEPER_BAD_CIPHER,   /* the folder of the encrypted files is missing or unfit */
	KEEPER_BAD_MOUNT,    /* so is the mount point, or it is not empty */
	KEEPER_SLOW,         /* gocryptfs did not answer in time */
	KEEPER_WRONG_TIME,   /* not in this state: opening, closing, not open */
	KEEPER_DIED,         /* gocryptfs ended, and nobody had asked for it */
	KEEPER_MISSING,      /* gocryptfs is not installed */
	KEEPER_LIMIT,        /* gocryptfs was ended: it was busy beyond the limit */
	/* fscrypt: the file system of the encrypted folder cannot encrypt, or is not to yet */
	KEEPER_NO_ENCRYPTION,
	/* As KEEPER_LIMIT. fscrypt: the key is gone, but files that programs had open then
	 * stay readable to them until they close them */
	KEEPER_LIMIT_HELD,
};

/* What encrypts a store. The zero is none. */
enum backend {
	BACKEND_GOCRYPTFS = 1,
	BACKEND_FSCRYPT, /* the file system itself: ext4, f2fs */
};

/* TAG_STATE of KEEPER_STATE. */
#define KEEPER_STATE_SHUT "shut"
#define KEEPER_STATE_OPENING "opening"
#define KEEPER_STATE_OPEN "open"
#define KEEPER_STATE_CLOSING "closing" /* asked to, and busy */

/* TAG_FLAGS of a request. */
enum request_flag {
	REQUEST_REASSIGN = 1u << 1, /* enrol a card that is another user's */
	REQUEST_SILENT = 1u << 2,   /* PAM_SILENT: no INFO, no WARNING */
	REQUEST_CHECK = 1u << 3,    /* PIN_CHANGE: only say whether it could be */
	REQUEST_LOCKER = 1u << 4,   /* WATCH: by the program that locks its session */
	REQUEST_ALL = 1u << 5,      /* LOCK: everybody's sessions */
	REQUEST_NO_GRANT = 1u << 6, /* STORE_ADD: his openings carry out nothing */
	REQUEST_NEW = 1u << 7,      /* SECRET_ENABLE: another secret, whatever is there */
	REQUEST_ABANDON = 1u << 8,  /* STORE_REENCRYPT: the new copy goes */
	REQUEST_DISCARD = 1u << 9,  /* STORE_REENCRYPT: the old copy goes */
	REQUEST_CARD = 1u << 10,    /* STORE_REENCRYPT: a holder's card opens the store */
};

/* TAG_FLAGS of WIRE_PROMPT. */
enum prompt_flag {
	PROMPT_ECHO = 1u << 0, /* the answer may be shown, as TAG_ECHO says too */
	/* What cannot be a PIN is a password, which other PAM modules may take. */
	PROMPT_OR_PASSWORD = 1u << 1,
};

/* TAG_FLAGS of WIRE_RESULT. */
enum result_flag {
	RESULT_PIN_MUST_CHANGE = 1u << 0,
};

enum token_operation {
	TOKEN_SIGN = 1, /* TAG_OBJECT_ID, TAG_DATA: the bytes, not a digest */
	TOKEN_DECRYPT =
		2, /* TAG_OBJECT_ID, TAG_DATA, TAG_OAEP_HASH (absent: PKCS#1 v1.5) */
	/* of ORDER_PIN, where TAG_PIN is: */
	TOKEN_PIN_CHANGE = 3,  /* the PIN that holds now */
	TOKEN_PIN_UNBLOCK = 4, /* the PUK */
	/* of ORDER_LOGIN again: TAG_OBJECT_ID, TAG_DATA: a point; ECDH, its x coordinate */
	TOKEN_DERIVE = 5,
};

/* How the module takes a PUK. The zero is: not at all. */
enum token_unblock {
	UNBLOCK_BY_SET_PIN = 1, /* C_SetPIN without a login; as OpenSC is set up here */
	UNBLOCK_BY_OFFICER = 2, /* C_Login as security officer, C_InitPIN */
	UNBLOCK_BY_PREFIX = 3,  /* C_SetPIN with "puk:" and "pin:" before them: ykcs11 */
};

/* How a signature was made, as hygied must verify it. Raw r || s for ECDSA. */
enum signature_scheme {
	SIGNATURE_NONE = 0,
	SIGNATURE_RSA_PKCS1_SHA256 = 1,
	SIGNATURE_RSA_PSS_SHA256 = 2, /* MGF1 SHA-256, 32 bytes of salt */
	SIGNATURE_ECDSA_SHA256 = 3,
	SIGNATURE_ECDSA_SHA384 = 4,
};

/* What the token says of itself and its PIN (PKCS#11 v3.1, CK_TOKEN_INFO flags). */
enum token_flag {
	TOKEN_PIN_COUNT_LOW = 1u << 0,
	TOKEN_PIN_FINAL_TRY = 1u << 1,
	TOKEN_PIN_LOCKED = 1u << 2,
	TOKEN_PIN_TO_BE_CHANGED = 1u << 3,
	TOKEN_PIN_NOT_INITIALIZED = 1u << 4,
	TOKEN_PIN_PAD = 1u << 5,
	TOKEN_LOGIN_NOT_REQUIRED = 1u << 6,
};

/* Who is speaking, and what has been said so far. */
enum protocol_state {
	PROTOCOL_CLIENT_NEW,     /* hygied waits for a request */
	PROTOCOL_CLIENT_RUNNING, /* a request runs, no prompt is open */
	PROTOCOL_CLIENT_ASKED,   /* a prompt is open */
	PROTOCOL_SERVER,         /* a client reads what hygied says */
	PROTOCOL_TOKEN_NEW,      /* hygie-token waits for ORDER_START */
	PROTOCOL_TOKEN_READY,    /* hygie-token waits for ORDER_LOGIN */
	PROTOCOL_TOKEN_WARMING,  /* hygied waits for what ORDER_START finds */
	PROTOCOL_TOKEN_WORKING,  /* hygied waits for what ORDER_LOGIN does */
	PROTOCOL_KEEPER,         /* hygie-store waits for orders */
	PROTOCOL_KEEPER_REPORTS, /* hygied waits for what hygie-store says */
};

/* Whether a message of `type` may come in `state`; what is not in the table may not. */
bool protocol_allows(enum protocol_state state, uint16_t type);

/* "gocryptfs" or "fscrypt", as TAG_BACKEND and store.ini have it; NULL for none. */
const char *backend_word(enum backend backend);
/* The other way round; 0 for another word. */
enum backend backend_from_word(const char *word);
