/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Between the traffic microguest and who measures: the file of --shared. tests/guests/traffic.py has the same in Python.
 *
 * The guest sets @magic when its cards run. The host fills in the cards' orders and @run, then sets @wanted to a number
 * other than before. With TRAFFIC_RUN the guest clears its counters and begins; without, it stops and the counters stand
 * still; either way it then sets @taken to that number. TRAFFIC_GO may be added to @run at any time, when all guests of a
 * trial have begun, and taken away again: what is on its way is still received and judged. Frames carry the low bits of the number that they were sent under: give all guests the same.
 *
 * For latencies that shall not be the machine's, time from TRAFFIC_GO on is cut into windows of @window_cycles, each with a histogram of
 * the frames that came in it, and each round over the cards that took longer than @break_cycles,
 * and @frame_cycles for each of its frames, is noted: the CPU was somebody else's. What a generator should have sent meanwhile, or while
 * there was no room, is then never sent: else it would burst, and make the latency that is to be measured.
 */
#ifndef GUESTS_TRAFFIC_H
#define GUESTS_TRAFFIC_H

#include <stdint.h>

#define TRAFFIC_MAGIC	 0x3263666172746c6eULL
#define TRAFFIC_NICS_MAX 32
#define TRAFFIC_BUCKETS	 1024 /* of the latency histogram: 16 to each power of 2 of TSC cycles */
#define TRAFFIC_STREAMS	 256
#define TRAFFIC_BREAKS	 16384
#define TRAFFIC_WINDOW_BUCKETS                                                                     \
	512 /* the first of TRAFFIC_BUCKETS: seconds; the last has all that is longer */

/* What a card does; REFLECT and FORWARD stand alone. FORWARD: out of its neighbour (0 and 1, 2 and 3...), as @src to @dst. */
#define TRAFFIC_GENERATE 1U
#define TRAFFIC_SINK	 2U
#define TRAFFIC_REFLECT	 4U
#define TRAFFIC_LATENCY	 8U  /* SINK fills the histogram */
#define TRAFFIC_CONTENT	 16U /* GENERATE fills the payload with a pattern, SINK compares it */
#define TRAFFIC_IMIX	 32U /* GENERATE 28 x 64, 16 x 570, 4 x 1518 in turn, instead of @size */
#define TRAFFIC_RANDOM	 64U /* GENERATE addresses and flows at random instead of in turn */
#define TRAFFIC_FORWARD	 128U

/* @run */
#define TRAFFIC_RUN  1U
#define TRAFFIC_QUIT 2U
#define TRAFFIC_LAZY 4U /* who has nothing to do leaves the CPU for 20 ms: many guests on few */
#define TRAFFIC_GO   8U /* generators may send; without it only receivers work */

struct traffic_orders {
	uint32_t role;
	uint32_t size;		     /* bytes, FCS included: 64 means 60 in memory */
	uint32_t flows;		     /* UDP source ports, from 1 on */
	uint32_t src_macs, dst_macs; /* so many addresses, counted up from @src and @dst; 0 is 1 */
	uint32_t vlan;		     /* 0: untagged */
	uint32_t stream;	     /* 0 to 255: whose sequence numbers these are */
	uint32_t burst;		     /* frames at once, 1 to 256; 0: 64 */
	uint64_t interval; /* TSC cycles from frame to frame, times 256; 0: as fast as it goes */
	uint64_t count;	   /* frames to send; 0: until stopped */
	uint8_t src[8], dst[8]; /* MAC addresses; the last two bytes are 0 */
};

struct traffic_counters {
	uint64_t tx, tx_bytes; /* without FCS */
	uint64_t tx_full;      /* looks at a ring with no room */
	uint64_t rx, rx_bytes;
	uint64_t lost;		      /* never seen, as far as the newest sequence number tells */
	uint64_t late, twice;	      /* out of order; seen before */
	uint64_t corrupt;	      /* the payload is not what was sent */
	uint64_t foreign;	      /* not of a generator */
	uint64_t stray;		      /* unicast, to an address that is not the card\'s */
	uint64_t first_tsc, last_tsc; /* of the frames received */
	uint64_t tx_first_tsc, tx_last_tsc;
	uint64_t delay_cycles;	/* LATENCY: sum over the frames received, of TSC cycles ... */
	uint64_t delay_squares; /* ... and of squares, in units of 1024 cycles */
};

struct traffic_nic {
	uint8_t mac[8];
	uint64_t features;
	struct traffic_orders orders;
	struct traffic_counters counters;
	uint64_t histogram[TRAFFIC_BUCKETS];
};

struct traffic_break {
	uint64_t until, cycles; /* TSC; without @frame_cycles for each frame */
};

struct traffic_window {
	uint32_t histogram[TRAFFIC_WINDOW_BUCKETS];
};

struct traffic_shared {
	uint64_t magic;
	uint32_t n_nics, bytes;
	uint64_t tsc_khz;
	uint32_t wanted, run;
	uint32_t taken;
	uint32_t n_windows; /* for which there is room in the file */
	uint64_t loops, idle_loops;
	uint64_t busy_cycles,
		idle_cycles; /* of rounds in which something was sent or received, and of the others */
	uint64_t stolen_cycles; /* of rounds so long that somebody else must have had the CPU */
	uint64_t break_cycles, frame_cycles,
		window_cycles; /* the host's; 0: no breaks, no windows */
	uint64_t windows_from; /* TSC at which the first began */
	uint64_t n_breaks;     /* of which the first TRAFFIC_BREAKS are told */
	struct traffic_break breaks[TRAFFIC_BREAKS];
	struct traffic_nic nics[TRAFFIC_NICS_MAX];
	struct traffic_window windows[]; /* as many as there is room for */
};

#endif
