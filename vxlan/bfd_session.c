/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * See bfd_session.h. What changes is said at once instead of when the next packet is due, as §6.8.7 recommends, but never twice within
 * GAP_NS: nobody makes us send faster than that.
 */
#include "bfd_session.h"

#include <string.h>

#define NS_PER_US  1000
#define SLOW_US	   1000000 /* while it is not up: §6.8.3 */
#define GAP_NS	   10000000
#define MULT_ALONE 1

static uint32_t max_us(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

/* What we tell of ourselves. */
static uint32_t desired_tx_us(const struct bfd_session *session)
{
	return session->state == BFD_UP ? session->interval_us
					: max_us(session->interval_us, SLOW_US);
}

/* A longer interval counts only when the other end knows of it. */
static uint32_t sending_us(const struct bfd_session *session)
{
	uint32_t us = desired_tx_us(session);

	if (session->state == BFD_UP && session->old_interval_us != 0 &&
	    session->old_interval_us < us)
		us = session->old_interval_us;
	return us;
}

uint32_t bfd_session_interval_us(const struct bfd_session *session)
{
	return max_us(sending_us(session), session->remote_rx_us);
}

/* A quarter less at most, so that sessions do not fall into step; with a multiplier of 1 a tenth less at least. */
static uint64_t jittered_ns(struct bfd_session *session, uint32_t us)
{
	uint64_t ns = (uint64_t)us * NS_PER_US, most = ns;

	session->seed = session->seed * 1664525 + 1013904223;
	if (session->mult == MULT_ALONE)
		most -= ns / 10;
	return ns - ns / 4 + (most - (ns - ns / 4)) * (session->seed >> 16) / 0xffff;
}

/* After anything that changes how often we send; keeps a packet that is due earlier. */
static void schedule(struct bfd_session *session, uint64_t now_ns)
{
	bool wanted = session->remote_rx_us != 0 &&
		      !(session->remote_demand && session->state == BFD_UP &&
			session->remote_state == BFD_UP && !session->polling);
	uint64_t at = now_ns + jittered_ns(session, bfd_session_interval_us(session));

	if (!wanted)
		session->send_at_ns = BFD_NEVER;
	else if (at < session->send_at_ns)
		session->send_at_ns = at;
}

static void send_soon(struct bfd_session *session, uint64_t now_ns)
{
	uint64_t at = session->sent_ns + GAP_NS > now_ns ? session->sent_ns + GAP_NS : now_ns;

	if (at < session->send_at_ns)
		session->send_at_ns = at;
}

static void state_set(struct bfd_session *session, uint8_t state, uint8_t diag, uint64_t now_ns)
{
	session->state = state;
	session->diag = diag;
	/* Our interval is another one now: §6.8.3. */
	session->polling = state == BFD_UP && session->interval_us < SLOW_US;
	session->old_interval_us = 0;
	schedule(session, now_ns);
	send_soon(session, now_ns);
}

void bfd_session_init(struct bfd_session *session, uint32_t discr, uint32_t interval_us,
		      uint8_t mult, bool end_is_down, uint64_t now_ns)
{
	memset(session, 0, sizeof(*session));
	session->state = session->remote_state = BFD_DOWN;
	session->discr = discr;
	session->seed = discr;
	session->interval_us = interval_us;
	session->mult = mult;
	session->end_is_down = end_is_down;
	session->remote_rx_us = 1; /* §6.8.1 */
	session->expires_ns = BFD_NEVER;
	session->send_at_ns = now_ns;
}

void bfd_session_change(struct bfd_session *session, uint32_t interval_us, uint8_t mult,
			uint64_t now_ns)
{
	if (interval_us != session->interval_us && session->state == BFD_UP) {
		if (session->old_interval_us == 0)
			session->old_interval_us = session->interval_us;
		session->polling = true;
	}
	session->interval_us = interval_us;
	session->mult = mult;
	schedule(session, now_ns);
	send_soon(session, now_ns);
}

void bfd_session_end(struct bfd_session *session, bool is_down, uint64_t now_ns)
{
	if (session->end_is_down == is_down)
		return;
	session->end_is_down = is_down;
	if (session->state == BFD_UP)
		send_soon(session, now_ns);
}

/* §6.8.6's state machine. */
static void state_step(struct bfd_session *session, uint8_t heard, uint64_t now_ns)
{
	if (heard == BFD_ADMIN_DOWN) {
		if (session->state != BFD_DOWN)
			state_set(session, BFD_DOWN, BFD_DIAG_NEIGHBOUR, now_ns);
	} else if (session->state == BFD_DOWN) {
		if (heard == BFD_DOWN)
			state_set(session, BFD_INIT, BFD_DIAG_NONE, now_ns);
		else if (heard == BFD_INIT)
			state_set(session, BFD_UP, BFD_DIAG_NONE, now_ns);
	} else if (session->state == BFD_INIT) {
		if (heard == BFD_INIT || heard == BFD_UP)
			state_set(session, BFD_UP, BFD_DIAG_NONE, now_ns);
	} else if (heard == BFD_DOWN) {
		state_set(session, BFD_DOWN, BFD_DIAG_NEIGHBOUR, now_ns);
	}
}

/* §6.8.4: by its multiplier, and the slower of what it means to send and of what we take. */
static void expect(struct bfd_session *session, uint64_t now_ns)
{
	uint64_t us = max_us(max_us(session->interval_us, session->old_interval_us),
			     session->remote_tx_us);

	us *= session->remote_mult;
	session->detection_us = us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
	session->expires_ns = now_ns + us * NS_PER_US;
}

bool bfd_session_receive(struct bfd_session *session, const struct bfd_packet *packet,
			 uint64_t now_ns)
{
	if (packet->your_discr != 0 && packet->your_discr != session->discr)
		return false;
	session->is_heard = true;
	session->remote_discr = packet->my_discr;
	session->remote_state = packet->state;
	session->remote_diag = packet->diag;
	session->remote_demand = packet->demand;
	session->remote_rx_us = packet->required_rx_us;
	session->remote_tx_us = packet->desired_tx_us;
	session->remote_mult = packet->detect_mult;
	if (packet->final && session->polling) {
		session->polling = false;
		session->old_interval_us = 0;
	}
	state_step(session, packet->state, now_ns);
	expect(session, now_ns);
	schedule(session, now_ns);
	if (packet->poll) {
		session->owes_final = true;
		send_soon(session, now_ns);
	}
	return true;
}

void bfd_session_expire(struct bfd_session *session, uint64_t now_ns)
{
	if (now_ns < session->expires_ns)
		return;
	session->expires_ns = BFD_NEVER;
	session->remote_discr = 0; /* §6.8.1 */
	session->remote_rx_us = 1;
	session->remote_demand = false;
	if (session->state == BFD_INIT || session->state == BFD_UP)
		state_set(session, BFD_DOWN, BFD_DIAG_EXPIRED, now_ns);
	else
		schedule(session, now_ns);
}

void bfd_session_send(struct bfd_session *session, struct bfd_packet *packet, uint64_t now_ns)
{
	*packet = (struct bfd_packet){
		.state = session->state,
		.diag = session->diag,
		.final = session->owes_final,
		.poll = session->polling && !session->owes_final,
		.detect_mult = session->mult,
		.my_discr = session->discr,
		.your_discr = session->remote_discr,
		.desired_tx_us = desired_tx_us(session),
		.required_rx_us = session->interval_us,
	};
	if (session->state == BFD_UP && session->end_is_down)
		packet->diag = BFD_DIAG_CONCATENATED;
	session->owes_final = false;
	session->sent_ns = now_ns;
	session->send_at_ns = BFD_NEVER;
	schedule(session, now_ns);
}

void bfd_session_leave(const struct bfd_session *session, struct bfd_packet *packet)
{
	*packet = (struct bfd_packet){
		.state = BFD_ADMIN_DOWN,
		.diag = BFD_DIAG_ADMIN,
		.detect_mult = session->mult,
		.my_discr = session->discr,
		.your_discr = session->remote_discr,
		.desired_tx_us = max_us(session->interval_us, SLOW_US),
		.required_rx_us = session->interval_us,
	};
}
