/* SPDX-License-Identifier: BSD-3-Clause */
/* An answer that comes over time, and whose client goes while there is nothing to say: that must be noticed, and end it. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "http/http.h"

#define LIMIT_S 60

static struct event_base *base;
static struct http_server *server;
static struct http_stream *stream;
static unsigned int n_closed;

static void closed(void *arg)
{
	(void)arg;
	n_closed++;
	stream = NULL;
	event_base_loopbreak(base);
}

/* Answers with a stream whose first bytes are "begin". */
static void handle(struct http_request *request, void *arg)
{
	(void)arg;
	stream = http_reply_stream(request, "text/plain", closed, NULL);
	assert_non_null(stream);
	assert_true(http_stream_write(stream, "begin", 5));
}

static int start(void **state)
{
	static const struct http_options options = {.listen = "0", .handle = handle};
	struct err err = {.text = ""};

	(void)state;
	n_closed = 0;
	base = event_base_new();
	return http_server_new(base, &options, &server, &err);
}

static int stop(void **state)
{
	(void)state;
	http_server_free(server);
	event_base_free(base);
	return 0;
}

static void too_late(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	*(bool *)arg = true;
	event_base_loopbreak(base);
}

/* Run the loop until @is_done says so. Return: false when that takes too long. */
static bool run_until(bool (*is_done)(int fd), int fd)
{
	static const struct timeval limit = {.tv_sec = LIMIT_S};
	bool is_late = false;
	struct event *timer = event_new(base, -1, 0, too_late, &is_late);

	event_add(timer, &limit);
	while (!is_late && !is_done(fd))
		event_base_loop(base, EVLOOP_ONCE);
	event_free(timer);
	return !is_late;
}

static bool has_begun(int fd)
{
	static char got[4096];
	static size_t n;
	ssize_t more = recv(fd, got + n, sizeof(got) - 1 - n, MSG_DONTWAIT);

	if (more > 0)
		n += (size_t)more;
	got[n] = '\0';
	if (strstr(got, "begin") == NULL)
		return false;
	n = 0;
	return true;
}

static bool is_closed(int fd)
{
	(void)fd;
	return n_closed > 0;
}

/* Return: a client that has got the first bytes. */
static int client_new(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char request[128];

	to.sin_port = htons((uint16_t)atoi(strrchr(http_server_url(server), ':') + 1));
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	snprintf(request, sizeof(request), "GET / HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n\r\n",
		 ntohs(to.sin_port));
	assert_int_equal(send(fd, request, strlen(request), 0), strlen(request));
	assert_true(run_until(has_begun, fd));
	return fd;
}

static void client_that_closes_ends_it(void **state)
{
	int fd = client_new();

	(void)state;
	assert_int_equal(n_closed, 0);
	close(fd);
	assert_true(run_until(is_closed, -1));
	assert_int_equal(n_closed, 1);
}

static void connection_that_is_reset_ends_it(void **state)
{
	const struct linger hard = {.l_onoff = 1, .l_linger = 0};
	int fd = client_new();

	(void)state;
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(fd);
	assert_true(run_until(is_closed, -1));
	assert_int_equal(n_closed, 1);
}

static void client_that_talks_meanwhile_stays_until_it_closes(void **state)
{
	int fd = client_new();

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(send(fd, "more", 4, 0), 4);
		event_base_loop(base, EVLOOP_NONBLOCK);
	}
	assert_int_equal(n_closed, 0);
	assert_true(http_stream_write(stream, "begin", 5)); /* still answered */
	assert_true(run_until(has_begun, fd));
	close(fd);
	assert_true(run_until(is_closed, -1));
	assert_int_equal(n_closed, 1);
}

static void stream_that_ends_by_itself_is_closed_once(void **state)
{
	int fd = client_new();

	(void)state;
	http_stream_end(stream);
	assert_true(run_until(is_closed, -1));
	close(fd);
	event_base_loop(base, EVLOOP_NONBLOCK);
	assert_int_equal(n_closed, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(client_that_closes_ends_it, start, stop),
		cmocka_unit_test_setup_teardown(connection_that_is_reset_ends_it, start, stop),
		cmocka_unit_test_setup_teardown(client_that_talks_meanwhile_stays_until_it_closes,
						start, stop),
		cmocka_unit_test_setup_teardown(stream_that_ends_by_itself_is_closed_once, start,
						stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
