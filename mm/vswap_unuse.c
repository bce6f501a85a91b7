// SPDX-License-Identifier: GPL-2.0
/*
 * Virtual swap space: moving data off a device that is switched off.
 *
 * The physical slots of the device name the virtual ones that they are behind, so
 * the device is read from one end to the other, in large requests, into the swap
 * cache. Page tables name virtual slots before and after: no process is looked
 * at, and it does not matter how many share a page.
 */
#include <linux/blkdev.h>
#include <linux/jiffies.h>
#include <linux/mempolicy.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/swap_ops.h>
#include <linux/vswap.h>
#include "internal.h"
#include "swap_table.h"
#include "swap.h"
#include "vswap_internal.h"
#include "vswap_table.h"

/* Pages to be read before the first of them is waited for. */
#define VSWAP_UNUSE_BATCH	(4 * SWAP_CLUSTER_MAX)

/* Nobody is killed for a page of theirs that they have not asked for. */
#define VSWAP_UNUSE_GFP		(GFP_HIGHUSER_MOVABLE | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

/* Jiffies without memory for any page after which swapoff fails */
#define VSWAP_UNUSE_PATIENCE	(10 * HZ)

/* ... after which it leaves the pages of a cgroup for later, and looks for others */
#define VSWAP_UNUSE_HURRY	HZ

struct vswap_unuse_batch {
	struct swap_io_ctx io;
	struct vswap_run run;				/* to be freed */
	unsigned long progress;				/* jiffies, of the last page */
	unsigned int nr;
	struct folio *folios[VSWAP_UNUSE_BATCH];	/* with a reference each */
	bool left;					/* some pages for later */
	DECLARE_BITMAP(left_owners, U16_MAX + 1);	/* those of these cgroups */
};

/* Free slots that follow each other at one go. */
static void vswap_unuse_free(struct vswap_unuse_batch *batch,
			     const struct vswap_run *run)
{
	vswap_count_events(VSWAP_EVACUATE, run->nr);
	if (vswap_merge_runs(&batch->run, run))
		return;
	vswap_free_run(&batch->run);
	batch->run = *run;
}

/* Detach the slots of a device from a folio, which holds the data from now on. */
static void vswap_evacuate_folio(struct vswap_unuse_batch *batch,
				 struct folio *folio, struct swap_info_struct *si)
{
	struct swap_cluster_info *ci;
	unsigned int ci_off, ci_end, nr;
	struct vswap_run run;
	bool unread = !folio_test_uptodate(folio);
	bool poisoned = folio_contain_hwpoisoned_page(folio);

	/* Before the slots go: the folio must not be found clean without them */
	if (!unread)
		folio_mark_dirty(folio);

	ci = swap_cluster_get_and_lock(folio);
	ci_off = swp_cluster_offset(folio->swap);
	ci_end = ci_off + folio_nr_pages(folio);
	for (; ci->backing && ci_off < ci_end; ci_off += nr) {
		unsigned long word = __vswap_tb_get(ci, ci_off);

		nr = 1;
		if (!vswap_tb_is_phys(word) ||
		    swp_type(vswap_tb_to_phys(word)) != si->type)
			continue;
		/* It may have been read together with one that can't be read */
		if (unread && !poisoned && !(word & VSWAP_TB_PHYS_ALONE))
			continue;
		/* What can't be read is lost for good, page by page: its readers get SIGBUS. */
		nr = vswap_detach_phys(ci, ci_off, unread ? 1 : ci_end - ci_off, &run);
		if (unread)
			vswap_poison(ci, ci_off);
		vswap_unuse_free(batch, &run);
	}
	swap_cluster_unlock(ci);
}

/* Move a locked folio off the device. */
static void vswap_unuse_folio(struct vswap_unuse_batch *batch,
			      struct folio *folio, struct swap_info_struct *si)
{
	/* It may have been freed, and swapped out elsewhere since. */
	if (!folio_test_swapcache(folio) || !folio_swap_is_virtual(folio))
		return;

	if (vswap_folio_is_droppable(folio)) {
		swap_cache_del_folio(folio);
		return;
	}

	vswap_evacuate_folio(batch, folio, si);
	folio_free_swap(folio);
}

/* Queue the read of a page unless it is in the swap cache. */
static struct folio *vswap_unuse_read(struct swap_io_ctx *io, swp_entry_t swp, gfp_t gfp)
{
	return swap_cache_read_folio(io, swp, gfp,
				     get_task_policy(current),
				     NO_INTERLEAVE_INDEX, false);
}

/*
 * Could a page not be read, by us or by whoever has brought it here? One that a
 * memory error has hit looks the same, but what is on the device may be older.
 */
static bool vswap_unuse_unread(struct folio *folio)
{
	return !folio_test_uptodate(folio) && !folio_test_large(folio) &&
	       !folio_contain_hwpoisoned_page(folio) &&
	       folio_test_swapcache(folio) && folio_swap_is_virtual(folio);
}

/*
 * Read a page again, alone this time. Takes over the lock of @folio and the
 * reference to it. The next round comes back to what can't be had now.
 */
static struct folio *vswap_unuse_read_again(struct folio *folio)
{
	struct swap_io_ctx io = {};
	swp_entry_t swp = folio->swap;

	swap_cache_del_folio(folio);
	folio_unlock(folio);
	folio_put(folio);

	folio = vswap_unuse_read(&io, swp, VSWAP_UNUSE_GFP);
	swap_read_submit(&io);
	if (folio) {
		folio_lock(folio);
		folio_wait_writeback(folio);
	}
	return folio;
}

static void vswap_unuse_finish(struct vswap_unuse_batch *batch,
			       struct swap_info_struct *si)
{
	swap_read_submit(&batch->io);

	for (unsigned int i = 0; i < batch->nr; i++) {
		struct folio *folio = batch->folios[i];

		folio_lock(folio);
		folio_wait_writeback(folio);
		if (vswap_unuse_unread(folio))
			folio = vswap_unuse_read_again(folio);
		if (!folio)
			continue;
		vswap_unuse_folio(batch, folio, si);
		folio_unlock(folio);
		folio_put(folio);
	}
	/* Waiting for them may have taken long, but they have come */
	if (batch->nr)
		batch->progress = jiffies;
	batch->nr = 0;

	vswap_free_run(&batch->run);
	batch->run.nr = 0;
}

/*
 * Queue the read of one more page. Others wait for the pages that have been queued,
 * which are locked: they are read before memory is reclaimed for this one.
 */
static struct folio *vswap_unuse_read_next(struct vswap_unuse_batch *batch,
					   struct swap_info_struct *si, swp_entry_t swp)
{
	struct folio *folio;

	if (batch->nr) {
		folio = vswap_unuse_read(&batch->io, swp,
					 VSWAP_UNUSE_GFP & ~__GFP_DIRECT_RECLAIM);
		if (folio)
			return folio;
		vswap_unuse_finish(batch, si);
	}
	return vswap_unuse_read(&batch->io, swp, VSWAP_UNUSE_GFP);
}

static unsigned short vswap_unuse_owner(swp_entry_t swp)
{
	struct swap_cluster_info *ci;
	unsigned short id = 0;

	ci = swap_cluster_lock(vswap_info, swp_offset(swp));
	/* Tables come and go without the lock until all of them are there */
	if (rcu_access_pointer(ci->table))
		id = __swap_cgroup_get(ci, swp_cluster_offset(swp));
	swap_cluster_unlock(ci);

	return id;
}

/* Has a page's owner had no memory for another one in this round? */
static bool vswap_unuse_later(struct vswap_unuse_batch *batch, swp_entry_t swp)
{
	return batch->left && test_bit(vswap_unuse_owner(swp), batch->left_owners);
}

/* Those that have been read may be on their way to another device: let them go. */
static int vswap_unuse_wait(unsigned long timeout)
{
	schedule_timeout_interruptible(timeout);
	return signal_pending(current) ? -EINTR : 0;
}

/*
 * There is no memory for a page. Wait until there is, but not for long: it may be
 * its cgroup that has none, and others can go on.
 */
static int vswap_unuse_no_memory(struct vswap_unuse_batch *batch,
				 struct swap_info_struct *si, swp_entry_t swp)
{
	vswap_unuse_finish(batch, si);
	if (time_before(jiffies, batch->progress + VSWAP_UNUSE_HURRY))
		return vswap_unuse_wait(HZ / 20);

	batch->left = true;
	__set_bit(vswap_unuse_owner(swp), batch->left_owners);
	return 0;
}

/* Move what is in one cluster of the device. */
static int vswap_unuse_cluster(struct vswap_unuse_batch *batch,
			       struct swap_info_struct *si, unsigned long offset)
{
	struct swap_cluster_info *ci = __swap_offset_to_cluster(si, offset);
	unsigned long end = min(offset + SWAPFILE_CLUSTER, si->max);

	for (; offset < end; offset++) {
		unsigned int ci_off = offset % SWAPFILE_CLUSTER;
		unsigned long swp_tb = swap_table_get(ci, ci_off);
		struct folio *folio = NULL;
		int err;

		while (swp_tb_is_backref(swp_tb)) {
			swp_entry_t swp = swp_tb_to_backref(swp_tb);

			if (vswap_unuse_later(batch, swp))
				break;
			folio = vswap_unuse_read_next(batch, si, swp);
			if (folio || swap_table_get(ci, ci_off) != swp_tb)
				break;
			err = vswap_unuse_no_memory(batch, si, swp);
			if (err)
				return err;
			swp_tb = swap_table_get(ci, ci_off);
		}
		if (!folio)
			continue;

		batch->progress = jiffies;
		batch->folios[batch->nr++] = folio;
		if (batch->nr == VSWAP_UNUSE_BATCH)
			vswap_unuse_finish(batch, si);
	}

	return 0;
}

/* Go through the device once. */
static int vswap_unuse_round(struct vswap_unuse_batch *batch,
			     struct swap_info_struct *si)
{
	struct blk_plug plug;
	int err = 0;

	batch->left = false;
	bitmap_zero(batch->left_owners, U16_MAX + 1);

	blk_start_plug(&plug);
	for (unsigned long offset = 0; !err && offset < si->max;
	     offset += SWAPFILE_CLUSTER) {
		cond_resched();
		if (signal_pending(current))
			err = -EINTR;
		else if (READ_ONCE(__swap_offset_to_cluster(si, offset)->count))
			err = vswap_unuse_cluster(batch, si, offset);
	}
	vswap_unuse_finish(batch, si);
	blk_finish_plug(&plug);

	return err;
}

/**
 * vswap_unuse - Move the data of virtual slots off a device, into memory.
 * @si: device that nothing is allocated from any more.
 *
 * Pages of cgroups that have no memory for them come last, and only they can make
 * it fail. Slots that are on their way to be freed, or whose page is in the middle
 * of something, may be left: the caller looks whether any are and comes again.
 * Progress shows as the usage of the device in /proc/swaps goes down.
 *
 * Context: May sleep.
 * Return: 0; -ENOMEM if for ten seconds there was no memory for any page that is
 * left, -EINTR if a signal is pending. What has been moved so far stays moved.
 */
int vswap_unuse(struct swap_info_struct *si)
{
	struct vswap_unuse_batch *batch;
	int err;

	if (!atomic_long_read(&si->phys_slots))
		return 0;

	batch = kvzalloc_obj(*batch);
	if (!batch)
		return -ENOMEM;

	batch->progress = jiffies;
	do {
		err = vswap_unuse_round(batch, si);
		if (err || !batch->left)
			break;
		if (time_after(jiffies, batch->progress + VSWAP_UNUSE_PATIENCE))
			err = -ENOMEM;
		else
			err = vswap_unuse_wait(HZ / 2);
	} while (!err);

	kvfree(batch);
	return err;
}
