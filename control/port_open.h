/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From a port as the user described it to a port that runs: the types outside datapath/, and what must be told to
 * the kernel besides. Control thread only.
 */
#ifndef CONTROL_PORT_OPEN_H
#define CONTROL_PORT_OPEN_H

#include "model.h"

/* Types this daemon knows beyond the datapath's port_types[]; ends with NULL. */
extern const struct port_ops *const control_port_types[];

/**
 * port_open() - Make a port of any type but patch
 * Return: 0, or -errno with @err filled; then nothing is left behind.
 */
int port_open(const struct model_port *port, struct port **out, struct err *err);

/** port_opens_again() - Whether a port that could not be opened is tried again without being named */
bool port_opens_again(const struct model_port *port);

/**
 * port_may_open() - Whether it is worth trying, as far as can be told without trying
 * @pause_ns: how long to wait after a try that failed, for what it costs
 *
 * Return: 0, or -errno with @err filled.
 */
int port_may_open(const struct model_port *port, uint64_t *pause_ns, struct err *err);

/**
 * port_follow() - Tell what is behind a running port of a change that needs no new object: MTU, carrier
 * A failure is logged: the port itself goes on.
 */
void port_follow(struct port *live, const struct model_port *before, const struct model_port *now);

/** port_is_lost() - Whether what is behind a port has gone and only a new object brings it back */
bool port_is_lost(struct port *live);

/** port_clash() - Whether two ports cannot exist at the same time, for want of a second socket, file or interface name */
bool port_clash(const struct model_port *a, const struct model_port *b);

#endif
