// SPDX-License-Identifier: GPL-2.0
/*
 * How much memory may be mapped, in the three modes of vm.overcommit_memory. Without
 * CONFIG_VSWAP zswap adds nothing.
 */
#include "../kselftest_harness.h"
#include "disk.h"
#include "knobs.h"

#define OVERCOMMIT	"/proc/sys/vm/overcommit_memory"
#define RATIO		"/proc/sys/vm/overcommit_ratio"
#define NR_DISK		8192

FIXTURE(vswap_overcommit) {
	long overcommit, ratio, percent;
	long ram;		/* pages */
	bool virtual;
	struct disk disk;
};

static int write_num(const char *path, long num)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld", num);
	return write_file(path, text);
}

FIXTURE_SETUP(vswap_overcommit)
{
	const char *missing;
	int devices;

	page_size = sysconf(_SC_PAGESIZE);
	self->disk.fd = -1;
	self->overcommit = -1;
	if (geteuid())
		SKIP(return, "needs root");
	if (write_file(ZSWAP_PARAM "enabled", "1"))
		SKIP(return, "zswap can't be enabled");
	devices = have_swap_devices();
	ASSERT_GE(devices, 0);
	if (devices)
		SKIP(return, "there is a swap device");
	missing = disk_setup(&self->disk, 0, NR_DISK);
	if (missing)
		SKIP(return, "%s", missing);
	self->virtual = !access(VSWAP_MODE, W_OK);
	if (self->virtual)
		ASSERT_EQ(write_file(VSWAP_MODE, "auto"), 0);
	self->percent = read_num(ZSWAP_PARAM "max_pool_percent");
	self->ratio = read_num(RATIO);
	self->overcommit = read_num(OVERCOMMIT);
	self->ram = read_key("/proc/meminfo", "MemTotal") * 1024 / page_size;
	ASSERT_GT(self->ram, 0);
}

FIXTURE_TEARDOWN(vswap_overcommit)
{
	if (self->overcommit >= 0) {
		write_num(OVERCOMMIT, self->overcommit);
		write_num(RATIO, self->ratio);
		write_num(ZSWAP_PARAM "max_pool_percent", self->percent);
	}
	EXPECT_EQ(vswap_validate_quiet(), 0);
	disk_remove(&self->disk);
	if (self->virtual)
		write_file(VSWAP_MODE, "auto");
	write_file(ZSWAP_PARAM "enabled", "1");
}

/* Is a mapping of so many pages granted? */
static bool granted(long pages)
{
	void *p = mmap(NULL, pages * page_size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return false;
	munmap(p, pages * page_size);
	return true;
}

/* What the heuristic has to grant: memory, devices, zswap's pool three times. */
static long heuristic(long ram, long devices, long percent)
{
	return ram + devices + ram * percent / 100 * 2;
}

static void check_heuristic(struct __test_metadata *_metadata,
			    struct _test_data_vswap_overcommit *self, long devices)
{
	static const long percent[] = { 1, 20, 50, 100 };
	long limit;

	for (int i = 0; i < ARRAY_SIZE(percent); i++) {
		ASSERT_EQ(write_num(ZSWAP_PARAM "max_pool_percent", percent[i]), 0);
		limit = heuristic(self->ram, devices, self->virtual ? percent[i] : 0);
		EXPECT_TRUE(granted(limit));
		EXPECT_FALSE(granted(limit + 1));
		EXPECT_FALSE(granted(3 * self->ram + devices + 1));
		EXPECT_FALSE(granted(100 * self->ram));
	}

	/* Without zswap */
	limit = heuristic(self->ram, devices, 0);
	ASSERT_EQ(write_file(ZSWAP_PARAM "enabled", "0"), 0);
	EXPECT_TRUE(granted(limit));
	EXPECT_FALSE(granted(limit + 1));
	ASSERT_EQ(write_file(ZSWAP_PARAM "enabled", "1"), 0);
	if (!self->virtual)
		return;
	ASSERT_EQ(write_file(VSWAP_MODE, "never"), 0);
	EXPECT_TRUE(granted(limit));
	EXPECT_FALSE(granted(limit + 1));
	ASSERT_EQ(write_file(VSWAP_MODE, "auto"), 0);
}

TEST_F(vswap_overcommit, heuristic)
{
	ASSERT_EQ(write_num(OVERCOMMIT, 0), 0);
	check_heuristic(_metadata, self, 0);
	ASSERT_EQ(disk_on(&self->disk, 10), 0);
	check_heuristic(_metadata, self, NR_DISK);
	ASSERT_EQ(disk_off(&self->disk), 0);
}

TEST_F(vswap_overcommit, always)
{
	ASSERT_EQ(write_num(OVERCOMMIT, 1), 0);
	EXPECT_TRUE(granted(3 * self->ram));
	EXPECT_TRUE(granted(100 * self->ram));
}

/* Only what is sure to be there counts: zswap may not be able to compress. */
static void check_never(struct __test_metadata *_metadata,
			struct _test_data_vswap_overcommit *self, long devices)
{
	long limit = self->ram * 50 / 100 + devices, shown, used, slack = 256;

	shown = read_key("/proc/meminfo", "CommitLimit") * 1024 / page_size;
	EXPECT_LE(labs(shown - limit), 1);
	used = read_key("/proc/meminfo", "Committed_AS") * 1024 / page_size;
	ASSERT_LT(used + slack, limit);
	EXPECT_FALSE(granted(limit - used + slack));
	EXPECT_FALSE(granted(limit));
	EXPECT_TRUE(granted((limit - used) / 2));
}

TEST_F(vswap_overcommit, never)
{
	ASSERT_EQ(write_num(RATIO, 50), 0);
	ASSERT_EQ(write_num(ZSWAP_PARAM "max_pool_percent", 100), 0);
	ASSERT_EQ(write_num(OVERCOMMIT, 2), 0);
	check_never(_metadata, self, 0);
	ASSERT_EQ(disk_on(&self->disk, 10), 0);
	check_never(_metadata, self, NR_DISK);
	ASSERT_EQ(disk_off(&self->disk), 0);
}

TEST_HARNESS_MAIN
