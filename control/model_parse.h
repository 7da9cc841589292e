/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Switches, ports and stations from JSON, as rpc/README.md describes them: the same text in RPC requests and in the
 * state file. Each object is checked by itself here; how they fit together is model_check.h's.
 */
#ifndef CONTROL_MODEL_PARSE_H
#define CONTROL_MODEL_PARSE_H

#include <jansson.h>

#include "model.h"
#include "problems.h"

/**
 * model_switch_parse() - Read one switch
 * @place: where it was, such as `switches[3]`; named when the object has no name
 * Faults go to @problems; @sw is then incomplete. Absent keys have their defaults.
 */
void model_switch_parse(const json_t *value, const char *place, struct model_switch *sw,
			struct problems *problems);

/** model_port_parse() - Read one port; see model_switch_parse() */
void model_port_parse(const json_t *value, const char *place, struct model_port *port,
		      struct problems *problems);

/** model_station_parse() - Read one static FDB entry: {switch, vlan, mac, port, sticky?} */
void model_station_parse(const json_t *value, const char *place, struct model_station *station,
			 struct problems *problems);

/** model_mac_parse() - aa:bb:cc:dd:ee:ff, a unicast address. Return: false if it is not. */
bool model_mac_parse(const char *text, uint64_t *mac);

/**
 * model_objects_parse() - Read lists of switches and ports and add them to a model
 * @owner: NULL: each may say its own. Else they get this one, and saying another is a fault.
 * Names used twice, or taken by others, are faults.
 */
void model_objects_parse(struct model *model, const json_t *switches, const json_t *ports,
			 const char *owner, struct problems *problems);

/**
 * model_owner_settle() - Settle whose an object is
 * @what:  begins the sentence, such as `port "web"`
 * @own:   whose it says it is, "" for nobody's; becomes @owner
 * @owner: of the request; NULL: each object may say its own. Saying another is a fault.
 */
void model_owner_settle(const char *what, char own[MODEL_NAME_MAX], const char *owner,
			struct problems *problems);

#endif
