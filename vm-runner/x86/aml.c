/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The AML writer. A package's length comes before its contents and is itself of variable size; we always
 * use the two-byte form and fill it in when the package is closed.
 */
#include "x86/aml.h"

#include <stdlib.h>
#include <string.h>

#define OP_NAME	   0x08
#define OP_BYTE	   0x0a
#define OP_WORD	   0x0b
#define OP_DWORD   0x0c
#define OP_STRING  0x0d
#define OP_QWORD   0x0e
#define OP_SCOPE   0x10
#define OP_BUFFER  0x11
#define OP_PACKAGE 0x12
#define OP_METHOD  0x14
#define OP_DUAL	   0x2e
#define OP_EXT	   0x5b
#define OP_LOCAL0  0x60
#define OP_ARG0	   0x68
#define OP_STORE   0x70
#define OP_AND	   0x7b
#define OP_REGION  0x80
#define OP_FIELD   0x81
#define OP_DEVICE  0x82
#define OP_NOTIFY  0x86
#define OP_EQUAL   0x93
#define OP_IF	   0xa0

#define REGION_IO	  1
#define FIELD_DWORD_ZEROS 0x43 /* accessed with 32 bits; what is not written is 0 */
#define FIELD_BITS	  32   /* as the length of a package: a byte (§20.2.4) */

#define PKG_LENGTH_BYTES 2
#define PKG_LENGTH_MAX	 0xfff
/* OP_WORD and two bytes: the size of a resource buffer, known at its end. */
#define BUFFER_SIZE_BYTES 3

static void put(struct aml *aml, const void *data, size_t bytes)
{
	if (bytes > AML_BYTES_MAX - aml->bytes) {
		aml->overflow = true;
		return;
	}
	memcpy(aml->data + aml->bytes, data, bytes);
	aml->bytes += bytes;
}

static void put8(struct aml *aml, uint8_t value)
{
	put(aml, &value, 1);
}

static void put16(struct aml *aml, uint16_t value)
{
	put(aml, &value, 2);
}

static void put32(struct aml *aml, uint32_t value)
{
	put(aml, &value, 4);
}

static void put64(struct aml *aml, uint64_t value)
{
	put(aml, &value, 8);
}

/* "\_SB_.PWRB": root (or ^, the parent), then a dual name. Each segment has exactly 4 characters (§20.2.2). */
static void put_path(struct aml *aml, const char *path)
{
	if (*path == '\\' || *path == '^')
		put8(aml, (uint8_t)*path++);
	if (strlen(path) == 9) {
		put8(aml, OP_DUAL);
		put(aml, path, 4);
		path += 5;
	}
	put(aml, path, 4);
}

static void package_start(struct aml *aml)
{
	if (aml->depth == AML_DEPTH_MAX) {
		aml->overflow = true;
		return;
	}
	aml->open[aml->depth++] = aml->bytes;
	put16(aml, 0);
}

void aml_close(struct aml *aml)
{
	size_t at, length;

	if (aml->overflow || aml->depth == 0) {
		aml->overflow = true;
		return;
	}
	at = aml->open[--aml->depth];
	length = aml->bytes - at;
	if (length > PKG_LENGTH_MAX) {
		aml->overflow = true;
		return;
	}
	aml->data[at] = (uint8_t)(1 << 6 | (length & 0xf));
	aml->data[at + 1] = (uint8_t)(length >> 4);
}

void aml_scope_open(struct aml *aml, const char *name)
{
	put8(aml, OP_SCOPE);
	package_start(aml);
	put_path(aml, name);
}

void aml_device_open(struct aml *aml, const char *name)
{
	put8(aml, OP_EXT);
	put8(aml, OP_DEVICE);
	package_start(aml);
	put_path(aml, name);
}

void aml_method_open(struct aml *aml, const char *name, unsigned int n_args)
{
	put8(aml, OP_METHOD);
	package_start(aml);
	put_path(aml, name);
	put8(aml, (uint8_t)(n_args | 1 << 3)); /* serialized */
}

void aml_package_open(struct aml *aml, uint8_t n_elements)
{
	put8(aml, OP_PACKAGE);
	package_start(aml);
	put8(aml, n_elements);
}

void aml_resources_open(struct aml *aml)
{
	put8(aml, OP_BUFFER);
	package_start(aml);
	put8(aml, OP_WORD);
	put16(aml, 0);
}

void aml_resources_close(struct aml *aml)
{
	size_t at;
	uint16_t bytes;

	put8(aml, 0x79); /* end tag, checksum not used */
	put8(aml, 0);
	if (aml->overflow || aml->depth == 0) {
		aml->overflow = true;
		return;
	}
	at = aml->open[aml->depth - 1] + PKG_LENGTH_BYTES;
	bytes = (uint16_t)(aml->bytes - at - BUFFER_SIZE_BYTES);
	memcpy(aml->data + at + 1, &bytes, 2);
	aml_close(aml);
}

void aml_name(struct aml *aml, const char *name)
{
	put8(aml, OP_NAME);
	put_path(aml, name);
}

void aml_integer(struct aml *aml, uint64_t value)
{
	if (value <= 1) {
		put8(aml, (uint8_t)value); /* ZeroOp, OneOp */
	} else if (value <= UINT8_MAX) {
		put8(aml, OP_BYTE);
		put8(aml, (uint8_t)value);
	} else if (value <= UINT16_MAX) {
		put8(aml, OP_WORD);
		put16(aml, (uint16_t)value);
	} else if (value <= UINT32_MAX) {
		put8(aml, OP_DWORD);
		put32(aml, (uint32_t)value);
	} else {
		put8(aml, OP_QWORD);
		put64(aml, value);
	}
}

void aml_string(struct aml *aml, const char *text)
{
	put8(aml, OP_STRING);
	put(aml, text, strlen(text) + 1);
}

/* Three letters of 5 bits and four hex digits, big-endian (§19.3.4). */
void aml_eisa_id(struct aml *aml, const char *id)
{
	uint32_t letters = (uint32_t)(id[0] - '@') << 10 | (uint32_t)(id[1] - '@') << 5 |
			   (uint32_t)(id[2] - '@');
	uint32_t value = letters << 16 | (uint32_t)strtoul(id + 3, NULL, 16);

	put8(aml, OP_DWORD);
	put32(aml, __builtin_bswap32(value));
}

void aml_notify(struct aml *aml, const char *object, uint8_t value)
{
	put8(aml, OP_NOTIFY);
	put_path(aml, object);
	aml_integer(aml, value);
}

void aml_io_region(struct aml *aml, const char *name, uint16_t port, uint8_t n_ports)
{
	put8(aml, OP_EXT);
	put8(aml, OP_REGION);
	put_path(aml, name);
	put8(aml, REGION_IO);
	aml_integer(aml, port);
	aml_integer(aml, n_ports);
}

void aml_field_open(struct aml *aml, const char *region)
{
	put8(aml, OP_EXT);
	put8(aml, OP_FIELD);
	package_start(aml);
	put_path(aml, region);
	put8(aml, FIELD_DWORD_ZEROS);
}

void aml_field32(struct aml *aml, const char *name)
{
	put_path(aml, name);
	put8(aml, FIELD_BITS);
}

void aml_if_bit_open(struct aml *aml, unsigned int local, uint32_t mask)
{
	put8(aml, OP_IF);
	package_start(aml);
	put8(aml, OP_AND);
	put8(aml, (uint8_t)(OP_LOCAL0 + local));
	aml_integer(aml, mask);
	put8(aml, 0); /* stored nowhere */
}

void aml_if_arg0_open(struct aml *aml, uint64_t value)
{
	put8(aml, OP_IF);
	package_start(aml);
	put8(aml, OP_EQUAL);
	put8(aml, OP_ARG0);
	aml_integer(aml, value);
}

void aml_store_integer(struct aml *aml, uint32_t value, const char *name)
{
	put8(aml, OP_STORE);
	aml_integer(aml, value);
	put_path(aml, name);
}

void aml_store_in_local(struct aml *aml, const char *name, unsigned int local)
{
	put8(aml, OP_STORE);
	put_path(aml, name);
	put8(aml, (uint8_t)(OP_LOCAL0 + local));
}

void aml_call(struct aml *aml, const char *method)
{
	put_path(aml, method);
}

void aml_bus_numbers(struct aml *aml, uint16_t first, uint16_t last)
{
	put8(aml, 0x88); /* word address space descriptor */
	put16(aml, 13);
	put8(aml, 2);	 /* bus numbers */
	put8(aml, 0x0c); /* produced, minimum and maximum fixed */
	put8(aml, 0);
	put16(aml, 0);
	put16(aml, first);
	put16(aml, last);
	put16(aml, 0);
	put16(aml, (uint16_t)(last - first + 1));
}

void aml_io(struct aml *aml, uint16_t port, uint8_t n_ports)
{
	put8(aml, 0x47);
	put8(aml, 1); /* 16 address bits are decoded */
	put16(aml, port);
	put16(aml, port);
	put8(aml, 1);
	put8(aml, n_ports);
}

void aml_memory_fixed(struct aml *aml, uint32_t base, uint32_t bytes)
{
	put8(aml, 0x86);
	put16(aml, 9);
	put8(aml, 1); /* writable */
	put32(aml, base);
	put32(aml, bytes);
}

void aml_memory_window32(struct aml *aml, uint32_t first, uint32_t last)
{
	put8(aml, 0x87);
	put16(aml, 23);
	put8(aml, 0);	 /* memory */
	put8(aml, 0x0c); /* produced, minimum and maximum fixed */
	put8(aml, 0x01); /* writable, not cacheable */
	put32(aml, 0);
	put32(aml, first);
	put32(aml, last);
	put32(aml, 0);
	put32(aml, last - first + 1);
}

void aml_memory_window64(struct aml *aml, uint64_t first, uint64_t last)
{
	put8(aml, 0x8a);
	put16(aml, 43);
	put8(aml, 0);
	put8(aml, 0x0c);
	put8(aml, 0x01);
	put64(aml, 0);
	put64(aml, first);
	put64(aml, last);
	put64(aml, 0);
	put64(aml, last - first + 1);
}

void aml_interrupt(struct aml *aml, uint32_t gsi)
{
	put8(aml, 0x89);
	put16(aml, 6);
	put8(aml, 0x03); /* consumed, edge, active high, exclusive */
	put8(aml, 1);
	put32(aml, gsi);
}
