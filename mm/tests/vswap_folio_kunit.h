/* SPDX-License-Identifier: GPL-2.0 */
/* Folios with virtual slots for the KUnit tests of mm/vswap_*.c */

#ifndef _MM_VSWAP_FOLIO_KUNIT_H
#define _MM_VSWAP_FOLIO_KUNIT_H

#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <kunit/test-bug.h>

static bool vswap_test_wanted(struct folio *folio)
{
	return true;
}

/* A folio with virtual slots, locked and in the swap cache. */
static struct folio *vswap_test_folio(struct kunit *test, unsigned int order)
{
	struct folio *folio;

	if (order && !IS_ENABLED(CONFIG_THP_SWAP))
		kunit_skip(test, "large folios are split before swapping");

	folio = folio_alloc(GFP_KERNEL | __GFP_COMP, order);
	KUNIT_ASSERT_NOT_NULL(test, folio);
	__folio_set_locked(folio);
	__folio_set_swapbacked(folio);
	folio_mark_uptodate(folio);
	if (mem_cgroup_charge(folio, NULL, GFP_KERNEL))
		KUNIT_FAIL(test, "charge failed");

	kunit_activate_static_stub(test, vswap_is_wanted, vswap_test_wanted);
	KUNIT_EXPECT_EQ(test, folio_alloc_swap(folio), 0);
	kunit_deactivate_static_stub(test, vswap_is_wanted);
	return folio;
}

static void vswap_test_free(struct folio *folio)
{
	swap_cache_del_folio(folio);
	folio_unlock(folio);
	folio_put(folio);
}

/* Set a backing word to what it could not be otherwise. Returns what it was. */
static inline unsigned long vswap_test_set_word(struct kunit *test, swp_entry_t swp,
						unsigned long word)
{
	struct swap_cluster_info *ci = vswap_alloc_backing(swp);

	KUNIT_ASSERT_NOT_NULL(test, ci);
	return __vswap_tb_xchg(ci, swp_cluster_offset(swp), word);
}

#endif
