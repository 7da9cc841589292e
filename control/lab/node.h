/* SPDX-License-Identifier: BSD-3-Clause */
/* One VM of a lab: started, stopped, and what is known about it in its folder. One thread. */
#ifndef LAB_NODE_H
#define LAB_NODE_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "lab/monitor.h"
#include "topo/topo.h"

/**
 * node_start() - Write a node's folder and start its VM; returns when the VMM runs, not when the guest is up
 * @topo: model
 * @node: one of its VMs
 * @spec: from vmm_spec(), borrowed
 *
 * What an earlier run left in the folder is replaced; its logs are kept as *.log.1.
 */
int node_start(const struct topo *topo, const struct topo_node *node, json_t *spec,
	       struct err *err);

/**
 * node_stop() - End a VM
 * @grace_ms: time for the guest to power off by itself after the power button; 0: end it at once
 */
int node_stop(const char *lab, const char *node, unsigned int grace_ms, struct err *err);

/** node_folder_remove() - Remove the folder of a node that is stopped */
int node_folder_remove(const char *lab, const char *node, struct err *err);

/** node_record_read() - What the node was started with: {"spec", "net", "exec"}; new reference or NULL */
json_t *node_record_read(const char *lab, const char *node);

/** node_net() - The part of a node that changes without a restart: its addresses; new reference */
json_t *node_net(const struct topo_node *node);

/** node_spec_record() - Note how a running VM is now, after hotplug. Return: 0 or -errno */
int node_spec_record(const char *lab, const struct topo_node *node, json_t *spec, struct err *err);

/** node_net_record() - Note that the guest has the model's addresses now */
int node_net_record(const char *lab, const struct topo_node *node, struct err *err);

/** node_is_running() - Its monitor lives */
bool node_is_running(const char *lab, const char *node);

/** node_last_words() - The last lines of console or boot log, to be freed; "" when there are none */
char *node_last_words(const char *lab, const char *node, unsigned int lines);

#endif
