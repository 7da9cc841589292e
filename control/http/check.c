/* SPDX-License-Identifier: BSD-3-Clause */
#include "http/check.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Takes `name`, `name:port`, `[v6]` or `[v6]:port` apart. @port is 80 when there is none. */
static bool host_split(const char *host, char name[128], unsigned int *port)
{
	const char *end = host[0] == '[' ? strchr(host, ']') : strchr(host, ':');
	const char *from = host[0] == '[' ? host + 1 : host;
	size_t len = end != NULL ? (size_t)(end - from) : strlen(from);
	char *rest;

	if (len == 0 || len >= 128 || (host[0] == '[' && end == NULL))
		return false;
	memcpy(name, from, len);
	name[len] = '\0';
	*port = 80;
	if (end == NULL)
		return true;
	if (*end == ']')
		end++;
	if (*end == '\0')
		return true;
	if (*end != ':' || end[1] < '0' || end[1] > '9' || strlen(end + 1) > 5)
		return false;
	*port = (unsigned int)strtoul(end + 1, &rest, 10);
	return *rest == '\0';
}

bool http_host_is_ours(const char *host, unsigned int port, const char *const *names)
{
	struct in6_addr address;
	unsigned int said;
	char name[128];

	if (host == NULL || !host_split(host, name, &said) || said != port)
		return false;
	if (strcasecmp(name, "localhost") == 0)
		return true;
	if (host[0] == '[')
		return inet_pton(AF_INET6, name, &address) == 1;
	if (inet_pton(AF_INET, name, &address) == 1)
		return true;
	for (; names != NULL && *names != NULL; names++) {
		if (strcasecmp(name, *names) == 0)
			return true;
	}
	return false;
}

bool http_origin_is_ours(const char *origin, const char *host)
{
	static const char scheme[] = "http://";

	if (origin == NULL)
		return true;
	return host != NULL && strncasecmp(origin, scheme, strlen(scheme)) == 0 &&
	       strcasecmp(origin + strlen(scheme), host) == 0;
}

bool http_token_equal(const char *given, const char *wanted)
{
	size_t len = strlen(wanted);
	unsigned char differs = 0;

	if (given == NULL || strlen(given) != len)
		return false;
	for (size_t i = 0; i < len; i++)
		differs |= (unsigned char)(given[i] ^ wanted[i]);
	return differs == 0;
}
