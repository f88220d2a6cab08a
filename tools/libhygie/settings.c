/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of what hygie.conf may say, and its loading; declared in settings.h. The
 * defaults are part of the table, in the form that a site would write.
 */
#include "libhygie/settings.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#ifndef HYGIE_PREFIX
#define HYGIE_PREFIX "/usr"
#endif

/* "/usr/share/hygie/cards.d /etc/hygie/cards.d" */
static int parse_card_folders(const struct config_value *value, void *field, char *reason,
			      size_t reason_size)
{
	static const struct config_key one = { .size = SETTINGS_PATH_SIZE };
	struct settings_cards cards = { 0 };
	const char *cursor = value->text;
	char item[SETTINGS_PATH_SIZE];
	int r;

	while ((r = config_list_next(&cursor, item, sizeof(item))) > 0) {
		const struct config_value path = { &one, value->name, item };

		if (cards.count == SETTINGS_CARD_FOLDERS_MAX ||
		    config_parse_path(&path, cards.folder[cards.count], reason,
				      reason_size) < 0)
			break;
		cards.count++;
	}
	if (r != 0 || cards.count == 0) {
		(void)snprintf(reason, reason_size,
			       "a list of 1 to %d absolute paths with blanks between",
			       SETTINGS_CARD_FOLDERS_MAX);
		return -EINVAL;
	}
	*(struct settings_cards *)field = cards;
	return 0;
}

/* "i3lock swaylock"; empty for none */
static int parse_services(const struct config_value *value, void *field, char *reason,
			  size_t reason_size)
{
	struct settings_services services = { 0 };
	const char *cursor = value->text;
	char item[CONFIG_NAME_SIZE];
	int r;

	while ((r = config_list_next(&cursor, item, sizeof(item))) > 0) {
		if (services.count == SETTINGS_SERVICES_MAX ||
		    !config_name_is_valid(item))
			break;
		memcpy(services.service[services.count++], item, strlen(item) + 1);
	}
	if (r != 0) {
		(void)snprintf(reason, reason_size,
			       "a list of up to %d PAM services with blanks between",
			       SETTINGS_SERVICES_MAX);
		return -EINVAL;
	}
	*(struct settings_services *)field = services;
	return 0;
}

/* The account that unknown code runs as. */
static int parse_helper_user(const struct config_value *value, void *field, char *reason,
			     size_t reason_size)
{
	if (strcmp(value->text, "root") == 0) {
		(void)snprintf(
			reason, reason_size,
			"allowed: the helper runs vendors' modules; name an account "
			"that is used for nothing else");
		return -EINVAL;
	}
	return config_parse_name(value, field, reason, reason_size);
}

/* A free key: "postgres = records". A later file may give an account another group. */
static int parse_peer(const struct config_value *value, void *field, char *reason,
		      size_t reason_size)
{
	struct settings_peers *peers = field;
	size_t i = 0;

	if (!config_name_is_valid(value->name) || !config_name_is_valid(value->text) ||
	    strlen(value->text) >= CONFIG_NAME_SIZE) {
		(void)snprintf(
			reason, reason_size,
			"right: write ACCOUNT = GROUP, each a name of letters, digits "
			"and _ . @ -");
		return -EINVAL;
	}
	while (i < peers->count && strcmp(peers->peer[i].user, value->name) != 0)
		i++;
	if (i == SETTINGS_PEERS_MAX) {
		(void)snprintf(reason, reason_size, "taken: %d lines are the most",
			       SETTINGS_PEERS_MAX);
		return -EINVAL;
	}
	(void)snprintf(peers->peer[i].user, sizeof(peers->peer[i].user), "%s",
		       value->name);
	(void)snprintf(peers->peer[i].group, sizeof(peers->peer[i].group), "%s",
		       value->text);
	if (i == peers->count)
		peers->count++;
	return 0;
}

static const char *const action_words[] = { "lock", "logout", "none", NULL };
static const char *const escalation_words[] = { "greeter", "logout", NULL };

/* A free key: "alice = none". A later file may give a name another action. */
static int parse_action(const struct config_value *value, void *field, char *reason,
			size_t reason_size)
{
	static const struct config_key word = { .words = action_words };
	const struct config_value inner = { &word, value->name, value->text };
	struct settings_actions *actions = field;
	size_t i = 0;
	int action, r;

	r = config_parse_word(&inner, &action, reason, reason_size);
	if (r < 0)
		return r;
	while (i < actions->count && strcmp(actions->named[i].name, value->name) != 0)
		i++;
	if (i == SETTINGS_ACTIONS_MAX || !config_name_is_valid(value->name)) {
		(void)snprintf(reason, reason_size,
			       "taken: %d lines NAME = lock, logout or none are the most",
			       SETTINGS_ACTIONS_MAX);
		return -EINVAL;
	}
	(void)snprintf(actions->named[i].name, sizeof(actions->named[i].name), "%s",
		       value->name);
	actions->named[i].action = (enum removal_action)action;
	if (i == actions->count)
		actions->count++;
	return 0;
}

static const char *const level_words[] = { "error", "warning", "info", "debug", NULL };
static const char *const target_words[] = { "auto", "journal", "syslog", "stderr", NULL };

#define SECOND 1000L

#define field_of(member)                                                                 \
	.offset = offsetof(struct settings, member),                                     \
	.size = sizeof(((struct settings *)NULL)->member)

static const struct config_key keys[] = {
	{ "paths", "ca", config_parse_path, field_of(ca), .default_text = "/etc/hygie/ca",
	  .documentation =
		  "folder of the trusted CAs, one folder for each scheme in it" },
	{ "paths", "registry", config_parse_path, field_of(registry),
	  .default_text = "/var/lib/hygie/registry.db",
	  .documentation = "file that holds the enrolments" },
	{ "paths", "helper", config_parse_path, field_of(helper),
	  .default_text = HYGIE_PREFIX "/libexec/hygie/hygie-token",
	  .documentation = "program that talks to one card" },
	{ "paths", "cards", parse_card_folders, field_of(cards),
	  .default_text = HYGIE_PREFIX "/share/hygie/cards.d /etc/hygie/cards.d",
	  .documentation = "folders of card profiles; later ones override" },
	{ "paths", "socket", config_parse_path, field_of(socket),
	  .default_text = "/run/hygie/hygied.sock",
	  .documentation = "socket that clients connect to" },

	{ "login", "card_wait", config_parse_duration, field_of(card_wait),
	  .default_text = "60s", .minimum = 0, .maximum = 600 * SECOND,
	  .documentation = "how long a login waits for a card" },
	{ "login", "pin_wait", config_parse_duration, field_of(pin_wait),
	  .default_text = "120s", .minimum = 5 * SECOND, .maximum = 600 * SECOND,
	  .documentation = "how long a prompt waits for its answer" },
	{ "login", "deadline", config_parse_duration, field_of(deadline),
	  .default_text = "15s", .minimum = SECOND, .maximum = 120 * SECOND,
	  .documentation = "how long after the PIN the answer comes at the latest" },
	{ "login", "pinpad_deadline", config_parse_duration, field_of(pinpad_deadline),
	  .default_text = "60s", .minimum = 5 * SECOND, .maximum = 300 * SECOND,
	  .documentation = "the same, where the PIN is typed on the reader" },
	{ "login", "warm_deadline", config_parse_duration, field_of(warm_deadline),
	  .default_text = "20s", .minimum = SECOND, .maximum = 120 * SECOND,
	  .documentation = "how long reading a card that was put in may take" },
	{ "login", "busy_deadline", config_parse_duration, field_of(busy_deadline),
	  .default_text = "2s", .minimum = 100, .maximum = 30 * SECOND,
	  .documentation = "how long another program may hold the reader" },
	{ "login", "allow_test_cards", config_parse_bool, field_of(allow_test_cards),
	  .default_text = "no",
	  .documentation = "let test cards in: never in production" },
	{ "login", "pretyped", parse_services, field_of(pretyped),
	  .default_text =
		  "i3lock swaylock gtklock xlock sddm sshd xrdp-sesman postgresql",
	  .documentation = "PAM services that answer every prompt with one text" },
	{ "login", "hidden_prompts", parse_services, field_of(hidden_prompts),
	  .default_text = "lightdm",
	  .documentation = "PAM services whose programs do not show a prompt's text" },
	{ "login", "card_or_password", parse_services, field_of(card_or_password),
	  .default_text = "",
	  .documentation = "PAM services where one prompt takes PIN or password" },
	{ "login", "gives_way", parse_services, field_of(gives_way),
	  .default_text = "sudo sudo-i su su-l polkit-1 postgresql",
	  .documentation = "PAM services that come last where several wait" },

	{ "session", "unlock", parse_services, field_of(unlock),
	  .default_text =
		  "gdm-smartcard gdm-password lightdm sddm kde kde-smartcard vlock "
		  "xscreensaver mate-screensaver cinnamon-screensaver",
	  .documentation = "PAM services run by root that unlock a session" },

	{ "removal", "action", config_parse_word, field_of(removal.action),
	  .default_text = "lock", .words = action_words,
	  .documentation = "what becomes of a session whose card is gone" },
	{ "removal", "text_action", config_parse_word, field_of(removal.text_action),
	  .default_text = "logout", .words = action_words,
	  .documentation = "the same on consoles and over ssh, which no locker covers" },
	{ "removal", "grace", config_parse_duration, field_of(removal.grace),
	  .default_text = "0", .minimum = 0, .maximum = 60 * SECOND,
	  .documentation = "how long the card may be out before that" },
	{ "removal", "lock_timeout", config_parse_duration,
	  field_of(removal.lock_timeout), .default_text = "1500ms", .minimum = 200,
	  .maximum = 10 * SECOND,
	  .documentation = "how soon a session must be seen to be locked" },
	{ "removal", "escalation", config_parse_word, field_of(removal.escalation),
	  .default_text = "greeter", .words = escalation_words,
	  .documentation = "what follows when it was not seen" },
	{ "removal", "card_return", config_parse_duration, field_of(removal.card_return),
	  .default_text = "1s", .minimum = 100, .maximum = 2 * SECOND,
	  .documentation = "how soon a card must show itself when pcscd or hygied "
			   "started anew" },
	{ "removal", "relock", config_parse_bool, field_of(removal.relock),
	  .default_text = "no",
	  .documentation = "lock again what was opened without the card" },
	{ "removal", "before_sleep", config_parse_bool, field_of(removal.before_sleep),
	  .default_text = "yes", .documentation = "lock before the machine sleeps" },
	{ "removal_users", NULL, parse_action, field_of(removal.users),
	  .documentation = "USER = lock, logout or none: instead of [removal] action" },
	{ "removal_groups", NULL, parse_action, field_of(removal.groups),
	  .documentation = "GROUP = lock, logout or none: the strictest of a user's" },

	{ "store", "services", parse_services, field_of(store.services),
	  .default_text =
		  "login gdm-smartcard gdm-password lightdm sddm sshd xrdp-sesman kde "
		  "kde-smartcard vlock xscreensaver mate-screensaver "
		  "cinnamon-screensaver i3lock swaylock gtklock xlock "
		  "xsecurelock",
	  .documentation = "PAM services where a login opens the card's record stores" },
	{ "store", "grace", config_parse_duration, field_of(store.grace),
	  .default_text = "10min", .minimum = 0, .maximum = 24L * 3600 * SECOND,
	  .documentation = "how long its card may be out before a store closes" },
	{ "store", "hard_limit", config_parse_duration, field_of(store.hard_limit),
	  .default_text = "0", .minimum = 0, .maximum = 24L * 3600 * SECOND,
	  .documentation =
		  "how long a store may stay busy; then its programs are ended; 0: any time" },

	{ "secret", "services", parse_services, field_of(secret_services),
	  .default_text =
		  "login gdm-smartcard gdm-password lightdm sddm sshd xrdp-sesman",
	  .documentation = "PAM services where a login is given the login secret" },

	{ "helper", "user", parse_helper_user, field_of(helper_user),
	  .default_text = "hygie-token",
	  .documentation = "account that the helper becomes" },

	{ "limits", "connections", config_parse_unsigned, field_of(connections),
	  .default_text = "256", .minimum = 8, .maximum = 4096,
	  .documentation = "connections at one time" },
	{ "limits", "connections_per_user", config_parse_unsigned,
	  field_of(connections_per_user), .default_text = "16", .minimum = 1,
	  .maximum = 4096, .documentation = "connections of one user at one time" },
	{ "limits", "requests_per_minute", config_parse_unsigned,
	  field_of(requests_per_minute), .default_text = "240", .minimum = 1,
	  .maximum = 100000, .documentation = "requests of one user in a minute" },

	{ "peers", NULL, parse_peer, field_of(peers),
	  .documentation = "ACCOUNT = GROUP: a service believed for a group's members" },

	{ "log", "level", config_parse_word, field_of(log_level), .default_text = "info",
	  .words = level_words,
	  .documentation = "least important lines that are written" },
	{ "log", "target", config_parse_word, field_of(log_target),
	  .default_text = "auto", .words = target_words,
	  .documentation = "where lines are written to" },
};

static const struct config_schema schema = { keys, array_size(keys), NULL };

const struct config_schema *settings_schema(void)
{
	return &schema;
}

void settings_default(struct settings *ret_settings)
{
	*ret_settings = (struct settings){ 0 };
	config_defaults(&schema, ret_settings);
}

int settings_load_owned(const char *path, uid_t owner, struct settings *ret_settings,
			struct config_errors *errors)
{
	struct settings settings;
	const char *file = path != NULL ? path : SETTINGS_PATH;
	int r;

	settings_default(&settings);
	r = config_load(file, path != NULL, owner, &schema, &settings, errors);
	if (r < 0)
		return r;
	if (settings.connections_per_user > settings.connections) {
		config_errors_add(
			errors, file, 0,
			"[limits] connections_per_user (%u) is more than connections "
			"(%u); lower the one or raise the other",
			settings.connections_per_user, settings.connections);
		return -EINVAL;
	}
	*ret_settings = settings;
	return 0;
}

int settings_load(const char *path, struct settings *ret_settings,
		  struct config_errors *errors)
{
	return settings_load_owned(path, 0, ret_settings, errors);
}

static bool has_service(const struct settings_services *services, const char *service)
{
	for (size_t i = 0; i < services->count; i++)
		if (strcmp(services->service[i], service) == 0)
			return true;
	return false;
}

bool settings_is_pretyped(const struct settings *settings, const char *service)
{
	return has_service(&settings->pretyped, service);
}

bool settings_hides_prompts(const struct settings *settings, const char *service)
{
	return has_service(&settings->hidden_prompts, service);
}

bool settings_takes_password(const struct settings *settings, const char *service)
{
	return has_service(&settings->card_or_password, service);
}

bool settings_gives_way(const struct settings *settings, const char *service)
{
	return has_service(&settings->gives_way, service);
}

bool settings_opens_stores(const struct settings *settings, const char *service)
{
	return has_service(&settings->store.services, service);
}

bool settings_gives_secret(const struct settings *settings, const char *service)
{
	return has_service(&settings->secret_services, service);
}

bool settings_unlocks(const struct settings *settings, const char *service)
{
	return has_service(&settings->unlock, service);
}

/* Logout is stricter than lock, lock than nothing. */
static bool is_stricter(enum removal_action one, enum removal_action other)
{
	static const int rank[] = {
		[REMOVAL_BY_NOTHING] = 0, [REMOVAL_BY_LOCK] = 1, [REMOVAL_BY_LOGOUT] = 2
	};

	return rank[one] > rank[other];
}

enum removal_action
settings_removal_action(const struct settings *settings, const char *user,
			bool (*in_group)(const char *user, const char *group))
{
	const struct settings_removal *removal = &settings->removal;
	enum removal_action strictest = REMOVAL_BY_NOTHING;
	bool found = false;

	for (size_t i = 0; i < removal->users.count; i++)
		if (strcmp(removal->users.named[i].name, user) == 0)
			return removal->users.named[i].action;
	for (size_t i = 0; i < removal->groups.count; i++) {
		const struct settings_action *group = &removal->groups.named[i];

		if (!in_group(user, group->name))
			continue;
		if (!found || is_stricter(group->action, strictest))
			strictest = group->action;
		found = true;
	}
	return found ? strictest : (enum removal_action)removal->action;
}

const char *settings_peer_group(const struct settings *settings, const char *user)
{
	for (size_t i = 0; i < settings->peers.count; i++)
		if (strcmp(settings->peers.peer[i].user, user) == 0)
			return settings->peers.peer[i].group;
	return NULL;
}

enum log_level settings_log_level(const struct settings *settings)
{
	static const enum log_level levels[] = { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING,
						 LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

	return levels[settings->log_level];
}
