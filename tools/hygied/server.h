/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The socket: accepts peers within their limits, sends each request to the part that
 * serves it, and passes card changes on to the dialogues that run.
 */
#pragma once

#include "hygied/hygied.h"

/* Serves on `fd`, a listening SEQPACKET socket, which it takes over. */
int server_start(struct hygied *hygied, int fd, struct server **ret_server) must_check;
void server_free(struct server *server);

/* A card came, changed or is leaving. */
void server_card_changed(struct server *server, enum cards_change change,
			 struct card *card);

/* What is known of a session is another now. */
void server_sessions_changed(struct server *server);

/* Makes and binds the socket at `path`, mode 0666, in a folder of root's. */
int server_listen(const char *path, int *ret_fd) must_check;
