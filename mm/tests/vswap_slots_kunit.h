/* SPDX-License-Identifier: GPL-2.0 */
/*
 * KUnit tests of slots of devices behind virtual ones, included by
 * mm/vswap_slots.c. The device is one of which only the allocator is there.
 */

#include "vswap_folio_kunit.h"

#define VSWAP_TEST_SLOTS	64
#define VSWAP_TEST_TYPE		1

/* What is in use on the device, and how often slots were allocated and freed */
static struct vswap_test_disk {
	unsigned long used;
	unsigned int allocs, frees;
	unsigned int step;	/* between slots allocated one by one */
	unsigned int left;	/* slots to be had */
	unsigned int extent;	/* slots that are consecutive blocks */
	bool ranges;		/* ranges are to be had, too */
} vswap_test_disk;

static swp_entry_t vswap_test_alloc(swp_entry_t owner, unsigned int order)
{
	struct vswap_test_disk *disk = &vswap_test_disk;
	unsigned int nr = 1 << order, offset;

	if ((order && !disk->ranges) || nr > disk->left)
		return (swp_entry_t) {};

	for (offset = nr; offset + nr <= VSWAP_TEST_SLOTS; offset += nr * disk->step) {
		unsigned long mask = GENMASK(offset + nr - 1, offset);

		if (disk->used & mask)
			continue;
		disk->used |= mask;
		disk->left -= nr;
		disk->allocs++;
		return swp_entry(VSWAP_TEST_TYPE, offset);
	}

	return (swp_entry_t) {};
}

static void vswap_test_free_range(swp_entry_t slot, unsigned int nr)
{
	unsigned long mask = GENMASK(swp_offset(slot) + nr - 1, swp_offset(slot));
	struct kunit *test = kunit_get_current_test();

	KUNIT_EXPECT_EQ(test, swp_type(slot), VSWAP_TEST_TYPE);
	KUNIT_EXPECT_EQ(test, vswap_test_disk.used & mask, mask);
	vswap_test_disk.used &= ~mask;
	vswap_test_disk.left += nr;
	vswap_test_disk.frees++;
}

static unsigned int vswap_test_extent(swp_entry_t slot, unsigned int nr)
{
	unsigned int extent = vswap_test_disk.extent;

	return min(nr, extent - (unsigned int)swp_offset(slot) % extent);
}

static int vswap_test_slots_init(struct kunit *test)
{
	vswap_test_disk = (struct vswap_test_disk) {
		.step = 1,
		.left = VSWAP_TEST_SLOTS,
		.extent = VSWAP_TEST_SLOTS,
		.ranges = true,
	};
	kunit_activate_static_stub(test, vswap_alloc_range, vswap_test_alloc);
	kunit_activate_static_stub(test, vswap_free_range, vswap_test_free_range);
	kunit_activate_static_stub(test, vswap_slots_in_extent, vswap_test_extent);
	return 0;
}

/* Nothing may be left on the device once the slots are gone. */
static void vswap_test_slots_free(struct kunit *test, struct folio *folio)
{
	vswap_test_free(folio);
	KUNIT_EXPECT_EQ(test, vswap_test_disk.used, 0);
}

/* Encodings of both directions, from the first slot to the last there may be. */
static void vswap_test_slot_words(struct kunit *test)
{
	static const swp_entry_t slots[] = {
		{ .val = 1 }, { .val = SWAPFILE_CLUSTER },
		{ .val = 2UL << SWP_TYPE_SHIFT | 77 },
		{ .val = (MAX_SWAPFILES - 1UL) << SWP_TYPE_SHIFT | 12345 },
	};

	for (int i = 0; i < ARRAY_SIZE(slots); i++) {
		unsigned long word = slot_to_vswap_tb(slots[i]);
		unsigned long rmap = rmap_to_swp_tb(slots[i]);
		swp_entry_t next = { .val = slots[i].val + 1 };

		KUNIT_EXPECT_TRUE(test, vswap_tb_is_slot(word));
		KUNIT_EXPECT_FALSE(test, vswap_tb_is_null(word));
		KUNIT_EXPECT_FALSE(test, vswap_tb_is_zswap(word));
		KUNIT_EXPECT_FALSE(test, vswap_tb_is_poison(word));
		KUNIT_EXPECT_EQ(test, vswap_tb_to_slot(word).val, slots[i].val);
		KUNIT_EXPECT_EQ(test, vswap_tb_to_slot(word | VSWAP_TB_SLOT_FAILED).val,
				slots[i].val);
		KUNIT_EXPECT_TRUE(test, vswap_tb_is_next_slot(word, slot_to_vswap_tb(next)));
		KUNIT_EXPECT_FALSE(test, vswap_tb_is_next_slot(word, word));

		KUNIT_EXPECT_TRUE(test, swp_tb_is_rmap(rmap));
		KUNIT_EXPECT_TRUE(test, swp_tb_is_rmap(rmap | SWP_TB_RMAP_HINT));
		KUNIT_EXPECT_FALSE(test, swp_tb_is_null(rmap));
		KUNIT_EXPECT_FALSE(test, swp_tb_is_folio(rmap));
		KUNIT_EXPECT_FALSE(test, swp_tb_is_shadow(rmap));
		KUNIT_EXPECT_FALSE(test, swp_tb_is_bad(rmap));
		KUNIT_EXPECT_EQ(test, swp_tb_to_rmap(rmap).val, slots[i].val);
		KUNIT_EXPECT_EQ(test, swp_tb_to_rmap(rmap | SWP_TB_RMAP_HINT).val,
				slots[i].val);
	}
	KUNIT_EXPECT_FALSE(test, swp_tb_is_rmap(SWP_TB_BAD));
	KUNIT_EXPECT_FALSE(test, vswap_tb_is_slot(VSWAP_TB_POISON));
	KUNIT_EXPECT_TRUE(test, vswap_tb_is_poison(VSWAP_TB_POISON));
}

/* Slots are freed at one go as long as they follow each other. */
static void vswap_test_slots_join(struct kunit *test)
{
	const swp_entry_t last = swp_entry(VSWAP_TEST_TYPE, SWAPFILE_CLUSTER - 2);
	struct vswap_run run = {}, next = { .slot = last, .nr = 1 };

	KUNIT_EXPECT_TRUE(test, vswap_join_runs(&run, &next));
	KUNIT_EXPECT_EQ(test, run.slot.val, last.val);
	KUNIT_EXPECT_EQ(test, run.nr, 1);
	/* Not the same ones again */
	KUNIT_EXPECT_FALSE(test, vswap_join_runs(&run, &next));
	next.slot.val = last.val + 1;
	KUNIT_EXPECT_TRUE(test, vswap_join_runs(&run, &next));
	KUNIT_EXPECT_EQ(test, run.nr, 2);
	/* ... nor across the end of a cluster */
	next.slot.val = last.val + 2;
	KUNIT_EXPECT_FALSE(test, vswap_join_runs(&run, &next));
	KUNIT_EXPECT_EQ(test, run.slot.val, last.val);
	KUNIT_EXPECT_EQ(test, run.nr, 2);
}

/* A slot is taken once and used again until a write to it fails. */
static void vswap_test_slots_reuse(struct kunit *test)
{
	struct vswap_test_disk *disk = &vswap_test_disk;
	struct folio *folio = vswap_test_folio(test, 0);
	swp_entry_t first;

	KUNIT_EXPECT_EQ(test, vswap_peek_slot(folio->swap).val, 0);
	KUNIT_ASSERT_TRUE(test, vswap_back_folio(folio));
	first = vswap_peek_slot(folio->swap);
	KUNIT_EXPECT_EQ(test, swp_type(first), VSWAP_TEST_TYPE);
	KUNIT_EXPECT_EQ(test, disk->used, BIT(swp_offset(first)));

	KUNIT_EXPECT_TRUE(test, vswap_back_folio(folio));
	KUNIT_EXPECT_EQ(test, vswap_peek_slot(folio->swap).val, first.val);
	KUNIT_EXPECT_EQ(test, disk->allocs, 1);

	vswap_io_failed(folio, 0, 1, WRITE);
	KUNIT_EXPECT_EQ(test, vswap_peek_slot(folio->swap).val, first.val);
	KUNIT_EXPECT_TRUE(test, vswap_back_folio(folio));
	KUNIT_EXPECT_EQ(test, disk->allocs, 2);
	KUNIT_EXPECT_EQ(test, disk->frees, 1);
	KUNIT_EXPECT_NE(test, vswap_peek_slot(folio->swap).val, first.val);

	/* If there is no other, that one */
	first = vswap_peek_slot(folio->swap);
	vswap_io_failed(folio, 0, 1, WRITE);
	disk->left = 0;
	KUNIT_EXPECT_TRUE(test, vswap_back_folio(folio));
	KUNIT_EXPECT_EQ(test, disk->frees, 2);
	KUNIT_EXPECT_EQ(test, vswap_get_backing(folio->swap) & VSWAP_TB_SLOT_FAILED, 0);
	vswap_test_slots_free(test, folio);
	KUNIT_EXPECT_EQ(test, disk->frees, 3);
}

/* No slot: nothing is behind the folio, and the next attempt works. */
static void vswap_test_slots_none(struct kunit *test)
{
	struct folio *folio = vswap_test_folio(test, 0);

	vswap_test_disk.left = 0;
	KUNIT_EXPECT_FALSE(test, vswap_back_folio(folio));
	KUNIT_EXPECT_FALSE(test, vswap_may_write(folio, true));
	KUNIT_EXPECT_EQ(test, vswap_peek_slot(folio->swap).val, 0);
	vswap_test_disk.left = 1;
	KUNIT_EXPECT_FALSE(test, vswap_may_write(folio, false));
	KUNIT_EXPECT_EQ(test, vswap_test_disk.used, 0);
	KUNIT_EXPECT_TRUE(test, vswap_may_write(folio, true));
	vswap_test_slots_free(test, folio);
}

/* A large folio takes one range, and gives it back at one go. */
static void vswap_test_slots_range(struct kunit *test)
{
	struct vswap_test_disk *disk = &vswap_test_disk;
	struct folio *folio = vswap_test_folio(test, 4);
	unsigned int nr;
	swp_entry_t slot;

	KUNIT_ASSERT_TRUE(test, vswap_back_folio(folio));
	KUNIT_EXPECT_EQ(test, disk->allocs, 1);
	KUNIT_EXPECT_EQ(test, hweight_long(disk->used), 16);
	slot = vswap_slot_range(folio, 0, &nr);
	KUNIT_EXPECT_EQ(test, nr, 16);
	KUNIT_EXPECT_EQ(test, swp_offset(slot) % 16, 0);
	KUNIT_EXPECT_EQ(test, vswap_slot_range(folio, 5, &nr).val, slot.val + 5);
	KUNIT_EXPECT_EQ(test, nr, 11);
	vswap_test_slots_free(test, folio);
	KUNIT_EXPECT_EQ(test, disk->frees, 1);
}

/* ... or slots here and there, and then there is a piece for each. */
static void vswap_test_slots_split(struct kunit *test)
{
	struct vswap_test_disk *disk = &vswap_test_disk;
	struct folio *folio = vswap_test_folio(test, 4);
	unsigned int nr;

	disk->ranges = false;
	disk->step = 2;
	KUNIT_ASSERT_TRUE(test, vswap_back_folio(folio));
	KUNIT_EXPECT_EQ(test, disk->allocs, 16);
	for (int i = 0; i < 16; i++) {
		vswap_slot_range(folio, i, &nr);
		KUNIT_EXPECT_EQ(test, nr, 1);
	}
	vswap_test_slots_free(test, folio);
	KUNIT_EXPECT_EQ(test, disk->frees, 16);
}

/* Slots that follow each other need not do so as blocks, in a swap file. */
static void vswap_test_slots_extents(struct kunit *test)
{
	struct folio *folio = vswap_test_folio(test, 4);
	unsigned int nr;

	vswap_test_disk.ranges = false;
	vswap_test_disk.extent = 6;
	KUNIT_ASSERT_TRUE(test, vswap_back_folio(folio));
	/* Slots 1 to 16 */
	KUNIT_EXPECT_EQ(test, swp_offset(vswap_slot_range(folio, 0, &nr)), 1);
	KUNIT_EXPECT_EQ(test, nr, 5);
	KUNIT_EXPECT_EQ(test, swp_offset(vswap_slot_range(folio, 5, &nr)), 6);
	KUNIT_EXPECT_EQ(test, nr, 6);
	KUNIT_EXPECT_EQ(test, swp_offset(vswap_slot_range(folio, 11, &nr)), 12);
	KUNIT_EXPECT_EQ(test, nr, 5);
	vswap_test_slots_free(test, folio);
}

/* Too few of them: those that were had are given back. */
static void vswap_test_slots_too_few(struct kunit *test)
{
	struct folio *folio = vswap_test_folio(test, 4);

	vswap_test_disk.left = 15;
	KUNIT_EXPECT_FALSE(test, vswap_back_folio(folio));
	KUNIT_EXPECT_EQ(test, vswap_test_disk.used, 0);
	KUNIT_EXPECT_EQ(test, vswap_test_disk.left, 15);
	for (int i = 0; i < 16; i++) {
		swp_entry_t swp = { .val = folio->swap.val + i };

		KUNIT_EXPECT_EQ(test, vswap_get_backing(swp), VSWAP_TB_NULL);
	}
	vswap_test_slots_free(test, folio);
}

/* zswap takes the place of a slot, and a slot that of zswap. */
static void vswap_test_slots_and_zswap(struct kunit *test)
{
	static unsigned long entries[2];
	struct zswap_entry *entry = (struct zswap_entry *)&entries[0], *old = entry;
	struct folio *folio = vswap_test_folio(test, 0);
	swp_entry_t swp = folio->swap, slot;

	KUNIT_ASSERT_TRUE(test, vswap_back_folio(folio));
	KUNIT_EXPECT_NULL(test, vswap_load_zswap(swp));
	KUNIT_EXPECT_NULL(test, vswap_erase_zswap(swp));
	KUNIT_ASSERT_EQ(test, vswap_store_zswap(swp, entry, &old), 0);
	KUNIT_EXPECT_NULL(test, old);
	KUNIT_EXPECT_EQ(test, vswap_test_disk.used, 0);
	KUNIT_EXPECT_EQ(test, vswap_peek_slot(swp).val, 0);
	KUNIT_EXPECT_TRUE(test, vswap_is_synchronous(swp));

	/* Reserved and given back: zswap still has it */
	KUNIT_ASSERT_EQ(test, vswap_reserve_slot(swp, &slot), 0);
	KUNIT_EXPECT_NE(test, vswap_test_disk.used, 0);
	vswap_cancel_slot(swp, slot);
	KUNIT_EXPECT_EQ(test, vswap_test_disk.used, 0);
	KUNIT_EXPECT_PTR_EQ(test, vswap_load_zswap(swp), entry);

	/* ... and used */
	KUNIT_ASSERT_EQ(test, vswap_reserve_slot(swp, &slot), 0);
	KUNIT_EXPECT_PTR_EQ(test, vswap_use_slot(swp, slot), entry);
	KUNIT_EXPECT_EQ(test, vswap_peek_slot(swp).val, slot.val);
	KUNIT_EXPECT_NULL(test, vswap_load_zswap(swp));

	vswap_test_disk.left = 0;
	KUNIT_EXPECT_EQ(test, vswap_reserve_slot(swp, &slot), -ENOSPC);
	vswap_test_slots_free(test, folio);
}

static struct kunit_case vswap_slots_test_cases[] = {
	KUNIT_CASE(vswap_test_slot_words),
	KUNIT_CASE(vswap_test_slots_join),
	KUNIT_CASE(vswap_test_slots_reuse),
	KUNIT_CASE(vswap_test_slots_none),
	KUNIT_CASE(vswap_test_slots_range),
	KUNIT_CASE(vswap_test_slots_split),
	KUNIT_CASE(vswap_test_slots_extents),
	KUNIT_CASE(vswap_test_slots_too_few),
	KUNIT_CASE(vswap_test_slots_and_zswap),
	{}
};

static struct kunit_suite vswap_slots_test_suite = {
	.name = "vswap_slots",
	.init = vswap_test_slots_init,
	.test_cases = vswap_slots_test_cases,
};

kunit_test_suite(vswap_slots_test_suite);
