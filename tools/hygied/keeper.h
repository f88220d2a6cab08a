/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hygied's end of a store's keeper (hygie-store@NAME.service): starts the unit, connects
 * to it, gives orders and hears reports. Nothing here decides and nothing waits: all that
 * happens comes as events of the loop.
 */
#pragma once

#include "libhygie/attributes.h"
#include "libhygie/protocol.h"
#include "libhygie/secret.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#define KEEPER_FOLDER "/run/hygie/store"

struct keeper;

enum keeper_event_kind {
	KEEPER_CONNECTED = 1, /* orders may be given */
	KEEPER_ABSENT, /* the unit does not start, or there is no systemd; then freed by you */
	KEEPER_GONE,    /* it ended, or the connection broke: free it */
	KEEPER_IS_DONE, /* of INIT, NOTE */
	KEEPER_FAILED,
	KEEPER_OPENED,
	KEEPER_BUSY,
	KEEPER_CLOSED,
	KEEPER_STATE,  /* the answer to keeper_ask */
	KEEPER_IDLE,   /* nobody used it for the idle time */
	KEEPER_FORCED, /* the limit is over: these were told to end */
};

/* A program that keeps the store from being closed. */
struct keeper_holder {
	pid_t pid;
	uid_t uid;
	char program[64];
	char file[HYGIE_PATH_MAX]; /* printable */
};

struct keeper_event {
	enum keeper_event_kind kind;
	enum keeper_failure failure; /* of FAILED; of CLOSED: KEEPER_DIED, or 0 */
	char text[HYGIE_TEXT_MAX];   /* of FAILED, ABSENT: English detail, for the log */
	/* of STATE */
	char state[16]; /* KEEPER_STATE_... */
	uint64_t since; /* seconds since 1970, when open */
	const uint8_t *note;
	size_t note_size;
	/* of BUSY and STATE */
	struct keeper_holder holders[HYGIE_HOLDERS_TOLD];
	size_t holder_count;
};

/*
 * Comes from the loop, never from within a function here. It may call keeper_free; the
 * event ends with the call.
 */
typedef void (*keeper_callback)(void *context, const struct keeper_event *event);

/* Where a store's files lie. */
struct keeper_place {
	enum backend backend; /* 0: gocryptfs */
	const char *cipher;   /* folder */
	const char *mount;    /* mount point */
	gid_t group;          /* for INIT: who may walk in */
	bool read_only;       /* for OPEN: nobody can write in it */
};

/*
 * Has systemd start hygie-store@NAME.service (or finds it running) and connects. Then
 * CONNECTED comes, or ABSENT. The caller owns the result.
 */
int keeper_start(sd_event *loop, const char *name, keeper_callback callback,
		 void *context, struct keeper **ret_keeper) must_check;

/* Connects to one that runs, and starts none: -ENOENT, -ECONNREFUSED when none does. */
int keeper_attach(sd_event *loop, const char *name, keeper_callback callback,
		  void *context, struct keeper **ret_keeper) must_check;

/* Whether that error of keeper_attach() says that no keeper runs; else one may, and live. */
bool keeper_is_gone(int error);

/* Lets the connection go; an open store remains open. Takes NULL. */
void keeper_free(struct keeper *keeper);

/*
 * Orders. 0 when sent: the answer comes as an event. -ENOTCONN before CONNECTED; another
 * negative errno, after which the keeper is of no more use. The secret is copied into the
 * message, which is wiped once it is sent.
 */
int keeper_init(struct keeper *keeper, const struct keeper_place *place,
		const struct secret *secret) must_check;
/* `idle`: seconds without use until IDLE; 0: never. */
int keeper_open(struct keeper *keeper, const struct keeper_place *place, uint32_t idle,
		const struct secret *secret, const void *note, size_t size) must_check;
int keeper_note(struct keeper *keeper, const void *note, size_t size) must_check;
int keeper_ask(struct keeper *keeper) must_check;
/* `limit`: milliseconds that it may be busy; 0: as long as it is. */
int keeper_close(struct keeper *keeper, unsigned limit) must_check;

/* Calls back with the name of each store whose keeper has a socket, sides (.NAME.new) not. 0 or negative errno. */
int keepers_each(void (*each)(void *context, const char *name), void *context) must_check;
