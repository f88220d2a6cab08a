/* SPDX-License-Identifier: Apache-2.0 */
/*
 * piv-card: a virtual PIV card for pcscd's vpcd driver or QEMU's reader, driven by a
 * control socket. A
 * test instrument: its PINs and keys are in the clear, and it misbehaves on demand. It is
 * no security device and no part of what is installed.
 */
#include "card/control.h"
#include "card/vpcd.h"
#include "card/vscard.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* Made up, valid, and unknown to OpenSC. */
#define ATR_DEFAULT "3b88800148796769655069761c"
/* What a YubiKey 5 shows over USB. */
#define ATR_YUBIKEY "3bfd1300008131fe158073c021c057597562694b657940"

/* Without historical bytes: OpenSC 0.23 then offers no elliptic curves. */
#define ATR_BARE "3b80800101"

struct settings {
	const char *dir;
	const char *control;
	const char *host;
	unsigned port;
	const char *atr;
	struct piv_defaults defaults;
	bool vscard;
	bool absent;
	bool verbose;
};

static void usage(void)
{
	fprintf(stderr,
		"usage: piv-card --dir DIR --control SOCK [--port 35963] [--host 127.0.0.1]\n"
		"                [--atr yubikey|bare|HEX] [--gzip] [--pin PIN] [--puk PUK] [--tries N]\n"
		"                [--guid HEX] [--vscard] [--absent] [--verbose]\n"
		"       piv-card ctl SOCK COMMAND [ARGUMENT...]   (help: the list)\n"
		"Prints \"ready\" once the control socket listens; ends on SIGTERM.\n");
}

static bool settings_parse(struct settings *settings, int argc, char **argv)
{
	static const struct option options[] = {
		{ "dir", required_argument, NULL, 'd' },
		{ "control", required_argument, NULL, 'c' },
		{ "host", required_argument, NULL, 'h' },
		{ "port", required_argument, NULL, 'p' },
		{ "atr", required_argument, NULL, 'a' },
		{ "gzip", no_argument, NULL, 'z' },
		{ "pin", required_argument, NULL, 'P' },
		{ "puk", required_argument, NULL, 'U' },
		{ "tries", required_argument, NULL, 't' },
		{ "guid", required_argument, NULL, 'g' },
		{ "vscard", no_argument, NULL, 'V' },
		{ "absent", no_argument, NULL, 'A' },
		{ "verbose", no_argument, NULL, 'v' },
		{ 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (option) {
		case 'd':
			settings->dir = optarg;
			break;
		case 'c':
			settings->control = optarg;
			break;
		case 'h':
			settings->host = optarg;
			break;
		case 'p':
			settings->port = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'a':
			settings->atr = optarg;
			break;
		case 'z':
			settings->defaults.gzip = true;
			break;
		case 'P':
			settings->defaults.pin = optarg;
			break;
		case 'U':
			settings->defaults.puk = optarg;
			break;
		case 't':
			settings->defaults.tries = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'g':
			settings->defaults.guid = optarg;
			break;
		case 'V':
			settings->vscard = true;
			break;
		case 'A':
			settings->absent = true;
			break;
		case 'v':
			settings->verbose = true;
			break;
		default:
			return false;
		}
	}
	return settings->dir && settings->control && optind == argc;
}

static int reader_set_up(struct reader *reader, const struct settings *settings)
{
	bool yubikey = settings->atr && !strcmp(settings->atr, "yubikey");
	const char *atr = settings->atr ? settings->atr : ATR_DEFAULT;
	bool bare = !strcmp(atr, "bare");
	struct piv_data data = { 0 };
	int r;

	reader->driver = settings->vscard ? &vscard_driver : &vpcd_driver;
	reader->connection.fd = -1;
	reader->verbose = settings->verbose;
	reader->address = (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)settings->port),
	};
	if (inet_pton(AF_INET, settings->host, &reader->address.sin_addr) != 1)
		return -EINVAL;
	r = bytes_from_hex(yubikey ? ATR_YUBIKEY : bare ? ATR_BARE : atr, &reader->atr);
	if (r < 0)
		return r;
	r = piv_data_load(settings->dir, &settings->defaults, &data);
	if (r < 0)
		return r;
	card_take_data(&reader->card, &data);
	reader->card.chain.avoided = reader->driver->avoided;
	reader->card.yubico = yubikey;
	reader->card.reselect_drops_pin = yubikey;
	return 0;
}

/* Until when poll may sleep, in its milliseconds: rounded up, so as not to spin. */
static int poll_patience(const struct reader *reader, const struct control *control)
{
	uint64_t due = reader_due_us(reader), other = control_due_us(control),
		 now = clock_us();

	if (other < due)
		due = other;
	if (due == UINT64_MAX)
		return -1;
	if (due <= now)
		return 0;
	return due - now > 1000000 ? 1000 : (int)((due - now + 999) / 1000);
}

static int run(struct reader *reader, struct control *control, int signals)
{
	struct pollfd polls[2 + 1 + CONTROL_CLIENTS];
	nfds_t count;

	for (;;) {
		polls[0] = (struct pollfd){ .fd = signals, .events = POLLIN };
		polls[1].fd = reader_poll_fd(reader, &polls[1].events);
		polls[1].revents = 0;
		count = 2 + control_poll(control, polls + 2);
		if (poll(polls, count, poll_patience(reader, control)) < 0 &&
		    errno != EINTR)
			return -errno;
		if (polls[0].revents)
			return 0;
		reader_process(reader, polls[1].revents);
		control_process(control, polls + 2);
		control_wake(control);
	}
}

static int signals_open(void)
{
	sigset_t ends;

	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	if (sigprocmask(SIG_BLOCK, &ends, NULL) < 0)
		return -1;
	return signalfd(-1, &ends, SFD_CLOEXEC);
}

static int fail(const char *what, int r)
{
	fprintf(stderr, "piv-card: %s: %s\n", what, strerror(-r));
	return 1;
}

int main(int argc, char **argv)
{
	struct settings settings = {
		.host = "127.0.0.1",
		.port = 35963,
		.defaults = { .pin = "123456", .puk = "12345678", .tries = 3 },
	};
	struct reader reader = { 0 };
	struct control control;
	int r, signals;

	if (argc > 1 && !strcmp(argv[1], "ctl"))
		return ctl_main(argc - 1, argv + 1);
	if (!settings_parse(&settings, argc, argv)) {
		usage();
		return 2;
	}
	r = reader_set_up(&reader, &settings);
	if (r < 0)
		return fail(settings.dir, r);
	r = control_open(&control, settings.control, &reader, &settings.defaults);
	if (r < 0)
		return fail(settings.control, r);
	if (!settings.absent)
		reader_insert(&reader);
	signals = signals_open(); /* whoever reads "ready" may end it at once */
	puts("ready");
	fflush(stdout);
	r = run(&reader, &control, signals);
	control_close(&control);
	(void)unlink(settings.control);
	reader_free(&reader);
	return r < 0 ? fail("poll", r) : 0;
}
