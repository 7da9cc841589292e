/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The model as JSON: what model_parse.h reads back to an equal object. Used by the RPC and by the state file.
 * All return a new reference, NULL without memory.
 */
#ifndef CONTROL_MODEL_PRINT_H
#define CONTROL_MODEL_PRINT_H

#include <jansson.h>

#include "model.h"

json_t *model_switch_print(const struct model_switch *sw);
json_t *model_port_print(const struct model_port *port);
json_t *model_station_print(const struct model_station *station);

/** model_mac_print() - aa:bb:cc:dd:ee:ff */
void model_mac_print(uint64_t mac, char text[18]);

#endif
