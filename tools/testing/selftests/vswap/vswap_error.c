// SPDX-License-Identifier: GPL-2.0
/* Virtual slots on a device that fails. */
#include "../kselftest_harness.h"
#include "dm.h"
#include "fault.h"
#include "knobs.h"
#include "place.h"

#define NR	512

FIXTURE(vswap_error) {
	char cgroup[128];
	long slots;
	struct disk below, disk, other, ram;
};

FIXTURE_SETUP(vswap_error)
{
	const char *missing = vswap_missing();

	self->disk.fd = -1;
	self->other.fd = -1;
	self->below.fd = -1;
	self->ram.fd = -1;
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
	/* Its own stack and data are not to be among what is swapped out, and counted */
	ASSERT_EQ(mlockall(MCL_CURRENT), 0);
	self->slots = vswap_stat("slots_used");
	ASSERT_EQ(disk_on(&self->disk, 10), 0);
}

FIXTURE_TEARDOWN(vswap_error)
{
	EXPECT_EQ(vswap_validate_quiet(), 0);
	fail_requests(&self->below, "0", "-1");
	if (self->ram.fd >= 0)
		fail_requests(&self->ram, "0", "-1");
	EXPECT_EQ(dm_table(&self->below, NULL), 0);
	EXPECT_EQ(dm_remove(&self->disk), 0);
	EXPECT_EQ(disk_remove(&self->other), 0);
	EXPECT_EQ(disk_remove(&self->ram), 0);
	EXPECT_EQ(disk_remove(&self->below), 0);
	write_file(FOLIO_64K "enabled", "never");
	past_zswap(false);
	cgroup_write(self->cgroup, "memory.swap.max", "max");
	cgroup_leave(self->cgroup);
}

/* At the end of a test, of which @slots were in use before it. */
static void nothing_left(struct __test_metadata *_metadata, long slots)
{
	EXPECT_LE(wait_slots(slots), slots);
	EXPECT_EQ(vswap_stat("slots_poison"), 0);
	EXPECT_EQ(vswap_stat("lost"), 0);
}

/* What can't be written stays, and is written when that is possible again. */
VSWAP_TEST(vswap_error, write)
{
	char *p = map_region(NR, false);
	long errors = vswap_stat("write_error");
	long reads;

	ASSERT_EQ(dm_table(&self->below, "error_writes"), 0);
	past_zswap(true);
	fill_region(p, NR, PATTERN_RANDOM, 1);
	try_swap_out(p, NR);
	/* They are in the swap cache */
	EXPECT_EQ(check_region(p, NR, PATTERN_RANDOM, 1), NR);
	EXPECT_GT(vswap_stat("write_error"), errors);

	ASSERT_EQ(dm_table(&self->below, NULL), 0);
	ASSERT_EQ(swap_out(p, NR), NR);
	EXPECT_EQ(vswap_stat("slots_phys"), NR);
	drop_swap_cache(self->cgroup, NR);
	errors = vswap_stat("write_error");
	reads = vm_events("pswpin");
	EXPECT_EQ(check_region(p, NR, PATTERN_RANDOM, 1), NR);
	EXPECT_GT(vm_events("pswpin"), reads);
	ASSERT_EQ(swap_out(p, NR), NR);
	EXPECT_EQ(vswap_stat("slots_phys"), NR);
	EXPECT_EQ(vswap_stat("write_error"), errors);
	EXPECT_EQ(check_region(p, NR, PATTERN_RANDOM, 1), NR);
	munmap(p, NR * page_size);
	nothing_left(_metadata, self->slots);
}

/*
 * What there are no slots for stays, and is no error. Each page is tried once: from then
 * on it is in the swap cache, where nobody but reclaim looks for it.
 */
VSWAP_TEST(vswap_error, no_slots)
{
	const long taken = vswap_stat("phys_alloc"), fail = vswap_stat("phys_alloc_fail");
	const long declined = vswap_stat("rejected"), errors = vswap_stat("write_error");
	const long cached = vswap_stat("slots_cached");
	char *p = map_region(NR, false), max[32];

	snprintf(max, sizeof(max), "%zu", NR / 4 * page_size);
	ASSERT_EQ(cgroup_write(self->cgroup, "memory.swap.max", max), 0);
	past_zswap(true);
	fill_region(p, NR, PATTERN_RANDOM, 7);
	EXPECT_EQ(swap_out(p, NR), NR);
	EXPECT_EQ(vswap_stat("phys_alloc"), taken + NR / 4);
	EXPECT_EQ(vswap_stat("phys_alloc_fail"), fail + NR - NR / 4);
	EXPECT_EQ(vswap_stat("rejected"), declined + NR - NR / 4);
	EXPECT_EQ(vswap_stat("slots_phys"), NR / 4);
	EXPECT_EQ(vswap_stat("slots_cached"), cached + NR - NR / 4);
	EXPECT_EQ(vswap_stat("write_error"), errors);
	EXPECT_EQ(check_region(p, NR, PATTERN_RANDOM, 7), NR);

	/* They can go as soon as there are some */
	ASSERT_EQ(cgroup_write(self->cgroup, "memory.swap.max", "max"), 0);
	EXPECT_EQ(swap_out(p, NR), NR);
	EXPECT_EQ(vswap_stat("slots_phys"), NR);
	EXPECT_EQ(vswap_stat("phys_alloc_fail"), fail + NR - NR / 4);
	EXPECT_EQ(check_region(p, NR, PATTERN_RANDOM, 7), NR);
	munmap(p, NR * page_size);
	nothing_left(_metadata, self->slots);
}

/* A failing device can be switched off while another takes what it could not. */
VSWAP_TEST(vswap_error, write_elsewhere)
{
	char *p = map_region(NR, false);
	long errors = vswap_stat("write_error");

	ASSERT_EQ(dm_table(&self->below, "error_writes"), 0);
	past_zswap(true);
	fill_region(p, NR, PATTERN_RANDOM, 2);
	try_swap_out(p, NR);
	EXPECT_GT(vswap_stat("write_error"), errors);
	EXPECT_GE(disk_used(&self->disk), NR / 2);
	ASSERT_EQ(disk_on(&self->other, 20), 0);
	for (int i = 0; i < 100 && disk_used(&self->other) < NR / 2; i++) {
		EXPECT_EQ(check_region(p, NR, PATTERN_RANDOM, 2), NR);
		swap_out(p, NR);
	}
	EXPECT_GE(disk_used(&self->other), NR / 2);
	EXPECT_EQ(disk_off(&self->disk), 0);
	EXPECT_EQ(check_region(p, NR, PATTERN_RANDOM, 2), NR);
	munmap(p, NR * page_size);
	nothing_left(_metadata, self->slots);
}

/* What can't be read is SIGBUS for that page, and is there again later. */
VSWAP_TEST(vswap_error, read)
{
	char *p = map_region(2 * NR, false), *q = p + NR * page_size;
	long errors = vswap_stat("read_error"), stored = vswap_stat("slots_zswap");

	fill_region(p, NR, PATTERN_RANDOM, 3);
	fill_region(q, NR, PATTERN_QUARTER, 3);
	ASSERT_EQ(swap_out_past_zswap(p, NR), NR);
	ASSERT_EQ(swap_out(q, NR), NR);
	ASSERT_EQ(vswap_stat("slots_phys"), NR);
	ASSERT_EQ(vswap_stat("slots_zswap"), stored + NR);
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
	nothing_left(_metadata, self->slots);
}

/* Out and in again and again: a page may not be to be read, but never is wrong. */
static int load(const char *cgroup, int seed)
{
	const int rounds = debug_few(20, 5);
	char bytes[32], *p;

	/* Its own stack and data would be lost with the disk, too */
	if (mlockall(MCL_CURRENT))
		return 2;
	p = map_region(NR, false);
	snprintf(bytes, sizeof(bytes), "%zu", NR * page_size);
	for (int n = 0; n < rounds; n++) {
		past_zswap(n % 4);
		fill_region(p, NR, PATTERN_ANY, seed + n);
		madvise(p, NR * page_size, MADV_PAGEOUT);
		/* Or they would be found in the swap cache, and none be read */
		cgroup_write(cgroup, "memory.reclaim", bytes);
		if (count_failed(p, NR, PATTERN_ANY, seed + n) < 0)
			return 1;
		madvise(p, NR * page_size, MADV_DONTNEED);
	}
	return 0;
}

/* Requests that fail now and then, reads and writes, under load. */
VSWAP_TEST(vswap_error, now_and_then)
{
	long errors = vswap_stat("write_error"), read_errors = vswap_stat("read_error");
	char *p = map_region(NR, false);
	int status;

	if (access(FAIL_REQUEST, F_OK))
		SKIP(return, "no fault injection");
	ASSERT_EQ(fail_requests(&self->below, "10", "-1"), 0);
	for (int i = 0; i < 3; i++) {
		if (!fork())
			_exit(load(self->cgroup, 100 * i));
	}
	for (int i = 0; i < 3; i++) {
		ASSERT_GT(wait(&status), 0);
		EXPECT_EQ(status, 0);
	}
	/* What is out when the device has recovered can be read */
	past_zswap(true);
	fill_region(p, NR, PATTERN_RANDOM, 6);
	try_swap_out(p, NR);
	ASSERT_EQ(fail_requests(&self->below, "0", "-1"), 0);
	EXPECT_GT(vswap_stat("write_error"), errors);
	EXPECT_GT(vswap_stat("read_error"), read_errors);
	TH_LOG("%ld writes and %ld reads have failed", vswap_stat("write_error") - errors,
	       vswap_stat("read_error") - read_errors);
	EXPECT_EQ(check_region(p, NR, PATTERN_RANDOM, 6), NR);
	munmap(p, NR * page_size);
	EXPECT_EQ(disk_off(&self->disk), 0);
	nothing_left(_metadata, self->slots);
}

/* A device that can't be read can be switched off; what was on it is lost. */
VSWAP_TEST(vswap_error, swapoff)
{
	char *p = map_region(2 * NR, false), *q = p + NR * page_size;
	long unused = vswap_stat("evacuated"), stored = vswap_stat("slots_zswap");

	fill_region(p, NR, PATTERN_RANDOM, 4);
	fill_region(q, NR, PATTERN_QUARTER, 4);
	ASSERT_EQ(swap_out_past_zswap(p, NR), NR);
	ASSERT_EQ(swap_out(q, NR), NR);
	ASSERT_EQ(vswap_stat("slots_zswap"), stored + NR);
	drop_swap_cache(self->cgroup, NR);
	ASSERT_EQ(dm_table(&self->below, "error_reads"), 0);
	EXPECT_EQ(disk_off(&self->disk), 0);
	EXPECT_EQ(vswap_stat("slots_phys"), 0);
	EXPECT_EQ(vswap_stat("slots_poison"), NR);
	EXPECT_EQ(vswap_stat("evacuated"), unused + NR);
	EXPECT_EQ(count_failed(p, NR, PATTERN_RANDOM, 4), NR);
	EXPECT_EQ(touch(p), SIGBUS);
	EXPECT_EQ(touch(p + (NR - 1) * page_size), SIGBUS);
	EXPECT_EQ(check_region(q, NR, PATTERN_QUARTER, 4), NR);

	/* ... for good, even if it is no longer in the swap cache */
	drop_swap_cache(self->cgroup, NR);
	EXPECT_EQ(touch(p + NR / 2 * page_size), SIGBUS);
	munmap(p, 2 * NR * page_size);
	nothing_left(_metadata, self->slots);
}

/* The first page in zswap, the others on a disk; zeroes in between. */
#define ZSWAP_FIRST	"zddddddd0ddddddd"
#define NR_GROUPS	8

static char *read_large(char *p, size_t nr)
{
	write_file(FOLIO_64K "enabled", "always");
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
	munmap(p, NR_GROUPS * GROUP * page_size);
	nothing_left(_metadata, self->slots);
}

/* The same with a device that is as fast as memory, which large folios are read from. */
VSWAP_TEST(vswap_error, read_zswap_first_fast)
{
	long large;
	char *p;

	if (access(FAIL_REQUEST, F_OK))
		SKIP(return, "no fault injection");
	ASSERT_EQ(ram_setup(&self->ram, 2, 4 * NR), NULL);
	ASSERT_EQ(disk_on(&self->ram, 20), 0);
	ASSERT_EQ(write_file(VSWAP_MODE, "always"), 0);
	p = read_large(place_region(NR_GROUPS, ZSWAP_FIRST, 30), NR_GROUPS * GROUP);
	ASSERT_NE(p, NULL);
	drop_swap_cache(self->cgroup, NR_GROUPS * GROUP);
	large = read_num(FOLIO_64K "stats/swpin");
	EXPECT_EQ(read_group(p, ZSWAP_FIRST, 30), 0);
	EXPECT_EQ(read_num(FOLIO_64K "stats/swpin"), large + 1);
	ASSERT_EQ(fail_requests(&self->ram, "100", "-1"), 0);
	for (int i = 1; i < NR_GROUPS; i++)
		EXPECT_EQ(read_group(p + i * GROUP * page_size, ZSWAP_FIRST, 30 + i), 14);
	ASSERT_EQ(fail_requests(&self->ram, "0", "-1"), 0);
	for (int i = 0; i < NR_GROUPS; i++)
		EXPECT_EQ(read_group(p + i * GROUP * page_size, ZSWAP_FIRST, 30 + i), 0);
	munmap(p, NR_GROUPS * GROUP * page_size);
	nothing_left(_metadata, self->slots);
}

/*
 * One page that can't be read, in a large folio with pages in other places: it is
 * read again by itself, and so are those that were read by one request with it.
 */
VSWAP_TEST(vswap_error, read_mixed)
{
	static const char where[] = "z0dddddddddd0z0z";
	const int nr = 10;

	if (access(FAIL_REQUEST, F_OK))
		SKIP(return, "no fault injection");
	if (access(FOLIO_64K, F_OK))
		SKIP(return, "no large folios of 64 kB");
	ASSERT_EQ(ram_setup(&self->ram, 2, 4 * NR), NULL);
	ASSERT_EQ(disk_on(&self->ram, 20), 0);
	ASSERT_EQ(write_file(VSWAP_MODE, "always"), 0);
	for (int bad = 0; bad < GROUP; bad++) {
		const bool lost = where[bad] == 'd';
		long errors, requests;
		char *p = read_large(place_region(1, where, 60 + bad), GROUP);

		ASSERT_NE(p, NULL);
		drop_swap_cache(self->cgroup, GROUP);
		errors = vswap_stat("read_error");
		requests = vm_events("nrswpin");
		/* The request for all of them, and that for the page alone */
		ASSERT_EQ(fail_requests(&self->ram, "100", lost ? "2" : "1"), 0);
		EXPECT_EQ(read_page(p, where, 60 + bad, bad), lost ? SIGBUS : 0);
		EXPECT_EQ(vswap_stat("read_error"), errors + 1 + lost);
		EXPECT_EQ(vm_events("nrswpin"), requests + 1 + lost);
		EXPECT_EQ(read_group(p, where, 60 + bad), 0);
		EXPECT_EQ(vswap_stat("read_error"), errors + 1 + lost);
		EXPECT_EQ(vm_events("nrswpin"), requests + 1 + lost + nr);
		ASSERT_EQ(fail_requests(&self->ram, "0", "-1"), 0);
		munmap(p, GROUP * page_size);
	}
	nothing_left(_metadata, self->slots);
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
	munmap(p, NR_GROUPS * GROUP * page_size);
	nothing_left(_metadata, self->slots);
}

FIXTURE(vswap_block) {
	char cgroup[128];
	long slots, errors;
	struct disk disk;
};

FIXTURE_VARIANT(vswap_block) {
	const char *feature;
};

/* A block that is bad for good, and one that fails one time only */
FIXTURE_VARIANT_ADD(vswap_block, lasting) { .feature = "memory_backed" };
FIXTURE_VARIANT_ADD(vswap_block, passing) { .feature = "badblocks_once" };

#define BAD_PAGE	100

FIXTURE_SETUP(vswap_block)
{
	const char *missing = vswap_missing();

	self->disk.fd = -1;
	if (!missing)
		missing = null_setup(&self->disk, 4 * NR, variant->feature);
	if (missing)
		SKIP(return, "%s", missing);
	ASSERT_EQ(cgroup_enter(self->cgroup, sizeof(self->cgroup), "vswap_block"), 0);
	/* As for vswap_error */
	ASSERT_EQ(mlockall(MCL_CURRENT), 0);
	self->slots = vswap_stat("slots_used");
	self->errors = vswap_stat("read_error");
	ASSERT_EQ(disk_on(&self->disk, 10), 0);
}

FIXTURE_TEARDOWN(vswap_block)
{
	EXPECT_EQ(vswap_validate_quiet(), 0);
	null_bad(1, 4 * NR, false);
	EXPECT_EQ(disk_remove(&self->disk), 0);
	EXPECT_EQ(null_remove(), 0);
	past_zswap(false);
	cgroup_leave(self->cgroup);
}

/* The block of one page in the middle of others on the disk is bad. NULL if not. */
static char *place_bad(struct disk *disk, const char *cgroup)
{
	char *p = map_region(NR, false);
	long block = 0;

	past_zswap(true);
	fill_region(p, NR, PATTERN_RANDOM, 50);
	if (swap_out(p, NR) == NR) {
		drop_swap_cache(cgroup, NR);
		block = disk_find(disk, PATTERN_RANDOM, 50, BAD_PAGE);
	}
	return block > 0 && !null_bad(block, 1, true) ? p : NULL;
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
	char *p = place_bad(&self->disk, self->cgroup);

	ASSERT_NE(p, NULL);
	EXPECT_EQ(bad_pages(p), lasting);
	EXPECT_GT(vswap_stat("read_error"), self->errors);
	/* It can be read as soon as the block can */
	ASSERT_EQ(null_bad(1, 4 * NR, false), 0);
	EXPECT_EQ(bad_pages(p), 0);
	munmap(p, NR * page_size);
	nothing_left(_metadata, self->slots);
}

/* ... and one page that is lost when the disk is switched off. */
VSWAP_TEST(vswap_block, swapoff)
{
	const bool lasting = !strcmp(variant->feature, "memory_backed");
	char *p = place_bad(&self->disk, self->cgroup);

	ASSERT_NE(p, NULL);
	EXPECT_EQ(disk_off(&self->disk), 0);
	EXPECT_GT(vswap_stat("read_error"), self->errors);
	EXPECT_EQ(vswap_stat("slots_phys"), 0);
	EXPECT_EQ(vswap_stat("slots_poison"), lasting);
	EXPECT_EQ(bad_pages(p), lasting);
	munmap(p, NR * page_size);
	nothing_left(_metadata, self->slots);
}

/* What could not be read a while ago is read again before it is given up. */
VSWAP_TEST(vswap_block, swapoff_later)
{
	char *p = place_bad(&self->disk, self->cgroup);

	ASSERT_NE(p, NULL);
	/* Read with its neighbours, and left in the swap cache */
	ASSERT_EQ(madvise(p, NR * page_size, MADV_WILLNEED), 0);
	ASSERT_TRUE(wait_read_error(self->errors));
	ASSERT_EQ(null_bad(1, 4 * NR, false), 0);
	EXPECT_EQ(disk_off(&self->disk), 0);
	EXPECT_EQ(vswap_stat("slots_poison"), 0);
	EXPECT_EQ(bad_pages(p), 0);
	munmap(p, NR * page_size);
	nothing_left(_metadata, self->slots);
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
	ASSERT_EQ(write_file(FOLIO_64K "enabled", "always"), 0);
	ASSERT_EQ(write_file(FOLIO_64K "shmem_enabled", "always"), 0);
	self->slots = vswap_stat("slots_used");
}

FIXTURE_TEARDOWN(vswap_decompress)
{
	EXPECT_EQ(vswap_validate_quiet(), 0);
	fail_decompress_no_more();
	write_file(FOLIO_64K "enabled", "never");
	write_file(FOLIO_64K "shmem_enabled", "never");
	cgroup_leave(self->cgroup);
}

/* A large folio in zswap, NULL if it is not there, or not as a whole. */
static char *large_in_zswap(bool shared)
{
	char *p = map_region(GROUP, false);
	long wanted = vswap_stat("slots_zswap") + GROUP;
	long large = read_num(FOLIO_64K "stats/zswpout");
	int flags = MAP_FIXED | MAP_ANONYMOUS | (shared ? MAP_SHARED : MAP_PRIVATE);

	p = mmap(p, GROUP * page_size, PROT_READ | PROT_WRITE, flags, -1, 0);
	madvise(p, GROUP * page_size, MADV_HUGEPAGE);
	fill_region(p, GROUP, PATTERN_QUARTER, 60);
	for (int i = 0; i < 100 && vswap_stat("slots_zswap") < wanted; i++) {
		madvise(p, GROUP * page_size, MADV_PAGEOUT);
		usleep(10000);
	}
	return vswap_stat("slots_zswap") == wanted &&
	       read_num(FOLIO_64K "stats/zswpout") == large + 1 ? p : NULL;
}

/* A page that can't be decompressed with others is tried again by itself. */
VSWAP_TEST(vswap_decompress, passing)
{
	long fails = read_num(ZSWAP_DEBUG "decompress_fail"), reads;
	char *p = large_in_zswap(variant->shared);

	ASSERT_NE(p, NULL);
	/* They are read together, where none fails */
	reads = vm_events("zswpin");
	EXPECT_EQ(touch(p), 0);
	EXPECT_EQ(vm_events("zswpin"), reads + GROUP);
	munmap(p, GROUP * page_size);

	p = large_in_zswap(variant->shared);
	ASSERT_NE(p, NULL);
	fail_decompress(false, "1");
	EXPECT_EQ(touch(p + 5 * page_size), 0);
	EXPECT_EQ(read_num(ZSWAP_DEBUG "decompress_fail"), fails + 1);
	EXPECT_EQ(check_region(p, GROUP, PATTERN_QUARTER, 60), GROUP);
	munmap(p, GROUP * page_size);
	nothing_left(_metadata, self->slots);
}

/* If that fails, too, it is lost alone. */
VSWAP_TEST(vswap_decompress, lasting)
{
	long fails = read_num(ZSWAP_DEBUG "decompress_fail");
	char *p = large_in_zswap(variant->shared);

	ASSERT_NE(p, NULL);
	fail_decompress(false, "-1");
	EXPECT_EQ(touch(p), SIGBUS);
	/* With the others, and by itself twice */
	EXPECT_EQ(read_num(ZSWAP_DEBUG "decompress_fail"), fails + 3);
	fail_decompress_no_more();
	/* What a shared mapping could not read is gone, else it is kept */
	EXPECT_EQ(touch(p), variant->shared ? SIGBUS : 0);
	EXPECT_EQ(count_failed(p, GROUP, PATTERN_QUARTER, 60), variant->shared);
	munmap(p, GROUP * page_size);
	nothing_left(_metadata, self->slots);
}

TEST_HARNESS_MAIN
