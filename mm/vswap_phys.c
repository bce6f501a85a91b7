// SPDX-License-Identifier: GPL-2.0
/*
 * Virtual swap space: physical slots, the slots of devices that back virtual ones.
 *
 * A virtual slot takes room on a device only when its data has to go there: when
 * no other backend took the folio, or when zswap writes back. The backing word
 * names the physical slot, and the word of that slot in the swap table of the
 * device names the virtual slot:
 *
 *	page table --> virtual slot --backing word--> physical slot
 *	                            <----backref-----
 *
 * The slot is charged to the owner of the virtual slot, as swap space. It stays
 * while the folio is swapped in and clean, and is used again when the folio has
 * changed and nobody else takes it, until the backing is dropped.
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
#include <linux/vswap.h>
#include <kunit/static_stub.h>
#include "internal.h"
#include "swap_table.h"
#include "swap.h"
#include "vswap_internal.h"
#include "vswap_table.h"

/*
 * Allocating, charging and freeing them. Tests replace the devices here.
 */

/**
 * vswap_phys_alloc - Allocate consecutive physical slots.
 * @owner: the first of the virtual slots that they are going to back.
 * @order: order of the range.
 *
 * Context: See swap_alloc_phys_slots().
 * Return: The first slot, an entry of value 0 if there are none.
 */
swp_entry_t vswap_phys_alloc(swp_entry_t owner, unsigned int order)
{
	KUNIT_STATIC_STUB_REDIRECT(vswap_phys_alloc, owner, order);
	return swap_alloc_phys_slots(owner, order);
}

/**
 * vswap_phys_free - Free consecutive physical slots.
 * @slot: the first one.
 * @nr: number of slots, all in one cluster.
 *
 * Context: See swap_free_phys_slots(). No backing word names them any more.
 */
void vswap_phys_free(swp_entry_t slot, unsigned int nr)
{
	KUNIT_STATIC_STUB_REDIRECT(vswap_phys_free, slot, nr);
	swap_free_phys_slots(slot, nr);
}

/**
 * vswap_phys_available - Are there physical slots that can be allocated?
 *
 * Context: Any. The answer may be outdated at once.
 * Return: true if there is a device that is enabled and not full.
 */
bool vswap_phys_available(void)
{
	KUNIT_STATIC_STUB_REDIRECT(vswap_phys_available);
	return swap_has_free_slots();
}

/**
 * vswap_phys_in_extent - Count slots that are consecutive blocks of the device.
 * @slot: the first slot.
 * @nr: number of slots to look at.
 *
 * Context: Any; something pins @slot.
 * Return: Number of slots, @nr at the most.
 */
unsigned int vswap_phys_in_extent(swp_entry_t slot, unsigned int nr)
{
	KUNIT_STATIC_STUB_REDIRECT(vswap_phys_in_extent, slot, nr);
	return swap_slots_in_extent(slot, nr);
}

/**
 * vswap_phys_charge - Charge physical slots to a memory cgroup.
 * @id: ID of the owner of the virtual slots.
 * @nr: number of physical slots, may be 0.
 * @events: count a failure as an event of the memory cgroup.
 *
 * Context: Any.
 * Return: 0, or -ENOMEM if memory.swap.max is reached.
 */
int vswap_phys_charge(unsigned short id, unsigned int nr, bool events)
{
	KUNIT_STATIC_STUB_REDIRECT(vswap_phys_charge, id, nr, events);
	return nr ? mem_cgroup_charge_slots(id, nr, events) : 0;
}

/**
 * vswap_phys_uncharge - Undo vswap_phys_charge().
 * @id: ID of the owner of the virtual slots.
 * @nr: number of physical slots, may be 0.
 *
 * Context: Any.
 */
void vswap_phys_uncharge(unsigned short id, unsigned int nr)
{
	KUNIT_STATIC_STUB_REDIRECT(vswap_phys_uncharge, id, nr);
	if (nr)
		mem_cgroup_uncharge_slots(id, nr);
}

/**
 * vswap_merge_runs - Merge two runs of physical slots if they are consecutive.
 * @run: run that takes in @next; may be empty.
 * @next: run that follows it, perhaps.
 *
 * Context: Any.
 * Return: true if @run has the slots of both now.
 */
bool vswap_merge_runs(struct vswap_run *run, const struct vswap_run *next)
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
 * vswap_free_run - Free physical slots that have been detached.
 * @run: slots that no backing word names any more; may be empty.
 *
 * Context: May be called under the lock of a virtual cluster.
 */
void vswap_free_run(const struct vswap_run *run)
{
	if (run->nr)
		vswap_phys_free(run->slot, run->nr);
}

/*
 * Looking them up
 */

/* The word of the physical slot behind an unpinned virtual one, or no backing. */
static unsigned long vswap_peek_word(swp_entry_t swp)
{
	unsigned long word, phys = VSWAP_TB_NULL;
	struct swap_cluster_info *ci;
	struct vswap_table *table;

	/* Who reads page tables without their lock has not asked get_swap_device() yet */
	if (unlikely(swp_offset(swp) >= vswap_max_slots()))
		return phys;
	ci = __swap_entry_to_cluster(swp);

	/* The table may be freed, and then is so after a grace period */
	rcu_read_lock();
	table = READ_ONCE(ci->backing);
	if (table) {
		word = atomic_long_read_acquire(&table->words[swp_cluster_offset(swp)]);
		/* The table may have been freed and be that of another cluster by now */
		if (READ_ONCE(ci->backing) == table && vswap_tb_is_phys(word))
			phys = word;
	}
	rcu_read_unlock();

	return phys;
}

/**
 * vswap_peek_phys - Peek at the physical slot that backs a virtual one.
 * @swp: virtual swap entry, need not be pinned.
 *
 * Context: Any. The answer is a hint, unless the caller holds the lock of the
 * folio in the swap cache under @swp.
 * Return: The physical slot, an entry of value 0 if none backs @swp.
 */
swp_entry_t vswap_peek_phys(swp_entry_t swp)
{
	unsigned long word = vswap_peek_word(swp);
	swp_entry_t slot = {};

	if (vswap_tb_is_phys(word))
		slot = vswap_tb_to_phys(word);

	return slot;
}

/**
 * vswap_phys_is_synchronous - Is a slot on a device that is as fast as memory?
 * @slot: slot of a device.
 *
 * Context: Any. The answer is a hint unless something pins the slot.
 * Return: true if reading it is not waiting.
 */
bool vswap_phys_is_synchronous(swp_entry_t slot)
{
	struct swap_info_struct *si;

	KUNIT_STATIC_STUB_REDIRECT(vswap_phys_is_synchronous, slot);
	/*
	 * Peeking at the slot does not keep the device from being switched off,
	 * but what describes it is never freed. There is none if the slot is not
	 * one, see vswap_peek_phys().
	 */
	si = READ_ONCE(swap_info[swp_type(slot)]);
	/* Set by swapon and never changed while the device is in use */
	return !si || data_race(si->flags & SWP_SYNCHRONOUS_IO);
}

static bool vswap_word_is_synchronous(unsigned long word)
{
	return !vswap_tb_is_phys(word) || vswap_tb_has_failed(word) ||
	       vswap_phys_is_synchronous(vswap_tb_to_phys(word));
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
	return vswap_word_is_synchronous(vswap_get_word(folio->swap));
}

/**
 * vswap_phys_owner - Find the entry whose data is in a slot of a device.
 * @slot: the slot, in use or not.
 *
 * Context: The caller protects the device with a reference. The answer is a hint.
 * Return: The virtual entry that @slot backs; @slot itself if it is a plain one,
 * or free.
 */
swp_entry_t vswap_phys_owner(swp_entry_t slot)
{
	unsigned long swp_tb = swap_table_get(__swap_entry_to_cluster(slot),
					      swp_cluster_offset(slot));

	return swp_tb_is_backref(swp_tb) ? swp_tb_to_backref(swp_tb) : slot;
}

/*
 * Reclaiming those that only the swap cache uses
 */

/**
 * vswap_mark_idle - Mark that only the swap cache uses a virtual slot now.
 * @ci: cluster of the slot.
 * @swp: virtual swap entry whose count is 0 now, with a folio in the cache.
 *
 * Leaves a hint at the physical slot that backs it, for vswap_reclaim_phys().
 *
 * Context: The caller holds the lock of @ci.
 */
void vswap_mark_idle(struct swap_cluster_info *ci, swp_entry_t swp)
{
	unsigned long word = __vswap_tb_get(ci, swp_cluster_offset(swp));
	unsigned long backref = backref_to_swp_tb(swp);
	swp_entry_t slot;

	if (!vswap_tb_is_phys(word))
		return;

	/*
	 * Whoever has the folio locked may be freeing the slot: look whether it
	 * still is the one. That it is there at all is sure, the device can't
	 * go while the caller holds a lock.
	 */
	slot = vswap_tb_to_phys(word);
	ci = swap_cluster_lock(__swap_entry_to_info(slot), swp_offset(slot));
	if (rcu_access_pointer(ci->table) &&
	    __swap_table_get(ci, swp_cluster_offset(slot)) == backref)
		__swap_table_set(ci, swp_cluster_offset(slot),
				 backref | SWP_TB_BACKREF_HINT);
	swap_cluster_unlock(ci);
}

/**
 * vswap_reclaim_phys - Free a physical slot that only the swap cache uses.
 * @slot: the slot.
 * @swp_tb: its word in the swap table of the device, with the hint.
 *
 * Context: Does not sleep. No cluster lock is held, @slot's device is protected.
 * Return: 1 if the slot is free now, 0 if it may be, since its page is not in the
 * swap cache any more. If it is not, less than 0: minus how many slots from it on
 * back the same folio. A hint that has turned out to be wrong is taken away.
 */
int vswap_reclaim_phys(swp_entry_t slot, unsigned long swp_tb)
{
	unsigned int off = swp_cluster_offset(slot), nr = 1, end = 1;
	swp_entry_t swp = swp_tb_to_backref(swp_tb);
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
			__swap_table_set(ci, off, swp_tb & ~SWP_TB_BACKREF_HINT);
		for (; ret < 0 && nr < end && off + nr < SWAPFILE_CLUSTER; nr++) {
			swp.val++;
			swp_tb = __swap_table_get(ci, off + nr);
			if ((swp_tb & ~SWP_TB_BACKREF_HINT) != backref_to_swp_tb(swp))
				break;
		}
	}
	swap_cluster_unlock(ci);

	return ret < 0 ? -(int)nr : 0;
}
