/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libpcap asks the resolver about every word of a filter that it does not know, which takes as long as name servers like. So
 * words are looked at first: what is neither an address, nor a number, nor in the list of pcap-filter(7)'s own words is
 * refused. Any thread.
 */
#include "probe/filter_words.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define WORD_MAX 64

const char *const filter_words_known[] = {
	"aarp",
	"ah",
	"and",
	"arp",
	"atalk",
	"broadcast",
	"carp",
	"csnp",
	"decnet",
	"dst",
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
	"icmp6-certpathadvert",
	"icmp6-certpathsolicit",
	"icmp6-destinationunreach",
	"icmp6-echo",
	"icmp6-echoreply",
	"icmp6-homeagentdiscoveryreply",
	"icmp6-homeagentdiscoveryrequest",
	"icmp6-ineighbordiscoveryadvert",
	"icmp6-ineighbordiscoverysolicit",
	"icmp6-mobileprefixadvert",
	"icmp6-mobileprefixsolicit",
	"icmp6-multicastlistenerdone",
	"icmp6-multicastlistenerquery",
	"icmp6-multicastlistenerreportv1",
	"icmp6-multicastlistenerreportv2",
	"icmp6-multicastrouteradvert",
	"icmp6-multicastroutersolicit",
	"icmp6-multicastrouterterm",
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
	"llc",
	"lsp",
	"mask",
	"mopdl",
	"moprc",
	"mpls",
	"multicast",
	"net",
	"netbeui",
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

static const char decimal[] = "0123456789";
static const char hexadecimal[] = "0123456789abcdefABCDEF";

/* Groups of @least to @most of @digits, with @between between them. Return: how many, 0 if it is anything else. */
static unsigned int groups(const char *word, const char *digits, char between, size_t least,
			   size_t most)
{
	for (unsigned int n = 1;; n++) {
		size_t len = strspn(word, digits);

		if (len < least || len > most)
			return 0;
		word += len;
		if (*word == '\0')
			return n;
		if (*word++ != between)
			return 0;
	}
}

static bool is_integer(const char *word)
{
	if (word[0] == '0' && (word[1] == 'x' || word[1] == 'X'))
		return groups(word + 2, hexadecimal, '\0', 1, WORD_MAX) == 1;
	return groups(word, decimal, '\0', 1, WORD_MAX) == 1;
}

/* 6:2, as in ip[6:2] */
static bool is_slice(const char *word)
{
	const char *colon = strchr(word, ':');
	char offset[WORD_MAX];

	if (colon == NULL)
		return false;
	memcpy(offset, word, (size_t)(colon - word));
	offset[colon - word] = '\0';
	return is_integer(offset) && is_integer(colon + 1);
}

/* 52:54:00:12:34:56, with dashes or dots as well; 5254.0012.3456; 525400123456 */
static bool is_mac(const char *word)
{
	return groups(word, hexadecimal, ':', 1, 2) == 6 ||
	       groups(word, hexadecimal, '-', 1, 2) == 6 ||
	       groups(word, hexadecimal, '.', 1, 2) == 6 ||
	       groups(word, hexadecimal, '.', 4, 4) == 3 ||
	       groups(word, hexadecimal, '\0', 12, 12) == 1;
}

/* Numbers and addresses as libpcap knows them. Whatever looks alike and is none, libpcap takes for a name: `1.`, `a:b`, `1-2`. */
static bool is_number(const char *word)
{
	unsigned int n = groups(word, decimal, '.', 1, WORD_MAX);
	struct in6_addr address;

	return is_integer(word) || (n > 1 && n <= 4) || is_mac(word) || is_slice(word) ||
	       inet_pton(AF_INET6, word, &address) == 1;
}

static bool is_known(const char *word)
{
	for (size_t i = 0; filter_words_known[i] != NULL; i++) {
		if (strcmp(filter_words_known[i], word) == 0)
			return true;
	}
	return false;
}

/* `port http`, `portrange ftp-data-http`, `ip proto \tcp` are looked up in files of this machine: by the word before. */
static bool is_in_files(const char *previous, bool escaped)
{
	if (strcmp(previous, "port") == 0 || strcmp(previous, "portrange") == 0)
		return true;
	return escaped && (strcmp(previous, "proto") == 0 || strcmp(previous, "protochain") == 0);
}

int filter_words_check(const char *text, struct err *err)
{
	char word[WORD_MAX], previous[WORD_MAX] = "";
	bool escaped = false;

	for (const char *at = text; *at != '\0';) {
		size_t n = 0;

		if (!is_word((unsigned char)*at) || *at == '-') { /* a dash in front is a minus */
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
		if (!is_number(word) && (escaped || !is_known(word)) &&
		    !is_in_files(previous, escaped))
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
