/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Disks to swap to: loop devices on RAM disks, which are not synchronous as RAM
 * disks themselves are.
 */
#ifndef _VSWAP_DISK_H
#define _VSWAP_DISK_H

#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/swap.h>
#include "vswap_util.h"

struct disk {
	char path[64];		/* of the device, or of the file */
	size_t pages;		/* slots, without the header */
	int fd;
};

/* Write the header of a swap area of @pages pages. */
static inline int disk_format(int fd, size_t pages)
{
	char *buf = calloc(1, page_size);
	uint32_t *info = (uint32_t *)(buf + 1024);
	int err = 0;

	info[0] = 1;			/* version */
	info[1] = pages;		/* the last page */
	memcpy(buf + page_size - 10, "SWAPSPACE2", 10);
	if (pwrite(fd, buf, page_size, 0) != page_size || fsync(fd))
		err = -errno;
	free(buf);
	return err;
}

/* Why disk @n can't be had, NULL if it is there. */
static inline const char *disk_setup(struct disk *disk, int n, size_t pages)
{
	struct loop_config config = {};
	int fd, ctl, nr;
	char ram[32];

	disk->fd = -1;
	disk->pages = pages;
	snprintf(ram, sizeof(ram), "/dev/ram%d", n);
	fd = open(ram, O_RDWR);
	config.fd = fd;
	if (fd < 0)
		return "no RAM disk, see CONFIG_BLK_DEV_RAM";
	ctl = open("/dev/loop-control", O_RDWR);
	nr = ctl < 0 ? -1 : ioctl(ctl, LOOP_CTL_GET_FREE);
	close(ctl);
	if (nr < 0)
		return "no loop device, see CONFIG_BLK_DEV_LOOP";
	snprintf(disk->path, sizeof(disk->path), "/dev/loop%d", nr);
	disk->fd = open(disk->path, O_RDWR);
	config.info.lo_sizelimit = (pages + 1) * page_size;
	config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
	if (disk->fd < 0 || ioctl(disk->fd, LOOP_CONFIGURE, &config))
		return "a loop device can't be set up";
	close(fd);
	if (lseek(disk->fd, 0, SEEK_END) < (pages + 1) * page_size)
		return "a RAM disk is too small, see CONFIG_BLK_DEV_RAM_SIZE";
	return disk_format(disk->fd, pages) ? "a disk can't be written" : NULL;
}

static inline int disk_on(struct disk *disk, int prio)
{
	return swapon(disk->path, SWAP_FLAG_PREFER | prio) ? -errno : 0;
}

static inline int disk_off(struct disk *disk)
{
	return swapoff(disk->path) ? -errno : 0;
}

/* Pages in use on a disk, -1 if it is not on. */
static inline long disk_used(struct disk *disk)
{
	char line[256], path[128];
	long size, used, found = -1;
	FILE *f = fopen("/proc/swaps", "r");

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%127s %*s %ld %ld", path, &size, &used) == 3 &&
		    !strcmp(path, disk->path))
			found = used * 1024 / page_size;
	}
	if (f)
		fclose(f);
	return found;
}

/* Switch off, and let go of it. */
static inline void disk_remove(struct disk *disk)
{
	swapoff(disk->path);
	if (disk->fd >= 0)
		close(disk->fd);
}

#endif
