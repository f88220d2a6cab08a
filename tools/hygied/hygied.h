/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the daemon is made of, handed to each request. One thread, one event loop.
 */
#pragma once

#include "hygied/cards.h"
#include "hygied/profile.h"
#include "hygied/registry.h"
#include "hygied/ticket.h"
#include "hygied/trust.h"
#include "libhygie/protocol.h"
#include "libhygie/settings.h"

struct guard;
struct login;
struct server;
struct store_gone;
struct stores;

struct hygied {
	sd_event *loop;
	struct settings settings;
	struct profiles *profiles;
	struct trust *trust;
	struct registry *registry;
	struct tickets *tickets;
	struct card_environment environment;
	struct cards *cards;
	struct guard *guard;
	struct store_gone *gone;
	struct stores *stores;
	struct server *server;
	struct login *queue; /* login_queue.h */
	struct {
		enum hygie_outcome outcome;
		char service[HYGIE_SERVICE_MAX], user[HYGIE_USER_MAX];
		uid_t peer;
		uint64_t stands_until; /* monotonic */
	} refused; /* last, where prompts are hidden; login_prompt.h */
	uint64_t
		settled; /* monotonic: by then the readers that are there were heard of */
};
