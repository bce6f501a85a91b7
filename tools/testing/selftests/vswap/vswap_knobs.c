// SPDX-License-Identifier: GPL-2.0
/* What users set and see. */
#include "../kselftest_harness.h"
#include "disk.h"
#include "knobs.h"

#define NR	512

FIXTURE(vswap_knobs) {
	char cgroup[128];
	long slots;
	bool devices;		/* there are some, other than this: */
	struct disk disk;
};

FIXTURE_SETUP(vswap_knobs)
{
	const char *missing = vswap_missing();
	int devices = have_swap_devices();

	self->disk.fd = -1;
	if (missing)
		SKIP(return, "%s", missing);
	ASSERT_EQ(vswap_start(self->cgroup, sizeof(self->cgroup), "vswap_knobs",
			      &self->slots), 0);
	ASSERT_GE(devices, 0);
	self->devices = devices;
}

FIXTURE_TEARDOWN(vswap_knobs)
{
	disk_remove(&self->disk);
	write_file(VSWAP_MODE, "auto");
	write_file(ZSWAP_PARAM "enabled", "1");
	EXPECT_EQ(vswap_validate_quiet(), 0);
	cgroup_leave(self->cgroup);
}

/* The three modes can be set and are shown; anything else changes nothing. */
VSWAP_TEST(vswap_knobs, mode)
{
	static const char * const bad[] = { "", "\n", "on", "autoo", "aut", "1", "never always" };
	char buf[64];

	ASSERT_EQ(write_file(VSWAP_MODE, "always\n"), 0);
	read_file(VSWAP_MODE, buf, sizeof(buf));
	EXPECT_STREQ(buf, "auto [always] never\n");
	for (size_t i = 1; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(write_file(VSWAP_MODE, bad[i]), -EINVAL) {
			TH_LOG("mode '%s' was taken", bad[i]);
		}
	}
	read_file(VSWAP_MODE, buf, sizeof(buf));
	EXPECT_STREQ(buf, "auto [always] never\n");
	ASSERT_EQ(write_file(VSWAP_MODE, "never"), 0);
	read_file(VSWAP_MODE, buf, sizeof(buf));
	EXPECT_STREQ(buf, "auto always [never]\n");
	ASSERT_EQ(write_file(VSWAP_MODE, "auto"), 0);
	read_file(VSWAP_MODE, buf, sizeof(buf));
	EXPECT_STREQ(buf, "[auto] always never\n");
}

/* What could be compressed goes to the device, in plain slots or virtual ones. */
static void check_device(struct __test_metadata *_metadata,
			 struct _test_data_vswap_knobs *self, bool virtual, int seed)
{
	long stored = cgroup_read_key(self->cgroup, "memory.stat", "zswpout");
	char *p = map_region(NR, false);
	long slots;

	fill_region(p, NR, PATTERN_QUARTER, seed);
	ASSERT_EQ(swap_out(p, NR), NR);
	slots = vswap_stat("slots_used") - self->slots;
	EXPECT_GE(disk_used(&self->disk), NR);
	if (virtual) {
		EXPECT_GE(slots, NR);
		EXPECT_GE(vswap_stat("slots_phys"), NR);
	} else {
		EXPECT_LE(slots, OWN_PAGES);
	}
	EXPECT_EQ(cgroup_read_key(self->cgroup, "memory.stat", "zswpout"), stored);
	EXPECT_EQ(vswap_validate_quiet(), 0);
	EXPECT_EQ(check_region(p, NR, PATTERN_QUARTER, seed), NR);
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* Which pages get virtual slots when there is a device. */
VSWAP_TEST(vswap_knobs, mode_with_device)
{
	const char *missing = disk_setup(&self->disk, 0, 4 * NR);
	char *p = map_region(NR, false);

	if (missing)
		SKIP(return, "%s", missing);
	ASSERT_EQ(disk_on(&self->disk, 10), 0);
	/* Not even zswap may take a page without */
	ASSERT_EQ(write_file(VSWAP_MODE, "never"), 0);
	check_device(_metadata, self, false, 1);

	/* Those that zswap may not take have none */
	ASSERT_EQ(write_file(VSWAP_MODE, "auto"), 0);
	ASSERT_EQ(write_file(ZSWAP_PARAM "enabled", "0"), 0);
	check_device(_metadata, self, false, 2);
	ASSERT_EQ(write_file(ZSWAP_PARAM "enabled", "1"), 0);
	ASSERT_EQ(cgroup_write(self->cgroup, "memory.zswap.max", "0"), 0);
	check_device(_metadata, self, false, 3);

	/* unless all have */
	ASSERT_EQ(write_file(VSWAP_MODE, "always"), 0);
	check_device(_metadata, self, true, 4);
	ASSERT_EQ(write_file(ZSWAP_PARAM "enabled", "0"), 0);
	check_device(_metadata, self, true, 5);

	/* The others go to zswap */
	ASSERT_EQ(write_file(VSWAP_MODE, "auto"), 0);
	ASSERT_EQ(write_file(ZSWAP_PARAM "enabled", "1"), 0);
	ASSERT_EQ(cgroup_write(self->cgroup, "memory.zswap.max", "max"), 0);
	fill_region(p, NR, PATTERN_QUARTER, 6);
	ASSERT_EQ(swap_out(p, NR), NR);
	EXPECT_GE(vswap_stat("slots_zswap"), NR);
	EXPECT_LE(disk_used(&self->disk), OWN_PAGES);
	EXPECT_EQ(check_region(p, NR, PATTERN_QUARTER, 6), NR);
	munmap(p, NR * page_size);
	EXPECT_EQ(disk_off(&self->disk), 0);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* Debug kernels can tell whether all that they have recorded of slots agrees. */
VSWAP_TEST(vswap_knobs, validate)
{
	unsigned long clusters, slots, busy, errors;
	char buf[4096], *p = map_region(NR, false);
	int quiet, found;

	if (access(VSWAP_VALIDATE, R_OK)) {
		EXPECT_FALSE(kernel_has("DEBUG_VM"));
		return;
	}
	fill_region(p, NR, PATTERN_MIXED, 7);
	ASSERT_EQ(swap_out(p, NR), NR);
	ASSERT_EQ(vswap_validate_quiet(), 0);
	ASSERT_GT(read_file(VSWAP_VALIDATE, buf, sizeof(buf)), 0);
	found = sscanf(buf, "clusters %lu slots %lu busy %lu quiet %d errors %lu",
		       &clusters, &slots, &busy, &quiet, &errors);
	ASSERT_EQ(found, 5);
	EXPECT_GE(clusters, 1);
	EXPECT_GE(slots, self->slots + NR);
	EXPECT_EQ(errors, 0);
	EXPECT_EQ(check_region(p, NR, PATTERN_MIXED, 7), NR);
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* Slots live on when the mode changes, and new ones follow it. */
VSWAP_TEST(vswap_knobs, switch_mode)
{
	char *p = map_region(NR, false), *q = map_region(NR, false);

	fill_region(p, NR, PATTERN_MIXED, 1);
	ASSERT_EQ(swap_out(p, NR), NR);
	ASSERT_EQ(write_file(VSWAP_MODE, "never"), 0);
	EXPECT_GE(vswap_stat("slots_used"), self->slots + NR);
	EXPECT_EQ(check_region(p, NR / 2, PATTERN_MIXED, 1), NR / 2);
	EXPECT_GE(vswap_stat("slots_used"), self->slots + NR / 2);

	if (!self->devices) {
		fill_region(q, NR, PATTERN_MIXED, 2);
		madvise(q, NR * page_size, MADV_PAGEOUT);
		EXPECT_EQ(count_swapped(q, NR), 0);
		EXPECT_EQ(check_region(q, NR, PATTERN_MIXED, 2), NR);
	}
	ASSERT_EQ(write_file(VSWAP_MODE, "always"), 0);
	ASSERT_EQ(swap_out(p, NR), NR);
	ASSERT_EQ(write_file(VSWAP_MODE, "auto"), 0);
	EXPECT_EQ(check_region(p, NR, PATTERN_MIXED, 1), NR);
	munmap(p, NR * page_size);
	munmap(q, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* zswap can be switched off while it holds pages. */
VSWAP_TEST(vswap_knobs, zswap_off)
{
	char *p = map_region(NR, false);

	fill_region(p, NR, PATTERN_MIXED, 3);
	ASSERT_EQ(swap_out(p, NR), NR);
	ASSERT_EQ(write_file(ZSWAP_PARAM "enabled", "0"), 0);
	EXPECT_EQ(check_region(p, NR / 2, PATTERN_MIXED, 3), NR / 2);
	if (!self->devices) {
		madvise(p, NR / 2 * page_size, MADV_PAGEOUT);
		EXPECT_EQ(count_swapped(p, NR / 2), 0);
	}
	ASSERT_EQ(write_file(ZSWAP_PARAM "enabled", "1"), 0);
	EXPECT_EQ(swap_out(p, NR), NR);
	EXPECT_EQ(check_region(p, NR, PATTERN_MIXED, 3), NR);
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* The compressor can be changed while zswap holds pages. */
VSWAP_TEST(vswap_knobs, zswap_compressor)
{
	static const char * const names[] = { "lzo", "zstd", "deflate", "lz4" };
	static const char * const options[] = {
		"CRYPTO_LZO", "CRYPTO_ZSTD", "CRYPTO_DEFLATE", "CRYPTO_LZ4",
	};
	char *p = map_region(NR, false), now[64];

	for (int i = 0; i < 4; i++) {
		fill_region(p, NR, PATTERN_MIXED, i);
		ASSERT_EQ(swap_out(p, NR), NR);
		if (write_file(ZSWAP_PARAM "compressor", names[i])) {
			TH_LOG("no compressor %s", names[i]);
			EXPECT_FALSE(kernel_has(options[i]));
		} else {
			read_knob(ZSWAP_PARAM "compressor", now, sizeof(now));
			EXPECT_STREQ(now, names[i]);
		}
		EXPECT_EQ(check_region(p, NR / 2, PATTERN_MIXED, i), NR / 2);
		/* The rest stays in the pool of the compressor before */
		EXPECT_EQ(count_swapped(p + NR / 2 * page_size, NR / 2), NR / 2);
		EXPECT_EQ(check_region(p, NR, PATTERN_MIXED, i), NR);
	}
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* The virtual device is no capacity and no device. */
VSWAP_TEST(vswap_knobs, not_a_device)
{
	long total = read_key("/proc/meminfo", "SwapTotal");
	long free = read_key("/proc/meminfo", "SwapFree");
	char before[4096], after[4096];
	char *p = map_region(NR, false);

	read_file("/proc/swaps", before, sizeof(before));
	fill_region(p, NR, PATTERN_MIXED, 4);
	ASSERT_EQ(swap_out(p, NR), NR);
	EXPECT_GE(vswap_stat("slots_used"), self->slots + NR);
	read_file("/proc/swaps", after, sizeof(after));
	EXPECT_STREQ(before, after);
	EXPECT_EQ(read_key("/proc/meminfo", "SwapTotal"), total);
	if (!self->devices)
		EXPECT_EQ(read_key("/proc/meminfo", "SwapFree"), free);
	EXPECT_EQ(swapoff("vswap"), -1);
	EXPECT_EQ(swapoff(""), -1);
	EXPECT_EQ(check_region(p, NR, PATTERN_MIXED, 4), NR);
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

TEST_HARNESS_MAIN
