/* SPDX-License-Identifier: BSD-3-Clause */
/* See world.h. Main thread only. */
#include "world.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "datapath.h"
#include "memory_port.h"
#include "vxlan/overlay.h"
#include "vxlan/tunnel_port.h"

#define FIRST_VNI	 10010
#define VLANS_PER_SWITCH 2048
#define SWITCHES_MAX	 16
#define FIRST_STATION	 UINT64_C(0x0200000b0000)

/* Of switch s: 3 * s and these. */
enum { PORT_SOURCE, PORT_SINK, PORT_TUNNEL, PORTS_PER_SWITCH };

static struct world {
	const struct world_options *options;
	uint16_t n_switches;
	struct port *ports[SWITCHES_MAX * PORTS_PER_SWITCH];
} world;

static uint16_t index_of(uint16_t sw, uint16_t which)
{
	return (uint16_t)(sw * PORTS_PER_SWITCH + which);
}

static struct vxlan_ip ip4(const char *text)
{
	struct vxlan_ip ip = {0};

	inet_pton(AF_INET, text, ip.b);
	return ip;
}

static uint16_t vlan_of(uint32_t v)
{
	return (uint16_t)(1 + v % VLANS_PER_SWITCH);
}

static uint16_t vlans_on(uint16_t sw)
{
	uint32_t left = world.options->n_vnis - (uint32_t)sw * VLANS_PER_SWITCH;

	return (uint16_t)(left < VLANS_PER_SWITCH ? left : VLANS_PER_SWITCH);
}

static struct vtep_table *table_new(struct err *err)
{
	const struct vxlan_ip local = ip4("192.0.2.1");
	const struct vtep_member member = {.peer = 0, .flood = true};
	struct vtep_vni_spec *vnis = calloc(world.options->n_vnis, sizeof(*vnis));
	const struct vtep_peer_spec peer = {
		.remote = ip4("192.0.2.2"),
		.n_nexthops = 1,
		.nexthops = {{.mtu = 9000,
			      .resolved = true,
			      .dst_mac = {2, 0, 0, 0, 2, 2},
			      .src_mac = {2, 0, 0, 0, 1, 1}}},
	};
	const struct vtep_spec spec = {.n_locals = 1,
				       .locals = &local,
				       .n_peers = 1,
				       .peers = &peer,
				       .n_vnis = world.options->n_vnis,
				       .vnis = vnis};
	struct vtep_table *table = NULL;

	for (uint32_t v = 0; vnis != NULL && v < spec.n_vnis; v++)
		vnis[v] = (struct vtep_vni_spec){.vni = FIRST_VNI + v,
						 .sw = (uint16_t)(v / VLANS_PER_SWITCH),
						 .vid = vlan_of(v),
						 .slot = (uint16_t)v,
						 .n_members = 1,
						 .members = &member};
	if (vnis == NULL)
		err_set(err, ENOMEM, "no memory for %u VNIs", spec.n_vnis);
	else
		vtep_table_new(&spec, &table, err);
	free(vnis);
	return table;
}

static int overlay_start(struct err *err)
{
	struct overlay_view *view = calloc(1, sizeof(*view));

	if (view == NULL)
		return err_set(err, ENOMEM, "no memory");
	view->table = table_new(err);
	if (view->table == NULL) {
		overlay_view_free(view);
		return -EINVAL;
	}
	view->n_uplinks = 1;
	view->uplinks[0] =
		(struct overlay_uplink){.port = world.ports[PORT_SINK], .send = memory_port_send};
	view->n_switches = world.n_switches;
	view->n_tunnels = (uint32_t)world.n_switches * PORTS_PER_SWITCH;
	view->tunnels = calloc(view->n_tunnels, sizeof(*view->tunnels));
	view->tunnel_of = calloc(world.n_switches, sizeof(*view->tunnel_of));
	view->limits = calloc(world.options->n_vnis, sizeof(*view->limits));
	if (view->tunnels == NULL || view->tunnel_of == NULL || view->limits == NULL) {
		overlay_view_free(view);
		return err_set(err, ENOMEM, "no memory");
	}
	for (uint16_t sw = 0; sw < world.n_switches; sw++) {
		const struct port_spec spec = {.name = "tunnel", .type = "vxlan", .n_queues = 1};
		uint16_t index = index_of(sw, PORT_TUNNEL);
		int ret = tunnel_port_new(&spec, index, &world.ports[index], err);

		if (ret != 0)
			return ret;
		view->tunnels[index] =
			(struct overlay_tunnel){.port = world.ports[index], .sw = sw};
		view->tunnel_of[sw] = index;
	}
	overlay_publish(view);
	return 0;
}

static int ports_open(struct err *err)
{
	const struct world_options *options = world.options;

	for (uint16_t sw = 0; sw < world.n_switches; sw++) {
		const char *pcap = sw < options->n_pcaps ? options->pcaps[sw] : NULL;
		struct port **ports = &world.ports[index_of(sw, 0)];

		ports[PORT_SOURCE] =
			memory_port_new("source", pcap, options->kind == WORLD_DECAP, err);
		ports[PORT_SINK] = memory_port_new("sink", NULL, false, err);
		if (ports[PORT_SOURCE] == NULL || ports[PORT_SINK] == NULL)
			return -EINVAL;
	}
	return options->kind == WORLD_PLAIN ? 0 : overlay_start(err);
}

/* As control makes them: a source has an access VLAN or is a trunk, a tunnel is a trunk that sends untagged. */
static void attach(struct snapshot *cfg, uint16_t sw, uint16_t which)
{
	bool many = world.options->n_vnis > 1, is_tunnel = which == PORT_TUNNEL;
	struct port_config *config = &cfg->ports[index_of(sw, which)];

	*config = (struct port_config){
		.port = world.ports[index_of(sw, which)],
		.role = PORT_SWITCHED,
		.admin_up = true,
		.is_tunnel = is_tunnel,
		.sw = sw,
		.peer = SNAPSHOT_NONE,
		.mtu = 9000,
		.vlan = {.mode = VLAN_ACCESS, .tpid = VLAN_TPID_C, .pvid = many ? VLAN_NONE : 1}};
	if (many && !is_tunnel)
		config->vlan.mode = VLAN_TRUNK;
	for (uint16_t i = 0; i < vlans_on(sw); i++)
		vlan_port_allow(&config->vlan, (uint16_t)(1 + i));
}

static void attach_all(struct snapshot *cfg)
{
	for (uint16_t sw = 0; sw < world.n_switches; sw++) {
		cfg->switches[sw] = (struct switch_config){
			.used = true, .peer_port = SNAPSHOT_NONE, .learning = true};
		attach(cfg, sw, PORT_SOURCE);
		attach(cfg, sw, PORT_SINK);
		if (world.options->kind != WORLD_PLAIN)
			attach(cfg, sw, PORT_TUNNEL);
	}
	if (world.options->kind == WORLD_DECAP)
		cfg->ports[PORT_SOURCE].role = PORT_DETACHED;
	if (world.options->kind != WORLD_PLAIN)
		return;
	for (uint16_t i = PORT_SOURCE; i <= PORT_SINK; i++) {
		cfg->ports[i].role = PORT_WIRE;
		cfg->ports[i].peer = i ^ 1;
	}
}

static void learn_stations(void)
{
	uint16_t which = world.options->kind == WORLD_ENCAP ? PORT_TUNNEL : PORT_SINK;

	for (uint32_t m = 0; m < world.options->n_macs; m++) {
		uint32_t v = m % world.options->n_vnis;
		uint16_t sw = (uint16_t)(v / VLANS_PER_SWITCH);

		fdb_learn(datapath_fdb(), FDB_FID(sw, vlan_of(v)), FIRST_STATION + m,
			  index_of(sw, which), FDB_STATIC, 0, 0);
	}
}

int world_start(const struct world_options *options, struct err *err)
{
	uint32_t n_switches = (options->n_vnis + VLANS_PER_SWITCH - 1) / VLANS_PER_SWITCH;
	struct snapshot *cfg;
	int ret;

	if (n_switches == 0 || n_switches > SWITCHES_MAX || options->n_pcaps == 0)
		return err_set(err, EINVAL, "1 to %d VNIs and a capture file are needed",
			       SWITCHES_MAX * VLANS_PER_SWITCH);
	world.options = options;
	world.n_switches = (uint16_t)n_switches;
	ret = ports_open(err);
	if (ret != 0)
		return ret;
	cfg = snapshot_new(datapath_fdb(), index_of(world.n_switches, 0), world.n_switches, 1);
	if (cfg == NULL)
		return err_set(err, ENOMEM, "no memory");
	attach_all(cfg);
	learn_stations();
	if (snapshot_finish(cfg) != 0)
		return err_set(err, ENOMEM, "no memory");
	datapath_publish(cfg);
	return 0;
}

uint64_t world_sent(void)
{
	uint64_t n = 0;

	for (uint16_t sw = 0; sw < world.n_switches; sw++)
		n += memory_port_sent(world.ports[index_of(sw, PORT_SINK)]);
	return n;
}
