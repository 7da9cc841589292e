/* SPDX-License-Identifier: BSD-3-Clause */
/* See erspan_port.h. tx runs on any worker; several may send at once, the kernel takes each packet whole. */
#include "erspan_port.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "vxlan/wire.h"

#define GRE_SEQUENCE   0x1000
#define GRE_ERSPAN_II  0x88be
#define GRE_ERSPAN_III 0x22eb
#define TAG_PRESERVED  3 /* En: the frame has its tag inside */
#define IOV_PER_FRAME  (3 + FRAME_SEGS_MAX)
#define DETAIL_REFUSED "the kernel refuses packets to the analyser: %s"

struct erspan_port {
	struct port port; /* first: see port.h */
	struct erspan_config config;
	int fd;
	struct sockaddr_storage to;
	socklen_t to_len;
	_Atomic uint32_t sequence;
	_Atomic int last_error; /* errno of the last packet, 0: it went */
};

struct batch {
	struct iovec iov[FRAME_BURST][IOV_PER_FRAME];
	struct mmsghdr msgs[FRAME_BURST];
	uint8_t headers[FRAME_BURST][ERSPAN_HEADER_MAX];
};

static struct erspan_port *erspan_of(struct port *port)
{
	return (struct erspan_port *)port;
}

static void erspan_close(struct port *port)
{
	struct erspan_port *erspan = erspan_of(port);

	close(erspan->fd);
	free(erspan);
}

static void erspan_status(struct port *port, struct port_status *status)
{
	int error = atomic_load_explicit(&erspan_of(port)->last_error, memory_order_relaxed);

	memset(status, 0, sizeof(*status));
	status->connected = true;
	status->running = true;
	status->n_queues = 1;
	if (error != 0)
		snprintf(status->detail, sizeof(status->detail), DETAIL_REFUSED, strerror(error));
}

uint32_t erspan_header(const struct erspan_config *config, const struct frame_out *out,
		       uint32_t sequence, uint64_t now_ns, uint8_t *to)
{
	const struct frame *f = out->f;
	bool is_tagged = false;
	uint8_t head[14];
	uint16_t type;

	if (frame_out_copy(out, head, sizeof(head)) == sizeof(head)) {
		type = wire_get16(head + 12);
		is_tagged = type == 0x8100 || type == 0x88a8;
	}
	wire_put16(to, GRE_SEQUENCE);
	wire_put16(to + 2, config->type == 2 ? GRE_ERSPAN_II : GRE_ERSPAN_III);
	wire_put32(to + 4, sequence);
	to += 8;
	/* version, VLAN; priority, (II: kind of tag), cut, session */
	wire_put16(to, (uint16_t)((config->type == 2 ? 1 : 2) << 12 | (f->vid & 0x0fff)));
	wire_put16(to + 2, (uint16_t)((f->prio & 0xe000) |
				      (is_tagged && config->type == 2 ? TAG_PRESERVED << 11 : 0) |
				      (f->is_cut ? 1 << 10 : 0) | config->session));
	if (config->type == 2) {
		wire_put32(to + 4, 0);
		return 16;
	}
	wire_put32(to + 4, (uint32_t)(now_ns / 100));
	wire_put16(to + 8, 0);
	wire_put16(to + 10, 1 << 15 | 1 << 1); /* P: an Ethernet frame; Gra: 100 ns */
	return 20;
}

static enum drop_reason drop_of(int error)
{
	return error == EAGAIN || error == ENOBUFS || error == ENOMEM ? DROP_NO_ROOM
								      : DROP_WRITE_FAILED;
}

static void prepare(struct erspan_port *erspan, struct batch *batch, uint16_t i,
		    const struct frame_out *out, uint64_t now_ns)
{
	const struct frame *f = out->f;
	struct iovec *iov = batch->iov[i];
	size_t n = 0;

	iov[n++] = (struct iovec){
		batch->headers[i],
		erspan_header(&erspan->config, out,
			      atomic_fetch_add_explicit(&erspan->sequence, 1, memory_order_relaxed),
			      now_ns, batch->headers[i])};
	if (out->prefix_len > 0)
		iov[n++] = (struct iovec){(void *)(uintptr_t)out->prefix, out->prefix_len};
	iov[n++] = (struct iovec){f->hdr + out->skip, (size_t)(f->hdr_len - out->skip)};
	for (uint16_t k = 0; k < f->n_segs && n < IOV_PER_FRAME; k++)
		iov[n++] = (struct iovec){(void *)(uintptr_t)f->segs[k].base, f->segs[k].len};
	batch->msgs[i].msg_hdr = (struct msghdr){.msg_name = &erspan->to,
						 .msg_namelen = erspan->to_len,
						 .msg_iov = iov,
						 .msg_iovlen = n};
}

static void erspan_tx(struct port *port, uint16_t queue, struct frame_out *outs, uint16_t n)
{
	static _Thread_local struct batch batch;
	struct erspan_port *erspan = erspan_of(port);
	struct timespec now;
	uint16_t done = 0;
	int error = 0;

	(void)queue;
	clock_gettime(CLOCK_MONOTONIC, &now);
	for (uint16_t i = 0; i < n; i++) {
		outs[i].drop = DROP_NONE;
		prepare(erspan, &batch, i, &outs[i],
			(uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec);
	}
	while (done < n) {
		int sent = sendmmsg(erspan->fd, batch.msgs + done, n - done, MSG_DONTWAIT);

		if (sent > 0) {
			done += (uint16_t)sent;
			continue;
		}
		/* The first of the rest was refused; the others get their own chance. */
		error = errno;
		outs[done++].drop = (uint8_t)drop_of(error);
	}
	atomic_store_explicit(&erspan->last_error, error, memory_order_relaxed);
}

/* What comes back is nobody's. */
static int deafen(int fd)
{
	struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog program = {.len = 1, .filter = &nothing};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

static int options_set(const struct erspan_port *erspan)
{
	int ttl = erspan->config.ttl, cut = IP_PMTUDISC_DONT, cut6 = IPV6_PMTUDISC_DONT;
	int fd = erspan->fd;

	if (deafen(fd) != 0)
		return -errno;
	if (erspan->config.remote.is_v6) {
		if (setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &ttl, sizeof(ttl)) != 0 ||
		    setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &cut6, sizeof(cut6)) != 0)
			return -errno;
		return 0;
	}
	if (setsockopt(fd, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl)) != 0 ||
	    setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &cut, sizeof(cut)) != 0)
		return -errno;
	return 0;
}

static const struct port_ops erspan_port_ops = {
	.type = "erspan",
	.close = erspan_close,
	.status = erspan_status,
	.tx = erspan_tx,
};

static void address_set(struct erspan_port *erspan)
{
	const struct vxlan_ip *remote = &erspan->config.remote;

	if (remote->is_v6) {
		struct sockaddr_in6 *to = (struct sockaddr_in6 *)&erspan->to;

		to->sin6_family = AF_INET6;
		memcpy(&to->sin6_addr, remote->b, 16);
		erspan->to_len = sizeof(*to);
	} else {
		struct sockaddr_in *to = (struct sockaddr_in *)&erspan->to;

		to->sin_family = AF_INET;
		memcpy(&to->sin_addr, remote->b, 4);
		erspan->to_len = sizeof(*to);
	}
}

int erspan_port_new(const struct port_spec *spec, const struct erspan_config *config,
		    struct port **out, struct err *err)
{
	struct erspan_port *erspan =
		aligned_alloc(64, (sizeof(*erspan) + 63) / 64 * 64); /* counters want lines */
	int rc;

	if (erspan == NULL)
		return err_set(err, ENOMEM, "port \"%s\": out of memory", spec->name);
	memset(erspan, 0, sizeof(*erspan));
	port_init(&erspan->port, &erspan_port_ops, spec);
	erspan->config = *config;
	address_set(erspan);
	erspan->fd = socket(config->remote.is_v6 ? AF_INET6 : AF_INET,
			    SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_GRE);
	rc = erspan->fd < 0 ? -errno : options_set(erspan);
	if (rc == 0) {
		*out = &erspan->port;
		return 0;
	}
	if (erspan->fd >= 0)
		close(erspan->fd);
	free(erspan);
	return err_set(err, -rc, "port \"%s\": cannot open a raw socket: %s%s", spec->name,
		       strerror(-rc),
		       rc == -EPERM ? "; run netloomd as root or with CAP_NET_RAW" : "");
}
