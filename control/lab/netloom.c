/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * netloom: the command line. This file is the list of commands and what their --help says; each command is
 * in cmd_NAME.c. One thread.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "lab/cli.h"
#include "lab/monitor.h"
#include "topo/suggest.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static const struct command commands[] = {
	{"validate", "[--json] FILE...", "check a lab file: every error at once, with its line",
	 "Nothing is touched and nothing needs to run.\n\n"
	 "  netloom validate examples/campus.yaml\n\n"
	 "Findings go to standard error as FILE:LINE: SENTENCE; warnings do not make a file "
	 "invalid.\n"
	 "Of a lab on several hosts the whole is checked; VNIs of links between hosts are "
	 "printed.\n"
	 "Exit status: 0 valid, 3 not.\n",
	 cmd_validate},
	{"graph", "[--format svg|dot|mermaid] [--output FILE] FILE", "draw a lab file",
	 "Nothing needs to run.\n\n"
	 "  netloom graph --output campus.svg examples/campus.yaml\n"
	 "  netloom graph --format dot examples/campus.yaml | neato -n -Tpdf >campus.pdf\n"
	 "  netloom graph --format mermaid examples/campus.yaml    for Markdown\n\n"
	 "Machines stand at the bottom, switches above them by their distance from a machine. "
	 "Labels of a\n"
	 "node decide otherwise: `tier: 2`, or `position: \"300,120\"`.\n"
	 "Without --format the name of the output file decides (.svg, .dot, .mmd); else it is "
	 "SVG.\n",
	 cmd_graph},
	{"up", "[--host NAME] [--dry-run] [--json] [--quiet] [--force] [--timeout S] FILE",
	 "bring a lab up, or change a running one to what the file says",
	 "Says what it will do, then does it: starts netloomd when none runs, sets switches, ports "
	 "and\n"
	 "wires in one transaction, starts the VMs, waits until each answers, runs their `exec`.\n"
	 "Run again after an edit, it changes only what differs: VLANs, links, cards and addresses "
	 "while\n"
	 "the guests run; a VM is restarted only for what it cannot change (memory, CPUs, its "
	 "disk).\n\n"
	 "  netloom up --dry-run examples/campus.yaml      only say it\n"
	 "  netloom up examples/campus.yaml\n\n"
	 "A lab on several hosts (`hosts:` in the file) is brought up on each of them, which "
	 "starts "
	 "its part:\n\n"
	 "  netloom up examples/overlay.yaml --host hostA\n\n"
	 "  --host NAME   which of the file's hosts this machine is\n"
	 "  --timeout S   seconds for a guest to answer after its start (default 120)\n"
	 "  --force       do not look at the free memory\n"
	 "  --quiet       only failures\n\n"
	 "Ctrl-C takes back what this `up` has started.\n"
	 "Exit status: 0 all is up, 1 not all of it, 3 the file has errors, 130 interrupted.\n",
	 cmd_up},
	{"down", "[--quiet] LAB|FILE... | --all", "take a lab down, without a trace",
	 "Ends its VMs (a VM that writes to a disk gets 10 s to power off), removes its switches "
	 "and ports\n"
	 "and its folder. The last lab takes along the netloomd that `up` started.\n\n"
	 "  netloom down campus\n",
	 cmd_down},
	{"ps", "[--json] [LAB]", "labs, nodes, VMM used, state, uptime, memory",
	 "A VM that died says why, with its last console lines.\n\n"
	 "  netloom ps\n\n"
	 "MEMORY is the process' share of physical memory (PSS), guest memory included.\n"
	 "Exit status: 0; 4 when the named lab is not up.\n",
	 cmd_ps},
	{"show",
	 "ports|fdb|switches|links|drops|uplinks|vteps|vnis|neighbours|mirrors|sflows|cycles|"
	 "workers "
	 "[--watch] [--json] [LAB]",
	 "what the switches see: ports and counters, addresses, drops",
	 "  netloom show ports campus        counters per port\n"
	 "  netloom show fdb                 which address is behind which port, in which VLAN\n"
	 "  netloom show drops               every frame that did not leave, and what to change\n"
	 "  netloom show links campus        the cables of the lab file and their state\n"
	 "  netloom show uplinks             ways to other hosts: AF_XDP or AF_PACKET, and why\n"
	 "  netloom show vteps               other hosts: whether they are reachable, and why not\n"
	 "  netloom show vnis                VLANs that reach them, how they are, with counters\n"
	 "  netloom show neighbours          who has which IP address in a VNI\n"
	 "  netloom show mirrors             copies of frames, and where they go\n"
	 "  netloom show sflows              samples to sFlow collectors\n"
	 "  netloom show cycles              for a second: the CPU cycles of each worker, stage by "
	 "stage\n"
	 "  netloom show workers             how busy the switch's threads are, and which queues "
	 "each polls\n"
	 "  netloom show ports --watch       once a second until Ctrl-C\n\n"
	 "Without LAB: everything in netloomd, also what was made by hand.\n",
	 cmd_show},
	{"events", "[--count N] [LAB]", "what happens, as JSON lines, until Ctrl-C",
	 "  netloom events campus\n"
	 "  netloom events | jq -c 'select(.kind == \"drops\") | [.port, .sentence]'\n\n"
	 "Each line has `time` and `kind`:\n"
	 "  node      node, state (running, stopped, dead, not started, gone), detail\n"
	 "  link      port, link (up, down): not shut, and the driver behind it runs\n"
	 "  port      name, connected, running: the peer of a port came or went\n"
	 "  carrier   port, carrier: what its peer sees of the cable from now on\n"
	 "  cable     vni, port, vtep, carrier, detail: a cable to another host\n"
	 "  mac-move  switch, vlan, mac, from, to; at most 20 a second, `missed` counts the rest\n"
	 "  drops     port, reason, count (since the last such line), total, sentence\n"
	 "  config    generation: switches, ports or links were changed\n"
	 "  queue     port, queue, from, to (workers), why: another worker polls it\n"
	 "  netloomd  state (gone, running)\n"
	 "It begins with the state of every VM.\n\n"
	 "  --count N     end after so many lines\n",
	 cmd_events},
	{"top", "[--sort rate|packets|drops|name] [--speed 10G] [--once] [LAB]",
	 "the busiest ports, workers and drops, each second",
	 "  netloom top\n"
	 "  netloom top --sort drops campus\n"
	 "  netloom top --once >report.txt               one look, for a file\n\n"
	 "IN and OUT are the switch's: in is what the port's peer sends. UTILISED is of the link's "
	 "rate limit\n"
	 "if it has one, else of --speed: a virtual cable has no speed of its own.\n\n"
	 "q quits, s sorts by the next column, space pauses, arrows and page keys scroll.\n",
	 cmd_top},
	{"web", "[--listen [ADDRESS:]PORT] [--host NAME]... [--attached] [LAB]",
	 "the page: the topology, live, in a browser",
	 "  netloom web                                  prints the address to open, token "
	 "included\n"
	 "  netloomd --web 9180                          serves it by itself; `netloom web` then "
	 "prints where\n"
	 "  netloom web --listen 0                       any free port\n"
	 "  netloom web --listen 192.0.2.7:9180 --host lab.example\n\n"
	 "Links by load, rates, VLANs, stations, drops as sentences; cut and impair links, start "
	 "and "
	 "stop\n"
	 "machines, capture, consoles. What the page does it does by running netloom, and says the "
	 "command.\n\n"
	 "It listens on loopback, port 9180, and every request needs the token. From elsewhere, "
	 "let "
	 "ssh\n"
	 "bring it to you: `ssh -L 9180:localhost:9180 HOST`. With --listen ADDRESS it is plain "
	 "HTTP "
	 "that\n"
	 "whoever is on the way can read.\n\n"
	 "  --host NAME   also answer to this name (addresses and localhost always)\n"
	 "  --attached    end when standard input does: what netloomd --web starts\n",
	 cmd_web},
	{"console", "LAB/NODE", "the VM's console; leave with Ctrl-]",
	 "  netloom console campus/h1\n\n"
	 "Everything the guest prints is also in its log (`netloom log`). One console at a time.\n",
	 cmd_console},
	{"exec", "[-i] [--timeout S] LAB/NODE -- COMMAND [ARG...]",
	 "run a command in the guest: its output, its exit status",
	 "  netloom exec campus/h1 -- ip address\n"
	 "  netloom exec campus/h1 -- sh -c 'ping -c 1 10.0.10.2 && echo good'\n"
	 "  tar c dir | netloom exec -i campus/h1 -- tar x -C /root\n\n"
	 "  -i            pass standard input (up to 8 MiB)\n"
	 "  --timeout S   give up after S seconds (default: wait)\n\n"
	 "Output appears when the command has ended; at most 16 MiB of each stream.\n"
	 "Exit status: the command's (128 + N when signal N ended it); 255 when netloom failed.\n",
	 cmd_exec},
	{"link", "set LAB/NODE:IF [up|down] [WORD VALUE]... | show [LAB | LAB/NODE:IF]",
	 "plug or pull a cable; make it slow, lossy or narrow",
	 "  netloom link set campus/h1:eth1 down              the guest sees its carrier go\n"
	 "  netloom link set campus/h1:eth1 delay 20ms loss 1%\n"
	 "  netloom link set campus/h1:eth1 loss off          only what is named changes\n"
	 "  netloom link set campus/h1:eth1 preset lte --direction out\n"
	 "  netloom link set campus/h1:eth1 clear             a good cable again\n"
	 "  netloom link show campus                          what is wrong, and what it has "
	 "done\n\n"
	 "Either end of the link may be named. Links between switches work too.\n\n"
	 "  delay 20ms           of each frame, one way (up to 60s)\n"
	 "  jitter 5ms           uniform: the most a delay deviates; else its standard deviation\n"
	 "  distribution uniform|normal|pareto\n"
	 "  order keep|free      free: jitter lets frames overtake each other\n"
	 "  loss 1%              of all frames, each by itself\n"
	 "  burst-loss 0.5%/25%  in bursts: chance that one begins, that it ends [/loss in "
	 "it/between]\n"
	 "  rate 10mbit          kbit, mbit, gbit; counted from the Ethernet header on\n"
	 "  queue 100 | 64KB     what may wait for the rate; default 1000 frames and 100 ms\n"
	 "  duplicate 1%  corrupt 0.1%  reorder 5%    twice; one bit wrong; ahead of those that "
	 "wait\n"
	 "  seed 7               the same seed, the same luck\n"
	 "  preset lan|wan|dsl|lte|satellite          the named end is the subscriber\n"
	 "  WORD off             as if it had never been said\n\n"
	 "  --direction in|out|both   at the end: what the named end receives, sends, or both "
	 "(default)\n"
	 "  show --json\n\n"
	 "`netloom up` puts back what the lab file says.\n",
	 cmd_link},
	{"capture",
	 "[-w FILE|-] [--filter 'EXPRESSION'] [--direction in|out|both] [--drops] [--snaplen N]\n"
	 "                       [--rotate 100MB:10] [--count N] [--buffer KB] "
	 "LAB/NODE:IF|LAB/SWITCH|LAB...   | --list",
	 "frames of ports as pcapng, for Wireshark and tshark",
	 "  netloom capture campus/h1:eth1 | wireshark -k -i -\n"
	 "  netloom capture campus/h1:eth1 --filter 'arp or icmp' | tshark -r -\n"
	 "  netloom capture campus/sw1 -w sw1.pcapng             all ports of a switch\n"
	 "  netloom capture campus --drops | tshark -r - -T fields -e frame.comment\n"
	 "  netloom capture campus/h1:eth1 -w x.pcapng --rotate 100MB:10\n\n"
	 "Every port is an interface of the file. Direction is the switch's: `in` is what comes "
	 "from "
	 "the node,\n"
	 "before the pipeline has touched it; `out` is what the node gets, behind the pipeline.\n\n"
	 "  --filter     as tcpdump takes it (pcap-filter(7)), with addresses instead of names; "
	 "runs "
	 "as\n"
	 "               machine code in the switch\n"
	 "  --drops      frames that end at these ports, each with the reason and what to change "
	 "as "
	 "its\n"
	 "               comment; with --direction also those that pass\n"
	 "  --snaplen    bytes kept of a frame\n"
	 "  --rotate     FILE.0, FILE.1, ...: the next one at that size, the oldest is "
	 "overwritten\n"
	 "  --count      stop after so many frames\n"
	 "  --buffer     KiB that wait for a slow reader, per switch thread (default 4096)\n"
	 "  --list       captures that run\n\n"
	 "A reader that is too slow loses frames and is told how many (drop counts, comments, "
	 "statistics);\n"
	 "the switch goes on. A machine or a netloomd that is restarted does not end the "
	 "capture.\n",
	 cmd_capture},
	{"trace",
	 "[--to ADDRESS] [--from ADDRESS] [--vlan TAG]... [--type T] [--ip FROM,TO] [--size N]\n"
	 "                     [--hex BYTES | --pcap FILE | --live [--filter 'EXPRESSION'] "
	 "[--count "
	 "N]] [--json] LAB/NODE:IF",
	 "what becomes of a frame: each stage's decision, each port, or what would let it pass",
	 "Predicted: the switch's own stages work on the frame, but nothing is sent, counted or "
	 "learned.\n\n"
	 "  netloom trace campus/h1:eth1 --to campus/h2:eth1     a ping from h1 to h2\n"
	 "  netloom trace campus/h1:eth1 --type arp              a broadcast\n"
	 "  netloom trace campus/h1:eth1 --vlan 20               tagged, where the port may not "
	 "be\n"
	 "  netloom trace campus/h1:eth1 --hex 'ffffffffffff 020000000001 88b5'\n"
	 "  netloom trace campus/h1:eth1 --pcap FILE             every frame of a capture\n\n"
	 "Observed: the next frames that come in there, in the same words; they go their way.\n\n"
	 "  netloom trace campus/h1:eth1 --live --filter 'arp' --count 3\n"
	 "  netloom trace campus/sw1 --live                      on any port of a switch\n\n"
	 "  --to, --from  52:54:00:12:34:56, broadcast (default), or an interface of a lab, which "
	 "brings its\n"
	 "                IP address along; --from is the port's own machine by default\n"
	 "  --vlan        10, 10p5 with a priority, s100 for 802.1ad; twice for two tags\n"
	 "  --type        arp, icmp, udp, tcp, or an ethertype like 0x88cc\n"
	 "  --json        one object per frame: steps, sent, drops, verdict\n",
	 cmd_trace},
	{"log", "[--boot|--console|--vmm] [-n LINES] LAB/NODE", "what a VM has printed",
	 "  netloom log campus/h1            its console\n"
	 "  netloom log --boot campus/h1     the early log of the kernel (first serial port)\n"
	 "  netloom log --vmm campus/h1      what vm-runner or QEMU itself said\n\n"
	 "  -n LINES      only the last ones\n",
	 cmd_log},
	{"start", "LAB/NODE", "start a VM of a lab that is up", "  netloom start campus/h1\n",
	 cmd_start},
	{"stop", "[--force] LAB/NODE", "power a VM off; its links stay",
	 "Presses the power button and waits 20 s, then ends the VM. --force: ends it at once.\n\n"
	 "  netloom stop campus/h1\n",
	 cmd_stop},
	{"restart", "[--force] LAB/NODE", "stop and start a VM; its links stay",
	 "  netloom restart campus/h1\n", cmd_restart},
	{"test", "[--json] LAB", "who reaches whom: expected against measured",
	 "Works out from the lab file who should be able to ping whom, lets every guest ping every "
	 "other\n"
	 "and prints both as a matrix. On several hosts each asks its own guests about all.\n\n"
	 "  netloom test campus\n\n"
	 "Exit status: 0 everything as expected, 1 not.\n",
	 cmd_test},
	{"bench", "v2v|pvvp|density|mesh|fdb|learning|broadcast|latency|reconf|idle [OPTIONS]",
	 "measure the switch, alone or against others in the same run",
	 "  netloom bench v2v --against ovs-dpdk,testpmd -o results\n", cmd_bench},
	{"wire", "SOCKET-A SOCKET-B [--name NAME] | --delete NAME",
	 "link two VMs that you started yourself: one command",
	 "Each socket is the vhost-user socket on which a VM listens: vm-runner --net "
	 "socket=A.sock,..., or\n"
	 "QEMU -chardev socket,id=c,path=A.sock,server=on -netdev vhost-user,chardev=c,... (memory "
	 "share=on).\n\n"
	 "  netloom wire /tmp/a.sock /tmp/b.sock\n"
	 "  netloom wire --delete wire-1\n\n"
	 "A wire passes every frame untouched. For two VMs without any work of yours:\n"
	 "  netloom up examples/two-vms.yaml\n",
	 cmd_wire},
	{"switch", "add|set|delete NAME [--ageing S] [--reserved drop|forward] [--learning on|off]",
	 "make a switch by hand",
	 "  netloom switch add lan\n"
	 "  netloom switch set lan --ageing 60\n"
	 "  netloom switch delete lan          refused while it has ports\n\n"
	 "--reserved: what happens to 01:80:C2:00:00:0X (spanning tree, LLDP, LACP, PAUSE).\n",
	 cmd_switch},
	{"port",
	 "add|set|delete NAME [--socket PATH [--server] | --tap IF [--netns NS] [--address "
	 "A/LEN,..]]\n"
	 "                    [--switch SW] [--access V|--trunk "
	 "LIST|--tunnel V]\n"
	 "                    [--native V] [--tpid T] [--wire PORT] [--patch PORT] [--mtu N] "
	 "[--queues N] "
	 "[--admin up|down]\n"
	 "                    [--erspan ADDRESS --session N [--erspan-type 2|3]]",
	 "make a port by hand",
	 "  netloom port add vm1 --socket /tmp/vm1.sock --switch lan --access 10\n"
	 "  netloom port add vm2 --socket /tmp/vm2.sock --switch lan --trunk 10,20-29 --native 1\n"
	 "  netloom port add host --tap lab0 --address 10.0.10.254/24 --switch lan --access 10\n"
	 "  netloom port set vm1 --access 20\n"
	 "  netloom port delete vm1\n\n"
	 "--socket: where the VM listens; with --server, where netloomd listens.\n"
	 "--tap: a network interface of this host, or of the network namespace NS.\n"
	 "--patch: the other patch port of a link between two switches; each names the other.\n"
	 "--erspan: an analyser elsewhere on the IP network, for mirrors (`netloom mirror "
	 "--help`).\n",
	 cmd_port},
	{"queue",
	 "pin PORT WORKER [--queue N | --impaired in|out] | release PORT [--queue N | --impaired "
	 "in|out]",
	 "which of the switch's threads polls a port's queue",
	 "  netloom show workers                how busy each is, and what it polls\n"
	 "  netloom queue pin campus/h1:eth1 1 --queue 0\n"
	 "  netloom queue release campus/h1:eth1\n"
	 "  netloom queue pin campus/h1:eth1 1 --impaired out     who sends on what waits in its "
	 "bad link\n\n"
	 "Of several threads (netloomd --threads N) each polls some queues. When one is busy for "
	 "a second and\n"
	 "another has room, netloomd moves a queue by itself (--balance off: never). A queue that "
	 "is pinned\n"
	 "stays where it is put, until it is released or its port or netloomd goes. No frame is "
	 "lost or\n"
	 "overtaken by a move. Ports are named as `netloom show ports` names them.\n",
	 cmd_queue},
	{"mirror",
	 "add|set|delete NAME --of NAME[,NAME..] --to PORT [--vlan V] [--direction both|in|out]\n"
	 "                       [--filter 'EXPRESSION'] [--snaplen N]",
	 "copy frames of ports, VLANs or links to another port",
	 "  netloom mirror add m1 --of campus/h1:eth1 --to probe          a link, both directions\n"
	 "  netloom mirror add m2 --of campus/sw1 --vlan 10 --to probe    a VLAN: each frame once\n"
	 "  netloom port add far --erspan 192.0.2.9 --session 5           an analyser far away\n"
	 "  netloom mirror add m3 --of campus/h1:eth1 --to far --filter 'tcp port 80' --snaplen "
	 "128\n"
	 "  netloom show mirrors\n"
	 "  netloom mirror delete m1\n\n"
	 "--of: ports (as `netloom show ports` names them), switches or labs. --to: a port with a "
	 "peer "
	 "of its\n"
	 "own, such as `netloom port add probe --tap probe0`, or one of type erspan. Directions "
	 "are the "
	 "switch's:\n"
	 "`in` comes from the node. Mirrored is what the port admits; for what it refuses there "
	 "is\n"
	 "`netloom capture --drops`. A mirror outlives the ports it names, and copies again when "
	 "they "
	 "are back.\n",
	 cmd_mirror},
	{"sflow",
	 "add|set|delete NAME --of NAME[,NAME..] --collector ADDRESS [--udp-port N] [--rate N]\n"
	 "                      [--interval S] [--header BYTES] [--agent ADDRESS]",
	 "sampled frames and counters to an sFlow version 5 collector",
	 "  netloom sflow add all --of campus --collector 127.0.0.1 --rate 100\n"
	 "  sfcapd -w /tmp -p 6343                such a collector (Debian: nfdump-sflow)\n"
	 "  netloom show sflows\n\n"
	 "One frame of `--rate` (1024) that come in is sampled, at random, with its first "
	 "`--header` "
	 "(128) bytes;\n"
	 "counters every `--interval` (20) seconds, 0 for none. A port's ifIndex is its `index` in "
	 "`show ports --json` + 1.\n",
	 cmd_sflow},
	{"uplink",
	 "add|set|delete NAME --interface IF --local ADDRESS[,ADDRESS] [--udp-port N]\n"
	 "                      [--source-ports MIN-MAX] [--mode auto|af_xdp|af_packet] "
	 "[--shortcut "
	 "on]\n"
	 "       add|set|delete NAME --pci ADDRESS --addresses ADDRESS/LEN[,..] --local .. [--mtu "
	 "N]",
	 "a network card or kernel interface that leads to other hosts",
	 "  netloom uplink add up --interface eth0 --local 192.0.2.1\n\n"
	 "The kernel keeps the interface; netloomd takes the VXLAN packets for these addresses.\n"
	 "--udp-port: where we listen, 4789 unless said.\n"
	 "--source-ports: what we send from; each inner flow keeps to one (49152-65535).\n"
	 "--mode auto takes AF_XDP on network cards whose driver has XDP, and AF_PACKET "
	 "elsewhere;\n"
	 "`netloom show uplinks` says which and why.\n"
	 "--shortcut on: the kernel forwards TCP between TAP ports of this host and other hosts by "
	 "itself,\n"
	 "as fast as its own VXLAN (Linux 6.6, IPv4); `netloom show uplinks` says for how many "
	 "stations.\n\n"
	 "  dpdk-devbind.py -b vfio-pci 0000:00:03.0      (before netloomd is started)\n"
	 "  netloom uplink add up --pci 0000:00:03.0 --addresses 192.0.2.1/24 --local 192.0.2.1\n\n"
	 "--pci: netloomd drives the card itself. In the kernel it is an interface nic00-03.0 "
	 "with\n"
	 "these addresses, so that routes, ARP and ping work as on any other.\n",
	 cmd_uplink},
	{"vtep",
	 "add|set|delete NAME --uplink UPLINK --remote ADDRESS [--udp-port N]\n"
	 "                    [--dscp inherit|0..63] [--checksum auto|on|zero]",
	 "another host, by its VXLAN address",
	 "  netloom vtep add hostB --uplink up --remote 192.0.2.2\n"
	 "  netloom vtep set hostB --dscp 46\n\n"
	 "--udp-port: where it listens, if that is not where we do.\n"
	 "--dscp: of the packets to it; \"inherit\" takes that of the frame inside.\n"
	 "--checksum: of UDP. auto: none over IPv4, filled over IPv6. zero: none over IPv6 either, "
	 "and\n"
	 "packets without one are taken from it; tell the other host as well.\n"
	 "The other host may run netloom, Linux or Open vSwitch. `netloom show vteps` says "
	 "whether\n"
	 "it is reachable, and why not.\n",
	 cmd_vtep},
	{"vni",
	 "add|set|delete NUMBER --switch SW --vlan V --vteps NAME[,NAME] [--mtu N] [--bum-limit "
	 "N]\n"
	 "                    [--flood on|off] [--learning on|off] [--tag strip|keep|refuse]\n"
	 "                    [--suppress on|off] [--announce on|off] [--learn-vteps on|off]\n"
	 "                    [--too-big-limit N] [--neighbours IP=MAC[=router][,IP=MAC]]\n"
	 "                    [--liveness on|off|auto] [--liveness-interval MS] "
	 "[--liveness-multiplier N]",
	 "let a VLAN of a switch reach other hosts",
	 "  netloom vni add 10010 --switch lan --vlan 10 --vteps hostB,hostC\n"
	 "  netloom vni set 10010 --bum-limit 1000\n"
	 "  netloom vni delete 10010\n\n"
	 "--mtu: the guests'; refused when the underlay cannot carry it (50 bytes more, IPv6 70).\n"
	 "--bum-limit: broadcast, unknown and multicast, in packets a second, all copies "
	 "counted.\n"
	 "--flood: whether they leave at all. --learning off: stations on other hosts are static "
	 "only.\n"
	 "--learn-vteps: others that send to it join the flood list while a station is known "
	 "behind "
	 "them.\n"
	 "--tag: VLAN tags inside, besides the switch's own: removed, left alone, or the frame "
	 "dropped.\n"
	 "--suppress: ARP and ND requests are answered here from what was overheard or said in "
	 "--neighbours.\n"
	 "--announce: a station that attaches or moves in here is announced to the other hosts.\n"
	 "--too-big-limit: ICMP answers a second to frames that do not fit; 0 for none.\n"
	 "--liveness: it is a cable, one port here and one VTEP there, and the port's carrier "
	 "follows\n"
	 "the other end, by BFD: a packet each --liveness-interval (300 ms), and "
	 "--liveness-multiplier\n"
	 "(3) missing ones are a failure. auto: once the other end has spoken BFD.\n"
	 "`netloom show vnis` says how it is, and why; `netloom show neighbours` who has which "
	 "address.\n",
	 cmd_vni},
	{"doctor", "[--json]", "whether labs run here, and what costs speed",
	 "  netloom doctor\n\n"
	 "Looks at rights, KVM, hugepages, CPUs, memory, limits and versions, and says for each "
	 "what it "
	 "costs\n"
	 "and what to do. Changes nothing.\n"
	 "Exit status: 0 labs run here, 1 something that they need is missing.\n",
	 cmd_doctor},
	{"completion", "bash|zsh|fish", "completion for a shell",
	 "  netloom completion bash >/etc/bash_completion.d/netloom\n"
	 "  netloom completion zsh  >/usr/local/share/zsh/site-functions/_netloom\n"
	 "  netloom completion fish >~/.config/fish/completions/netloom.fish\n\n"
	 "Commands, options, labs, nodes and interfaces. The Debian package brings all three.\n",
	 cmd_completion},
};

const struct command *cli_commands(size_t *n)
{
	*n = ARRAY_SIZE(commands);
	return commands;
}

static void help_print(FILE *out)
{
	fputs("netloom - labs of virtual machines on poll-mode switches\n\n"
	      "Usage: netloom COMMAND [ARGUMENT...]      `netloom COMMAND --help` explains a "
	      "command\n\n",
	      out);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
	fputs("\nStart with:\n"
	      "  netloom up examples/campus.yaml && netloom test campus\n"
	      "  netloom down campus\n\n"
	      "How do I just link two VMs?  netloom up examples/two-vms.yaml, or `netloom wire "
	      "--help`.\n\n"
	      "Everything that runs is in $NETLOOM_RUNDIR (default /run/netloom).\n"
	      "Exit status: 0 good, 1 failed, 2 wrong usage, 3 the lab file has errors, 4 no such "
	      "lab, node or\n"
	      "port (or nothing runs), 130 interrupted; `exec` gives the guest's, or 255.\n",
	      out);
}

static int command_unknown(const char *name)
{
	const char *names[ARRAY_SIZE(commands)];
	const char *meant;

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		names[i] = commands[i].name;
	meant = suggest_word(name, names, ARRAY_SIZE(commands));
	fprintf(stderr, "netloom: unknown command \"%.60s\"", name);
	if (meant != NULL)
		fprintf(stderr, "; did you mean \"%s\"?", meant);
	fputs("\n`netloom --help` lists them.\n", stderr);
	return CLI_USAGE;
}

int main(int argc, char **argv)
{
	log_init("netloom", LOG_INFO);
	signal(SIGPIPE, SIG_DFL);
	if (argc == 3 && strcmp(argv[1], "_monitor") == 0)
		return monitor_main(argv[2]);
	if (argc >= 2 && strcmp(argv[1], "_complete") == 0)
		return completion_main(argc - 2, argv + 2);
	if (argc < 2) {
		help_print(stderr);
		return CLI_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0) {
		help_print(stdout);
		return CLI_OK;
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		printf("netloom %s\n", NETLOOM_VERSION);
		return CLI_OK;
	}
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(argv[1], commands[i].name) == 0) {
			argv[1] = argv[0]; /* "netloom: unknown option", as getopt says it */
			return commands[i].run(&commands[i], argc - 1, argv + 1);
		}
	}
	return command_unknown(argv[1]);
}
