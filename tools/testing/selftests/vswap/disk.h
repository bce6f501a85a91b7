/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Devices to swap to. Disks are loop devices on RAM disks, which are not
 * synchronous as RAM disks themselves and zram are.
 */
#ifndef _VSWAP_DISK_H
#define _VSWAP_DISK_H

#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/swap.h>
#include "vswap_util.h"

struct disk {
	char path[64];		/* of the device, or of the file */
	size_t pages;		/* slots, without the header */
	int fd;
	int flags;		/* for swapon() */
};

#define CONFIGFS	"/sys/kernel/config"
#define NULLB_NAME	"vswap_test"
#define NULLB		CONFIGFS "/nullb/" NULLB_NAME "/"

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

/* What a test needs exists, and somebody still has it: that is no reason to skip it. */
static inline void setup_busy(const char *what)
{
	printf("# %s is in use, left by another test\n", what);
	exit(1);
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
	if (disk->fd < 0 || ioctl(disk->fd, LOOP_CONFIGURE, &config)) {
		if (errno == EBUSY)
			setup_busy(disk->path);
		return "a loop device can't be set up";
	}
	close(fd);
	if (lseek(disk->fd, 0, SEEK_END) < (pages + 1) * page_size)
		return "a RAM disk is too small, see CONFIG_BLK_DEV_RAM_SIZE";
	return disk_format(disk->fd, pages) ? "a disk can't be written" : NULL;
}

/* RAM disk @n itself, which nothing else may be using. */
static inline const char *ram_setup(struct disk *disk, int n, size_t pages)
{
	disk->pages = pages;
	snprintf(disk->path, sizeof(disk->path), "/dev/ram%d", n);
	disk->fd = open(disk->path, O_RDWR);
	if (disk->fd < 0)
		return "no RAM disk, see CONFIG_BLK_DEV_RAM";
	return disk_format(disk->fd, pages) ? "a RAM disk can't be written" : NULL;
}

/* A new zram device, of which @zram returns the number. */
static inline const char *zram_setup(struct disk *disk, int *zram, size_t pages)
{
	char path[64], size[32];

	disk->pages = pages;
	*zram = read_num("/sys/class/zram-control/hot_add");
	if (*zram < 0)
		return "no zram, see CONFIG_ZRAM";
	snprintf(path, sizeof(path), "/sys/block/zram%d/disksize", *zram);
	snprintf(size, sizeof(size), "%zu", (pages + 1) * page_size);
	if (write_file(path, size))
		return "a zram device can't be set up";
	snprintf(disk->path, sizeof(disk->path), "/dev/zram%d", *zram);
	disk->fd = open(disk->path, O_RDWR);
	if (disk->fd < 0 || disk_format(disk->fd, pages))
		return "a zram device can't be written";
	return NULL;
}

/* After disk_remove() */
static inline int null_remove(void)
{
	write_file(NULLB "power", "0");
	return rmdir(NULLB) ? -errno : 0;
}

/*
 * A null_blk device, which keeps what is written to it, with @feature: "discard",
 * "rotational", or "badblocks_once", which lets a bad block fail one time only.
 */
static inline const char *null_setup(struct disk *disk, size_t pages,
				     const char *feature)
{
	char size[32], path[128];

	disk->pages = pages;
	disk->fd = -1;
	if (access(CONFIGFS "/nullb", F_OK))
		mount("configfs", CONFIGFS, "configfs", 0, NULL);
	if (mkdir(NULLB, 0755)) {
		if (errno == EEXIST)
			setup_busy(NULLB);
		return "no null_blk, see CONFIG_BLK_DEV_NULL_BLK and CONFIG_CONFIGFS_FS";
	}
	snprintf(size, sizeof(size), "%zu", ((pages + 1) * page_size >> 20) + 1);
	snprintf(path, sizeof(path), NULLB "%s", feature);
	if (write_file(NULLB "size", size) || write_file(NULLB "blocksize", "4096") ||
	    write_file(NULLB "memory_backed", "1") || write_file(path, "1") ||
	    write_file(NULLB "power", "1")) {
		null_remove();
		return "a null_blk device can't be set up";
	}
	snprintf(disk->path, sizeof(disk->path), "/dev/" NULLB_NAME);
	for (int i = 0; i < 50 && disk->fd < 0; i++) {
		if (i)
			usleep(20000);
		disk->fd = open(disk->path, O_RDWR);
	}
	if (disk->fd < 0 || disk_format(disk->fd, pages))
		return "a null_blk device can't be written";
	return NULL;
}

/* Make @nr blocks of a page from @block on fail, or be good again. */
static inline int null_bad(long block, long nr, bool bad)
{
	long sectors = page_size / 512;
	char range[64];

	snprintf(range, sizeof(range), "%c%ld-%ld", bad ? '+' : '-',
		 block * sectors, (block + nr) * sectors - 1);
	return write_file(NULLB "badblocks", range);
}

/* Wait for a read of virtual slots to fail; @errors is how many did before. */
static inline bool wait_read_error(long errors)
{
	for (int i = 0; i < 250 && vswap_stat("read_error") <= errors; i++)
		usleep(20000);
	return vswap_stat("read_error") > errors;
}

/*
 * The block of a disk that a page of @pattern is in, -1 if it is in none. What it
 * reads is not to be in the page cache yet.
 */
static inline long disk_find(struct disk *disk, enum pattern pattern,
			     unsigned long seed, unsigned long index)
{
	int fd = open(disk->path, O_RDONLY | O_DIRECT);
	long block, found = -1;
	char *buf;

	if (posix_memalign((void **)&buf, page_size, page_size))
		return -1;
	for (block = 1; found < 0 && block <= (long)disk->pages; block++) {
		if (pread(fd, buf, page_size, block * page_size) == (ssize_t)page_size &&
		    pattern_check(buf, page_size, pattern, seed, index))
			found = block;
	}
	free(buf);
	close(fd);
	return found;
}

/* Field @n, from 1 on, of the statistics of a block device. */
static inline long disk_stat(struct disk *disk, int n)
{
	char path[128], buf[512], *p = buf;
	long value = -1;

	snprintf(path, sizeof(path), "/sys/block/%s/stat", strrchr(disk->path, '/') + 1);
	if (read_file(path, buf, sizeof(buf)) < 0)
		return -1;
	while (n--)
		value = strtol(p, &p, 10);
	return value;
}

#define DISK_STAT_READS		1
#define DISK_STAT_DISCARDS	12

static inline int disk_on(struct disk *disk, int prio)
{
	return swapon(disk->path, SWAP_FLAG_PREFER | disk->flags | prio) ? -errno : 0;
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

/* Switch off what is on, and let go of it; an error if it stays on. */
static inline int disk_remove(struct disk *disk)
{
	int err = disk_used(disk) >= 0 ? disk_off(disk) : 0;

	if (err)
		printf("# %s stays on: %s\n", disk->path, strerror(-err));
	if (disk->fd >= 0)
		close(disk->fd);
	disk->fd = -1;
	return err;
}

#endif
