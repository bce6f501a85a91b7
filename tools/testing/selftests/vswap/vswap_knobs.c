// SPDX-License-Identifier: GPL-2.0
/* What users set and see. */
#include <sys/swap.h>
#include "../kselftest_harness.h"
#include "vswap_util.h"

#define NR	512

VSWAP_FIXTURE(vswap_knobs);

static bool have_devices(void)
{
	return read_key("/proc/meminfo", "SwapTotal") > 0;
}

/* The three modes can be set and are shown; anything else changes nothing. */
VSWAP_TEST(vswap_knobs, mode)
{
	static const char * const bad[] = { "", "\n", "on", "autoo", "aut", "1", "never always" };
	char buf[64];

	ASSERT_EQ(write_file(VSWAP_MODE, "always\n"), 0);
	read_file(VSWAP_MODE, buf, sizeof(buf));
	EXPECT_STREQ(buf, "auto [always] never\n");
	for (size_t i = 1; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(write_file(VSWAP_MODE, bad[i]), -EINVAL) {
			TH_LOG("mode '%s' was taken", bad[i]);
		}
	}
	read_file(VSWAP_MODE, buf, sizeof(buf));
	EXPECT_STREQ(buf, "auto [always] never\n");
	ASSERT_EQ(write_file(VSWAP_MODE, "never"), 0);
	read_file(VSWAP_MODE, buf, sizeof(buf));
	EXPECT_STREQ(buf, "auto always [never]\n");
	ASSERT_EQ(write_file(VSWAP_MODE, "auto"), 0);
	read_file(VSWAP_MODE, buf, sizeof(buf));
	EXPECT_STREQ(buf, "[auto] always never\n");
}

/* Slots live on when the mode changes, and new ones follow it. */
VSWAP_TEST(vswap_knobs, switch_mode)
{
	char *p = map_region(NR, false), *q = map_region(NR, false);

	fill_region(p, NR, PATTERN_MIXED, 1);
	ASSERT_EQ(swap_out(p, NR), NR);
	ASSERT_EQ(write_file(VSWAP_MODE, "never"), 0);
	EXPECT_GE(vswap_stat("slots_used"), self->slots + NR);
	EXPECT_EQ(check_region(p, NR / 2, PATTERN_MIXED, 1), NR / 2);

	if (!have_devices()) {
		fill_region(q, NR, PATTERN_MIXED, 2);
		madvise(q, NR * page_size, MADV_PAGEOUT);
		EXPECT_EQ(count_swapped(q, NR), 0);
		EXPECT_EQ(check_region(q, NR, PATTERN_MIXED, 2), NR);
	}
	ASSERT_EQ(write_file(VSWAP_MODE, "always"), 0);
	ASSERT_EQ(swap_out(p, NR), NR);
	ASSERT_EQ(write_file(VSWAP_MODE, "auto"), 0);
	EXPECT_EQ(check_region(p, NR, PATTERN_MIXED, 1), NR);
	munmap(p, NR * page_size);
	munmap(q, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* zswap can be switched off while it holds pages. */
VSWAP_TEST(vswap_knobs, zswap_off)
{
	char *p = map_region(NR, false);

	fill_region(p, NR, PATTERN_MIXED, 3);
	ASSERT_EQ(swap_out(p, NR), NR);
	ASSERT_EQ(write_file(ZSWAP_PARAM "enabled", "0"), 0);
	EXPECT_EQ(check_region(p, NR / 2, PATTERN_MIXED, 3), NR / 2);
	if (!have_devices()) {
		madvise(p, NR / 2 * page_size, MADV_PAGEOUT);
		EXPECT_EQ(count_swapped(p, NR / 2), 0);
	}
	ASSERT_EQ(write_file(ZSWAP_PARAM "enabled", "1"), 0);
	EXPECT_EQ(swap_out(p, NR), NR);
	EXPECT_EQ(check_region(p, NR, PATTERN_MIXED, 3), NR);
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* The compressor can be changed while zswap holds pages. */
VSWAP_TEST(vswap_knobs, zswap_compressor)
{
	static const char * const names[] = { "lzo", "zstd", "deflate", "lz4" };
	char *p = map_region(NR, false);

	for (int i = 0; i < 4; i++) {
		fill_region(p, NR, PATTERN_MIXED, i);
		ASSERT_EQ(swap_out(p, NR), NR);
		if (write_file(ZSWAP_PARAM "compressor", names[i]))
			TH_LOG("no compressor %s", names[i]);
		EXPECT_EQ(check_region(p, NR / 2, PATTERN_MIXED, i), NR / 2);
		/* The rest stays in the pool of the compressor before */
		EXPECT_EQ(count_swapped(p + NR / 2 * page_size, NR / 2), NR / 2);
	}
	munmap(p, NR * page_size);
	EXPECT_LE(wait_slots(self->slots), self->slots);
}

/* The virtual device is no capacity and no device. */
VSWAP_TEST(vswap_knobs, not_a_device)
{
	long total = read_key("/proc/meminfo", "SwapTotal");
	long free = read_key("/proc/meminfo", "SwapFree");
	char before[4096], after[4096];
	char *p = map_region(NR, false);

	read_file("/proc/swaps", before, sizeof(before));
	fill_region(p, NR, PATTERN_MIXED, 4);
	ASSERT_EQ(swap_out(p, NR), NR);
	read_file("/proc/swaps", after, sizeof(after));
	EXPECT_STREQ(before, after);
	EXPECT_EQ(read_key("/proc/meminfo", "SwapTotal"), total);
	if (!have_devices())
		EXPECT_EQ(read_key("/proc/meminfo", "SwapFree"), free);
	EXPECT_EQ(swapoff("vswap"), -1);
	EXPECT_EQ(swapoff(""), -1);
	EXPECT_EQ(check_region(p, NR, PATTERN_MIXED, 4), NR);
	munmap(p, NR * page_size);
}

TEST_HARNESS_MAIN
