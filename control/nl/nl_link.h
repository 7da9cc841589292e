/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Setting up a kernel interface: its place, name, MAC address, MTU, IP addresses and state.
 */
#ifndef CONTROL_NL_LINK_H
#define CONTROL_NL_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define NL_IFNAME_MAX	 16 /* with the NUL */
#define NL_ADDRESSES_MAX 16

struct nl_address {
	int family; /* AF_INET, AF_INET6 */
	uint8_t bytes[16];
	uint8_t prefix_len;
};

struct nl_link_setup {
	const char *ifname;   /* what it is called now, in the caller's namespace */
	const char *netns;    /* where to put it, see nl_netns_open(); NULL or "": it stays */
	const char *new_name; /* NULL or "": it keeps its name */
	const uint8_t *mac;   /* NULL: as it is */
	uint32_t mtu;	      /* 0: as it is */
	bool up;
	size_t n_addresses;
	const struct nl_address *addresses;
};

/**
 * nl_ifname_check() - May an interface be called so?  1 to 15 characters, no slash, colon or space
 * Return: NULL, or why not.
 */
const char *nl_ifname_check(const char *name);

/**
 * nl_address_parse() - "10.0.0.1/24", "2001:db8::1/64"; without a length the whole address is the prefix
 * Return: 0 or -EINVAL with @err filled.
 */
int nl_address_parse(const char *text, struct nl_address *address, struct err *err);

/**
 * nl_link_configure() - Bring an interface to where and what @setup says
 *
 * Addresses it has already are left; a second call with the same setup (but for where it is now) changes nothing.
 * Return: 0 or -errno with @err filled; what was done until then stays done.
 * Context: control thread; waits for the kernel's answers.
 */
int nl_link_configure(const struct nl_link_setup *setup, struct err *err);

/** nl_link_set_mtu() - Change one thing of an interface in a namespace (NULL or "": ours) */
int nl_link_set_mtu(const char *netns, const char *ifname, uint32_t mtu, struct err *err);

#endif
