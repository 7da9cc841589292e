/* SPDX-License-Identifier: BSD-3-Clause */
/* See nic_device.h. Control thread, but for link and interrupts. */
#include "nic_device.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#define CARDS_MAX      16
#define DESCRIPTORS    1024
#define SPARE_MBUFS    1023 /* in caches and in our hands */
#define DRIVER_ROOM    64   /* headers of its own that a driver wants to fit as well */
#define MBUF_CACHE     256
#define FRAME_OVERHEAD 22 /* Ethernet header and two VLAN tags */

/* What of a card's offloads is used: see uplink_nic.c and nic_tx.c. */
#define RX_OFFLOADS (RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM)
#define TX_OFFLOADS RTE_ETH_TX_OFFLOAD_UDP_CKSUM

/* Cards in use; control thread. */
static char in_use[CARDS_MAX][NIC_PCI_MAX];

static char *in_use_find(const char *pci)
{
	for (size_t i = 0; i < CARDS_MAX; i++) {
		if (strcmp(in_use[i], pci) == 0)
			return in_use[i];
	}
	return NULL;
}

bool nic_device_check(const char *pci)
{
	unsigned int domain, bus, device, function;
	char back[NIC_PCI_MAX];

	if (sscanf(pci, "%4x:%2x:%2x.%1x", &domain, &bus, &device, &function) != 4)
		return false;
	snprintf(back, sizeof(back), "%04x:%02x:%02x.%x", domain, bus, device, function);
	return strcmp(back, pci) == 0 && device < 32 && function < 8;
}

/* Which driver of the kernel has the card; "" for none. Return: false if there is no such card. */
static bool kernel_driver(const char *pci, char driver[32])
{
	char path[128], target[PATH_MAX];
	ssize_t n;

	driver[0] = '\0';
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s", pci);
	if (access(path, F_OK) != 0)
		return false;
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver", pci);
	n = readlink(path, target, sizeof(target) - 1);
	if (n > 0) {
		target[n] = '\0';
		snprintf(driver, 32, "%.31s", basename(target));
	}
	return true;
}

int nic_device_ready(const char *pci, struct err *err)
{
	char driver[32];

	if (!kernel_driver(pci, driver))
		return err_set(err, ENODEV, "there is no PCI device %s; `lspci -D` lists them",
			       pci);
	if (strcmp(driver, "vfio-pci") != 0 && strcmp(driver, "uio_pci_generic") != 0 &&
	    strcmp(driver, "igb_uio") != 0)
		return err_set(err, EBUSY,
			       "PCI device %s is %s%s; give it to DPDK: `dpdk-devbind.py -b "
			       "vfio-pci %s`%s",
			       pci,
			       driver[0] != '\0' ? "driven by the kernel's " : "without a driver",
			       driver, pci, rte_eal_has_pci() ? "" : ", and restart netloomd");
	if (!rte_eal_has_pci())
		return err_set(err, EAGAIN,
			       "PCI device %s was bound to %s after netloomd had started; restart "
			       "netloomd",
			       pci, driver);
	return 0;
}

static int probe(struct nic_device *nic, struct err *err)
{
	int ret = nic_device_ready(nic->pci, err);

	if (ret != 0)
		return ret;
	if (rte_eth_dev_get_port_by_name(nic->pci, &nic->port_id) == 0)
		return 0; /* it was ours before */
	ret = rte_eal_hotplug_add("pci", nic->pci, "");
	if (ret != 0)
		return err_set(
			err, -ret,
			"DPDK cannot take PCI device %s: %s; another process may have it, or "
			"netloomd has no driver for it (its log says more)",
			nic->pci, strerror(-ret));
	if (rte_eth_dev_get_port_by_name(nic->pci, &nic->port_id) != 0)
		return err_set(err, ENOTSUP,
			       "PCI device %s is no network card that netloomd drives", nic->pci);
	return 0;
}

static int configure(struct nic_device *nic, const struct rte_eth_dev_info *info, bool intr)
{
	struct rte_eth_conf conf = {
		.rxmode = {.offloads = nic->rx_offloads},
		.txmode = {.offloads = nic->tx_offloads},
		.intr_conf = {.rxq = intr},
	};
	uint32_t mtu = nic->frame_max - FRAME_OVERHEAD;

	conf.rxmode.mtu = mtu < info->max_mtu ? mtu : info->max_mtu;
	return rte_eth_dev_configure(nic->port_id, 1, 1, &conf);
}

static int start(struct nic_device *nic, const struct rte_eth_dev_info *info, bool intr)
{
	uint16_t n_rx = DESCRIPTORS, n_tx = DESCRIPTORS;
	int socket = rte_eth_dev_socket_id(nic->port_id);
	int ret = configure(nic, info, intr);

	if (ret == 0)
		ret = rte_eth_dev_adjust_nb_rx_tx_desc(nic->port_id, &n_rx, &n_tx);
	if (ret == 0)
		ret = rte_eth_rx_queue_setup(nic->port_id, 0, n_rx, (unsigned int)socket, NULL,
					     nic->pool);
	if (ret == 0)
		ret = rte_eth_tx_queue_setup(nic->port_id, 0, n_tx, (unsigned int)socket, NULL);
	if (ret == 0)
		ret = rte_eth_dev_start(nic->port_id);
	return ret;
}

/* A card's packets are never all given back by a driver: the pool stays with the card, one for each size that was asked for. */
static struct rte_mempool *pool_get(const struct nic_device *nic, uint32_t room)
{
	char name[RTE_MEMPOOL_NAMESIZE];
	struct rte_mempool *pool;

	snprintf(name, sizeof(name), "%s-%u", nic->pci, room);
	pool = rte_mempool_lookup(name);
	if (pool != NULL)
		return pool;
	return rte_pktmbuf_pool_create(name, 2 * DESCRIPTORS + SPARE_MBUFS, MBUF_CACHE, 0,
				       (uint16_t)(room + RTE_PKTMBUF_HEADROOM + DRIVER_ROOM),
				       SOCKET_ID_ANY);
}

static int setup(struct nic_device *nic, uint32_t mtu, struct err *err)
{
	struct rte_eth_dev_info info;
	struct rte_ether_addr mac;
	uint32_t room = mtu + FRAME_OVERHEAD;
	int ret = rte_eth_dev_info_get(nic->port_id, &info);

	if (ret != 0)
		return err_set(err, -ret, "PCI device %s says nothing of itself: %s", nic->pci,
			       strerror(-ret));
	if (mtu > info.max_mtu)
		return err_set(err, EINVAL, "PCI device %s takes an MTU of at most %u, not %u",
			       nic->pci, info.max_mtu, mtu);
	room = RTE_ALIGN_CEIL(room < RTE_MBUF_DEFAULT_DATAROOM ? RTE_MBUF_DEFAULT_DATAROOM : room,
			      1024);
	nic->frame_max = room;
	nic->rx_offloads = info.rx_offload_capa & RX_OFFLOADS;
	nic->tx_offloads = info.tx_offload_capa & TX_OFFLOADS;
	snprintf(nic->driver, sizeof(nic->driver), "%s", info.driver_name);
	nic->pool = pool_get(nic, room);
	if (nic->pool == NULL)
		return err_set(err, ENOMEM, "no memory for the packets of PCI device %s: %s",
			       nic->pci, rte_strerror(rte_errno));
	/* Not every driver has an interrupt for packets, and some say so by refusing to start. */
	ret = start(nic, &info, true);
	if (ret != 0)
		ret = start(nic, &info, false);
	if (ret != 0)
		return err_set(err, -ret, "PCI device %s (%s) does not start: %s", nic->pci,
			       nic->driver, strerror(-ret));
	nic->intr_fd = rte_eth_dev_rx_intr_ctl_q_get_fd(nic->port_id, 0);
	rte_eth_allmulticast_enable(nic->port_id);
	rte_eth_macaddr_get(nic->port_id, &mac);
	memcpy(nic->mac, mac.addr_bytes, sizeof(nic->mac));
	return 0;
}

int nic_device_open(struct nic_device *nic, const char *pci, uint32_t mtu, struct err *err)
{
	char *place = in_use_find("");
	int ret;

	memset(nic, 0, sizeof(*nic));
	if (in_use_find(pci) != NULL)
		return err_set(err, EBUSY, "PCI device %s is another uplink's", pci);
	if (place == NULL)
		return err_set(err, ENOSPC, "at most %d network cards are driven at once",
			       CARDS_MAX);
	nic->intr_fd = -1;
	snprintf(nic->pci, sizeof(nic->pci), "%s", pci);
	ret = probe(nic, err);
	if (ret != 0)
		return ret;
	ret = setup(nic, mtu, err);
	if (ret != 0)
		nic_device_close(nic);
	else
		memcpy(place, nic->pci, NIC_PCI_MAX);
	return ret;
}

void nic_device_close(struct nic_device *nic)
{
	char *place = in_use_find(nic->pci);

	rte_eth_dev_stop(nic->port_id);
	if (place != NULL)
		place[0] = '\0';
}

uint32_t nic_device_mtu_max(const struct nic_device *nic)
{
	return nic->frame_max - FRAME_OVERHEAD;
}

bool nic_device_link(const struct nic_device *nic)
{
	struct rte_eth_link link = {.link_status = 0};

	return rte_eth_link_get_nowait(nic->port_id, &link) == 0 && link.link_status != 0;
}

bool nic_device_intr(const struct nic_device *nic, bool on)
{
	if (nic->intr_fd < 0)
		return false;
	return (on ? rte_eth_dev_rx_intr_enable(nic->port_id, 0)
		   : rte_eth_dev_rx_intr_disable(nic->port_id, 0)) == 0;
}
