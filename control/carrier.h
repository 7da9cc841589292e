/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Carrier: what the peer of each port sees of its link, and telling it.
 *
 * A port's peer has a carrier while the cable is whole: the port is not shut and does not flap just now, and on a wire the other
 * port is not shut either and has somebody attached; at the end of a cable to another host, its other end is heard, and says the same of
 * its port (cables.h). `carrier: always` takes no part in this. A TAP's carrier is set in the
 * kernel; a guest's by its VMM, which is told again whenever it comes back, and tried again when it does not answer.
 * Ports that flap do so by the monotonic clock, each link at a moment of its own, both ends together. Control thread only.
 */
#ifndef CONTROL_CARRIER_H
#define CONTROL_CARRIER_H

#include "apply.h"

struct carrier;
struct control;

/** carrier_new() - Nothing is known yet. Return: NULL without memory. */
struct carrier *carrier_new(struct control *control);
void carrier_free(struct carrier *carrier);

/** carrier_sync() - The model has changed: look at all ports. @carrier may be NULL. */
void carrier_sync(struct carrier *carrier);

/** carrier_port_changed() - The peer of this port came or went. @carrier may be NULL. */
void carrier_port_changed(struct carrier *carrier, const char *name);

/** carrier_is_up() - What the port's peer should see */
bool carrier_is_up(const struct carrier *carrier, const struct model_port *port);

/** carrier_is_told() - Whether the peer has been told so, if it must be */
bool carrier_is_told(const struct carrier *carrier, const struct model_port *port);

#endif
