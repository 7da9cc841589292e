/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the user says about the overlay: uplinks (ports of type "uplink"), remote VTEPs, and VNIs, which are VLANs that reach
 * other hosts. From these the ports of type "vxlan" are made, one per remote VTEP and switch: what stands for the other
 * host on the switch. Users name VTEPs and VNIs, never those ports, and they are not saved.
 */
#ifndef CONTROL_MODEL_OVERLAY_H
#define CONTROL_MODEL_OVERLAY_H

#include <jansson.h>
#include <stdbool.h>

#include "port.h"
#include "problems.h"
#include "tap/uplink_port.h"
#include "vxlan/vtep.h"

#define MODEL_VNI_VTEPS_MAX  VTEP_PEERS_MAX
#define MODEL_VNI_NEIGHS_MAX 16384
#define MODEL_TOO_BIG_LIMIT  1000
#define MODEL_LIVENESS_MS    300
#define MODEL_LIVENESS_MULT  3

struct json_reader;
struct model;
struct model_port;

struct model_tap;

struct model_uplink {
	struct uplink_config config;
	uint16_t src_port_min, src_port_max; /* of the packets we send */
};

/* Another host. */
struct model_vtep {
	char name[PORT_NAME_MAX];
	char owner[PORT_NAME_MAX];
	char uplink[PORT_NAME_MAX]; /* port of type uplink */
	struct vxlan_ip remote;
	uint16_t udp_port; /* it listens on; 0: the uplink's */
	bool dscp_fixed;   /* false: the outer DSCP is the inner one */
	uint8_t dscp;
	uint8_t csum; /* enum vtep_csum */
};

/* Whether the VNI is a cable whose other end is watched, which decides on the carrier at this one. */
enum model_liveness {
	MODEL_LIVENESS_OFF,
	MODEL_LIVENESS_ON,
	MODEL_LIVENESS_AUTO /* from the first BFD packet of the other end on */
};

/* Who has which address in a VNI, said by the user. */
struct model_neigh {
	struct vxlan_ip ip;
	uint8_t mac[6];
	bool is_router;
};

struct model_vni {
	char name[PORT_NAME_MAX]; /* the number, in decimal */
	char owner[PORT_NAME_MAX];
	uint32_t vni;
	char sw[PORT_NAME_MAX];
	uint16_t vid;
	uint16_t mtu;		/* of the guests, 0: not checked */
	uint32_t bum_limit;	/* packets a second, 0: none */
	uint32_t too_big_limit; /* answers a second, 0: no answers */
	uint8_t tag;		/* enum vtep_tag */
	bool flood, learning;
	bool learn_vteps; /* others join once a station is seen behind them */
	bool suppress, announce;
	uint8_t liveness;	     /* enum model_liveness */
	uint32_t liveness_ms;	     /* between BFD packets */
	uint8_t liveness_multiplier; /* so many missing ones are a failure */
	uint16_t n_vteps, n_neighs;
	char vteps[][PORT_NAME_MAX]; /* names of remote VTEPs that take part; then the neighbours */
};

/** model_vni_neighs() - The n_neighs neighbours, in the VNI's own memory */
static inline const struct model_neigh *model_vni_neighs(const struct model_vni *vni)
{
	return (const struct model_neigh *)vni->vteps[vni->n_vteps];
}

/** model_vni_bytes() - What a VNI takes, vteps and neighbours included */
static inline size_t model_vni_bytes(const struct model_vni *vni)
{
	return sizeof(*vni) + vni->n_vteps * sizeof(vni->vteps[0]) +
	       vni->n_neighs * sizeof(struct model_neigh);
}

/** model_vni_may_join() - Whether a VTEP that the VNI does not name joins once it is heard */
bool model_vni_may_join(const struct model_vni *vni, const struct model_vtep *vtep);

/**
 * model_uplink_parse() - Read `ifname` or `pci`, `local`, `udp_port`, `source_ports`, `mode`, `shortcut`; faults go to the reader's problems
 * @shadow: `addresses` of a card's interface in the kernel
 */
void model_uplink_parse(const struct json_reader *reader, char ifname[16],
			struct model_uplink *uplink, struct model_tap *shadow);
/** model_uplink_equal() - Whether two uplinks have the same addresses and UDP port: what needs no new sockets */
bool model_uplink_equal(const struct model_uplink *a, const struct model_uplink *b);
void model_uplink_print(const char *ifname, const struct model_uplink *uplink,
			const struct model_tap *shadow, json_t *object);

/** model_vtep_parse() - Read {name, owner?, uplink, remote, ...}; see model_switch_parse() */
void model_vtep_parse(const json_t *value, const char *place, struct model_vtep *vtep,
		      struct problems *problems);

/**
 * model_vni_parse() - Read {vni, owner?, switch, vlan, vteps, ...}
 * Return: heap, to be freed; NULL with a problem noted when it has no proper number.
 */
struct model_vni *model_vni_parse(const json_t *value, const char *place,
				  struct problems *problems);

json_t *model_vtep_print(const struct model_vtep *vtep);
json_t *model_vni_print(const struct model_vni *vni);

/** model_overlay_parse() - Read lists of both, as model_objects_parse() does with switches and ports; NULL: empty */
void model_overlay_parse(struct model *model, const json_t *vteps, const json_t *vnis,
			 const char *owner, struct problems *problems);

/** model_overlay_derive() - Make the ports of type "vxlan" what the VNIs say. Call after every edit. */
void model_overlay_derive(struct model *model, struct problems *problems);

/** model_overlay_check() - How uplinks, VTEPs and VNIs fit together and to the switches */
void model_overlay_check(const struct model *model, struct problems *problems);

/** model_cables_check() - Whether VNIs with `liveness` are cables: one port here, one VTEP there */
void model_cables_check(const struct model *model, struct problems *problems);

/** model_tunnel_name() - Name of the port that stands for a VTEP on a switch. Return: false if it would be too long. */
bool model_tunnel_name(const char *vtep, const char *sw, char name[PORT_NAME_MAX]);

/** model_ip_parse() - Return: false for what is no address */
bool model_ip_parse(const char *text, struct vxlan_ip *ip);

/** model_ip_print() - An address as text */
void model_ip_print(const struct vxlan_ip *ip, char text[46]);

#endif
