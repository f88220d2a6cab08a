/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What /etc/hygie/hygie.conf and its drop-ins say, as plain fields; hygie.conf(5) tells
 * what each one means. It owns no memory and can be copied.
 */
#pragma once

#include "libhygie/attributes.h"
#include "libhygie/config.h"
#include "libhygie/log.h"

#include <stdbool.h>
#include <stddef.h>

#define SETTINGS_PATH "/etc/hygie/hygie.conf"
#define SETTINGS_PATH_SIZE 256
#define SETTINGS_CARD_FOLDERS_MAX 4
#define SETTINGS_SERVICES_MAX 32
#define SETTINGS_PEERS_MAX 16
#define SETTINGS_ACTIONS_MAX 32

/* A line of [peers]: a service's account, believed for the members of a group. */
struct settings_peer {
	char user[CONFIG_NAME_SIZE];
	char group[CONFIG_NAME_SIZE];
};

/* PAM services, by name. */
struct settings_services {
	size_t count;
	char service[SETTINGS_SERVICES_MAX][CONFIG_NAME_SIZE];
};

/* What follows when a session was not seen to lock. */
enum escalation { ESCALATE_BY_GREETER = 0, ESCALATE_BY_LOGOUT };

/* What becomes of a session whose card is gone. The zero is the default, and safe. */
enum removal_action {
	REMOVAL_BY_LOCK = 0,
	REMOVAL_BY_LOGOUT,
	REMOVAL_BY_NOTHING,
};

/* Who gets another action than the site's: users, or groups, by name. */
struct settings_actions {
	size_t count;
	struct settings_action {
		char name[CONFIG_NAME_SIZE];
		enum removal_action action;
	} named[SETTINGS_ACTIONS_MAX];
};

struct settings {
	/* [paths] */
	char ca[SETTINGS_PATH_SIZE];
	char registry[SETTINGS_PATH_SIZE];
	char helper[SETTINGS_PATH_SIZE];
	char socket[SETTINGS_PATH_SIZE];
	struct settings_cards {
		size_t count; /* later folders override earlier ones */
		char folder[SETTINGS_CARD_FOLDERS_MAX][SETTINGS_PATH_SIZE];
	} cards;

	/* [login]; times in milliseconds */
	unsigned card_wait;
	unsigned pin_wait;
	unsigned deadline;
	unsigned pinpad_deadline;
	unsigned warm_deadline;
	unsigned busy_deadline;
	bool allow_test_cards;
	struct settings_services pretyped;
	struct settings_services hidden_prompts;
	struct settings_services card_or_password;
	struct settings_services gives_way;

	/* [session] */
	struct settings_services unlock;

	/* [removal]; times in milliseconds; words are enum removal_action where it fits */
	struct settings_removal {
		int action, text_action, escalation;
		unsigned grace, lock_timeout, card_return;
		bool relock, before_sleep;
		struct settings_actions users,
			groups; /* [removal_users], [removal_groups] */
	} removal;

	/* [store]; times in milliseconds */
	struct settings_store {
		struct settings_services services;
		unsigned grace;
		unsigned hard_limit; /* 0: none */
	} store;

	/* [secret] */
	struct settings_services secret_services;

	/* [helper] */
	char helper_user[CONFIG_NAME_SIZE];

	/* [limits] */
	unsigned connections;
	unsigned connections_per_user;
	unsigned requests_per_minute;

	/* [peers] */
	struct settings_peers {
		size_t count;
		struct settings_peer peer[SETTINGS_PEERS_MAX];
	} peers;

	/* [log]; config_parse_word fills an int */
	int log_level;  /* enum log_level, by settings_log_level() */
	int log_target; /* enum log_target */
};

/* The table of keys, for tests and for showing what applies. */
const struct config_schema *settings_schema(void);

/* Every default. */
void settings_default(struct settings *ret_settings);

/*
 * Loads `path` and its drop-ins, root's. NULL: SETTINGS_PATH, which may be missing; a
 * path that is given may not. 0 and *ret_settings; else a negative errno, and `errors`
 * says every mistake. `errors` begins zeroed.
 */
int settings_load(const char *path, struct settings *ret_settings,
		  struct config_errors *errors) must_check;

/* As settings_load, for files of another owner (tests). */
int settings_load_owned(const char *path, uid_t owner, struct settings *ret_settings,
			struct config_errors *errors) must_check;

/* Whether a PAM service answers every prompt with one text typed beforehand. */
bool settings_is_pretyped(const struct settings *settings, const char *service);

/* Whether a PAM service's program does not show a prompt's text, but what is said before. */
bool settings_hides_prompts(const struct settings *settings, const char *service);

/* Whether a text that cannot be a PIN may go on to a PAM service's password module. */
bool settings_takes_password(const struct settings *settings, const char *service);

/* Whether a PAM service comes last where several logins wait for one card. */
bool settings_gives_way(const struct settings *settings, const char *service);

/*
 * Whether a PAM service that runs as root lets a user back into a session that is open
 * already, without opening one.
 */
bool settings_unlocks(const struct settings *settings, const char *service);

/*
 * What the site wants for that user's sessions: his own line, else the strictest of his
 * groups' (logout, lock, none), else [removal] action. `in_group` says of each group that
 * is named whether he is in it.
 */
enum removal_action
settings_removal_action(const struct settings *settings, const char *user,
			bool (*in_group)(const char *user, const char *group));

/* Whether a login at a PAM service opens the record stores of its card as well. */
bool settings_opens_stores(const struct settings *settings, const char *service);

/* Whether a login at a PAM service is given the user's login secret. */
bool settings_gives_secret(const struct settings *settings, const char *service);

/* The group that a service's account is believed for, or NULL. */
const char *settings_peer_group(const struct settings *settings, const char *user);

/* The level in the form that log_open takes. */
enum log_level settings_log_level(const struct settings *settings);
