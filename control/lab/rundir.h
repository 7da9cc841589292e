/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where everything that runs has its place: $NETLOOM_RUNDIR, by default /run/netloom.
 *
 *   netloomd.sock netloomd.log netloomd.json netloomd.pid     the switch
 *   daemon.json daemon.lock                                   the one netloom started; see daemon.h
 *   kvm.json                                                  what `vm-runner --check` said
 *   labs/LAB.lock                                             held while a lab is being changed
 *   labs/LAB/lab.yaml lab.json                                the file as it was brought up
 *   labs/LAB/NODE/...                                         one folder per VM
 *
 * Nothing of a lab lives anywhere else, so that `down` is exact. One thread.
 */
#ifndef LAB_RUNDIR_H
#define LAB_RUNDIR_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "topo/topo.h"

struct lab_path {
	char text[PATH_MAX];
};

/** rundir_path() - $NETLOOM_RUNDIR or the default; absolute, borrowed */
const char *rundir_path(void);

/** rundir_file() - A file directly in the run directory */
struct lab_path rundir_file(const char *name);

/** rundir_lab() - The folder of a lab; with @name, a file in it */
struct lab_path rundir_lab(const char *lab, const char *name);

/** rundir_node() - The folder of a node; with @name, a file in it */
struct lab_path rundir_node(const char *lab, const char *node, const char *name);

/** rundir_nic_socket() - Where the VM listens for the switch: NODE/ethN.sock */
struct lab_path rundir_nic_socket(const char *lab, const char *node, const char *ifname);

/**
 * rundir_sockets_check() - Every socket path of a lab fits sun_path (107 bytes), or a sentence why not
 *
 * Return: 0 or -ENAMETOOLONG.
 */
int rundir_sockets_check(const struct topo *topo, struct err *err);

/** rundir_make() - Create the run directory (0755) and labs/; Return: 0 or -errno */
int rundir_make(struct err *err);

/** rundir_tidy() - Remove the folders of the run directory that are empty, and itself */
void rundir_tidy(void);

/**
 * rundir_labs() - Names of the labs that have a folder, sorted
 * @names: out, array of strings; free with rundir_names_free()
 *
 * Return: how many, or -errno.
 */
int rundir_labs(char ***names, struct err *err);

/** rundir_nodes() - Names of the VM folders of a lab, sorted; like rundir_labs() */
int rundir_nodes(const char *lab, char ***names, struct err *err);

/** rundir_names_free() - Give back what rundir_labs() or rundir_nodes() gave */
void rundir_names_free(char **names, int n);

/**
 * rundir_lab_lock() - Be the only one who changes a lab
 * @lab: name
 *
 * Return: a file descriptor for rundir_lab_unlock(), or -errno; -EBUSY when another netloom holds it.
 */
int rundir_lab_lock(const char *lab, struct err *err);

/** rundir_lab_unlock() - Let others; with @remove, the lock file goes too */
void rundir_lab_unlock(const char *lab, int fd, bool remove);

#endif
