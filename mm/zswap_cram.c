// SPDX-License-Identifier: GPL-2.0
/*
 * zswap: direct entries, whose data is a page of compressed RAM.
 *
 * They are stored by way of mm/cram_store.c, and moved elsewhere when a device
 * has too little room left: to swap devices, or to be compressed by the CPU. That
 * does not free memory, so they are on LRU lists of their own, by the node of the
 * compressed RAM.
 */
#define pr_fmt(fmt) "zswap: " fmt

#include <linux/debugfs.h>
#include <linux/highmem.h>
#include <linux/list_lru.h>
#include <linux/math64.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/random.h>
#include <linux/swap_ops.h>
#include <linux/zswap.h>
#include "internal.h"
#include "swap.h"
#include "vswap_internal.h"
#include "zswap.h"

/* The number of pages that are on compressed RAM */
atomic_long_t zswap_stored_direct_pages = ATOMIC_LONG_INIT(0);
/* Load or writeback failed because compressed RAM has lost the page */
static u64 zswap_direct_load_fail;
/* Pages moved from compressed RAM to compressed data */
static u64 zswap_recompressed_pages;

struct list_lru zswap_direct_lru;

/*
 * Storing and freeing
 */

/* May compressed RAM have more of a cgroup, with what it has already or without? */
bool zswap_may_direct(struct obj_cgroup *objcg, long nr_pages)
{
	struct mem_cgroup *memcg = get_mem_cgroup_from_objcg(objcg);
	bool allowed = mem_cgroup_zswap_allowed(memcg);

	mem_cgroup_put(memcg);
	if (!allowed || obj_cgroup_may_cram(objcg))
		return allowed;

	/* Nothing has to leave for a device that takes nothing */
	return cram_headroom_pages() &&
	       zswap_make_room(objcg, &zswap_direct_lru, obj_cgroup_may_cram, nr_pages);
}

/* Give back those that nobody has taken. */
void zswap_drop_copies(struct zswap_copies *copies)
{
	for (long i = 0; i < copies->nr; i++) {
		if (!IS_ERR_OR_NULL(copies->copy[i].page))
			cram_free_page(copies->copy[i].page);
	}
	copies->nr = 0;
}

/* The copy of page @index of @folio, which is made with those of the next ones. */
struct cram_copy *zswap_get_copy(struct zswap_copies *copies, struct folio *folio,
				 long index)
{
	if (index >= copies->first + copies->nr) {
		zswap_drop_copies(copies);
		copies->first = index;
		copies->nr = min(folio_nr_pages(folio) - index, CRAM_STORE_PAGES);
		cram_store_pages(folio_page(folio, index), copies->nr, copies->copy);
	}

	return &copies->copy[index - copies->first];
}

/* Have an entry for a copy, if there is one. */
int zswap_store_direct(struct zswap_entry *entry, struct cram_copy *copy)
{
	if (IS_ERR(copy->page))
		return PTR_ERR(copy->page);

	entry->page = copy->page;
	entry->length = copy->size;
	entry->sum = copy->sum;
	entry->direct = true;
	copy->page = NULL;
	return 0;
}

void zswap_free_direct(struct zswap_entry *entry)
{
	zswap_lru_del(entry, &zswap_direct_lru, page_to_nid(entry->page));
	cram_free_page(entry->page);
	atomic_long_dec(&zswap_stored_direct_pages);
	if (entry->objcg) {
		obj_cgroup_uncharge_cram(entry->objcg, entry->length);
		obj_cgroup_put(entry->objcg);
	}
	zswap_entry_cache_free(entry);
}

/*
 * Reading
 */

/* See zswap_read(). */
int zswap_read_direct(struct zswap_entry *entry, struct folio *folio,
		      unsigned int index)
{
	struct cram_copy copy = {
		.page = entry->page,
		.size = entry->length,
		.sum = entry->sum,
	};
	int err = cram_load_page(&copy, folio_page(folio, index));

	if (!err) {
		flush_dcache_folio(folio);
		return 0;
	}

	zswap_direct_load_fail++;
	pr_alert_ratelimited("page %s by compressed RAM (%d:%lu)\n",
			     err == -EBADMSG ? "not kept" : "lost",
			     swp_type(entry->swpentry),
			     swp_offset(entry->swpentry));
	return err;
}

/* A page could not be read: it is lost if that is for good, and the entry is freed. */
void zswap_poison_direct(struct zswap_entry *entry, swp_entry_t swp, int err)
{
	if (err != -EBADMSG) {
		zswap_slot_poison(swp);
		zswap_entry_free(entry);
	}
}

/*
 * Moving pages off a device
 */

/**
 * zswap_direct_pages() - how many pages are on compressed RAM of a node
 * @memcg: the cgroup whose pages they are, without its descendants
 * @nid: the node
 *
 * Context: Any.
 * Return: Number of pages.
 */
unsigned long zswap_direct_pages(struct mem_cgroup *memcg, int nid)
{
	/* zswap may never have been switched on */
	if (!atomic_long_read(&zswap_stored_direct_pages))
		return 0;

	return list_lru_count_one(&zswap_direct_lru, nid, memcg);
}

/* What a cgroup has on a node: none of it while it is protected. */
static unsigned long zswap_count_direct(struct mem_cgroup *memcg, int nid,
					bool protect)
{
	if (protect) {
		mem_cgroup_calculate_protection(NULL, memcg);
		if (mem_cgroup_below_min(NULL, memcg) ||
		    mem_cgroup_below_low(NULL, memcg))
			return 0;
	}

	return zswap_direct_pages(memcg, nid);
}

/* A walk along the LRU of a cgroup that moves pages off a device. */
struct zswap_evict_walk {
	struct zswap_writeback wb;
	struct cram_node *node;	/* the device */
	bool no_device;			/* there is no swap device to write to */
	bool stopped;			/* there is no memory to do it */
	unsigned long nr_left;		/* so many are to be moved */
	unsigned long nr_tries;		/* with so many tries at the most */
};

/* Compress what is in a direct entry by way of @folio, and put it in its place. */
static int zswap_recompress(struct zswap_entry *entry, struct folio *folio)
{
	struct obj_cgroup *objcg = entry->objcg;
	int err;

	if (zswap_is_full() || (objcg && !obj_cgroup_may_zswap(objcg)))
		return -ENOSPC;
	err = zswap_read(entry, folio, 0);
	if (err) {
		zswap_poison_direct(entry, folio->swap, err);
		return err;
	}

	/* The entry goes, and its reference */
	if (objcg)
		obj_cgroup_get(objcg);
	err = zswap_compress_folio(folio, objcg);
	obj_cgroup_put(objcg);
	if (!err)
		zswap_recompressed_pages++;
	return err;
}

static int zswap_evict_entry(struct zswap_entry *entry, swp_entry_t swpentry,
			     struct zswap_evict_walk *walk)
{
	struct folio *folio = zswap_writeback_begin(entry, swpentry, &walk->wb);
	int err = -ENOSPC;

	if (IS_ERR(folio))
		return PTR_ERR(folio);

	if (!walk->no_device) {
		err = zswap_writeback_folio(entry, folio, &walk->wb);
		if (!err)
			return 0;
	}
	if (err == -ENOSPC || err == -EDQUOT)
		err = zswap_recompress(entry, folio);
	zswap_writeback_cancel(folio);
	return err;
}

/* As shrink_memcg_cb(), but no page has a second chance: a full device can't wait. */
static enum lru_status zswap_evict_cb(struct list_head *item, struct list_lru_one *l,
				      void *arg)
{
	struct zswap_entry *entry = container_of(item, struct zswap_entry, lru);
	struct zswap_evict_walk *walk = arg;
	swp_entry_t swpentry;
	int err;

	if (!walk->nr_left || !walk->nr_tries || walk->stopped) {
		spin_unlock(&l->lock);
		return LRU_STOP;
	}
	/* Of another device of the node, which is not asked for room */
	if (cram_page_node(entry->page) != walk->node)
		return LRU_ROTATE;
	walk->nr_tries--;

	/* It may be freed as soon as the lock is dropped, see shrink_memcg_cb() */
	list_move_tail(item, &l->list);
	swpentry = entry->swpentry;
	spin_unlock(&l->lock);

	err = zswap_evict_entry(entry, swpentry, walk);
	if (!err) {
		walk->nr_left--;
		return LRU_REMOVED_RETRY;
	}

	zswap_reject_reclaim_fail++;
	/* Its owner is at a limit, and so is that of all others on this list */
	if (err == -ENOMEM) {
		walk->stopped = walk->wb.no_memory;
		walk->wb.no_memory = true;
	}
	return LRU_RETRY;
}

/*
 * Some of what a cgroup has on a node: at most @nr, and not more than @tries tries. If
 * the first ones are in vain, it gives nothing.
 */
static unsigned long zswap_evict_memcg(struct cram_node *node, int nid,
				       struct mem_cgroup *memcg, unsigned long nr,
				       unsigned long *tries)
{
	struct zswap_evict_walk walk = {
		.node = node,
		.no_device = !zswap_can_write_back(memcg),
		.nr_left = nr,
		.nr_tries = min(nr + SWAP_CLUSTER_MAX, *tries),
	};
	unsigned long most = walk.nr_tries, left;

	/* Neither to a device, nor to be compressed */
	if (walk.no_device) {
		mem_cgroup_settle_zswap(memcg);
		if (zswap_is_full() || !mem_cgroup_zswap_headroom(memcg, 1))
			return 0;
	}

	/* Entries of other devices may be in front: let others have the list meanwhile */
	left = zswap_direct_pages(memcg, nid);
	while (left && walk.nr_left && walk.nr_tries && !walk.stopped) {
		unsigned long nr_to_walk = min(left, SWAP_CLUSTER_MAX);

		left -= nr_to_walk;
		list_lru_walk_one(&zswap_direct_lru, nid, memcg,
				  &zswap_evict_cb, &walk, &nr_to_walk);
		if (walk.nr_left == nr && most - walk.nr_tries >= SWAP_CLUSTER_MAX)
			break;
		cond_resched();
	}
	*tries -= most - walk.nr_tries;
	swap_write_submit(&walk.wb.io);

	return nr - walk.nr_left;
}

/* Pages that are to be moved off a device, and who has them. */
struct zswap_evict {
	struct cram_node *node;
	int nid;
	unsigned long nr;		/* so many */
	unsigned long moved;		/* ... of which these are */
	unsigned long tries;		/* that may be spent on it, by all */
	bool protect;			/* not those of protected cgroups */
	unsigned long total;		/* pages that may be moved */
	unsigned int cgroups;		/* ... of so many cgroups */
};

static void zswap_evict_count(struct zswap_evict *evict)
{
	struct mem_cgroup *memcg;

	evict->total = 0;
	evict->cgroups = 0;
	memcg = mem_cgroup_iter(NULL, NULL, NULL);
	do {
		unsigned long nr = zswap_count_direct(memcg, evict->nid,
						      evict->protect);

		evict->total += nr;
		evict->cgroups += !!nr;
		cond_resched();
		memcg = mem_cgroup_iter(NULL, memcg, NULL);
	} while (memcg);
}

/* Tries for so many pages, of which some may be busy */
#define ZSWAP_EVICT_TRIES(nr)	(4 * ((nr) + SWAP_CLUSTER_MAX))

/* Each cgroup gives its share; what one can't give the next ones do. */
static void zswap_evict_shares(struct zswap_evict *evict)
{
	/* Where fractions add up to a page is by chance, else it would hit the same ones */
	u64 share = get_random_u32_below(min(evict->total, U32_MAX));
	struct mem_cgroup *memcg;
	unsigned long owed = 0;

	evict->tries = ZSWAP_EVICT_TRIES(evict->nr);
	memcg = mem_cgroup_iter(NULL, NULL, NULL);
	do {
		unsigned long count = zswap_count_direct(memcg, evict->nid,
							 evict->protect);
		unsigned long now = 0;

		share += (u64)evict->nr * count;
		owed += div64_u64_rem(share, evict->total, &share);
		if (count && owed)
			now = zswap_evict_memcg(evict->node, evict->nid, memcg, min(owed, count),
						&evict->tries);
		owed -= now;
		evict->moved += now;
		if (evict->moved >= evict->nr || !evict->tries) {
			mem_cgroup_iter_break(NULL, memcg);
			return;
		}
		cond_resched();
		memcg = mem_cgroup_iter(NULL, memcg, NULL);
	} while (memcg);
}

/* Nobody could give his share: whoever can does, beginning anywhere; each is asked. */
static void zswap_evict_any(struct zswap_evict *evict)
{
	unsigned int skip = get_random_u32_below(evict->cgroups), nr = 0;
	struct mem_cgroup *memcg;

	evict->tries = ZSWAP_EVICT_TRIES(evict->nr) + evict->cgroups * SWAP_CLUSTER_MAX;
	for (int pass = 0; pass < 2; pass++, nr = 0) {
		memcg = mem_cgroup_iter(NULL, NULL, NULL);
		do {
			unsigned long count = zswap_count_direct(memcg, evict->nid,
								 evict->protect);

			/* Those from there on, then those in front of it */
			if (count && (nr++ < skip) == pass)
				evict->moved += zswap_evict_memcg(evict->node, evict->nid, memcg,
						min(evict->nr - evict->moved, count),
						&evict->tries);
			if (evict->moved >= evict->nr || !evict->tries) {
				mem_cgroup_iter_break(NULL, memcg);
				return;
			}
			cond_resched();
			memcg = mem_cgroup_iter(NULL, memcg, NULL);
		} while (memcg);
	}
}

/**
 * zswap_evict_direct() - move pages off compressed RAM
 * @node: the device
 * @nid: the node of its memory
 * @nr: how many pages
 *
 * Each cgroup gives what is its share of the pages there, those that have been there
 * for longest; who is protected by memory.low or memory.min only if nobody else has
 * any to give. They are written to swap devices, or compressed where there is none.
 *
 * Context: May sleep.
 * Return: Number of pages that were moved.
 */
unsigned long zswap_evict_direct(struct cram_node *node, int nid, unsigned long nr)
{
	struct zswap_evict evict = {
		.node = node,
		.nid = nid,
		.protect = true,
	};

	do {
		zswap_evict_count(&evict);
		evict.nr = min(nr, evict.total);
		if (evict.nr)
			zswap_evict_shares(&evict);
		if (evict.nr && !evict.moved)
			zswap_evict_any(&evict);
		evict.protect = !evict.protect;
	} while (!evict.moved && !evict.protect);

	return evict.moved;
}

/**
 * zswap_leave_direct() - let a folio have the data that compressed RAM has
 * @folio: folio in the swap cache, locked and not under writeback
 *
 * What compressed RAM has lost is lost for good then.
 *
 * Context: May sleep.
 */
void zswap_leave_direct(struct folio *folio)
{
	swp_entry_t swp = folio->swap;

	if (vswap_folio_is_droppable(folio)) {
		swap_cache_del_folio(folio);
		return;
	}

	for (long i = 0; i < folio_nr_pages(folio); i++, swp.val++) {
		struct zswap_entry *entry = zswap_slot_load(swp);

		if (!entry || !zswap_entry_is_direct(entry))
			continue;
		if (folio_test_uptodate(folio)) {
			folio_mark_dirty(folio);
			zswap_slot_erase(swp);
			zswap_entry_free(entry);
		} else if (PageHWPoison(entry->page)) {
			zswap_poison_direct(entry, swp, -EIO);
		}
	}
}

/*
 * Set-up
 */

#ifdef CONFIG_DEBUG_FS
static int debugfs_get_stored_direct_pages(void *data, u64 *val)
{
	*val = atomic_long_read(&zswap_stored_direct_pages);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(stored_direct_pages_fops,
			 debugfs_get_stored_direct_pages, NULL, "%llu\n");

void zswap_direct_debugfs_init(struct dentry *root)
{
	debugfs_create_u64("direct_load_fail", 0444, root, &zswap_direct_load_fail);
	debugfs_create_u64("recompressed_pages", 0444, root, &zswap_recompressed_pages);
	debugfs_create_file("stored_direct_pages", 0444, root, NULL,
			    &stored_direct_pages_fops);
}
#endif

int zswap_direct_init(struct shrinker *shrinker)
{
	return list_lru_init_memcg(&zswap_direct_lru, shrinker);
}
