// SPDX-License-Identifier: GPL-2.0
/* Virtual slots on a device that fails. */
#include "../kselftest_harness.h"
#include "dm.h"
#include "fault.h"
#include "place.h"

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
	EXPECT_EQ(vswap_validate(), 0);
	dm_table(&self->below, NULL);
	swapoff(self->disk.path);
	dm_remove(&self->disk);
	disk_remove(&self->other);
	disk_remove(&self->below);
	past_zswap(false);
	cgroup_leave(self->cgroup);
}

/* What can't be written stays, and is written when that is possible again. */
VSWAP_TEST(vswap_error, write)
{
	char *p = map_region(NR, false);
	long errors = vswap_stat("write_error");

	ASSERT_EQ(dm_table(&self->below, "error_writes"), 0);
	past_zswap(true);
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
	past_zswap(true);
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
	ASSERT_EQ(swap_out_past_zswap(p, NR), NR);
	ASSERT_EQ(swap_out(q, NR), NR);
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
		past_zswap(n % 4);
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
	past_zswap(true);
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
	ASSERT_EQ(swap_out_past_zswap(p, NR), NR);
	ASSERT_EQ(swap_out(q, NR), NR);
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

/* The first page in zswap, the others on a disk; zeroes in between. */
#define ZSWAP_FIRST	"zddddddd0ddddddd"
#define NR_GROUPS	8

/* How many pages of a group can't be read, -1 if one is wrong. */
static int read_group(const char *p, const char *where, unsigned long seed)
{
	int failed = 0;

	for (int i = 0; i < GROUP; i++) {
		int ret = read_page(p, where, seed, i);

		if (ret < 0)
			return ret;
		failed += ret == SIGBUS;
	}
	return failed;
}

static char *read_large(char *p, size_t nr)
{
	write_file(THP "hugepages-64kB/enabled", "always");
	if (p)
		madvise(p, nr * page_size, MADV_HUGEPAGE);
	return p;
}

/*
 * Pages in zswap whose neighbours on a disk can't be read: who reads one is not
 * concerned. When the disk can be read again, so can everything that is on it.
 */
VSWAP_TEST(vswap_error, read_zswap_first)
{
	char *p;

	ASSERT_EQ(write_file(VSWAP_MODE, "always"), 0);
	p = read_large(place_region(NR_GROUPS, ZSWAP_FIRST, 20), NR_GROUPS * GROUP);
	ASSERT_NE(p, NULL);
	drop_swap_cache(self->cgroup, NR_GROUPS * GROUP);
	ASSERT_EQ(dm_table(&self->below, "error_reads"), 0);
	for (int i = 0; i < NR_GROUPS; i++)
		EXPECT_EQ(read_page(p + i * GROUP * page_size, ZSWAP_FIRST, 20 + i, 0), 0);
	for (int i = 0; i < NR_GROUPS; i++)
		EXPECT_EQ(read_group(p + i * GROUP * page_size, ZSWAP_FIRST, 20 + i), 14);
	ASSERT_EQ(dm_table(&self->below, NULL), 0);
	for (int i = 0; i < NR_GROUPS; i++)
		EXPECT_EQ(read_group(p + i * GROUP * page_size, ZSWAP_FIRST, 20 + i), 0);
	write_file(THP "hugepages-64kB/enabled", "never");
	munmap(p, NR_GROUPS * GROUP * page_size);
	EXPECT_LE(wait_slots(self->slots + OWN_PAGES), self->slots + OWN_PAGES);
	EXPECT_EQ(vswap_stat("lost"), 0);
}

/* The same with a device that is as fast as memory, which large folios are read from. */
VSWAP_TEST(vswap_error, read_zswap_first_fast)
{
	struct disk ram = {};
	char *p;

	if (access(FAIL_REQUEST, F_OK))
		SKIP(return, "no fault injection");
	ASSERT_EQ(ram_setup(&ram, 2, 4 * NR), NULL);
	ASSERT_EQ(disk_on(&ram, 20), 0);
	ASSERT_EQ(write_file(VSWAP_MODE, "always"), 0);
	p = read_large(place_region(NR_GROUPS, ZSWAP_FIRST, 30), NR_GROUPS * GROUP);
	ASSERT_NE(p, NULL);
	drop_swap_cache(self->cgroup, NR_GROUPS * GROUP);
	ASSERT_EQ(fail_requests(&ram, "100"), 0);
	for (int i = 0; i < NR_GROUPS; i++)
		EXPECT_EQ(read_group(p + i * GROUP * page_size, ZSWAP_FIRST, 30 + i), 14);
	ASSERT_EQ(fail_requests(&ram, "0"), 0);
	for (int i = 0; i < NR_GROUPS; i++)
		EXPECT_EQ(read_group(p + i * GROUP * page_size, ZSWAP_FIRST, 30 + i), 0);
	write_file(THP "hugepages-64kB/enabled", "never");
	munmap(p, NR_GROUPS * GROUP * page_size);
	EXPECT_EQ(disk_off(&ram), 0);
	disk_remove(&ram);
	EXPECT_LE(wait_slots(self->slots + OWN_PAGES), self->slots + OWN_PAGES);
	EXPECT_EQ(vswap_stat("lost"), 0);
}

/* A page in zswap is read without a look at the disk that its neighbours are on. */
VSWAP_TEST(vswap_error, no_read_for_neighbours)
{
	long reads;
	char *p;

	ASSERT_EQ(write_file(VSWAP_MODE, "always"), 0);
	p = read_large(place_region(NR_GROUPS, ZSWAP_FIRST, 40), NR_GROUPS * GROUP);
	ASSERT_NE(p, NULL);
	drop_swap_cache(self->cgroup, NR_GROUPS * GROUP);
	reads = disk_stat(&self->disk, DISK_STAT_READS);
	ASSERT_GE(reads, 0);
	for (int i = 0; i < NR_GROUPS; i++) {
		EXPECT_EQ(read_page(p + i * GROUP * page_size, ZSWAP_FIRST, 40 + i, 0), 0);
		EXPECT_EQ(read_page(p + i * GROUP * page_size, ZSWAP_FIRST, 40 + i, 8), 0);
	}
	EXPECT_EQ(disk_stat(&self->disk, DISK_STAT_READS), reads);
	for (int i = 0; i < NR_GROUPS; i++)
		EXPECT_EQ(read_group(p + i * GROUP * page_size, ZSWAP_FIRST, 40 + i), 0);
	EXPECT_GT(disk_stat(&self->disk, DISK_STAT_READS), reads);
	write_file(THP "hugepages-64kB/enabled", "never");
	munmap(p, NR_GROUPS * GROUP * page_size);
}

FIXTURE(vswap_block) {
	char cgroup[128];
	long slots;
	struct disk disk;
	char *p;
};

FIXTURE_VARIANT(vswap_block) {
	const char *feature;
};

/* A block that is bad for good, and one that fails one time only */
FIXTURE_VARIANT_ADD(vswap_block, lasting) { .feature = "memory_backed" };
FIXTURE_VARIANT_ADD(vswap_block, passing) { .feature = "badblocks_once" };

#define BAD_PAGE	100

/* The block of one page in the middle of others on the disk is bad. */
FIXTURE_SETUP(vswap_block)
{
	const char *missing = vswap_missing();
	long block;

	self->disk.fd = -1;
	if (!missing)
		missing = null_setup(&self->disk, 4 * NR, variant->feature);
	if (missing)
		SKIP(return, "%s", missing);
	ASSERT_EQ(cgroup_enter(self->cgroup, sizeof(self->cgroup), "vswap_block"), 0);
	past_zswap(true);
	self->slots = vswap_stat("slots_used");
	ASSERT_EQ(disk_on(&self->disk, 10), 0);

	self->p = map_region(NR, false);
	fill_region(self->p, NR, PATTERN_RANDOM, 50);
	ASSERT_EQ(swap_out(self->p, NR), NR);
	drop_swap_cache(self->cgroup, NR);
	block = disk_find(&self->disk, PATTERN_RANDOM, 50, BAD_PAGE);
	ASSERT_GT(block, 0);
	ASSERT_EQ(null_bad(block, 1, true), 0);
}

FIXTURE_TEARDOWN(vswap_block)
{
	munmap(self->p, NR * page_size);
	disk_remove(&self->disk);
	null_remove();
	past_zswap(false);
	cgroup_leave(self->cgroup);
}

/* The pages that can't be read: none, or the one; -1 if there are others. */
static long bad_pages(const char *p)
{
	long all = count_failed(p, NR, PATTERN_RANDOM, 50);

	if (all <= 0)
		return all;
	return touch(p + BAD_PAGE * page_size) == SIGBUS ? all : -1;
}

/* A bad block is one page that can't be read, whatever is read together with it. */
VSWAP_TEST(vswap_block, fault)
{
	const bool lasting = !strcmp(variant->feature, "memory_backed");

	EXPECT_EQ(bad_pages(self->p), lasting);
	/* It can be read as soon as the block can */
	ASSERT_EQ(null_bad(1, 4 * NR, false), 0);
	EXPECT_EQ(bad_pages(self->p), 0);
	munmap(self->p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots + OWN_PAGES), self->slots + OWN_PAGES);
	EXPECT_EQ(vswap_stat("lost"), 0);
}

/* ... and one page that is lost when the disk is switched off. */
VSWAP_TEST(vswap_block, swapoff)
{
	const bool lasting = !strcmp(variant->feature, "memory_backed");

	EXPECT_EQ(disk_off(&self->disk), 0);
	EXPECT_EQ(vswap_stat("slots_device"), 0);
	EXPECT_EQ(bad_pages(self->p), lasting);
	munmap(self->p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots + OWN_PAGES), self->slots + OWN_PAGES);
	EXPECT_EQ(vswap_stat("lost"), 0);
}

/* What could not be read a while ago is read again before it is given up. */
VSWAP_TEST(vswap_block, swapoff_later)
{
	/* Read with its neighbours, and left in the swap cache */
	ASSERT_EQ(madvise(self->p, NR * page_size, MADV_WILLNEED), 0);
	usleep(100000);
	ASSERT_EQ(null_bad(1, 4 * NR, false), 0);
	EXPECT_EQ(disk_off(&self->disk), 0);
	EXPECT_EQ(bad_pages(self->p), 0);
	munmap(self->p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots + OWN_PAGES), self->slots + OWN_PAGES);
	EXPECT_EQ(vswap_stat("lost"), 0);
}

FIXTURE(vswap_decompress) {
	char cgroup[128];
	long slots;
};

FIXTURE_VARIANT(vswap_decompress) {
	bool shared;
};

FIXTURE_VARIANT_ADD(vswap_decompress, anon) { };
FIXTURE_VARIANT_ADD(vswap_decompress, shmem) { .shared = true };

FIXTURE_SETUP(vswap_decompress)
{
	const char *missing = vswap_missing();

	if (!missing && access(FAIL_DECOMPRESS, F_OK))
		missing = "no fault injection";
	if (missing)
		SKIP(return, "%s", missing);
	ASSERT_EQ(cgroup_enter(self->cgroup, sizeof(self->cgroup),
			       "vswap_decompress"), 0);
	ASSERT_EQ(write_file(VSWAP_MODE, "auto"), 0);
	ASSERT_EQ(write_file(THP "hugepages-64kB/enabled", "always"), 0);
	ASSERT_EQ(write_file(THP "hugepages-64kB/shmem_enabled", "always"), 0);
	self->slots = vswap_stat("slots_used");
}

FIXTURE_TEARDOWN(vswap_decompress)
{
	fail_decompress_no_more();
	write_file(THP "hugepages-64kB/enabled", "never");
	write_file(THP "hugepages-64kB/shmem_enabled", "never");
	cgroup_leave(self->cgroup);
}

/* A large folio in zswap. */
static char *large_in_zswap(bool shared)
{
	char *p = map_region(GROUP, false);
	int flags = MAP_FIXED | MAP_ANONYMOUS | (shared ? MAP_SHARED : MAP_PRIVATE);

	p = mmap(p, GROUP * page_size, PROT_READ | PROT_WRITE, flags, -1, 0);
	madvise(p, GROUP * page_size, MADV_HUGEPAGE);
	fill_region(p, GROUP, PATTERN_QUARTER, 60);
	for (int i = 0; i < 100 && vswap_stat("slots_zswap") < GROUP; i++) {
		madvise(p, GROUP * page_size, MADV_PAGEOUT);
		usleep(10000);
	}
	return p;
}

/* A page that can't be decompressed with others is tried again by itself. */
VSWAP_TEST(vswap_decompress, passing)
{
	long fails = read_num(ZSWAP_DEBUG "decompress_fail");
	char *p = large_in_zswap(variant->shared);

	ASSERT_GE(vswap_stat("slots_zswap"), GROUP);
	fail_decompress(false, "1");
	EXPECT_EQ(touch(p + 5 * page_size), 0);
	EXPECT_EQ(read_num(ZSWAP_DEBUG "decompress_fail"), fails + 1);
	EXPECT_EQ(check_region(p, GROUP, PATTERN_QUARTER, 60), GROUP);
	munmap(p, GROUP * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* If that fails, too, it is lost alone. */
VSWAP_TEST(vswap_decompress, lasting)
{
	char *p = large_in_zswap(variant->shared);

	ASSERT_GE(vswap_stat("slots_zswap"), GROUP);
	fail_decompress(false, "-1");
	EXPECT_EQ(touch(p), SIGBUS);
	fail_decompress_no_more();
	/* What a shared mapping could not read is gone, else it is kept */
	EXPECT_EQ(touch(p), variant->shared ? SIGBUS : 0);
	EXPECT_EQ(count_failed(p, GROUP, PATTERN_QUARTER, 60), variant->shared);
	munmap(p, GROUP * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

TEST_HARNESS_MAIN
