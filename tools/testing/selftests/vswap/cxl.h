/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The memory of a CXL device as compressed RAM: the first memory device there is,
 * whose memory no region may use yet, becomes a DAX device.
 */
#ifndef _VSWAP_CXL_H
#define _VSWAP_CXL_H

#include <glob.h>
#include <libgen.h>
#include "cram.h"

#define CXL		"/sys/bus/cxl/"
#define CXL_ROOT	CXL "devices/decoder0.0/"
#define DAX		"/sys/bus/dax/"

/* Write to @file of the CXL device @name. */
static inline int cxl_write(const char *name, const char *file, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), CXL "devices/%s/%s", name, file);
	return write_file(path, text);
}

/* The first path that is like @pattern. */
static inline bool find_path(const char *pattern, char *path, size_t size)
{
	glob_t found;

	if (glob(pattern, 0, NULL, &found))
		return false;
	snprintf(path, size, "%s", found.gl_pathv[0]);
	globfree(&found);
	return true;
}

/* What a file says, without the end of the line. */
static inline bool read_line(const char *path, char *line, size_t size)
{
	if (read_file(path, line, size) <= 0)
		return false;
	line[strcspn(line, "\n")] = 0;
	return true;
}

/* Make a region of all memory of the device; why not, if that can't be. */
static inline const char *cxl_make_region(void)
{
	char path[256], size[32], region[64], *decoder;

	if (!find_path(CXL "devices/mem*/ram/size", path, sizeof(path)) ||
	    !read_line(path, size, sizeof(size)) || !strtoll(size, NULL, 0))
		return "no CXL device with volatile memory; QEMU has them since 8.1";
	if (!read_line(CXL_ROOT "create_ram_region", region, sizeof(region)))
		return "no window for volatile CXL memory";
	if (!find_path(CXL "devices/decoder*/dpa_size", path, sizeof(path)))
		return "no decoder of the CXL device";
	decoder = basename(dirname(path));

	if (write_file(CXL_ROOT "create_ram_region", region) ||
	    cxl_write(region, "interleave_granularity", "256") ||
	    cxl_write(region, "interleave_ways", "1") ||
	    cxl_write(decoder, "mode", "ram") ||
	    cxl_write(decoder, "dpa_size", size) ||
	    cxl_write(region, "size", size) ||
	    cxl_write(region, "target0", decoder) ||
	    cxl_write(region, "commit", "1"))
		return "the CXL region can't be set up";
	write_file(CXL "drivers/cxl_region/bind", region);
	return NULL;
}

/* Find the DAX device, made from a region if it is not there yet. */
static inline const char *cxl_setup(char *dax, size_t size, int *node)
{
	char path[256];
	const char *missing;

	if (access("/sys/kernel/mm/cram", F_OK))
		return "no /sys/kernel/mm/cram, the kernel has no CONFIG_CRAM";
	if (access(DAX "drivers/dax_cram", F_OK))
		return "no " DAX "drivers/dax_cram, the kernel has no CONFIG_DEV_DAX_CRAM";
	if (!find_path(DAX "devices/dax*", path, sizeof(path))) {
		missing = cxl_make_region();
		if (missing)
			return missing;
	}
	for (int i = 0; i < 50; i++) {
		if (find_path(DAX "devices/dax*", path, sizeof(path)))
			break;
		usleep(100000);
	}
	if (access(path, F_OK) || strncmp(path, DAX, strlen(DAX)))
		return "the CXL region has no DAX device";
	snprintf(dax, size, "%s", basename(path));
	snprintf(path, sizeof(path), DAX "devices/%s/target_node", dax);
	*node = read_num(path);
	return NULL;
}

static inline int dax_bind(const char *dax)
{
	char path[128];

	write_file(DAX "drivers/kmem/unbind", dax);
	write_file(DAX "drivers/device_dax/unbind", dax);
	/* Both bind it; which one depends on whether the driver knows it already */
	write_file(DAX "drivers/dax_cram/new_id", dax);
	write_file(DAX "drivers/dax_cram/bind", dax);
	snprintf(path, sizeof(path), DAX "drivers/dax_cram/%s", dax);
	return access(path, F_OK);
}

static inline int dax_unbind(const char *dax)
{
	return write_file(DAX "drivers/dax_cram/unbind", dax);
}

static inline int kmem_set_state(const char *dax, const char *state)
{
	char path[128];

	snprintf(path, sizeof(path), DAX "devices/%s/state", dax);
	return write_file(path, state);
}

/* Make the memory system memory, */
static inline int kmem_on(const char *dax)
{
	return write_file(DAX "drivers/kmem/bind", dax) ?:
	       kmem_set_state(dax, "unplugged") ?:
	       kmem_set_state(dax, "online_movable");
}

/* and take it back. */
static inline int kmem_off(const char *dax)
{
	return kmem_set_state(dax, "unplugged") ?:
	       write_file(DAX "drivers/kmem/unbind", dax);
}

/* Let the next one who comes have it. */
static inline void dax_forget(const char *dax)
{
	write_file(DAX "drivers/dax_cram/remove_id", dax);
}

#endif
