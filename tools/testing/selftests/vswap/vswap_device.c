// SPDX-License-Identifier: GPL-2.0
/* Virtual slots whose data is on a device. */
#include <sys/prctl.h>
#include <sys/time.h>
#include "../kselftest_harness.h"
#include "disk.h"
#include "knobs.h"
#include "place.h"

#define NR		512
#define NR_DISK		((size_t)debug_few(10, 6) * NR)
#define INCOMPRESSIBLE	(8L << 20)

FIXTURE(vswap_device) {
	char cgroup[128];
	long slots;
	struct disk disk[2], ram;
};

FIXTURE_SETUP(vswap_device)
{
	const char *missing = vswap_missing();

	if (missing)
		SKIP(return, "%s", missing);
	self->ram.fd = -1;
	for (int i = 0; i < 2; i++) {
		missing = disk_setup(&self->disk[i], i, NR_DISK);
		if (missing)
			SKIP(return, "%s", missing);
	}
	ASSERT_EQ(cgroup_enter(self->cgroup, sizeof(self->cgroup),
			       "vswap_device"), 0);
	ASSERT_EQ(write_file(VSWAP_MODE, "auto"), 0);
	/* Its own stack and data are not to be among what is swapped out, and counted */
	ASSERT_EQ(mlockall(MCL_CURRENT), 0);
	self->slots = vswap_stat("slots_used");
	ASSERT_EQ(disk_on(&self->disk[0], 10), 0);
}

FIXTURE_TEARDOWN(vswap_device)
{
	EXPECT_EQ(vswap_validate_quiet(), 0);
	for (int i = 0; i < 2; i++)
		EXPECT_EQ(disk_remove(&self->disk[i]), 0);
	EXPECT_EQ(disk_remove(&self->ram), 0);
	write_file(FOLIO_64K "enabled", "never");
	write_file(ZSWAP_PARAM "max_pool_percent", "20");
	past_zswap(false);
	cgroup_leave(self->cgroup);
}

/* Swap out shared memory, of which page tables do not tell where it is. */
static void page_out(char *p, size_t nr)
{
	for (int i = 0; i < 10; i++) {
		try_swap_out(p, nr);
		usleep(20000);
	}
}

/* Check a region of which @on_disk pages are to be read from there, not from the swap cache. */
static void check_on_disk(struct __test_metadata *_metadata, const char *cgroup, char *p,
			  size_t nr, enum pattern pattern, unsigned long seed, long on_disk)
{
	long in;

	drop_swap_cache(cgroup, nr);
	in = vm_events("pswpin");
	EXPECT_EQ(check_region(p, nr, pattern, seed), nr);
	in = vm_events("pswpin") - in;
	/* One in a CPU's batch for the LRU lists can't be dropped */
	EXPECT_GE(in, on_disk - OWN_PAGES) {
		TH_LOG("%ld of %ld read from disks", in, on_disk);
	}
}

/* What zswap has no room for goes to the disk, and only that. */
VSWAP_TEST(vswap_device, fallback)
{
	char *p = map_region(2 * NR, false);
	char *q = p + NR * page_size;

	fill_region(p, NR, PATTERN_RANDOM, 1);
	fill_region(q, NR, PATTERN_MIXED, 1);
	ASSERT_EQ(write_file(ZSWAP_PARAM "max_pool_percent", "0"), 0);
	ASSERT_EQ(swap_out(p, NR), NR);
	ASSERT_EQ(write_file(ZSWAP_PARAM "max_pool_percent", "20"), 0);
	ASSERT_EQ(swap_out(q, NR), NR);
	EXPECT_EQ(vswap_stat("slots_phys"), NR);
	EXPECT_EQ(disk_used(&self->disk[0]), NR);
	EXPECT_EQ(cgroup_read(self->cgroup, "memory.swap.current"), NR * page_size);
	EXPECT_EQ(cgroup_read(self->cgroup, "memory.swap.peak"), NR * page_size);
	check_on_disk(_metadata, self->cgroup, p, NR, PATTERN_RANDOM, 1, NR);
	EXPECT_EQ(check_region(q, NR, PATTERN_MIXED, 1), NR);
	munmap(p, 2 * NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
	EXPECT_EQ(disk_used(&self->disk[0]), 0);
}

/*
 * What can't be compressed waits in zswap for its turn to be written to a disk, the
 * oldest first, like everything else.
 */
VSWAP_TEST(vswap_device, incompressible)
{
	const char *incomp = "zswap_incomp";
	char *p = map_region(2 * NR, false);
	char *q = p + NR * page_size;
	size_t size = NR * page_size;

	fill_region(p, NR, PATTERN_RANDOM, 20);
	fill_region(q, NR, PATTERN_QUARTER, 20);
	ASSERT_EQ(swap_out(p, NR), NR);
	EXPECT_EQ(vswap_stat("slots_phys"), 0);
	EXPECT_GE(vswap_stat("slots_zswap"), NR);
	EXPECT_GE(cgroup_read(self->cgroup, "memory.zswap.current"), size);
	EXPECT_GE(cgroup_read_key(self->cgroup, "memory.stat", incomp), size);
	ASSERT_EQ(swap_out(q, NR), NR);
	EXPECT_GE(vswap_stat("slots_zswap"), 2 * NR);

	/* They are the first to go, and those that came later stay */
	zswap_write_back(self->cgroup, NR - OWN_PAGES);
	wait_writeback();
	EXPECT_GE(disk_used(&self->disk[0]), NR - OWN_PAGES);
	EXPECT_LE(cgroup_read_key(self->cgroup, "memory.stat", incomp),
		  OWN_PAGES * page_size);
	EXPECT_GE(vswap_stat("slots_zswap"), NR / 2);
	check_on_disk(_metadata, self->cgroup, p, NR, PATTERN_RANDOM, 20, NR - OWN_PAGES);
	EXPECT_EQ(check_region(q, NR, PATTERN_QUARTER, 20), NR);
	munmap(p, 2 * NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* A large folio for which there are not slots enough uses what there are, and that is it. */
VSWAP_TEST(vswap_device, part_of_room)
{
	const size_t nr = 4UL * (2 << 20) / page_size;
	char *p = map_region(nr, true), max[32];
	long fails, split = vm_events("thp_swpout_fallback");

	if (access(THP, F_OK))
		SKIP(return, "no transparent huge pages");
	/* The kernel starts without where there is little memory */
	write_file(THP "defrag", "madvise");
	fill_region(p, nr, PATTERN_RANDOM, 24);
	ASSERT_EQ(cgroup_read_key(self->cgroup, "memory.stat", "anon_thp"), nr * page_size);
	ASSERT_EQ(cgroup_write(self->cgroup, "memory.swap.max", "1M"), 0);
	/* So close to a limit, zswap keeps nothing as it is */
	snprintf(max, sizeof(max), "%ld",
		 cgroup_read(self->cgroup, "memory.current") + (1 << 20));
	ASSERT_EQ(cgroup_write(self->cgroup, "memory.max", max), 0);
	fails = read_num(ZSWAP_DEBUG "reject_compress_fail");
	for (int i = 0; i < 5; i++)
		drop_swap_cache(self->cgroup, nr);
	fails = read_num(ZSWAP_DEBUG "reject_compress_fail") - fails;
	EXPECT_GE(cgroup_read(self->cgroup, "memory.swap.current"), (1 << 20) - 64 * 1024);
	EXPECT_EQ(vm_events("thp_swpout_fallback"), split + 1);
	EXPECT_GT(fails, 0);
	EXPECT_LE(fails, 6 * nr);
	TH_LOG("%ld of %zu pages not compressed", fails, nr);
	EXPECT_EQ(check_region(p, nr, PATTERN_RANDOM, 24), nr);
	munmap(p, nr * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* Where it could never leave zswap, it stays where it is. */
VSWAP_TEST(vswap_device, incompressible_stays)
{
	static const char * const files[] = { "memory.zswap.writeback", "memory.swap.max", NULL };
	char *p = map_region(NR, false);
	long out = vm_events("zswpout");
	long tried = read_num(ZSWAP_DEBUG "reject_compress_fail");

	fill_region(p, NR, PATTERN_RANDOM, 21);
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(files[i] ? cgroup_write(self->cgroup, files[i], "0") :
			  disk_off(&self->disk[0]), 0);
		try_swap_out(p, NR);
		EXPECT_EQ(vswap_stat("slots_zswap"), 0);
		EXPECT_EQ(vswap_stat("slots_phys"), 0);
		EXPECT_EQ(vm_events("zswpout"), out);
		if (files[i])
			ASSERT_EQ(cgroup_write(self->cgroup, files[i], i ? "max" : "1"), 0);
	}
	EXPECT_GE(read_num(ZSWAP_DEBUG "reject_compress_fail"), tried + NR / 2);
	EXPECT_EQ(check_region(p, NR, PATTERN_RANDOM, 21), NR);
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

static int child_status(int (*run)(void))
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(run());
	return waitpid(pid, &status, 0) == pid ? status : -1;
}

/* Try to swap out pages that may not go to a disk until that works, for some seconds. */
static int want_room(void)
{
	char cgroup[128], *p = map_region(NR, false);
	size_t n = 0;

	if (cgroup_enter(cgroup, sizeof(cgroup), "vswap_wants") ||
	    cgroup_write(cgroup, "memory.swap.max", "0"))
		return 1;
	fill_region(p, NR, PATTERN_QUARTER, 23);
	for (int i = 0; i < 500 && n < NR; i++) {
		madvise(p, NR * page_size, MADV_PAGEOUT);
		n = count_swapped(p, NR);
		usleep(10000);
	}
	if (n < NR)
		return 2;
	n = check_region(p, NR, PATTERN_QUARTER, 23);
	cgroup_leave(cgroup);
	return n == NR ? 0 : 3;
}

/*
 * Where it can't leave zswap any more, it is not in the way of what compresses, which
 * zswap's limit holds for still. With a disk it counts again, and leaves.
 */
VSWAP_TEST(vswap_device, incompressible_stranded)
{
	const long limit = read_key("/proc/meminfo", "MemTotal") * 1024 / page_size / 100;
	const size_t nr = limit + limit / 5, nr_more = 8 * limit;
	char *p = map_region(nr, false), *q = map_region(nr_more, false);
	long kept, pool;

	if (nr + NR >= NR_DISK)
		SKIP(return, "too much memory to fill one percent of it");
	fill_region(p, nr, PATTERN_RANDOM, 22);
	ASSERT_EQ(swap_out(p, nr), nr);
	ASSERT_EQ(disk_off(&self->disk[0]), 0);
	kept = read_num(ZSWAP_DEBUG "stored_incompressible_pages");
	ASSERT_GE(kept, nr);
	ASSERT_EQ(write_file(ZSWAP_PARAM "max_pool_percent", "1"), 0);

	fill_region(q, nr_more, PATTERN_QUARTER, 22);
	EXPECT_EQ(swap_out(q, NR), NR);
	for (size_t i = NR; i + NR <= nr_more; i += NR)
		try_swap_out(q + i * page_size, NR);
	EXPECT_LT(count_swapped(q, nr_more), nr_more / 2 + nr_more / 4);
	pool = read_num(ZSWAP_DEBUG "pool_total_size") / page_size;
	EXPECT_GE(pool - kept, limit / 2);
	EXPECT_LE(pool - kept, limit + NR);
	EXPECT_EQ(read_num(ZSWAP_DEBUG "stored_incompressible_pages"), kept);

	/* Who may not go to the disk can't use it, but others can make room */
	ASSERT_EQ(disk_on(&self->disk[0], 10), 0);
	ASSERT_EQ(child_status(want_room), 0);
	for (int i = 0; i < 500 && pool > limit; i++) {
		usleep(10000);
		pool = read_num(ZSWAP_DEBUG "pool_total_size") / page_size;
	}
	EXPECT_LE(pool, limit);
	EXPECT_EQ(check_region(p, nr, PATTERN_RANDOM, 22), nr);
	EXPECT_EQ(check_region(q, nr_more, PATTERN_QUARTER, 22), nr_more);
	munmap(p, nr * page_size);
	munmap(q, nr_more * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/*
 * Write and check 8 MB that don't compress, in a child with memory for 4 MB in a cgroup
 * of its own, whose name goes to @cgroup; how the child ended, -1 if not at all.
 */
static int write_incompressible(char *cgroup, size_t size, const char *swap_max)
{
	const size_t nr = INCOMPRESSIBLE / page_size;
	int status;
	pid_t pid = fork();

	if (!pid) {
		char *p = map_region(nr, false);

		write_file("/proc/self/oom_score_adj", "1000");
		/* Nobody waits for ever if the OOM killer does not come */
		alarm(120);
		if (cgroup_enter(cgroup, size, "vswap_limit") ||
		    cgroup_write(cgroup, "memory.max", "4M") ||
		    cgroup_write(cgroup, "memory.swap.max", swap_max))
			_exit(1);
		fill_region(p, nr, PATTERN_RANDOM, 22);
		_exit(check_region(p, nr, PATTERN_RANDOM, 22) != nr);
	}
	snprintf(cgroup, size, CGROUP "/vswap_limit_%d", pid);
	return waitpid(pid, &status, 0) == pid ? status : -1;
}

/*
 * A page that zswap keeps as it is makes room for nobody until it is written, which
 * must not look like progress for ever: who has next to no room on a disk is killed,
 * and no page has been looked at more than a few times.
 */
static void hopeless(struct __test_metadata *_metadata, const char *swap_max)
{
	char cgroup[128];
	int status = write_incompressible(cgroup, sizeof(cgroup), swap_max);
	long scanned = cgroup_read_key(cgroup, "memory.stat", "pgscan");

	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(WTERMSIG(status), SIGKILL);
	TH_LOG("%ld pages scanned", scanned);
	EXPECT_LE(scanned, 8 * INCOMPRESSIBLE / page_size);
	EXPECT_EQ(cgroup_read_key(cgroup, "memory.events", "oom_kill"), 1);
	EXPECT_EQ(rmdir(cgroup), 0);
}

/* ... but not where there is room on the disk. */
VSWAP_TEST(vswap_device, incompressible_at_limit)
{
	char cgroup[128];

	EXPECT_EQ(write_incompressible(cgroup, sizeof(cgroup), "max"), 0);
	EXPECT_EQ(cgroup_read_key(cgroup, "memory.events", "oom_kill"), 0);
	EXPECT_EQ(rmdir(cgroup), 0);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* ... nor more of a cgroup than its limit leaves slots for. */
VSWAP_TEST(vswap_device, incompressible_limit)
{
	/* The statistics are late by so many pages */
	const long late = 64 * sysconf(_SC_NPROCESSORS_ONLN), left = 16;
	char *p = map_region(4 * NR, false);
	long kept = read_num(ZSWAP_DEBUG "stored_incompressible_pages");

	ASSERT_EQ(cgroup_write(self->cgroup, "memory.swap.max", "64K"), 0);
	fill_region(p, 4 * NR, PATTERN_RANDOM, 27);
	try_swap_out(p, 4 * NR);
	kept = read_num(ZSWAP_DEBUG "stored_incompressible_pages") - kept;
	TH_LOG("%ld of %d pages are kept", kept, 4 * NR);
	EXPECT_GE(kept, 1);
	EXPECT_LE(kept, left + late);
	EXPECT_EQ(check_region(p, 4 * NR, PATTERN_RANDOM, 27), 4 * NR);
	munmap(p, 4 * NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* For each that waits in zswap there is room on a disk. */
VSWAP_TEST(vswap_device, incompressible_has_room)
{
	const long left = 128;
	size_t nr = NR_DISK - left;
	char *p = map_region(nr + 2 * NR, false), *q = p + nr * page_size;
	long kept;

	fill_region(p, nr, PATTERN_RANDOM, 25);
	ASSERT_EQ(swap_out_past_zswap(p, nr), nr);
	fill_region(q, 2 * NR, PATTERN_RANDOM, 26);
	try_swap_out(q, 2 * NR);
	kept = read_num(ZSWAP_DEBUG "stored_incompressible_pages");
	TH_LOG("%ld pages are kept", kept);
	EXPECT_GT(kept, 0);
	/* Two may be at it at a time */
	EXPECT_LE(kept, left + OWN_PAGES);
	EXPECT_EQ(check_region(p, nr, PATTERN_RANDOM, 25), nr);
	EXPECT_EQ(check_region(q, 2 * NR, PATTERN_RANDOM, 26), 2 * NR);
	munmap(p, (nr + 2 * NR) * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

VSWAP_TEST(vswap_device, hopeless_limit)
{
	hopeless(_metadata, "1M");
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

VSWAP_TEST(vswap_device, hopeless_full)
{
	size_t nr = NR_DISK - NR / 2;
	char *p = map_region(nr, false);

	fill_region(p, nr, PATTERN_RANDOM, 23);
	ASSERT_EQ(swap_out_past_zswap(p, nr), nr);
	hopeless(_metadata, "max");
	EXPECT_EQ(check_region(p, nr, PATTERN_RANDOM, 23), nr);
	munmap(p, nr * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* A page that has not changed is not written again. */
VSWAP_TEST(vswap_device, clean)
{
	char *p = map_region(NR, false);
	long out;

	past_zswap(true);
	fill_region(p, NR, PATTERN_RANDOM, 2);
	ASSERT_EQ(swap_out(p, NR), NR);
	/* Not to leave any in the swap cache, which wait for their first write */
	drop_swap_cache(self->cgroup, NR);
	EXPECT_EQ(check_region(p, NR, PATTERN_RANDOM, 2), NR);
	EXPECT_GE(disk_used(&self->disk[0]), NR);
	out = vm_events("pswpout");
	ASSERT_EQ(swap_out(p, NR), NR);
	EXPECT_EQ(vm_events("pswpout"), out);
	EXPECT_EQ(check_region(p, NR, PATTERN_RANDOM, 2), NR);

	/* One that has changed takes the place it has */
	fill_region(p, NR, PATTERN_RANDOM, 3);
	ASSERT_EQ(swap_out(p, NR), NR);
	EXPECT_LE(disk_used(&self->disk[0]), NR);
	EXPECT_EQ(check_region(p, NR, PATTERN_RANDOM, 3), NR);
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* Backings change as the contents do. */
VSWAP_TEST(vswap_device, changing)
{
	static const enum pattern patterns[] = {
		PATTERN_RANDOM, PATTERN_ZERO, PATTERN_QUARTER, PATTERN_RANDOM,
		PATTERN_QUARTER, PATTERN_ZERO, PATTERN_ANY, PATTERN_RANDOM,
	};
	char *p = map_region(NR, false);

	for (int i = 0; i < 8; i++) {
		fill_region(p, NR, patterns[i], i);
		past_zswap(patterns[i] == PATTERN_RANDOM);
		ASSERT_EQ(swap_out(p, NR), NR);
		if (patterns[i] == PATTERN_RANDOM)
			EXPECT_GE(vswap_stat("slots_phys"), NR);
		if (patterns[i] == PATTERN_ZERO || patterns[i] == PATTERN_QUARTER)
			EXPECT_LE(vswap_stat("slots_phys"), OWN_PAGES);
		check_on_disk(_metadata, self->cgroup, p, NR, patterns[i], i,
			      patterns[i] == PATTERN_RANDOM ? NR : 0);
	}
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* Mode always, zswap off: everything goes to the disk, but for zeroes. */
VSWAP_TEST(vswap_device, always)
{
	char *p = map_region(NR, false);

	ASSERT_EQ(write_file(ZSWAP_PARAM "enabled", "0"), 0);
	ASSERT_EQ(write_file(VSWAP_MODE, "always"), 0);
	fill_region(p, NR, PATTERN_WORD, 1);
	ASSERT_EQ(swap_out(p, NR), NR);
	EXPECT_GE(vswap_stat("slots_phys"), NR);
	check_on_disk(_metadata, self->cgroup, p, NR, PATTERN_WORD, 1, NR);
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* A huge page goes to one range, or page by page where there is none. */
VSWAP_TEST(vswap_device, huge)
{
	size_t nr = (2UL << 20) / page_size;
	char *p = map_region(nr, true), *q;
	long split = vm_events("thp_split_page");
	long pieces = vswap_stat("phys_alloc_split");
	long out = vm_events("thp_swpout");

	if (access(THP, F_OK))
		SKIP(return, "no transparent huge pages");
	/* The kernel starts without where there is little memory */
	write_file(THP "defrag", "madvise");
	past_zswap(true);
	fill_region(p, nr, PATTERN_RANDOM, 4);
	ASSERT_EQ(cgroup_read_key(self->cgroup, "memory.stat", "anon_thp"), nr * page_size);
	ASSERT_EQ(swap_out(p, nr), nr);
	EXPECT_EQ(vm_events("thp_swpout"), out + 1);
	EXPECT_EQ(vswap_stat("phys_alloc_split"), pieces);
	check_on_disk(_metadata, self->cgroup, p, nr, PATTERN_RANDOM, 4, nr);
	munmap(p, nr * page_size);

	/* Every second page of all but the end of the disk */
	q = map_region(NR_DISK - nr / 2, false);
	fill_region(q, NR_DISK - nr / 2, PATTERN_RANDOM, 5);
	ASSERT_EQ(swap_out(q, NR_DISK - nr / 2), NR_DISK - nr / 2);
	for (size_t i = 0; i < NR_DISK - nr / 2; i += 2)
		madvise(q + i * page_size, page_size, MADV_DONTNEED);

	p = map_region(nr, true);
	fill_region(p, nr, PATTERN_RANDOM, 6);
	ASSERT_EQ(cgroup_read_key(self->cgroup, "memory.stat", "anon_thp"), nr * page_size);
	ASSERT_EQ(swap_out(p, nr), nr);
	EXPECT_EQ(vm_events("thp_swpout"), out + 2);
	EXPECT_EQ(vswap_stat("phys_alloc_split"), pieces + 1);
	EXPECT_EQ(vm_events("thp_split_page"), split);
	check_on_disk(_metadata, self->cgroup, p, nr, PATTERN_RANDOM, 6, nr);
	for (size_t i = 1; i < NR_DISK - nr / 2; i += 2)
		ASSERT_TRUE(pattern_check(q + i * page_size, page_size, PATTERN_RANDOM, 5, i));
	munmap(q, (NR_DISK - nr / 2) * page_size);
	munmap(p, nr * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* The disk of the higher priority first, then the other. */
VSWAP_TEST(vswap_device, priority)
{
	size_t nr = NR_DISK + NR;
	char *p = map_region(nr, false);

	ASSERT_EQ(disk_on(&self->disk[1], 5), 0);
	past_zswap(true);
	fill_region(p, NR, PATTERN_RANDOM, 7);
	ASSERT_EQ(swap_out(p, NR), NR);
	EXPECT_EQ(disk_used(&self->disk[1]), 0);
	fill_region(p, nr, PATTERN_RANDOM, 7);
	ASSERT_EQ(swap_out(p, nr), nr);
	/* A page in a CPU's batch for the LRU lists may wait in the swap cache */
	EXPECT_GE(disk_used(&self->disk[1]), NR - OWN_PAGES);
	check_on_disk(_metadata, self->cgroup, p, nr, PATTERN_RANDOM, 7, nr);
	munmap(p, nr * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* memory.swap.max and memory.zswap.writeback hold where a slot is taken. */
VSWAP_TEST(vswap_device, limits)
{
	char *p = map_region(NR, false);
	char max[32];

	snprintf(max, sizeof(max), "%zu", NR / 2 * page_size);
	ASSERT_EQ(cgroup_write(self->cgroup, "memory.swap.max", max), 0);
	past_zswap(true);
	fill_region(p, NR, PATTERN_RANDOM, 8);
	try_swap_out(p, NR);
	EXPECT_GT(disk_used(&self->disk[0]), 0);
	EXPECT_LE(disk_used(&self->disk[0]), NR / 2);
	EXPECT_GT(cgroup_read_key(self->cgroup, "memory.swap.events", "max"), 0);
	EXPECT_EQ(check_region(p, NR, PATTERN_RANDOM, 8), NR);
	ASSERT_EQ(cgroup_write(self->cgroup, "memory.swap.max", "max"), 0);

	past_zswap(false);
	ASSERT_EQ(cgroup_write(self->cgroup, "memory.zswap.writeback", "0"), 0);
	fill_region(p, NR, PATTERN_RANDOM, 9);
	try_swap_out(p, NR);
	EXPECT_LE(disk_used(&self->disk[0]), OWN_PAGES);
	EXPECT_EQ(check_region(p, NR, PATTERN_RANDOM, 9), NR);
	ASSERT_EQ(cgroup_write(self->cgroup, "memory.zswap.writeback", "1"), 0);
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/*
 * What hardly compresses has a page of zswap's pool to itself. Where it can't leave that,
 * its cgroup is still charged for less.
 */
VSWAP_TEST(vswap_device, poor_without_writeback)
{
	char *p = map_region(NR, false);

	ASSERT_EQ(cgroup_write(self->cgroup, "memory.zswap.writeback", "0"), 0);
	fill_region(p, NR, PATTERN_POOR, 31);
	EXPECT_EQ(swap_out(p, NR), NR);
	EXPECT_GE(vswap_stat("slots_zswap"), NR);
	EXPECT_LE(disk_used(&self->disk[0]), OWN_PAGES);
	EXPECT_EQ(check_region(p, NR, PATTERN_POOR, 31), NR);
	ASSERT_EQ(cgroup_write(self->cgroup, "memory.zswap.writeback", "1"), 0);
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* zswap writes back when its limit is reached, in large requests. */
VSWAP_TEST(vswap_device, writeback)
{
	const size_t nr = debug_few(8, 5) * NR;
	char *p = map_region(nr, false);
	long pages = vm_events("zswpwb"), out, io, written = 0, before;

	fill_region(p, nr, PATTERN_QUARTER, 1);
	ASSERT_EQ(swap_out(p, nr), nr);
	EXPECT_EQ(vm_events("zswpwb"), pages);
	out = vm_events("pswpout");
	io = vm_events("nrswpout");

	/* Reclaim of the compressed memory: one more megabyte than there is room */
	ASSERT_EQ(cgroup_write(self->cgroup, "memory.zswap.max", "1M"), 0);
	for (int i = 0, idle = 0; i < 20 && idle < 2; i++) {
		char *q = map_region(NR, false);

		fill_region(q, NR, PATTERN_QUARTER, i);
		try_swap_out(q, NR);
		munmap(q, NR * page_size);
		/* Until there is room for all that comes */
		before = written;
		written = vm_events("zswpwb") - pages;
		idle = written > before ? 0 : idle + !!written;
	}
	/* What had no room is on the disk */
	EXPECT_GE(written, nr - 4 * (1 << 20) / page_size);
	out = vm_events("pswpout") - out;
	io = vm_events("nrswpout") - io;
	TH_LOG("%ld written back, %ld pages in %ld requests", written, out, io);
	EXPECT_LE(io, out / 8);
	ASSERT_EQ(cgroup_write(self->cgroup, "memory.zswap.max", "max"), 0);
	check_on_disk(_metadata, self->cgroup, p, nr, PATTERN_QUARTER, 1,
		      nr - 4 * (1 << 20) / page_size);
	munmap(p, nr * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/*
 * Fill shared memory in a cgroup that may not go to a disk, below one whose path is
 * returned in @parent, have it swapped out, and remove the cgroup.
 */
static char *leave_behind(struct __test_metadata *_metadata, char *parent, size_t size,
			  size_t nr_left, enum pattern pattern)
{
	char *left = mmap(NULL, nr_left * page_size, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char child[96];
	int status;
	pid_t pid;

	ASSERT_NE(left, MAP_FAILED);
	snprintf(parent, size, CGROUP "/vswap_parent_%d", getpid());
	snprintf(child, sizeof(child), "%s/child", parent);
	ASSERT_EQ(mkdir(parent, 0755), 0);
	ASSERT_EQ(cgroup_write(parent, "cgroup.subtree_control", "+memory"), 0);
	ASSERT_EQ(mkdir(child, 0755), 0);
	ASSERT_EQ(cgroup_write(child, "memory.swap.max", "0"), 0);
	pid = fork();
	if (!pid) {
		if (cgroup_write(child, "cgroup.procs", "0"))
			_exit(1);
		fill_region(left, nr_left, pattern, 27);
		page_out(left, nr_left);
		_exit(0);
	}
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	ASSERT_EQ(status, 0);
	ASSERT_GE(vswap_stat("slots_zswap"), nr_left / 2);
	while (rmdir(child) && errno == EBUSY)
		usleep(10000);
	while (cgroup_write(parent, "cgroup.subtree_control", "-memory") == -EBUSY)
		usleep(10000);
	return left;
}

/*
 * What a cgroup that is gone has left behind, and that may not go to a disk, does not
 * keep zswap from writing back what its parent has.
 */
VSWAP_TEST(vswap_device, writeback_past_dead)
{
	/* All of it has room on the disk */
	const size_t nr = NR, nr_left = 2 * NR;
	char parent[64], *left;
	long written;
	int status;
	pid_t pid;

	left = leave_behind(_metadata, parent, sizeof(parent), nr_left, PATTERN_QUARTER);

	written = vm_events("zswpwb");
	pid = fork();
	if (!pid) {
		char *p = map_region(2 * nr, false), *q = p + nr * page_size;

		if (cgroup_write(parent, "cgroup.procs", "0"))
			_exit(1);
		fill_region(p, nr, PATTERN_QUARTER, 28);
		if (swap_out(p, nr) != nr)
			_exit(2);
		/* Each page that comes now has zswap look for others that can leave */
		if (cgroup_write(parent, "memory.zswap.max", "1M"))
			_exit(3);
		fill_region(q, nr, PATTERN_QUARTER, 28);
		if (swap_out(q, nr) != nr)
			_exit(4);
		_exit(check_region(p, nr, PATTERN_QUARTER, 28) != nr ||
		      check_region(q, nr, PATTERN_QUARTER, 28) != nr);
	}
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
	EXPECT_GE(vm_events("zswpwb"), written + NR / 16);
	EXPECT_EQ(check_region(left, nr_left, PATTERN_QUARTER, 27), nr_left);
	munmap(left, nr_left * page_size);
	while (rmdir(parent) && errno == EBUSY)
		usleep(10000);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/*
 * The limits of a cgroup end with it: what it has left goes to a disk when zswap has to
 * shrink, and does not stand in the way of what comes after.
 */
VSWAP_TEST(vswap_device, shrink_dead)
{
	const size_t nr = 64, nr_left = poor_pages();
	const long too_many = nr_left - pool_bytes(1) / page_size;
	char parent[64], *left;
	long written;
	int status;
	pid_t pid;

	if (pool_bytes(1) > 64L << 20)
		SKIP(return, "too much memory to fill one percent of it");
	left = leave_behind(_metadata, parent, sizeof(parent), nr_left, PATTERN_POOR);
	ASSERT_EQ(write_file(ZSWAP_PARAM "max_pool_percent", "1"), 0);
	written = vm_events("zswpwb");
	pid = fork();
	if (!pid) {
		char *p = map_region(nr, false);

		if (cgroup_write(parent, "cgroup.procs", "0"))
			_exit(1);
		/* The worker is told of each page for which there is no room */
		for (int i = 0; i < 100 && vm_events("zswpwb") < written + too_many; i++) {
			fill_region(p, nr, PATTERN_QUARTER, 30 + i);
			try_swap_out(p, nr);
			usleep(200000);
			if (check_region(p, nr, PATTERN_QUARTER, 30 + i) != nr)
				_exit(2);
		}
		_exit(0);
	}
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
	EXPECT_GE(vm_events("zswpwb"), written + too_many);
	EXPECT_EQ(check_region(left, nr_left, PATTERN_POOR, 27), nr_left);
	munmap(left, nr_left * page_size);
	while (rmdir(parent) && errno == EBUSY)
		usleep(10000);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* How many folios of 64 kB have been read, of which at least a page was on a device */
static long large_reads(void)
{
	return read_num(FOLIO_64K "stats/swpin");
}

struct places {
	long zero, zswap, device, out, zswap_out, zero_out;
};

/* Where slots are, and what has been written so far. */
static struct places count_places(void)
{
	return (struct places) {
		.zero = vswap_stat("slots_zero"),
		.zswap = vswap_stat("slots_zswap"),
		.device = vswap_stat("slots_phys"),
		.out = vm_events("pswpout"),
		.zswap_out = vm_events("zswpout"),
		.zero_out = vm_events("swpout_zero"),
	};
}

static bool same_places(const struct places *before)
{
	const struct places now = count_places();

	return !memcmp(&now, before, sizeof(now));
}

static void mixed(struct __test_metadata *_metadata, const char *cgroup,
		  const char *where, unsigned long seed)
{
	char *p = place_region(1, where, seed), *middle, c;
	struct places places;
	int go[2], status;
	long reads;
	pid_t pid;

	ASSERT_NE(p, NULL);
	madvise(p, GROUP * page_size, MADV_HUGEPAGE);
	drop_swap_cache(cgroup, GROUP);
	ASSERT_EQ(pipe(go), 0);
	pid = fork();
	if (!pid) {
		close(go[1]);
		if (read(go[0], &c, 1))
			_exit(2);
		_exit(read_group(p, where, seed) != 0);
	}
	close(go[0]);

	/* A child has the slots, too: the folio stays clean, and what is behind it */
	places = count_places();
	EXPECT_GT(places.device, 0);
	reads = large_reads();
	EXPECT_EQ(read_group(p, where, seed), 0);
	EXPECT_EQ(large_reads(), reads + 1) {
		TH_LOG("%s", where);
	}
	EXPECT_TRUE(same_places(&places));
	EXPECT_EQ(swap_out(p, GROUP), GROUP);
	EXPECT_TRUE(same_places(&places));
	close(go[1]);
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
	EXPECT_EQ(large_reads(), reads + 2);
	EXPECT_TRUE(same_places(&places));

	/* Nobody else has them any more: they go when they have been read */
	drop_swap_cache(cgroup, GROUP);
	EXPECT_EQ(read_group(p, where, seed), 0);
	EXPECT_EQ(large_reads(), reads + 3);
	EXPECT_EQ(vswap_stat("slots_phys"), 0);

	/* Of what is written next, nothing comes from where it was before */
	middle = p + GROUP / 2 * page_size;
	pattern_fill(middle, page_size, PATTERN_QUARTER, seed + 1, 0);
	ASSERT_EQ(swap_out(p, GROUP), GROUP);
	for (int i = 0; i < GROUP; i++) {
		if (i != GROUP / 2)
			EXPECT_EQ(read_page(p, where, seed, i), 0);
	}
	EXPECT_TRUE(pattern_check(middle, page_size, PATTERN_QUARTER, seed + 1, 0));
	munmap(p, GROUP * page_size);
}

/* A large folio is read for slots with different backings, none of them slow. */
VSWAP_TEST(vswap_device, mixed)
{
	static const char * const where[] = {
		"zd0zd0zd0zd0zd0z", "zddddddd0ddddddd", "0zzzzzzzzzzzzzzd",
		"dzdzdzdzdzdzdzdz", "dddddddd00000000", "zzzzzzzz0000000d",
		"d00000000000000z", "dddddddddddddddd",
	};

	if (write_file(FOLIO_64K "enabled", "always"))
		SKIP(return, "no large folios of 64 kB");
	ASSERT_EQ(ram_setup(&self->ram, 2, NR_DISK), NULL);
	ASSERT_EQ(disk_on(&self->ram, 20), 0);
	ASSERT_EQ(write_file(VSWAP_MODE, "always"), 0);
	for (int i = 0; i < ARRAY_SIZE(where); i++) {
		mixed(_metadata, self->cgroup, where[i], 40 + 2 * i);
		EXPECT_LE(wait_slots(self->slots), self->slots) {
			TH_LOG("%s", where[i]);
		}
	}
	EXPECT_EQ(disk_used(&self->ram), 0);
	EXPECT_EQ(vswap_stat("lost"), 0);
}

/* With a slow disk, large folios are read where all is in zswap, and pages elsewhere. */
VSWAP_TEST(vswap_device, mixed_slow)
{
	const char *size = FOLIO_64K;
	char *p = map_region(4 * NR, false), path[128];
	long folios, used, reads;

	snprintf(path, sizeof(path), "%senabled", size);
	if (write_file(path, "always"))
		SKIP(return, "no large folios of 64 kB");
	snprintf(path, sizeof(path), "%sstats/nr_anon", size);
	madvise(p, 4 * NR * page_size, MADV_HUGEPAGE);
	fill_region(p, 4 * NR, PATTERN_QUARTER, 10);
	ASSERT_EQ(swap_out(p, 4 * NR), 4 * NR);

	/* Let zswap write a part of them back to the disk */
	used = cgroup_read(self->cgroup, "memory.zswap.current");
	EXPECT_GT(used, 0);
	zswap_write_back(self->cgroup, NR);
	EXPECT_GE(vswap_stat("slots_phys"), NR);
	EXPECT_GE(vswap_stat("slots_zswap"), NR);

	folios = read_num(path);
	reads = large_reads();
	EXPECT_EQ(check_region(p, 4 * NR, PATTERN_QUARTER, 10), 4 * NR);
	EXPECT_GT(read_num(path), folios);
	EXPECT_EQ(large_reads(), reads);
	fill_region(p, 2 * NR, PATTERN_RANDOM, 11);
	ASSERT_EQ(swap_out(p, 4 * NR), 4 * NR);
	EXPECT_EQ(check_region(p, 2 * NR, PATTERN_RANDOM, 11), 2 * NR);
	for (size_t i = 2 * NR; i < 4 * NR; i++)
		ASSERT_TRUE(pattern_check(p + i * page_size, page_size, PATTERN_QUARTER, 10, i));
	munmap(p, 4 * NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/*
 * A slot whose page only the swap cache has can't be had while somebody else has other pages
 * of the folio out, but afterwards.
 */
VSWAP_TEST(vswap_device, idle)
{
	const size_t nr_slots = 1023, nr = nr_slots - 1, nr_kept = 400;
	static const char where[] = "dzzzzzzzzzzzzzzz";
	int go[2], done[2];
	char *p, *q, c;
	pid_t pid;
	long reads;

	if (write_file(FOLIO_64K "enabled", "always"))
		SKIP(return, "no large folios of 64 kB");
	ASSERT_EQ(disk_off(&self->disk[0]), 0);
	ASSERT_EQ(ram_setup(&self->ram, 2, nr_slots), NULL);
	ASSERT_EQ(disk_on(&self->ram, 20), 0);
	ASSERT_EQ(write_file(VSWAP_MODE, "always"), 0);
	p = place_region(1, where, 60);
	ASSERT_NE(p, NULL);
	madvise(p, GROUP * page_size, MADV_HUGEPAGE);
	drop_swap_cache(self->cgroup, GROUP);
	EXPECT_EQ(disk_used(&self->ram), 1);
	ASSERT_EQ(pipe(go), 0);
	ASSERT_EQ(pipe(done), 0);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(go[1]);
		for (size_t first = 0, end = 1; end <= GROUP; first = end, end += GROUP - 1) {
			if (read(go[0], &c, 1) != 1)
				_exit(1);
			madvise(p + first * page_size, (end - first) * page_size,
				MADV_DONTNEED);
			if (write(done[1], "", 1) != 1)
				_exit(2);
		}
		_exit(0);
	}
	close(done[1]);
	reads = large_reads();
	EXPECT_EQ(read_group(p, where, 60), 0);
	EXPECT_EQ(large_reads(), reads + 1);
	EXPECT_EQ(write(go[1], "", 1), 1);
	EXPECT_EQ(read(done[0], &c, 1), 1);

	/* When the device gets full, it is looked through for such slots */
	q = map_region(nr, false);
	fill_region(q, nr, PATTERN_QUARTER, 61);
	EXPECT_EQ(swap_out_past_zswap(q, nr), nr);
	usleep(500000);
	EXPECT_EQ(disk_used(&self->ram), nr + 1);

	madvise(q + nr_kept * page_size, (nr - nr_kept) * page_size, MADV_DONTNEED);
	EXPECT_EQ(write(go[1], "", 1), 1);
	EXPECT_EQ(read(done[0], &c, 1), 1);
	EXPECT_EQ(disk_used(&self->ram), nr_kept + 1);
	fill_region(q + nr_kept * page_size, nr - nr_kept, PATTERN_QUARTER, 62);
	EXPECT_EQ(swap_out_past_zswap(q, nr), nr);
	for (int i = 0; i < 100 && disk_used(&self->ram) > nr; i++)
		usleep(100000);
	EXPECT_EQ(disk_used(&self->ram), nr);

	EXPECT_EQ(wait_child(pid), 0);
	close(go[0]);
	close(go[1]);
	close(done[0]);
	EXPECT_EQ(check_region(q, nr_kept, PATTERN_QUARTER, 61), nr_kept);
	EXPECT_EQ(check_region(q + nr_kept * page_size, nr - nr_kept, PATTERN_QUARTER, 62),
		  nr - nr_kept);
	EXPECT_EQ(read_group(p, where, 60), 0);
	munmap(p, GROUP * page_size);
	munmap(q, nr * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* The owner of the slots is gone when they are read, and written, again. */
VSWAP_TEST(vswap_device, owner_gone)
{
	char cgroup[128];
	char *p = mmap(NULL, NR * page_size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;
	int status;

	past_zswap(true);
	pid = fork();
	if (!pid) {
		cgroup_enter(cgroup, sizeof(cgroup), "vswap_owner");
		fill_region(p, NR, PATTERN_ANY, 12);
		page_out(p, NR);
		_exit(0);
	}
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	ASSERT_EQ(status, 0);
	snprintf(cgroup, sizeof(cgroup), CGROUP "/vswap_owner_%d", pid);
	ASSERT_EQ(rmdir(cgroup), 0);
	EXPECT_GE(disk_used(&self->disk[0]), NR / 8);
	EXPECT_EQ(disk_off(&self->disk[0]), 0);
	EXPECT_EQ(check_region(p, NR, PATTERN_ANY, 12), NR);
	ASSERT_EQ(disk_on(&self->disk[0], 10), 0);
	page_out(p, NR);
	EXPECT_GE(disk_used(&self->disk[0]), NR / 8);
	EXPECT_EQ(check_region(p, NR, PATTERN_ANY, 12), NR);
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

static void ignore(int sig)
{
}

/* swapoff can be interrupted, and what it has not moved stays on the disk. */
VSWAP_TEST(vswap_device, swapoff_signal)
{
	/* More than once: the first may come before swapoff has begun */
	struct itimerval timer = {
		.it_value.tv_usec = 1000,
		.it_interval.tv_usec = 1000,
	}, none = {};
	struct sigaction action = { .sa_handler = ignore };
	char *p = map_region(8 * NR, false);
	int err = 0;

	ASSERT_EQ(sigaction(SIGALRM, &action, NULL), 0);
	past_zswap(true);
	fill_region(p, 8 * NR, PATTERN_RANDOM, 13);
	/* It may be done before the signal comes */
	for (int i = 0; i < 50 && !err; i++) {
		if (i)
			ASSERT_EQ(disk_on(&self->disk[0], 10), 0);
		ASSERT_EQ(swap_out(p, 8 * NR), 8 * NR);
		drop_swap_cache(self->cgroup, 8 * NR);
		ASSERT_EQ(setitimer(ITIMER_REAL, &timer, NULL), 0);
		err = disk_off(&self->disk[0]);
		ASSERT_EQ(setitimer(ITIMER_REAL, &none, NULL), 0);
	}
	EXPECT_EQ(err, -EINTR);
	EXPECT_GT(disk_used(&self->disk[0]), 0);
	EXPECT_EQ(check_region(p, 8 * NR, PATTERN_RANDOM, 13), 8 * NR);
	/* It is in use as before */
	fill_region(p, 8 * NR, PATTERN_RANDOM, 14);
	ASSERT_EQ(swap_out(p, 8 * NR), 8 * NR);
	EXPECT_EQ(disk_off(&self->disk[0]), 0);
	EXPECT_EQ(check_region(p, 8 * NR, PATTERN_RANDOM, 14), 8 * NR);
	munmap(p, 8 * NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* Plain slots and virtual ones on one disk, and all of them can be left. */
VSWAP_TEST(vswap_device, plain)
{
	char *p = map_region(2 * NR, false), *q = p + NR * page_size;
	long in;

	ASSERT_EQ(write_file(VSWAP_MODE, "never"), 0);
	fill_region(p, NR, PATTERN_RANDOM, 15);
	ASSERT_EQ(swap_out(p, NR), NR);
	EXPECT_EQ(vswap_stat("slots_phys"), 0);
	EXPECT_GE(disk_used(&self->disk[0]), NR);
	fill_region(q, NR, PATTERN_RANDOM, 16);
	ASSERT_EQ(swap_out_past_zswap(q, NR), NR);
	EXPECT_GE(vswap_stat("slots_phys"), NR);
	EXPECT_GE(disk_used(&self->disk[0]), 2 * NR);
	drop_swap_cache(self->cgroup, 2 * NR);
	in = vm_events("pswpin");
	EXPECT_EQ(disk_off(&self->disk[0]), 0);
	EXPECT_GE(vm_events("pswpin"), in + 2 * NR - OWN_PAGES);
	EXPECT_EQ(count_swapped(p, NR), 0);
	EXPECT_EQ(check_region(p, NR, PATTERN_RANDOM, 15), NR);
	EXPECT_EQ(check_region(q, NR, PATTERN_RANDOM, 16), NR);
	munmap(p, 2 * NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* swapoff leaves everything readable, whoever shares it. */
VSWAP_TEST(vswap_device, swapoff)
{
	size_t nr = 4 * NR;
	char *p = map_region(nr, false);
	int go[2], status, nr_children = debug_few(12, 4);
	long slots, in, io;
	char c;

	fill_region(p, nr, PATTERN_ANY, 3);
	ASSERT_EQ(swap_out_past_zswap(p, nr / 2), nr / 2);
	ASSERT_EQ(swap_out(p, nr), nr);
	EXPECT_GE(disk_used(&self->disk[0]), NR);
	ASSERT_EQ(pipe(go), 0);
	for (int i = 0; i < nr_children; i++) {
		if (fork())
			continue;
		close(go[1]);
		if (read(go[0], &c, 1))
			_exit(2);
		if (count_swapped(p, nr) != nr)
			_exit(3);
		_exit(check_region(p, nr, PATTERN_ANY, 3) != nr);
	}
	drop_swap_cache(self->cgroup, nr);
	slots = vswap_stat("slots_used");
	in = vm_events("pswpin");
	io = vm_events("nrswpin");
	EXPECT_EQ(disk_off(&self->disk[0]), 0);
	in = vm_events("pswpin") - in;
	io = vm_events("nrswpin") - io;
	TH_LOG("%ld pages read in %ld requests", in, io);
	EXPECT_GE(in, NR);
	EXPECT_LE(io, in / 8);
	EXPECT_EQ(vswap_stat("slots_phys"), 0);
	/* Page tables are as they were, but for what a process has needed meanwhile */
	EXPECT_LE(vswap_stat("slots_used"), slots);
	EXPECT_EQ(count_swapped(p, nr), nr);
	close(go[1]);
	for (int i = 0; i < nr_children; i++) {
		ASSERT_GT(wait(&status), 0);
		EXPECT_EQ(status, 0);
	}
	EXPECT_EQ(check_region(p, nr, PATTERN_ANY, 3), nr);
	munmap(p, nr * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* What a memory error has destroyed does not come back as it was before. */
VSWAP_TEST(vswap_device, swapoff_hwpoison)
{
	struct sigaction action = { .sa_handler = ignore };
	const size_t bad = NR / 2;
	char *p = map_region(NR, false);
	char *q = p + bad * page_size;

	fill_region(p, NR, PATTERN_RANDOM, 30);
	ASSERT_EQ(swap_out_past_zswap(p, NR), NR);
	drop_swap_cache(self->cgroup, NR);
	/* In memory again, its place on the disk is kept, and is out of date soon */
	ASSERT_EQ(check_region(p, NR, PATTERN_RANDOM, 30), NR);
	ASSERT_GE(disk_used(&self->disk[0]), NR);
	pattern_fill(q, page_size, PATTERN_RANDOM, 31, bad);

	ASSERT_EQ(sigaction(SIGBUS, &action, NULL), 0);
	if (madvise(q, page_size, MADV_HWPOISON))
		SKIP(return, "no memory errors");
	signal(SIGBUS, SIG_DFL);
	EXPECT_EQ(disk_off(&self->disk[0]), 0);
	EXPECT_EQ(touch(q), SIGBUS);
	EXPECT_EQ(check_region(p, bad, PATTERN_RANDOM, 30), bad);
	for (size_t i = bad + 1; i < NR; i++)
		ASSERT_TRUE(pattern_check(p + i * page_size, page_size, PATTERN_RANDOM, 30, i));
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
	EXPECT_EQ(vswap_stat("lost"), 0);
}

/* Of two who switch off the same disk one does it, the other is told that. */
VSWAP_TEST(vswap_device, swapoff_twice)
{
	char *p = map_region(8 * NR, false);
	int off = 0, status;

	fill_region(p, 8 * NR, PATTERN_RANDOM, 17);
	ASSERT_EQ(swap_out_past_zswap(p, 8 * NR), 8 * NR);
	drop_swap_cache(self->cgroup, 8 * NR);
	for (int i = 0; i < 2; i++) {
		if (!fork())
			_exit(-disk_off(&self->disk[0]));
	}
	for (int i = 0; i < 2; i++) {
		ASSERT_GT(wait(&status), 0);
		ASSERT_TRUE(WIFEXITED(status));
		if (!WEXITSTATUS(status))
			off++;
		else
			EXPECT_EQ(WEXITSTATUS(status), EINVAL);
	}
	EXPECT_EQ(off, 1);
	EXPECT_EQ(disk_used(&self->disk[0]), -1);
	EXPECT_EQ(check_region(p, 8 * NR, PATTERN_RANDOM, 17), 8 * NR);
	munmap(p, 8 * NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* Pages come and go, processes too. */
static int come_and_go(int n)
{
	char *p = map_region(NR, false);
	int status;

	fill_region(p, NR, PATTERN_ANY, n);
	madvise(p, NR * page_size, MADV_PAGEOUT);
	if (!fork())
		_exit(check_region(p, NR, PATTERN_ANY, n) != NR);
	if (check_region(p, NR, PATTERN_ANY, n) != NR)
		return 1;
	if (wait(&status) < 0 || status)
		return 2;
	munmap(p, NR * page_size);
	return 0;
}

/* Cgroups go, and leave shared pages on a disk. */
static int owners_go(int n)
{
	char *p = mmap(NULL, NR * page_size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char cgroup[128];
	pid_t pid = fork();
	int status;

	if (!pid) {
		if (cgroup_enter(cgroup, sizeof(cgroup), "vswap_race"))
			_exit(1);
		fill_region(p, NR, PATTERN_ANY, n);
		madvise(p, NR * page_size, MADV_PAGEOUT);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid || status)
		return 1;
	snprintf(cgroup, sizeof(cgroup), CGROUP "/vswap_race_%d", pid);
	if (rmdir(cgroup))
		return 2;
	if (check_region(p, NR, PATTERN_ANY, n) != NR)
		return 3;
	munmap(p, NR * page_size);
	return 0;
}

/* Out and in, with slots of whatever kind there is, until nobody can write to @go_on. */
static int use_slots(int n, int go_on)
{
	const size_t nr = NR_DISK / 8;
	const long own = OWN_PAGES * page_size;
	char *p = map_region(nr, false);
	char cgroup[128], c;

	if (!p || cgroup_enter(cgroup, sizeof(cgroup), "vswap_shared"))
		return 1;
	for (int round = 0; read(go_on, &c, 1) < 0; round++) {
		/* Clean pages in the swap cache leave slots that are idle */
		fill_region(p, nr, PATTERN_RANDOM, n + 8 * round);
		madvise(p, nr * page_size, MADV_PAGEOUT);
		if (check_region(p, nr, PATTERN_RANDOM, n + 8 * round) != nr)
			return 2;
		for (size_t i = 0; i < nr; i += 2)
			p[i * page_size]++;
	}
	munmap(p, nr * page_size);
	/* What was being written keeps its slot until reclaim comes for it */
	for (int i = 0; i < 50; i++) {
		if (cgroup_read(cgroup, "memory.swap.current") <= own)
			break;
		drop_swap_cache(cgroup, nr);
		usleep(100000);
	}
	if (cgroup_read(cgroup, "memory.swap.current") > own)
		return 3;
	cgroup_leave(cgroup);
	return 0;
}

/* Clusters of a nearly full disk change between plain and physical slots. */
VSWAP_TEST(vswap_device, both_kinds)
{
	int nr_children = 8, status, go_on[2];
	long end;

	past_zswap(true);
	ASSERT_EQ(write_file(VSWAP_MODE, "never"), 0);
	ASSERT_EQ(pipe2(go_on, O_NONBLOCK), 0);
	for (int i = 0; i < nr_children; i++) {
		if (fork())
			continue;
		close(go_on[1]);
		_exit(use_slots(i, go_on[0]));
	}
	/* First the one kind, then the other, then both */
	for (int i = 0; i < 6000 && disk_used(&self->disk[0]) < NR; i++)
		usleep(10000);
	EXPECT_GE(disk_used(&self->disk[0]), NR);
	EXPECT_EQ(vswap_stat("slots_phys"), 0);
	ASSERT_EQ(write_file(VSWAP_MODE, "always"), 0);
	for (int i = 0; i < 6000 && vswap_stat("slots_phys") < NR; i++)
		usleep(10000);
	EXPECT_GE(vswap_stat("slots_phys"), NR);
	end = now_ms() + (run_all() ? 12000 : 4000);
	for (int i = 0; now_ms() < end; i++) {
		write_file(VSWAP_MODE, i % 2 ? "always" : "never");
		usleep(20000);
	}
	close(go_on[1]);
	for (int i = 0; i < nr_children; i++) {
		ASSERT_GT(wait(&status), 0);
		EXPECT_EQ(status, 0);
	}
	past_zswap(false);
	EXPECT_EQ(disk_off(&self->disk[0]), 0);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* Back and forth between two disks, under load. */
VSWAP_TEST(vswap_device, swapoff_race)
{
	int nr_children = 3, status, go_on[2];
	long moved = vswap_stat("evacuated");
	char c;

	/* Closed by its last writer when they are to stop */
	ASSERT_EQ(pipe2(go_on, O_NONBLOCK), 0);
	for (int i = 0; i < nr_children; i++) {
		if (fork())
			continue;
		/* Not to be left when an assertion fails */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(go_on[1]);
		for (int n = 0; read(go_on[0], &c, 1) < 0; n++) {
			int err = i ? come_and_go(n) : owners_go(n);

			if (err)
				_exit(err);
		}
		_exit(0);
	}
	for (int i = 0; i < (run_all() ? 12 : 6); i++) {
		past_zswap(i % 3);
		usleep(100000);
		ASSERT_EQ(disk_on(&self->disk[1 - i % 2], 10), 0);
		EXPECT_EQ(disk_off(&self->disk[i % 2]), 0);
	}
	close(go_on[1]);
	for (int i = 0; i < nr_children; i++) {
		ASSERT_GT(wait(&status), 0);
		EXPECT_EQ(status, 0);
	}
	EXPECT_GT(vswap_stat("evacuated"), moved);
	disk_off(&self->disk[0]);
	disk_off(&self->disk[1]);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

TEST_HARNESS_MAIN
