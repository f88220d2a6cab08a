/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hygied: reads its set-up, opens its socket, runs the loop. Every mistake in the set-up
 * is told before anything is served.
 */
#include "hygied/guard.h"
#include "hygied/hygied.h"
#include "hygied/policy.h"
#include "hygied/server.h"
#include "hygied/session.h"
#include "hygied/store_gone.h"
#include "hygied/stores.h"
#include "libhygie/deadline.h"
#include "libhygie/error_text.h"
#include "libhygie/log.h"
#include "libhygie/trusted_file.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#ifndef HYGIE_VERSION
#define HYGIE_VERSION "unknown"
#endif
#ifndef HYGIE_BUILD_TIME
#define HYGIE_BUILD_TIME 0 /* seconds since 1970: no clock is believed below it */
#endif

#define EXIT_BROKEN_SETUP 7 /* as outcome_exit_status(HYGIE_BROKEN_SETUP) */
#define SETTLE_MS 2000
#define FILES_MAX 8192

struct options {
	const char *config;
	bool check;
};

static const char usage_text[] =
	"Usage: hygied [--config FILE] [--check]\n"
	"\n"
	"The card login service. Normally started by systemd.\n"
	"\n"
	"  --config FILE  read FILE instead of " SETTINGS_PATH "\n"
	"  --check        read the set-up, say what is wrong with it, and end\n"
	"  --help         this text\n"
	"  --version      the version\n"
	"\n"
	"See hygied(8).\n";

/* -1 to go on, else the exit status. */
static int parse_options(int argc, char *argv[], struct options *ret_options)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check", no_argument, NULL, 'k' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	/* NOLINTNEXTLINE(concurrency-mt-unsafe): there is no other thread yet */
	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (option) {
		case 'c':
			ret_options->config = optarg;
			break;
		case 'k':
			ret_options->check = true;
			break;
		case 'h':
			(void)fputs(usage_text, stdout);
			return 0;
		case 'v':
			(void)puts("hygied " HYGIE_VERSION);
			return 0;
		default:
			return 2;
		}
	}
	if (optind < argc) {
		(void)fprintf(stderr, "hygied: what is \"%s\"? See hygied --help.\n",
			      argv[optind]);
		return 2;
	}
	return -1;
}

static void tell(bool check, const char *text)
{
	if (check)
		(void)printf("%s\n", text);
	else
		log_error("%s", text);
}

static void tell_errors(bool check, const struct config_errors *errors)
{
	for (size_t i = 0; i < errors->count && i < CONFIG_ERRORS_MAX; i++)
		tell(check, errors->text[i]);
}

static int load_profiles(struct hygied *hygied, bool check)
{
	const char *folders[SETTINGS_CARD_FOLDERS_MAX];
	struct config_errors errors = { .count = 0 };
	int r;

	for (size_t i = 0; i < hygied->settings.cards.count; i++)
		folders[i] = hygied->settings.cards.folder[i];
	r = profiles_load(folders, hygied->settings.cards.count, 0, &hygied->profiles,
			  &errors);
	if (r < 0)
		tell_errors(check, &errors);
	return r;
}

static int find_helper_user(struct hygied *hygied, bool check)
{
	char text[HYGIE_TEXT_MAX];
	uid_t uid = 0;
	gid_t gid = 0;

	if (!policy_user_ids(hygied->settings.helper_user, &uid, &gid) || uid == 0) {
		(void)snprintf(
			text, sizeof(text),
			"There is no system user \"%s\" for hygie-token: make it with "
			"systemd-sysusers, or name another under [helper].",
			hygied->settings.helper_user);
		tell(check, text);
		return -ENOENT;
	}
	hygied->environment.helper_uid = uid;
	hygied->environment.helper_gid = gid;
	return 0;
}

/* It starts as root: only root may have written it. */
static int judge_helper(const struct hygied *hygied, bool check)
{
	struct file_error error = { "" };
	int fd = -1;
	int r = trusted_file_open(hygied->settings.helper, 0, TRUSTED_ANY_LINKS, &fd,
				  &error);

	if (r < 0)
		tell(check, error.text);
	else
		(void)close(fd);
	return r;
}

/* A folder that may not be there yet, on a first start. */
static int load_state(struct hygied *hygied, bool check)
{
	char reason[TRUST_REASON_SIZE];
	int r;

	r = trust_load(hygied->settings.ca, &hygied->trust, reason, sizeof(reason));
	if (r >= 0)
		r = registry_open(hygied->settings.registry, &hygied->registry, reason,
				  sizeof(reason));
	if (r < 0)
		tell(check, reason);
	else if (trust_anchor_count(hygied->trust, NULL) == 0)
		log_warning("no CA is configured in %s: no card will be accepted",
			    hygied->settings.ca);
	return r;
}

static int load(struct hygied *hygied, const struct options *options)
{
	struct config_errors errors = { .count = 0 };
	int r, worst = 0;

	r = settings_load(options->config, &hygied->settings, &errors);
	if (r < 0) {
		tell_errors(options->check, &errors);
		return r;
	}
	log_open("hygied", (enum log_target)hygied->settings.log_target,
		 settings_log_level(&hygied->settings));
	r = load_profiles(hygied, options->check);
	worst = r < 0 ? r : worst;
	r = find_helper_user(hygied, options->check);
	worst = r < 0 ? r : worst;
	r = judge_helper(hygied, options->check);
	worst = r < 0 ? r : worst;
	r = load_state(hygied, options->check);
	return r < 0 ? r : worst;
}

/* A descriptor for each connection that may be allowed, and those of the cards. */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max < FILES_MAX ? limit.rlim_max : FILES_MAX;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

static void on_cards(void *context, enum cards_change change, struct card *card)
{
	struct hygied *hygied = context;

	/* First of all: a screen may be open to whoever walks by. */
	if (hygied->guard)
		guard_card_changed(hygied->guard, change, card);
	stores_card_changed(hygied->stores, change, card);
	if (hygied->server)
		server_card_changed(hygied->server, change, card);
}

static void on_sessions(void *context)
{
	struct hygied *hygied = context;

	if (hygied->server)
		server_sessions_changed(hygied->server);
}

static int take_socket(const struct hygied *hygied, int *ret_fd)
{
	int count = sd_listen_fds(1);

	if (count < 0)
		return count;
	if (count == 0)
		return server_listen(hygied->settings.socket, ret_fd);
	if (count > 1 ||
	    sd_is_socket_unix(SD_LISTEN_FDS_START, SOCK_SEQPACKET, 1, NULL, 0) <= 0)
		return -EINVAL;
	*ret_fd = SD_LISTEN_FDS_START;
	return 0;
}

static int add_signals(sd_event *loop)
{
	sigset_t set;
	int r;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	r = -pthread_sigmask(SIG_BLOCK, &set, NULL);
	if (r < 0)
		return r;
	(void)signal(SIGPIPE, SIG_IGN);
	r = sd_event_add_signal(loop, NULL, SIGTERM, NULL, NULL);
	return r < 0 ? r : sd_event_add_signal(loop, NULL, SIGINT, NULL, NULL);
}

static int serve(struct hygied *hygied)
{
	int fd = -1, r;

	r = sd_event_default(&hygied->loop);
	if (r >= 0)
		r = add_signals(hygied->loop);
	if (r >= 0)
		r = tickets_new(&hygied->tickets);
	if (r >= 0)
		r = take_socket(hygied, &fd);
	if (r < 0)
		return r;
	hygied->environment.loop = hygied->loop;
	hygied->environment.settings = &hygied->settings;
	hygied->environment.trust = hygied->trust;
	hygied->environment.time_floor = HYGIE_BUILD_TIME;
	hygied->settled = deadline_after(SETTLE_MS);
	sessions_prune();
	r = guard_start(hygied, on_sessions, hygied, &hygied->guard);
	if (r >= 0)
		r = store_gone_start(&hygied->gone);
	if (r >= 0)
		r = stores_start(hygied, on_sessions, hygied, &hygied->stores);
	if (r >= 0)
		r = cards_start(&hygied->environment, hygied->profiles, on_cards, hygied,
				&hygied->cards);
	if (r < 0) {
		(void)close(fd);
		return r;
	}
	r = server_start(hygied, fd, &hygied->server);
	if (r < 0)
		return r;
	(void)sd_event_set_watchdog(hygied->loop, true);
	(void)sd_notify(0, "READY=1\nSTATUS=Serving cards.");
	log_info("hygied " HYGIE_VERSION " serves");
	return sd_event_loop(hygied->loop);
}

static void unload(struct hygied *hygied)
{
	server_free(hygied->server);
	hygied->server = NULL;
	/* Before the cards: they leave with us, but were not taken out. */
	guard_free(hygied->guard);
	hygied->guard = NULL;
	stores_free(hygied->stores);
	hygied->stores = NULL;
	store_gone_stop(hygied->gone);
	cards_free(hygied->cards);
	tickets_free(hygied->tickets);
	registry_close(hygied->registry);
	trust_free(hygied->trust);
	profiles_free(hygied->profiles);
	(void)sd_event_unref(hygied->loop);
}

int main(int argc, char *argv[])
{
	struct hygied *hygied;
	struct options options = { .config = NULL };
	int r;

	r = parse_options(argc, argv, &options);
	if (r >= 0)
		return r;
	log_open("hygied", LOG_TARGET_AUTO, LOG_LEVEL_INFO);
	hygied = calloc(1, sizeof(*hygied));
	r = hygied ? load(hygied, &options) : -ENOMEM;
	if (hygied && r >= 0 && options.check) {
		(void)puts("The set-up of hygied is in order.");
	} else if (hygied && r >= 0) {
		raise_file_limit();
		r = secret_protect_process();
		if (r >= 0)
			r = serve(hygied);
		if (r < 0)
			log_error("cannot serve: %s", error_text(-r));
	}
	if (hygied)
		unload(hygied);
	free(hygied);
	log_close();
	return r < 0 ? EXIT_BROKEN_SETUP : 0;
}
