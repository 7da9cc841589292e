/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sFlow version 5 agents (sflow.org/sflow_version_5.txt): one frame of so many that come in at some ports, and the ports' counters now
 * and then, in UDP datagrams to a collector.
 *
 * Samples are taken by probes, so they cost the workers what a capture of so few frames costs. A port's ifIndex is its
 * index + 1. A collector that cannot be reached is said in the list; nothing waits for it. Control thread only.
 */
#ifndef CONTROL_EYES_SFLOW_H
#define CONTROL_EYES_SFLOW_H

#include <event2/event.h>
#include <jansson.h>

#include "eyes/eyes.h"

struct sflows;

/** sflows_new() - No agents yet. Return: NULL without memory. */
struct sflows *sflows_new(struct event_base *base, struct eyes *eyes);
/** sflows_free() - While the datapath still runs; NULL is fine */
void sflows_free(struct sflows *sflows);

/** sflows_sync() - Make the agents what the model says; publishes, so not from within a publication */
void sflows_sync(struct sflows *sflows, const struct model *model);

/** sflows_status() - Add {samples, lost, datagrams, detail} of the named agent to @object */
void sflows_status(const struct sflows *sflows, const char *name, json_t *object);

#endif
