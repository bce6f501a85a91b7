/* SPDX-License-Identifier: GPL-2.0 */
/* KUnit tests of the backing of virtual slots, included by mm/vswap_backing.c */

#include "vswap_folio_kunit.h"

/* Stands for a zswap entry, of which only the address matters here. */
static struct vswap_test_entry {
	unsigned long word;
} vswap_test_entries[4];

static struct zswap_entry *vswap_test_entry(int i)
{
	return (struct zswap_entry *)&vswap_test_entries[i];
}

static void vswap_test_words(struct kunit *test)
{
	unsigned long word = zswap_to_vswap_tb(vswap_test_entry(1));

	KUNIT_EXPECT_TRUE(test, vswap_tb_is_null(VSWAP_TB_NULL));
	KUNIT_EXPECT_FALSE(test, vswap_tb_is_zswap(VSWAP_TB_NULL));
	KUNIT_EXPECT_FALSE(test, vswap_tb_is_null(word));
	KUNIT_EXPECT_TRUE(test, vswap_tb_is_zswap(word));
	KUNIT_EXPECT_PTR_EQ(test, vswap_tb_to_zswap(word), vswap_test_entry(1));
}

/* The states a slot goes through with zswap. */
static void vswap_test_zswap_states(struct kunit *test)
{
	struct folio *folio = vswap_test_folio(test, 0);
	struct zswap_entry *old = vswap_test_entry(3);
	swp_entry_t swp = folio->swap;

	KUNIT_ASSERT_TRUE(test, swap_entry_is_virtual(swp));
	KUNIT_EXPECT_TRUE(test, folio_swap_is_virtual(folio));
	KUNIT_EXPECT_NE(test, swp_offset(swp), 0);

	/* Nothing yet */
	KUNIT_EXPECT_NULL(test, zswap_slot_load(swp));
	KUNIT_EXPECT_NULL(test, zswap_slot_erase(swp));
	/* Stored */
	KUNIT_ASSERT_EQ(test, zswap_slot_store(swp, vswap_test_entry(0), &old), 0);
	KUNIT_EXPECT_NULL(test, old);
	KUNIT_EXPECT_PTR_EQ(test, zswap_slot_load(swp), vswap_test_entry(0));
	/* Stored again: the old one is given back */
	KUNIT_ASSERT_EQ(test, zswap_slot_store(swp, vswap_test_entry(1), &old), 0);
	KUNIT_EXPECT_PTR_EQ(test, old, vswap_test_entry(0));
	/* Erased, once */
	KUNIT_EXPECT_PTR_EQ(test, zswap_slot_erase(swp), vswap_test_entry(1));
	KUNIT_EXPECT_NULL(test, zswap_slot_erase(swp));
	KUNIT_EXPECT_NULL(test, zswap_slot_load(swp));

	vswap_test_free(folio);
}

/* A plain slot has no backing that vswap knows. */
static void vswap_test_plain(struct kunit *test)
{
	swp_entry_t swp = swp_entry(0, 1);

	KUNIT_EXPECT_FALSE(test, swap_entry_is_virtual(swp));
	KUNIT_EXPECT_NULL(test, zswap_slot_load(swp));
	KUNIT_EXPECT_NULL(test, zswap_slot_erase(swp));
}

/* Large folios get an aligned range; its slots are backed one by one. */
static void vswap_test_large(struct kunit *test)
{
	static const unsigned int orders[] = { 2, 4, PMD_ORDER };
	struct zswap_entry *old;
	struct folio *folio;
	swp_entry_t swp;

	for (int i = 0; i < ARRAY_SIZE(orders); i++) {
		folio = vswap_test_folio(test, orders[i]);
		swp = folio->swap;
		KUNIT_EXPECT_EQ(test, swp_offset(swp) % folio_nr_pages(folio), 0);
		swp.val += folio_nr_pages(folio) - 1;
		KUNIT_ASSERT_EQ(test, zswap_slot_store(swp, vswap_test_entry(2), &old), 0);
		KUNIT_EXPECT_NULL(test, zswap_slot_load(folio->swap));
		KUNIT_EXPECT_PTR_EQ(test, zswap_slot_erase(swp), vswap_test_entry(2));
		vswap_test_free(folio);
	}
}

static struct vswap_table *vswap_test_no_table(void)
{
	return NULL;
}

/* No memory for a table: nothing is stored, and the next attempt works. */
static void vswap_test_table_fail(struct kunit *test)
{
	struct folio *folio = vswap_test_folio(test, 0);
	struct swap_cluster_info *ci = __swap_entry_to_cluster(folio->swap);
	struct vswap_table *table = ci->backing;
	struct zswap_entry *old;

	/* The cluster may be shared with others by now; look at a new table */
	if (table)
		kunit_skip(test, "the cluster has a table already");

	kunit_activate_static_stub(test, vswap_alloc_table, vswap_test_no_table);
	KUNIT_EXPECT_EQ(test, zswap_slot_store(folio->swap, vswap_test_entry(0), &old),
			-ENOMEM);
	KUNIT_EXPECT_NULL(test, ci->backing);
	kunit_deactivate_static_stub(test, vswap_alloc_table);
	KUNIT_EXPECT_EQ(test, zswap_slot_store(folio->swap, vswap_test_entry(0), &old), 0);
	KUNIT_EXPECT_NOT_NULL(test, ci->backing);
	KUNIT_EXPECT_PTR_EQ(test, zswap_slot_erase(folio->swap), vswap_test_entry(0));

	vswap_test_free(folio);
}

/* What is read by those who come too late has to be of the kind that they expect. */
static void vswap_test_table_kinds(struct kunit *test)
{
	struct swap_table *old, *new;

	old = swap_table_alloc(swap_table_cachep, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, old);
	rcu_read_lock();
	swap_table_free(swap_table_cachep, old);
	new = swap_table_alloc(vswap_backing_cachep, GFP_ATOMIC);
	KUNIT_EXPECT_PTR_NE(test, old, new);
	rcu_read_unlock();
	KUNIT_ASSERT_NOT_NULL(test, new);
	swap_table_free(vswap_backing_cachep, new);
}

/* Slots are counted while they are in use. */
static void vswap_test_counts(struct kunit *test)
{
	unsigned long used = vswap_used_pages();
	struct folio *folio = vswap_test_folio(test, 0);
	struct vswap_stats stats;
	unsigned long cached, poison;

	KUNIT_EXPECT_EQ(test, vswap_used_pages(), used + 1);
	vswap_collect_stats(&stats);
	KUNIT_EXPECT_GE(test, stats.slots_cached, 1);
	KUNIT_EXPECT_GE(test, stats.clusters_used, 1);
	KUNIT_EXPECT_GE(test, stats.memory, PAGE_SIZE);

	/* What is lost is not in the swap cache only */
	cached = stats.slots_cached;
	poison = stats.slots_poison;
	vswap_test_set_word(test, folio->swap, VSWAP_TB_POISON);
	vswap_collect_stats(&stats);
	KUNIT_EXPECT_EQ(test, stats.slots_poison, poison + 1);
	KUNIT_EXPECT_EQ(test, stats.slots_cached, cached - 1);
	vswap_test_free(folio);
	KUNIT_EXPECT_EQ(test, vswap_used_pages(), used);
}

static struct kunit_case vswap_backing_test_cases[] = {
	KUNIT_CASE(vswap_test_words),
	KUNIT_CASE(vswap_test_zswap_states),
	KUNIT_CASE(vswap_test_plain),
	KUNIT_CASE(vswap_test_large),
	KUNIT_CASE(vswap_test_table_fail),
	KUNIT_CASE(vswap_test_table_kinds),
	KUNIT_CASE(vswap_test_counts),
	{}
};

static struct kunit_suite vswap_backing_test_suite = {
	.name = "vswap_backing",
	.test_cases = vswap_backing_test_cases,
};

kunit_test_suite(vswap_backing_test_suite);
