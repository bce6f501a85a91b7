// SPDX-License-Identifier: GPL-2.0
/*
 * Virtual swap space: what backs a virtual slot.
 *
 * A slot's backing is one word in the backing table of its cluster, see
 * mm/vswap_table.h. Two rules make every access here safe without a lock of
 * its own:
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
#include <linux/vswap.h>
#include <linux/zswap.h>
#include <kunit/static_stub.h>
#include "internal.h"
#include "swap_table.h"
#include "swap.h"
#include "vswap_table.h"

static struct kmem_cache *vswap_backing_cachep;

void __init vswap_backing_init(void)
{
	vswap_backing_cachep = swap_table_create_cache("vswap_backing");
}

struct swap_table *vswap_alloc_backing_table(void)
{
	KUNIT_STATIC_STUB_REDIRECT(vswap_alloc_backing_table);
	return swap_table_alloc(vswap_backing_cachep,
				GFP_KERNEL | VSWAP_TABLE_GFP | __GFP_ACCOUNT);
}

/* Who owns the folio in the swap cache under a slot, for a table to be charged. */
static struct mem_cgroup *vswap_get_owner(swp_entry_t swp)
{
	struct swap_cluster_info *ci = __swap_entry_to_cluster(swp);
	unsigned long swp_tb = swap_table_get(ci, swp_cluster_offset(swp));

	/* Not there in KUnit tests only */
	return swp_tb_is_folio(swp_tb) ?
	       get_mem_cgroup_from_folio(swp_tb_to_folio(swp_tb)) : NULL;
}

/* The backing table of a pinned slot's cluster, made if there is none. */
static struct swap_table *vswap_get_backing_table(swp_entry_t swp)
{
	struct swap_cluster_info *ci = __swap_entry_to_cluster(swp);
	struct swap_table *table = READ_ONCE(ci->backing);
	struct mem_cgroup *memcg, *old_memcg;
	unsigned int noreclaim_flag;
	struct swap_table *new;

	if (likely(table))
		return table;

	/* As the other tables of a cluster, see swap_alloc_virtual() */
	noreclaim_flag = memalloc_noreclaim_save();
	memcg = vswap_get_owner(swp);
	old_memcg = set_active_memcg(memcg);
	new = vswap_alloc_backing_table();
	set_active_memcg(old_memcg);
	mem_cgroup_put(memcg);
	memalloc_noreclaim_restore(noreclaim_flag);
	if (!new) {
		vswap_count_event(VSWAP_TABLE_FAIL);
		return NULL;
	}

	/* Folios of one cluster have locks of their own: the first one wins. */
	table = cmpxchg(&ci->backing, NULL, new);
	if (table) {
		swap_table_free(vswap_backing_cachep, new);
		return table;
	}

	return new;
}

/**
 * vswap_get_backing_words - Where the backing words of a folio are to be put.
 * @swp: first swap entry of the folio.
 *
 * Context: The caller holds the lock of the folio in the swap cache under @swp.
 * May sleep.
 * Return: The word of @swp, which those of the folio's other pages follow; NULL
 * if there is no memory for a backing table.
 */
atomic_long_t *vswap_get_backing_words(swp_entry_t swp)
{
	struct swap_table *table;

	table = vswap_get_backing_table(swp);
	return table ? &table->entries[swp_cluster_offset(swp)] : NULL;
}

/* Where the backing word of a pinned slot is, NULL if there is no table. */
static atomic_long_t *vswap_backing_word(swp_entry_t swp)
{
	struct swap_cluster_info *ci = __swap_entry_to_cluster(swp);
	struct swap_table *table = READ_ONCE(ci->backing);

	return table ? &table->entries[swp_cluster_offset(swp)] : NULL;
}

/**
 * vswap_get_backing - Read the backing word of a slot.
 * @swp: swap entry of a virtual slot that something pins.
 *
 * Context: The caller holds the lock of the folio in the swap cache under @swp,
 * or takes the word for a hint.
 * Return: The word, see mm/vswap_table.h.
 */
unsigned long vswap_get_backing(swp_entry_t swp)
{
	atomic_long_t *word = vswap_backing_word(swp);

	return word ? atomic_long_read(word) : VSWAP_TB_NULL;
}

/**
 * vswap_store_zswap - Let a zswap entry back a virtual slot.
 * @swp: the slot's swap entry.
 * @entry: the zswap entry that holds the data from now on.
 * @old: returns the zswap entry that backed the slot before, NULL if none did.
 *
 * A physical slot that was behind @swp is freed.
 *
 * Context: The caller holds the lock of the folio in the swap cache under @swp.
 * May sleep, the caller owns @old.
 * Return: 0, or -ENOMEM with nothing changed.
 */
int vswap_store_zswap(swp_entry_t swp, struct zswap_entry *entry,
		      struct zswap_entry **old)
{
	atomic_long_t *word = vswap_get_backing_words(swp);
	unsigned long prev;

	if (!word)
		return -ENOMEM;

	prev = atomic_long_xchg(word, zswap_to_vswap_tb(entry));
	*old = vswap_tb_is_zswap(prev) ? vswap_tb_to_zswap(prev) : NULL;
	if (vswap_tb_is_slot(prev))
		vswap_free_slot(swp, prev);

	return 0;
}

/**
 * vswap_load_zswap - Find the zswap entry that backs a slot.
 * @swp: swap entry, virtual or not.
 *
 * Context: The caller holds the lock of the folio in the swap cache under @swp.
 * Return: The zswap entry, NULL if none backs the slot.
 */
struct zswap_entry *vswap_load_zswap(swp_entry_t swp)
{
	unsigned long word;

	if (!swap_entry_is_virtual(swp))
		return NULL;

	word = vswap_get_backing(swp);
	return vswap_tb_is_zswap(word) ? vswap_tb_to_zswap(word) : NULL;
}

/**
 * vswap_erase_zswap - Take away the zswap entry that backs a slot.
 * @swp: swap entry, virtual or not.
 *
 * Context: The caller holds the lock of the folio in the swap cache under @swp
 * and sees to it that the folio is dirty, or the cluster lock of a slot that
 * is being freed. The caller owns what is returned.
 * Return: The zswap entry, NULL if none backed the slot.
 */
struct zswap_entry *vswap_erase_zswap(swp_entry_t swp)
{
	atomic_long_t *word;
	unsigned long prev;

	if (!swap_entry_is_virtual(swp))
		return NULL;

	word = vswap_backing_word(swp);
	if (!word)
		return NULL;

	prev = atomic_long_read(word);
	if (!vswap_tb_is_zswap(prev))
		return NULL;

	atomic_long_set(word, VSWAP_TB_NULL);
	return vswap_tb_to_zswap(prev);
}

/**
 * vswap_lose_zswap - Note that the data of the zswap entry behind a slot is lost.
 * @swp: virtual swap entry that a zswap entry backs.
 *
 * Reading the slot is an error from now on, until it is freed.
 *
 * Context: The caller holds the lock of the folio in the swap cache under @swp. It
 * owns the zswap entry from now on.
 */
void vswap_lose_zswap(swp_entry_t swp)
{
	atomic_long_set(vswap_backing_word(swp), VSWAP_TB_POISON);
}

/**
 * vswap_release_slots - Let go of the data behind slots that are being freed.
 * @si: the device the slots are on, virtual or not.
 * @offset: first slot.
 * @nr: number of slots, all in one cluster.
 *
 * Context: The caller holds the cluster lock. The slots have no count and no
 * folio, or a folio that the caller has locked and that holds the data. Does not
 * sleep.
 */
void vswap_release_slots(struct swap_info_struct *si, unsigned long offset,
			 unsigned int nr)
{
	struct swap_cluster_info *ci;
	struct swap_table *table;
	unsigned int ci_off;

	if (!swap_is_vswap(si))
		return;

	ci = __swap_offset_to_cluster(si, offset);
	lockdep_assert_held(&ci->lock);
	table = READ_ONCE(ci->backing);
	if (!table)
		return;

	ci_off = offset % SWAPFILE_CLUSTER;
	for (unsigned int i = 0; i < nr; i++) {
		atomic_long_t *word = &table->entries[ci_off + i];
		unsigned long prev = atomic_long_read(word);

		if (vswap_tb_is_slot(prev))
			i += vswap_free_slots(ci, ci_off + i, nr - i) - 1;
		else if (vswap_tb_is_poison(prev))
			atomic_long_set(word, VSWAP_TB_NULL);
		else if (!vswap_tb_is_null(prev))
			zswap_invalidate(swp_entry(si->type, offset + i));
	}
}

/**
 * vswap_release_folio - Let go of the data behind a folio that has it all.
 * @folio: folio in the swap cache that is marked zero or dirty, or about to be.
 *
 * Context: The caller holds the folio lock, the folio is not under writeback.
 */
void vswap_release_folio(struct folio *folio)
{
	struct swap_cluster_info *ci;

	if (!folio_swap_is_virtual(folio))
		return;

	/* Data comes there under the folio lock only: without a table there is none */
	if (!READ_ONCE(__swap_entry_to_cluster(folio->swap)->backing))
		return;

	ci = swap_cluster_get_and_lock(folio);
	vswap_release_slots(vswap_info, swp_offset(folio->swap),
			    folio_nr_pages(folio));
	swap_cluster_unlock(ci);
}

/* Nothing backs a slot. Unless a device or compressed RAM has failed, that is a bug. */
static void vswap_note_lost(swp_entry_t swp, unsigned long word)
{
	if (vswap_tb_is_poison(word))
		return;

	WARN_ONCE(1, "no data behind virtual swap slot %lx\n", swp_offset(swp));
	vswap_count_event(VSWAP_LOST);
}

/**
 * vswap_page_backing - Where the data of a page of a folio is.
 * @folio: folio with virtual slots, in the swap cache.
 * @first: the page of @folio.
 * @slot: returns the slot of the page, if it is on a device.
 * @nr: returns the number of pages from there on that can be had at one go.
 *
 * Context: The caller holds the folio lock.
 * Return: What is behind the page.
 */
enum vswap_backed vswap_page_backing(struct folio *folio, unsigned int first,
				     swp_entry_t *slot, unsigned int *nr)
{
	swp_entry_t swp = page_swap_entry(folio_page(folio, first));
	struct swap_cluster_info *ci = __swap_entry_to_cluster(swp);
	unsigned long word = vswap_get_backing(swp);
	bool zero;

	*nr = 1;
	if (vswap_tb_is_zswap(word))
		return VSWAP_BACKED_ZSWAP;
	if (vswap_tb_is_slot(word)) {
		*slot = vswap_slot_range(folio, first, nr);
		return VSWAP_BACKED_SLOT;
	}

	rcu_read_lock();
	zero = __swap_table_test_zero(ci, swp_cluster_offset(swp));
	rcu_read_unlock();
	if (zero)
		return VSWAP_BACKED_ZERO;

	vswap_note_lost(swp, word);
	return VSWAP_BACKED_NOT;
}

/**
 * vswap_read_lost - Fail the read of a virtual slot that nothing backs.
 * @folio: folio to read into, in the swap cache.
 *
 * Called when no backend but a device can know the data of @folio. If a virtual
 * slot has no physical slot behind it, there is no data, which is a bug unless it is
 * known to be lost (poison). The folio is unlocked without being marked up to date, so
 * that the fault is answered with SIGBUS instead of with somebody else's data.
 *
 * Context: The caller holds the folio lock, and has lost it if true is returned.
 * Return: true if @folio can't be read.
 */
bool vswap_read_lost(struct folio *folio)
{
	for (long i = 0; i < folio_nr_pages(folio); i++) {
		struct page *page = folio_page(folio, i);
		unsigned long word = vswap_get_backing(page_swap_entry(page));

		if (vswap_tb_is_slot(word))
			continue;
		vswap_note_lost(page_swap_entry(page), word);
		folio_unlock(folio);
		return true;
	}

	return false;
}

/**
 * vswap_reads_apart - Must the pages of a range be read by themselves?
 * @ci: cluster of the range, virtual or not.
 * @ci_off: first offset in the cluster.
 * @nr: number of slots.
 *
 * If one of the pages can't be read, a large folio for all of them would make
 * all of them fail. If one is on a slow device, a task that needs another one would
 * have to wait for it: large folios are for what needs no readahead, see
 * vswap_is_synchronous().
 *
 * Context: The caller holds the cluster lock.
 * Return: true if it is known of one of the pages that it can't be read, or that
 * it is on a slow device.
 */
bool vswap_reads_apart(struct swap_cluster_info *ci, unsigned int ci_off,
		       unsigned int nr)
{
	struct swap_table *table = READ_ONCE(ci->backing);

	if (!table)
		return false;

	for (; nr; nr--, ci_off++) {
		unsigned long word = atomic_long_read(&table->entries[ci_off]);

		if (vswap_tb_is_poison(word) || vswap_tb_has_failed(word))
			return true;
		if (vswap_tb_is_slot(word) &&
		    !vswap_slot_is_synchronous(vswap_tb_to_slot(word)))
			return true;
		if (vswap_tb_is_null(word) && !__swap_table_test_zero(ci, ci_off))
			return true;
	}

	return false;
}

/**
 * vswap_reads_alone - Must a page be read in a request of its own?
 * @folio: folio of one page with a virtual slot, to be read from a device, in the
 * swap cache.
 *
 * What failed before may have failed for the sake of a neighbour.
 *
 * Context: The caller holds the folio lock.
 * Return: true if the physical slot behind @folio has failed before.
 */
bool vswap_reads_alone(struct folio *folio)
{
	return vswap_tb_has_failed(vswap_get_backing(folio->swap));
}

/**
 * vswap_load_failed - Note that zswap could not decompress a page.
 * @swp: virtual swap entry of the page, backed by a zswap entry.
 *
 * Context: The caller holds the lock of the folio in the swap cache under @swp.
 */
void vswap_load_failed(swp_entry_t swp)
{
	atomic_long_t *word = vswap_backing_word(swp);

	VM_WARN_ON_ONCE(!vswap_tb_is_zswap(atomic_long_read(word)));
	atomic_long_or(VSWAP_TB_ZSWAP_FAILED, word);
}

/*
 * Has a read for this page alone failed? The next one who needs the page asks the
 * device once more: it may have recovered.
 */
static bool vswap_failed_alone(swp_entry_t swp)
{
	atomic_long_t *word = vswap_backing_word(swp);
	unsigned long prev = word ? atomic_long_read(word) : VSWAP_TB_NULL;

	if (!vswap_tb_is_slot(prev))
		return true;
	atomic_long_set(word, prev & ~VSWAP_TB_SLOT_ALONE);
	return (prev & VSWAP_TB_SLOT_MASK) != VSWAP_TB_SLOT_FAILED;
}

/**
 * vswap_drop_unread - Drop a folio that could not be read, to read it again.
 * @folio: folio that is not up to date.
 *
 * Another page may have caused it: one of the same large folio, or of the same
 * request. What is behind @folio is as it was, and is read page by page
 * next time, each with a request of its own.
 *
 * Context: The caller holds the folio lock.
 * Return: true if @folio has been taken out of the swap cache, and a part of it
 * won't come back together with another; false if there is nothing better than
 * to fail.
 */
bool vswap_drop_unread(struct folio *folio)
{
	struct swap_cluster_info *ci;
	bool again;

	if (!folio_test_swapcache(folio) || !folio_swap_is_virtual(folio))
		return false;
	/* Its data was newer than what is behind it */
	if (folio_contain_hwpoisoned_page(folio))
		return false;

	if (folio_test_large(folio)) {
		ci = swap_cluster_get_and_lock(folio);
		again = vswap_reads_apart(ci, swp_cluster_offset(folio->swap),
					  folio_nr_pages(folio));
		swap_cluster_unlock(ci);
	} else {
		again = !vswap_failed_alone(folio->swap);
	}
	if (again)
		swap_cache_del_folio(folio);

	return again;
}

/**
 * vswap_fault_unread - What a fault does about a folio that could not be read.
 * @folio: folio that is not up to date.
 *
 * It is not kept, for the reason may have passed when somebody comes next.
 *
 * Context: The caller holds the folio lock, and a reference beside that of the
 * swap cache.
 * Return: 0 if the fault is to be tried again, VM_FAULT_HWPOISON if a memory error
 * has hit the folio since it was looked at, or VM_FAULT_SIGBUS.
 */
vm_fault_t vswap_fault_unread(struct folio *folio)
{
	if (vswap_drop_unread(folio))
		return 0;
	if (folio_contain_hwpoisoned_page(folio))
		return VM_FAULT_HWPOISON;
	if (folio_test_swapcache(folio) && folio_swap_is_virtual(folio))
		swap_cache_del_folio(folio);
	return VM_FAULT_SIGBUS;
}

/**
 * vswap_free_backing_table - Free the backing table of an emptied cluster.
 * @ci: cluster without a used slot.
 *
 * Context: The caller holds the cluster lock. Does not sleep.
 */
void vswap_free_backing_table(struct swap_cluster_info *ci)
{
	struct swap_table *table = ci->backing;

	if (!table)
		return;

	if (IS_ENABLED(CONFIG_DEBUG_VM)) {
		for (unsigned int i = 0; i < SWAPFILE_CLUSTER; i++)
			VM_WARN_ON_ONCE(atomic_long_read(&table->entries[i]));
	}

	WRITE_ONCE(ci->backing, NULL);
	swap_table_free(vswap_backing_cachep, table);
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
				vswap_tb_is_null(vswap_get_backing(entry)));
	}
}
#endif

#if IS_ENABLED(CONFIG_VSWAP_KUNIT_TEST)
#include "tests/vswap_backing_kunit.h"
#endif
