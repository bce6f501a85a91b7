/* SPDX-License-Identifier: GPL-2.0 */
/*
 * KUnit tests of physical slots, included by mm/vswap_io.c. The device is one of
 * which only the allocator is there.
 */

#include "../zswap.h"
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
	unsigned int charged;	/* slots */
	unsigned int limit;	/* ... at the most */
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

static bool vswap_test_has_free(void)
{
	return vswap_test_disk.left > 0;
}

static int vswap_test_charge(unsigned short id, unsigned int nr, bool events)
{
	if (vswap_test_disk.charged + nr > vswap_test_disk.limit)
		return -ENOMEM;
	vswap_test_disk.charged += nr;
	return 0;
}

static void vswap_test_uncharge(unsigned short id, unsigned int nr)
{
	KUNIT_EXPECT_GE(kunit_get_current_test(), vswap_test_disk.charged, nr);
	vswap_test_disk.charged -= nr;
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
		.limit = VSWAP_TEST_SLOTS,
		.ranges = true,
	};
	kunit_activate_static_stub(test, vswap_phys_alloc, vswap_test_alloc);
	kunit_activate_static_stub(test, vswap_phys_free, vswap_test_free_range);
	kunit_activate_static_stub(test, vswap_phys_available, vswap_test_has_free);
	kunit_activate_static_stub(test, vswap_phys_charge, vswap_test_charge);
	kunit_activate_static_stub(test, vswap_phys_uncharge, vswap_test_uncharge);
	kunit_activate_static_stub(test, vswap_phys_in_extent, vswap_test_extent);
	return 0;
}

/* Nothing may be left on the device once the slots are gone. */
static void vswap_test_slots_free(struct kunit *test, struct folio *folio)
{
	vswap_test_free(folio);
	KUNIT_EXPECT_EQ(test, vswap_test_disk.used, 0);
	KUNIT_EXPECT_EQ(test, vswap_test_disk.charged, 0);
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
		unsigned long word = phys_to_vswap_tb(slots[i]);
		unsigned long rmap = backref_to_swp_tb(slots[i]);
		swp_entry_t next = { .val = slots[i].val + 1 };

		KUNIT_EXPECT_TRUE(test, vswap_tb_is_phys(word));
		KUNIT_EXPECT_FALSE(test, vswap_tb_is_null(word));
		KUNIT_EXPECT_FALSE(test, vswap_tb_is_zswap(word));
		KUNIT_EXPECT_FALSE(test, vswap_tb_is_poison(word));
		KUNIT_EXPECT_EQ(test, vswap_tb_to_phys(word).val, slots[i].val);
		KUNIT_EXPECT_FALSE(test, vswap_tb_has_failed(word));
		KUNIT_EXPECT_TRUE(test, vswap_tb_has_failed(word | VSWAP_TB_PHYS_FAILED));
		KUNIT_EXPECT_EQ(test, vswap_tb_to_phys(word | VSWAP_TB_PHYS_MASK).val,
				slots[i].val);
		KUNIT_EXPECT_TRUE(test, vswap_tb_is_next_phys(word, phys_to_vswap_tb(next)));
		KUNIT_EXPECT_FALSE(test, vswap_tb_is_next_phys(word, word));

		KUNIT_EXPECT_TRUE(test, swp_tb_is_backref(rmap));
		KUNIT_EXPECT_TRUE(test, swp_tb_is_backref(rmap | SWP_TB_BACKREF_HINT));
		KUNIT_EXPECT_FALSE(test, swp_tb_is_null(rmap));
		KUNIT_EXPECT_FALSE(test, swp_tb_is_folio(rmap));
		KUNIT_EXPECT_FALSE(test, swp_tb_is_shadow(rmap));
		KUNIT_EXPECT_FALSE(test, swp_tb_is_bad(rmap));
		KUNIT_EXPECT_EQ(test, swp_tb_to_backref(rmap).val, slots[i].val);
		KUNIT_EXPECT_EQ(test, swp_tb_to_backref(rmap | SWP_TB_BACKREF_HINT).val,
				slots[i].val);
	}
	KUNIT_EXPECT_FALSE(test, swp_tb_is_backref(SWP_TB_BAD));
	KUNIT_EXPECT_FALSE(test, vswap_tb_is_phys(VSWAP_TB_POISON));
	KUNIT_EXPECT_TRUE(test, vswap_tb_is_poison(VSWAP_TB_POISON));
}

/* Slots are freed at one go as long as they follow each other. */
static void vswap_test_slots_join(struct kunit *test)
{
	const swp_entry_t last = swp_entry(VSWAP_TEST_TYPE, SWAPFILE_CLUSTER - 2);
	struct vswap_run run = {}, next = { .slot = last, .nr = 1 };

	KUNIT_EXPECT_TRUE(test, vswap_merge_runs(&run, &next));
	KUNIT_EXPECT_EQ(test, run.slot.val, last.val);
	KUNIT_EXPECT_EQ(test, run.nr, 1);
	/* Not the same ones again */
	KUNIT_EXPECT_FALSE(test, vswap_merge_runs(&run, &next));
	next.slot.val = last.val + 1;
	KUNIT_EXPECT_TRUE(test, vswap_merge_runs(&run, &next));
	KUNIT_EXPECT_EQ(test, run.nr, 2);
	/* ... nor across the end of a cluster */
	next.slot.val = last.val + 2;
	KUNIT_EXPECT_FALSE(test, vswap_merge_runs(&run, &next));
	KUNIT_EXPECT_EQ(test, run.slot.val, last.val);
	KUNIT_EXPECT_EQ(test, run.nr, 2);
}

/* A slot is taken once and used again until a write to it fails. */
static void vswap_test_slots_reuse(struct kunit *test)
{
	struct vswap_test_disk *disk = &vswap_test_disk;
	struct folio *folio = vswap_test_folio(test, 0);
	swp_entry_t first;

	KUNIT_EXPECT_EQ(test, vswap_peek_phys(folio->swap).val, 0);
	KUNIT_ASSERT_EQ(test, vswap_back_folio(folio), 0);
	first = vswap_peek_phys(folio->swap);
	KUNIT_EXPECT_EQ(test, swp_type(first), VSWAP_TEST_TYPE);
	KUNIT_EXPECT_EQ(test, disk->used, BIT(swp_offset(first)));

	KUNIT_EXPECT_EQ(test, vswap_back_folio(folio), 0);
	KUNIT_EXPECT_EQ(test, vswap_peek_phys(folio->swap).val, first.val);
	KUNIT_EXPECT_EQ(test, disk->allocs, 1);

	vswap_io_failed(folio, 0, 1, WRITE);
	KUNIT_EXPECT_EQ(test, vswap_peek_phys(folio->swap).val, first.val);
	KUNIT_EXPECT_EQ(test, vswap_back_folio(folio), 0);
	KUNIT_EXPECT_EQ(test, disk->allocs, 2);
	KUNIT_EXPECT_EQ(test, disk->frees, 1);
	KUNIT_EXPECT_NE(test, vswap_peek_phys(folio->swap).val, first.val);

	/* If there is no other, that one */
	first = vswap_peek_phys(folio->swap);
	vswap_io_failed(folio, 0, 1, WRITE);
	disk->left = 0;
	KUNIT_EXPECT_EQ(test, vswap_back_folio(folio), 0);
	KUNIT_EXPECT_EQ(test, vswap_peek_phys(folio->swap).val, first.val);
	KUNIT_EXPECT_EQ(test, vswap_get_word(folio->swap) & VSWAP_TB_PHYS_FAILED, 0);
	KUNIT_EXPECT_EQ(test, disk->charged, 1);
	vswap_test_slots_free(test, folio);
	KUNIT_EXPECT_EQ(test, disk->allocs, disk->frees);
}

/* Of a large folio, only the slots that have failed are replaced. */
static void vswap_test_slots_failed(struct kunit *test)
{
	struct vswap_test_disk *disk = &vswap_test_disk;
	struct folio *folio = vswap_test_folio(test, 4);
	unsigned long bad;

	/* Slots 1 to 16, and the limit is reached */
	disk->ranges = false;
	disk->limit = 16;
	KUNIT_ASSERT_EQ(test, vswap_back_folio(folio), 0);
	KUNIT_EXPECT_EQ(test, disk->used, GENMASK(16, 1));
	KUNIT_EXPECT_EQ(test, disk->charged, 16);

	/* The bad ones would be the first to be had again */
	vswap_io_failed(folio, 3, 2, WRITE);
	vswap_io_failed(folio, 9, 1, WRITE);
	bad = BIT(4) | BIT(5) | BIT(10);
	KUNIT_EXPECT_EQ(test, vswap_back_folio(folio), 0);
	KUNIT_EXPECT_EQ(test, disk->used, GENMASK(19, 1) & ~bad);
	KUNIT_EXPECT_EQ(test, disk->charged, 16);
	KUNIT_EXPECT_TRUE(test, vswap_has_phys(folio));

	/* A range takes the place of all */
	disk->ranges = true;
	vswap_io_failed(folio, 0, 1, WRITE);
	KUNIT_EXPECT_EQ(test, vswap_back_folio(folio), 0);
	KUNIT_EXPECT_EQ(test, hweight_long(disk->used), 16);
	KUNIT_EXPECT_EQ(test, disk->used & GENMASK(19, 0), 0);
	KUNIT_EXPECT_EQ(test, disk->charged, 16);

	/* No others: another try */
	vswap_io_failed(folio, 5, 3, WRITE);
	disk->left = 1;
	KUNIT_EXPECT_EQ(test, vswap_back_folio(folio), 0);
	KUNIT_EXPECT_TRUE(test, vswap_has_phys(folio));
	KUNIT_EXPECT_EQ(test, hweight_long(disk->used), 16);
	KUNIT_EXPECT_EQ(test, disk->charged, 16);
	vswap_test_slots_free(test, folio);
}

/* Some pages have slots, others have none, and there are too few. */
static void vswap_test_slots_mixed(struct kunit *test)
{
	struct vswap_test_disk *disk = &vswap_test_disk;
	struct folio *folio = vswap_test_folio(test, 4);
	unsigned int ci_off = swp_cluster_offset(folio->swap);
	struct swap_cluster_info *ci;

	disk->ranges = false;
	KUNIT_ASSERT_EQ(test, vswap_back_folio(folio), 0);
	ci = swap_cluster_get_and_lock(folio);
	vswap_free_slots(ci, ci_off + 4, 6);
	swap_cluster_unlock(ci);
	KUNIT_EXPECT_EQ(test, disk->charged, 10);
	vswap_io_failed(folio, 0, 2, WRITE);

	/* Above the limit: what is there stays, see vswap_keep_rejected() */
	disk->limit = 15;
	KUNIT_EXPECT_EQ(test, vswap_back_folio(folio), -EDQUOT);
	KUNIT_EXPECT_EQ(test, hweight_long(disk->used), 10);
	KUNIT_EXPECT_EQ(test, disk->charged, 10);

	disk->limit = 16;
	KUNIT_ASSERT_EQ(test, vswap_back_folio(folio), 0);
	ci = swap_cluster_get_and_lock(folio);
	vswap_free_slots(ci, ci_off + 4, 6);
	swap_cluster_unlock(ci);
	vswap_io_failed(folio, 0, 2, WRITE);
	disk->left = 5;
	KUNIT_EXPECT_EQ(test, vswap_back_folio(folio), -ENOSPC);
	KUNIT_EXPECT_EQ(test, disk->used, 0);
	KUNIT_EXPECT_EQ(test, disk->charged, 0);
	vswap_test_slots_free(test, folio);
}

static bool vswap_test_may_not_write(struct folio *folio)
{
	return false;
}

/* No slot: nothing is behind the folio, and the next attempt works. */
static void vswap_test_slots_none(struct kunit *test)
{
	struct folio *folio = vswap_test_folio(test, 0);

	vswap_test_disk.left = 0;
	KUNIT_EXPECT_EQ(test, vswap_back_folio(folio), -ENOSPC);
	KUNIT_EXPECT_FALSE(test, vswap_prepare_write(folio));
	KUNIT_EXPECT_EQ(test, vswap_peek_phys(folio->swap).val, 0);
	/* A table for it would be one for nothing */
	KUNIT_EXPECT_NULL(test, __swap_entry_to_cluster(folio->swap)->backing);
	vswap_test_disk.left = 1;
	kunit_activate_static_stub(test, vswap_may_write, vswap_test_may_not_write);
	KUNIT_EXPECT_FALSE(test, vswap_prepare_write(folio));
	KUNIT_EXPECT_EQ(test, vswap_test_disk.used, 0);
	kunit_deactivate_static_stub(test, vswap_may_write);
	KUNIT_EXPECT_TRUE(test, vswap_prepare_write(folio));
	vswap_test_slots_free(test, folio);
}

/* A large folio takes one range, and gives it back at one go. */
static void vswap_test_slots_range(struct kunit *test)
{
	struct vswap_test_disk *disk = &vswap_test_disk;
	struct folio *folio = vswap_test_folio(test, 4);
	unsigned int nr;
	swp_entry_t slot;

	KUNIT_ASSERT_EQ(test, vswap_back_folio(folio), 0);
	KUNIT_EXPECT_EQ(test, disk->allocs, 1);
	KUNIT_EXPECT_EQ(test, hweight_long(disk->used), 16);
	slot = vswap_phys_range(folio, 0, &nr);
	KUNIT_EXPECT_EQ(test, nr, 16);
	KUNIT_EXPECT_EQ(test, swp_offset(slot) % 16, 0);
	KUNIT_EXPECT_EQ(test, vswap_phys_range(folio, 5, &nr).val, slot.val + 5);
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
	KUNIT_ASSERT_EQ(test, vswap_back_folio(folio), 0);
	KUNIT_EXPECT_EQ(test, disk->allocs, 16);
	for (int i = 0; i < 16; i++) {
		vswap_phys_range(folio, i, &nr);
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
	KUNIT_ASSERT_EQ(test, vswap_back_folio(folio), 0);
	/* Slots 1 to 16 */
	KUNIT_EXPECT_EQ(test, swp_offset(vswap_phys_range(folio, 0, &nr)), 1);
	KUNIT_EXPECT_EQ(test, nr, 5);
	KUNIT_EXPECT_EQ(test, swp_offset(vswap_phys_range(folio, 5, &nr)), 6);
	KUNIT_EXPECT_EQ(test, nr, 6);
	KUNIT_EXPECT_EQ(test, swp_offset(vswap_phys_range(folio, 11, &nr)), 12);
	KUNIT_EXPECT_EQ(test, nr, 5);
	vswap_test_slots_free(test, folio);
}

/* Too few of them: those that were had are given back. */
static void vswap_test_slots_too_few(struct kunit *test)
{
	struct folio *folio = vswap_test_folio(test, 4);

	vswap_test_disk.left = 15;
	KUNIT_EXPECT_EQ(test, vswap_back_folio(folio), -ENOSPC);
	KUNIT_EXPECT_EQ(test, vswap_test_disk.used, 0);
	KUNIT_EXPECT_EQ(test, vswap_test_disk.left, 15);
	for (int i = 0; i < 16; i++) {
		swp_entry_t swp = { .val = folio->swap.val + i };

		KUNIT_EXPECT_EQ(test, vswap_get_word(swp), VSWAP_TB_NULL);
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

	KUNIT_ASSERT_EQ(test, vswap_back_folio(folio), 0);
	KUNIT_EXPECT_NULL(test, zswap_slot_load(swp));
	KUNIT_EXPECT_NULL(test, zswap_slot_erase(swp));
	KUNIT_ASSERT_EQ(test, zswap_slot_store(swp, entry, &old), 0);
	KUNIT_EXPECT_NULL(test, old);
	KUNIT_EXPECT_EQ(test, vswap_test_disk.used, 0);
	KUNIT_EXPECT_EQ(test, vswap_peek_phys(swp).val, 0);
	KUNIT_EXPECT_TRUE(test, vswap_is_synchronous(swp));

	/* Reserved and given back: zswap still has it */
	KUNIT_ASSERT_EQ(test, zswap_slot_reserve_phys(swp, &slot), 0);
	KUNIT_EXPECT_NE(test, vswap_test_disk.used, 0);
	zswap_slot_cancel_phys(swp, slot);
	KUNIT_EXPECT_EQ(test, vswap_test_disk.used, 0);
	KUNIT_EXPECT_PTR_EQ(test, zswap_slot_load(swp), entry);

	/* ... and used */
	KUNIT_ASSERT_EQ(test, zswap_slot_reserve_phys(swp, &slot), 0);
	zswap_slot_replace(swp, slot);
	KUNIT_EXPECT_EQ(test, vswap_peek_phys(swp).val, slot.val);
	KUNIT_EXPECT_NULL(test, zswap_slot_load(swp));

	vswap_test_disk.left = 0;
	KUNIT_EXPECT_EQ(test, zswap_slot_reserve_phys(swp, &slot), -ENOSPC);
	vswap_test_slots_free(test, folio);
}

/* Failed I/O marks the slots that it was for, and no word of another kind. */
static void vswap_test_slots_io_failed(struct kunit *test)
{
	struct folio *folio = vswap_test_folio(test, 3);
	struct zswap_entry *entry = (struct zswap_entry *)&vswap_test_disk, *old;
	struct swap_cluster_info *ci = __swap_entry_to_cluster(folio->swap);
	unsigned int ci_off = swp_cluster_offset(folio->swap);
	unsigned long before[8];
	struct vswap_run run;

	KUNIT_ASSERT_EQ(test, vswap_back_folio(folio), 0);
	KUNIT_ASSERT_EQ(test, zswap_slot_store(folio->swap, entry, &old), 0);
	swap_cluster_get_and_lock(folio);
	KUNIT_EXPECT_EQ(test, vswap_detach_phys(ci, ci_off + 1, 2, &run), 2);
	vswap_free_run(&run);
	vswap_poison(ci, ci_off + 2);
	swap_cluster_unlock(ci);
	for (int i = 0; i < 8; i++)
		before[i] = __vswap_tb_get(ci, ci_off + i);

	vswap_io_failed(folio, 4, 2, READ);
	for (int i = 0; i < 8; i++)
		KUNIT_EXPECT_EQ(test, __vswap_tb_get(ci, ci_off + i), before[i] |
				(i / 2 == 2 ? VSWAP_TB_PHYS_FAILED : 0));

	kunit_warning_suppress(test)
		vswap_io_failed(folio, 0, 8, WRITE);
	for (int i = 0; i < 8; i++)
		KUNIT_EXPECT_EQ(test, __vswap_tb_get(ci, ci_off + i), before[i] |
				(i > 2 ? VSWAP_TB_PHYS_FAILED : 0));

	/* A zswap entry is marked by itself, and still is the same */
	zswap_slot_mark_failed(folio->swap);
	KUNIT_EXPECT_TRUE(test, vswap_tb_has_failed(__vswap_tb_get(ci, ci_off)));
	KUNIT_EXPECT_EQ(test, __vswap_tb_get(ci, ci_off + 1), VSWAP_TB_NULL);
	KUNIT_EXPECT_PTR_EQ(test, zswap_slot_load(folio->swap), entry);
	KUNIT_EXPECT_PTR_EQ(test, zswap_slot_erase(folio->swap), entry);
	vswap_test_slots_free(test, folio);
}

/* What has failed is read again, alone, before who needs it is told. */
static void vswap_test_slots_read_again(struct kunit *test)
{
	struct folio *folio = vswap_test_folio(test, 0);

	folio_clear_uptodate(folio);
	KUNIT_ASSERT_EQ(test, vswap_back_folio(folio), 0);
	KUNIT_EXPECT_FALSE(test, vswap_tb_has_failed(vswap_get_word(folio->swap)));
	KUNIT_EXPECT_FALSE(test, vswap_drop_unread(folio));
	vswap_io_failed(folio, 0, 1, READ);
	KUNIT_EXPECT_TRUE(test, vswap_tb_has_failed(vswap_get_word(folio->swap)));
	/* ... and no readahead comes before it */
	KUNIT_EXPECT_TRUE(test, vswap_is_synchronous(folio->swap));

	/* Alone, too: there is nothing better than to fail, once */
	vswap_io_failed(folio, 0, 1, READ);
	KUNIT_EXPECT_TRUE(test, vswap_tb_has_failed(vswap_get_word(folio->swap)));
	KUNIT_EXPECT_FALSE(test, vswap_drop_unread(folio));
	KUNIT_EXPECT_TRUE(test, folio_test_swapcache(folio));

	KUNIT_EXPECT_TRUE(test, vswap_drop_unread(folio));
	KUNIT_EXPECT_FALSE(test, folio_test_swapcache(folio));
	KUNIT_EXPECT_EQ(test, vswap_test_disk.used, 0);
	folio_unlock(folio);
	folio_put(folio);
}

static bool vswap_test_synchronous(swp_entry_t slot)
{
	return swp_offset(slot) != 5;
}

/* A slow device or a page that failed, and the range is not read as a whole. */
static void vswap_test_slots_apart(struct kunit *test)
{
	struct folio *folio = vswap_test_folio(test, 2);
	struct swap_cluster_info *ci = __swap_entry_to_cluster(folio->swap);
	unsigned int ci_off = swp_cluster_offset(folio->swap);

	kunit_activate_static_stub(test, vswap_phys_is_synchronous,
				   vswap_test_synchronous);
	KUNIT_ASSERT_EQ(test, vswap_back_folio(folio), 0);
	KUNIT_EXPECT_EQ(test, swp_offset(vswap_peek_phys(folio->swap)), 4);

	swap_cluster_get_and_lock(folio);
	KUNIT_EXPECT_FALSE(test, vswap_can_read_range(ci, ci_off, 4));
	KUNIT_EXPECT_TRUE(test, vswap_can_read_range(ci, ci_off + 2, 2));
	vswap_io_failed(folio, 3, 1, READ);
	KUNIT_EXPECT_FALSE(test, vswap_can_read_range(ci, ci_off + 2, 2));
	KUNIT_EXPECT_TRUE(test, vswap_can_read_range(ci, ci_off + 2, 1));
	swap_cluster_unlock(ci);
	vswap_test_slots_free(test, folio);
}

/* Two folios that fill a cluster leave their slots in use, all but one each. */
static void vswap_test_fragment(struct kunit *test, unsigned int order,
				swp_entry_t *entries)
{
	for (int i = 0; i < 2; i++) {
		struct folio *folio = vswap_test_folio(test, order);
		struct swap_cluster_info *ci;

		entries[i] = folio->swap;
		KUNIT_ASSERT_EQ(test, folio_dup_swap(folio, NULL), 0);
		/* All zeroes, which need no other place */
		ci = swap_cluster_get_and_lock(folio);
		for (int j = 0; j < 1 << order; j++)
			__swap_table_set_zero(ci, swp_cluster_offset(folio->swap) + j);
		swap_cluster_unlock(ci);
		vswap_test_free(folio);
	}
	for (int i = 0; i < 2; i++)
		swap_put_entries_direct(entries[i], 1);
}

/* A large folio gets a new cluster before all have been tried that have no room for it. */
static void vswap_test_slots_fragmented(struct kunit *test)
{
	static swp_entry_t entries[VSWAP_MAX_TRIES + 8][2];
	const unsigned int order = SWAP_NR_ORDERS > 2 ? SWAP_NR_ORDERS - 2 : 0;
	unsigned long tried;
	struct folio *folio;

	if (!order)
		kunit_skip(test, "large folios are split before swapping");

	for (int i = 0; i < ARRAY_SIZE(entries); i++)
		vswap_test_fragment(test, order, entries[i]);
	tried = list_count_nodes(&vswap_info->frag_clusters[order]);
	folio = vswap_test_folio(test, order);
	KUNIT_EXPECT_TRUE(test, folio_test_swapcache(folio));
	tried = list_count_nodes(&vswap_info->frag_clusters[order]) - tried;
	KUNIT_EXPECT_GT(test, tried, 0);
	KUNIT_EXPECT_LE(test, tried, VSWAP_MAX_TRIES + 1);
	vswap_test_free(folio);

	for (int i = 0; i < ARRAY_SIZE(entries); i++) {
		for (int j = 0; j < 2; j++) {
			entries[i][j].val++;
			swap_put_entries_direct(entries[i][j], (1 << order) - 1);
		}
	}
}

static struct kunit_case vswap_slots_test_cases[] = {
	KUNIT_CASE(vswap_test_slot_words),
	KUNIT_CASE(vswap_test_slots_join),
	KUNIT_CASE(vswap_test_slots_reuse),
	KUNIT_CASE(vswap_test_slots_failed),
	KUNIT_CASE(vswap_test_slots_mixed),
	KUNIT_CASE(vswap_test_slots_none),
	KUNIT_CASE(vswap_test_slots_range),
	KUNIT_CASE(vswap_test_slots_split),
	KUNIT_CASE(vswap_test_slots_extents),
	KUNIT_CASE(vswap_test_slots_too_few),
	KUNIT_CASE(vswap_test_slots_and_zswap),
	KUNIT_CASE(vswap_test_slots_io_failed),
	KUNIT_CASE(vswap_test_slots_read_again),
	KUNIT_CASE(vswap_test_slots_apart),
	KUNIT_CASE_SLOW(vswap_test_slots_fragmented),
	{}
};

static struct kunit_suite vswap_slots_test_suite = {
	.name = "vswap_slots",
	.init = vswap_test_slots_init,
	.test_cases = vswap_slots_test_cases,
};

kunit_test_suite(vswap_slots_test_suite);
