/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that has two handles at once in one thread. "alternate": a step of the one,
 * then the same step of the other. "nested": the second logs in, whole, while the first
 * one's prompt waits for its answer.
 *
 *	interleaved alternate|nested SERVICE USER ANSWER USER ANSWER
 */
#include "hosts/host.h"

#include <stdio.h>
#include <string.h>

static const char *service;

static void both(struct host people[2], const char *step)
{
	host_step(&people[0], step);
	host_step(&people[1], step);
}

static void alternate(struct host people[2])
{
	host_start(&people[0], service);
	host_start(&people[1], service);
	both(people, "authenticate");
	both(people, "acct_mgmt");
	host_ticket(&people[0]);
	host_ticket(&people[1]);
	both(people, "open_session");
	/* The first one's end takes nothing from the second. */
	host_step(&people[0], "close_session");
	host_end(&people[0]);
	host_step(&people[1], "acct_mgmt");
	host_step(&people[1], "close_session");
	host_end(&people[1]);
}

static void whole_login(void *context)
{
	struct host *second = context;

	host_start(second, service);
	host_step(second, "authenticate");
	host_step(second, "acct_mgmt");
	host_end(second);
}

static void nested(struct host people[2])
{
	people[0].at_prompt = whole_login;
	people[0].context = &people[1];
	host_start(&people[0], service);
	host_step(&people[0], "authenticate");
	host_step(&people[0], "acct_mgmt");
	host_end(&people[0]);
}

int main(int argc, char *argv[])
{
	struct host people[2];

	if (argc != 7)
		return 2;
	service = argv[2];
	people[0] = (struct host){ .user = argv[3], .answer = argv[4], .name = "1: " };
	people[1] = (struct host){ .user = argv[5], .answer = argv[6], .name = "2: " };
	if (strcmp(argv[1], "nested") == 0)
		nested(people);
	else
		alternate(people);
	return 0;
}
