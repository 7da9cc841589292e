/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How the objects of a model must fit together. A model that passes can be made to run by apply, machine permitting.
 */
#ifndef CONTROL_MODEL_CHECK_H
#define CONTROL_MODEL_CHECK_H

#include "model.h"
#include "problems.h"

/**
 * model_check() - Find all contradictions
 *
 * Checked: limits; that switches, wires, patches and peer ports exist, name each other and have the same owner; that no
 * socket or output file is used twice; that static entries are on ports which carry their VLAN.
 */
void model_check(const struct model *model, struct problems *problems);

#endif
