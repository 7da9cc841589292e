/* SPDX-License-Identifier: BSD-3-Clause */
/* vm-runner --check */
#ifndef VM_CHECK_H
#define VM_CHECK_H

/** check_main() - Say on stdout whether KVM can run a 64-bit kernel. Return: exit status, 0 or VM_EXIT_NO_KVM */
int check_main(void);

#endif
