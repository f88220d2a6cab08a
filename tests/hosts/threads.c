/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program with threads, as a web or a database server is: in each thread a handle of its
 * own, at the same time, ROUNDS times.
 *
 *	threads SERVICE ROUNDS USER:ANSWER [USER:ANSWER]...
 *	threads --race     two threads write where only one may: what must be reported
 */
#include "hosts/host.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THREADS_MAX 8

struct person {
	pthread_t thread;
	const char *service;
	unsigned long rounds;
	char *user, *answer;
	char name[64];
};

static pthread_barrier_t start_line;

static void *log_in(void *context)
{
	const struct person *person = context;

	(void)pthread_barrier_wait(&start_line);
	for (unsigned long i = 0; i < person->rounds; i++) {
		struct host host = { .user = person->user,
				     .answer = person->answer,
				     .name = person->name };

		host_start(&host, person->service);
		host_step(&host, "authenticate");
		host_step(&host, "acct_mgmt");
		host_ticket(&host);
		host_end(&host);
	}
	return NULL;
}

static void *write_unguarded(void *context)
{
	unsigned *number = context;

	(void)pthread_barrier_wait(&start_line);
	for (unsigned i = 0; i < 1000; i++)
		++*number;
	return NULL;
}

static void begin(pthread_t *thread, void *(*function)(void *context), void *context)
{
	errno = pthread_create(thread, NULL, function, context);
	if (errno != 0)
		host_fail("pthread_create");
}

static int race(void)
{
	static unsigned number;
	pthread_t threads[2];

	(void)pthread_barrier_init(&start_line, NULL, 2);
	for (unsigned i = 0; i < 2; i++)
		begin(&threads[i], write_unguarded, &number);
	for (unsigned i = 0; i < 2; i++)
		(void)pthread_join(threads[i], NULL);
	return 0;
}

int main(int argc, char *argv[])
{
	struct person people[THREADS_MAX];
	const int count = argc - 3;

	if (argc == 2 && strcmp(argv[1], "--race") == 0)
		return race();
	if (count < 1 || count > THREADS_MAX)
		return 2;
	(void)pthread_barrier_init(&start_line, NULL, (unsigned)count);
	for (int i = 0; i < count; i++) {
		struct person *person = &people[i];

		person->service = argv[1];
		person->rounds = strtoul(argv[2], NULL, 10);
		person->user = strsep(&argv[3 + i], ":");
		person->answer = argv[3 + i];
		if (!person->answer)
			return 2;
		(void)snprintf(person->name, sizeof(person->name), "%d: ", i + 1);
		begin(&person->thread, log_in, person);
	}
	for (int i = 0; i < count; i++)
		(void)pthread_join(people[i].thread, NULL);
	return fflush(stdout) != 0;
}
