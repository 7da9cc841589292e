/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The `vlan` of a port, from and to JSON:
 * {"access": V} | {"trunk": [V | "V-W", ...] | "all", "native"?: V, "tpid"?: "802.1q"|"802.1ad"} | {"tunnel": V}
 */
#ifndef CONTROL_MODEL_VLAN_H
#define CONTROL_MODEL_VLAN_H

#include <jansson.h>

#include "problems.h"
#include "vlan.h"

/** model_vlan_default() - Trunk of all VLANs, native 1: what a port has that says nothing */
void model_vlan_default(struct vlan_port *vlan);

/**
 * model_vlan_parse() - Read a `vlan` value
 * @what: begins the sentences, such as `port "web"`
 * Faults go to @problems; @vlan is then unspecified.
 */
void model_vlan_parse(const json_t *value, const char *what, struct vlan_port *vlan,
		      struct problems *problems);

/** model_vlan_print() - The JSON that parses to @vlan. Return: new reference. */
json_t *model_vlan_print(const struct vlan_port *vlan);

/** model_vlan_text() - The same for people: `access 10`, `trunk 10,20-29 native 1` */
void model_vlan_text(const struct vlan_port *vlan, char *text, size_t size);

/** model_vlan_equal() - Whether two ports treat every frame alike */
bool model_vlan_equal(const struct vlan_port *a, const struct vlan_port *b);

#endif
