/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One BFD session, RFC 5880 §6, asynchronous mode: what it says and when, and what it makes of what it hears.
 *
 * A path may go on behind either end: it is whole only while both sessions are up and neither says that what is joined to its end is down
 * (§6.8.17). Time is handed in, packets are handed in and out: no clock, no socket, no timer. Pure; one thread at a time.
 */
#ifndef VXLAN_BFD_SESSION_H
#define VXLAN_BFD_SESSION_H

#include "bfd.h"

#define BFD_NEVER UINT64_MAX

/* Times are nanoseconds of one monotonic clock, intervals microseconds as in the packets. */
struct bfd_session {
	uint8_t state, remote_state; /* enum bfd_state */
	uint8_t diag, remote_diag;   /* why the state is what it is; what the other end said last */
	uint8_t mult, remote_mult;   /* detection multipliers */
	bool end_is_down;	     /* what is joined to our end is */
	bool is_heard;		     /* a packet was taken, ever */
	bool polling, owes_final;    /* §6.5 */
	bool remote_demand;	     /* it wants no periodic packets while both are up */
	uint32_t discr, remote_discr; /* ours; its, 0 while it is not known */
	uint32_t interval_us;	      /* as configured, both ways */
	uint32_t
		old_interval_us; /* of before, until the other end has heard of the new one; 0: none */
	uint32_t remote_rx_us;	      /* what it asks us not to go below; 0: send nothing */
	uint32_t remote_tx_us;	      /* what it means to send at */
	uint64_t sent_ns, send_at_ns; /* the last packet; the next one, BFD_NEVER */
	uint64_t expires_ns;	      /* when silence is a failure, BFD_NEVER */
	uint32_t detection_us;	      /* how long that is */
	uint32_t seed;		      /* of the jitter */
};

/**
 * bfd_session_init() - Down, and about to say so
 * @discr:	 ours: not 0, no other session's
 * @interval_us: between packets, both ways, while it is up; a second at least while it is not (§6.8.3)
 * @mult:	 so many missing ones are a failure, from 1
 * @end_is_down: what is joined to our end of the path is
 */
void bfd_session_init(struct bfd_session *session, uint32_t discr, uint32_t interval_us,
		      uint8_t mult, bool end_is_down, uint64_t now_ns);

/** bfd_session_change() - Other timers, without loss of the session: §6.8.3 */
void bfd_session_change(struct bfd_session *session, uint32_t interval_us, uint8_t mult,
			uint64_t now_ns);

/** bfd_session_end() - What is joined to our end is down, or is not any more: said at once */
void bfd_session_end(struct bfd_session *session, bool is_down, uint64_t now_ns);

/**
 * bfd_session_receive() - The rest of §6.8.6
 * @packet: as bfd_parse() took it
 *
 * Return: false for one that names another session than this, or none where it must: nothing has changed.
 */
bool bfd_session_receive(struct bfd_session *session, const struct bfd_packet *packet,
			 uint64_t now_ns);

/** bfd_session_expire() - Silence that has lasted for the detection time is a failure: §6.8.4. Nothing if it has not. */
void bfd_session_expire(struct bfd_session *session, uint64_t now_ns);

/** bfd_session_send() - The packet to send now, and when the next one is due: §6.8.7 */
void bfd_session_send(struct bfd_session *session, struct bfd_packet *packet, uint64_t now_ns);

/** bfd_session_leave() - The last packet of a session that is taken down on purpose */
void bfd_session_leave(const struct bfd_session *session, struct bfd_packet *packet);

/** bfd_session_interval_us() - Between our packets now */
uint32_t bfd_session_interval_us(const struct bfd_session *session);

/** bfd_session_is_whole() - Up at both ends, so that the other one has said how its side of the path is, and that is up too */
static inline bool bfd_session_is_whole(const struct bfd_session *session)
{
	return session->state == BFD_UP && session->remote_state == BFD_UP &&
	       session->remote_diag != BFD_DIAG_CONCATENATED &&
	       session->remote_diag != BFD_DIAG_REV_CONCATENATED;
}

/** bfd_session_next_ns() - When there is something to do: send or expire */
static inline uint64_t bfd_session_next_ns(const struct bfd_session *session)
{
	return session->send_at_ns < session->expires_ns ? session->send_at_ns
							 : session->expires_ns;
}

#endif
