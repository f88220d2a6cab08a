/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hygie-store: keeps one record store open, on hygied's orders, in the machine's own mount
 * namespace. Started by systemd as hygie-store@NAME.service.
 */
#include "hygie-store/door.h"
#include "hygie-store/keep.h"
#include "libhygie/error_text.h"
#include "libhygie/log.h"
#include "libhygie/secret.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#ifndef HYGIE_VERSION
#define HYGIE_VERSION "unknown"
#endif

static const char usage_text[] =
	"Usage: hygie-store NAME\n"
	"       hygie-store --clear NAME\n"
	"\n"
	"Keeps the record store NAME open for hygied. Started by systemd.\n"
	"\n"
	"  --clear     take away the mount that a killed one left\n"
	"  --help      this text\n"
	"  --version   the version\n"
	"\n"
	"See hygie-store(8).\n";

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info,
		     void *userdata)
{
	(void)source;
	(void)info;
	door_end(userdata);
	return 0;
}

static int block_signals(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGCHLD);
	(void)sigaddset(&set, SIGUSR1);
	(void)sigaddset(&set, SIGHUP); /* from fork() on, a hygie-fscrypt has it so */
	(void)signal(SIGPIPE, SIG_IGN);
	return -pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static int serve(const char *name)
{
	sd_event *loop = NULL;
	struct door *door = NULL;
	int r = secret_protect_process();

	if (r == 0)
		r = block_signals();
	if (r == 0)
		r = sd_event_default(&loop);
	if (r >= 0)
		r = door_open(loop, name, &door);
	if (r == 0)
		r = sd_event_add_signal(loop, NULL, SIGTERM, on_signal, door);
	if (r >= 0)
		r = sd_event_add_signal(loop, NULL, SIGINT, on_signal, door);
	if (r >= 0) {
		(void)sd_notify(0, "READY=1");
		r = sd_event_loop(loop);
	}
	door_free(door);
	(void)sd_event_unref(loop);
	return r;
}

int main(int argc, char *argv[])
{
	bool clear = argc == 3 && strcmp(argv[1], "--clear") == 0;
	const char *name = argv[argc - 1];
	int r;

	if (argc == 2 && strcmp(name, "--help") == 0) {
		(void)fputs(usage_text, stdout);
		return 0;
	}
	if (argc == 2 && strcmp(name, "--version") == 0) {
		(void)puts("hygie-store " HYGIE_VERSION);
		return 0;
	}
	if ((argc != 2 && !clear) || !keep_name_is_valid(name)) {
		(void)fputs("hygie-store: give a store's name; see hygie-store --help\n",
			    stderr);
		return 2;
	}
	log_open("hygie-store", LOG_TARGET_AUTO, LOG_LEVEL_INFO);
	r = clear ? keep_clear(name) : serve(name);
	if (r < 0)
		log_error("%s: %s", name, error_text(-r));
	log_close();
	return r < 0 ? 1 : 0;
}
