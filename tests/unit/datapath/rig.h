/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A rig for pipeline tests: ports are capture files, the pipeline runs on the caller's thread.
 *
 * A test lays out ports and switches, says which frames come in where, which must go out where, and
 * which drops must be counted. rig_run() writes the input files, runs, and compares output files
 * byte for byte and all drop counters of all ports, those that were not mentioned included. Include
 * after cmocka.h.
 */
#ifndef TESTS_UNIT_DATAPATH_RIG_H
#define TESTS_UNIT_DATAPATH_RIG_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline.h"
#include "unit/datapath/frames.h"

#define RIG_PORTS_MAX  64
#define RIG_FRAMES_MAX 512
#define RIG_C(tci)     (0x81000000u | (tci)) /* an 802.1Q tag */
#define RIG_S(tci)     (0x88a80000u | (tci)) /* an 802.1ad service tag */
#define RIG_BROADCAST  UINT64_C(0xffffffffffff)
#define RIG_RESERVED   UINT64_C(0x0180c2000000)

struct rig_frame {
	size_t len;
	uint8_t bytes[9300];
};

struct rig {
	char dir[32];
	uint16_t n_ports;
	struct snapshot *cfg;
	struct fdb *fdb;
	struct learn_queue *learn;
	struct pipeline *pl;
	/* frames that come in together; between bursts what was learned becomes known */
	uint16_t burst;
	/* what port 0, a tunnel, says about its frames; 0: it is a port like others */
	uint16_t given_vid;

	struct {
		uint16_t port;
		struct rig_frame *frame;
	} in[RIG_FRAMES_MAX], out[RIG_FRAMES_MAX];
	size_t n_in, n_out;
	uint64_t drops[RIG_PORTS_MAX][DROP_N];
	void (*before)(struct rig *r,
		       size_t i); /* called before input @i is received; may be NULL */
	void (*after)(
		struct rig *r); /* called when all is done, before ports are closed; may be NULL */
};

static inline void rig_init(struct rig *r, uint16_t n_ports, uint16_t n_switches)
{
	memset(r, 0, sizeof(*r));
	snprintf(r->dir, sizeof(r->dir), "/tmp/netloom-rig-XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	r->n_ports = n_ports;
	r->burst = 1;
	r->fdb = fdb_new(1024);
	r->learn = learn_queue_new(-1);
	r->pl = pipeline_new(0, 1, r->learn);
	r->cfg = snapshot_new(r->fdb, n_ports, n_switches, 1);
	assert_non_null(r->fdb);
	assert_non_null(r->learn);
	assert_non_null(r->pl);
	assert_non_null(r->cfg);
	for (uint16_t i = 0; i < n_switches; i++)
		r->cfg->switches[i] = (struct switch_config){.used = true,
							     .learning = true,
							     .ageing_s = 300,
							     .peer_port = SNAPSHOT_NONE};
}

static inline void rig_access(struct rig *r, uint16_t port, uint16_t sw, uint16_t vid)
{
	frames_access_port(&r->cfg->ports[port], NULL, sw, vid);
}

/** rig_trunk() - @vids ends with 0; @native 0: none */
static inline void rig_trunk(struct rig *r, uint16_t port, uint16_t sw, uint16_t tpid,
			     uint16_t native, const uint16_t *vids)
{
	struct vlan_port *vlan = &r->cfg->ports[port].vlan;

	rig_access(r, port, sw, native != 0 ? native : 1);
	memset(vlan, 0, sizeof(*vlan));
	vlan->mode = VLAN_TRUNK;
	vlan->tpid = tpid;
	vlan->pvid = native;
	if (native != 0)
		vlan_port_allow(vlan, native);
	for (; *vids != 0; vids++)
		vlan_port_allow(vlan, *vids);
}

static inline void rig_tunnel(struct rig *r, uint16_t port, uint16_t sw, uint16_t vid)
{
	rig_access(r, port, sw, vid);
	r->cfg->ports[port].vlan.mode = VLAN_TUNNEL;
	r->cfg->ports[port].vlan.tpid = VLAN_TPID_S;
}

static inline void rig_wire(struct rig *r, uint16_t a, uint16_t b)
{
	r->cfg->ports[a] = (struct port_config){
		.role = PORT_WIRE, .admin_up = true, .mtu = 1500, .sw = SNAPSHOT_NONE, .peer = b};
	r->cfg->ports[b] = r->cfg->ports[a];
	r->cfg->ports[b].peer = a;
}

/** rig_patch() - Join two switched ports by a link */
static inline void rig_patch(struct rig *r, uint16_t a, uint16_t b)
{
	const uint16_t ends[2] = {a, b};

	for (int i = 0; i < 2; i++) {
		struct port_config *port = &r->cfg->ports[ends[i]];

		port->is_patch = true;
		port->peer = ends[1 - i];
		port->patch_drops = aligned_alloc(64, PORT_WORKERS_MAX * sizeof(struct port_drops));
		port->patch_stats =
			aligned_alloc(64, 2 * PORT_WORKERS_MAX * sizeof(struct port_queue_stats));
		memset(port->patch_drops, 0, PORT_WORKERS_MAX * sizeof(struct port_drops));
		memset(port->patch_stats, 0,
		       2 * PORT_WORKERS_MAX * sizeof(struct port_queue_stats));
	}
}

/** rig_frame() - A frame of @len bytes; @tags ends with 0 or is NULL */
static inline struct rig_frame *rig_frame(uint64_t to, uint64_t from, const uint32_t *tags,
					  size_t len)
{
	struct rig_frame *frame = malloc(sizeof(*frame));
	size_t at = 12;

	assert_non_null(frame);
	assert_true(len <= sizeof(frame->bytes));
	frames_mac_put(frame->bytes, to);
	frames_mac_put(frame->bytes + 6, from);
	for (; tags != NULL && *tags != 0; tags++, at += 4)
		for (int i = 0; i < 4; i++)
			frame->bytes[at + (size_t)i] = (uint8_t)(*tags >> (24 - 8 * i));
	frame->bytes[at++] = 0x88;
	frame->bytes[at++] = 0xb5;
	for (uint8_t byte = (uint8_t)len; at < len; at++)
		frame->bytes[at] = byte++;
	frame->len = len;
	return frame;
}

/** rig_in() - The frame will be received on a port, behind those said before */
static inline void rig_in(struct rig *r, uint16_t port, struct rig_frame *frame)
{
	assert_true(r->n_in < RIG_FRAMES_MAX);
	r->in[r->n_in].port = port;
	r->in[r->n_in++].frame = frame;
}

/** rig_out() - The frame must be sent on a port, behind those said before */
static inline void rig_out(struct rig *r, uint16_t port, struct rig_frame *frame)
{
	assert_true(r->n_out < RIG_FRAMES_MAX);
	r->out[r->n_out].port = port;
	r->out[r->n_out++].frame = frame;
}

static inline void rig_drop(struct rig *r, uint16_t port, enum drop_reason reason, uint64_t n)
{
	r->drops[port][reason] += n;
}

static inline void rig_write_input(const struct rig *r, uint16_t port, const char *path)
{
	struct frames_file file;

	frames_file_create(&file, path);
	for (size_t i = 0; i < r->n_in; i++)
		if (r->in[i].port == port)
			frames_file_add(&file, r->in[i].frame->bytes, r->in[i].frame->len);
	frames_file_close(&file);
}

static inline void rig_open_ports(struct rig *r)
{
	for (uint16_t i = 0; i < r->n_ports; i++) {
		struct port_spec spec = {.type = "pcap", .n_queues = 1};
		struct port_config *config = &r->cfg->ports[i];
		struct err err = {""};

		if (config->role == PORT_UNUSED || config->is_patch)
			continue;
		snprintf(spec.name, sizeof(spec.name), "p%u", i);
		snprintf(spec.path, sizeof(spec.path), "%s/%u.in", r->dir, i);
		snprintf(spec.tx_path, sizeof(spec.tx_path), "%s/%u.out", r->dir, i);
		rig_write_input(r, i, spec.path);
		assert_int_equal(port_ops_find("pcap")->open(&spec, &config->port, &err), 0);
	}
	assert_int_equal(snapshot_finish(r->cfg), 0);
}

static inline void rig_learn(const struct learn_event *event, void *arg)
{
	struct rig *r = arg;
	const struct port_config *port = &r->cfg->ports[event->port];

	fdb_learn(r->fdb, event->fid, event->mac, event->port, port->sticky ? FDB_STICKY : 0,
		  port->fdb_limit, r->pl->now_s);
}

static inline void rig_inject(struct rig *r)
{
	static struct frame frames[FRAME_BURST];

	for (size_t i = 0; i < r->n_in;) {
		struct port *port = r->cfg->ports[r->in[i].port].port;
		uint16_t want = 1, n;

		if (r->before != NULL)
			r->before(r, i);
		while (want < r->burst && i + want < r->n_in &&
		       r->in[i + want].port == r->in[i].port)
			want++;
		n = port->ops->rx(port, 0, 0, frames, want);
		assert_int_equal(n, want);
		for (uint16_t k = 0; k < n; k++) {
			frames[k].in_port = r->in[i].port;
			frames[k].given_vid = r->in[i].port == 0 ? r->given_vid : VLAN_NONE;
			frames[k].no_learn = frames[k].given_vid != VLAN_NONE;
		}
		pipeline_run(r->pl, r->cfg, frames, n);
		port->ops->rx_release(port, 0);
		learn_drain(r->learn, UINT32_MAX, rig_learn, r);
		r->pl->now_tsc += UINT64_C(1) << 32;
		i += n;
	}
}

static inline void rig_check_output(const struct rig *r, uint16_t port, const char *path)
{
	char why[PCAP_ERRBUF_SIZE];
	pcap_t *pcap = pcap_open_offline(path, why);
	struct pcap_pkthdr *header;
	const u_char *bytes;

	assert_non_null(pcap);
	for (size_t i = 0; i < r->n_out; i++) {
		if (r->out[i].port != port)
			continue;
		if (pcap_next_ex(pcap, &header, &bytes) != 1)
			fail_msg("port %u: frame %zu of the list was not sent", port, i);
		assert_int_equal(header->caplen, r->out[i].frame->len);
		assert_memory_equal(bytes, r->out[i].frame->bytes, header->caplen);
	}
	if (pcap_next_ex(pcap, &header, &bytes) != PCAP_ERROR_BREAK)
		fail_msg("port %u sent a frame of %u bytes that nobody expected", port,
			 header->caplen);
	pcap_close(pcap);
}

static inline void rig_check_drops(const struct rig *r, uint16_t port)
{
	const struct port_config *config = &r->cfg->ports[port];
	const struct port_drops *drops =
		config->is_patch ? config->patch_drops : config->port->drops;

	for (int reason = 0; reason < DROP_N; reason++)
		if (drops[0].by_reason[reason] != r->drops[port][reason])
			fail_msg("port %u dropped %lu frames as %s, not %lu", port,
				 (unsigned long)drops[0].by_reason[reason], drop_name(reason),
				 (unsigned long)r->drops[port][reason]);
}

/** rig_run() - Run, compare everything, and take the rig down */
static inline void rig_run(struct rig *r)
{
	char path[64];

	rig_open_ports(r);
	rig_inject(r);
	if (r->after != NULL)
		r->after(r);
	for (uint16_t i = 0; i < r->n_ports; i++) {
		struct port_config *config = &r->cfg->ports[i];

		if (config->role == PORT_UNUSED)
			continue;
		rig_check_drops(r, i);
		if (config->is_patch) {
			free(config->patch_drops);
			free(config->patch_stats);
			continue;
		}
		config->port->ops->close(config->port);
		snprintf(path, sizeof(path), "%s/%u.out", r->dir, i);
		rig_check_output(r, i, path);
		unlink(path);
		snprintf(path, sizeof(path), "%s/%u.in", r->dir, i);
		unlink(path);
	}
	assert_int_equal(rmdir(r->dir), 0);
	for (size_t i = 0; i < r->n_in; i++)
		free(r->in[i].frame);
	for (size_t i = 0; i < r->n_out; i++)
		free(r->out[i].frame);
	snapshot_free(r->cfg);
	pipeline_free(r->pl);
	learn_queue_free(r->learn);
	fdb_free(r->fdb);
}

#endif
