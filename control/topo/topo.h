/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The validated model of a lab file: what the user wants to exist.
 *
 * topo_parse() gives either a model in which every name resolves and every number is in range, or a list
 * of findings; nothing behind it checks again. The model is read-only and lives in one arena. One thread.
 */
#ifndef TOPO_TOPO_H
#define TOPO_TOPO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "topo/arena.h"
#include "topo/diag.h"
#include "topo/impair.h"

#define TOPO_NAME_MAX	      32 /* lab and node names: they are folders of socket paths */
#define TOPO_IFNAME_MAX	      15 /* Linux' IFNAMSIZ - 1 */
#define TOPO_NODES_MAX	      1024
#define TOPO_LINKS_MAX	      4096
#define TOPO_NICS_MAX	      32 /* of one VM: what vm-runner has room for */
#define TOPO_MTU_MIN	      68 /* RFC 791 */
#define TOPO_MTU_MAX	      9216
#define TOPO_MTU_DEFAULT      1500
#define TOPO_MEMORY_MIN_MIB   64
#define TOPO_MEMORY_IMAGE_MIB 128 /* what the default image unpacks into; less is a panic at boot */
#define TOPO_MEMORY_DEFAULT   256
#define TOPO_CPUS_MAX	      64
#define TOPO_VID_MAX	      4094
#define TOPO_HOSTS_MAX	      64 /* bits of topo_node.hosts */
#define TOPO_HOST_VTEPS_MAX   2	 /* one IPv4, one IPv6 */
#define TOPO_VNI_MAX	      0xffffff
#define TOPO_VXLAN_PORT	      4789				    /* RFC 7348 */
#define TOPO_ALL_NODES_MAX    (TOPO_NODES_MAX + TOPO_HOSTS_MAX + 1) /* with those that links make */
#define TOPO_TAP_ADDRESSES    8

/* A switch; a virtual machine; an interface of the host itself. */
enum topo_kind { TOPO_SWITCH, TOPO_VM, TOPO_TAP };
enum topo_vmm { TOPO_VMM_AUTO, TOPO_VMM_RUNNER, TOPO_VMM_QEMU };
enum topo_reserved { TOPO_RESERVED_DROP, TOPO_RESERVED_FORWARD, TOPO_RESERVED_PEER };
enum topo_disk_format { TOPO_DISK_AUTO, TOPO_DISK_RAW, TOPO_DISK_QCOW2 };
enum topo_disk_mode { TOPO_DISK_OVERLAY, TOPO_DISK_WRITE, TOPO_DISK_READONLY };
enum topo_tag { TOPO_TAG_STRIP, TOPO_TAG_KEEP, TOPO_TAG_REFUSE };
enum topo_vlan_mode { TOPO_VLAN_UNSET, TOPO_VLAN_ACCESS, TOPO_VLAN_TRUNK, TOPO_VLAN_TUNNEL };

struct topo_strings {
	const char **items;
	size_t n;
};

struct topo_pair {
	const char *key;
	const char *value;
};

struct topo_pairs {
	struct topo_pair *items;
	size_t n;
};

struct topo_address {
	const char *ifname;
	int family;	   /* AF_INET or AF_INET6 */
	uint8_t bytes[16]; /* network order; 4 used for AF_INET */
	uint8_t prefix_len;
	const char *text; /* "10.0.10.1/24", as written */
	unsigned int line;
};

struct topo_nic {
	const char *name;
	size_t link; /* index in topo.links */
	int end;     /* 0 or 1 of that link */
	uint8_t mac[6];
	unsigned int mtu;
	bool packed; /* its driver may use packed rings */
};

/* What `rings` says of one interface. */
struct topo_rings {
	const char *ifname;
	bool packed;
	unsigned int line;
};

struct topo_disk {
	const char *file; /* absolute, or relative to the lab file's folder */
	enum topo_disk_format format;
	enum topo_disk_mode mode;
};

/* An address other hosts send VXLAN to. */
struct topo_vtep {
	const char *text;
	int family;	   /* AF_INET or AF_INET6 */
	uint8_t bytes[16]; /* network order; 4 used for AF_INET */
	unsigned int line;
};

/* A host's interface towards the others. */
struct topo_uplink {
	const char *ifname;	       /* of the kernel's; of a card, its shadow's, or NULL */
	const char *pci;	       /* address of a card that netloomd drives, or NULL */
	const char *mode;	       /* "auto", "af_xdp", "af_packet"; NULL: auto */
	const char *source_ports;      /* "49152-65535"; NULL: that */
	struct topo_strings addresses; /* of a card */
	unsigned int mtu;	       /* of a card, 0: the usual */
	bool shortcut; /* TCP of hosts' interfaces may go through the kernel by itself */
};

/* A machine that runs a part of the lab. */
struct topo_host {
	const char *name;
	unsigned int line;
	bool is_managed; /* it has an `uplink`: netloom runs there */
	const struct topo_uplink *uplink;
	unsigned int udp_port;
	int dscp;	      /* of packets to it; -1: as inside */
	const char *checksum; /* of packets to it: "auto", "on", "zero"; NULL: as netloomd does */
	struct topo_vtep vteps[TOPO_HOST_VTEPS_MAX]; /* at most one of a family */
	size_t n_vteps;
};

/* A VLAN of a switch that is on several hosts. */
struct topo_vni {
	uint32_t vni;
	uint16_t vid;
	unsigned int line;
	unsigned int mtu; /* the guests', that the underlay must carry */
	bool mtu_is_given;
	unsigned int bum_limit;	    /* packets a second, 0: none */
	unsigned int too_big_limit; /* answers a second, 0: none */
	bool flood;
	bool learning;
	bool suppress; /* default: as learning */
	bool announce; /* likewise */
	bool learn_vteps;
	enum topo_tag tag;
};

struct topo_node {
	const char *name;
	enum topo_kind kind;
	unsigned int line;
	struct topo_pairs labels;
	uint64_t
		hosts; /* bit i: it is on topo.hosts[i]; one bit but for switches; 0: no `hosts` in the file */
	/* of a switch */
	unsigned int ageing_s;
	bool reserved_is_set;
	enum topo_reserved reserved[16]; /* per last nibble of 01:80:C2:00:00:0X */
	const char *peer_port;		 /* its interface where TOPO_RESERVED_PEER goes, or NULL */
	unsigned int peer_port_line;
	struct topo_vni *vnis; /* its VLANs that reach its other hosts; NULL: no `vxlan` */
	size_t n_vnis;
	/* of a VM */
	const char *kernel; /* NULL: the default image's */
	const char *initrd; /* NULL: the default image's */
	const char *append; /* more kernel command line, or NULL */
	unsigned int memory_mib;
	unsigned int memory_line;
	unsigned int cpus;
	bool hugepages;
	bool rings_packed;	  /* of all interfaces ... */
	struct topo_rings *rings; /* ... but these */
	size_t n_rings;
	unsigned int rings_line;
	bool has_agent; /* wait for the guest agent before the node counts as up */
	enum topo_vmm vmm;
	unsigned int startup_delay_s;
	struct topo_strings wait_for; /* node names */
	struct topo_strings exec;
	struct topo_pairs env;
	struct topo_disk *disk; /* NULL: none */
	/* of a TAP */
	const char *netns; /* name or path of its network namespace; NULL: netloomd's */
	bool is_of_link;   /* made by a link's `host:` */
	/* of a VM or TAP */
	unsigned int mtu; /* 0: each link's */
	struct topo_address *addresses;
	size_t n_addresses;
	struct topo_strings gateways; /* addresses of next hops of the default routes */
	struct topo_nic *nics;	      /* in the order of their names: eth2 before eth10 */
	size_t n_nics;
};

struct topo_vlan {
	enum topo_vlan_mode mode;
	uint16_t vid;	 /* access and tunnel */
	uint16_t native; /* of a trunk; 0: none */
	bool is_all;	 /* trunk: all */
	bool is_stag;	 /* tags are 802.1ad */
	uint64_t members[4096 / 64];
};

struct topo_end {
	const char *node;
	const char *ifname;
	size_t node_index;
	const char *netns; /* of a TAP that a link's `host:` made; NULL: as its node says */
};

/* Whether the far end of a link between hosts is watched. */
enum topo_liveness {
	TOPO_LIVENESS_DEFAULT, /* on, if netloom runs at the other end and the carrier is to follow */
	TOPO_LIVENESS_OFF,
	TOPO_LIVENESS_ON,
	TOPO_LIVENESS_AUTO
};

struct topo_link {
	unsigned int line;
	struct topo_end ends[2];
	struct topo_vlan vlan;
	unsigned int mtu;
	unsigned int queues;
	bool is_up; /* `admin: down` in the file starts the lab with the link cut */
	struct topo_impair impair[2]; /* of what each end sends */
	unsigned int impair_line;     /* 0: a good link */
	bool carrier_always;	      /* guests see a carrier whatever happens to the link */
	enum topo_liveness liveness;
	unsigned int liveness_line;	  /* 0: not given */
	unsigned int liveness_ms;	  /* 0: netloomd's default */
	unsigned int liveness_multiplier; /* 0: likewise */
	unsigned int flap_every_ms;	  /* 0: the link does not flap */
	unsigned int flap_down_ms;	  /* at the end of each period */
	struct topo_pairs labels;
	uint32_t
		vni; /* of a link between hosts: as the file says, or chosen from its ends' names; else 0 */
	unsigned int vni_line; /* 0: chosen */
};

/* Copies of what goes over links. */
struct topo_mirror {
	unsigned int line;
	struct topo_strings of; /* "h1:eth1", "sw1" */
	const char *to;		/* "h9:eth1"; NULL: the analyser at `erspan` */
	const char *erspan;	/* its address, or NULL */
	unsigned int session;
	unsigned int erspan_type; /* 2 or 3 */
	uint16_t vid;		  /* 0: all */
	const char *direction;	  /* "both", "in", "out"; NULL: not said */
	const char *filter;	  /* NULL: none */
	unsigned int snaplen;	  /* 0: whole frames */
};

struct topo {
	struct arena arena; /* owns everything below */
	const char *name;
	struct topo_node *nodes;
	size_t n_nodes;
	struct topo_link *links;
	size_t n_links;
	struct topo_mirror *mirrors;
	size_t n_mirrors;
	struct topo_host *hosts; /* none: all is on the one host that runs it */
	size_t n_hosts;
	int self; /* the host this is about, from host_select(); -1: none */
};

/**
 * topo_parse() - Read and check a lab file's text
 * @topo:  filled; call topo_free() in every case
 * @text:  the file's bytes
 * @len:   how many
 * @diags: every finding, not only the first
 *
 * Return: 0, or -EINVAL when diags->n_errors is not zero; @topo is of no use then.
 */
int topo_parse(struct topo *topo, const char *text, size_t len, struct diag_list *diags);

/**
 * topo_load() - topo_parse() of a file
 * @path: of a regular file; at most TREE_FILE_BYTES_MAX are read
 *
 * Return: 0, -EINVAL, or -errno when the file cannot be read (then a finding says so).
 */
int topo_load(struct topo *topo, const char *path, struct diag_list *diags);

/** topo_free() - Give the model back */
void topo_free(struct topo *topo);

/** topo_node_find() - The node of that name, or NULL */
const struct topo_node *topo_node_find(const struct topo *topo, const char *name);

/** topo_nic_find() - The VM's interface of that name, or NULL */
const struct topo_nic *topo_nic_find(const struct topo_node *node, const char *ifname);

/** topo_nic_netns() - The network namespace of a TAP's interface; "": netloomd's own */
const char *topo_nic_netns(const struct topo *topo, const struct topo_node *node,
			   const struct topo_nic *nic);

/** topo_link_is_wire() - No end is a switch: every frame goes through untouched, BPDUs included */
bool topo_link_is_wire(const struct topo *topo, const struct topo_link *link);

/** topo_link_is_patch() - Both ends are switches */
bool topo_link_is_patch(const struct topo *topo, const struct topo_link *link);

/** topo_vlan_has() - The VLAN is carried; TOPO_VLAN_UNSET carries all with native 1 */
bool topo_vlan_has(const struct topo_vlan *vlan, unsigned int vid);

/** topo_vlan_untagged() - The VLAN of untagged frames, or 0 when they are refused */
unsigned int topo_vlan_untagged(const struct topo_vlan *vlan);

#endif
