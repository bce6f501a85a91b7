// SPDX-License-Identifier: GPL-2.0
/* As many swap devices as there can be, and one more. */
#include "../kselftest_harness.h"
#include "disk.h"
#include "knobs.h"

#define MAX_DISKS	64
#define NR_DISK		63	/* pages */
#define NR		512

FIXTURE(vswap_swapon) {
	char cgroup[128];
	struct disk disk[MAX_DISKS];
	int nr;
};

/* Disk @n of many, each a part of one RAM disk. */
static int part_setup(struct disk *disk, int ram, int ctl, int n)
{
	struct loop_config config = { .fd = ram };
	int nr = ioctl(ctl, LOOP_CTL_GET_FREE);

	disk->fd = -1;
	if (nr < 0)
		return -errno;
	disk->pages = NR_DISK;
	snprintf(disk->path, sizeof(disk->path), "/dev/loop%d", nr);
	for (int i = 0; i < 50 && disk->fd < 0; i++) {
		if (i)
			usleep(20000);
		disk->fd = open(disk->path, O_RDWR);
	}
	config.info.lo_offset = n * (NR_DISK + 1) * page_size;
	config.info.lo_sizelimit = (NR_DISK + 1) * page_size;
	config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
	if (disk->fd < 0 || ioctl(disk->fd, LOOP_CONFIGURE, &config))
		return -errno;
	return disk_format(disk->fd, NR_DISK);
}

FIXTURE_SETUP(vswap_swapon)
{
	const char *missing = vswap_missing();
	int ram, ctl, devices = have_swap_devices();

	if (missing)
		SKIP(return, "%s", missing);
	ASSERT_GE(devices, 0);
	if (devices)
		SKIP(return, "there is a swap device");
	ram = open("/dev/ram0", O_RDWR);
	ctl = open("/dev/loop-control", O_RDWR);
	if (ram < 0 || ctl < 0)
		SKIP(return, "no RAM disk or loop device");
	for (; self->nr < MAX_DISKS; self->nr++)
		ASSERT_EQ(part_setup(&self->disk[self->nr], ram, ctl, self->nr), 0);
	close(ram);
	close(ctl);
	ASSERT_EQ(cgroup_enter(self->cgroup, sizeof(self->cgroup),
			       "vswap_swapon"), 0);
	ASSERT_EQ(write_file(VSWAP_MODE, "auto"), 0);
}

FIXTURE_TEARDOWN(vswap_swapon)
{
	EXPECT_EQ(vswap_validate_quiet(), 0);
	for (int i = 0; i < self->nr; i++)
		disk_remove(&self->disk[i]);
	if (self->cgroup[0])
		cgroup_leave(self->cgroup);
}

/*
 * One less than MAX_SWAPFILES, which is 32 less the types that are no devices: of
 * memory failure, page migration, device memory, and PTE markers.
 */
static int max_devices(void)
{
	return 32 - 1 - kernel_has("MEMORY_FAILURE") - 3 * kernel_has("MIGRATION") -
	       3 * kernel_has("DEVICE_PRIVATE") - 1;
}

/* Too many are refused, which changes nothing; there is room again after swapoff. */
VSWAP_TEST(vswap_swapon, too_many)
{
	static char before[65536], after[65536];
	char *p = map_region(NR, false);
	long total, slots = vswap_stat("slots_used");
	int nr, err = 0;

	/* Some of it is in use */
	for (nr = 0; nr < self->nr && !err; nr++) {
		err = disk_on(&self->disk[nr], 10);
		if (nr == 8 && !err) {
			fill_region(p, NR, PATTERN_ANY, 1);
			ASSERT_EQ(swap_out(p, NR), NR);
		}
	}
	nr--;
	TH_LOG("%d devices", nr);
	ASSERT_EQ(err, -EPERM);
	ASSERT_GE(nr, 23);
	if (!access("/proc/config.gz", R_OK))
		EXPECT_EQ(nr, max_devices());

	ASSERT_GT(read_file("/proc/swaps", before, sizeof(before)), 0);
	total = read_key("/proc/meminfo", "SwapTotal");
	EXPECT_EQ(total * 1024, nr * NR_DISK * page_size);
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(disk_on(&self->disk[nr + i], 10), -EPERM);
	ASSERT_GT(read_file("/proc/swaps", after, sizeof(after)), 0);
	EXPECT_STREQ(before, after);
	EXPECT_EQ(vswap_validate_quiet(), 0);
	EXPECT_EQ(read_key("/proc/meminfo", "SwapTotal"), total);

	/* Virtual slots and their data are what they were */
	EXPECT_EQ(count_swapped(p, NR), NR);
	EXPECT_GE(vswap_stat("slots_used"), slots + NR);
	EXPECT_EQ(check_region(p, NR, PATTERN_ANY, 1), NR);
	fill_region(p, NR, PATTERN_ANY, 2);
	EXPECT_EQ(swap_out(p, NR), NR);

	ASSERT_EQ(disk_off(&self->disk[3]), 0);
	EXPECT_EQ(disk_on(&self->disk[nr], 10), 0);
	EXPECT_EQ(disk_on(&self->disk[nr + 1], 10), -EPERM);
	EXPECT_EQ(read_key("/proc/meminfo", "SwapTotal"), total);
	EXPECT_EQ(check_region(p, NR, PATTERN_ANY, 2), NR);
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(slots), slots);
}

TEST_HARNESS_MAIN
