/* SPDX-License-Identifier: BSD-3-Clause */
/* What the user calls a port, and what netloomd does. One thread. */
#ifndef LAB_TARGET_H
#define LAB_TARGET_H

#include "base/err.h"

#define TARGET_MAX 64

/**
 * target_name() - Name of netloomd's port, switch or owner for what the user wrote
 * @text: LAB/NODE:IF, LAB/SWITCH, LAB, or the name of a port or switch made by hand
 * @name: out
 *
 * A switch's end of a machine's link is the port of the machine's end. A node that is a machine is refused: its
 * interfaces have names. Whether there is such a port is netloomd's to say.
 *
 * Return: 0 or -errno with a sentence.
 */
int target_name(const char *text, char name[TARGET_MAX], struct err *err);

#endif
