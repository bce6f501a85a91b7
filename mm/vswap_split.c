// SPDX-License-Identifier: GPL-2.0
/*
 * Virtual swap space: large folios of which zswap takes only a part.
 *
 * One page that can't be compressed must not keep all others in memory. Where no
 * device takes a large folio as a whole, zswap keeps those of its pages that it
 * can, and the folio is split: reclaim frees these pages, the others stay. A folio
 * of which zswap takes nothing stays whole, unless devices have slots for some of
 * its pages, or some have been freed: the others must not keep these.
 */
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/swap.h>
#include <linux/writeback.h>
#include "internal.h"
#include "swap_table.h"
#include "swap.h"
#include "vswap_internal.h"
#include "vswap_table.h"

static bool vswap_page_is_stored(struct page *page)
{
	return vswap_tb_is_zswap(vswap_get_word(page_swap_entry(page)));
}

/* Has whoever had this page freed it? With the folio locked, nobody gets it again. */
static bool vswap_page_is_free(struct page *page)
{
	guard(rcu)();

	return !__swap_count(page_swap_entry(page));
}

static bool vswap_any_page_is_free(struct folio *folio)
{
	if (!folio_swap_is_virtual(folio))
		return false;

	for (long i = 0; i < folio_nr_pages(folio); i++) {
		if (vswap_page_is_free(folio_page(folio, i)))
			return true;
	}

	return false;
}

/* How many pages of a folio does zswap hold? None if the folio has plain slots. */
static unsigned int vswap_pages_stored(struct folio *folio)
{
	unsigned int nr = 0;

	if (!folio_swap_is_virtual(folio))
		return 0;

	for (long i = 0; i < folio_nr_pages(folio); i++)
		nr += vswap_page_is_stored(folio_page(folio, i));

	return nr;
}

/* With slots of devices for so many of its pages, can some go there, but not all? */
static bool vswap_has_headroom_for_parts(struct folio *folio, long room)
{
	return room && room < folio_nr_pages(folio);
}

/**
 * vswap_can_split - Can pages of a large folio leave without the others?
 * @folio: folio in the swap cache that no backend took as a whole.
 *
 * Context: The caller holds the folio lock.
 * Return: true if zswap holds some, or devices have slots for some.
 */
bool vswap_can_split(struct folio *folio)
{
	return vswap_pages_stored(folio) ||
	       vswap_has_headroom_for_parts(folio, vswap_folio_headroom(folio));
}

/**
 * vswap_only_parts_can_leave - Is what zswap has of a folio all of it that can leave?
 * @folio: folio in the swap cache that zswap did not take as a whole.
 *
 * To look for physical slots is to let go of what zswap has stored, in order to
 * write all of the folio there.
 *
 * Context: The caller holds the folio lock. Does not sleep.
 * Return: true if zswap has some pages, and devices have no room for the folio.
 */
bool vswap_only_parts_can_leave(struct folio *folio)
{
	return folio_test_large(folio) && vswap_pages_stored(folio) &&
	       !vswap_fits_devices(folio);
}

/* Drop the backing that an earlier write has left of the pages that zswap rejected. */
static void vswap_drop_unstored(struct folio *folio)
{
	struct swap_cluster_info *ci = swap_cluster_get_and_lock(folio);
	unsigned int ci_off = swp_cluster_offset(folio->swap);

	for (long i = 0; i < folio_nr_pages(folio); i++) {
		if (!vswap_page_is_stored(folio_page(folio, i)))
			vswap_free_slots(ci, ci_off + i, 1);
	}
	swap_cluster_unlock(ci);
}

#ifdef CONFIG_TRANSPARENT_HUGEPAGE
/*
 * Have a page that is not stored stay, if anybody has it: it was isolated as a part of a
 * large folio.
 */
static void vswap_put_back(struct folio *folio)
{
	folio_free_swap(folio);
	folio_mark_dirty(folio);
	folio_set_active(folio);
	folio_unlock(folio);
	folio_putback_lru(folio);
}

static void vswap_count_split(struct folio *folio, unsigned int order)
{
	if (order >= HPAGE_PMD_ORDER) {
		count_vm_event(THP_SPLIT_PAGE);
		count_memcg_folio_events(folio, THP_SWPOUT_FALLBACK, 1);
		count_vm_event(THP_SWPOUT_FALLBACK);
	}
	count_mthp_stat(order, MTHP_STAT_SPLIT);
	count_mthp_stat(order, MTHP_STAT_SWPOUT_FALLBACK);
}

/*
 * Split a folio that is unmapped. Reclaim frees what is stored, and writes to devices
 * as many of the other pages as they have room for.
 */
static bool vswap_split(struct folio *folio, long room, struct list_head *folio_list)
{
	unsigned int order = folio_order(folio);
	struct page *page = &folio->page;

	if (!order || !folio_test_anon(folio) || !folio_list)
		return false;
	if (folio_split_unmapped(folio, 0))
		return false;
	vswap_count_split(folio, order);
	/* Whoever finds a part on a list may move it, and relies on this */
	try_to_unmap_flush();

	/* All are locked, and isolated with a reference each */
	for (long i = 1; i < 1L << order; i++) {
		struct folio *part = page_folio(page + i);

		if (!vswap_page_is_stored(page + i)) {
			if (vswap_page_is_free(page + i) || room-- <= 0) {
				vswap_put_back(part);
				continue;
			}
			/* Goes to a device now, before another folio is split for it */
			folio_mark_dirty(part);
		}
		folio_unlock(part);
		list_add_tail(&part->lru, folio_list);
	}

	return true;
}
#else
static bool vswap_split(struct folio *folio, long room, struct list_head *folio_list)
{
	return false;
}
#endif

/**
 * vswap_keep_rejected - Keep what no backend took of a folio, and only that.
 * @folio: folio in the swap cache that is clean and neither stored nor written.
 * @folio_list: where to put the parts of it that reclaim can free.
 *
 * shmem folios can't be split here, see vswap_can_split() for them.
 *
 * Context: The caller holds the folio lock; the folio is not mapped, and isolated
 * unless @folio_list is NULL. Does not sleep.
 * Return: 0 if @folio is now a single page and stored, AOP_WRITEPAGE_ACTIVATE if
 * it has to stay: it is dirty then.
 */
int vswap_keep_rejected(struct folio *folio, struct list_head *folio_list)
{
	unsigned int stored = vswap_pages_stored(folio);
	long room;

	if (stored)
		vswap_count_accepted(folio, stored);
	if (folio_swap_is_virtual(folio)) {
		vswap_drop_unstored(folio);
		vswap_count_event(VSWAP_REJECT);
	}

	/* With the slots that were released */
	room = vswap_folio_headroom(folio);
	if (stored || vswap_has_headroom_for_parts(folio, room) || vswap_any_page_is_free(folio)) {
		if (vswap_split(folio, room, folio_list)) {
			if (vswap_page_is_stored(&folio->page))
				return 0;
		} else if (folio_test_anon(folio)) {
			vswap_drop_backing(folio);
		}
	}

	folio_mark_dirty(folio);
	return AOP_WRITEPAGE_ACTIVATE;
}
