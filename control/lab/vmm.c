/* SPDX-License-Identifier: BSD-3-Clause */
#include "lab/vmm.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lab/command.h"
#include "lab/file.h"
#include "lab/proc.h"
#include "lab/rundir.h"
#include "topo/mac.h"

#define CHECK_TIMEOUT_MS 20000
#define IMAGE_TIMEOUT_MS 600000
#define CHECK_CANNOT	 7
#define KERNEL_BYTES_MIN 4096

static int image_script_find(char path[PATH_MAX], struct err *err)
{
	if (proc_library_find("netloom-image", "control/lab/image/netloom-image", path) == 0)
		return 0;
	return err_set(err, ENOENT,
		       "netloom-image, which builds the guests' default image, is not in %s; set "
		       "NETLOOM_LIBDIR, or give nodes an image of their own",
		       NETLOOM_LIBDIR);
}

static bool line_value(const char *text, const char *word, char *out, size_t size)
{
	size_t len = strlen(word);

	for (const char *line = text; line != NULL && *line != '\0';) {
		const char *end = strchrnul(line, '\n');

		if (strncmp(line, word, len) == 0 && line[len] == ' ' &&
		    (size_t)(end - line) - len - 1 < size) {
			memcpy(out, line + len + 1, (size_t)(end - line) - len - 1);
			out[end - line - (ptrdiff_t)len - 1] = '\0';
			return true;
		}
		line = *end == '\n' ? end + 1 : NULL;
	}
	return false;
}

int vmm_image_default(struct vmm_image *image, struct err *err)
{
	struct command_output output;
	char script[PATH_MAX];
	const char *argv[] = {script, "path", NULL};
	int rc = image_script_find(script, err);

	if (rc < 0)
		return rc;
	rc = command_run(argv, IMAGE_TIMEOUT_MS, &output, err);
	if (rc < 0)
		return rc;
	if (output.status != 0 ||
	    !line_value(output.text, "kernel", image->kernel, sizeof(image->kernel)) ||
	    !line_value(output.text, "initrd", image->initrd, sizeof(image->initrd)))
		rc = err_set(err, EIO, "%s path: %s", script,
			     output.text[0] != '\0' ? output.text : "no answer");
	command_output_free(&output);
	return rc;
}

void vmm_kvm_check(struct vmm_kvm *kvm)
{
	struct lab_path cache = rundir_file("kvm.json");
	json_t *object = file_json_read(cache.text);
	struct err why = {.text = ""};
	struct command_output output;
	char program[PATH_MAX];
	const char *argv[] = {program, "--check", NULL};
	const char *text = json_string_value(json_object_get(object, "text"));

	memset(kvm, 0, sizeof(*kvm));
	if (text != NULL) {
		kvm->works = json_is_true(json_object_get(object, "works"));
		snprintf(kvm->text, sizeof(kvm->text), "%s", text);
		json_decref(object);
		return;
	}
	json_decref(object);
	proc_program_find("vm-runner", program, sizeof(program));
	if (command_run(argv, CHECK_TIMEOUT_MS, &output, &why) < 0) {
		snprintf(kvm->text, sizeof(kvm->text), "%s", why.text);
		return;
	}
	output.text[strcspn(output.text, "\n")] = '\0';
	kvm->works = output.status == 0;
	snprintf(kvm->text, sizeof(kvm->text), "%s", output.text);
	/* Only a real answer is worth remembering. */
	if (output.status == 0 || output.status == CHECK_CANNOT) {
		object = json_pack("{s:b, s:s}", "works", kvm->works, "text", kvm->text);
		if (object != NULL)
			file_json_write(cache.text, object, NULL);
		json_decref(object);
	}
	command_output_free(&output);
}

static int path_resolve(const char *base, const char *path, const char *node, const char *what,
			char out[PATH_MAX], struct err *err)
{
	struct stat st;
	int n = path[0] == '/' ? snprintf(out, PATH_MAX, "%s", path)
			       : snprintf(out, PATH_MAX, "%s/%s", base, path);

	if (n >= PATH_MAX)
		return err_set(err, ENAMETOOLONG, "node \"%s\": the path of its %s is too long",
			       node, what);
	if (stat(out, &st) < 0)
		return err_set(err, errno, "node \"%s\": its %s %s: %m", node, what, out);
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return err_set(err, EINVAL, "node \"%s\": its %s %s is no file", node, what, out);
	return 0;
}

/* A bzImage says HdrS at 0x202 (Documentation/x86/boot.rst); an uncompressed vmlinux is ELF. */
static int kernel_check(const char *path, const char *node, struct err *err)
{
	unsigned char head[0x206];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, head, sizeof(head));

	if (fd >= 0)
		close(fd);
	if (got == (ssize_t)sizeof(head) &&
	    (memcmp(head + 0x202, "HdrS", 4) == 0 || memcmp(head, "\177ELF", 4) == 0))
		return 0;
	return err_set(err, ENOEXEC, "node \"%s\": %s is no x86 Linux kernel (bzImage or vmlinux)",
		       node, path);
}

static bool file_is_qcow2(const char *path)
{
	char magic[4] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool is = fd >= 0 && read(fd, magic, 4) == 4 && memcmp(magic, "QFI\xfb", 4) == 0;

	if (fd >= 0)
		close(fd);
	return is;
}

static int disk_spec(const struct topo_node *node, const char *base, json_t *spec, bool *needs_qemu,
		     struct err *err)
{
	static const char *const modes[] = {"overlay", "write", "readonly"};
	const struct topo_disk *disk = node->disk;
	char path[PATH_MAX];
	bool is_qcow2;
	int rc = path_resolve(base, disk->file, node->name, "disk", path, err);

	if (rc < 0)
		return rc;
	is_qcow2 = disk->format == TOPO_DISK_QCOW2 ||
		   (disk->format == TOPO_DISK_AUTO && file_is_qcow2(path));
	*needs_qemu = is_qcow2;
	/* The rest of the name would be options, readonly=off for one. An overlay is a file of ours. */
	if (strchr(path, ',') != NULL && disk->mode != TOPO_DISK_OVERLAY) {
		*needs_qemu = true;
		if (node->vmm == TOPO_VMM_RUNNER)
			return err_set(err, EINVAL,
				       "node \"%s\": vm-runner takes no disk with a comma in its "
				       "path, %s; rename it, or write `vmm: qemu`",
				       node->name, path);
	}
	if (is_qcow2 && node->vmm == TOPO_VMM_RUNNER)
		return err_set(
			err, EINVAL,
			"node \"%s\": %s is qcow2 and vm-runner reads raw disks; write `vmm: qemu` "
			"or convert it with qemu-img",
			node->name, path);
	json_object_set_new(spec, "disk",
			    json_pack("{s:s, s:s, s:s}", "file", path, "format",
				      is_qcow2 ? "qcow2" : "raw", "mode", modes[disk->mode]));
	return 0;
}

static int vmm_select(const struct topo_node *node, const struct vmm_kvm *kvm, bool needs_qemu,
		      json_t *spec, struct err *err)
{
	bool runner = node->vmm == TOPO_VMM_RUNNER ||
		      (node->vmm == TOPO_VMM_AUTO && kvm->works && !needs_qemu);

	if (runner && !kvm->works)
		return err_set(
			err, ENOTSUP,
			"node \"%s\": `vmm: vm-runner` needs KVM, and: %s; leave `vmm` out to "
			"run it in QEMU",
			node->name, kvm->text);
	json_object_set_new(spec, "vmm", json_string(runner ? "vm-runner" : "qemu"));
	json_object_set_new(spec, "accel", json_string(kvm->works ? "kvm" : "tcg"));
	return 0;
}

static json_t *nics_spec(const struct topo *topo, const struct topo_node *node)
{
	json_t *nics = json_array();

	for (size_t i = 0; i < node->n_nics; i++) {
		const struct topo_nic *nic = &node->nics[i];
		char mac[MAC_TEXT_SIZE];
		json_t *spec;

		mac_format(nic->mac, mac);
		spec = json_pack("{s:s, s:s, s:i, s:i}", "name", nic->name, "mac", mac, "mtu",
				 (int)topo->links[nic->link].mtu, "queues",
				 (int)topo->links[nic->link].queues);
		if (nic->packed) /* else not there: a machine of an older netloom's is as it should be */
			json_object_set_new(spec, "packed", json_true());
		json_array_append_new(nics, spec);
	}
	return nics;
}

json_t *vmm_spec(const struct topo *topo, const struct topo_node *node, const char *base,
		 const struct vmm_image *image, const struct vmm_kvm *kvm, struct err *err)
{
	json_t *spec = json_object();
	bool needs_qemu = false;
	char kernel[PATH_MAX];
	char initrd[PATH_MAX];
	int rc;

	snprintf(kernel, sizeof(kernel), "%s", image->kernel);
	snprintf(initrd, sizeof(initrd), "%s", image->initrd);
	rc = path_resolve(base, node->kernel != NULL ? node->kernel : image->kernel, node->name,
			  "kernel", kernel, err);
	if (rc == 0)
		rc = kernel_check(kernel, node->name, err);
	if (rc == 0)
		rc = path_resolve(base, node->initrd != NULL ? node->initrd : image->initrd,
				  node->name, "initrd", initrd, err);
	if (rc == 0 && node->disk != NULL)
		rc = disk_spec(node, base, spec, &needs_qemu, err);
	if (rc == 0)
		rc = vmm_select(node, kvm, needs_qemu, spec, err);
	if (rc < 0) {
		json_decref(spec);
		return NULL;
	}
	json_object_set_new(spec, "name", json_sprintf("%s/%s", topo->name, node->name));
	json_object_set_new(spec, "kernel", json_string(kernel));
	json_object_set_new(spec, "initrd", json_string(initrd));
	json_object_set_new(spec, "append", json_string(node->append != NULL ? node->append : ""));
	json_object_set_new(spec, "memory", json_integer(node->memory_mib));
	json_object_set_new(spec, "vcpus", json_integer(node->cpus));
	json_object_set_new(spec, "hugepages", json_boolean(node->hugepages));
	json_object_set_new(spec, "nics", nics_spec(topo, node));
	return spec;
}

static const char *spec_text(const json_t *spec, const char *key)
{
	const char *text = json_string_value(json_object_get(spec, key));

	return text != NULL ? text : "";
}

const char *vmm_spec_name(const json_t *spec)
{
	return spec_text(spec, "vmm");
}

bool vmm_is_emulated(const json_t *spec)
{
	return strcmp(spec_text(spec, "accel"), "tcg") == 0;
}

size_t vmm_pluggable(const json_t *spec)
{
	return strcmp(vmm_spec_name(spec), "qemu") == 0 ? VMM_QEMU_PLUGGABLE : VMM_RUNNER_PLUGGABLE;
}

json_t *vmm_argv(const json_t *spec, const char *folder)
{
	return strcmp(spec_text(spec, "vmm"), "qemu") == 0 ? vmm_argv_qemu(spec, folder)
							   : vmm_argv_runner(spec, folder);
}
