/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tickets: good once, for what they were issued for, and never for a guess.
 */
#include "hygied/ticket.h"
#include "unit/cmocka_includes.h"

#include <errno.h>
#include <string.h>

static int make(void **state)
{
	struct tickets *tickets;

	if (tickets_new(&tickets) < 0)
		return -1;
	*state = tickets;
	return 0;
}

static int drop(void **state)
{
	tickets_free(*state);
	return 0;
}

static void issue(struct tickets *tickets, const char *user, char name[HYGIE_TICKET_MAX])
{
	struct binding ticket = { .key_id = { 1, 2, 3 } };

	(void)strcpy(ticket.user, user);
	assert_int_equal(tickets_issue(tickets, &ticket, name), 0);
}

static void ticket_gives_back_what_it_was_issued_for(void **state)
{
	char name[HYGIE_TICKET_MAX];
	struct binding ticket;

	issue(*state, "alice", name);
	assert_int_equal(strlen(name), HYGIE_TICKET_MAX - 1);
	assert_int_equal(tickets_redeem(*state, name, &ticket), 0);
	assert_string_equal(ticket.user, "alice");
	assert_int_equal(ticket.key_id[2], 3);
}

static void ticket_is_good_once(void **state)
{
	char name[HYGIE_TICKET_MAX];
	struct binding ticket;

	issue(*state, "alice", name);
	assert_int_equal(tickets_redeem(*state, name, &ticket), 0);
	assert_int_equal(tickets_redeem(*state, name, &ticket), -ENOENT);
}

static void ticket_with_one_digit_changed_is_unknown(void **state)
{
	char name[HYGIE_TICKET_MAX];
	struct binding ticket;

	issue(*state, "alice", name);
	name[10] = name[10] == '0' ? '1' : '0';
	assert_int_equal(tickets_redeem(*state, name, &ticket), -ENOENT);
}

static void empty_and_short_names_are_unknown(void **state)
{
	char name[HYGIE_TICKET_MAX];
	struct binding ticket;

	issue(*state, "alice", name);
	name[HYGIE_TICKET_MAX - 2] = '\0';
	assert_int_equal(tickets_redeem(*state, name, &ticket), -ENOENT);
	assert_int_equal(tickets_redeem(*state, "", &ticket), -ENOENT);
}

static void two_tickets_differ(void **state)
{
	char first[HYGIE_TICKET_MAX], second[HYGIE_TICKET_MAX];

	issue(*state, "alice", first);
	issue(*state, "alice", second);
	assert_string_not_equal(first, second);
}

static void oldest_goes_when_the_table_is_full(void **state)
{
	char first[HYGIE_TICKET_MAX], last[HYGIE_TICKET_MAX];
	struct binding ticket;

	issue(*state, "first", first);
	for (int i = 0; i < 64; i++)
		issue(*state, "other", last);
	assert_int_equal(tickets_redeem(*state, first, &ticket), -ENOENT);
	assert_int_equal(tickets_redeem(*state, last, &ticket), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(ticket_gives_back_what_it_was_issued_for,
						make, drop),
		cmocka_unit_test_setup_teardown(ticket_is_good_once, make, drop),
		cmocka_unit_test_setup_teardown(ticket_with_one_digit_changed_is_unknown,
						make, drop),
		cmocka_unit_test_setup_teardown(empty_and_short_names_are_unknown, make,
						drop),
		cmocka_unit_test_setup_teardown(two_tickets_differ, make, drop),
		cmocka_unit_test_setup_teardown(oldest_goes_when_the_table_is_full, make,
						drop),
	};

	return cmocka_run_group_tests_name("ticket", tests, NULL, NULL);
}
