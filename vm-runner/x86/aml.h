/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ACPI Machine Language, as much of it as our DSDT says: ACPI 6.3 §20.2. Bytes are appended to a buffer;
 * packages that state their own length are opened and closed like brackets.
 */
#ifndef VM_X86_AML_H
#define VM_X86_AML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AML_BYTES_MAX 4096
#define AML_DEPTH_MAX 8

struct aml {
	size_t bytes;
	bool overflow; /* something did not fit: the result is useless */
	unsigned int depth;
	size_t open[AML_DEPTH_MAX]; /* where the length of each open package is */
	uint8_t data[AML_BYTES_MAX];
};

/* Brackets: whatever is appended until aml_close() is inside. Names are 4 characters, or paths of such. */
void aml_scope_open(struct aml *aml, const char *name);
void aml_device_open(struct aml *aml, const char *name);
void aml_method_open(struct aml *aml, const char *name, unsigned int n_args);
void aml_field_open(struct aml *aml, const char *region); /* of registers of 32 bits */
void aml_if_bit_open(struct aml *aml, unsigned int local, uint32_t mask); /* If (local & mask) */
void aml_if_arg0_open(struct aml *aml, uint64_t value);			  /* If (Arg0 == value) */
void aml_package_open(struct aml *aml, uint8_t n_elements);
void aml_resources_open(
	struct aml *aml); /* a buffer of resource descriptors; closed by its own function */
void aml_close(struct aml *aml);
void aml_resources_close(struct aml *aml);

void aml_name(struct aml *aml, const char *name); /* Name (name, what is appended next) */
void aml_integer(struct aml *aml, uint64_t value);
void aml_string(struct aml *aml, const char *text);
void aml_eisa_id(struct aml *aml, const char *id); /* "PNP0A08" */
void aml_io_region(struct aml *aml, const char *name, uint16_t port, uint8_t n_ports);
void aml_field32(struct aml *aml, const char *name);
void aml_store_integer(struct aml *aml, uint32_t value, const char *name);
void aml_store_in_local(struct aml *aml, const char *name, unsigned int local);
void aml_call(struct aml *aml, const char *method);
void aml_notify(struct aml *aml, const char *object, uint8_t value);

/* Resource descriptors, ACPI 6.3 §6.4. */
void aml_bus_numbers(struct aml *aml, uint16_t first, uint16_t last);
void aml_io(struct aml *aml, uint16_t port, uint8_t n_ports);
void aml_memory_fixed(struct aml *aml, uint32_t base, uint32_t bytes);
void aml_memory_window32(struct aml *aml, uint32_t first, uint32_t last);
void aml_memory_window64(struct aml *aml, uint64_t first, uint64_t last);
void aml_interrupt(struct aml *aml, uint32_t gsi); /* edge, active high, exclusive */

#endif
