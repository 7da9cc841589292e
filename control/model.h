/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The desired state: what the user defined, in names. No file descriptor, no thread, no DPDK object is in here.
 *
 * A change is made on a copy: copy, edit, check the whole, hand it to apply. The model that runs is never edited.
 * Objects are kept sorted by name. `index` is the place in the snapshot; apply gives it when the object is new, and it
 * is copied along, so it stays as long as the object lives. Control thread only.
 */
#ifndef CONTROL_MODEL_H
#define CONTROL_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "impair/impair.h"
#include "model_eyes.h"
#include "model_link.h"
#include "model_overlay.h"
#include "model_tap.h"
#include "port.h"
#include "snapshot.h"
#include "vlan.h"

#define MODEL_NAME_MAX	      PORT_NAME_MAX /* with the NUL */
#define MODEL_MTU_MIN	      68	    /* RFC 791 */
#define MODEL_MTU_DEFAULT     1500
#define MODEL_AGEING_DEFAULT  300    /* IEEE 802.1Q-2018 table 8-6 */
#define MODEL_AGEING_MAX      500000 /* what the FDB can tell */
#define MODEL_STATIONS_MAX    65536
#define MODEL_TYPE_VHOST_USER "vhost-user"
#define MODEL_TYPE_PCAP	      "pcap"
#define MODEL_TYPE_PATCH      "patch"
#define MODEL_TYPE_TAP	      "tap"
#define MODEL_TYPE_UPLINK     "uplink"
#define MODEL_TYPE_ERSPAN     "erspan"
#define MODEL_TYPE_VXLAN      "vxlan" /* made from VNIs, see model_overlay.h */

struct model_switch {
	char name[MODEL_NAME_MAX];
	char owner[MODEL_NAME_MAX]; /* "" for nobody's */
	uint32_t ageing_s;
	bool learning;
	uint8_t reserved[16];		/* enum reserved_action */
	char peer_port[MODEL_NAME_MAX]; /* of RESERVED_PEER, or "" */
	uint16_t index;			/* SNAPSHOT_NONE until it runs */
};

enum model_attachment { MODEL_DETACHED, MODEL_ON_SWITCH, MODEL_ON_WIRE };

struct model_port {
	struct port_spec
		spec; /* name, type and what is behind it; a change of it needs a new port object */
	char owner[MODEL_NAME_MAX];
	char patch_peer[MODEL_NAME_MAX]; /* type patch only */
	struct model_tap tap;		 /* type tap only; a change of it needs a new port object */
	uint64_t vm_mac; /* type vhost-user only: of the machine, as fdb_mac(); 0: not said */
	struct model_uplink uplink;  /* type uplink only; likewise */
	struct erspan_config erspan; /* type erspan only; likewise */
	uint8_t attachment;	     /* enum model_attachment */
	char target[MODEL_NAME_MAX]; /* the switch, or the other end of the wire */
	struct vlan_port vlan;	     /* MODEL_ON_SWITCH only */
	uint16_t mtu;		     /* L3 bytes */
	bool admin_up;
	struct impair_params impair[IMPAIR_DIRECTIONS]; /* of its link; all zero: a good one */
	struct model_link link;				/* what it shows of itself */
	uint32_t fdb_limit;
	bool sticky;
	uint16_t index; /* SNAPSHOT_NONE until it runs */
};

/* A static (or user-made sticky) FDB entry. */
struct model_station {
	char sw[MODEL_NAME_MAX];
	char port[MODEL_NAME_MAX];
	uint64_t mac; /* as fdb_mac() */
	uint16_t vid;
	bool sticky;
};

struct model {
	struct model_switch **switches; /* sorted by name */
	size_t n_switches, room_switches;
	struct model_port **ports; /* sorted by name */
	size_t n_ports, room_ports;
	struct model_station *stations; /* sorted by switch, VLAN, MAC */
	size_t n_stations, room_stations;
	struct model_vtep **vteps; /* sorted by name */
	size_t n_vteps, room_vteps;
	struct model_vni **vnis; /* sorted by name, which is the number as text */
	size_t n_vnis, room_vnis;
	struct model_mirror **mirrors; /* sorted by name */
	size_t n_mirrors, room_mirrors;
	struct model_sflow **sflows; /* sorted by name */
	size_t n_sflows, room_sflows;
};

/** model_new() - An empty model. Return: owned by the caller, NULL without memory. */
struct model *model_new(void);
void model_free(struct model *model);

/** model_copy() - A deep copy. Return: owned by the caller, NULL without memory. */
struct model *model_copy(const struct model *model);

/** model_switch_find() - By name. Return: owned by the model, NULL if there is none. */
struct model_switch *model_switch_find(const struct model *model, const char *name);
struct model_port *model_port_find(const struct model *model, const char *name);

/**
 * model_switch_add() - Add a copy of @sw
 * Return: 0, -EEXIST if the name is taken, -ENOMEM.
 */
int model_switch_add(struct model *model, const struct model_switch *sw);
int model_port_add(struct model *model, const struct model_port *port);

/** model_switch_remove() - Return: 0 or -ENOENT */
int model_switch_remove(struct model *model, const char *name);
int model_port_remove(struct model *model, const char *name);

/** model_station_find() - Return: owned by the model and valid until the next change, or NULL */
struct model_station *model_station_find(const struct model *model, const char *sw, uint16_t vid,
					 uint64_t mac);
/** model_station_set() - Add or replace. Return: 0, -ENOSPC beyond MODEL_STATIONS_MAX, -ENOMEM. */
int model_station_set(struct model *model, const struct model_station *station);
int model_station_remove(struct model *model, const char *sw, uint16_t vid, uint64_t mac);

struct model_vtep *model_vtep_find(const struct model *model, const char *name);
int model_vtep_add(struct model *model, const struct model_vtep *vtep);
int model_vtep_remove(struct model *model, const char *name);
/** model_vni_find() - @name: the number as text */
struct model_vni *model_vni_find(const struct model *model, const char *name);
int model_vni_add(struct model *model, const struct model_vni *vni);
int model_vni_remove(struct model *model, const char *name);

struct model_mirror *model_mirror_find(const struct model *model, const char *name);
int model_mirror_add(struct model *model, const struct model_mirror *mirror);
int model_mirror_remove(struct model *model, const char *name);
struct model_sflow *model_sflow_find(const struct model *model, const char *name);
int model_sflow_add(struct model *model, const struct model_sflow *sflow);
int model_sflow_remove(struct model *model, const char *name);

/** model_stations_prune() - Forget stations whose switch, port or VLAN is gone */
void model_stations_prune(struct model *model);

/** model_owner_remove() - Remove everything an owner has */
void model_owner_remove(struct model *model, const char *owner);

/** model_port_mac() - The address of the station that is known to be behind a port, as fdb_mac(); 0 if none is */
uint64_t model_port_mac(const struct model_port *port);

/** model_port_is_patch() - One end of a link between two switches: no I/O behind it */
bool model_port_is_patch(const struct model_port *port);

#endif
