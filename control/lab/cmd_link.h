/* SPDX-License-Identifier: BSD-3-Clause */
/* The parts of `netloom link`. One thread. */
#ifndef LAB_CMD_LINK_H
#define LAB_CMD_LINK_H

#include <stdbool.h>

#include "lab/cli.h"

/** link_show() - `netloom link show`; @where: a lab, one end of a link, or NULL for all. Return: exit status */
int link_show(const struct command *command, const char *where, bool json);

#endif
