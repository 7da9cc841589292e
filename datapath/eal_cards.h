/* SPDX-License-Identifier: BSD-3-Clause */
/* Network cards of this machine that have been given to DPDK. */
#ifndef DATAPATH_EAL_CARDS_H
#define DATAPATH_EAL_CARDS_H

enum eal_cards {
	EAL_CARDS_NONE,
	EAL_CARDS_IOMMU,   /* all behind an IOMMU: they use the addresses we use */
	EAL_CARDS_PHYSICAL /* one is not (uio, or vfio without IOMMU): it needs physical addresses */
};

/** eal_cards_look() - What there is, by sysfs. Any thread. */
enum eal_cards eal_cards_look(void);

#endif
