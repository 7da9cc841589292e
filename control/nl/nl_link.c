/* SPDX-License-Identifier: BSD-3-Clause */
/* See nl_link.h. Control thread. */
#include "nl_link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if.h>
#include <netlink/errno.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nl_socket.h"

const char *nl_ifname_check(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len >= NL_IFNAME_MAX)
		return "interface names have 1 to 15 characters";
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return "that is a directory, not an interface";
	for (size_t i = 0; i < len; i++) {
		if (name[i] == '/' || name[i] == ':' || name[i] <= ' ' || name[i] > '~' ||
		    name[i] == '%')
			return "interface names have no slash, colon, percent sign or space";
	}
	return NULL;
}

int nl_address_parse(const char *text, struct nl_address *address, struct err *err)
{
	char host[INET6_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
	unsigned long prefix, max;
	char *end;

	memset(address, 0, sizeof(*address));
	if (len >= sizeof(host))
		return err_set(err, EINVAL, "address \"%.50s\": too long", text);
	memcpy(host, text, len);
	host[len] = '\0';
	address->family = strchr(host, ':') != NULL ? AF_INET6 : AF_INET;
	if (inet_pton(address->family, host, address->bytes) != 1)
		return err_set(err, EINVAL,
			       "address \"%.50s\": neither IPv4 nor IPv6; write 10.0.0.1/24", text);
	max = address->family == AF_INET6 ? 128 : 32;
	prefix = max;
	if (slash != NULL) {
		prefix = strtoul(slash + 1, &end, 10);
		if (slash[1] < '0' || slash[1] > '9' || *end != '\0' || prefix > max)
			return err_set(err, EINVAL,
				       "address \"%.50s\": the prefix length is 0 to %lu", text,
				       max);
	}
	address->prefix_len = (uint8_t)prefix;
	return 0;
}

static int link_find(struct nl_sock *sock, const char *ifname, struct rtnl_link **link,
		     struct err *err)
{
	int ret = rtnl_link_get_kernel(sock, 0, ifname, link);

	if (ret == 0)
		return 0;
	ret = nl_failure(ret);
	return err_set(err, -ret, "interface \"%s\": %s", ifname,
		       ret == -ENODEV ? "does not exist" : strerror(-ret));
}

/* @change says what shall be; @what names it for the user. */
static int link_change(struct nl_sock *sock, struct rtnl_link *link, struct rtnl_link *change,
		       const char *what, struct err *err)
{
	int ret = rtnl_link_change(sock, link, change, 0);

	if (ret == 0)
		return 0;
	return err_set(err, -nl_failure(ret), "interface \"%s\": cannot %s: %s",
		       rtnl_link_get_name(link), what, nl_geterror(ret));
}

/* Into its namespace and to its name, in one step: the name may be taken here and free there. */
static int link_move(struct nl_sock *sock, const struct nl_link_setup *setup, int netns_fd,
		     struct err *err)
{
	struct rtnl_link *link = NULL, *change = NULL;
	bool renames = setup->new_name != NULL && setup->new_name[0] != '\0' &&
		       strcmp(setup->new_name, setup->ifname) != 0;
	int ret;

	if (netns_fd < 0 && !renames)
		return 0;
	ret = link_find(sock, setup->ifname, &link, err);
	if (ret != 0)
		return ret;
	change = rtnl_link_alloc();
	if (change == NULL) {
		ret = err_set(err, ENOMEM, "interface \"%s\": no memory", setup->ifname);
		goto put_link;
	}
	if (renames)
		rtnl_link_set_name(change, setup->new_name);
	if (netns_fd >= 0)
		rtnl_link_set_ns_fd(change, netns_fd);
	ret = link_change(sock, link, change,
			  netns_fd >= 0 ? "put it into the namespace (is the name taken there?)"
					: "rename it",
			  err);
	rtnl_link_put(change);
put_link:
	rtnl_link_put(link);
	return ret;
}

static int link_set(struct nl_sock *sock, struct rtnl_link *link, const struct nl_link_setup *setup,
		    struct err *err)
{
	struct rtnl_link *change = rtnl_link_alloc();
	struct nl_addr *mac;
	int ret;

	if (change == NULL)
		return err_set(err, ENOMEM, "interface \"%s\": no memory", setup->ifname);
	if (setup->mac != NULL) {
		mac = nl_addr_build(AF_LLC, setup->mac, 6);
		if (mac == NULL) {
			rtnl_link_put(change);
			return err_set(err, ENOMEM, "interface \"%s\": no memory", setup->ifname);
		}
		rtnl_link_set_addr(change, mac);
		nl_addr_put(mac);
	}
	if (setup->mtu != 0)
		rtnl_link_set_mtu(change, setup->mtu);
	if (setup->up)
		rtnl_link_set_flags(change, IFF_UP);
	ret = link_change(sock, link, change, "set its MAC address, MTU or state", err);
	rtnl_link_put(change);
	return ret;
}

static int address_add(struct nl_sock *sock, struct rtnl_link *link,
		       const struct nl_address *address, struct err *err)
{
	struct rtnl_addr *addr = rtnl_addr_alloc();
	struct nl_addr *local = nl_addr_build(address->family, address->bytes,
					      address->family == AF_INET6 ? 16 : 4);
	char text[INET6_ADDRSTRLEN];
	int ret = -NLE_NOMEM;

	if (addr != NULL && local != NULL) {
		nl_addr_set_prefixlen(local, address->prefix_len);
		rtnl_addr_set_ifindex(addr, rtnl_link_get_ifindex(link));
		ret = rtnl_addr_set_local(addr, local);
		if (ret == 0)
			ret = rtnl_addr_add(sock, addr, NLM_F_CREATE | NLM_F_REPLACE);
	}
	if (local != NULL)
		nl_addr_put(local);
	if (addr != NULL)
		rtnl_addr_put(addr);
	if (ret == 0)
		return 0;
	return err_set(err, -nl_failure(ret), "interface \"%s\": cannot add address %s/%u: %s",
		       rtnl_link_get_name(link),
		       inet_ntop(address->family, address->bytes, text, sizeof(text)),
		       address->prefix_len, nl_geterror(ret));
}

/* Socket and namespace of a setup. @netns_fd is -1 for ours. */
static int sockets_open(const char *netns, int *netns_fd, struct nl_sock **here,
			struct nl_sock **there, struct err *err)
{
	int ret;

	*netns_fd = -1;
	*here = *there = NULL;
	if (netns != NULL && netns[0] != '\0') {
		ret = nl_netns_open(netns, netns_fd, err);
		if (ret != 0)
			return ret;
		ret = nl_socket_open(*netns_fd, there, err);
		if (ret != 0)
			return ret;
	}
	return nl_socket_open(-1, here, err);
}

static void sockets_close(int netns_fd, struct nl_sock *here, struct nl_sock *there)
{
	nl_socket_close(here);
	nl_socket_close(there);
	if (netns_fd >= 0)
		close(netns_fd);
}

int nl_link_configure(const struct nl_link_setup *setup, struct err *err)
{
	bool renames = setup->new_name != NULL && setup->new_name[0] != '\0';
	struct nl_sock *here, *there, *sock;
	struct rtnl_link *link;
	int netns_fd;
	int ret = sockets_open(setup->netns, &netns_fd, &here, &there, err);

	if (ret != 0)
		goto close_sockets;
	ret = link_move(here, setup, netns_fd, err);
	if (ret != 0)
		goto close_sockets;
	sock = there != NULL ? there : here;
	ret = link_find(sock, renames ? setup->new_name : setup->ifname, &link, err);
	if (ret != 0)
		goto close_sockets;
	ret = link_set(sock, link, setup, err);
	for (size_t i = 0; i < setup->n_addresses && ret == 0; i++)
		ret = address_add(sock, link, &setup->addresses[i], err);
	rtnl_link_put(link);
close_sockets:
	sockets_close(netns_fd, here, there);
	return ret;
}

int nl_link_set_mtu(const char *netns, const char *ifname, uint32_t mtu, struct err *err)
{
	const struct nl_link_setup setup = {.ifname = ifname, .mtu = mtu};
	struct nl_sock *here, *there, *sock;
	struct rtnl_link *link;
	int netns_fd;
	int ret = sockets_open(netns, &netns_fd, &here, &there, err);

	if (ret != 0)
		goto close_sockets;
	sock = there != NULL ? there : here;
	ret = link_find(sock, ifname, &link, err);
	if (ret != 0)
		goto close_sockets;
	ret = link_set(sock, link, &setup, err);
	rtnl_link_put(link);
close_sockets:
	sockets_close(netns_fd, here, there);
	return ret;
}
