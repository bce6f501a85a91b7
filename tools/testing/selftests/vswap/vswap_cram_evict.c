// SPDX-License-Identifier: GPL-2.0
/*
 * What compressed RAM that runs low moves elsewhere: whose pages, how many, and what
 * becomes of who can't give any. Simulated by tools/testing/cram/cram_sim.c. Nodes 1
 * and 2 have to be possible ones.
 */
#include <sys/mman.h>
#include "../kselftest_harness.h"
#include "knobs.h"
#include "sim.h"

#define MANY		64	/* cgroups */
#define SMALL_NR	64	/* pages of each of these */
#define BIG_NR		1024
#define RANGE		(32UL << 20)

/* Cgroups, and where the task is that has pages in them */
struct groups {
	char path[MANY + 1][128];
	int nr;
	const char *home;
};

FIXTURE(vswap_cram_evict) {
	char cgroup[128];
	struct groups groups;
	long slots, killed;
	struct disk disk;
};

FIXTURE_SETUP(vswap_cram_evict)
{
	const char *missing = vswap_sim_missing();

	self->disk.fd = -1;
	if (missing)
		SKIP(return, "%s", missing);
	ASSERT_EQ(sim_load_with(1, 2, RANGE, "ratio=1"), 0);
	ASSERT_EQ(write_sim(2, "refuse", 1), 0);
	ASSERT_EQ(sim_wait_blank(1, RANGE), 0);
	ASSERT_EQ(cgroup_enter(self->cgroup, sizeof(self->cgroup), "vswap_cram_evict"), 0);
	self->groups.home = self->cgroup;
	ASSERT_EQ(write_file(VSWAP_MODE, "auto"), 0);
	self->slots = vswap_stat("slots_used");
	self->killed = vm_events("oom_kill");
}

FIXTURE_TEARDOWN(vswap_cram_evict)
{
	EXPECT_EQ(vm_events("oom_kill"), self->killed);
	EXPECT_EQ(vswap_validate(), 0);
	disk_remove(&self->disk);
	EXPECT_EQ(read_sim(1, "lost_writes"), 0);
	EXPECT_EQ(read_sim(1, "violations"), 0);
	EXPECT_EQ(sim_unload(), 0);
	for (int i = 0; i < self->groups.nr; i++)
		EXPECT_EQ(rmdir(self->groups.path[i]), 0);
	cgroup_leave(self->cgroup);
}

/* Pages of a new cgroup, on the device. What is charged stays when the task moves on. */
static char *group_pages(struct groups *groups, size_t nr, enum pattern pattern,
			 unsigned int seed)
{
	char *path = groups->path[groups->nr], *p;

	snprintf(path, sizeof(groups->path[0]), CGROUP "/vswap_cram_evict_%d_%d", getpid(),
		 groups->nr);
	if (mkdir(path, 0755))
		return NULL;
	groups->nr++;
	if (cgroup_move(path))
		return NULL;
	p = map_region(nr, false);
	fill_region(p, nr, pattern, seed);
	if (start_swap_out(p, nr) != nr)
		p = NULL;
	return cgroup_move(groups->home) ? NULL : p;
}

/* Let a device that has @used bytes in use be @bytes above its watermarks, which are one. */
static int set_excess(long used, long bytes)
{
	return write_sim(1, "capacity_bytes", (used - bytes) * 100 / 95);
}

/*
 * Of many cgroups, one page too many makes none give more than it has to; and if half of
 * the room goes, each gives what is its share.
 */
VSWAP_TEST(vswap_cram_evict, shares)
{
	const long total = MANY * SMALL_NR + BIG_NR;
	char *p[MANY + 1];
	long used, evicted, most = 0;

	ASSERT_EQ(disk_setup(&self->disk, 0, 2 * total), NULL);
	ASSERT_EQ(disk_on(&self->disk, 10), 0);
	ASSERT_EQ(write_node(1, "low_watermark", "95"), 0);
	for (int i = 0; i < MANY; i++) {
		p[i] = group_pages(&self->groups, SMALL_NR, PATTERN_QUARTER, i);
		ASSERT_NE(p[i], NULL);
	}
	p[MANY] = group_pages(&self->groups, BIG_NR, PATTERN_QUARTER, MANY);
	ASSERT_NE(p[MANY], NULL);
	ASSERT_GE(read_node(1, "stored_pages"), total);
	used = read_usage(1, "used_bytes");

	/* One page over */
	ASSERT_EQ(set_excess(used, 256), 0);
	evicted = wait_node_from(1, "evicted", 1);
	usleep(500000);
	evicted = read_node(1, "evicted");
	TH_LOG("%ld pages moved for one of %ld", evicted, total);
	EXPECT_GE(evicted, 1);
	EXPECT_LE(evicted, 8);

	/* Half of it */
	ASSERT_EQ(set_excess(used, used / 2), 0);
	EXPECT_LE(wait_node(1, "used_bytes", used / 2), used / 2);
	wait_writeback();
	evicted = read_node(1, "evicted");
	EXPECT_GE(evicted, total * 2 / 5);
	EXPECT_LE(evicted, total * 3 / 5);
	for (int i = 0; i < MANY; i++) {
		long nr = cgroup_read(self->groups.path[i], "memory.swap.current");

		nr /= (long)page_size;
		most = nr > most ? nr : most;
		EXPECT_EQ(check_region(p[i], SMALL_NR, PATTERN_QUARTER, i), SMALL_NR);
		munmap(p[i], SMALL_NR * page_size);
	}
	TH_LOG("%ld pages moved, at the most %ld of one of %d", evicted, most, MANY);
	EXPECT_LE(most, SMALL_NR * 4 / 5);
	EXPECT_GE(cgroup_read(self->groups.path[MANY], "memory.swap.current"),
		  BIG_NR / 3 * (long)page_size);
	EXPECT_LE(cgroup_read(self->groups.path[MANY], "memory.swap.current"),
		  BIG_NR * 2 / 3 * (long)page_size);
	EXPECT_EQ(check_region(p[MANY], BIG_NR, PATTERN_QUARTER, MANY), BIG_NR);
	munmap(p[MANY], BIG_NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* Who is protected gives something when nobody else has anything. */
VSWAP_TEST(vswap_cram_evict, protected)
{
	char *p, *q;
	long used;

	ASSERT_EQ(disk_setup(&self->disk, 0, 4 * BIG_NR), NULL);
	ASSERT_EQ(disk_on(&self->disk, 10), 0);
	p = group_pages(&self->groups, BIG_NR, PATTERN_QUARTER, 1);
	ASSERT_NE(p, NULL);
	ASSERT_EQ(cgroup_write(self->groups.path[0], "memory.low", "64M"), 0);
	q = group_pages(&self->groups, BIG_NR, PATTERN_QUARTER, 2);
	ASSERT_NE(q, NULL);
	used = read_usage(1, "used_bytes");
	ASSERT_EQ(write_sim(1, "capacity_bytes", used * 3 / 4), 0);
	EXPECT_LE(wait_node(1, "used_bytes", used * 7 / 10), used * 7 / 10);
	wait_writeback();
	EXPECT_EQ(cgroup_read(self->groups.path[0], "memory.swap.current"), 0);
	EXPECT_GE(cgroup_read(self->groups.path[1], "memory.swap.current"),
		  BIG_NR / 4 * (long)page_size);

	ASSERT_EQ(write_sim(1, "capacity_bytes", used / 4), 0);
	EXPECT_LE(wait_node(1, "used_bytes", used / 4), used / 4);
	wait_writeback();
	EXPECT_GE(cgroup_read(self->groups.path[0], "memory.swap.current"),
		  BIG_NR / 4 * (long)page_size);
	EXPECT_EQ(check_region(p, BIG_NR, PATTERN_QUARTER, 1), BIG_NR);
	EXPECT_EQ(check_region(q, BIG_NR, PATTERN_QUARTER, 2), BIG_NR);
	munmap(p, BIG_NR * page_size);
	munmap(q, BIG_NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/*
 * A cgroup is at its limit, with nothing that could be reclaimed. What it can't give the
 * others do, and nobody of it is killed for the device. When it has room it gives, too.
 */
VSWAP_TEST(vswap_cram_evict, at_limit)
{
	const size_t locked = 256;
	char *p, *q, *held, text[32];
	long used, evicted;

	p = group_pages(&self->groups, BIG_NR, PATTERN_QUARTER, 3);
	ASSERT_NE(p, NULL);
	ASSERT_EQ(cgroup_move(self->groups.path[0]), 0);
	held = map_region(locked, false);
	fill_region(held, locked, PATTERN_RANDOM, 4);
	ASSERT_EQ(mlock(held, locked * page_size), 0);
	ASSERT_EQ(cgroup_move(self->cgroup), 0);
	/* Each time what the CPUs have charged in advance is given back */
	for (int i = 0; i < 3; i++) {
		cgroup_settle(self->groups.path[0]);
		snprintf(text, sizeof(text), "%ld",
			 cgroup_read(self->groups.path[0], "memory.current"));
		ASSERT_EQ(cgroup_write(self->groups.path[0], "memory.max", text), 0);
	}
	used = read_usage(1, "used_bytes");

	/* Alone */
	ASSERT_EQ(write_sim(1, "capacity_bytes", used / 2), 0);
	usleep(2500000);
	evicted = read_node(1, "evicted");
	TH_LOG("%ld pages moved at the limit", evicted);
	EXPECT_EQ(cgroup_read_key(self->groups.path[0], "memory.events", "oom_kill"), 0);
	EXPECT_EQ(check_region(held, locked, PATTERN_RANDOM, 4), locked);

	/* Not alone */
	ASSERT_EQ(write_sim(1, "capacity_bytes", 4 * used), 0);
	usleep(300000);
	q = group_pages(&self->groups, BIG_NR, PATTERN_QUARTER, 5);
	ASSERT_NE(q, NULL);
	used = read_usage(1, "used_bytes");
	ASSERT_EQ(write_sim(1, "capacity_bytes", used * 3 / 4), 0);
	EXPECT_LE(wait_node(1, "used_bytes", used * 7 / 10), used * 7 / 10);

	ASSERT_EQ(cgroup_write(self->groups.path[0], "memory.max", "max"), 0);
	ASSERT_EQ(write_sim(1, "capacity_bytes", used / 8), 0);
	EXPECT_LE(wait_node(1, "used_bytes", used / 8), used / 8);
	EXPECT_EQ(check_region(p, BIG_NR, PATTERN_QUARTER, 3), BIG_NR);
	EXPECT_EQ(check_region(q, BIG_NR, PATTERN_QUARTER, 5), BIG_NR);
	munmap(p, BIG_NR * page_size);
	munmap(q, BIG_NR * page_size);
	munmap(held, locked * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* Of two devices on a node, one that runs low gives its own pages, not those of the other. */
VSWAP_TEST(vswap_cram_evict, two_devices)
{
	const size_t nr = BIG_NR / 4;
	char *p, *q;
	long used;

	ASSERT_EQ(sim_unload(), 0);
	EXPECT_TRUE(wait_gone(1));
	EXPECT_TRUE(wait_gone(2));
	ASSERT_EQ(sim_load_with(1, 1, RANGE, "ratio=1"), 0);
	ASSERT_EQ(sim_wait_blank(1, RANGE), 0);
	for (int i = 0; i < 600 && read_num(CRAM_NODE "1.1/trimmed") < RANGE / page_size; i++)
		usleep(50000);

	/* The others have been there for longer */
	ASSERT_EQ(write_sim(1, "refuse", 1), 0);
	p = group_pages(&self->groups, BIG_NR, PATTERN_QUARTER, 7);
	ASSERT_NE(p, NULL);
	EXPECT_GE(read_num(CRAM_NODE "1.1/stored_pages"), BIG_NR);
	ASSERT_EQ(write_sim(1, "refuse", 0), 0);
	ASSERT_EQ(write_sim(2, "refuse", 1), 0);
	ASSERT_EQ(cgroup_move(self->groups.path[0]), 0);
	q = map_region(nr, false);
	fill_region(q, nr, PATTERN_QUARTER, 8);
	ASSERT_EQ(start_swap_out(q, nr), nr);
	ASSERT_EQ(cgroup_move(self->cgroup), 0);
	EXPECT_GE(read_node(1, "stored_pages"), nr);
	used = read_usage(1, "used_bytes");
	ASSERT_EQ(write_sim(1, "capacity_bytes", used / 2), 0);
	EXPECT_LE(wait_node(1, "used_bytes", used / 2), used / 2);
	EXPECT_GE(read_num(CRAM_NODE "1.1/stored_pages"), BIG_NR);
	EXPECT_EQ(read_num(CRAM_NODE "1.1/evicted"), 0);

	/* It leaves likewise */
	ASSERT_EQ(write_sim(1, "registered", 0), 0);
	EXPECT_GE(read_num(CRAM_NODE "1.1/stored_pages"), BIG_NR);
	EXPECT_EQ(check_region(p, BIG_NR, PATTERN_QUARTER, 7), BIG_NR);
	EXPECT_EQ(check_region(q, nr, PATTERN_QUARTER, 8), nr);
	munmap(p, BIG_NR * page_size);
	munmap(q, nr * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* Who can give nothing does not keep others from it, however many they are. */
VSWAP_TEST(vswap_cram_evict, others_cant)
{
	const int small = 32;
	char *p[MANY + 1];
	long used;

	/* They can't be compressed, which the device does not say, and there is no disk */
	ASSERT_EQ(write_sim(1, "silent", 1), 0);
	for (int i = 0; i < small; i++) {
		p[i] = group_pages(&self->groups, SMALL_NR, PATTERN_RANDOM, i);
		ASSERT_NE(p[i], NULL);
	}
	p[small] = group_pages(&self->groups, BIG_NR, PATTERN_QUARTER, small);
	ASSERT_NE(p[small], NULL);
	used = read_usage(1, "used_bytes");
	ASSERT_EQ(set_excess(used, 64 * (long)page_size), 0);
	used = used / 100 * 95;
	EXPECT_LE(wait_node(1, "used_bytes", used), used);
	EXPECT_GT(read_node(1, "evicted"), 0);
	for (int i = 0; i <= small; i++) {
		const size_t nr = i < small ? SMALL_NR : BIG_NR;

		EXPECT_EQ(check_region(p[i], nr, i < small ? PATTERN_RANDOM : PATTERN_QUARTER,
				       i), nr);
		munmap(p[i], nr * page_size);
	}
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* What is in vain is tried less and less often. */
VSWAP_TEST(vswap_cram_evict, in_vain)
{
	long used, tries, start;
	char *p;

	/* They can't be compressed, which the device does not say, and there is no disk */
	ASSERT_EQ(write_sim(1, "silent", 1), 0);
	p = group_pages(&self->groups, BIG_NR, PATTERN_RANDOM, 6);
	ASSERT_NE(p, NULL);
	used = read_usage(1, "used_bytes");
	tries = read_num(ZSWAP_DEBUG "reject_reclaim_fail");
	ASSERT_EQ(write_sim(1, "capacity_bytes", used / 2), 0);
	usleep(8000000);
	tries = read_num(ZSWAP_DEBUG "reject_reclaim_fail") - tries;
	TH_LOG("%ld tries in eight seconds", tries);
	/* After 0, 1, 3 and 7 seconds, of 640 tries each, and as many in a changing second */
	EXPECT_GE(tries, 64);
	EXPECT_LE(tries, 5 * 640);
	EXPECT_EQ(read_node(1, "evicted"), 0);

	/* ... but at once, if there is a reason */
	EXPECT_EQ(check_region(p, BIG_NR / 8, PATTERN_RANDOM, 6), BIG_NR / 8);
	start = now_ms();
	EXPECT_LE(wait_node(1, "used_bytes", used * 9 / 10), used * 9 / 10);
	EXPECT_LE(now_ms() - start, 2000);
	munmap(p, BIG_NR * page_size);
	EXPECT_LE(wait_node(1, "used_bytes", OWN_PAGES * page_size), OWN_PAGES * page_size);
	EXPECT_LE(now_ms() - start, 4000);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

TEST_HARNESS_MAIN
