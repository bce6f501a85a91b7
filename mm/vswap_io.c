// SPDX-License-Identifier: GPL-2.0
/*
 * Virtual swap space: writing and reading folios with virtual slots.
 *
 * The operations of the virtual device, see struct swap_ops. A folio is offered
 * to zswap, and written to physical slots if zswap does not take it. Neither need
 * be in one piece: the physical slots may be anywhere, and of a folio that is read
 * some pages may be zero-filled, some in zswap and some on devices.
 */
#include <linux/memcontrol.h>
#include <linux/mempool.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/swap_ops.h>
#include <linux/vswap.h>
#include <linux/writeback.h>
#include <linux/zswap.h>
#include <kunit/static_stub.h>
#include "internal.h"
#include "swap_table.h"
#include "swap.h"
#include "vswap_internal.h"
#include "vswap_table.h"

/*
 * Requests for parts of a folio
 */

struct vswap_pieces {
	struct swap_folio_io io;
	atomic_t pending;	/* requests, and one while they are made */
	unsigned int nr_pages;	/* in these requests */
	bool failed;
};

static mempool_t *vswap_pieces_pool;

/* One of the requests is done, the last one ends the I/O of the folio. */
static void vswap_piece_done(struct swap_folio_io *io, bool failed)
{
	struct vswap_pieces *pieces = container_of(io, struct vswap_pieces, io);
	struct folio *folio = io->folio;
	unsigned int nr_pages;
	int rw = io->rw;

	if (failed)
		WRITE_ONCE(pieces->failed, true);
	if (!atomic_dec_and_test(&pieces->pending))
		return;

	failed = pieces->failed;
	nr_pages = pieces->nr_pages;
	mempool_free(pieces, vswap_pieces_pool);
	if (rw == WRITE)
		swap_folio_written(folio, failed);
	else
		swap_folio_read(folio, nr_pages, failed);
}

static struct vswap_pieces *vswap_pieces_alloc(struct folio *folio, int rw, blk_opf_t opf)
{
	struct vswap_pieces *pieces = mempool_alloc(vswap_pieces_pool, GFP_NOIO);

	pieces->io.folio = folio;
	pieces->io.rw = rw;
	pieces->io.opf = opf;
	pieces->io.done = vswap_piece_done;
	pieces->nr_pages = 0;
	pieces->failed = false;
	atomic_set(&pieces->pending, 1);

	return pieces;
}

static void vswap_submit_piece(struct vswap_pieces *pieces, unsigned int first,
			       unsigned int nr, swp_entry_t slot)
{
	pieces->nr_pages += nr;
	atomic_inc(&pieces->pending);
	swap_submit_pages(&pieces->io, first, nr, slot);
}

/*
 * The physical slot of page @first of a folio, each page of which has one. @nr
 * returns the number of pages from there on that are consecutive on the device,
 * as slots and as blocks. The caller holds the folio lock.
 */
static swp_entry_t vswap_phys_range(struct folio *folio, unsigned int first,
				    unsigned int *nr)
{
	swp_entry_t swp = page_swap_entry(folio_page(folio, first)), slot;
	struct swap_cluster_info *ci = __swap_entry_to_cluster(swp);
	unsigned int ci_off = swp_cluster_offset(swp);

	slot = vswap_tb_to_phys(__vswap_tb_get(ci, ci_off));
	*nr = vswap_phys_run(ci, ci_off, folio_nr_pages(folio) - first);
	*nr = vswap_phys_in_extent(slot, *nr);
	return slot;
}

/*
 * Writing
 */

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

/* May a folio that zswap did not take go to devices? */
static bool vswap_may_write(struct folio *folio)
{
	bool may_write;

	KUNIT_STATIC_STUB_REDIRECT(vswap_may_write, folio);
	rcu_read_lock();
	may_write = mem_cgroup_zswap_writeback_enabled(folio_memcg(folio));
	rcu_read_unlock();

	return may_write;
}

/* Get physical slots for such a folio, if it may. */
static bool vswap_prepare_write(struct folio *folio)
{
	int err;

	if (!vswap_may_write(folio))
		return false;

	err = vswap_back_folio(folio);
	if (err == -ENOSPC)
		vswap_count_swap_fail(folio);
	/* Counted as table_fail otherwise */
	if (err && err != -ENOMEM)
		vswap_count_event(VSWAP_PHYS_ALLOC_FAIL);

	return !err;
}

/* swap_ops.writeout: see swap_writeout(), which has made sure that it has to be. */
static int vswap_writeout(struct swap_io_ctx *ctx, struct folio *folio,
			  struct list_head *folio_list)
{
	int err;

	if (swap_writeout_zero(folio)) {
		vswap_drop_backing(folio);
		vswap_count_accepted(folio, folio_nr_pages(folio));
		goto out_unlock;
	}

	err = zswap_store(folio);
	if (!err) {
		count_mthp_stat(folio_order(folio), MTHP_STAT_ZSWPOUT);
		vswap_count_accepted(folio, folio_nr_pages(folio));
		goto out_unlock;
	}

	/* A device can't read what the CPU can't */
	if (err != -EHWPOISON && !vswap_only_parts_can_leave(folio) &&
	    vswap_prepare_write(folio)) {
		__swap_writepage(ctx, folio);
		return 0;
	}

	/* zswap may have stored a part of it */
	err = vswap_keep_rejected(folio, folio_list);
	if (err)
		return err;
out_unlock:
	folio_unlock(folio);
	return 0;
}

/* swap_ops.write_folio: write a folio, which is under writeback, to physical slots. */
static void vswap_write_folio(struct swap_io_ctx *ctx, struct folio *folio)
{
	struct vswap_pieces *pieces;
	unsigned int first, nr;
	swp_entry_t slot = vswap_phys_range(folio, 0, &nr);

	if (nr == folio_nr_pages(folio)) {
		folio_unlock(folio);
		swap_add_folio(ctx, folio, slot, WRITE);
		return;
	}

	/* Submit first: requests may have to complete before there is memory for more */
	swap_write_submit(ctx);
	pieces = vswap_pieces_alloc(folio, WRITE, 0);
	/* The lock keeps the slots in place until all are known */
	for (first = 0; first < folio_nr_pages(folio); first += nr) {
		slot = vswap_phys_range(folio, first, &nr);
		vswap_submit_piece(pieces, first, nr, slot);
	}
	vswap_piece_done(&pieces->io, false);
	folio_unlock(folio);
}

/*
 * Reading
 */

/* Nothing backs a slot. Unless a device or compressed RAM has failed, that is a bug. */
static void vswap_report_lost(swp_entry_t swp, unsigned long word)
{
	if (vswap_tb_is_poison(word))
		return;

	WARN_ONCE(1, "no data behind virtual swap slot %lx\n", swp_offset(swp));
	vswap_count_event(VSWAP_LOST);
}

/*
 * Find out what backs page @first of a folio. If it is a physical slot, @slot
 * returns it. @nr returns the number of pages from there on that can be read
 * together.
 */
static enum vswap_backing vswap_locate_page(struct folio *folio, unsigned int first,
					    swp_entry_t *slot, unsigned int *nr)
{
	swp_entry_t swp = page_swap_entry(folio_page(folio, first));
	struct swap_cluster_info *ci = __swap_entry_to_cluster(swp);
	unsigned long word = vswap_get_word(swp);
	bool zero;

	*nr = 1;
	if (vswap_tb_is_zswap(word))
		return VSWAP_ZSWAP;
	if (vswap_tb_is_phys(word)) {
		*slot = vswap_phys_range(folio, first, nr);
		return VSWAP_PHYS;
	}

	rcu_read_lock();
	zero = __swap_table_test_zero(ci, swp_cluster_offset(swp));
	rcu_read_unlock();
	if (zero)
		return VSWAP_ZERO;

	vswap_report_lost(swp, word);
	return VSWAP_NONE;
}

/*
 * Read a large folio, each page from where it is. It stays clean and keeps what
 * backs its slots: it may turn out that it can't be mapped as a whole, and then
 * it is dropped.
 */
static void vswap_read_pieces(struct folio *folio)
{
	struct vswap_pieces *pieces = vswap_pieces_alloc(folio, READ, 0);
	unsigned int first, nr, nr_zero = 0;
	bool failed = false;

	for (first = 0; first < folio_nr_pages(folio) && !failed; first += nr) {
		swp_entry_t slot;

		switch (vswap_locate_page(folio, first, &slot, &nr)) {
		case VSWAP_ZERO:
			folio_zero_range(folio, first << PAGE_SHIFT, nr << PAGE_SHIFT);
			nr_zero += nr;
			break;
		case VSWAP_ZSWAP:
			failed = zswap_load_page(folio, first);
			break;
		case VSWAP_PHYS:
			vswap_submit_piece(pieces, first, nr, slot);
			break;
		case VSWAP_NONE:
			failed = true;
			break;
		}
	}

	if (nr_zero)
		swap_count_zero_in(folio, nr_zero);
	if (pieces->nr_pages)
		zswap_folio_swapin(folio);
	vswap_piece_done(&pieces->io, failed);
}

/* Read a folio of one page by a request that others can't make fail. */
static void vswap_read_alone(struct folio *folio, swp_entry_t slot)
{
	struct vswap_pieces *pieces = vswap_pieces_alloc(folio, READ, REQ_NOMERGE);

	vswap_submit_piece(pieces, 0, 1, slot);
	vswap_piece_done(&pieces->io, false);
}

/* swap_ops.read_folio */
static void vswap_read_folio(struct swap_io_ctx *ctx, struct folio *folio)
{
	unsigned long word;

	if (folio_test_large(folio)) {
		swap_read_submit(ctx);
		vswap_read_pieces(folio);
		return;
	}

	if (swap_read_folio_zeromap(folio)) {
		folio_unlock(folio);
		return;
	}
	if (zswap_load(folio) != -ENOENT)
		return;

	word = vswap_get_word(folio->swap);
	if (!vswap_tb_is_phys(word)) {
		/* Not up to date: SIGBUS, rather than the data of another slot */
		vswap_report_lost(folio->swap, word);
		folio_unlock(folio);
		return;
	}

	/* We have to read from slower devices. Increase zswap protection. */
	zswap_folio_swapin(folio);
	if (vswap_tb_has_failed(word)) {
		swap_read_submit(ctx);
		vswap_read_alone(folio, vswap_tb_to_phys(word));
	} else {
		swap_add_folio(ctx, folio, vswap_tb_to_phys(word), READ);
	}
}

/*
 * Errors
 */

/*
 * swap_ops.io_failed: after a failed write the folio is dirty, so its data is
 * safe, and the next write takes other slots. After a failed read the pages are
 * not read together with others again, see vswap_can_read_range() and
 * vswap_read_folio(): the next read that fails is one for this page only.
 */
static void vswap_io_failed(struct folio *folio, unsigned int first,
			    unsigned int nr, int rw)
{
	vswap_mark_failed(folio, first, nr, rw);
	vswap_count_event(rw == WRITE ? VSWAP_WRITE_ERROR : VSWAP_READ_ERROR);
}

/**
 * vswap_can_read_range - Can a range of slots be read into one large folio?
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
 * Return: false if one of the pages is known to be unreadable, or on a slow device.
 */
bool vswap_can_read_range(struct swap_cluster_info *ci, unsigned int ci_off,
			  unsigned int nr)
{
	if (!READ_ONCE(ci->backing))
		return true;

	for (; nr; nr--, ci_off++) {
		unsigned long word = __vswap_tb_get(ci, ci_off);

		if (vswap_tb_is_poison(word) || vswap_tb_has_failed(word))
			return false;
		if (vswap_tb_is_phys(word) &&
		    !vswap_phys_is_synchronous(vswap_tb_to_phys(word)))
			return false;
		if (vswap_tb_is_null(word) && !__swap_table_test_zero(ci, ci_off))
			return false;
	}

	return true;
}

/**
 * vswap_drop_unread - Drop a folio that could not be read, to read it again.
 * @folio: folio that is not up to date.
 *
 * Another page may have caused it: one of the same large folio, or of the same
 * request. What backs @folio is as it was, and is read page by page next time,
 * each with a request of its own.
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
	/* Its data was newer than what backs it */
	if (folio_contain_hwpoisoned_page(folio))
		return false;

	if (folio_test_large(folio)) {
		ci = swap_cluster_get_and_lock(folio);
		again = !vswap_can_read_range(ci, swp_cluster_offset(folio->swap),
					      folio_nr_pages(folio));
		swap_cluster_unlock(ci);
	} else {
		again = !vswap_test_clear_alone(folio->swap);
	}
	if (again)
		swap_cache_del_folio(folio);

	return again;
}

/**
 * vswap_fault_read_error - Handle a fault on a folio that could not be read.
 * @folio: folio that is not up to date.
 *
 * It is not kept: the reason may have passed at the next fault.
 *
 * Context: The caller holds the folio lock, and a reference beside that of the
 * swap cache.
 * Return: 0 if the fault is to be tried again, VM_FAULT_HWPOISON if a memory error
 * has hit the folio since it was looked at, or VM_FAULT_SIGBUS.
 */
vm_fault_t vswap_fault_read_error(struct folio *folio)
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
 * vswap_folio_is_droppable - Can a large folio be dropped from the swap cache?
 * @folio: folio with virtual slots, in the swap cache.
 *
 * A large folio that is being read, or has been, for a fault, but is not mapped
 * yet: it may turn out that it can't be mapped, or that a part of it can't be
 * read. What backs it is still in place. Once it is dropped, the pages are read
 * one by one, each with a result of its own. A folio of tmpfs that has just been
 * written out looks the same; its data is in its backing, too.
 *
 * Context: The caller holds the folio lock.
 * Return: true if it can.
 */
bool vswap_folio_is_droppable(struct folio *folio)
{
	return folio_test_large(folio) && !folio_test_dirty(folio) &&
	       (!folio_test_uptodate(folio) || !folio_test_anon(folio));
}

/*
 * Operations
 */

#define VSWAP_OPS(_flags)				\
{							\
	.flags		= _flags,			\
	.writeout	= vswap_writeout,		\
	.write_folio	= vswap_write_folio,		\
	.read_folio	= vswap_read_folio,		\
	.io_failed	= vswap_io_failed,		\
	.free_slots	= vswap_free_slots,		\
	.mark_idle	= vswap_mark_idle,		\
	.grow		= vswap_grow,			\
}

const struct swap_ops vswap_ops = VSWAP_OPS(0);

/* With a device that must not be written to from within a file system */
const struct swap_ops vswap_nofs_ops = VSWAP_OPS(SWAP_OPS_F_REQUIRE_NOFS);

int __init vswap_io_init(void)
{
	vswap_pieces_pool = mempool_create_kmalloc_pool(SWAP_CLUSTER_MAX,
							sizeof(struct vswap_pieces));
	return vswap_pieces_pool ? 0 : -ENOMEM;
}

#if IS_ENABLED(CONFIG_VSWAP_KUNIT_TEST)
#include "tests/vswap_phys_kunit.h"
#endif
