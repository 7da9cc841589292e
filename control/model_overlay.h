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

#define MODEL_VNI_VTEPS_MAX VTEP_PEERS_MAX

struct json_reader;
struct model;
struct model_port;

struct model_uplink {
	struct uplink_config config;
};

/* Another host. */
struct model_vtep {
	char name[PORT_NAME_MAX];
	char owner[PORT_NAME_MAX];
	char uplink[PORT_NAME_MAX]; /* port of type uplink */
	struct vxlan_ip remote;
};

struct model_vni {
	char name[PORT_NAME_MAX]; /* the number, in decimal */
	char owner[PORT_NAME_MAX];
	uint32_t vni;
	char sw[PORT_NAME_MAX];
	uint16_t vid;
	uint16_t mtu;	    /* of the guests, 0: not checked */
	uint32_t bum_limit; /* packets a second, 0: none */
	uint8_t tag;	    /* enum vtep_tag */
	bool flood, learning;
	uint16_t n_vteps;
	char vteps[][PORT_NAME_MAX]; /* names of remote VTEPs that take part */
};

/** model_uplink_parse() - Read `ifname`, `local`, `udp_port`; faults go to the reader's problems */
void model_uplink_parse(const struct json_reader *reader, char ifname[16],
			struct model_uplink *uplink);
/** model_uplink_equal() - Whether two uplinks have the same addresses and UDP port */
bool model_uplink_equal(const struct model_uplink *a, const struct model_uplink *b);
void model_uplink_print(const char *ifname, const struct model_uplink *uplink, json_t *object);

/** model_vtep_parse() - Read {name, owner?, uplink, remote}; see model_switch_parse() */
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

/** model_tunnel_name() - Name of the port that stands for a VTEP on a switch. Return: false if it would be too long. */
bool model_tunnel_name(const char *vtep, const char *sw, char name[PORT_NAME_MAX]);

/** model_ip_print() - An address as text */
void model_ip_print(const struct vxlan_ip *ip, char text[46]);

#endif
