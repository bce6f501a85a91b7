// SPDX-License-Identifier: GPL-2.0
/*
 * Every allocation on the way out and in may fail: the data stays right and
 * nothing leaks. Of those on the way of a huge page, which are thousands, a choice.
 */
#include "../kselftest_harness.h"
#include "fault.h"
#include "knobs.h"

#define NR		64

/* Of the first allocations each fails, or one of three unless asked for all */
#define STEP		debug_few(1, 3)
#define MAX_NTH		1000

/*
 * The next allocation that is to fail after the @nth, 0 if there is none: @few of them,
 * one by one at first, unless asked for all there are.
 */
static int next_nth(int nth, bool injected, int single, int few)
{
	if (!injected)
		return 0;
	if (run_all())
		return nth < MAX_NTH ? nth + 1 : 0;
	nth += nth < single ? STEP : few / 16;
	return nth < few ? nth : 0;
}

FIXTURE(vswap_fault) {
	char cgroup[128];
	long slots;
	struct disk disk;
};

FIXTURE_SETUP(vswap_fault)
{
	const char *missing = vswap_missing();

	self->disk.fd = -1;
	if (missing)
		SKIP(return, "%s", missing);
	ASSERT_EQ(cgroup_enter(self->cgroup, sizeof(self->cgroup), "vswap_fault"), 0);
	ASSERT_EQ(write_file(VSWAP_MODE, "auto"), 0);
	/* Its own stack and data are not to be among what is swapped out, and counted */
	ASSERT_EQ(mlockall(MCL_CURRENT), 0);
	self->slots = vswap_stat("slots_used");
}

FIXTURE_TEARDOWN(vswap_fault)
{
	EXPECT_EQ(vswap_validate_quiet(), 0);
	fail_arm(0);
	fail_slab(false);
	fail_pages_in(NULL);
	cgroup_write(self->cgroup, "memory.zswap.max", "max");
	EXPECT_EQ(disk_remove(&self->disk), 0);
	past_zswap(false);
	write_file(FOLIO_64K "enabled", "never");
	cgroup_leave(self->cgroup);
}

/* Swapping out with the n-th allocation failing, for all n there are. */
VSWAP_TEST(vswap_fault, out)
{
	const char *why = fault_setup();
	char *p = map_region(NR, false);
	bool injected = true;
	int nth;

	if (why)
		SKIP(return, "%s", why);
	for (nth = 1; injected && nth < MAX_NTH; nth++) {
		fill_region(p, NR, PATTERN_MIXED, nth);
		fail_arm(nth);
		madvise(p, NR * page_size, MADV_PAGEOUT);
		injected = fail_done();
		ASSERT_EQ(check_region(p, NR, PATTERN_MIXED, nth), NR);
	}
	TH_LOG("%d allocations failed", nth - 2);
	EXPECT_FALSE(injected);
	EXPECT_GT(nth, NR);
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* That zswap had no memory for them does not mean that pages can't be compressed. */
VSWAP_TEST(vswap_fault, out_without_memory)
{
	const size_t nr = 5 * NR;
	const char *why = fault_setup();
	char *p = map_region(nr, false), *q = map_region(1, false);
	long declined = vswap_stat("rejected"), give_up = vswap_stat("give_up");
	int fd = open("/proc/self/make-it-fail", O_WRONLY);

	if (!why && fd < 0)
		why = "no /proc/self/make-it-fail";
	if (why)
		SKIP(return, "%s", why);
	/* There is a swap table then, so that the pages get as far as zswap */
	fill_region(q, 1, PATTERN_QUARTER, 1);
	ASSERT_EQ(swap_out(q, 1), 1);
	fill_region(p, nr, PATTERN_QUARTER, 2);
	fail_slab(true);
	for (int i = 0; i < 4; i++) {
		ASSERT_EQ(pwrite(fd, "1", 1, 0), 1);
		madvise(p, nr * page_size, MADV_PAGEOUT);
		ASSERT_EQ(pwrite(fd, "0", 1, 0), 1);
		/* They stay in the swap cache, where the next one does not see them */
		EXPECT_EQ(check_region(p, nr, PATTERN_QUARTER, 2), nr);
	}
	fail_slab(false);
	close(fd);

	EXPECT_GT(vswap_stat("rejected"), declined + 2 * (long)nr);
	EXPECT_EQ(vswap_stat("give_up"), give_up);
	EXPECT_EQ(swap_out(p, nr), nr);
	EXPECT_EQ(check_region(p, nr, PATTERN_QUARTER, 2), nr);
	munmap(p, nr * page_size);
	munmap(q, page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* Swap out a huge page with the @nth allocation failing; its data stays right. */
static bool fail_huge(char *p, size_t nr, int nth, int *nr_failed)
{
	bool good;

	fill_region(p, nr, PATTERN_QUARTER, nth);
	fail_arm(nth);
	madvise(p, nr * page_size, MADV_PAGEOUT);
	*nr_failed += fail_done();
	good = check_region(p, nr, PATTERN_QUARTER, nth) == nr;
	madvise(p, nr * page_size, MADV_DONTNEED);
	return good;
}

/*
 * Huge pages: a store that fails half-way takes back what it has stored. Each takes
 * a cluster of its own, so swap tables and backing tables are allocated too.
 */
VSWAP_TEST(vswap_fault, out_huge)
{
	const char *why = fault_setup();
	size_t nr = (2UL << 20) / page_size;
	char *p = map_region(nr, true);
	long allocated = vm_events("thp_fault_alloc");
	int nr_failed = 0;

	if (why)
		SKIP(return, "%s", why);
	for (int nth = 1; nth < 500; nth += nth < 32 ? STEP : nth / 4)
		EXPECT_TRUE(fail_huge(p, nr, nth, &nr_failed));
	/* There are some allocations for each page */
	EXPECT_GT(nr_failed, 32 / STEP);
	EXPECT_GT(vm_events("thp_fault_alloc"), allocated + 32 / STEP);
	munmap(p, nr * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/*
 * Have a huge page, which takes a cluster of its own, swapped out without memory for
 * the cluster's backing table, and then with it; past zswap to @disk, if there is one.
 */
static void out_without_table(struct __test_metadata *_metadata, char *p, size_t nr,
			      struct disk *disk)
{
	const char *function = disk ? "vswap_back_folio" : "zswap_slot_store";
	const char *where = disk ? "slots_phys" : "slots_zswap";
	long tables = vswap_stat("backing_tables"), fail = vswap_stat("table_fail");
	long out = vswap_stat(where), cached = vswap_stat("slots_cached");
	long no_slot = vswap_stat("phys_alloc_fail"), taken = vswap_stat("phys_alloc");
	long huge = vm_events("thp_fault_alloc");

	fill_region(p, nr, PATTERN_QUARTER, 1);
	ASSERT_EQ(vm_events("thp_fault_alloc"), huge + 1);
	ASSERT_EQ(fail_pages_in(function), NULL);
	EXPECT_EQ(start_swap_out(p, nr), nr);
	fail_pages_in(NULL);
	/* Without a device, zswap tries each page */
	fail += disk ? 1 : nr;
	EXPECT_EQ(vswap_stat("table_fail"), fail);
	EXPECT_EQ(vswap_stat("phys_alloc_fail"), no_slot + !disk);
	EXPECT_EQ(vswap_stat("phys_alloc"), taken);
	EXPECT_EQ(vswap_stat("backing_tables"), tables);
	EXPECT_EQ(vswap_stat("slots_cached"), cached + (long)nr);
	EXPECT_EQ(vswap_stat(where), out);
	EXPECT_EQ(check_region(p, nr, PATTERN_QUARTER, 1), nr);

	EXPECT_EQ(swap_out(p, nr), nr);
	EXPECT_EQ(vswap_stat("table_fail"), fail);
	EXPECT_EQ(vswap_stat("phys_alloc_fail"), no_slot + !disk);
	EXPECT_EQ(vswap_stat("phys_alloc"), taken + !!disk);
	EXPECT_EQ(vswap_stat("backing_tables"), tables + 1);
	EXPECT_EQ(vswap_stat(where), out + (long)nr);
	EXPECT_EQ(check_region(p, nr, PATTERN_QUARTER, 1), nr);
	madvise(p, nr * page_size, MADV_DONTNEED);
}

/* Without memory for a backing table, neither zswap nor a device takes a page. */
VSWAP_TEST(vswap_fault, no_table)
{
	const char *why = fault_setup() ?: fail_pages_in(NULL);
	const size_t nr = (2UL << 20) / page_size;
	char *p = map_region(nr, true);
	long rejected = read_num(ZSWAP_DEBUG "reject_alloc_fail") + nr;

	if (!why)
		why = disk_setup(&self->disk, 0, 4 * nr);
	if (why)
		SKIP(return, "%s", why);
	out_without_table(_metadata, p, nr, NULL);
	EXPECT_EQ(read_num(ZSWAP_DEBUG "reject_alloc_fail"), rejected);

	ASSERT_EQ(disk_on(&self->disk, 10), 0);
	past_zswap(true);
	out_without_table(_metadata, p, nr, &self->disk);
	past_zswap(false);
	EXPECT_EQ(read_num(ZSWAP_DEBUG "reject_alloc_fail"), rejected);
	munmap(p, nr * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
	EXPECT_EQ(vswap_stat("lost"), 0);
}

/*
 * Without memory for virtual slots, folios get plain ones, and go to the disk past zswap.
 * These are of a size that nobody else has, so that each wants a cluster with tables of
 * its own, while that of the disk is there.
 */
VSWAP_TEST(vswap_fault, no_virtual_slots)
{
	const char *why = fault_setup() ?: fail_pages_in(NULL);
	const size_t folio = (64UL << 10) / page_size, nr = 4 * folio;
	char *p = map_region(nr, true), *q = map_region(folio, true);
	long fail, used, slots, stored, folios;

	if (!why)
		why = disk_setup(&self->disk, 0, 64 * NR);
	if (!why && write_file(FOLIO_64K "enabled", "always"))
		why = "no large folios of 64 kB";
	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(disk_on(&self->disk, 10), 0);
	ASSERT_EQ(write_file(VSWAP_MODE, "never"), 0);
	fill_region(q, folio, PATTERN_QUARTER, 1);
	ASSERT_EQ(swap_out(q, folio), folio);
	ASSERT_EQ(write_file(VSWAP_MODE, "auto"), 0);

	fill_region(p, nr, PATTERN_QUARTER, 2);
	fail = vswap_stat("alloc_fail");
	slots = vswap_stat("slots_used");
	stored = read_num(ZSWAP_DEBUG "stored_pages");
	folios = read_num(FOLIO_64K "stats/swpout");
	used = disk_used(&self->disk);
	ASSERT_GE(used, folio);
	ASSERT_EQ(fail_pages_in("folio_alloc_swap"), NULL);
	EXPECT_EQ(start_swap_out(p, nr), nr);
	fail_pages_in(NULL);
	wait_writeback();
	EXPECT_EQ(vswap_stat("alloc_fail"), fail + 4);
	EXPECT_EQ(vswap_stat("slots_used"), slots);
	EXPECT_EQ(read_num(ZSWAP_DEBUG "stored_pages"), stored);
	EXPECT_EQ(read_num(FOLIO_64K "stats/swpout"), folios + 4);
	EXPECT_EQ(disk_used(&self->disk), used + (long)nr);
	drop_swap_cache(self->cgroup, nr);
	EXPECT_EQ(check_region(p, nr, PATTERN_QUARTER, 2), nr);
	EXPECT_EQ(check_region(q, folio, PATTERN_QUARTER, 1), folio);
	munmap(p, nr * page_size);
	munmap(q, folio * page_size);
	EXPECT_EQ(disk_off(&self->disk), 0);
}

/* Reading back with failing allocations. */
VSWAP_TEST(vswap_fault, in)
{
	const char *why = fault_setup();
	char *p = map_region(NR, false);
	bool injected = false;
	int nr_failed = 0;

	if (why)
		SKIP(return, "%s", why);
	for (int nth = 1; nth; nth = next_nth(nth, injected, 80, 80)) {
		fill_region(p, NR, PATTERN_MIXED, nth);
		ASSERT_EQ(swap_out(p, NR), NR);
		fail_arm(nth);
		madvise(p, NR * page_size, MADV_POPULATE_READ);
		injected = fail_done();
		nr_failed += injected;
		ASSERT_EQ(check_region(p, NR, PATTERN_MIXED, nth), NR);
	}
	TH_LOG("%d allocations failed", nr_failed);
	EXPECT_GT(nr_failed, 60 / STEP);
	EXPECT_FALSE(run_all() && injected);
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* fork() of many sharers with failing allocations: extend tables. */
VSWAP_TEST(vswap_fault, fork)
{
	const char *why = fault_setup();
	char *p = map_region(NR, false);
	int go[2], nr = 0, failed = 0, status;
	char c;

	if (why)
		SKIP(return, "%s", why);
	fill_region(p, NR, PATTERN_MIXED, 1);
	ASSERT_EQ(swap_out(p, NR), NR);
	ASSERT_EQ(pipe(go), 0);
	for (int i = 0; i < 20; i++) {
		for (int nth = 1; nth < 80; nth += 1 + (i < 13) * 20) {
			bool injected;
			pid_t pid;

			fail_arm(nth);
			pid = fork();
			if (!pid) {
				fail_arm(0);
				close(go[1]);
				if (read(go[0], &c, 1))
					_exit(2);
				_exit(check_region(p, NR, PATTERN_MIXED, 1) != NR);
			}
			injected = fail_done();
			if (pid > 0)
				nr++;
			else
				failed++;
			if (!injected || nr > 60)
				break;
		}
	}
	close(go[1]);
	TH_LOG("%d forks, %d more failed", nr, failed);
	EXPECT_GT(failed, 0);
	while (nr--) {
		ASSERT_GT(wait(&status), 0);
		EXPECT_EQ(status, 0);
	}
	EXPECT_EQ(check_region(p, NR, PATTERN_MIXED, 1), NR);
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* zswap writes back to a disk with failing allocations, hundreds if all are asked for. */
TEST_F_TIMEOUT(vswap_fault, writeback, 3600)
{
	const char *why = fault_setup();
	char *p = map_region(4 * NR, false), *q = map_region(NR, false);
	long written = vm_events("zswpwb");
	bool injected = false;
	int nr_failed = 0;

	if (!why)
		why = disk_setup(&self->disk, 0, 64 * NR);
	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(disk_on(&self->disk, 10), 0);
	for (int nth = 1; nth; nth = next_nth(nth, injected, 32, 120)) {
		fill_region(p, 4 * NR, PATTERN_QUARTER, nth);
		ASSERT_EQ(swap_out(p, 4 * NR), 4 * NR);
		/* No room for more: what comes now makes others go */
		ASSERT_EQ(cgroup_write(self->cgroup, "memory.zswap.max", "64K"), 0);
		fill_region(q, NR, PATTERN_QUARTER, nth + 1);
		fail_arm(nth);
		madvise(q, NR * page_size, MADV_PAGEOUT);
		injected = fail_done();
		nr_failed += injected;
		wait_writeback();
		ASSERT_EQ(cgroup_write(self->cgroup, "memory.zswap.max", "max"), 0);
		ASSERT_EQ(check_region(p, 4 * NR, PATTERN_QUARTER, nth), 4 * NR);
		ASSERT_EQ(check_region(q, NR, PATTERN_QUARTER, nth + 1), NR);
	}
	TH_LOG("%d allocations failed", nr_failed);
	EXPECT_GT(nr_failed, 30 / STEP);
	EXPECT_FALSE(run_all() && injected);
	EXPECT_GT(vm_events("zswpwb"), written + 64 / STEP);
	munmap(p, 4 * NR * page_size);
	munmap(q, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
	EXPECT_EQ(vswap_stat("lost"), 0);
}

/*
 * Once swapoff has begun, it does without any one allocation: what can't be had is tried
 * again. Where it could not even open the disk, it has touched nothing.
 */
VSWAP_TEST(vswap_fault, swapoff)
{
	const char *why = fault_setup();
	char *p = map_region(NR, false);
	int nr_failed = 0, nr_early = 0;
	bool injected = false;

	if (!why)
		why = disk_setup(&self->disk, 0, 64 * NR);
	if (why)
		SKIP(return, "%s", why);
	for (int nth = 1; nth; nth = next_nth(nth, injected, 48, 300)) {
		long used, unused = vswap_stat("evacuated"), taken = vswap_stat("phys_alloc");
		int err;

		ASSERT_EQ(disk_on(&self->disk, 10), 0);
		fill_region(p, NR, PATTERN_RANDOM, nth);
		ASSERT_EQ(swap_out_past_zswap(p, NR), NR);
		EXPECT_EQ(vswap_stat("phys_alloc"), taken + NR);
		drop_swap_cache(self->cgroup, NR);
		used = disk_used(&self->disk);
		ASSERT_EQ(used, NR);
		fail_arm(nth);
		err = disk_off(&self->disk);
		injected = fail_done();
		nr_failed += injected;
		if (err) {
			EXPECT_EQ(err, -ENOMEM);
			EXPECT_TRUE(injected);
			EXPECT_EQ(vswap_stat("evacuated"), unused);
			EXPECT_EQ(disk_used(&self->disk), used);
			nr_early++;
			ASSERT_EQ(disk_off(&self->disk), 0);
		}
		EXPECT_EQ(vswap_stat("evacuated"), unused + used);
		EXPECT_EQ(vswap_stat("slots_phys"), 0);
		ASSERT_EQ(check_region(p, NR, PATTERN_RANDOM, nth), NR);
	}
	TH_LOG("%d allocations failed, %d times too early", nr_failed, nr_early);
	EXPECT_GT(nr_failed - nr_early, NR / 4 / STEP);
	EXPECT_FALSE(run_all() && injected);
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
	EXPECT_EQ(vswap_stat("lost"), 0);
}

TEST_HARNESS_MAIN
