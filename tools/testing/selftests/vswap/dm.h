/* SPDX-License-Identifier: GPL-2.0 */
/* A device mapper device whose reads or writes can be made to fail. */
#ifndef _VSWAP_DM_H
#define _VSWAP_DM_H

#include <linux/dm-ioctl.h>
#include <stddef.h>
#include <sys/sysmacros.h>
#include "disk.h"

#define DM_TEST_NAME	"vswap_test"

struct dm_request {
	struct dm_ioctl head;
	struct dm_target_spec spec;
	char params[256];
};

static inline int dm_call(unsigned long cmd, struct dm_request *req,
			  unsigned int flags)
{
	int fd = open("/dev/mapper/control", O_RDWR), err = 0;

	if (fd < 0)
		return -errno;
	req->head.version[0] = DM_VERSION_MAJOR;
	req->head.data_size = sizeof(*req);
	req->head.data_start = offsetof(struct dm_request, spec);
	req->head.flags = flags;
	snprintf(req->head.name, sizeof(req->head.name), DM_TEST_NAME);
	if (ioctl(fd, cmd, req))
		err = -errno;
	close(fd);
	return err;
}

/* Have I/O wait, or go on, by the table that was loaded last. */
static inline int dm_hold(bool hold)
{
	struct dm_request req = {};

	return dm_call(DM_DEV_SUSPEND, &req, hold ? DM_SUSPEND_FLAG | DM_NOFLUSH_FLAG |
		       DM_SKIP_LOCKFS_FLAG : 0);
}

/*
 * Put a table over @below in place. @failing is what fails: "error_reads",
 * "error_writes", or NULL for nothing.
 */
static inline int dm_table(struct disk *below, const char *failing)
{
	struct dm_request req = {};
	int err;

	req.head.target_count = 1;
	req.spec.length = (below->pages + 1) * (page_size / 512);
	snprintf(req.spec.target_type, sizeof(req.spec.target_type),
		 failing ? "flakey" : "linear");
	if (failing)	/* up for no time, down for long */
		snprintf(req.params, sizeof(req.params), "%s 0 0 10000 1 %s",
			 below->path, failing);
	else
		snprintf(req.params, sizeof(req.params), "%s 0", below->path);
	err = dm_call(DM_TABLE_LOAD, &req, 0);
	if (err)
		return err;

	return dm_hold(true) ?: dm_hold(false);
}

/* Switch off what is on, and take the device away; an error if that can't be done. */
static inline int dm_remove(struct disk *disk)
{
	struct dm_request req = {};
	int err = disk_remove(disk);

	return dm_call(DM_DEV_REMOVE, &req, 0) ?: err;
}

/* Why there is no device over @below, NULL if it is there. */
static inline const char *dm_setup(struct disk *disk, struct disk *below)
{
	struct dm_request req = {};
	int err;

	disk->fd = -1;
	disk->pages = below->pages;
	err = dm_call(DM_DEV_CREATE, &req, 0);
	if (err == -EBUSY)
		setup_busy(DM_TEST_NAME);
	if (err)
		return "no device mapper, see CONFIG_BLK_DEV_DM";
	snprintf(disk->path, sizeof(disk->path), "/dev/dm-%u",
		 minor(req.head.dev));
	if (dm_table(below, "error_reads") || dm_table(below, NULL)) {
		dm_remove(disk);
		return "no flakey devices, see CONFIG_DM_FLAKEY";
	}
	disk->fd = open(disk->path, O_RDWR);
	return disk->fd < 0 ? "a device of the device mapper can't be opened" : NULL;
}

#endif
