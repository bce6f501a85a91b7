// SPDX-License-Identifier: GPL-2.0
/*
 * The room on compressed RAM: a device that gets to pages late, has what an earlier
 * kernel has left, takes its time to discard what is freed, or does not answer. It
 * is simulated by tools/testing/cram/cram_sim.c, which counts for itself. Nodes 1 and
 * 2 have to be possible ones.
 */
#include "../kselftest_harness.h"
#include "knobs.h"
#include "sigbus.h"
#include "sim.h"

#define NR		512
#define SMALL		(4UL << 20)	/* bytes */

FIXTURE(vswap_cram_room) {
	char cgroup[128];
	long slots;
	bool loaded;
};

FIXTURE_SETUP(vswap_cram_room)
{
	const char *missing = vswap_sim_missing();

	if (missing)
		SKIP(return, "%s", missing);
	ASSERT_EQ(cgroup_enter(self->cgroup, sizeof(self->cgroup), "vswap_cram_room"), 0);
	ASSERT_EQ(write_file(VSWAP_MODE, "auto"), 0);
	self->slots = vswap_stat("slots_used");
}

FIXTURE_TEARDOWN(vswap_cram_room)
{
	EXPECT_EQ(vswap_validate(), 0);
	EXPECT_EQ(read_sim(1, "violations"), 0);
	EXPECT_LE(wait_slots(self->slots), self->slots);
	EXPECT_EQ(sim_unload(), 0);
	cgroup_leave(self->cgroup);
}

/* Out and in as long as the pipe is open. What is told is whether the data was right. */
static void write_much(int go_on, size_t nr, unsigned int seed)
{
	char *p = map_region(nr, false), c;

	fill_region(p, nr, PATTERN_RANDOM, seed);
	madvise(p, nr * page_size, MADV_PAGEOUT);
	if (read(go_on, &c, 1) < 0)
		_exit(2);
	_exit(check_region(p, nr, PATTERN_RANDOM, seed) != nr);
}

/*
 * Four writers fill a device that gets to a page when 4096 more have come, while
 * somebody looks again and again how much is in use. Nothing is written beyond its
 * capacity, and most of that is used.
 */
VSWAP_TEST(vswap_cram_room, lag)
{
	const int lag = 4096, writers = 4, nr = 3000;
	long capacity, stored = 0;
	int go_on[2];

	/* Room for half of what it could take if all were compressed to half */
	ASSERT_EQ(sim_load_with(1, 2, SIM_RANGE, "ratio=2"), 0);
	ASSERT_EQ(sim_wait_blank(1, SIM_RANGE), 0);
	capacity = SIM_RANGE / 2 / page_size;
	ASSERT_EQ(write_sim(2, "refuse", 1), 0);
	ASSERT_EQ(write_sim(1, "lag_pages", lag), 0);
	ASSERT_EQ(pipe(go_on), 0);
	for (int i = 0; i < writers; i++) {
		if (fork())
			continue;
		close(go_on[1]);
		write_much(go_on[0], nr, i);
	}
	close(go_on[0]);

	/* Until all of them have come, and been taken or not */
	for (int i = 0; i < 6000; i++) {
		stored = read_node(1, "stored");
		EXPECT_LE(read_node(1, "used_bytes"), capacity * (long)page_size);
		EXPECT_GE(read_node(1, "capacity_bytes"), 0);
		if (stored + read_node(1, "refused") >= writers * nr)
			break;
		usleep(10000);
	}
	TH_LOG("%ld pages stored in room for %ld, %d yet to be seen by the device",
	       stored, capacity, lag);
	EXPECT_GE(stored, capacity * 9 / 10);
	EXPECT_GE(read_node(1, "refused"), writers * nr - capacity);
	EXPECT_EQ(wait_load(go_on[1], writers), 0);
	ASSERT_EQ(write_sim(1, "drain", 1), 0);
	EXPECT_EQ(read_sim(1, "lost_writes"), 0);
}

/* A device that says late what it has counts in full what it may not have seen. */
VSWAP_TEST(vswap_cram_room, lag_counts)
{
	const size_t nr = 2 * NR;
	char *p = map_region(nr, false);
	long room;

	ASSERT_EQ(sim_load_with(1, 2, SMALL, "ratio=2"), 0);
	ASSERT_EQ(sim_wait_blank(1, SMALL), 0);
	room = SMALL / 2 / page_size;
	ASSERT_EQ(write_sim(2, "refuse", 1), 0);
	ASSERT_EQ(write_sim(1, "lag_pages", 10000), 0);
	fill_region(p, nr, PATTERN_WORD, 1);
	ASSERT_EQ(swap_out(p, nr), nr);
	/* It has said nothing of any of them */
	EXPECT_EQ(read_usage(1, "used_bytes"), 0);
	EXPECT_LE(read_node(1, "stored_pages"), room * 95 / 100);
	/* After a second it makes room, for some more */
	EXPECT_GE(read_node(1, "refused") + read_node(1, "evicted"), nr - room);
	EXPECT_EQ(check_region(p, nr, PATTERN_WORD, 1), nr);

	/* It has, and they are small */
	ASSERT_EQ(write_sim(1, "lag_pages", 0), 0);
	ASSERT_EQ(write_sim(1, "drain", 1), 0);
	EXPECT_LE(wait_node(1, "used_bytes", OWN_PAGES * page_size), OWN_PAGES * page_size);
	/* What it had is discarded, too */
	usleep(500000);
	ASSERT_EQ(swap_out(p, nr), nr);
	EXPECT_GE(read_node(1, "stored_pages"), nr * 8 / 10);
	EXPECT_EQ(check_region(p, nr, PATTERN_WORD, 1), nr);
	munmap(p, nr * page_size);
}

/* Where an earlier kernel has filled it, it is emptied before it takes anything. */
VSWAP_TEST(vswap_cram_room, stale)
{
	char *p = map_region(NR, false);
	long trims;

	ASSERT_EQ(sim_load_with(1, 2, SMALL, "ratio=1 stale=95"), 0);
	ASSERT_EQ(write_sim(2, "refuse", 1), 0);
	ASSERT_EQ(sim_wait_blank(1, SMALL), 0);
	EXPECT_EQ(read_usage(1, "used_bytes"), 0);
	/* In ranges, not page by page */
	trims = read_sim(1, "trims");
	EXPECT_GE(trims, 1);
	EXPECT_LE(trims, 4);
	fill_region(p, NR, PATTERN_QUARTER, 2);
	ASSERT_EQ(swap_out(p, NR), NR);
	EXPECT_GE(read_node(1, "stored_pages"), NR);
	EXPECT_EQ(check_region(p, NR, PATTERN_QUARTER, 2), NR);

	/* What it has itself when it is given up is forgotten, too */
	ASSERT_EQ(swap_out(p, NR), NR);
	ASSERT_EQ(write_sim(1, "registered", 0), 0);
	ASSERT_EQ(sim_register(1, SMALL), 0);
	EXPECT_EQ(read_usage(1, "used_bytes"), 0);
	munmap(p, NR * page_size);
}

/*
 * ... which it may tell late, when nothing is stored and nobody asks any more. It takes
 * pages all the same before long.
 */
VSWAP_TEST(vswap_cram_room, stale_late)
{
	char *p = map_region(NR, false);
	long stored = 0;

	ASSERT_EQ(sim_load_with(1, 2, SMALL, "ratio=1 stale=100 late=500"), 0);
	ASSERT_EQ(write_sim(2, "refuse", 1), 0);
	ASSERT_EQ(sim_wait_blank(1, SMALL), 0);
	usleep(600000);
	for (int i = 0; i < 10 && stored < NR; i++) {
		usleep(500000);
		fill_region(p, NR, PATTERN_QUARTER, i);
		ASSERT_EQ(swap_out(p, NR), NR);
		stored = read_node(1, "stored_pages");
		EXPECT_EQ(check_region(p, NR, PATTERN_QUARTER, i), NR);
	}
	EXPECT_GE(stored, NR);
	munmap(p, NR * page_size);
}

/* Who frees pages does not wait until they are discarded; nobody writes there before. */
VSWAP_TEST(vswap_cram_room, slow_trim)
{
	const size_t nr = SMALL / page_size;
	char *p = map_region(nr, false);
	long begin, took;

	ASSERT_EQ(sim_load_with(1, 2, SMALL, "ratio=1"), 0);
	ASSERT_EQ(write_sim(2, "refuse", 1), 0);
	ASSERT_EQ(sim_wait_blank(1, SMALL), 0);
	ASSERT_EQ(write_sim(1, "trim_ms", 500), 0);
	fill_region(p, nr, PATTERN_QUARTER, 3);
	ASSERT_EQ(swap_out(p, nr), nr);
	EXPECT_GE(read_node(1, "stored_pages"), nr * 8 / 10);

	/* 8 commands of half a second and more, as it is some 1000 pages */
	begin = now_ms();
	munmap(p, nr * page_size);
	took = now_ms() - begin;
	TH_LOG("%ld ms to free them", took);
	EXPECT_LT(took, 2000);
	EXPECT_LE(read_node(1, "stored_pages"), OWN_PAGES);
	EXPECT_LT(read_node(1, "trimmed"), nr + nr * 8 / 10);

	/* What is not discarded yet is not written, which the device would see */
	p = map_region(nr, false);
	fill_region(p, nr, PATTERN_QUARTER, 4);
	ASSERT_EQ(swap_out(p, nr), nr);
	EXPECT_EQ(check_region(p, nr, PATTERN_QUARTER, 4), nr);
	munmap(p, nr * page_size);
	EXPECT_GE(wait_node_from(1, "trimmed", nr + nr * 8 / 10), nr + nr * 8 / 10);
}

/* A command that fails is given again. */
VSWAP_TEST(vswap_cram_room, trim_fails)
{
	char *p = map_region(NR, false);
	long trimmed;

	ASSERT_EQ(sim_load_with(1, 2, SMALL, "ratio=1"), 0);
	ASSERT_EQ(write_sim(2, "refuse", 1), 0);
	ASSERT_EQ(sim_wait_blank(1, SMALL), 0);
	fill_region(p, NR, PATTERN_QUARTER, 5);
	ASSERT_EQ(swap_out(p, NR), NR);
	trimmed = read_node(1, "trimmed");
	ASSERT_EQ(write_sim(1, "trim_fail", 2), 0);
	munmap(p, NR * page_size);
	/* After one second, and after two */
	usleep(500000);
	EXPECT_EQ(read_node(1, "trimmed"), trimmed);
	EXPECT_GE(wait_node_from(1, "trimmed", trimmed + NR), trimmed + NR);
	EXPECT_EQ(read_sim(1, "trim_fail"), 0);
	EXPECT_LE(read_usage(1, "used_bytes"), OWN_PAGES * page_size);
}

/* As long as nobody knows how much is in use, nothing is stored. */
VSWAP_TEST(vswap_cram_room, no_usage)
{
	char *p = map_region(NR, false);
	long stored;

	ASSERT_EQ(sim_load_with(1, 2, SMALL, "ratio=2"), 0);
	ASSERT_EQ(sim_wait_blank(1, SMALL), 0);
	ASSERT_EQ(write_sim(2, "refuse", 1), 0);
	ASSERT_EQ(write_sim(1, "usage_fail", 1), 0);
	/* It wants to say something new, and does not answer then */
	ASSERT_EQ(write_sim(1, "capacity_bytes", SMALL / 2), 0);
	fill_region(p, NR, PATTERN_QUARTER, 6);
	stored = read_node(1, "stored");
	ASSERT_EQ(swap_out(p, NR), NR);
	EXPECT_EQ(read_node(1, "stored"), stored);
	EXPECT_EQ(check_region(p, NR, PATTERN_QUARTER, 6), NR);

	ASSERT_EQ(write_sim(1, "usage_fail", 0), 0);
	for (int i = 0; i < 100 && read_node(1, "stored") == stored; i++) {
		ASSERT_EQ(swap_out(p, NR), NR);
		EXPECT_EQ(check_region(p, NR, PATTERN_QUARTER, 6), NR);
		usleep(100000);
	}
	EXPECT_GT(read_node(1, "stored"), stored);
	munmap(p, NR * page_size);
}

/* A driver that has no room for a page gets some: others are moved elsewhere. */
VSWAP_TEST(vswap_cram_room, driver_full)
{
	char *p = map_region(NR, false), *q = map_region(1, false);
	long evicted;

	ASSERT_EQ(sim_load_with(1, 2, SMALL, "ratio=1"), 0);
	ASSERT_EQ(write_sim(2, "refuse", 1), 0);
	ASSERT_EQ(sim_wait_blank(1, SMALL), 0);

	/* There is none yet: it is asked again after a while */
	ASSERT_EQ(write_sim(1, "refuse", 2), 0);
	fill_region(q, 1, PATTERN_QUARTER, 6);
	ASSERT_EQ(swap_out(q, 1), 1);
	EXPECT_EQ(read_node(1, "stored"), 0);
	ASSERT_EQ(write_sim(1, "refuse", 0), 0);
	for (int i = 0; i < 100 && !read_node(1, "stored"); i++) {
		EXPECT_EQ(check_region(q, 1, PATTERN_QUARTER, 6), 1);
		usleep(100000);
		ASSERT_EQ(swap_out(q, 1), 1);
	}
	EXPECT_GT(read_node(1, "stored"), 0);
	EXPECT_EQ(check_region(q, 1, PATTERN_QUARTER, 6), 1);

	fill_region(p, NR, PATTERN_QUARTER, 7);
	ASSERT_EQ(swap_out(p, NR), NR);
	EXPECT_GE(read_node(1, "stored_pages"), NR);
	EXPECT_EQ(read_node(1, "evicted"), 0);

	/* It just does not want to */
	ASSERT_EQ(write_sim(1, "refuse", 1), 0);
	fill_region(q, 1, PATTERN_QUARTER, 8);
	ASSERT_EQ(swap_out(q, 1), 1);
	EXPECT_EQ(check_region(q, 1, PATTERN_QUARTER, 8), 1);
	usleep(500000);
	EXPECT_EQ(read_node(1, "evicted"), 0);

	ASSERT_EQ(write_sim(1, "refuse", 2), 0);
	ASSERT_EQ(swap_out(q, 1), 1);
	EXPECT_GT(wait_node_from(1, "evicted", 1), 0);
	ASSERT_EQ(write_sim(1, "refuse", 0), 0);
	/* Some of them, not all */
	evicted = read_node(1, "evicted");
	EXPECT_LE(evicted, NR / 2);
	EXPECT_GE(read_node(1, "stored_pages"), NR / 2);
	/* ... and it goes on */
	EXPECT_EQ(check_region(p, NR, PATTERN_QUARTER, 7), NR);
	EXPECT_EQ(check_region(q, 1, PATTERN_QUARTER, 8), 1);
	ASSERT_EQ(swap_out(p, NR), NR);
	EXPECT_GE(read_node(1, "stored_pages"), NR / 2);
	EXPECT_EQ(check_region(p, NR, PATTERN_QUARTER, 7), NR);
	munmap(p, NR * page_size);
	munmap(q, page_size);
}

/*
 * If there are no more pages, though there is room, those that have been there for
 * long make room for others likewise.
 */
VSWAP_TEST(vswap_cram_room, pages_run_out)
{
	const size_t nr = SMALL / page_size;
	char *p = map_region(nr, false), *q = map_region(nr / 4, false);

	ASSERT_EQ(sim_load_with(1, 2, SMALL, "ratio=1"), 0);
	ASSERT_EQ(write_sim(2, "refuse", 1), 0);
	ASSERT_EQ(sim_wait_blank(1, SMALL), 0);
	fill_region(p, nr, PATTERN_QUARTER, 9);
	ASSERT_EQ(swap_out(p, nr), nr);
	EXPECT_LE(read_usage(1, "used_bytes"), SMALL / 2);
	EXPECT_GE(wait_node_from(1, "evicted", nr / 40), nr / 40);
	EXPECT_LE(read_node(1, "stored_pages"), nr * 95 / 100);
	EXPECT_GE(read_node(1, "stored_pages"), nr * 3 / 4);

	fill_region(q, nr / 4, PATTERN_QUARTER, 10);
	for (int i = 0; i < 4; i++) {
		char *part = q + i * (nr / 16) * page_size;
		long stored = read_node(1, "stored");

		/* Those that have been moved make room as soon as they are discarded */
		usleep(300000);
		ASSERT_EQ(swap_out(part, nr / 16), nr / 16);
		EXPECT_GT(read_node(1, "stored"), stored);
	}
	EXPECT_EQ(check_region(p, nr, PATTERN_QUARTER, 9), nr);
	EXPECT_EQ(check_region(q, nr / 4, PATTERN_QUARTER, 10), nr / 4);
	munmap(p, nr * page_size);
	munmap(q, nr / 4 * page_size);
}

/*
 * A device that drops what it has no room for, and does not say so: whoever needs such a
 * page gets an error, and nobody bytes that are not his.
 */
VSWAP_TEST(vswap_cram_room, dropped)
{
	char *p = map_region(NR, false);
	long lost, failed;

	ASSERT_EQ(sim_load_with(1, 2, SMALL, "ratio=1"), 0);
	ASSERT_EQ(sim_wait_blank(1, SMALL), 0);
	ASSERT_EQ(write_sim(2, "refuse", 1), 0);
	ASSERT_EQ(write_sim(1, "drop", 1), 0);
	ASSERT_EQ(write_sim(1, "lag_pages", 10000), 0);
	/* What it has said it has room for before it gets to them */
	fill_region(p, NR, PATTERN_RANDOM, 11);
	ASSERT_EQ(swap_out(p, NR), NR);
	EXPECT_GE(read_node(1, "stored_pages"), NR);
	ASSERT_EQ(write_sim(1, "capacity_bytes", NR / 4 * page_size), 0);
	ASSERT_EQ(write_sim(1, "drain", 1), 0);
	lost = read_sim(1, "lost_writes");
	failed = count_failed(p, NR, PATTERN_RANDOM, 11);
	TH_LOG("%ld pages were dropped, %ld reads failed, %ld found out", lost, failed,
	       read_node(1, "dropped"));
	EXPECT_GT(lost, 0);
	EXPECT_EQ(failed, lost);
	EXPECT_GE(read_node(1, "dropped"), lost);
	EXPECT_EQ(read_node(1, "poisoned"), 0);
	/* It may be the device for the moment: what is there is kept, and asked for again */
	EXPECT_EQ(count_failed(p, NR, PATTERN_RANDOM, 11), lost);
	EXPECT_GE(direct_pages(), lost);
	munmap(p, NR * page_size);
}

/*
 * One that answers rubbish for a while: this is an error for who reads then, and for
 * nobody afterwards. Nothing is thrown away because of it.
 */
VSWAP_TEST(vswap_cram_room, glitch)
{
	char *p = map_region(NR, false);
	long used;

	ASSERT_EQ(sim_load_with(1, 2, SMALL, "ratio=1"), 0);
	ASSERT_EQ(sim_wait_blank(1, SMALL), 0);
	ASSERT_EQ(write_sim(2, "refuse", 1), 0);
	fill_region(p, NR, PATTERN_QUARTER, 12);
	ASSERT_EQ(swap_out(p, NR), NR);
	used = read_usage(1, "used_bytes");
	ASSERT_EQ(write_sim(1, "glitch", 1), 0);
	EXPECT_EQ(count_failed(p, NR / 4, PATTERN_QUARTER, 12), NR / 4);
	/* Nor does who moves pages elsewhere */
	ASSERT_EQ(write_sim(1, "capacity_bytes", used / 2), 0);
	usleep(500000);
	EXPECT_EQ(read_node(1, "evicted"), 0);
	ASSERT_EQ(write_sim(1, "glitch", 0), 0);
	EXPECT_EQ(count_failed(p, NR, PATTERN_QUARTER, 12), 0);
	munmap(p, NR * page_size);
}

/* Memory with a hole is one device: pages on either side are used, and lost, and free. */
VSWAP_TEST(vswap_cram_room, ranges)
{
	const unsigned long bytes = 16 << 20, hole = 2 << 20;
	const size_t nr = 3000;
	char *p;

	/* What is there is nothing else */
	ASSERT_EQ(mlockall(MCL_CURRENT), 0);
	ASSERT_EQ(sim_load_with(1, 2, bytes, "ratio=1 stale=100 hole=2097152"), 0);
	ASSERT_EQ(write_sim(2, "refuse", 1), 0);
	EXPECT_EQ(read_node(1, "advertised_bytes"), bytes - hole);
	ASSERT_EQ(sim_wait_blank(1, bytes - hole), 0);
	EXPECT_EQ(read_sim(1, "used_bytes"), 0);
	p = map_region(nr, false);
	fill_region(p, nr, PATTERN_QUARTER, 30);
	ASSERT_EQ(swap_out(p, nr), nr);
	EXPECT_EQ(read_node(1, "stored_pages"), nr);
	/* The first one, and one behind the hole */
	ASSERT_EQ(write_sim(1, "poison", 0), 0);
	ASSERT_EQ(write_sim(1, "poison", 2500), 0);
	EXPECT_EQ(count_failed(p, nr, PATTERN_QUARTER, 30), 2);
	munmap(p, nr * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
	EXPECT_EQ(read_node(1, "poisoned"), 2);
	EXPECT_LE(wait_node(1, "stored_pages", 0), 0);

	/* Once more, with what is left, and it leaves with that */
	p = map_region(nr, false);
	fill_region(p, nr, PATTERN_QUARTER, 31);
	ASSERT_EQ(swap_out(p, nr), nr);
	EXPECT_EQ(read_node(1, "stored_pages"), nr);
	ASSERT_EQ(write_sim(1, "registered", 0), 0);
	EXPECT_TRUE(wait_gone(1));
	EXPECT_EQ(check_region(p, nr, PATTERN_QUARTER, 31), nr);
	munmap(p, nr * page_size);
	ASSERT_EQ(munlockall(), 0);
}

TEST_HARNESS_MAIN
