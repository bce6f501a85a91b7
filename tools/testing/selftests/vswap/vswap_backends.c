// SPDX-License-Identifier: GPL-2.0
/*
 * Virtual slots on all kinds of swap devices: the same with each of them, and
 * what is particular to it.
 */
#include <sys/resource.h>
#include "../kselftest_harness.h"
#include "disk.h"
#include "knobs.h"

#define NR	576		/* more than a cluster */
#define NR_DISK	1152UL

enum kind { KIND_RAM, KIND_ZRAM, KIND_FILE, KIND_DISCARD, KIND_ROTATING };

FIXTURE(vswap_backends) {
	char cgroup[128];
	char dir[64];		/* where the file system is mounted */
	long slots;
	int zram;		/* number of the zram device, -1 without */
	struct disk disk, below;
};

FIXTURE_VARIANT(vswap_backends) {
	enum kind kind;
};

FIXTURE_VARIANT_ADD(vswap_backends, ram) {
	.kind = KIND_RAM,
};

FIXTURE_VARIANT_ADD(vswap_backends, zram) {
	.kind = KIND_ZRAM,
};

FIXTURE_VARIANT_ADD(vswap_backends, file) {
	.kind = KIND_FILE,
};

FIXTURE_VARIANT_ADD(vswap_backends, discard) {
	.kind = KIND_DISCARD,
};

FIXTURE_VARIANT_ADD(vswap_backends, rotating) {
	.kind = KIND_ROTATING,
};

static long zram_stat(int zram, int field)
{
	char path[64], buf[256], *p = buf;
	long value = 0;

	snprintf(path, sizeof(path), "/sys/block/zram%d/mm_stat", zram);
	if (read_file(path, buf, sizeof(buf)) < 0)
		return -1;
	for (int i = 0; i <= field; i++)
		value = strtol(p, &p, 10);
	return value;
}

/* Write pages to two files in turns, so that neither is in one piece. */
static int write_scattered(int fd, int other, size_t pages)
{
	size_t run = 128;
	char *buf = calloc(run, page_size);
	int err = 0;

	for (size_t i = 0; i < pages && !err; i += run) {
		size_t size = (pages - i < run ? pages - i : run) * page_size;

		if (write(fd, buf, size) != size || fsync(fd) ||
		    write(other, buf, page_size) != page_size || fsync(other))
			err = -EIO;
	}
	free(buf);
	return err;
}

/* A swap file on ext4, in many extents. */
static const char *setup_file(struct disk *disk, struct disk *below, char *dir,
			      size_t size)
{
	const char *missing = disk_setup(below, 0, 2 * NR_DISK);
	char command[128];
	int other;

	if (missing)
		return missing;
	snprintf(command, sizeof(command), "mke2fs -F %s >/dev/null 2>&1",
		 below->path);
	if (system(command))
		return "no mke2fs that works";
	snprintf(dir, size, "/tmp/vswap_backends_XXXXXX");
	if (!mkdtemp(dir))
		return "no directory in /tmp";
	if (mount(below->path, dir, "ext4", 0, NULL)) {
		rmdir(dir);
		dir[0] = 0;
		return "no ext4";
	}
	snprintf(disk->path, sizeof(disk->path), "%s/swap", dir);
	disk->fd = open(disk->path, O_RDWR | O_CREAT, 0600);
	snprintf(command, sizeof(command), "%s/other", dir);
	other = open(command, O_RDWR | O_CREAT, 0600);
	if (write_scattered(disk->fd, other, NR_DISK + 1))
		missing = "a file can't be written";
	close(other);
	if (missing)
		return missing;
	return disk_format(disk->fd, NR_DISK) ? "a file can't be written" : NULL;
}

FIXTURE_SETUP(vswap_backends)
{
	const char *missing = vswap_missing();

	self->zram = -1;
	self->disk.fd = -1;
	self->below.fd = -1;
	if (missing)
		SKIP(return, "%s", missing);
	switch (variant->kind) {
	case KIND_RAM:
		missing = ram_setup(&self->disk, 2, NR_DISK);
		break;
	case KIND_ZRAM:
		missing = zram_setup(&self->disk, &self->zram, NR_DISK);
		break;
	case KIND_FILE:
		missing = setup_file(&self->disk, &self->below, self->dir,
				     sizeof(self->dir));
		break;
	case KIND_DISCARD:
		self->disk.flags = SWAP_FLAG_DISCARD;
		missing = null_setup(&self->disk, NR_DISK, "discard");
		break;
	case KIND_ROTATING:
		missing = null_setup(&self->disk, NR_DISK, "rotational");
		break;
	}
	if (missing)
		SKIP(return, "%s", missing);
	ASSERT_EQ(vswap_start(self->cgroup, sizeof(self->cgroup), "vswap_backends",
			      &self->slots), 0);
	past_zswap(true);
	ASSERT_EQ(disk_on(&self->disk, 10), 0);
}

FIXTURE_TEARDOWN(vswap_backends)
{
	char num[32], path[64];

	EXPECT_EQ(vswap_validate_quiet(), 0);
	disk_remove(&self->disk);
	if (self->dir[0]) {
		umount(self->dir);
		rmdir(self->dir);
	}
	disk_remove(&self->below);
	if (variant->kind == KIND_DISCARD || variant->kind == KIND_ROTATING)
		null_remove();
	if (self->zram >= 0) {
		snprintf(path, sizeof(path), "/sys/block/zram%d/reset", self->zram);
		write_file(path, "1");
		snprintf(num, sizeof(num), "%d", self->zram);
		write_file("/sys/class/zram-control/hot_remove", num);
	}
	past_zswap(false);
	cgroup_leave(self->cgroup);
}

/* Wait for a worker to have discarded more than @nr times. */
static long wait_discards(struct disk *disk, long nr)
{
	long discards = disk_stat(disk, DISK_STAT_DISCARDS);

	for (int i = 0; i < 500 && discards <= nr; i++) {
		usleep(20000);
		discards = disk_stat(disk, DISK_STAT_DISCARDS);
	}
	return discards;
}

/* Out, in, changed, out, in, freed. */
VSWAP_TEST(vswap_backends, contents)
{
	char *p = map_region(NR, false);
	long in;

	for (int i = 0; i < 2; i++) {
		fill_region(p, NR, PATTERN_MIXED, i);
		ASSERT_EQ(swap_out(p, NR), NR);
		EXPECT_GE(vswap_stat("slots_phys"), NR / 4);
		EXPECT_GE(disk_used(&self->disk), NR / 4);
		/* Read it from the device, not from the swap cache */
		drop_swap_cache(self->cgroup, NR);
		in = vm_events("pswpin");
		EXPECT_EQ(check_region(p, NR, PATTERN_MIXED, i), NR);
		EXPECT_GE(vm_events("pswpin"), in + NR / 4);
	}
	ASSERT_EQ(swap_out(p, NR), NR);
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
	EXPECT_LE(disk_used(&self->disk), OWN_PAGES);
	/* zram hears of it and frees the memory; the header is one page */
	if (variant->kind == KIND_ZRAM)
		EXPECT_LE(zram_stat(self->zram, 0), (OWN_PAGES + 1) * (long)page_size);
	/* Others do if they want to, once for the whole device when it is switched on */
	if (variant->kind == KIND_DISCARD)
		EXPECT_GT(wait_discards(&self->disk, 1), 1);
}

/* The disk takes fewer pages than there are: the rest stays, nothing is lost. */
VSWAP_TEST(vswap_backends, full)
{
	long fails = cgroup_read_key(self->cgroup, "memory.swap.events", "fail");
	size_t nr = NR_DISK + NR;
	char *p = map_region(nr, false);

	fill_region(p, nr, PATTERN_RANDOM, 4);
	try_swap_out(p, nr);
	EXPECT_GE(disk_used(&self->disk), NR_DISK / 2);
	EXPECT_GT(cgroup_read_key(self->cgroup, "memory.swap.events", "fail"), fails);
	EXPECT_EQ(vswap_validate_quiet(), 0);
	EXPECT_EQ(check_region(p, nr, PATTERN_RANDOM, 4), nr);
	/* Slots of pages that are in memory again are had for others */
	fill_region(p, nr / 2, PATTERN_RANDOM, 5);
	try_swap_out(p, nr);
	EXPECT_EQ(check_region(p, nr / 2, PATTERN_RANDOM, 5), nr / 2);
	for (size_t i = nr / 2; i < nr; i++)
		ASSERT_TRUE(pattern_check(p + i * page_size, page_size, PATTERN_RANDOM, 4, i));
	munmap(p, nr * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* Huge pages, which go to slots here and there on some devices. */
VSWAP_TEST(vswap_backends, huge)
{
	size_t nr = 2 * (2UL << 20) / page_size;
	char *p = map_region(nr, true);
	long out, split, in;

	if (access(THP, F_OK))
		SKIP(return, "no transparent huge pages");
	/* The kernel starts without where there is little memory */
	write_file(THP "defrag", "madvise");
	for (int i = 0; i < 2; i++) {
		fill_region(p, nr, PATTERN_RANDOM, 7 + i);
		ASSERT_EQ(cgroup_read_key(self->cgroup, "memory.stat", "anon_thp"),
			  nr * page_size);
		out = vm_events("thp_swpout");
		split = vswap_stat("phys_alloc_split");
		ASSERT_EQ(swap_out(p, nr), nr);
		EXPECT_EQ(vm_events("thp_swpout"), out + 2);
		/* Where slots that follow each other may lie apart, none goes to one range */
		if (variant->kind == KIND_FILE)
			EXPECT_EQ(vswap_stat("phys_alloc_split"), split + 2);
		if (variant->kind != KIND_FILE && !i)
			EXPECT_LT(vswap_stat("phys_alloc_split"), split + 2);
		drop_swap_cache(self->cgroup, nr);
		in = vm_events("pswpin");
		EXPECT_EQ(check_region(p, nr, PATTERN_RANDOM, 7 + i), nr);
		EXPECT_GE(vm_events("pswpin"), in + nr / 2);
		/* They come back as small pages */
		madvise(p, nr * page_size, MADV_DONTNEED);
	}
	munmap(p, nr * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

VSWAP_TEST(vswap_backends, swapoff)
{
	char *p = map_region(NR, false);
	long in;

	fill_region(p, NR, PATTERN_ANY, 6);
	ASSERT_EQ(swap_out(p, NR), NR);
	drop_swap_cache(self->cgroup, NR);
	in = vm_events("pswpin");
	EXPECT_EQ(disk_off(&self->disk), 0);
	EXPECT_GE(vm_events("pswpin"), in + NR / 2);
	EXPECT_EQ(vswap_stat("slots_phys"), 0);
	EXPECT_EQ(vswap_validate_quiet(), 0);
	EXPECT_EQ(check_region(p, NR, PATTERN_ANY, 6), NR);
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

static long major_faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_majflt;
}

/*
 * On a device with a head to move, what lies beside each other there is read at
 * one go, whatever lies between it as virtual slots: here, pages of zeroes.
 */
VSWAP_TEST(vswap_backends, readahead)
{
	char *p = map_region(2 * NR, false);
	long faults;

	for (size_t i = 0; i < 2 * NR; i++)
		fill_region(p + i * page_size, 1, i % 2 ? PATTERN_ZERO : PATTERN_RANDOM, i);
	ASSERT_EQ(swap_out(p, 2 * NR), 2 * NR);
	drop_swap_cache(self->cgroup, NR);
	faults = major_faults();
	for (size_t i = 0; i < 2 * NR; i += 2)
		ASSERT_EQ(check_region(p + i * page_size, 1, PATTERN_RANDOM, i), 1);
	faults = major_faults() - faults;
	TH_LOG("%ld major faults for %d pages", faults, NR);
	if (variant->kind == KIND_ROTATING)
		EXPECT_LT(faults, NR / 6);
	for (size_t i = 1; i < 2 * NR; i += 2)
		ASSERT_EQ(check_region(p + i * page_size, 1, PATTERN_ZERO, i), 1);
	munmap(p, 2 * NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

TEST_HARNESS_MAIN
