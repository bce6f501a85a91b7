// SPDX-License-Identifier: GPL-2.0
/*
 * Compressed RAM on a machine where zswap has never been switched on: it waits for that.
 * Simulated by tools/testing/cram/cram_sim.c; any two nodes will do that are possible.
 */
#include "../kselftest_harness.h"
#include "knobs.h"
#include "sim.h"

/* It comes and goes, full of an earlier kernel's data, with less room than that has. */
TEST(early)
{
	const char *missing = sim_missing();

	page_size = sysconf(_SC_PAGESIZE);
	if (!missing && !access(ZSWAP_DEBUG "stored_pages", F_OK))
		missing = "zswap has been on";
	if (missing)
		SKIP(return, "%s", missing);
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(sim_load_with(0, 1, SIM_RANGE, "ratio=8 stale=100"), 0);
		if (i) {
			EXPECT_EQ(sim_wait_blank(0, SIM_RANGE), 0);
			ASSERT_EQ(write_sim(1, "capacity_bytes", 0), 0);
			EXPECT_EQ(read_usage(0, "capacity_bytes"), 0);
		}
		ASSERT_EQ(sim_unload(), 0);
		EXPECT_TRUE(wait_gone(0));
		EXPECT_TRUE(wait_gone(1));
	}
	EXPECT_NE(access(ZSWAP_DEBUG "stored_pages", F_OK), 0);
}

TEST_HARNESS_MAIN
