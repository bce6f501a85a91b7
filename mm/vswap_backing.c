// SPDX-License-Identifier: GPL-2.0
/*
 * Virtual swap space: what backs a virtual slot.
 *
 * A slot's backing is one word in the backing table of its cluster, see
 * mm/vswap_table.h. All words are set here. Two rules make every access safe
 * without a lock of its own:
 *
 * - While a folio is in the swap cache under a slot, only the holder of that
 *   folio's lock changes the word, and while the folio is under writeback, only
 *   the end of the I/O does. The folio pins the slot and the slot its cluster, so
 *   the table does not go away. Others may read it for a hint.
 *
 * - While no folio is there, the word does not change, until the last count of
 *   the slot goes and the slot is freed under the cluster lock.
 *
 * A folio enters and leaves the swap cache under the cluster lock, which orders
 * the two. The table itself is installed once, when the first slot needs it, and
 * freed with the cluster's last slot.
 */
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/vswap.h>
#include <kunit/static_stub.h>
#include "internal.h"
#include "swap_table.h"
#include "swap.h"
#include "vswap_internal.h"
#include "vswap_table.h"
#include "zswap.h"

/*
 * Tables
 */

static struct kmem_cache *vswap_backing_cachep;

void __init vswap_backing_init(void)
{
	/* Allocated as swap tables are, for the same kind of readers */
	BUILD_BUG_ON(sizeof(struct vswap_table) != sizeof(struct swap_table));
	vswap_backing_cachep = swap_table_create_cache("vswap_backing");
}

struct vswap_table *vswap_alloc_table(void)
{
	KUNIT_STATIC_STUB_REDIRECT(vswap_alloc_table);
	return (void *)swap_table_alloc(vswap_backing_cachep,
					GFP_KERNEL | VSWAP_TABLE_GFP | __GFP_ACCOUNT);
}

/* The owner of the folio in the swap cache under a slot, for a table to be charged. */
static struct mem_cgroup *vswap_get_memcg(swp_entry_t swp)
{
	struct swap_cluster_info *ci = __swap_entry_to_cluster(swp);
	unsigned long swp_tb = swap_table_get(ci, swp_cluster_offset(swp));

	/* Not there in KUnit tests only */
	return swp_tb_is_folio(swp_tb) ?
	       get_mem_cgroup_from_folio(swp_tb_to_folio(swp_tb)) : NULL;
}

/**
 * vswap_alloc_backing - Make sure that the cluster of a slot has a backing table.
 * @swp: swap entry of the slot.
 *
 * Context: The caller holds the lock of the folio in the swap cache under @swp.
 * May sleep.
 * Return: The cluster, NULL if there is no memory for a table.
 */
struct swap_cluster_info *vswap_alloc_backing(swp_entry_t swp)
{
	struct swap_cluster_info *ci = __swap_entry_to_cluster(swp);
	struct mem_cgroup *memcg, *old_memcg;
	unsigned int noreclaim_flag;
	struct vswap_table *new;

	if (likely(READ_ONCE(ci->backing)))
		return ci;

	/* As the other tables of a cluster, see swap_alloc_virtual() */
	noreclaim_flag = memalloc_noreclaim_save();
	memcg = vswap_get_memcg(swp);
	old_memcg = set_active_memcg(memcg);
	new = vswap_alloc_table();
	set_active_memcg(old_memcg);
	mem_cgroup_put(memcg);
	memalloc_noreclaim_restore(noreclaim_flag);
	if (!new) {
		vswap_count_event(VSWAP_TABLE_FAIL);
		return NULL;
	}

	/* Folios of one cluster have locks of their own: the first one wins. */
	if (cmpxchg(&ci->backing, NULL, new))
		swap_table_free(vswap_backing_cachep, (void *)new);

	return ci;
}

/**
 * vswap_free_table - Free the backing table of an emptied cluster.
 * @ci: cluster without a used slot.
 *
 * Context: The caller holds the cluster lock. Does not sleep.
 */
void vswap_free_table(struct swap_cluster_info *ci)
{
	struct vswap_table *table = ci->backing;

	if (!table)
		return;

	if (IS_ENABLED(CONFIG_DEBUG_VM)) {
		for (unsigned int i = 0; i < SWAPFILE_CLUSTER; i++)
			VM_WARN_ON_ONCE(__vswap_tb_get(ci, i));
	}

	WRITE_ONCE(ci->backing, NULL);
	swap_table_free(vswap_backing_cachep, (void *)table);
}

/**
 * vswap_get_word - Read the backing word of a slot.
 * @swp: swap entry of a virtual slot that is pinned.
 *
 * Context: The caller holds the lock of the folio in the swap cache under @swp,
 * or takes the word for a hint.
 * Return: The word, see mm/vswap_table.h.
 */
unsigned long vswap_get_word(swp_entry_t swp)
{
	return __vswap_tb_get(__swap_entry_to_cluster(swp), swp_cluster_offset(swp));
}

static void vswap_set_word(swp_entry_t swp, unsigned long word)
{
	__vswap_tb_set(__swap_entry_to_cluster(swp), swp_cluster_offset(swp), word);
}

/*
 * Dropping what backs a slot
 */

/**
 * vswap_phys_run - Count virtual slots that consecutive physical slots back.
 * @ci: cluster of the virtual slots, the first of which a physical slot backs.
 * @ci_off: offset of the first virtual slot in the cluster.
 * @nr: number of virtual slots to look at.
 *
 * Context: The words don't change, see the top of this file.
 * Return: Number of virtual slots, from 1 to @nr.
 */
unsigned int vswap_phys_run(struct swap_cluster_info *ci, unsigned int ci_off,
			    unsigned int nr)
{
	unsigned long prev = __vswap_tb_get(ci, ci_off), next;
	unsigned int i;

	for (i = 1; i < nr; i++, prev = next) {
		next = __vswap_tb_get(ci, ci_off + i);
		if (!vswap_tb_is_next_phys(prev, next))
			break;
	}

	return i;
}

/**
 * vswap_detach_phys - Detach consecutive physical slots from virtual slots.
 * @ci: cluster of the virtual slots, the first of which a physical slot backs.
 * @ci_off: offset of the first virtual slot in the cluster.
 * @nr: number of virtual slots at the most.
 * @run: returns the physical slots, which the caller has to free.
 *
 * Takes consecutive slots that are charged to the same memory cgroup, and
 * uncharges them: only the virtual slots record the owner.
 *
 * Context: The caller holds the lock of @ci; see vswap_free_slots().
 * Return: The number of virtual slots that have no backing any more.
 */
unsigned int vswap_detach_phys(struct swap_cluster_info *ci, unsigned int ci_off,
			       unsigned int nr, struct vswap_run *run)
{
	swp_entry_t slot = vswap_tb_to_phys(__vswap_tb_get(ci, ci_off));
	unsigned short id = __swap_cgroup_get(ci, ci_off);
	unsigned int i;

	nr = min(nr, SWAPFILE_CLUSTER - swp_cluster_offset(slot));
	nr = vswap_phys_run(ci, ci_off, nr);
	for (i = 1; i < nr; i++) {
		if (__swap_cgroup_get(ci, ci_off + i) != id)
			break;
	}
	nr = i;

	for (i = 0; i < nr; i++)
		__vswap_tb_set(ci, ci_off + i, VSWAP_TB_NULL);
	vswap_phys_uncharge(id, nr);
	*run = (struct vswap_run) { .slot = slot, .nr = nr };

	return nr;
}

/* What backs the slots is not needed any more. */
static void vswap_drop_words(struct swap_cluster_info *ci, unsigned int ci_off,
			     unsigned int nr)
{
	unsigned int end = ci_off + nr;
	struct vswap_run run;

	for (; ci_off < end; ci_off += nr) {
		unsigned long word = __vswap_tb_get(ci, ci_off);

		nr = 1;
		if (vswap_tb_is_null(word))
			continue;
		if (vswap_tb_is_phys(word)) {
			nr = vswap_detach_phys(ci, ci_off, end - ci_off, &run);
			vswap_free_run(&run);
			continue;
		}
		__vswap_tb_set(ci, ci_off, VSWAP_TB_NULL);
		if (vswap_tb_is_zswap(word))
			zswap_entry_free(vswap_tb_to_zswap(word));
	}
}

/**
 * vswap_free_slots - Drop the backing of virtual slots that are being freed.
 * @ci: cluster of the slots.
 * @ci_off: offset of the first slot in the cluster.
 * @nr: number of slots.
 *
 * Physical slots are freed under the lock of the virtual cluster: their cluster's
 * lock comes behind it.
 *
 * Context: The caller holds the lock of @ci. The slots have no count and no
 * folio, or a folio that the caller has locked and that holds the data. Does not
 * sleep.
 */
void vswap_free_slots(struct swap_cluster_info *ci, unsigned int ci_off,
		      unsigned int nr)
{
	lockdep_assert_held(&ci->lock);

	if (READ_ONCE(ci->backing))
		vswap_drop_words(ci, ci_off, nr);
}

/**
 * vswap_drop_backing - Drop what backs a folio that holds all the data.
 * @folio: folio in the swap cache that is marked zero or dirty, or about to be.
 *
 * Context: The caller holds the folio lock, the folio is not under writeback.
 */
void vswap_drop_backing(struct folio *folio)
{
	struct swap_cluster_info *ci;

	if (!folio_swap_is_virtual(folio))
		return;

	/* Data comes there under the folio lock only: without a table there is none */
	if (!READ_ONCE(__swap_entry_to_cluster(folio->swap)->backing))
		return;

	ci = swap_cluster_get_and_lock(folio);
	vswap_free_slots(ci, swp_cluster_offset(folio->swap), folio_nr_pages(folio));
	swap_cluster_unlock(ci);
}

/**
 * vswap_poison - Record that the data of a slot is lost.
 * @ci: cluster of the slot, which nothing backs.
 * @ci_off: offset of the slot in the cluster.
 *
 * Reading the slot is an error from now on, until it is freed or written again.
 *
 * Context: The caller holds the lock of the folio in the swap cache under the slot.
 */
void vswap_poison(struct swap_cluster_info *ci, unsigned int ci_off)
{
	VM_WARN_ON_ONCE(!vswap_tb_is_null(__vswap_tb_get(ci, ci_off)));
	__vswap_tb_set(ci, ci_off, VSWAP_TB_POISON);
}

/*
 * Backing by physical slots
 */

/* The owner of a pinned virtual slot, as the ID of a memory cgroup. */
static unsigned short vswap_owner_id(swp_entry_t swp)
{
	struct swap_cluster_info *ci;
	unsigned short id;

	ci = swap_cluster_lock(vswap_info, swp_offset(swp));
	id = __swap_cgroup_get(ci, swp_cluster_offset(swp));
	swap_cluster_unlock(ci);

	return id;
}

/* Does a word name a physical slot that may be written to? */
static bool vswap_tb_is_good_phys(unsigned long word)
{
	return vswap_tb_is_phys(word) && !(word & VSWAP_TB_PHYS_FAILED);
}

/**
 * vswap_has_phys - Can a folio be written to physical slots that it has already?
 * @folio: folio in the swap cache with virtual slots.
 *
 * Context: The caller holds the folio lock.
 * Return: true if vswap_back_folio() has nothing to allocate.
 */
bool vswap_has_phys(struct folio *folio)
{
	swp_entry_t swp = folio->swap;

	for (long i = 0; i < folio_nr_pages(folio); i++, swp.val++) {
		if (!vswap_tb_is_good_phys(vswap_get_word(swp)))
			return false;
	}

	return true;
}

/* Slots of a folio in the swap cache, whose cluster has a backing table. */
struct vswap_range {
	struct swap_cluster_info *ci;
	unsigned int ci_off;
	unsigned int nr;
	swp_entry_t swp;	/* the first one */
};

/* Physical slots that back them */
struct vswap_phys_count {
	unsigned int good;	/* may be used again */
	unsigned int failed;
};

static struct vswap_phys_count vswap_count_phys(const struct vswap_range *range)
{
	struct vswap_phys_count count = {};

	for (unsigned int i = 0; i < range->nr; i++) {
		unsigned long word = __vswap_tb_get(range->ci, range->ci_off + i);

		if (vswap_tb_is_good_phys(word))
			count.good++;
		else if (vswap_tb_is_phys(word))
			count.failed++;
	}

	return count;
}

/* Drop all that backs a folio but physical slots. */
static void vswap_drop_others(const struct vswap_range *range)
{
	for (unsigned int i = 0; i < range->nr; i++) {
		if (!vswap_tb_is_phys(__vswap_tb_get(range->ci, range->ci_off + i)))
			vswap_drop_words(range->ci, range->ci_off + i, 1);
	}
}

/* Point words at consecutive physical slots, which replace others. */
static void vswap_set_phys(const struct vswap_range *range, swp_entry_t slot)
{
	for (unsigned int i = 0; i < range->nr; i++, slot.val++) {
		unsigned long old = __vswap_tb_xchg(range->ci, range->ci_off + i,
						    phys_to_vswap_tb(slot));

		/* The new one takes over its charge */
		if (vswap_tb_is_phys(old))
			vswap_phys_free(vswap_tb_to_phys(old), 1);
	}
}

/*
 * Allocate single physical slots for the pages of a folio that have none, or one
 * that has failed. The latter are held until all pages have others, in @held,
 * which has room for them. If there are no others, they get another try.
 */
static bool vswap_set_single_phys(const struct vswap_range *range, swp_entry_t *held)
{
	unsigned int i, ci_off, nr_held = 0;
	swp_entry_t slot, swp = range->swp;

	for (i = 0; i < range->nr; i++, swp.val++) {
		unsigned long word;

		ci_off = range->ci_off + i;
		word = __vswap_tb_get(range->ci, ci_off);
		if (vswap_tb_is_good_phys(word))
			continue;

		slot = vswap_phys_alloc(swp, 0);
		if (slot.val) {
			if (vswap_tb_is_phys(word))
				held[nr_held++] = vswap_tb_to_phys(word);
			__vswap_tb_set(range->ci, ci_off, phys_to_vswap_tb(slot));
		} else if (vswap_tb_is_phys(word)) {
			__vswap_tb_set(range->ci, ci_off, word & ~VSWAP_TB_PHYS_MASK);
		} else {
			break;
		}
	}

	/* Others have taken over their charges */
	while (nr_held)
		vswap_phys_free(held[--nr_held], 1);

	return i == range->nr;
}

static bool vswap_back_by_single_phys(const struct vswap_range *range,
				      unsigned int nr_failed)
{
	swp_entry_t one, *held = &one;
	bool done;

	if (nr_failed > 1) {
		held = kmalloc_array(nr_failed, sizeof(*held),
				     GFP_NOWAIT | __GFP_NOMEMALLOC);
		if (!held)
			return false;
	}
	done = vswap_set_single_phys(range, held);
	if (held != &one)
		kfree(held);

	return done;
}

/**
 * vswap_back_folio - Back the slots of a folio by physical slots.
 * @folio: folio in the swap cache, with virtual slots, that holds their data.
 *
 * One range for a large folio if there is one, else slots wherever they are.
 * Slots that an earlier write has left are used again. Those that failed are so
 * only if there are no others: they are held meanwhile, in order to get others.
 *
 * Context: The caller holds the folio lock, and marks the folio dirty if it does
 * not write it now. May sleep.
 * Return: 0 if each page has a physical slot, -ENOSPC if there are not enough of
 * them, -EDQUOT if the folio's cgroup is at its memory.swap.max, -ENOMEM if there
 * is no memory for a backing table. What backs the folio in case of an error may
 * be what did before, or nothing any more.
 */
int vswap_back_folio(struct folio *folio)
{
	struct vswap_range range = {
		.ci_off = swp_cluster_offset(folio->swap),
		.nr = folio_nr_pages(folio),
		.swp = folio->swap,
	};
	unsigned int order = folio_order(folio);
	struct vswap_phys_count count;
	unsigned short id;
	swp_entry_t slot;

	/* What can't be had needs no table, and no charge, which would be an event */
	if (!READ_ONCE(__swap_entry_to_cluster(range.swp)->backing) && !vswap_phys_available())
		return -ENOSPC;
	range.ci = vswap_alloc_backing(range.swp);
	if (!range.ci)
		return -ENOMEM;
	count = vswap_count_phys(&range);
	if (count.good == range.nr)
		return 0;
	if (!count.good && !count.failed && !vswap_phys_available())
		return -ENOSPC;

	/* A slot that replaces another one takes over its charge */
	id = vswap_owner_id(range.swp);
	if (vswap_phys_charge(id, range.nr - count.good - count.failed, true))
		return -EDQUOT;

	vswap_drop_others(&range);
	slot = vswap_phys_alloc(range.swp, order);
	if (slot.val) {
		vswap_set_phys(&range, slot);
	} else {
		if (!order && !count.failed)
			goto uncharge;
		if (!vswap_back_by_single_phys(&range, count.failed))
			goto uncharge;
		if (order)
			vswap_count_event(VSWAP_PHYS_ALLOC_SPLIT);
	}
	vswap_count_event(VSWAP_PHYS_ALLOC);
	return 0;

uncharge:
	/* What has a slot is uncharged when that is freed */
	count = vswap_count_phys(&range);
	vswap_phys_uncharge(id, range.nr - count.good - count.failed);
	vswap_drop_backing(folio);
	return -ENOSPC;
}

/**
 * vswap_mark_failed - Mark physical slots that could not be written or read.
 * @folio: folio with virtual slots that the I/O was for.
 * @first: first page of @folio that it was for.
 * @nr: number of pages.
 * @rw: WRITE or READ.
 *
 * Context: Any, interrupts included. The folio is under writeback, or is locked
 * for reading. The words of the pages can't change, those of others may.
 */
void vswap_mark_failed(struct folio *folio, unsigned int first, unsigned int nr, int rw)
{
	swp_entry_t swp = page_swap_entry(folio_page(folio, first));

	for (unsigned int i = 0; i < nr; i++, swp.val++) {
		unsigned long word = vswap_get_word(swp);

		/* To mark anything else would be to destroy it */
		if (!vswap_tb_is_phys(word)) {
			VM_WARN_ON_ONCE(1);
			continue;
		}
		if (rw == READ && vswap_tb_has_failed(word))
			word |= VSWAP_TB_PHYS_ALONE;
		vswap_set_word(swp, word | VSWAP_TB_PHYS_FAILED);
	}
}

/**
 * vswap_test_clear_alone - Forget that a page could not be read by itself.
 * @swp: virtual swap entry of the page.
 *
 * The next one who needs the page asks the device once more: it may have recovered.
 *
 * Context: The caller holds the lock of the folio in the swap cache under @swp.
 * Return: true if a read for this page alone has failed, or no device has it.
 */
bool vswap_test_clear_alone(swp_entry_t swp)
{
	unsigned long word = vswap_get_word(swp);

	if (!vswap_tb_is_phys(word))
		return true;
	vswap_set_word(swp, word & ~VSWAP_TB_PHYS_ALONE);
	return (word & VSWAP_TB_PHYS_MASK) != VSWAP_TB_PHYS_FAILED;
}

/*
 * Backing by zswap entries: what mm/zswap.h declares
 */

int zswap_slot_store(swp_entry_t swp, struct zswap_entry *entry,
		     struct zswap_entry **old)
{
	struct swap_cluster_info *ci = vswap_alloc_backing(swp);
	unsigned long prev;

	if (!ci)
		return -ENOMEM;

	prev = __vswap_tb_xchg(ci, swp_cluster_offset(swp), zswap_to_vswap_tb(entry));
	*old = vswap_tb_is_zswap(prev) ? vswap_tb_to_zswap(prev) : NULL;
	if (vswap_tb_is_phys(prev)) {
		vswap_phys_free(vswap_tb_to_phys(prev), 1);
		vswap_phys_uncharge(vswap_owner_id(swp), 1);
	}

	return 0;
}

struct zswap_entry *zswap_slot_load(swp_entry_t swp)
{
	unsigned long word;

	if (!swap_entry_is_virtual(swp))
		return NULL;

	word = vswap_get_word(swp);
	return vswap_tb_is_zswap(word) ? vswap_tb_to_zswap(word) : NULL;
}

struct zswap_entry *zswap_slot_erase(swp_entry_t swp)
{
	struct zswap_entry *entry = zswap_slot_load(swp);

	if (entry)
		vswap_set_word(swp, VSWAP_TB_NULL);

	return entry;
}

void zswap_slot_poison(swp_entry_t swp)
{
	VM_WARN_ON_ONCE(!vswap_tb_is_zswap(vswap_get_word(swp)));
	vswap_set_word(swp, VSWAP_TB_POISON);
}

void zswap_slot_mark_failed(swp_entry_t swp)
{
	unsigned long word = vswap_get_word(swp);

	VM_WARN_ON_ONCE(!vswap_tb_is_zswap(word));
	vswap_set_word(swp, word | VSWAP_TB_ZSWAP_FAILED);
}

int zswap_slot_reserve_phys(swp_entry_t swp, swp_entry_t *slot)
{
	unsigned short id = vswap_owner_id(swp);
	int err = -EDQUOT;

	/* The data has a place: nobody is refused anything */
	if (vswap_phys_charge(id, 1, false))
		goto fail;

	*slot = vswap_phys_alloc(swp, 0);
	if (slot->val)
		return 0;

	vswap_phys_uncharge(id, 1);
	err = -ENOSPC;
fail:
	vswap_count_event(VSWAP_PHYS_ALLOC_FAIL);
	return err;
}

void zswap_slot_cancel_phys(swp_entry_t swp, swp_entry_t slot)
{
	vswap_phys_free(slot, 1);
	vswap_phys_uncharge(vswap_owner_id(swp), 1);
}

void zswap_slot_replace(swp_entry_t swp, swp_entry_t slot)
{
	VM_WARN_ON_ONCE(!vswap_tb_is_zswap(vswap_get_word(swp)));
	vswap_set_word(swp, phys_to_vswap_tb(slot));
}

#ifdef CONFIG_DEBUG_VM
/**
 * vswap_assert_backed - Check that a folio may leave the swap cache.
 * @ci: cluster of @entry.
 * @entry: first of the folio's swap entries.
 * @nr: number of entries.
 *
 * A slot with a count has to have its data somewhere once the folio is gone.
 *
 * Context: The caller holds the folio lock and the cluster lock.
 */
void vswap_assert_backed(struct swap_cluster_info *ci, swp_entry_t entry,
			 unsigned int nr)
{
	if (!swap_entry_is_virtual(entry))
		return;

	for (unsigned int i = 0; i < nr; i++, entry.val++) {
		unsigned int ci_off = swp_cluster_offset(entry);

		VM_WARN_ON_ONCE(swp_tb_get_count(__swap_table_get(ci, ci_off)) > 0 &&
				!__swap_table_test_zero(ci, ci_off) &&
				vswap_tb_is_null(__vswap_tb_get(ci, ci_off)));
	}
}
#endif

#if IS_ENABLED(CONFIG_VSWAP_KUNIT_TEST)
#include "tests/vswap_backing_kunit.h"
#endif
