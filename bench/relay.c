/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Part of bench/overlay tcp: what nothing in user space that joins two interfaces can do better than. One thread reads a
 * frame, up to 64 KiB of TCP that nobody has cut or summed, into one buffer that stays in its cache, and writes the same
 * bytes to the other interface. There is no switch, no VXLAN and no checksum.
 *
 * usage: relay [-t | -y] [-n] INTERFACE INTERFACE; says "ready" when it has both, and works until it is killed
 * INTERFACE: a TAP interface to be made; or one that is there, through a packet socket: packet:NAME, or ring:NAME with
 * frames in memory shared with the kernel: one call and one copy less for what is sent, no call for what is received;
 * rxring:NAME only receives so
 *
 * -t: two threads for each direction, one that reads and one that writes, with buffers between them
 * -y: never sleeps, and gives the CPU away when there is nothing to do: nobody has to wake it
 * -n: the kernel takes what is written to TAP interfaces through NAPI (IFF_NAPI)
 *
 * A ring is no way to be had for real: a veth gives the memory of a sent frame back before its other end has read it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <arpa/inet.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUFFER_BYTES   (8 << 20) /* as netloomd's */
#define FRAMES_IN_TURN 2	 /* before the other direction is looked at */
#define FRAME_BYTES    (sizeof(struct virtio_net_hdr) + 65535 + 64)
#define LANE_FRAMES    8

/* A ring's frames: a header, and where those that are to be sent begin. */
#define RING_FRAME_BYTES (128 << 10)
#define RING_FRAMES	 64
#define RING_BYTES	 ((size_t)RING_FRAMES * RING_FRAME_BYTES)
#define RING_TX_OFFSET	 (TPACKET2_HDRLEN - sizeof(struct sockaddr_ll))

struct side {
	int fd;
	uint8_t *rx_ring, *tx_ring; /* NULL: calls */
	uint32_t rx_next, tx_next;
};

static uint8_t buffer[FRAME_BYTES];

/* One direction with two threads. */
struct lane {
	struct side *from, *to;
	sem_t full, empty;
	size_t len[LANE_FRAMES];
	uint8_t frames[LANE_FRAMES][FRAME_BYTES];
};

static void refuse(const char *name)
{
	fprintf(stderr, "relay: %s: %s\n", name, strerror(errno));
	exit(1);
}

static int tap_open(const char *name, short flags)
{
	struct ifreq ifr = {.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | flags)};
	unsigned long offloads = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr) != 0 || ioctl(fd, TUNSETOFFLOAD, offloads) != 0)
		refuse(name);
	return fd;
}

/* Receiving ring first, then the sending one, in one mapping. */
static void rings_open(struct side *side, const char *name, bool sends)
{
	const struct tpacket_req ring = {.tp_block_size = RING_FRAME_BYTES,
					 .tp_block_nr = RING_FRAMES,
					 .tp_frame_size = RING_FRAME_BYTES,
					 .tp_frame_nr = RING_FRAMES};
	const int version = TPACKET_V2;

	if (setsockopt(side->fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) != 0 ||
	    setsockopt(side->fd, SOL_PACKET, PACKET_RX_RING, &ring, sizeof(ring)) != 0 ||
	    (sends && setsockopt(side->fd, SOL_PACKET, PACKET_TX_RING, &ring, sizeof(ring)) != 0))
		refuse(name);
	side->rx_ring = mmap(NULL, sends ? 2 * RING_BYTES : RING_BYTES, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_POPULATE, side->fd, 0);
	if (side->rx_ring == MAP_FAILED)
		refuse(name);
	if (sends)
		side->tx_ring = side->rx_ring + RING_BYTES;
}

static void packet_open(struct side *side, const char *name, bool ring_rx, bool ring_tx)
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET,
				      .sll_protocol = htons(ETH_P_ALL),
				      .sll_ifindex = (int)if_nametoindex(name)};
	const int on = 1, bytes = BUFFER_BYTES;
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	side->fd = fd;
	if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) != 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) != 0)
		refuse(name);
	if (ring_rx)
		rings_open(side, name, ring_tx);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		refuse(name);
}

static void side_open(struct side *side, const char *name, short tap_flags)
{
	const char *colon = strchr(name, ':');

	if (colon == NULL)
		side->fd = tap_open(name, tap_flags);
	else
		packet_open(side, colon + 1, *name == 'r', strncmp(name, "ring", 4) == 0);
}

static struct tpacket2_hdr *ring_frame(uint8_t *ring, uint32_t number)
{
	return (struct tpacket2_hdr *)(void *)(ring +
					       (size_t)(number % RING_FRAMES) * RING_FRAME_BYTES);
}

/* Where the next frame for @to is best written. Return: NULL if its ring is full. */
static uint8_t *place(const struct side *to)
{
	struct tpacket2_hdr *hdr;

	if (to->tx_ring == NULL)
		return buffer;
	hdr = ring_frame(to->tx_ring, to->tx_next);
	if ((__atomic_load_n(&hdr->tp_status, __ATOMIC_ACQUIRE) &
	     (TP_STATUS_SEND_REQUEST | TP_STATUS_SENDING)) != 0)
		return NULL;
	return (uint8_t *)hdr + RING_TX_OFFSET;
}

/* A frame, which is at *frame then: @where, or the ring, until done(). Return: its length, <= 0: there is none. */
static ssize_t get(struct side *from, uint8_t *where, uint8_t **frame)
{
	struct tpacket2_hdr *hdr;

	*frame = where;
	if (from->rx_ring == NULL)
		return read(from->fd, where, FRAME_BYTES);
	hdr = ring_frame(from->rx_ring, from->rx_next);
	if ((__atomic_load_n(&hdr->tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER) == 0)
		return 0;
	*frame = (uint8_t *)hdr + hdr->tp_mac - sizeof(struct virtio_net_hdr);
	return (ssize_t)(hdr->tp_snaplen + sizeof(struct virtio_net_hdr));
}

static void done(struct side *from)
{
	if (from->rx_ring != NULL)
		__atomic_store_n(&ring_frame(from->rx_ring, from->rx_next++)->tp_status,
				 TP_STATUS_KERNEL, __ATOMIC_RELEASE);
}

/* What the other interface does not take is lost, as on any link. */
static void put(struct side *to, const uint8_t *frame, size_t len)
{
	struct tpacket2_hdr *hdr;

	if (to->tx_ring == NULL) {
		if (write(to->fd, frame, len) < 0 && errno == EBADFD)
			exit(0);
		return;
	}
	hdr = ring_frame(to->tx_ring, to->tx_next++);
	hdr->tp_len = (uint32_t)len;
	__atomic_store_n(&hdr->tp_status, TP_STATUS_SEND_REQUEST, __ATOMIC_RELEASE);
	if (send(to->fd, NULL, 0, MSG_DONTWAIT) < 0 && errno == EBADFD)
		exit(0);
}

/* Return: whether anything was there. */
static bool move(struct side *from, struct side *to)
{
	int n = 0;

	for (; n < FRAMES_IN_TURN; n++) {
		uint8_t *where = place(to), *frame;
		ssize_t len = where != NULL ? get(from, where, &frame) : 0;

		if (len <= 0)
			break;
		put(to, frame, (size_t)len);
		done(from);
	}
	return n > 0;
}

/* Ends the program when an interface is gone. */
static void wait_for_frames(struct side *sides, int n, int timeout_ms)
{
	struct pollfd fds[2] = {{.fd = sides[0].fd, .events = POLLIN},
				{.fd = sides[n - 1].fd, .events = POLLIN}};

	if (poll(fds, (nfds_t)n, timeout_ms) > 0 &&
	    ((fds[0].revents | fds[1].revents) & POLLERR) != 0)
		exit(0);
}

static void *lane_read(void *arg)
{
	struct lane *lane = arg;

	for (uint32_t i = 0;; i = (i + 1) % LANE_FRAMES) {
		ssize_t len;

		sem_wait(&lane->empty);
		while ((len = read(lane->from->fd, lane->frames[i], FRAME_BYTES)) <= 0)
			wait_for_frames(lane->from, 1, -1);
		lane->len[i] = (size_t)len;
		sem_post(&lane->full);
	}
	return NULL;
}

static void *lane_write(void *arg)
{
	struct lane *lane = arg;

	for (uint32_t i = 0;; i = (i + 1) % LANE_FRAMES) {
		sem_wait(&lane->full);
		put(lane->to, lane->frames[i], lane->len[i]);
		sem_post(&lane->empty);
	}
	return NULL;
}

static void work_with_threads(struct side *sides)
{
	static struct lane lanes[2];
	pthread_t thread;

	for (int i = 0; i < 2; i++) {
		lanes[i].from = &sides[i];
		lanes[i].to = &sides[1 - i];
		sem_init(&lanes[i].full, 0, 0);
		sem_init(&lanes[i].empty, 0, LANE_FRAMES);
		if (pthread_create(&thread, NULL, lane_read, &lanes[i]) != 0 ||
		    pthread_create(&thread, NULL, lane_write, &lanes[i]) != 0)
			refuse("threads");
	}
	for (;;)
		pause();
}

static void work(struct side *sides, bool sleeps)
{
	uint32_t n_idle = 0;

	for (;;) {
		bool moved = move(&sides[0], &sides[1]);

		moved |= move(&sides[1], &sides[0]);
		if (moved)
			continue;
		if (sleeps) {
			wait_for_frames(sides, 2, -1);
			continue;
		}
		sched_yield();
		if (++n_idle % 1024 == 0)
			wait_for_frames(sides, 2, 0);
	}
}

int main(int argc, char **argv)
{
	struct side sides[2] = {{.fd = -1}, {.fd = -1}};
	bool threads = false, sleeps = true;
	short tap_flags = 0;
	int option;

	while ((option = getopt(argc, argv, "tyn")) > 0) {
		threads |= option == 't';
		sleeps &= option != 'y';
		tap_flags |= option == 'n' ? IFF_NAPI : 0;
		if (option == '?')
			return 2;
	}
	if (argc != optind + 2) {
		fprintf(stderr, "usage: relay [-t | -y] [-n] INTERFACE INTERFACE\n");
		return 2;
	}
	side_open(&sides[0], argv[optind], tap_flags);
	side_open(&sides[1], argv[optind + 1], tap_flags);
	puts("ready");
	fflush(stdout);
	if (threads)
		work_with_threads(sides);
	work(sides, sleeps);
	return 0;
}
