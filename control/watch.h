/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Events that are found by comparing: links that came or went, stations that moved, drops that rise.
 *
 * Only while somebody is subscribed: then, not before, there is a table of what was last told, and a look at the drop counters
 * once a second. Moves are told one by one up to a rate; beyond it they are counted, and the next event says how many. Control
 * thread only.
 */
#ifndef CONTROL_WATCH_H
#define CONTROL_WATCH_H

#include <stdint.h>

struct control;
struct watch;

/** watch_new() - Nothing is looked at yet. Return: NULL without memory. */
struct watch *watch_new(struct control *control);
void watch_free(struct watch *watch);

/** watch_start() - Somebody has subscribed: what is now is the base of what is told from here on */
void watch_start(struct watch *watch);

/** watch_links() - Something may have changed the link of a port: tell which. @watch may be NULL. */
void watch_links(struct watch *watch);

/** watch_moved() - A station was seen on another port; fits datapath_options.on_station_moved */
void watch_moved(uint32_t fid, uint64_t mac, uint16_t from, uint16_t to, void *control);

#endif
