/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What an overlay's specification may not say. Every refusal names the object and what to change; a table that is
 * built needs no checks per frame. Control thread.
 */
#include "vtep.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#include "wire.h"

#define IP_TEXT_MAX INET6_ADDRSTRLEN

static const char *ip_text(const struct vxlan_ip *ip, char text[IP_TEXT_MAX])
{
	return inet_ntop(ip->is_v6 ? AF_INET6 : AF_INET, ip->b, text, IP_TEXT_MAX);
}

const char *vxlan_ip_unfit(const struct vxlan_ip *ip)
{
	static const uint8_t zero[16];
	static const uint8_t loopback6[16] = {[15] = 1};

	if (memcmp(ip->b, zero, 16) == 0)
		return "unspecified";
	if (ip->is_v6) {
		if (ip->b[0] == 0xff)
			return "multicast";
		return memcmp(ip->b, loopback6, 16) == 0 ? "loopback" : NULL;
	}
	if (ip->b[0] == 127)
		return "loopback";
	if (ip->b[0] >= 224)
		return ip->b[0] < 240 ? "multicast" : "reserved or broadcast";
	return ip->b[0] == 0 ? "unspecified" : NULL;
}

static int check_locals(const struct vtep_spec *spec, struct err *err)
{
	char text[IP_TEXT_MAX];

	if (spec->n_locals > VTEP_LOCALS_MAX)
		return err_set(err, EINVAL, "%u local VTEP addresses are more than the %u possible",
			       spec->n_locals, VTEP_LOCALS_MAX);
	for (uint16_t i = 0; i < spec->n_locals; i++) {
		const char *unfit = vxlan_ip_unfit(&spec->locals[i]);

		if (unfit != NULL)
			return err_set(
				err, EINVAL,
				"local VTEP %s: a %s address; give a unicast address of an uplink",
				ip_text(&spec->locals[i], text), unfit);
		for (uint16_t j = 0; j < i; j++) {
			if (vxlan_ip_equal(&spec->locals[i], &spec->locals[j]))
				return err_set(err, EINVAL, "local VTEP %s is given twice",
					       ip_text(&spec->locals[i], text));
		}
	}
	return 0;
}

static int check_peer(const struct vtep_spec *spec, const struct vtep_peer_spec *peer,
		      struct err *err)
{
	char text[IP_TEXT_MAX], local[IP_TEXT_MAX];
	const char *unfit = vxlan_ip_unfit(&peer->remote);

	ip_text(&peer->remote, text);
	if (unfit != NULL)
		return err_set(
			err, EINVAL,
			"remote VTEP %s: a %s address; give the unicast address of the other host",
			text, unfit);
	if (peer->local >= spec->n_locals)
		return err_set(err, EINVAL,
			       "remote VTEP %s: no local VTEP address to reach it from", text);
	if (peer->n_nexthops > VTEP_NEXTHOPS_MAX)
		return err_set(err, EINVAL, "remote VTEP %s: more than %u next hops", text,
			       VTEP_NEXTHOPS_MAX);
	for (uint16_t i = 0; i < spec->n_locals; i++) {
		if (vxlan_ip_equal(&spec->locals[i], &peer->remote))
			return err_set(
				err, EINVAL,
				"remote VTEP %s is an address of this host; give the other host's",
				text);
	}
	if (peer->src_port_max != 0 &&
	    (peer->src_port_min == 0 || peer->src_port_min > peer->src_port_max))
		return err_set(err, EINVAL,
			       "remote VTEP %s: source ports %u-%u: the range is empty", text,
			       peer->src_port_min, peer->src_port_max);
	if (peer->dscp > 63)
		return err_set(err, EINVAL, "remote VTEP %s: DSCP %u is outside 0..63", text,
			       peer->dscp);
	if (peer->csum > VTEP_CSUM_ZERO)
		return err_set(err, EINVAL,
			       "remote VTEP %s: unknown treatment of outer UDP checksums", text);
	if (spec->locals[peer->local].is_v6 != peer->remote.is_v6)
		return err_set(err, EINVAL,
			       "remote VTEP %s: reached from %s, which is of another family; use "
			       "two IPv4 or two "
			       "IPv6 addresses",
			       text, ip_text(&spec->locals[peer->local], local));
	return 0;
}

static int compare_peers(const void *a, const void *b)
{
	const struct vtep_peer_spec *x = *(const struct vtep_peer_spec *const *)a;
	const struct vtep_peer_spec *y = *(const struct vtep_peer_spec *const *)b;
	int order = memcmp(&x->remote, &y->remote, sizeof(x->remote));

	return order != 0 ? order : (int)x->local - (int)y->local;
}

static int check_peers(const struct vtep_spec *spec, struct err *err)
{
	const struct vtep_peer_spec **sorted;
	char text[IP_TEXT_MAX];
	int ret = 0;

	if (spec->n_peers > VTEP_PEERS_MAX)
		return err_set(err, EINVAL, "%u remote VTEPs are more than the %u possible",
			       spec->n_peers, VTEP_PEERS_MAX);
	for (uint16_t i = 0; i < spec->n_peers; i++) {
		ret = check_peer(spec, &spec->peers[i], err);
		if (ret != 0)
			return ret;
	}
	sorted = calloc(spec->n_peers > 0 ? spec->n_peers : 1, sizeof(*sorted));
	if (sorted == NULL)
		return err_set(err, ENOMEM, "no memory to check %u remote VTEPs", spec->n_peers);
	for (uint16_t i = 0; i < spec->n_peers; i++)
		sorted[i] = &spec->peers[i];
	qsort(sorted, spec->n_peers, sizeof(*sorted), compare_peers);
	for (uint16_t i = 1; i < spec->n_peers && ret == 0; i++) {
		if (compare_peers(&sorted[i - 1], &sorted[i]) == 0)
			ret = err_set(err, EINVAL, "remote VTEP %s is given twice",
				      ip_text(&sorted[i]->remote, text));
	}
	free(sorted);
	return ret;
}

/* The guests' MTU must fit every underlay the VNI uses: inner MTU = underlay - 50 or - 70, - 4 for a kept tag. */
static int check_mtu(const struct vtep_vni_spec *vni, const struct vtep_peer_spec *peer,
		     struct err *err)
{
	uint16_t overhead = vxlan_outer_len(peer->remote.is_v6);
	char text[IP_TEXT_MAX];

	if (vni->tag == VTEP_TAG_KEEP)
		overhead += WIRE_TAG_LEN;
	for (uint16_t i = 0; i < peer->n_nexthops && vni->mtu != 0; i++) {
		uint16_t mtu = peer->nexthops[i].mtu;

		if (mtu < vni->mtu + overhead)
			return err_set(err, EINVAL,
				       "VNI %u: an MTU of %u needs %u in the underlay, the route "
				       "to VTEP %s has %u; "
				       "raise the underlay's MTU or lower the VNI's to %d",
				       vni->vni, vni->mtu, vni->mtu + overhead,
				       ip_text(&peer->remote, text), mtu,
				       mtu > overhead ? mtu - overhead : 0);
	}
	return 0;
}

static int check_vni(const struct vtep_spec *spec, const struct vtep_vni_spec *vni,
		     uint32_t *seen_by_peer, uint32_t mark, struct err *err)
{
	char text[IP_TEXT_MAX];

	if (vni->vni == 0 || vni->vni > VXLAN_VNI_MAX)
		return err_set(err, EINVAL, "VNI %u is outside 1..%u", vni->vni, VXLAN_VNI_MAX);
	if (vni->tag > VTEP_TAG_REFUSE)
		return err_set(err, EINVAL, "VNI %u: unknown treatment of inner tags", vni->vni);
	for (uint32_t m = 0; m < vni->n_members; m++) {
		uint16_t peer = vni->members[m].peer;
		int ret;

		if (peer >= spec->n_peers)
			return err_set(err, EINVAL, "VNI %u: remote VTEP number %u does not exist",
				       vni->vni, peer);
		if (seen_by_peer[peer] == mark)
			return err_set(err, EINVAL, "VNI %u: remote VTEP %s is given twice",
				       vni->vni, ip_text(&spec->peers[peer].remote, text));
		seen_by_peer[peer] = mark;
		ret = check_mtu(vni, &spec->peers[peer], err);
		if (ret != 0)
			return ret;
	}
	return 0;
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* One VLAN cannot be two networks, and one network cannot be two VLANs. */
static int check_unique(const struct vtep_spec *spec, struct err *err)
{
	uint64_t *keys = calloc(spec->n_vnis > 0 ? spec->n_vnis : 1, sizeof(*keys));
	uint32_t n = 0;
	int ret = 0;

	if (keys == NULL)
		return err_set(err, ENOMEM, "no memory to check %u VNIs", spec->n_vnis);
	for (uint32_t v = 0; v < spec->n_vnis; v++)
		keys[v] = spec->vnis[v].vni;
	qsort(keys, spec->n_vnis, sizeof(*keys), compare_u64);
	for (uint32_t v = 1; v < spec->n_vnis && ret == 0; v++) {
		if (keys[v] == keys[v - 1])
			ret = err_set(err, EINVAL, "VNI %u is given twice", (uint32_t)keys[v]);
	}
	for (uint32_t v = 0; v < spec->n_vnis; v++) {
		if (spec->vnis[v].sw != VTEP_NONE)
			keys[n++] = (uint64_t)spec->vnis[v].sw << 12 | spec->vnis[v].vid;
	}
	qsort(keys, n, sizeof(*keys), compare_u64);
	for (uint32_t v = 1; v < n && ret == 0; v++) {
		if (keys[v] == keys[v - 1])
			ret = err_set(err, EINVAL,
				      "VLAN %u of one switch has two VNIs; give it one",
				      (unsigned)(keys[v] & 0xfff));
	}
	free(keys);
	return ret;
}

int vtep_spec_check(const struct vtep_spec *spec, struct err *err)
{
	uint32_t *seen;
	int ret;

	if (spec->n_vnis > VTEP_VNIS_MAX)
		return err_set(err, EINVAL, "%u VNIs are more than the %u possible", spec->n_vnis,
			       VTEP_VNIS_MAX);
	ret = check_locals(spec, err);
	if (ret == 0)
		ret = check_peers(spec, err);
	if (ret == 0)
		ret = check_unique(spec, err);
	if (ret != 0)
		return ret;

	seen = calloc(spec->n_peers > 0 ? spec->n_peers : 1, sizeof(*seen));
	if (seen == NULL)
		return err_set(err, ENOMEM, "no memory to check %u VNIs", spec->n_vnis);
	for (uint32_t v = 0; v < spec->n_vnis && ret == 0; v++)
		ret = check_vni(spec, &spec->vnis[v], seen, v + 1, err);
	free(seen);
	return ret;
}
