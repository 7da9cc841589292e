/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/http_parts.h"

/* "PORT", "ADDRESS:PORT", "[ADDRESS6]:PORT" */
static int listen_split(const char *text, char host[64], char port[8], struct err *err)
{
	const char *colon = strrchr(text, ':');
	const char *number = colon != NULL ? colon + 1 : text;
	size_t len = colon != NULL ? (size_t)(colon - text) : 0;
	char *end;

	if (len > 1 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	if (len >= 64 || number[0] < '0' || number[0] > '9' || strlen(number) > 5 ||
	    strtoul(number, &end, 10) > 65535 || *end != '\0')
		return err_set(err, EINVAL,
			       "\"%.80s\" is not an address to listen on; write 9177, "
			       "127.0.0.1:9177 or [::1]:9177",
			       text);
	snprintf(host, 64, "%.*s", (int)len, text);
	if (len == 0)
		strcpy(host, "127.0.0.1");
	snprintf(port, 8, "%s", number);
	return 0;
}

int http_listen(const char *text, struct err *err)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
				 .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV};
	struct addrinfo *address;
	const int on = 1;
	char host[64], port[8];
	int fd, rc = listen_split(text, host, port, err);

	if (rc < 0)
		return rc;
	rc = getaddrinfo(host, port, &hints, &address);
	if (rc != 0)
		return err_set(err, EINVAL, "\"%s\" is not an address of an interface: %s", host,
			       gai_strerror(rc));
	fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (fd < 0 || bind(fd, address->ai_addr, address->ai_addrlen) < 0 || listen(fd, 64) < 0) {
		rc = errno;
		if (fd >= 0)
			close(fd);
		freeaddrinfo(address);
		return err_set(
			err, rc, "cannot listen on %s port %s: %s%s", host, port, strerror(rc),
			rc == EADDRINUSE ? "; another program has it, choose another port" : "");
	}
	freeaddrinfo(address);
	return fd;
}
