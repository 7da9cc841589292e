/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * See nl_underlay.h. Sockets to ask, and one that is told of changes and is never waited for.
 */
#include "nl/nl_underlay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <netlink/route/neighbour.h>
#include <netlink/route/route.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "nl/nl_socket.h"

#define EVENT_BUFFER_BYTES (4 << 20)
#define NUD_USABLE	   (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP)

struct nl_underlay {
	struct nl_sock *ask;   /* one message each way */
	struct nl_sock *links; /* as libnl's own functions expect it, with acknowledgements */
	struct nl_sock *events;
};

static int answer_ignore(struct nl_msg *msg, void *arg)
{
	(void)msg;
	(void)arg;
	return NL_OK;
}

struct nl_underlay *nl_underlay_new(struct err *err)
{
	struct nl_underlay *underlay = calloc(1, sizeof(*underlay));

	if (underlay == NULL) {
		err_set(err, ENOMEM, "no memory");
		return NULL;
	}
	if (nl_socket_open(-1, &underlay->ask, err) != 0 ||
	    nl_socket_open(-1, &underlay->links, err) != 0 ||
	    nl_socket_open(-1, &underlay->events, err) != 0)
		goto undo;
	nl_socket_disable_auto_ack(underlay->ask);
	nl_socket_disable_seq_check(underlay->events);
	nl_socket_modify_cb(underlay->events, NL_CB_VALID, NL_CB_CUSTOM, answer_ignore, NULL);
	nl_socket_set_buffer_size(underlay->events, EVENT_BUFFER_BYTES, 0);
	if (nl_socket_add_memberships(underlay->events, RTNLGRP_LINK, RTNLGRP_NEIGH,
				      RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_IFADDR,
				      RTNLGRP_IPV6_IFADDR, 0) != 0 ||
	    nl_socket_set_nonblocking(underlay->events) != 0) {
		err_set(err, EIO, "the kernel does not tell of changes of routes and neighbours");
		goto undo;
	}
	return underlay;

undo:
	nl_underlay_free(underlay);
	return NULL;
}

void nl_underlay_free(struct nl_underlay *underlay)
{
	if (underlay == NULL)
		return;
	nl_socket_close(underlay->ask);
	nl_socket_close(underlay->links);
	nl_socket_close(underlay->events);
	free(underlay);
}

int nl_underlay_fd(const struct nl_underlay *underlay)
{
	return nl_socket_get_fd(underlay->events);
}

void nl_underlay_drain(struct nl_underlay *underlay)
{
	char bytes[8192];

	/* Only that something happened counts; the kernel is asked afresh. An overrun reports an error once, and is that as well. */
	while (recv(nl_socket_get_fd(underlay->events), bytes, sizeof(bytes), MSG_DONTWAIT) > 0 ||
	       errno == ENOBUFS)
		;
}

int nl_underlay_link(struct nl_underlay *underlay, const char *ifname, struct nl_link *out)
{
	struct rtnl_link *link;
	struct nl_addr *address;
	int ret;

	memset(out, 0, sizeof(*out));
	ret = rtnl_link_get_kernel(underlay->links, 0, ifname, &link);
	if (ret != 0)
		return nl_failure(ret) == -ENODEV ? 0 : nl_failure(ret);
	out->ifindex = rtnl_link_get_ifindex(link);
	out->up = (rtnl_link_get_flags(link) & IFF_UP) != 0;
	out->running = (rtnl_link_get_flags(link) & IFF_RUNNING) != 0;
	out->mtu = rtnl_link_get_mtu(link);
	out->is_virtual =
		rtnl_link_get_type(link) != NULL || (rtnl_link_get_flags(link) & IFF_LOOPBACK) != 0;
	address = rtnl_link_get_addr(link);
	if (address != NULL && nl_addr_get_len(address) == sizeof(out->mac))
		memcpy(out->mac, nl_addr_get_binary_addr(address), sizeof(out->mac));
	rtnl_link_put(link);
	return 0;
}

static size_t ip_len(const struct vxlan_ip *ip)
{
	return ip->is_v6 ? 16 : 4;
}

static int ip_family(const struct vxlan_ip *ip)
{
	return ip->is_v6 ? AF_INET6 : AF_INET;
}

struct route_answer {
	struct nl_route *route;
	const struct vxlan_ip *to;
	bool seen;
};

static void hop_add(struct rtnl_nexthop *hop, void *arg)
{
	struct route_answer *answer = arg;
	struct nl_addr *gateway = rtnl_route_nh_get_gateway(hop);
	struct nl_hop *out;

	if (answer->route->n_hops == NL_HOPS_MAX || rtnl_route_nh_get_ifindex(hop) == 0)
		return;
	if (gateway == NULL)
		gateway = rtnl_route_nh_get_via(hop);
	out = &answer->route->hops[answer->route->n_hops];
	out->ifindex = rtnl_route_nh_get_ifindex(hop);
	out->gateway = *answer->to;
	if (gateway != NULL) {
		if (nl_addr_get_len(gateway) != ip_len(answer->to))
			return; /* an IPv4 route through an IPv6 router (RFC 5549): not supported */
		memcpy(out->gateway.b, nl_addr_get_binary_addr(gateway), nl_addr_get_len(gateway));
	}
	answer->route->n_hops++;
}

static int route_take(struct nl_msg *msg, void *arg)
{
	struct route_answer *answer = arg;
	struct rtnl_route *route;
	uint32_t mtu;
	uint8_t type;

	if (nlmsg_hdr(msg)->nlmsg_type != RTM_NEWROUTE ||
	    rtnl_route_parse(nlmsg_hdr(msg), &route) != 0)
		return NL_OK;
	answer->seen = true;
	type = rtnl_route_get_type(route);
	answer->route->is_local = type == RTN_LOCAL;
	if (type == RTN_UNICAST)
		rtnl_route_foreach_nexthop(route, hop_add, answer);
	if (rtnl_route_get_metric(route, RTAX_MTU, &mtu) == 0)
		answer->route->mtu = mtu;
	rtnl_route_put(route);
	return NL_OK;
}

/* Send @msg (freed here) and give its one answer to @take. Return: 0 or a libnl error. */
static int ask(struct nl_underlay *underlay, struct nl_msg *msg,
	       int (*take)(struct nl_msg *msg, void *arg), void *arg)
{
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);
	int ret;

	if (cb == NULL) {
		nlmsg_free(msg);
		return -NLE_NOMEM;
	}
	nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, take, arg);
	ret = nl_send_auto(underlay->ask, msg);
	nlmsg_free(msg);
	if (ret >= 0)
		ret = nl_recvmsgs(underlay->ask, cb);
	nl_cb_put(cb);
	return ret < 0 ? ret : 0;
}

int nl_underlay_route(struct nl_underlay *underlay, const struct vxlan_ip *to,
		      struct nl_route *route)
{
	struct rtmsg header = {.rtm_family = (uint8_t)ip_family(to),
			       .rtm_dst_len = (uint8_t)(ip_len(to) * 8),
			       .rtm_flags = RTM_F_FIB_MATCH};
	struct route_answer answer = {.route = route, .to = to};
	struct nl_msg *msg = nlmsg_alloc_simple(RTM_GETROUTE, NLM_F_REQUEST);
	int ret;

	memset(route, 0, sizeof(*route));
	if (msg == NULL || nlmsg_append(msg, &header, sizeof(header), NLMSG_ALIGNTO) != 0 ||
	    nla_put(msg, RTA_DST, (int)ip_len(to), to->b) != 0) {
		nlmsg_free(msg);
		return -ENOMEM;
	}
	ret = ask(underlay, msg, route_take, &answer);
	if (ret != 0)
		return -ENETUNREACH;
	return answer.seen && (route->n_hops > 0 || route->is_local) ? 0 : -ENETUNREACH;
}

struct neighbour_answer {
	uint8_t mac[6];
	bool has_mac;
	int state;
};

static int neighbour_take(struct nl_msg *msg, void *arg)
{
	struct neighbour_answer *answer = arg;
	const struct ndmsg *header = nlmsg_data(nlmsg_hdr(msg));
	struct nlattr *mac;

	if (nlmsg_hdr(msg)->nlmsg_type != RTM_NEWNEIGH ||
	    nlmsg_datalen(nlmsg_hdr(msg)) < (int)sizeof(*header))
		return NL_OK;
	answer->state = header->ndm_state;
	mac = nlmsg_find_attr(nlmsg_hdr(msg), sizeof(*header), NDA_LLADDR);
	if (mac != NULL && nla_len(mac) == sizeof(answer->mac)) {
		memcpy(answer->mac, nla_data(mac), sizeof(answer->mac));
		answer->has_mac = true;
	}
	return NL_OK;
}

static struct nl_msg *neighbour_message(int type, int flags, const struct nl_hop *hop,
					uint8_t ndm_flags)
{
	struct ndmsg header = {.ndm_family = (uint8_t)ip_family(&hop->gateway),
			       .ndm_ifindex = hop->ifindex,
			       .ndm_flags = ndm_flags};
	struct nl_msg *msg = nlmsg_alloc_simple(type, flags);

	if (msg == NULL || nlmsg_append(msg, &header, sizeof(header), NLMSG_ALIGNTO) != 0 ||
	    nla_put(msg, NDA_DST, (int)ip_len(&hop->gateway), hop->gateway.b) != 0) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

enum nl_neighbour nl_underlay_neighbour(struct nl_underlay *underlay, const struct nl_hop *hop,
					uint8_t mac[6])
{
	struct neighbour_answer answer = {.state = NUD_NONE};
	struct nl_msg *msg = neighbour_message(RTM_GETNEIGH, NLM_F_REQUEST, hop, 0);
	bool usable;

	if (msg == NULL)
		return false;
	ask(underlay, msg, neighbour_take, &answer); /* none is an error, and leaves NUD_NONE */
	usable = answer.has_mac && (answer.state & NUD_USABLE) != 0;
	if (!usable || answer.state == NUD_STALE) {
		/* "Somebody wants to send there": the kernel resolves or probes, as it does for packets of its own. */
		msg = neighbour_message(RTM_NEWNEIGH, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_ACK, hop,
					NTF_USE);
		if (msg != NULL)
			ask(underlay, msg, answer_ignore, NULL);
	}
	memcpy(mac, answer.mac, 6);
	if (usable)
		return NL_NEIGHBOUR_USABLE;
	return (answer.state & NUD_FAILED) != 0 ? NL_NEIGHBOUR_FAILED : NL_NEIGHBOUR_UNKNOWN;
}

bool nl_underlay_has_address(struct nl_underlay *underlay, const struct vxlan_ip *address)
{
	struct nl_route route;

	return nl_underlay_route(underlay, address, &route) == 0 && route.is_local;
}
