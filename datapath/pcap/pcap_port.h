/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Port type "pcap": receives the frames of one capture file, once and in order, and appends what it
 * sends to another.
 *
 * For tests and for replaying captures. The file to receive from is read into memory when the port
 * is opened, so that a broken file is refused then, and a worker never waits for a disk.
 */
#ifndef DATAPATH_PCAP_PCAP_PORT_H
#define DATAPATH_PCAP_PCAP_PORT_H

#include "port.h"

extern const struct port_ops pcap_port_ops;

#endif
