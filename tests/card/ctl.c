/* SPDX-License-Identifier: Apache-2.0 */
/* `piv-card ctl`: one order to a running card, for shells; see control.h. */
#include "card/control.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int ctl_connect(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(address.sun_path))
		return -1;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Prints lines up to the verdict. */
static int ctl_print_answer(FILE *card)
{
	char line[4096];

	while (fgets(line, sizeof(line), card)) {
		fputs(line, stdout);
		if (!strncmp(line, "ok", 2))
			return 0;
		if (!strncmp(line, "error", 5))
			return 1;
	}
	fprintf(stderr, "piv-card ctl: the card hung up\n");
	return 2;
}

int ctl_main(int argc, char **argv)
{
	FILE *card;
	int fd, status;

	if (argc < 3) {
		fprintf(stderr, "usage: piv-card ctl SOCK COMMAND [ARGUMENT...]\n");
		return 2;
	}
	fd = ctl_connect(argv[1]);
	card = fd >= 0 ? fdopen(fd, "r+e") : NULL;
	if (!card) {
		perror("piv-card ctl");
		return 2;
	}
	for (int i = 2; i < argc; i++)
		fprintf(card, "%s%c", argv[i], i + 1 < argc ? ' ' : '\n');
	fflush(card);
	status = ctl_print_answer(card);
	fclose(card);
	return status;
}
