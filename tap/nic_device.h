/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A network card that netloomd drives itself, through DPDK's driver, by its PCI address: one receive and one transmit queue.
 *
 * The card has been taken from the kernel before (vfio-pci, or uio_pci_generic). Once opened it stays with this process, stopped
 * when closed: not every driver of DPDK 22.11 can be unplugged without leaving an interrupt handler behind, on which DPDK then
 * ends the process.
 */
#ifndef TAP_NIC_DEVICE_H
#define TAP_NIC_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define NIC_PCI_MAX 16 /* "0000:00:03.0" */

struct rte_mempool;
struct rte_mbuf;

struct nic_device {
	char pci[NIC_PCI_MAX];
	char driver[32];
	uint16_t port_id;
	struct rte_mempool *pool;
	uint32_t frame_max;   /* bytes that are received and sent at most */
	uint64_t tx_offloads; /* RTE_ETH_TX_OFFLOAD_*, of those we know how to use */
	uint64_t rx_offloads;
	int intr_fd; /* readable when packets have come, -1: the driver cannot say so */
	uint8_t mac[6];
};

/** nic_device_check() - Is it a PCI address, as "0000:00:03.0"? */
bool nic_device_check(const char *pci);

/**
 * nic_device_ready() - Whether nothing plainly stands in the way of taking a card: it is there, and was given to DPDK
 *
 * Return: 0, or -errno with @err saying what to change. Context: control thread; asks /sys only.
 */
int nic_device_ready(const char *pci, struct err *err);

/**
 * nic_device_open() - Take and start a card
 * @mtu: frames of so many bytes, and headers, must fit
 *
 * Return: 0, or -errno with @err saying what to change, and nothing left behind. Context: control thread; takes its time.
 */
int nic_device_open(struct nic_device *nic, const char *pci, uint32_t mtu, struct err *err);
void nic_device_close(struct nic_device *nic);

/** nic_device_mtu_max() - The largest MTU whose frames fit */
uint32_t nic_device_mtu_max(const struct nic_device *nic);

/** nic_device_link() - Whether there is a carrier. Any thread. */
bool nic_device_link(const struct nic_device *nic);

/** nic_device_intr() - Ask for an interrupt when packets come, or not. Return: false if there are none to be had. */
bool nic_device_intr(const struct nic_device *nic, bool on);

#endif
