// SPDX-License-Identifier: GPL-2.0
/* Virtual slots on a device that fails. */
#include "../kselftest_harness.h"
#include "dm.h"
#include "sigbus.h"

#define NR	512

FIXTURE(vswap_error) {
	char cgroup[128];
	long slots;
	struct disk below, disk, other;
};

FIXTURE_SETUP(vswap_error)
{
	const char *missing = vswap_missing();

	self->disk.fd = -1;
	self->other.fd = -1;
	self->below.fd = -1;
	if (!missing)
		missing = disk_setup(&self->below, 0, 4 * NR);
	if (!missing)
		missing = disk_setup(&self->other, 1, 4 * NR);
	if (!missing)
		missing = dm_setup(&self->disk, &self->below);
	if (missing)
		SKIP(return, "%s", missing);
	ASSERT_EQ(cgroup_enter(self->cgroup, sizeof(self->cgroup),
			       "vswap_error"), 0);
	ASSERT_EQ(write_file(VSWAP_MODE, "auto"), 0);
	self->slots = vswap_stat("slots_used");
	ASSERT_EQ(disk_on(&self->disk, 10), 0);
}

FIXTURE_TEARDOWN(vswap_error)
{
	dm_table(&self->below, NULL);
	swapoff(self->disk.path);
	dm_remove(&self->disk);
	disk_remove(&self->other);
	disk_remove(&self->below);
	cgroup_leave(self->cgroup);
}

/* What can't be written stays, and is written when that is possible again. */
VSWAP_TEST(vswap_error, write)
{
	char *p = map_region(NR, false);
	long errors = vswap_stat("write_error");

	ASSERT_EQ(dm_table(&self->below, "error_writes"), 0);
	fill_region(p, NR, PATTERN_RANDOM, 1);
	try_swap_out(p, NR);
	/* They are in the swap cache */
	EXPECT_EQ(check_region(p, NR, PATTERN_RANDOM, 1), NR);
	EXPECT_GT(vswap_stat("write_error"), errors);

	ASSERT_EQ(dm_table(&self->below, NULL), 0);
	ASSERT_EQ(swap_out(p, NR), NR);
	errors = vswap_stat("write_error");
	EXPECT_EQ(check_region(p, NR, PATTERN_RANDOM, 1), NR);
	ASSERT_EQ(swap_out(p, NR), NR);
	EXPECT_EQ(vswap_stat("write_error"), errors);
	EXPECT_EQ(check_region(p, NR, PATTERN_RANDOM, 1), NR);
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
	EXPECT_EQ(vswap_stat("lost"), 0);
}

/* A failing device can be switched off while another takes what it could not. */
VSWAP_TEST(vswap_error, write_elsewhere)
{
	char *p = map_region(NR, false);

	ASSERT_EQ(dm_table(&self->below, "error_writes"), 0);
	fill_region(p, NR, PATTERN_RANDOM, 2);
	try_swap_out(p, NR);
	ASSERT_EQ(disk_on(&self->other, 20), 0);
	for (int i = 0; i < 100 && disk_used(&self->other) < NR / 2; i++) {
		EXPECT_EQ(check_region(p, NR, PATTERN_RANDOM, 2), NR);
		swap_out(p, NR);
	}
	EXPECT_GE(disk_used(&self->other), NR / 2);
	EXPECT_EQ(disk_off(&self->disk), 0);
	EXPECT_EQ(check_region(p, NR, PATTERN_RANDOM, 2), NR);
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
	EXPECT_EQ(vswap_stat("lost"), 0);
}

/* What can't be read is SIGBUS for that page, and is there again later. */
VSWAP_TEST(vswap_error, read)
{
	char *p = map_region(2 * NR, false), *q = p + NR * page_size;
	long errors = vswap_stat("read_error");

	fill_region(p, NR, PATTERN_RANDOM, 3);
	fill_region(q, NR, PATTERN_QUARTER, 3);
	ASSERT_EQ(swap_out(p, 2 * NR), 2 * NR);
	drop_swap_cache(self->cgroup, NR);
	ASSERT_EQ(dm_table(&self->below, "error_reads"), 0);
	EXPECT_EQ(touch(p + NR / 2 * page_size), SIGBUS);
	EXPECT_GT(vswap_stat("read_error"), errors);
	EXPECT_EQ(check_region(q, NR, PATTERN_QUARTER, 3), NR);
	ASSERT_EQ(dm_table(&self->below, NULL), 0);

	/* Once reclaim has dropped what was not read, it can be read */
	for (int n = 0; n < 100 && count_failed(p, NR, PATTERN_RANDOM, 3) > 0; n++)
		drop_swap_cache(self->cgroup, NR);
	EXPECT_EQ(check_region(p, NR, PATTERN_RANDOM, 3), NR);
	munmap(p, 2 * NR * page_size);
	EXPECT_LE(wait_slots(self->slots + OWN_PAGES), self->slots + OWN_PAGES);
	EXPECT_EQ(vswap_stat("lost"), 0);
}

/* Of large folios in different places, only the pages that can't be read fail. */
VSWAP_TEST(vswap_error, read_mixed)
{
	char *p = map_region(4 * NR, false);
	long device, failed;

	if (write_file(THP "hugepages-64kB/enabled", "always"))
		SKIP(return, "no large folios of 64 kB");
	madvise(p, 4 * NR * page_size, MADV_HUGEPAGE);
	fill_region(p, 4 * NR, PATTERN_QUARTER, 5);
	ASSERT_EQ(swap_out(p, 4 * NR), 4 * NR);

	/* Let zswap write a part of them back to the disk */
	zswap_write_back(self->cgroup, NR);
	drop_swap_cache(self->cgroup, NR);
	device = vswap_stat("slots_device");
	EXPECT_GE(device, NR / 2);

	ASSERT_EQ(dm_table(&self->below, "error_reads"), 0);
	failed = count_failed(p, 4 * NR, PATTERN_QUARTER, 5);
	EXPECT_GT(failed, 0);
	EXPECT_LE(failed, device);
	ASSERT_EQ(dm_table(&self->below, NULL), 0);
	/* Folios that could not be read fail until reclaim has dropped them */
	for (int n = 0; n < 100 && failed > 0; n++) {
		drop_swap_cache(self->cgroup, NR);
		failed = count_failed(p, 4 * NR, PATTERN_QUARTER, 5);
	}
	EXPECT_EQ(failed, 0);
	munmap(p, 4 * NR * page_size);
	write_file(THP "hugepages-64kB/enabled", "never");
	EXPECT_LE(wait_slots(self->slots + OWN_PAGES), self->slots + OWN_PAGES);
	EXPECT_EQ(vswap_stat("lost"), 0);
}

#define FAIL_REQUEST	"/sys/kernel/debug/fail_make_request/"

/* Let so many in a hundred requests to a device fail; with "0", none ever again. */
static int fail_requests(struct disk *disk, const char *percent)
{
	/* Even with a probability of 0, fail-nth of a task counts the requests */
	const char *may_fail = strcmp(percent, "0") ? "1" : "0";
	char path[128];

	snprintf(path, sizeof(path), "/sys/block/%s/make-it-fail",
		 strrchr(disk->path, '/') + 1);
	write_file(FAIL_REQUEST "verbose", "0");
	write_file(FAIL_REQUEST "times", "-1");
	return write_file(FAIL_REQUEST "probability", percent) ? :
	       write_file(path, may_fail);
}

/* Out and in again and again: a page may not be to be read, but never is wrong. */
static int load(int seed)
{
	char *p = map_region(NR, false);

	for (int n = 0; n < 20; n++) {
		fill_region(p, NR, PATTERN_ANY, seed + n);
		madvise(p, NR * page_size, MADV_PAGEOUT);
		if (count_failed(p, NR, PATTERN_ANY, seed + n) < 0)
			return 1;
		madvise(p, NR * page_size, MADV_DONTNEED);
	}
	return 0;
}

/* Requests that fail now and then, reads and writes, under load. */
VSWAP_TEST(vswap_error, now_and_then)
{
	long errors = vswap_stat("write_error");
	char *p = map_region(NR, false);
	int status;

	if (access(FAIL_REQUEST, F_OK))
		SKIP(return, "no fault injection");
	ASSERT_EQ(fail_requests(&self->below, "10"), 0);
	for (int i = 0; i < 3; i++) {
		if (!fork())
			_exit(load(100 * i));
	}
	for (int i = 0; i < 3; i++) {
		ASSERT_GT(wait(&status), 0);
		EXPECT_EQ(status, 0);
	}
	/* What is out when the device has recovered can be read */
	fill_region(p, NR, PATTERN_RANDOM, 6);
	try_swap_out(p, NR);
	ASSERT_EQ(fail_requests(&self->below, "0"), 0);
	EXPECT_GT(vswap_stat("write_error"), errors);
	EXPECT_EQ(check_region(p, NR, PATTERN_RANDOM, 6), NR);
	munmap(p, NR * page_size);
	EXPECT_EQ(disk_off(&self->disk), 0);
	EXPECT_LE(wait_slots(self->slots), self->slots);
	EXPECT_EQ(vswap_stat("lost"), 0);
}

/* A device that can't be read can be switched off; what was on it is lost. */
VSWAP_TEST(vswap_error, swapoff)
{
	char *p = map_region(2 * NR, false), *q = p + NR * page_size;

	fill_region(p, NR, PATTERN_RANDOM, 4);
	fill_region(q, NR, PATTERN_QUARTER, 4);
	ASSERT_EQ(swap_out(p, 2 * NR), 2 * NR);
	drop_swap_cache(self->cgroup, NR);
	ASSERT_EQ(dm_table(&self->below, "error_reads"), 0);
	EXPECT_EQ(disk_off(&self->disk), 0);
	EXPECT_EQ(vswap_stat("slots_device"), 0);
	EXPECT_EQ(touch(p), SIGBUS);
	EXPECT_EQ(touch(p + (NR - 1) * page_size), SIGBUS);
	EXPECT_EQ(check_region(q, NR, PATTERN_QUARTER, 4), NR);

	/* ... for good, even if it is no longer in the swap cache */
	drop_swap_cache(self->cgroup, NR);
	EXPECT_EQ(touch(p + NR / 2 * page_size), SIGBUS);
	munmap(p, 2 * NR * page_size);
	EXPECT_LE(wait_slots(self->slots + OWN_PAGES), self->slots + OWN_PAGES);
	EXPECT_EQ(vswap_stat("lost"), 0);
}

TEST_HARNESS_MAIN
