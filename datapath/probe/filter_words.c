/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libpcap asks the resolver about every word of a filter that it does not know, which takes as long as name servers like. So
 * words are looked at first: what is neither an address, nor a number, nor in the list of pcap-filter(7)'s own words is
 * refused. Any thread.
 */
#include "probe/filter_words.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define WORD_MAX 64

static const char *const known[] = {
	"aarp",
	"ah",
	"and",
	"ao",
	"arp",
	"atalk",
	"broadcast",
	"carp",
	"csnp",
	"decnet",
	"dst",
	"ecn",
	"er",
	"es-is",
	"esis",
	"esp",
	"ether",
	"fddi",
	"gateway",
	"geneve",
	"greater",
	"host",
	"icmp",
	"icmp-echo",
	"icmp-echoreply",
	"icmp-ireq",
	"icmp-ireqreply",
	"icmp-maskreply",
	"icmp-maskreq",
	"icmp-paramprob",
	"icmp-redirect",
	"icmp-routeradvert",
	"icmp-routersolicit",
	"icmp-sourcequench",
	"icmp-timxceed",
	"icmp-tstamp",
	"icmp-tstampreply",
	"icmp-unreach",
	"icmp6",
	"icmp6-destinationunreach",
	"icmp6-destinationunrach",
	"icmp6-echo",
	"icmp6-echoreply",
	"icmp6-homeagentdiscoveryreply",
	"icmp6-homeagentdiscoveryrequest",
	"icmp6-inversendadvert",
	"icmp6-inversendsolicit",
	"icmp6-mobileprefixadvert",
	"icmp6-mobileprefixsolicit",
	"icmp6-multicastlistenerdone",
	"icmp6-multicastlistenerquery",
	"icmp6-multicastlistenerreportv1",
	"icmp6-multicastlistenerreportv2",
	"icmp6-multicastrouterdiscovery",
	"icmp6-neighboradvert",
	"icmp6-neighborsolicit",
	"icmp6-nodeinformationquery",
	"icmp6-nodeinformationresponse",
	"icmp6-packettoobig",
	"icmp6-parameterproblem",
	"icmp6-redirect",
	"icmp6-routeradvert",
	"icmp6-routerrenum",
	"icmp6-routersolicit",
	"icmp6-timeexceeded",
	"icmp6code",
	"icmp6type",
	"icmpcode",
	"icmptype",
	"igmp",
	"igrp",
	"ip",
	"ip6",
	"ipx",
	"is-is",
	"isis",
	"iso",
	"l1",
	"l2",
	"lat",
	"len",
	"less",
	"link",
	"lsp",
	"mopdl",
	"moprc",
	"mpls",
	"multicast",
	"net",
	"netbeui",
	"netmask",
	"not",
	"or",
	"pim",
	"port",
	"portrange",
	"pppoed",
	"pppoes",
	"proto",
	"protochain",
	"psnp",
	"rarp",
	"sca",
	"sctp",
	"snp",
	"src",
	"stp",
	"tcp",
	"tcp-ack",
	"tcp-cwr",
	"tcp-ece",
	"tcp-fin",
	"tcp-push",
	"tcp-rst",
	"tcp-syn",
	"tcp-urg",
	"tcpflags",
	"tr",
	"udp",
	"vlan",
	"vrrp",
	"wlan",
	NULL,
};

static bool is_word(unsigned char c)
{
	return isalnum(c) || c == '.' || c == ':' || c == '-' || c == '_';
}

/* Digits, an address of any kind: nothing that is looked up. */
static bool is_number(const char *word)
{
	bool colon = strchr(word, ':') != NULL;
	size_t digits = strspn(word, "0123456789.-");

	if (word[digits] == '\0')
		return true;
	if (word[0] == '0' && (word[1] == 'x' || word[1] == 'X'))
		return word[2 + strspn(word + 2, "0123456789abcdefABCDEF")] == '\0';
	/* Colons are in addresses only: 52:54:00:..., 2001:db8::1, ::ffff:192.0.2.1; and tcpdump's 00-11-.. and 0011.2233.4455 */
	return (colon && word[strspn(word, "0123456789abcdefABCDEF:.")] == '\0') ||
	       (strlen(word) == 17 && word[strspn(word, "0123456789abcdefABCDEF-")] == '\0');
}

static bool is_known(const char *word)
{
	for (size_t i = 0; known[i] != NULL; i++) {
		if (strcmp(known[i], word) == 0)
			return true;
	}
	return false;
}

int filter_words_check(const char *text, struct err *err)
{
	char word[WORD_MAX], previous[WORD_MAX] = "";
	bool escaped = false;

	for (const char *at = text; *at != '\0';) {
		size_t n = 0;

		if (!is_word((unsigned char)*at)) {
			if ((unsigned char)*at < ' ' || (unsigned char)*at > '~')
				return err_set(err, EINVAL,
					       "the filter has a character that is not printable "
					       "ASCII; write it on one line");
			escaped = *at == '\\';
			at++;
			continue;
		}
		while (is_word((unsigned char)at[n]))
			n++;
		if (n >= sizeof(word))
			return err_set(err, EINVAL, "the filter has a word of %zu characters", n);
		memcpy(word, at, n);
		word[n] = '\0';
		at += n;
		/* `port http`, `portrange ftp-data-http`, `ip proto \tcp`: from files of this machine */
		if (!is_number(word) && !is_known(word) && !escaped &&
		    strcmp(previous, "port") != 0 && strcmp(previous, "portrange") != 0)
			return err_set(
				err, EINVAL,
				"the filter's \"%s\" is no word of pcap-filter(7), and names of "
				"hosts are not looked up here: write the address",
				word);
		memcpy(previous, word, n + 1);
		escaped = false;
	}
	return 0;
}
