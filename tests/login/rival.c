/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rudest rival a card can have: it speaks pcscd's own protocol (version 4.4, as
 * pcsc-lite 1.9 has it), so that none of the client library's waiting stands between two
 * attempts. Each of its threads is a connection that repeats one thing for ever:
 *
 *   transmit  sends the APDU, in no transaction
 *   begin     takes the transaction, sends the APDU, gives it back
 *   reset     resets the card (SCardReconnect)
 *   drop      connects, and disconnects with a reset (SCardDisconnect)
 *
 *   login-rival READER THREADS MODE [APDU in hexadecimal]
 *
 * It says "ready" when all are connected. On each line of its input it prints how often
 * the card did what the APDU asked (9000 with data), refused, and how often pcscd did: "7
 * 12 900". It ends with its input. It is no client to learn from.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PCSCD_SOCKET "/run/pcscd/pcscd.comm"
#define READER_SIZE 128
#define APDU_SIZE 512
#define ANSWER_SIZE 65544
#define THREADS_MAX 150 /* pcscd takes 200 clients */

#define SHARING_VIOLATION 0x8010000bu
#define RESET_CARD_WARNING 0x80100068u
#define SHARE_SHARED 2
#define ANY_PROTOCOL 3
#define LEAVE 0
#define RESET 1

enum command {
	ESTABLISH_CONTEXT = 1,
	CONNECT = 4,
	RECONNECT = 5,
	DISCONNECT = 6,
	BEGIN_TRANSACTION = 7,
	END_TRANSACTION = 8,
	TRANSMIT = 9,
	VERSION = 0x11,
};

struct header {
	uint32_t size, command;
};

struct version {
	int32_t major, minor;
	uint32_t rv;
};

struct establish {
	uint32_t scope, context, rv;
};

struct connect {
	uint32_t context;
	char reader[READER_SIZE];
	uint32_t share, protocols;
	int32_t card;
	uint32_t protocol, rv;
};

struct reconnect {
	int32_t card;
	uint32_t share, protocols, action, protocol, rv;
};

struct transaction {
	int32_t card;
	uint32_t rv;
};

struct disposition { /* of ending a transaction or a connection */
	int32_t card;
	uint32_t action, rv;
};

struct transmit {
	int32_t card;
	uint32_t send_protocol, send_size, size;
	uint32_t receive_protocol, receive_size, answer_size, rv;
};

struct rival {
	int fd;
	uint32_t context, protocol;
	int32_t card;
};

static struct {
	const char *reader, *mode;
	uint8_t apdu[APDU_SIZE];
	uint32_t apdu_size;
	atomic_int ready;
	atomic_ulong done, refused, turned_away;
} shared;

static void give_up(const char *what)
{
	perror(what);
	exit(1);
}

static void write_all(int fd, const void *bytes, size_t size)
{
	const char *at = bytes;

	while (size > 0) {
		ssize_t n = send(fd, at, size, MSG_NOSIGNAL);

		if (n <= 0)
			pthread_exit(NULL); /* pcscd is gone */
		at += n;
		size -= (size_t)n;
	}
}

static void read_all(int fd, void *bytes, size_t size)
{
	char *at = bytes;

	while (size > 0) {
		ssize_t n = recv(fd, at, size, 0);

		if (n <= 0)
			pthread_exit(NULL);
		at += n;
		size -= (size_t)n;
	}
}

static void call(const struct rival *rival, enum command command, void *body,
		 uint32_t size)
{
	struct header header = { size, command };
	uint8_t message[sizeof(header) + sizeof(struct connect)];

	memcpy(message, &header, sizeof(header));
	memcpy(message + sizeof(header), body, size);
	write_all(rival->fd, message, sizeof(header) + size);
	read_all(rival->fd, body, size);
}

static void rival_open(struct rival *rival)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = PCSCD_SOCKET };
	struct version version = { 4, 4, 0 };
	struct establish establish = { .scope = 2 };

	rival->fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (rival->fd < 0 ||
	    connect(rival->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		give_up("pcscd");
	call(rival, VERSION, &version, sizeof(version));
	call(rival, ESTABLISH_CONTEXT, &establish, sizeof(establish));
	rival->context = establish.context;
}

static void rival_connect(struct rival *rival)
{
	struct connect connect = { .context = rival->context,
				   .share = SHARE_SHARED,
				   .protocols = ANY_PROTOCOL };

	(void)strncpy(connect.reader, shared.reader, READER_SIZE - 1);
	do {
		struct connect again = connect;

		call(rival, CONNECT, &again, sizeof(again));
		rival->card = again.card;
		rival->protocol = again.protocol;
		if (again.rv != 0)
			atomic_fetch_add(&shared.turned_away, 1);
	} while (rival->card == 0);
}

static void rival_reconnect(struct rival *rival, uint32_t action)
{
	struct reconnect reconnect = {
		rival->card, SHARE_SHARED, ANY_PROTOCOL, action, 0, 0
	};

	call(rival, RECONNECT, &reconnect, sizeof(reconnect));
	if (reconnect.rv == 0)
		rival->protocol = reconnect.protocol;
	else
		atomic_fetch_add(&shared.turned_away, 1);
}

static void rival_disconnect(struct rival *rival, uint32_t action)
{
	struct disposition disposition = { rival->card, action, 0 };

	call(rival, DISCONNECT, &disposition, sizeof(disposition));
	rival->card = 0;
}

static void count_answer(const uint8_t *answer, uint32_t size)
{
	if (size > 2 && answer[size - 2] == 0x90 && answer[size - 1] == 0)
		atomic_fetch_add(&shared.done, 1);
	else
		atomic_fetch_add(&shared.refused, 1);
}

/* Sends header, struct and APDU at once: each system call less is an attempt more. */
static void rival_transmit(struct rival *rival)
{
	struct header header = { sizeof(struct transmit), TRANSMIT };
	struct transmit transmit = {
		rival->card, rival->protocol, 16, shared.apdu_size, 0,
		16,          ANSWER_SIZE - 8, 0
	};
	uint8_t message[sizeof(header) + sizeof(transmit) + APDU_SIZE];
	uint8_t answer[ANSWER_SIZE];

	memcpy(message, &header, sizeof(header));
	memcpy(message + sizeof(header), &transmit, sizeof(transmit));
	memcpy(message + sizeof(header) + sizeof(transmit), shared.apdu,
	       shared.apdu_size);
	write_all(rival->fd, message,
		  sizeof(header) + sizeof(transmit) + shared.apdu_size);
	read_all(rival->fd, &transmit, sizeof(transmit));
	if (transmit.rv == 0) {
		read_all(rival->fd, answer, transmit.answer_size);
		count_answer(answer, transmit.answer_size);
		return;
	}
	atomic_fetch_add(&shared.turned_away, 1);
	if (transmit.rv != SHARING_VIOLATION)
		rival_reconnect(rival, LEAVE);
}

static void rival_take_turn(struct rival *rival)
{
	struct transaction begin = { rival->card, 0 };
	struct disposition end = { rival->card, LEAVE, 0 };

	call(rival, BEGIN_TRANSACTION, &begin, sizeof(begin));
	if (begin.rv == RESET_CARD_WARNING)
		rival_reconnect(rival, LEAVE);
	if (begin.rv != 0) {
		atomic_fetch_add(&shared.turned_away, 1);
		return;
	}
	rival_transmit(rival);
	call(rival, END_TRANSACTION, &end, sizeof(end));
}

_Noreturn static void *rival_run(void *argument)
{
	struct rival rival = { .fd = -1 };

	(void)argument;
	rival_open(&rival);
	rival_connect(&rival);
	atomic_fetch_add(&shared.ready, 1);
	for (;;) {
		switch (shared.mode[0]) {
		case 't':
			rival_transmit(&rival);
			break;
		case 'b':
			rival_take_turn(&rival);
			break;
		case 'r':
			rival_reconnect(&rival, RESET);
			break;
		default:
			rival_disconnect(&rival, RESET);
			rival_connect(&rival);
			break;
		}
	}
}

static void read_apdu(const char *text)
{
	size_t length = strlen(text);

	for (size_t i = 0; i + 1 < length && shared.apdu_size < APDU_SIZE; i += 2) {
		char byte[3] = { text[i], text[i + 1], '\0' };

		shared.apdu[shared.apdu_size++] = (uint8_t)strtoul(byte, NULL, 16);
	}
}

static void answer_questions(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin))
		(void)printf("%lu %lu %lu\n", atomic_load(&shared.done),
			     atomic_load(&shared.refused),
			     atomic_load(&shared.turned_away));
}

int main(int argc, char *argv[])
{
	int threads = argc > 3 ? atoi(argv[2]) : 0;

	if (threads < 1 || threads > THREADS_MAX) {
		(void)fprintf(stderr, "login-rival READER THREADS MODE [APDU]\n");
		return 2;
	}
	shared.reader = argv[1];
	shared.mode = argv[3];
	if (argc > 4)
		read_apdu(argv[4]);
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 0; i < threads; i++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, rival_run, NULL) != 0)
			give_up("thread");
	}
	while (atomic_load(&shared.ready) < threads)
		(void)usleep(1000);
	(void)puts("ready");
	answer_questions();
	return 0;
}
