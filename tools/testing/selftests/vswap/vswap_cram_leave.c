// SPDX-License-Identifier: GPL-2.0
/*
 * Devices of compressed RAM that leave: with room for what is on them and without,
 * for good, or to come back. They are simulated by tools/testing/cram/cram_sim.c, whose
 * driver leaves nothing behind that could be called. Nodes 1 and 2 have to be possible
 * ones.
 */
#include <sys/time.h>
#include "../kselftest_harness.h"
#include "fault.h"
#include "knobs.h"
#include "sigbus.h"
#include "sim.h"

#define NR		1024
#define MAX_NTH		400
#define RANGE		(16UL << 20)	/* bytes */

FIXTURE(vswap_cram_leave) {
	char cgroup[128];
	long slots;
	bool loaded;
};

FIXTURE_SETUP(vswap_cram_leave)
{
	const char *missing = vswap_sim_missing();

	if (missing)
		SKIP(return, "%s", missing);
	ASSERT_EQ(sim_load_with(1, 2, RANGE, "ratio=2"), 0);
	self->loaded = true;
	ASSERT_EQ(sim_wait_blank(1, RANGE), 0);
	ASSERT_EQ(sim_wait_blank(2, RANGE), 0);
	ASSERT_EQ(cgroup_enter(self->cgroup, sizeof(self->cgroup), "vswap_cram_leave"), 0);
	ASSERT_EQ(write_file(VSWAP_MODE, "auto"), 0);
	self->slots = vswap_stat("slots_used");
}

FIXTURE_TEARDOWN(vswap_cram_leave)
{
	EXPECT_EQ(vswap_validate(), 0);
	if (self->loaded) {
		EXPECT_EQ(read_sim(1, "violations"), 0);
		EXPECT_EQ(sim_unload(), 0);
		/* What was left with pages was theirs who are gone */
		EXPECT_TRUE(wait_gone(1));
		EXPECT_TRUE(wait_gone(2));
	}
	cgroup_leave(self->cgroup);
}

static void on_alarm(int sig)
{
}

/* Have the driver leave with no room for what is on the device. */
static int make_orphan(const char *cgroup)
{
	int err = cgroup_no_room(cgroup);

	err = err ?: write_file(ZSWAP_PARAM "max_pool_percent", "0");
	return err ?: write_sim(1, "registered", 0);
}

/* The device goes while pages are on it; what was lost there stays lost. */
VSWAP_TEST(vswap_cram_leave, evacuate)
{
	char *p = map_region(NR, false);

	fill_region(p, NR, PATTERN_MIXED, 11);
	ASSERT_EQ(swap_out(p, NR), NR);
	EXPECT_GT(read_node(1, "stored_pages"), 0);
	ASSERT_EQ(write_sim(1, "poison", 5), 0);
	EXPECT_EQ(write_sim(1, "registered", 0), 0);
	EXPECT_EQ(read_node(1, "stored_pages"), -1);
	EXPECT_EQ(write_sim(1, "registered", 0), -ENOENT);
	EXPECT_FALSE(tier_has(9, 9, 1));
	EXPECT_EQ(count_failed(p, NR, PATTERN_MIXED, 11), 1);
	/* The other node goes on */
	munmap(p, NR * page_size);
	p = map_region(NR, false);
	fill_region(p, NR, PATTERN_QUARTER, 13);
	ASSERT_EQ(swap_out(p, NR), NR);
	EXPECT_GE(read_node(2, "stored_pages"), NR);
	EXPECT_EQ(check_region(p, NR, PATTERN_QUARTER, 13), NR);
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* ... under load. */
VSWAP_TEST(vswap_cram_leave, load)
{
	int go_on = fork_load(3, 1, NR / 2, PATTERN_ANY);

	ASSERT_GE(go_on, 0);
	/* It has pages when it goes, and would get more */
	EXPECT_TRUE(wait_stored(1, NR / 4));
	EXPECT_EQ(write_sim(1, "registered", 0), 0);
	EXPECT_TRUE(wait_stored(2, NR / 4));
	EXPECT_EQ(write_sim(2, "registered", 0), 0);
	EXPECT_EQ(direct_pages(), 0);
	EXPECT_EQ(wait_load(go_on, 3), 0);
	EXPECT_LE(wait_slots(self->slots), self->slots);
	EXPECT_EQ(vswap_stat("lost"), 0);
}

/* A signal ends it; nothing is lost, and what is left goes later. */
VSWAP_TEST(vswap_cram_leave, signal)
{
	const size_t nr = 2 * NR;
	/* Again and again: the first ones may come before it has begun */
	struct itimerval timer = { { 0, 5000 }, { 0, 5000 } }, none = {};
	struct sigaction action = { .sa_handler = on_alarm };
	char *p = map_region(nr, false);

	sigaction(SIGALRM, &action, NULL);
	fill_region(p, nr, PATTERN_QUARTER, 19);
	ASSERT_EQ(swap_out(p, nr), nr);
	ASSERT_EQ(setitimer(ITIMER_REAL, &timer, NULL), 0);
	EXPECT_EQ(write_sim(1, "registered", 0), -EBUSY);
	setitimer(ITIMER_REAL, &none, NULL);
	EXPECT_TRUE(node_is(1, "orphan"));
	EXPECT_GT(read_node(1, "stored_pages"), 0);
	EXPECT_FALSE(tier_has(9, 9, 1));
	EXPECT_EQ(read_node(1, "used_bytes"), 0);
	EXPECT_TRUE(wait_gone(1));
	EXPECT_EQ(check_region(p, nr, PATTERN_QUARTER, 19), nr);

	/* It can be had again */
	EXPECT_EQ(sim_register(1, RANGE), 0);
	ASSERT_EQ(swap_out(p, nr), nr);
	EXPECT_GE(read_node(1, "stored_pages"), nr);
	EXPECT_EQ(check_region(p, nr, PATTERN_QUARTER, 19), nr);
	munmap(p, nr * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/*
 * Without room for what is on it, the driver goes nevertheless, and nothing is lost: all
 * can be read, and freed. Whoever has the memory next adopts what is there.
 */
VSWAP_TEST(vswap_cram_leave, no_room)
{
	const size_t nr = debug_few(384, 256);
	char *p = map_region(nr, false);

	fill_region(p, nr, PATTERN_QUARTER, 14);
	ASSERT_EQ(swap_out(p, nr), nr);
	EXPECT_GE(read_node(1, "stored_pages"), nr);
	ASSERT_EQ(make_orphan(self->cgroup), -EBUSY);
	EXPECT_TRUE(node_is(1, "orphan"));
	EXPECT_GT(read_node(1, "stored_pages"), 0);
	EXPECT_FALSE(tier_has(9, 9, 1));
	/* Nobody is asked for any of it */
	EXPECT_EQ(write_node(1, "high_watermark", "96"), 0);
	EXPECT_EQ(read_node(1, "capacity_bytes"), 0);
	EXPECT_EQ(read_node(1, "used_bytes"), 0);
	EXPECT_EQ(check_region(p, 16, PATTERN_QUARTER, 14), 16);

	ASSERT_EQ(write_sim(1, "registered", 1), 0);
	EXPECT_TRUE(node_is(1, "online"));
	EXPECT_TRUE(tier_has(9, 9, 1));
	EXPECT_GT(read_node(1, "stored_pages"), 0);
	EXPECT_GT(read_usage(1, "used_bytes"), 0);
	EXPECT_EQ(write_file(ZSWAP_PARAM "max_pool_percent", "20"), 0);
	ASSERT_EQ(cgroup_write(self->cgroup, "memory.max", "max"), 0);
	EXPECT_EQ(check_region(p, nr, PATTERN_QUARTER, 14), nr);

	/* The node is in use as before */
	ASSERT_EQ(cgroup_write(self->cgroup, "memory.zswap.max", "max"), 0);
	fill_region(p, nr, PATTERN_QUARTER, 15);
	ASSERT_EQ(swap_out(p, nr), nr);
	EXPECT_GE(read_node(1, "stored_pages"), nr);
	EXPECT_EQ(check_region(p, nr, PATTERN_QUARTER, 15), nr);
	munmap(p, nr * page_size);
	EXPECT_EQ(write_sim(1, "registered", 0), 0);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* What is left goes by itself as soon as there is room, or nobody needs it. */
VSWAP_TEST(vswap_cram_leave, orphan)
{
	const size_t nr = debug_few(768, 192);
	char *p;

	for (int freed = 0; freed < 2; freed++) {
		p = map_region(nr, false);
		fill_region(p, nr, PATTERN_QUARTER, 22);
		ASSERT_EQ(swap_out(p, nr), nr);
		EXPECT_GE(read_node(1, "stored_pages"), nr);
		ASSERT_EQ(make_orphan(self->cgroup), -EBUSY);
		EXPECT_TRUE(node_is(1, "orphan"));
		if (freed)
			munmap(p, nr * page_size);
		ASSERT_EQ(cgroup_write(self->cgroup, "memory.max", "max"), 0);
		EXPECT_TRUE(wait_gone(1));
		if (!freed) {
			EXPECT_EQ(check_region(p, nr, PATTERN_QUARTER, 22), nr);
			munmap(p, nr * page_size);
		}
		EXPECT_EQ(write_file(ZSWAP_PARAM "max_pool_percent", "20"), 0);
		ASSERT_EQ(cgroup_write(self->cgroup, "memory.zswap.max", "max"), 0);
		ASSERT_EQ(cgroup_move(self->cgroup), 0);
		ASSERT_EQ(sim_register(1, RANGE), 0);
		EXPECT_EQ(read_node(1, "stored_pages"), 0);
	}
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* Of a device that vanishes, each page is an error, and none is anybody's bytes. */
VSWAP_TEST(vswap_cram_leave, gone)
{
	char *p = map_region(NR, false), *q = map_region(NR, false);

	/* It is not the sums that find it out */
	ASSERT_EQ(write_node(1, "verify", "0"), 0);
	fill_region(p, NR, PATTERN_QUARTER, 23);
	fill_region(q, NR, PATTERN_QUARTER, 24);
	ASSERT_EQ(swap_out(p, NR), NR);
	ASSERT_EQ(write_sim(1, "gone", 1), 0);
	EXPECT_TRUE(node_is(1, "gone"));
	EXPECT_EQ(count_failed(p, NR / 2, PATTERN_QUARTER, 23), NR / 2);
	/* The next device has what comes now */
	ASSERT_EQ(swap_out(q, NR), NR);
	EXPECT_GE(read_node(2, "stored_pages"), NR);
	EXPECT_EQ(check_region(q, NR, PATTERN_QUARTER, 24), NR);

	/* The driver is not kept waiting for what nobody can read */
	EXPECT_EQ(write_sim(1, "registered", 0), -EBUSY);
	EXPECT_TRUE(node_is(1, "gone"));
	EXPECT_EQ(count_failed(p + NR / 2 * page_size, NR / 4, PATTERN_QUARTER, 23), NR / 4);
	munmap(p, NR * page_size);
	munmap(q, NR * page_size);
	EXPECT_TRUE(wait_gone(1));
	EXPECT_LE(wait_slots(self->slots), self->slots);
	EXPECT_LE(direct_pages(), OWN_PAGES);
}

/* The same if it vanishes when the driver has left, with others at work. */
VSWAP_TEST(vswap_cram_leave, orphan_gone)
{
	const size_t nr = 256;
	char *p = map_region(nr, false);
	int go_on;

	ASSERT_EQ(write_node(1, "verify", "0"), 0);
	fill_region(p, nr, PATTERN_QUARTER, 25);
	ASSERT_EQ(swap_out(p, nr), nr);
	ASSERT_EQ(make_orphan(self->cgroup), -EBUSY);
	EXPECT_GT(read_node(1, "stored_pages"), 0);
	ASSERT_EQ(write_sim(1, "gone", 1), 0);
	EXPECT_TRUE(node_is(1, "gone"));
	EXPECT_EQ(write_file(ZSWAP_PARAM "max_pool_percent", "20"), 0);
	ASSERT_EQ(cgroup_write(self->cgroup, "memory.max", "max"), 0);
	ASSERT_EQ(cgroup_write(self->cgroup, "memory.zswap.max", "max"), 0);
	go_on = fork_load(2, 1, NR / 2, PATTERN_ANY);
	EXPECT_GT(count_failed(p, nr, PATTERN_QUARTER, 25), 0);
	EXPECT_EQ(write_sim(1, "registered", 1), -ENODEV);
	EXPECT_EQ(wait_load(go_on, 2), 0);
	munmap(p, nr * page_size);
	EXPECT_TRUE(wait_gone(1));
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* An interrupt says that nothing is to be stored, until one says otherwise. */
VSWAP_TEST(vswap_cram_leave, stopped)
{
	char *p = map_region(NR, false);

	fill_region(p, NR, PATTERN_QUARTER, 26);
	ASSERT_EQ(write_sim(1, "stop", 1), 0);
	EXPECT_TRUE(node_is(1, "stopped"));
	ASSERT_EQ(swap_out(p, NR), NR);
	EXPECT_EQ(read_node(1, "stored_pages"), 0);
	EXPECT_GE(read_node(2, "stored_pages"), NR);
	EXPECT_EQ(read_node(1, "evicted"), 0);
	EXPECT_EQ(check_region(p, NR, PATTERN_QUARTER, 26), NR);
	ASSERT_EQ(write_sim(1, "stop", 0), 0);
	EXPECT_TRUE(node_is(1, "online"));
	ASSERT_EQ(swap_out(p, NR), NR);
	EXPECT_GE(read_node(1, "stored_pages"), NR);
	EXPECT_EQ(check_region(p, NR, PATTERN_QUARTER, 26), NR);
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/*
 * To register with the n-th allocation failing, for all n that there are, but for those of
 * mapping the memory, where the kernel warns.
 */
VSWAP_TEST(vswap_cram_leave, register_fails)
{
	const int step = debug_few(1, 3);
	const char *why = fault_setup();
	int nth, err = -ENOMEM, failed = 0;

	if (why)
		SKIP(return, "%s", why);
	ASSERT_EQ(write_sim(1, "registered", 0), 0);
	ASSERT_EQ(fault_spare("memremap_pages"), 0);
	for (nth = 1; nth < MAX_NTH; nth += step) {
		bool injected;

		fail_arm(nth);
		err = write_sim(1, "registered", 1);
		injected = fail_done();
		if (!err) {
			if (!injected)
				break;
			/* It could do without */
			ASSERT_EQ(write_sim(1, "registered", 0), 0);
			continue;
		}
		ASSERT_TRUE(injected)
			TH_LOG("allocation %d: error %d", nth, err);
		ASSERT_EQ(read_node(1, "stored_pages"), -1);
		ASSERT_FALSE(tier_has(9, 9, 1));
		/* Nothing tells whether a region is in use or there is no memory for it */
		if (err != -EBUSY)
			ASSERT_EQ(err, -ENOMEM);
		failed++;
	}
	TH_LOG("%d of %d allocations failed", failed, (nth - 1) / step);
	EXPECT_EQ(err, 0);
	EXPECT_GT(failed, 20 / step);
	EXPECT_EQ(sim_wait_blank(1, RANGE), 0);
}

/* The same for who has to adopt what is there, which stays as it is until then. */
VSWAP_TEST(vswap_cram_leave, adopt_fails)
{
	const char *why = fault_setup();
	const size_t nr = 512;
	char *p = map_region(nr, false);
	int nth, err = -ENOMEM, failed = 0;

	if (why)
		SKIP(return, "%s", why);
	fill_region(p, nr, PATTERN_QUARTER, 27);
	ASSERT_EQ(swap_out(p, nr), nr);
	ASSERT_EQ(make_orphan(self->cgroup), -EBUSY);
	for (nth = 1; err && nth < MAX_NTH; nth++) {
		fail_arm(nth);
		err = write_sim(1, "registered", 1);
		fail_done();
		ASSERT_TRUE(node_is(1, err ? "orphan" : "online"));
		ASSERT_EQ(tier_has(9, 9, 1), !err);
		EXPECT_GT(read_node(1, "stored_pages"), 0);
		if (err) {
			EXPECT_EQ(err, -ENOMEM);
			failed++;
		}
	}
	TH_LOG("%d allocations failed", failed);
	EXPECT_EQ(err, 0);
	EXPECT_GT(failed, 0);
	EXPECT_EQ(write_file(ZSWAP_PARAM "max_pool_percent", "20"), 0);
	ASSERT_EQ(cgroup_write(self->cgroup, "memory.max", "max"), 0);
	EXPECT_EQ(check_region(p, nr, PATTERN_QUARTER, 27), nr);
	munmap(p, nr * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* To give up a node likewise: one round without memory for a page is no reason. */
VSWAP_TEST(vswap_cram_leave, fails)
{
	const int step = debug_few(1, 8);
	const char *why = fault_setup();
	const size_t nr = 32;
	char *p = map_region(nr, false);
	int nth, err, early = 0;
	bool injected = true;

	if (why)
		SKIP(return, "%s", why);
	fill_region(p, nr, PATTERN_QUARTER, 21);
	for (nth = 1; injected && nth < MAX_NTH; nth += step) {
		ASSERT_EQ(swap_out(p, nr), nr);
		ASSERT_GE(read_node(1, "stored_pages"), nr);
		fail_arm(nth);
		err = write_sim(1, "registered", 0);
		injected = fail_done();
		ASSERT_EQ(check_region(p, nr, PATTERN_QUARTER, 21), nr);
		if (err) {
			/* The file could not be opened or written */
			ASSERT_EQ(err, -ENOMEM);
			early++;
			continue;
		}
		ASSERT_EQ(read_node(1, "stored_pages"), -1);
		ASSERT_EQ(sim_register(1, RANGE), 0);
	}
	TH_LOG("%d allocations failed, %d times too early", nth / step - 1, early);
	EXPECT_LT(nth, MAX_NTH);
	EXPECT_GT(nth - early, nr);
	munmap(p, nr * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

TEST_HARNESS_MAIN
