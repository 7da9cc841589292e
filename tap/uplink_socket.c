/* SPDX-License-Identifier: BSD-3-Clause */
/* See uplink_socket.h. Control thread. */
#include "uplink_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

#define BUFFER_BYTES (8 << 20) /* bursts that arrive while the worker is elsewhere */

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Classic BPF; jumps count instructions. Offsets are from the Ethernet header. */
static int filter_attach(int fd, uint16_t udp_port)
{
	struct sock_filter code[] = {
		/* 0 */ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_PKTTYPE),
		/* 1 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_HOST, 0, 14),
		/* 2 */ BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
		/* 3 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 0, 7),
		/* 4: IPv4 */ BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 14 + 9),
		/* 5 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 10),
		/* 6 */ BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 14 + 6),
		/* 7 */ BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x1fff, 8, 0),
		/* 8 */ BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 14),
		/* 9 */ BPF_STMT(BPF_LD | BPF_H | BPF_IND, 14 + 2),
		/* 10 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, udp_port, 6, 5),
		/* 11 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IPV6, 0, 4),
		/* 12: IPv6 */ BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 14 + 6),
		/* 13 */ BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 2),
		/* 14 */ BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 14 + 40 + 2),
		/* 15: compares once more */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, udp_port, 1, 0),
		/* 16 */ BPF_STMT(BPF_RET | BPF_K, 0),
		/* 17 */ BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	struct sock_fprog program = {.len = ARRAY_LEN(code), .filter = code};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

int uplink_socket_packet(uint16_t udp_port, int *out, struct err *err)
{
	const int on = 1, bytes = BUFFER_BYTES;
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int error;

	if (fd < 0)
		return err_set(err, errno, "cannot open a packet socket: %s%s", strerror(errno),
			       errno == EPERM ? "; run netloomd as root or with CAP_NET_RAW" : "");
	if (filter_attach(fd, udp_port) != 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) != 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) != 0) {
		error = errno;
		close(fd);
		return err_set(err, error, "cannot set up a packet socket: %s", strerror(error));
	}
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) != 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) != 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	*out = fd;
	return 0;
}

int uplink_socket_bind(int fd, int ifindex, uint16_t protocol)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ifindex != 0 ? protocol : 0),
		.sll_ifindex = ifindex,
	};

	return bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 ? 0 : -errno;
}

void uplink_socket_recover(int fd)
{
	socklen_t len = sizeof(int);
	int error;

	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
}

static int udp_bind(int fd, const struct vxlan_ip *address, uint16_t udp_port)
{
	struct sockaddr_in in4 = {.sin_family = AF_INET, .sin_port = htons(udp_port)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(udp_port)};
	const int on = 1;

	if (address->is_v6) {
		memcpy(&in6.sin6_addr, address->b, 16);
		if (setsockopt(fd, SOL_IPV6, IPV6_V6ONLY, &on, sizeof(on)) != 0 ||
		    setsockopt(fd, SOL_IPV6, IPV6_FREEBIND, &on, sizeof(on)) != 0)
			return -1;
		return bind(fd, (struct sockaddr *)&in6, sizeof(in6));
	}
	memcpy(&in4.sin_addr, address->b, 4);
	if (setsockopt(fd, SOL_IP, IP_FREEBIND, &on, sizeof(on)) != 0)
		return -1;
	return bind(fd, (struct sockaddr *)&in4, sizeof(in4));
}

int uplink_socket_udp(const struct vxlan_ip *address, uint16_t udp_port, int *out, struct err *err)
{
	struct sock_filter drop[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
	struct sock_fprog program = {.len = 1, .filter = drop};
	int family = address->is_v6 ? AF_INET6 : AF_INET, error;
	const int on = 1;
	char text[INET6_ADDRSTRLEN];
	int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	inet_ntop(family, address->b, text, sizeof(text));
	if (fd < 0)
		return err_set(err, errno, "cannot open a UDP socket: %s", strerror(errno));
	/* A row of datagrams is thrown away as it is, rather than cut for a socket that wants none of them. */
	if (setsockopt(fd, SOL_UDP, UDP_GRO, &on, sizeof(on)) != 0)
		log_debug("no UDP_GRO: %s", strerror(errno));
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) == 0 &&
	    udp_bind(fd, address, udp_port) == 0) {
		*out = fd;
		return 0;
	}
	error = errno;
	close(fd);
	if (error == EADDRINUSE)
		return err_set(err, error,
			       "UDP port %u of %s is in use: another netloomd or a kernel VXLAN "
			       "device of this host has it; stop it or choose another udp_port",
			       udp_port, text);
	return err_set(err, error, "cannot take UDP port %u of %s: %s", udp_port, text,
		       strerror(error));
}

int uplink_socket_udp_all(const struct uplink_config *config, int *fds, uint8_t *n, struct err *err)
{
	for (*n = 0; *n < config->n_locals; (*n)++) {
		int ret = uplink_socket_udp(&config->locals[*n], config->udp_port, &fds[*n], err);

		if (ret != 0)
			return ret;
	}
	return 0;
}
