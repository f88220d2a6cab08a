/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The logins whose PIN is there while another login has their card. A card that becomes
 * ready is for the first of them: those that let a person in or back in come before those
 * that [login] gives_way names (sudo and the like) and enrolments, and otherwise who typed
 * first comes first. The list owns nothing.
 */
#pragma once

#include "hygied/login_result.h"

/* Puts a login, which has a card and is in no queue, behind those of its rank. */
void login_queue_join(struct login *login);

/* Takes it out again; nothing happens when it is not in. */
void login_queue_leave(struct login *login);

/* Who is next on that card, or NULL. */
struct login *login_queue_next(const struct hygied *hygied, const struct card *card);
