/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The traffic microguest: each of its cards generates, receives and judges, or reflects frames, as the host orders
 * through shared memory (traffic.h). One guest with several cards on one CPU beats several guests that share it.
 *
 * It must not be what limits a benchmark, and says so when it is: the time of rounds in which something was sent or received
 * is counted apart from that of rounds in which there was neither room nor frames (@busy_cycles, @idle_cycles).
 *
 * --append ring=N (256) buffer=BYTES (2048: for frames up to that) cards=N (all)
 */
#include "traffic_card.h"

#define BURST_DEFAULT 64
#define LAZY_WAIT     200 /* tenths of a millisecond */
#define STOPPED_WAIT  50
#define DOORBELLS     16	 /* rounds after which sleeping switches are woken at the latest */
#define STOLEN	      (1U << 18) /* cycles: no round takes so long, somebody else had the CPU */

static struct card cards[TRAFFIC_NICS_MAX];
static unsigned int n_cards;
static struct traffic_shared *shared;
static uint64_t break_cycles;

/* Where frames of @card leave again; NULL when they end here. */
static struct card *way_out(struct card *card)
{
	if (card->orders.role & TRAFFIC_REFLECT)
		return card;
	if (!(card->orders.role & TRAFFIC_FORWARD))
		return NULL;
	return &cards[(card - cards) ^ 1];
}

/* The host's orders are as hostile as a guest's frames: what would lead us astray is made harmless. */
static void orders_take(struct card *card, uint32_t epoch)
{
	struct traffic_orders *orders = &card->orders;

	*orders = card->shared->orders;
	if (orders->size < 64)
		orders->size = 64;
	if (orders->size - FCS > card->nic.tx.buffer_bytes - NIC_VNET)
		orders->size = card->nic.tx.buffer_bytes - NIC_VNET + FCS;
	if (card->nic.tx.buffer_bytes - NIC_VNET < 1518)
		orders->role &= ~TRAFFIC_IMIX;
	if (orders->burst == 0 || orders->burst > BURST_MAX)
		orders->burst = BURST_DEFAULT;
	if (orders->burst > card->nic.tx.size)
		orders->burst = card->nic.tx.size;
	if (orders->flows > 60000)
		orders->flows = 60000;
	orders->stream %= TRAFFIC_STREAMS;
	orders->vlan &= 0xfff;
	if (((unsigned int)(card - cards) ^ 1) >= n_cards)
		orders->role &= ~TRAFFIC_FORWARD;
	memset(&card->shared->counters, 0, sizeof(card->shared->counters));
	memset(card->shared->histogram, 0, sizeof(card->shared->histogram));
	memset(card->streams, 0, sizeof(card->streams));
	card->mark = (uint8_t)(STAMP_MARK | (epoch & 15));
	card->out = way_out(card);
	card->unprepared = card->nic.tx.size;
	card->sequence = card->waited = 0;
	card->forgets = shared->break_cycles != 0;
	card->src_at = card->dst_at = card->flow_at = 0;
	card->random = UINT64_C(0x9e3779b97f4a7c15) + orders->stream;
}

static void windows_clear(void)
{
	uint64_t cycles = shared->window_cycles;

	traffic_windows.now_in = NULL;
	traffic_windows.cycles = cycles;
	for (uint32_t i = 0; cycles && i < shared->n_windows; i++)
		memset(&shared->windows[i], 0, sizeof(shared->windows[i]));
}

static void windows_begin(uint64_t now)
{
	if (!traffic_windows.cycles || !shared->n_windows)
		return;
	shared->windows_from = now;
	traffic_windows.end = now + traffic_windows.cycles;
	traffic_windows.now_in = shared->windows;
	traffic_windows.limit = shared->windows + shared->n_windows;
}

static uint32_t epoch_begin(uint32_t wanted)
{
	uint32_t run = __atomic_load_n(&shared->run, __ATOMIC_ACQUIRE);

	if (run & TRAFFIC_QUIT)
		guest_end(0);
	if (run & TRAFFIC_RUN) {
		for (unsigned int i = 0; i < n_cards; i++)
			orders_take(&cards[i], wanted);
		shared->loops = shared->idle_loops = 0;
		shared->busy_cycles = shared->idle_cycles = shared->stolen_cycles = 0;
		shared->n_breaks = 0;
		break_cycles = shared->break_cycles ? shared->break_cycles : UINT64_MAX;
		windows_clear();
	}
	__atomic_store_n(&shared->taken, wanted, __ATOMIC_RELEASE);
	return run;
}

static uint32_t cards_work(bool going)
{
	uint32_t n = 0;

	for (unsigned int i = 0; i < n_cards; i++) {
		n += traffic_receive(&cards[i]);
		if (going && cards[i].orders.role & TRAFFIC_GENERATE)
			n += traffic_send(&cards[i]);
	}
	if (n == 0 || shared->loops % DOORBELLS == 0)
		for (unsigned int i = 0; i < n_cards; i++)
			nic_doorbells(&cards[i].nic);
	return n;
}

static void break_note(uint64_t until, uint64_t cycles)
{
	if (shared->n_breaks < TRAFFIC_BREAKS)
		shared->breaks[shared->n_breaks] = (struct traffic_break){until, cycles};
	shared->n_breaks++;
	for (unsigned int i = 0; i < n_cards; i++)
		cards[i].due += cycles << 8;
}

/* What a round has taken goes to one of three accounts. Return: now */
static uint64_t account(uint64_t since, uint32_t n)
{
	uint64_t now = guest_tsc(), took = now - since, due = n * shared->frame_cycles;

	shared->loops++;
	if (__builtin_expect(took > break_cycles, 0) && took > due + break_cycles)
		break_note(now, took - due);
	shared->idle_loops += n == 0;
	if (took > STOLEN)
		shared->stolen_cycles += took;
	else if (n)
		shared->busy_cycles += took;
	else
		shared->idle_cycles += took;
	return now;
}

static void __attribute__((noreturn)) work(void)
{
	uint32_t taken = 0, run = 0;
	uint64_t since = 0;
	bool going = false, go;

	for (;;) {
		uint32_t wanted = __atomic_load_n(&shared->wanted, __ATOMIC_ACQUIRE), n;

		if (wanted != taken) {
			run = epoch_begin(wanted);
			taken = wanted;
			going = false;
			since = guest_tsc();
		}
		if (!(run & TRAFFIC_RUN)) {
			guest_wait(STOPPED_WAIT);
			continue;
		}
		go = __atomic_load_n(&shared->run, __ATOMIC_ACQUIRE) & TRAFFIC_GO;
		if (go && !going) {
			windows_begin(guest_tsc());
			for (unsigned int i = 0; i < n_cards; i++)
				cards[i].due = guest_tsc() << 8;
		}
		going = go;
		n = cards_work(going);
		since = account(since, n);
		if (n == 0 && run & TRAFFIC_LAZY)
			guest_wait(LAZY_WAIT);
	}
}

void start(const struct microguest_params *params)
{
	unsigned int n_max;

	guest_init(params);
	shared = (struct traffic_shared *)params->shared_base;
	guest_check(shared && params->shared_bytes >= sizeof(*shared), 10,
		    "--shared is there and large enough");
	n_max = (unsigned int)guest_arg("cards", TRAFFIC_NICS_MAX);
	while (n_cards < n_max && n_cards < TRAFFIC_NICS_MAX) {
		struct card *card = &cards[n_cards];

		if (!nic_open(&card->nic, n_cards, (uint16_t)guest_arg("ring", 256),
			      (uint32_t)guest_arg("buffer", 2048)))
			break;
		card->shared = &shared->nics[n_cards++];
		memcpy(&card->mac, card->nic.mac, 6);
		memcpy(card->shared->mac, card->nic.mac, 6);
		card->shared->features = card->nic.features;
	}
	guest_check(n_cards > 0, 11, "there is a network card");
	shared->n_nics = n_cards;
	shared->n_windows = (uint32_t)((params->shared_bytes - sizeof(*shared)) /
				       sizeof(struct traffic_window));
	shared->bytes = sizeof(*shared);
	shared->tsc_khz = params->tsc_khz;
	__atomic_store_n(&shared->magic, TRAFFIC_MAGIC, __ATOMIC_RELEASE);
	guest_say_number("cards: ", n_cards);
	work();
}
