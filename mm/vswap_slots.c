// SPDX-License-Identifier: GPL-2.0
/*
 * Virtual swap space: physical slots, those of devices behind virtual ones.
 *
 * A virtual slot takes room on a device only when its data has to go there: when
 * no other backend took the folio, or when zswap writes back. The backing word
 * names the physical slot, and the word of that slot in the swap table of the
 * device names the virtual slot:
 *
 *	page table --> virtual slot --backing word--> physical slot
 *	                            <---rmap word----
 *
 * The slot is charged to the owner of the virtual slot, as swap space. It stays
 * while the folio is swapped in and clean, and is used again when the folio has
 * changed and nobody else takes it; what lets go of it is
 * vswap_release_slots().
 *
 * Locks: the backing word goes by the folio lock like any other. The lock of
 * the virtual cluster is taken before that of the device's. The other way
 * round, from a physical slot to the virtual one, nothing is locked across:
 * whoever comes from there finds the folio through the swap cache, locks it and
 * looks whether the backing word still names the slot.
 */
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/vswap.h>
#include <kunit/static_stub.h>
#include "internal.h"
#include "swap_table.h"
#include "swap.h"
#include "vswap_table.h"

static swp_entry_t vswap_alloc_range(swp_entry_t owner, unsigned int order)
{
	KUNIT_STATIC_STUB_REDIRECT(vswap_alloc_range, owner, order);
	return swap_alloc_rmap_slots(owner, order);
}

static void vswap_free_range(swp_entry_t slot, unsigned int nr)
{
	KUNIT_STATIC_STUB_REDIRECT(vswap_free_range, slot, nr);
	swap_free_rmap_slots(slot, nr);
}

static bool vswap_has_free_slots(void)
{
	KUNIT_STATIC_STUB_REDIRECT(vswap_has_free_slots);
	return swap_has_free_slots();
}

static unsigned int vswap_slots_in_extent(swp_entry_t slot, unsigned int nr)
{
	KUNIT_STATIC_STUB_REDIRECT(vswap_slots_in_extent, slot, nr);
	return swap_slots_in_extent(slot, nr);
}

static int vswap_charge(unsigned short id, unsigned int nr, bool events)
{
	KUNIT_STATIC_STUB_REDIRECT(vswap_charge, id, nr, events);
	return nr ? mem_cgroup_charge_slots(id, nr, events) : 0;
}

static void vswap_uncharge(unsigned short id, unsigned int nr)
{
	KUNIT_STATIC_STUB_REDIRECT(vswap_uncharge, id, nr);
	if (nr)
		mem_cgroup_uncharge_slots(id, nr);
}

/* How many of @nr words from @word on name slots that follow each other? */
static unsigned int vswap_slot_run(atomic_long_t *word, unsigned int nr)
{
	unsigned long prev = atomic_long_read(word), next;
	unsigned int i;

	for (i = 1; i < nr; i++, prev = next) {
		next = atomic_long_read(&word[i]);
		if (!vswap_tb_is_next_slot(prev, next))
			break;
	}

	return i;
}

/**
 * vswap_cut_slots - Cut physical slots off a range of virtual ones.
 * @ci: cluster of the virtual slots, whose first one is backed by a physical slot.
 * @ci_off: offset of the first virtual slot in the cluster.
 * @nr: how many virtual slots at the most.
 * @run: returns the physical slots, which the caller has to free.
 *
 * Takes at one go what follows each other on the device and has one owner, who
 * is uncharged right away: only the virtual slots keep the owner's id.
 *
 * Context: The caller holds the lock of @ci; see vswap_release_slots().
 * Return: The number of virtual slots that are without a backing now.
 */
unsigned int vswap_cut_slots(struct swap_cluster_info *ci, unsigned int ci_off,
			     unsigned int nr, struct vswap_run *run)
{
	atomic_long_t *word = &ci->backing->entries[ci_off];
	swp_entry_t slot = vswap_tb_to_slot(atomic_long_read(word));
	unsigned short id = __swap_cgroup_get(ci, ci_off);
	unsigned int i;

	nr = min(nr, SWAPFILE_CLUSTER - swp_cluster_offset(slot));
	nr = vswap_slot_run(word, nr);
	for (i = 1; i < nr; i++) {
		if (__swap_cgroup_get(ci, ci_off + i) != id)
			break;
	}
	nr = i;

	for (i = 0; i < nr; i++)
		atomic_long_set(&word[i], VSWAP_TB_NULL);
	vswap_uncharge(id, nr);
	*run = (struct vswap_run) { .slot = slot, .nr = nr };

	return nr;
}

/**
 * vswap_join_runs - Make one run of slots of two, if they are one.
 * @run: run that takes in @next; it may be empty.
 * @next: slots that follow it, perhaps.
 *
 * Context: Any.
 * Return: true if @run has the slots of both now.
 */
bool vswap_join_runs(struct vswap_run *run, const struct vswap_run *next)
{
	if (!run->nr) {
		*run = *next;
		return true;
	}
	/* The first slot of a cluster begins a run */
	if (run->slot.val + run->nr != next->slot.val ||
	    !swp_cluster_offset(next->slot))
		return false;

	run->nr += next->nr;
	return true;
}

/**
 * vswap_free_run - Free physical slots that have been cut off.
 * @run: slots that nothing names any more; may be empty.
 *
 * Context: May be called under the lock of a virtual cluster.
 */
void vswap_free_run(const struct vswap_run *run)
{
	if (run->nr)
		vswap_free_range(run->slot, run->nr);
}

/**
 * vswap_free_slots - Free the physical slots behind a range of virtual ones.
 * @ci: cluster of the virtual slots, whose first one is backed by a physical slot.
 * @ci_off: offset of the first virtual slot in the cluster.
 * @nr: how many virtual slots at the most.
 *
 * Context: The caller holds the lock of @ci; see vswap_release_slots().
 * Return: The number of virtual slots that are without a backing now.
 */
unsigned int vswap_free_slots(struct swap_cluster_info *ci,
			      unsigned int ci_off, unsigned int nr)
{
	struct vswap_run run;

	nr = vswap_cut_slots(ci, ci_off, nr, &run);
	vswap_free_run(&run);

	return nr;
}

/* The owner of a pinned virtual slot, as a cgroup id. */
static unsigned short vswap_owner(swp_entry_t swp)
{
	struct swap_cluster_info *ci;
	unsigned short id;

	ci = swap_cluster_lock(vswap_info, swp_offset(swp));
	id = __swap_cgroup_get(ci, swp_cluster_offset(swp));
	swap_cluster_unlock(ci);

	return id;
}

/**
 * vswap_free_slot - Free the physical slot that a backing word has named.
 * @swp: the virtual slot.
 * @word: the word, which has been replaced.
 *
 * Context: The caller holds the lock of the folio in the swap cache under @swp,
 * which is not under writeback. Does not sleep.
 */
void vswap_free_slot(swp_entry_t swp, unsigned long word)
{
	vswap_free_range(vswap_tb_to_slot(word), 1);
	vswap_uncharge(vswap_owner(swp), 1);
}

/* Does a word name a slot that may be written to? */
static bool vswap_tb_is_good_slot(unsigned long word)
{
	return vswap_tb_is_slot(word) && !(word & VSWAP_TB_SLOT_FAILED);
}

/* Physical slots behind the pages of a folio. */
struct vswap_slot_counts {
	unsigned int good;	/* may be used again */
	unsigned int failed;
};

static struct vswap_slot_counts vswap_count_slots(atomic_long_t *words,
						  unsigned int nr)
{
	struct vswap_slot_counts counts = {};

	for (unsigned int i = 0; i < nr; i++) {
		unsigned long word = atomic_long_read(&words[i]);

		if (vswap_tb_is_good_slot(word))
			counts.good++;
		else if (vswap_tb_is_slot(word))
			counts.failed++;
	}

	return counts;
}

/* Let go of all that is behind a folio but slots. */
static void vswap_release_others(atomic_long_t *words, unsigned int nr,
				 swp_entry_t swp)
{
	for (unsigned int i = 0; i < nr; i++, swp.val++) {
		unsigned long word = atomic_long_read(&words[i]);

		if (vswap_tb_is_poison(word))
			atomic_long_set(&words[i], VSWAP_TB_NULL);
		else if (vswap_tb_is_zswap(word))
			zswap_invalidate(swp);
	}
}

/* Have words name slots that follow each other, instead of others. */
static void vswap_set_slots(atomic_long_t *words, unsigned int nr, swp_entry_t slot)
{
	for (unsigned int i = 0; i < nr; i++, slot.val++) {
		unsigned long old = atomic_long_read(&words[i]);

		atomic_long_set(&words[i], slot_to_vswap_tb(slot));
		/* The new one takes over its charge */
		if (vswap_tb_is_slot(old))
			vswap_free_range(vswap_tb_to_slot(old), 1);
	}
}

/*
 * Put single slots behind the pages of a folio that have none, or one that has
 * failed. The latter are held until all pages have others, in @held, which has
 * room for them. If there are no others, they get another try.
 */
static bool vswap_set_single_slots(atomic_long_t *words, unsigned int nr,
				   swp_entry_t swp, swp_entry_t *held)
{
	unsigned int i, nr_held = 0;
	swp_entry_t slot;

	for (i = 0; i < nr; i++, swp.val++) {
		unsigned long word = atomic_long_read(&words[i]);

		if (vswap_tb_is_good_slot(word))
			continue;

		slot = vswap_alloc_range(swp, 0);
		if (slot.val) {
			if (vswap_tb_is_slot(word))
				held[nr_held++] = vswap_tb_to_slot(word);
			atomic_long_set(&words[i], slot_to_vswap_tb(slot));
		} else if (vswap_tb_is_slot(word)) {
			atomic_long_set(&words[i], word & ~VSWAP_TB_SLOT_MASK);
		} else {
			break;
		}
	}

	/* Others have taken over their charges */
	while (nr_held)
		vswap_free_range(held[--nr_held], 1);

	return i == nr;
}

static bool vswap_back_by_single_slots(atomic_long_t *words, unsigned int nr,
				       swp_entry_t swp, unsigned int nr_failed)
{
	swp_entry_t one, *held = &one;
	bool done;

	if (nr_failed > 1) {
		held = kmalloc_array(nr_failed, sizeof(*held),
				     GFP_NOWAIT | __GFP_NOMEMALLOC);
		if (!held)
			return false;
	}
	done = vswap_set_single_slots(words, nr, swp, held);
	if (held != &one)
		kfree(held);

	return done;
}

/**
 * vswap_has_slots - Can a folio be written to physical slots that it has already?
 * @folio: folio in the swap cache with virtual slots.
 *
 * Context: The caller holds the folio lock.
 * Return: true if vswap_back_folio() has nothing to take.
 */
bool vswap_has_slots(struct folio *folio)
{
	swp_entry_t swp = folio->swap;

	for (long i = 0; i < folio_nr_pages(folio); i++, swp.val++) {
		if (!vswap_tb_is_good_slot(vswap_get_backing(swp)))
			return false;
	}

	return true;
}

/* As where a plain slot can't be had. */
static void vswap_count_swap_fail(struct folio *folio)
{
	struct mem_cgroup *memcg;

	if (vswap_is_alone())
		return;

	rcu_read_lock();
	memcg = folio_memcg(folio);
	if (memcg)
		memcg_memory_event(memcg, MEMCG_SWAP_FAIL);
	rcu_read_unlock();
}

/**
 * vswap_back_folio - Put physical slots behind the slots of a folio.
 * @folio: folio in the swap cache, with virtual slots, that holds their data.
 *
 * One range for a large folio if there is one, else slots wherever they are.
 * Slots that an earlier write has left are used again. Those that failed are so
 * only if there are no others: they are held meanwhile, in order to get others.
 *
 * Context: The caller holds the folio lock, and marks the folio dirty if it does
 * not write it now. May sleep.
 * Return: true if each page has its slot. Otherwise there was no slot, no memory,
 * or memory.swap.max is reached, counted as slots_fail; or there was no memory for a
 * backing table, counted as table_fail only. What is behind the folio may be what was
 * there before, or nothing any more.
 */
bool vswap_back_folio(struct folio *folio)
{
	unsigned int nr = folio_nr_pages(folio), order = folio_order(folio);
	swp_entry_t swp = folio->swap, slot;
	struct vswap_slot_counts counts;
	atomic_long_t *words;
	unsigned short id;

	/* What can't be had needs no table, and no charge, which would be an event */
	if (!READ_ONCE(__swap_entry_to_cluster(swp)->backing) && !vswap_has_free_slots())
		goto full;
	words = vswap_get_backing_words(swp);
	if (!words)
		return false;
	counts = vswap_count_slots(words, nr);
	if (counts.good == nr)
		return true;
	if (!counts.good && !counts.failed && !vswap_has_free_slots())
		goto full;

	/* A slot that takes the place of another one takes over its charge */
	id = vswap_owner(swp);
	if (vswap_charge(id, nr - counts.good - counts.failed, true))
		goto fail;

	vswap_release_others(words, nr, swp);
	slot = vswap_alloc_range(swp, order);
	if (slot.val) {
		vswap_set_slots(words, nr, slot);
		goto taken;
	}
	if (!order && !counts.failed)
		goto uncharge;

	if (!vswap_back_by_single_slots(words, nr, swp, counts.failed))
		goto uncharge;
	if (order)
		vswap_count_event(VSWAP_SLOTS_SPLIT);
taken:
	vswap_count_event(VSWAP_SLOTS_TAKEN);
	return true;

uncharge:
	/* What has a slot is uncharged when that is freed */
	counts = vswap_count_slots(words, nr);
	vswap_uncharge(id, nr - counts.good - counts.failed);
	vswap_release_folio(folio);
full:
	vswap_count_swap_fail(folio);
fail:
	vswap_count_event(VSWAP_SLOTS_FAIL);
	return false;
}

/**
 * vswap_may_write - May a folio that no backend took be written to a device?
 * @folio: folio in the swap cache.
 * @allowed: whether the folio's cgroup lets it go to a device.
 *
 * A folio with virtual slots may if there are physical slots for it. If not,
 * see vswap_keep().
 *
 * Context: The caller holds the folio lock. May sleep.
 * Return: true if @folio has slots of devices, plain ones or physical ones.
 */
bool vswap_may_write(struct folio *folio, bool allowed)
{
	if (!folio_swap_is_virtual(folio))
		return allowed;

	return allowed && vswap_back_folio(folio);
}

/**
 * vswap_backing_range - Where a part of a folio with virtual slots is.
 * @folio: folio in the swap cache.
 * @first: page of the folio to start with.
 * @nr: returns the number of pages from there on whose slots follow each other,
 *      as slots and as blocks of the device.
 *
 * Context: See vswap_slot_range().
 * Return: The physical slot of page @first.
 */
swp_entry_t vswap_backing_range(struct folio *folio, unsigned int first,
				unsigned int *nr)
{
	swp_entry_t swp = page_swap_entry(folio_page(folio, first));
	atomic_long_t *word;

	word = &__swap_entry_to_cluster(swp)->backing->entries[swp_cluster_offset(swp)];
	*nr = vswap_slot_run(word, folio_nr_pages(folio) - first);
	swp = vswap_tb_to_slot(atomic_long_read(word));
	*nr = vswap_slots_in_extent(swp, *nr);
	return swp;
}

/**
 * vswap_io_failed - Note that physical slots of a folio could not be written or read.
 * @folio: folio that the I/O was for.
 * @first: first page of @folio that it was for.
 * @nr: number of pages.
 * @rw: WRITE or READ.
 *
 * After a failed write the folio is dirty, so its data is safe, and the next
 * write takes other slots. After a failed read the pages are not read together
 * with others again, see vswap_reads_apart() and vswap_reads_alone(): the next
 * read that fails is one for this page only.
 *
 * Context: Any, interrupts included. The folio is under writeback, or is locked
 * for reading. The words of the pages can't change, those of others may.
 */
void vswap_io_failed(struct folio *folio, unsigned int first, unsigned int nr,
		     int rw)
{
	swp_entry_t swp;
	atomic_long_t *words;

	if (!folio_swap_is_virtual(folio))
		return;

	swp = page_swap_entry(folio_page(folio, first));
	words = &__swap_entry_to_cluster(swp)->backing->entries[swp_cluster_offset(swp)];
	for (unsigned int i = 0; i < nr; i++) {
		unsigned long word = atomic_long_read(&words[i]);

		/* To mark anything else would be to destroy it */
		if (!vswap_tb_is_slot(word)) {
			VM_WARN_ON_ONCE(1);
			continue;
		}
		if (rw == READ && vswap_tb_has_failed(word))
			word |= VSWAP_TB_SLOT_ALONE;
		atomic_long_set(&words[i], word | VSWAP_TB_SLOT_FAILED);
	}
	vswap_count_event(rw == WRITE ? VSWAP_WRITE_ERROR : VSWAP_READ_ERROR);
}

/**
 * vswap_reserve_slot - Take a physical slot for data that is held elsewhere.
 * @swp: virtual slot.
 * @slot: returns the slot; nothing points to it yet.
 *
 * Context: The caller holds the lock of the folio in the swap cache under @swp.
 * May sleep.
 * Return: 0; -ENOSPC if there is no slot, -EDQUOT if the cgroup that owns @swp is
 * at its memory.swap.max.
 */
int vswap_reserve_slot(swp_entry_t swp, swp_entry_t *slot)
{
	unsigned short id = vswap_owner(swp);
	int err = -EDQUOT;

	/* The data has a place: nobody is refused anything */
	if (vswap_charge(id, 1, false))
		goto fail;

	*slot = vswap_alloc_range(swp, 0);
	if (slot->val)
		return 0;

	vswap_uncharge(id, 1);
	err = -ENOSPC;
fail:
	vswap_count_event(VSWAP_SLOTS_FAIL);
	return err;
}

/**
 * vswap_cancel_slot - Give back a slot that has been reserved.
 * @swp: virtual slot.
 * @slot: from vswap_reserve_slot().
 *
 * Context: The caller holds the lock of the folio in the swap cache under @swp.
 */
void vswap_cancel_slot(swp_entry_t swp, swp_entry_t slot)
{
	vswap_free_range(slot, 1);
	vswap_uncharge(vswap_owner(swp), 1);
}

/**
 * vswap_use_slot - Let a physical slot take the place of a zswap entry.
 * @swp: virtual slot, backed by a zswap entry.
 * @slot: from vswap_reserve_slot().
 *
 * Context: The caller holds the lock of the folio in the swap cache under @swp
 * and goes on to write it to @slot. It owns the zswap entry from now on.
 */
void vswap_use_slot(swp_entry_t swp, swp_entry_t slot)
{
	atomic_long_set(vswap_get_backing_words(swp), slot_to_vswap_tb(slot));
}

/* The word of the physical slot behind an unpinned virtual one, or no backing. */
static unsigned long vswap_peek_word(swp_entry_t swp)
{
	unsigned long word, slot = VSWAP_TB_NULL;
	struct swap_cluster_info *ci;
	struct swap_table *table;

	rcu_read_lock();
	ci = vswap_find_cluster(vswap_info, swp_offset(swp));
	table = ci ? READ_ONCE(ci->backing) : NULL;
	if (table) {
		word = atomic_long_read_acquire(&table->entries[swp_cluster_offset(swp)]);
		/* The table may have been freed and be that of another cluster by now */
		if (READ_ONCE(ci->backing) == table && vswap_tb_is_slot(word))
			slot = word;
	}
	rcu_read_unlock();

	return slot;
}

/**
 * vswap_peek_slot - See where the data of a virtual slot is.
 * @swp: virtual swap entry, need not be pinned.
 *
 * Context: Any. The answer is a hint, unless the caller holds the lock of the
 * folio in the swap cache under @swp.
 * Return: The physical slot, an entry of value 0 if it is not on a device.
 */
swp_entry_t vswap_peek_slot(swp_entry_t swp)
{
	unsigned long word = vswap_peek_word(swp);
	swp_entry_t slot = {};

	if (vswap_tb_is_slot(word))
		slot = vswap_tb_to_slot(word);

	return slot;
}

/**
 * vswap_slot_is_synchronous - Is a slot on a device that is as fast as memory?
 * @slot: slot of a device.
 *
 * Context: Any. The answer is a hint unless something pins the slot.
 * Return: true if reading it is not waiting.
 */
bool vswap_slot_is_synchronous(swp_entry_t slot)
{
	struct swap_info_struct *si;

	KUNIT_STATIC_STUB_REDIRECT(vswap_slot_is_synchronous, slot);
	/*
	 * Peeking at the slot does not keep the device from being switched off,
	 * but what describes it is never freed. There is none if the slot is not
	 * one, see vswap_peek_slot().
	 */
	si = READ_ONCE(swap_info[swp_type(slot)]);
	/* Set by swapon and never changed while the device is in use */
	return !si || data_race(si->flags & SWP_SYNCHRONOUS_IO);
}

static bool vswap_word_is_synchronous(unsigned long word)
{
	return !vswap_tb_is_slot(word) || vswap_tb_has_failed(word) ||
	       vswap_slot_is_synchronous(vswap_tb_to_slot(word));
}

/**
 * vswap_is_synchronous - Is readahead pointless for a virtual slot?
 * @swp: virtual swap entry, need not be pinned.
 *
 * To read the neighbours of what zswap holds is to decompress what nobody asked
 * for. What is on a device goes by the device. What has failed is read by itself,
 * and only when it is needed.
 *
 * Context: Any.
 * Return: false if the data of @swp is on a device that is worth readahead.
 */
bool vswap_is_synchronous(swp_entry_t swp)
{
	return vswap_word_is_synchronous(vswap_peek_word(swp));
}

/**
 * vswap_folio_is_synchronous - vswap_is_synchronous() for a folio.
 * @folio: folio in the swap cache with a virtual slot.
 *
 * Context: The caller holds the folio lock.
 * Return: As for vswap_is_synchronous().
 */
bool vswap_folio_is_synchronous(struct folio *folio)
{
	return vswap_word_is_synchronous(vswap_get_backing(folio->swap));
}

/**
 * vswap_slot_owner - Find the entry whose data is in a slot of a device.
 * @slot: the slot, in use or not.
 *
 * Context: The caller protects the device with a reference. The answer is a hint.
 * Return: The virtual entry that @slot is behind; @slot itself if it is a plain
 * one, or free.
 */
swp_entry_t vswap_slot_owner(swp_entry_t slot)
{
	unsigned long swp_tb = swap_table_get_unpinned(slot);

	return swp_tb_is_rmap(swp_tb) ? swp_tb_to_rmap(swp_tb) : slot;
}

/**
 * vswap_hint_unused - Note that only the swap cache uses a virtual slot now.
 * @ci: cluster of the slot.
 * @swp: virtual swap entry whose count is 0 now, with a folio in the cache.
 *
 * Leaves a mark at the physical slot behind it, for vswap_reclaim_slot().
 *
 * Context: The caller holds the lock of @ci.
 */
void vswap_hint_unused(struct swap_cluster_info *ci, swp_entry_t swp)
{
	struct swap_table *table = READ_ONCE(ci->backing);
	unsigned long word, want = rmap_to_swp_tb(swp);
	swp_entry_t slot;

	if (!table)
		return;
	word = atomic_long_read(&table->entries[swp_cluster_offset(swp)]);
	if (!vswap_tb_is_slot(word))
		return;

	/*
	 * Whoever has the folio locked may be freeing the slot: look whether it
	 * still is the one. That it is there at all is sure, the device can't
	 * go while the caller holds a lock.
	 */
	slot = vswap_tb_to_slot(word);
	ci = swap_cluster_lock(__swap_entry_to_info(slot), swp_offset(slot));
	if (rcu_access_pointer(ci->table) &&
	    __swap_table_get(ci, swp_cluster_offset(slot)) == want)
		__swap_table_set(ci, swp_cluster_offset(slot),
				 want | SWP_TB_RMAP_HINT);
	swap_cluster_unlock(ci);
}

/**
 * vswap_reclaim_slot - Free a physical slot that only the swap cache uses.
 * @slot: the slot.
 * @swp_tb: its word in the swap table of the device, with the hint.
 *
 * Context: Does not sleep. No cluster lock is held, @slot's device is protected.
 * Return: 1 if the slot is free now, 0 if it may be, since its page is not in the
 * swap cache any more. If it is not, less than 0: minus how many slots from it on are
 * behind the same folio. A hint that has turned out to be wrong is taken away.
 */
int vswap_reclaim_slot(swp_entry_t slot, unsigned long swp_tb)
{
	unsigned int off = swp_cluster_offset(slot), nr = 1, end = 1;
	swp_entry_t swp = swp_tb_to_rmap(swp_tb);
	struct swap_cluster_info *ci;
	struct folio *folio;
	bool wrong = true;
	int ret = 0;

	folio = swap_cache_get_folio(swp);
	if (folio) {
		/* Busy is not wrong: try again later */
		if (!folio_trylock(folio)) {
			folio_put(folio);
			return -1;
		}
		if (folio_matches_swap_entry(folio, swp)) {
			/* I/O may keep it, or that others of its pages are out */
			ret = folio_free_swap(folio) ? 1 : -1;
			wrong = ret < 0 && swap_entry_swapped(vswap_info, swp);
			end = folio_nr_pages(folio) - (swp.val - folio->swap.val);
		}
		folio_unlock(folio);
		folio_put(folio);
	}
	if (ret > 0)
		return ret;

	ci = swap_cluster_lock(__swap_entry_to_info(slot), swp_offset(slot));
	if (rcu_access_pointer(ci->table)) {
		if (wrong && __swap_table_get(ci, off) == swp_tb)
			__swap_table_set(ci, off, swp_tb & ~SWP_TB_RMAP_HINT);
		for (; ret < 0 && nr < end && off + nr < SWAPFILE_CLUSTER; nr++) {
			swp.val++;
			swp_tb = __swap_table_get(ci, off + nr);
			if ((swp_tb & ~SWP_TB_RMAP_HINT) != rmap_to_swp_tb(swp))
				break;
		}
	}
	swap_cluster_unlock(ci);

	return ret < 0 ? -(int)nr : 0;
}

#if IS_ENABLED(CONFIG_VSWAP_KUNIT_TEST)
#include "tests/vswap_slots_kunit.h"
#endif
