// SPDX-License-Identifier: GPL-2.0
/*
 * Virtual swap space: the device and its clusters.
 *
 * The virtual device is a swap_info_struct like any other, and the cluster
 * allocator of mm/swapfile.c serves it. What is different is that it has no
 * size: its array of clusters is a range of kernel addresses in which pages are
 * mapped as clusters are used up and unmapped when the clusters at the end are
 * free again.
 *
 *	cluster_info
 *	|
 *	v
 *	+------+------+------+- - - - - - - - - - - - - - - - - - -+
 *	| page | page | page |   reserved addresses, nothing there |
 *	+------+------+------+- - - - - - - - - - - - - - - - - - -+
 *	                     ^
 *	                     si->max: slots of the clusters that are whole
 *
 * The end moves under vswap_mutex. Whoever holds an entry that is pinned (see
 * mm/swap.h) has a cluster in use, and a cluster in use is never unmapped.
 * Whoever does not has to check the offset against si->max and use the cluster
 * within one RCU read-side critical section, as the *_unpinned() helpers do;
 * a spinlock held counts as one. Shrinking lowers si->max, waits for a grace
 * period, and unmaps only then. It waits without the mutex, as reclaim may want
 * to grow meanwhile: then si->max is raised again over what is still mapped.
 *
 * Which folios get virtual slots is in mm/vswap_policy.c, what backs a slot in
 * mm/vswap_backing.c, the knobs in mm/vswap_sysfs.c.
 */
#define pr_fmt(fmt) "vswap: " fmt

#include <linux/init.h>
#include <linux/jiffies.h>
#include <linux/kmemleak.h>
#include <linux/list.h>
#include <linux/memblock.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/percpu-refcount.h>
#include <linux/plist.h>
#include <linux/sched/mm.h>
#include <linux/swap_ops.h>
#include <linux/swapfile.h>
#include <linux/vmalloc.h>
#include <linux/vswap.h>
#include <linux/workqueue.h>
#include <linux/zswap.h>
#include <kunit/static_stub.h>
#include "internal.h"
#include "swap_table.h"
#include "swap.h"
#include "vswap_table.h"

/*
 * How much a mapping may count on zswap to compress its data. Common compressors
 * take memory of processes to a half or a third of its size; the better case counts,
 * as only what is obviously too large is to be refused.
 */
#define VSWAP_OVERCOMMIT_RATIO	3

/* How long clusters have to be free before their memory is given back. */
#define VSWAP_SHRINK_DELAY	HZ

/* How many pages of clusters to unmap at one go. */
#define VSWAP_UNMAP_BATCH	512

struct swap_info_struct *vswap_info __ro_after_init;

/* Nobody does I/O on the virtual device, but reclaim asks for the flags. */
static struct swap_ops vswap_ops;

/* Devices not to be written to from within a file system; protected by swapon_mutex */
static unsigned int vswap_nofs_devices;

/* Physical and virtual cluster locks nest, in this order: virtual, physical. */
static struct lock_class_key vswap_cluster_lock_key;

/* The array of clusters and how much of it is there. */
struct vswap_array {
	struct vm_struct *area;		/* addresses for max_clusters */
	unsigned long max_clusters;
	unsigned long recent;		/* the last one that was freed of late */

	/* Protected by vswap_mutex */
	unsigned long nr_pages;		/* of clusters below si->max */
	unsigned long nr_mapped;	/* with those that are to be given back */
	bool grown;			/* since shrinking began */
};

static struct vswap_array vswap_array;

/*
 * Serializes growing and shrinking. Taken in reclaim, so it is never held for
 * longer than it takes to deal with one page of clusters, or to unmap some.
 */
static DEFINE_MUTEX(vswap_mutex);

struct vswap_event_counts {
	unsigned long nr[NR_VSWAP_EVENTS];
};

static DEFINE_PER_CPU(struct vswap_event_counts, vswap_events);

/* Where each CPU allocated last, by order: apart from the real devices'. */
struct vswap_percpu {
	unsigned long offset[SWAP_NR_ORDERS];
};

static DEFINE_PER_CPU(struct vswap_percpu, vswap_percpu);

/*
 * Clusters
 */

/* The number of clusters that fit whole into @nr_pages pages of the array. */
static unsigned long vswap_nr_clusters(const struct vswap_array *array,
				       unsigned long nr_pages)
{
	return min((nr_pages << PAGE_SHIFT) / sizeof(struct swap_cluster_info),
		   array->max_clusters);
}

static unsigned long vswap_max_pages(const struct vswap_array *array)
{
	return PFN_UP(array->max_clusters * sizeof(struct swap_cluster_info));
}

static unsigned long vswap_page_addr(const struct vswap_array *array,
				     unsigned long index)
{
	return (unsigned long)array->area->addr + (index << PAGE_SHIFT);
}

/* Slots up to the end of @nr_clusters; there is no cluster 0, see below. */
static unsigned long vswap_nr_slots(unsigned long nr_clusters)
{
	return nr_clusters * SWAPFILE_CLUSTER;
}

static struct page *vswap_alloc_page(void)
{
	KUNIT_STATIC_STUB_REDIRECT(vswap_alloc_page);
	return alloc_page(GFP_KERNEL | __GFP_ZERO | VSWAP_TABLE_GFP);
}

static void vswap_init_cluster(struct swap_cluster_info *ci)
{
	/* Nobody looks at it yet, or any more: it may have been here before. */
	memset(ci, 0, sizeof(*ci));
	spin_lock_init(&ci->lock);
	lockdep_set_class(&ci->lock, &vswap_cluster_lock_key);
}

static void vswap_add_free_cluster(struct swap_info_struct *si,
				   struct swap_cluster_info *ci)
{
	spin_lock(&ci->lock);
	spin_lock(&si->lock);
	list_add_tail(&ci->list, &si->free_clusters);
	spin_unlock(&si->lock);
	ci->flags = CLUSTER_FLAG_FREE;
	spin_unlock(&ci->lock);
}

/* Take a cluster off the free list, false if it is not there. */
static bool vswap_del_free_cluster(struct swap_info_struct *si,
				   struct swap_cluster_info *ci)
{
	bool free;

	spin_lock(&ci->lock);
	free = ci->flags == CLUSTER_FLAG_FREE;
	if (free) {
		spin_lock(&si->lock);
		list_del(&ci->list);
		spin_unlock(&si->lock);
		ci->flags = CLUSTER_FLAG_NONE;
	}
	spin_unlock(&ci->lock);

	return free;
}

/*
 * Map a page at the end of the array. Reclaim may wait for vswap_mutex, so nobody
 * may enter it while holding the mutex; page tables are allocated here too.
 */
static int vswap_map_page(struct vswap_array *array)
{
	unsigned long addr = vswap_page_addr(array, array->nr_pages);
	unsigned int noreclaim_flag = memalloc_noreclaim_save();
	struct page *page = vswap_alloc_page();
	int err = -ENOMEM;

	if (!page)
		goto out;

	err = vm_area_map_pages(array->area, addr, addr + PAGE_SIZE, &page);
	if (err) {
		__free_page(page);
		goto out;
	}

	/* Clusters point to memory that nothing else points to. */
	kmemleak_alloc((void *)addr, PAGE_SIZE, 1, GFP_KERNEL);
out:
	memalloc_noreclaim_restore(noreclaim_flag);
	return err;
}

/* Make one more page of clusters available, map it if it is not there yet. */
static int vswap_grow_array(struct swap_info_struct *si,
			    struct vswap_array *array)
{
	unsigned long first, end, i;
	int err;

	lockdep_assert_held(&vswap_mutex);

	if (array->nr_pages == vswap_max_pages(array))
		return -ENOSPC;

	first = vswap_nr_clusters(array, array->nr_pages);
	end = vswap_nr_clusters(array, array->nr_pages + 1);

	/*
	 * A page that was about to be given back has all its clusters, and
	 * they are as good as new. Somebody with a stale entry may have one
	 * locked.
	 */
	if (array->nr_pages == array->nr_mapped) {
		err = vswap_map_page(array);
		if (err)
			return err;
		array->nr_mapped++;
		for (i = first; i < end; i++)
			vswap_init_cluster(&si->cluster_info[i]);
		vswap_count_event(VSWAP_GROW);
	}

	array->nr_pages++;
	array->grown = true;

	/* Pairs with vswap_find_cluster(): initialized before it is seen. */
	smp_store_release(&si->max, vswap_nr_slots(end));

	/* Offset 0 means "none" to the allocator, so cluster 0 is not used. */
	for (i = max(first, 1UL); i < end; i++)
		vswap_add_free_cluster(si, &si->cluster_info[i]);

	return 0;
}

/*
 * Take the last page of clusters out of use if all of them are free. It stays
 * mapped for those who look up stale entries.
 */
static bool vswap_retire_page(struct swap_info_struct *si,
			      struct vswap_array *array)
{
	unsigned long first, end, i;

	lockdep_assert_held(&vswap_mutex);

	/* The first one may begin on the page before */
	first = vswap_nr_clusters(array, array->nr_pages - 1);
	end = vswap_nr_clusters(array, array->nr_pages);

	/* Isolate them, so that nobody allocates from them */
	for (i = end; i > max(first, 1UL); i--) {
		if (!vswap_del_free_cluster(si, &si->cluster_info[i - 1]))
			goto undo;
	}

	array->nr_pages--;
	WRITE_ONCE(si->max, vswap_nr_slots(first));
	return true;

undo:
	for (; i < end; i++)
		vswap_add_free_cluster(si, &si->cluster_info[i]);
	return false;
}

/* Unmap pages at the end that are out of use, after a grace period. */
static void vswap_unmap_pages(struct vswap_array *array, struct list_head *pages)
{
	unsigned long first, start, end;

	lockdep_assert_held(&vswap_mutex);

	first = max(array->nr_pages,
		    array->nr_mapped - min(array->nr_mapped, VSWAP_UNMAP_BATCH));
	start = vswap_page_addr(array, first);
	end = vswap_page_addr(array, array->nr_mapped);

	for (unsigned long addr = start; addr < end; addr += PAGE_SIZE) {
		list_add(&vmalloc_to_page((void *)addr)->lru, pages);
		kmemleak_free((void *)addr);
	}
	/* One flush of all TLBs for all of them */
	vm_area_unmap_pages(array->area, start, end);
	vswap_count_events(VSWAP_SHRINK, array->nr_mapped - first);
	array->nr_mapped = first;
}

static void vswap_free_unmapped(struct list_head *pages)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, pages, lru) {
		list_del(&page->lru);
		__free_page(page);
	}
}

/*
 * Give back the pages at the end of the array that hold free clusters only, but
 * for the first @keep pages. Gives way if the device has to grow.
 *
 * Returns false if that has happened and pages are left to be given back.
 */
static bool vswap_shrink_array(struct swap_info_struct *si,
			       struct vswap_array *array, unsigned long keep)
{
	LIST_HEAD(pages);
	bool idle;

	mutex_lock(&vswap_mutex);
	array->grown = false;
	while (array->nr_pages > keep && !array->grown &&
	       vswap_retire_page(si, array)) {
		mutex_unlock(&vswap_mutex);
		cond_resched();
		mutex_lock(&vswap_mutex);
	}
	idle = array->nr_mapped == array->nr_pages;
	mutex_unlock(&vswap_mutex);
	if (idle)
		return true;

	synchronize_rcu();

	mutex_lock(&vswap_mutex);
	while (array->nr_mapped > array->nr_pages && !array->grown) {
		vswap_unmap_pages(array, &pages);
		mutex_unlock(&vswap_mutex);
		cond_resched();
		mutex_lock(&vswap_mutex);
	}
	idle = array->nr_mapped == array->nr_pages;
	mutex_unlock(&vswap_mutex);

	vswap_free_unmapped(&pages);
	return idle;
}

static void vswap_shrink_work_fn(struct work_struct *work);
static DECLARE_DELAYED_WORK(vswap_shrink_work, vswap_shrink_work_fn);

static void vswap_shrink_work_fn(struct work_struct *work)
{
	struct vswap_array *array = &vswap_array;
	unsigned long recent = xchg(&array->recent, 0);
	unsigned long keep = 0;

	/*
	 * Usage goes up and down. What has been in use since the last time is
	 * likely to be used again soon.
	 */
	if (recent)
		keep = PFN_UP((recent + 1) * sizeof(struct swap_cluster_info));

	if (!vswap_shrink_array(vswap_info, array, keep) || recent)
		queue_delayed_work(system_dfl_wq, &vswap_shrink_work,
				   VSWAP_SHRINK_DELAY);
}

/**
 * vswap_cluster_freed - Note that a cluster has become free.
 * @si: the device it is on, virtual or not.
 * @ci: the cluster.
 *
 * Context: Any. The caller holds the lock of @ci.
 */
void vswap_cluster_freed(struct swap_info_struct *si,
			 struct swap_cluster_info *ci)
{
	unsigned long index;

	if (!swap_is_vswap(si))
		return;

	/* This is a hint: of two at a time, it does not matter who wins */
	index = ci - si->cluster_info;
	if (index > READ_ONCE(vswap_array.recent))
		WRITE_ONCE(vswap_array.recent, index);
	if (!delayed_work_pending(&vswap_shrink_work))
		queue_delayed_work(system_dfl_wq, &vswap_shrink_work,
				   VSWAP_SHRINK_DELAY);
}

/**
 * vswap_grow - Add clusters to the virtual device unless it has free ones.
 * @contended: add some even so, others have been faster to take the free ones.
 *
 * Context: May sleep, but not for long; does not enter reclaim, from where it is
 * called.
 * Return: true if there are free clusters now. They may be gone in a moment.
 */
bool vswap_grow(bool contended)
{
	struct swap_info_struct *si = vswap_info;
	int err = 0;

	mutex_lock(&vswap_mutex);
	if (contended || list_empty(&si->free_clusters))
		err = vswap_grow_array(si, &vswap_array);
	mutex_unlock(&vswap_mutex);

	if (err)
		vswap_count_event(VSWAP_GROW_FAIL);

	return !err;
}

/**
 * vswap_next_offset - Where this CPU should look for virtual slots first.
 * @order: order of the folio.
 *
 * Context: The caller holds the local lock of the swap allocator.
 * Return: An offset, maybe of a cluster that is gone; 0 if there is none.
 */
unsigned long vswap_next_offset(unsigned int order)
{
	return this_cpu_read(vswap_percpu.offset[order]);
}

/**
 * vswap_set_next_offset - Remember where to look for virtual slots next.
 * @order: order of the folio.
 * @offset: offset in the cluster used last, 0 for none.
 *
 * Context: The caller holds the local lock of the swap allocator.
 */
void vswap_set_next_offset(unsigned int order, unsigned long offset)
{
	this_cpu_write(vswap_percpu.offset[order], offset);
}

/*
 * What others ask about the device
 */

/**
 * vswap_used_pages - The number of virtual slots in use.
 *
 * Context: Any.
 * Return: Number of slots, each stands for one page.
 */
unsigned long vswap_used_pages(void)
{
	return vswap_info ? atomic_long_read(&vswap_info->inuse_pages) : 0;
}

/**
 * vswap_extra_pages - The number of pages that are out but on no device.
 *
 * Context: Any.
 * Return: Number of virtual slots in use without a physical slot.
 */
unsigned long vswap_extra_pages(void)
{
	long pages = vswap_used_pages();

	/* A device that is not in use has none */
	for (int type = 0; type < SWP_TYPE_VSWAP; type++) {
		struct swap_info_struct *si = READ_ONCE(swap_info[type]);

		if (si)
			pages -= atomic_long_read(&si->rmap_pages);
	}

	/* All of them move while they are read */
	return max(pages, 0L);
}

/**
 * vswap_overcommit_pages - By how much zswap extends memory at its best.
 *
 * For the heuristic that refuses mappings which are obviously too large. A full
 * pool is taken to hold VSWAP_OVERCOMMIT_RATIO times its size, and takes the
 * place of once its size. If the pool may take all of the memory, that makes as
 * many times the memory in all.
 *
 * Context: Any.
 * Return: Number of pages, 0 if no page can be swapped out without a device.
 */
unsigned long vswap_overcommit_pages(void)
{
	if (!vswap_usable())
		return 0;

	return zswap_max_pages() * (VSWAP_OVERCOMMIT_RATIO - 1);
}

/**
 * vswap_note_device - Note that a folio may be written to a device from now on.
 * @si: the device, which is about to be enabled.
 *
 * If writing to it means that reclaim must not be about to enter a file system,
 * this is so for all folios with virtual slots, as nobody knows where they go.
 *
 * Context: The caller holds swapon_mutex.
 */
void vswap_note_device(struct swap_info_struct *si)
{
	if (si->ops->flags & SWAP_OPS_F_REQUIRE_NOFS && !vswap_nofs_devices++)
		WRITE_ONCE(vswap_ops.flags, vswap_ops.flags | SWAP_OPS_F_REQUIRE_NOFS);
}

/**
 * vswap_forget_device - Note that no folio is written to a device any more.
 * @si: the device, which is empty and will not be written to again.
 *
 * See vswap_note_device().
 *
 * Context: The caller holds swapon_mutex.
 */
void vswap_forget_device(struct swap_info_struct *si)
{
	if (si->ops->flags & SWAP_OPS_F_REQUIRE_NOFS && !--vswap_nofs_devices)
		WRITE_ONCE(vswap_ops.flags, vswap_ops.flags & ~SWAP_OPS_F_REQUIRE_NOFS);
}

/*
 * Statistics
 */

void vswap_count_events(enum vswap_event event, unsigned long nr)
{
	this_cpu_add(vswap_events.nr[event], nr);
}

/**
 * vswap_event_count - How often something has happened since boot.
 * @event: what.
 *
 * Context: Any.
 * Return: The number of times.
 */
unsigned long vswap_event_count(enum vswap_event event)
{
	unsigned long nr = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		nr += READ_ONCE(per_cpu(vswap_events, cpu).nr[event]);

	return nr;
}

static void vswap_count_slot(unsigned long swp_tb, unsigned long word,
			     struct vswap_counts *counts)
{
	if (swp_tb_is_null(swp_tb))
		return;

	counts->slots_used++;
	if (vswap_tb_is_zswap(word))
		counts->slots_zswap++;
	else if (vswap_tb_is_slot(word))
		counts->slots_device++;
	else if (vswap_tb_is_poison(word))
		counts->slots_poison++;
	else if (swp_tb_is_countable(swp_tb) && (swp_tb & SWP_TB_ZERO_FLAG))
		counts->slots_zero++;
	else
		counts->slots_cached++;
}

/*
 * Tables are freed by RCU, so what is read here are words of tables, though maybe
 * of one that has just been freed. All else is only looked at, not into.
 */
static void vswap_count_cluster(struct swap_cluster_info *ci,
				struct vswap_counts *counts)
{
	struct swap_table *backing = READ_ONCE(ci->backing);
	atomic_long_t *table = rcu_dereference(ci->table);
	unsigned long word = VSWAP_TB_NULL;

	/* Otherwise zero flags are in a bitmap that is not freed by RCU */
	BUILD_BUG_ON(!SWAP_TABLE_HAS_ZEROFLAG);

	if (!table)
		return;

	counts->clusters_used++;
	counts->memory += sizeof(struct swap_table);
#ifdef CONFIG_MEMCG
	if (READ_ONCE(ci->memcg_table))
		counts->memory += sizeof(*ci->memcg_table);
#endif
	if (READ_ONCE(ci->extend_table))
		counts->memory += SWAPFILE_CLUSTER * sizeof(*ci->extend_table);
	if (backing) {
		counts->backing_tables++;
		counts->memory += sizeof(*backing);
	}

	for (unsigned int i = 0; i < SWAPFILE_CLUSTER; i++) {
		if (backing)
			word = atomic_long_read(&backing->entries[i]);
		vswap_count_slot(atomic_long_read(&table[i]), word, counts);
	}
}

#ifdef CONFIG_MEMCG
static unsigned long vswap_cluster_zeroes(struct swap_cluster_info *ci,
					  struct mem_cgroup *root)
{
	unsigned short id, last = 0;
	unsigned long swp_tb, nr = 0;
	struct mem_cgroup *memcg;
	bool owned = false;

	for (unsigned int i = 0; i < SWAPFILE_CLUSTER; i++) {
		swp_tb = __swap_table_get(ci, i);
		if (!swp_tb_is_countable(swp_tb) || !(swp_tb & SWP_TB_ZERO_FLAG))
			continue;
		id = __swap_cgroup_get(ci, i);
		if (id != last) {
			memcg = mem_cgroup_from_private_id(id);
			owned = memcg && mem_cgroup_is_descendant(memcg, root);
			last = id;
		}
		nr += owned;
	}

	return nr;
}

/* All tasks of the cgroup that are out of memory may wait for this */
#define VSWAP_WALK_SLOTS	(8UL << 20)

/**
 * vswap_owned_zeroes - Count the zero-filled pages of a cgroup that are out.
 * @root: the cgroup; those below it are counted with it.
 *
 * They are in no count of the cgroup, as they take nothing but their slots. Walks
 * clusters, whosever they are, with their locks, for some microseconds each, until
 * it has found as many as were ever swapped out (SWPOUT_ZERO). Looks at no more than
 * 8 million slots: where there are more, some may not be counted.
 *
 * Context: May sleep. The caller makes sure that @root stays, and that its statistics
 * have been flushed.
 * Return: Number of pages.
 */
unsigned long vswap_owned_zeroes(struct mem_cgroup *root)
{
	unsigned long nr = 0, limit = memcg_events(root, SWPOUT_ZERO);
	unsigned long max = vswap_info ? READ_ONCE(vswap_info->max) : 0;
	struct swap_cluster_info *ci;

	max = min(max, VSWAP_WALK_SLOTS);
	/* There is no cluster 0 */
	for (unsigned long offset = SWAPFILE_CLUSTER; offset < max && nr < limit;
	     offset += SWAPFILE_CLUSTER) {
		ci = swap_cluster_lock_unpinned(vswap_info, offset);
		if (!ci)
			continue;
		rcu_read_lock();
		if (rcu_access_pointer(ci->table))
			nr += vswap_cluster_zeroes(ci, root);
		rcu_read_unlock();
		swap_cluster_unlock(ci);
		cond_resched();
	}

	return nr;
}
#endif /* CONFIG_MEMCG */

/**
 * vswap_count - Count slots and memory of the virtual device.
 * @counts: filled in.
 *
 * Walks all clusters, which takes some microseconds for each: this is for
 * people who look, nothing on a path that matters keeps counters for it, or
 * waits for it. No lock is taken, so what changes meanwhile may be counted or
 * not.
 *
 * Context: May sleep.
 */
void vswap_count(struct vswap_counts *counts)
{
	struct swap_info_struct *si = vswap_info;
	struct swap_cluster_info *ci;

	memset(counts, 0, sizeof(*counts));
	if (!si)
		return;

	counts->memory = READ_ONCE(vswap_array.nr_mapped) << PAGE_SHIFT;
	counts->clusters = READ_ONCE(si->max) / SWAPFILE_CLUSTER;
	for (unsigned long i = 1; i < counts->clusters; i++) {
		rcu_read_lock();
		ci = vswap_find_cluster(si, vswap_nr_slots(i));
		if (ci)
			vswap_count_cluster(ci, counts);
		rcu_read_unlock();
		cond_resched();
	}
}

/*
 * Initialization
 */

static int __init vswap_array_init(struct vswap_array *array)
{
	unsigned long pages = totalram_pages();

	/* KASAN takes shadow memory for all of the area, used or not */
	if (!IS_ENABLED(CONFIG_KASAN_VMALLOC))
		pages = max_t(unsigned long, pages, max_possible_pfn);

	/*
	 * A cluster in use has a swap table, so there can't be more of them
	 * than tables fit into memory. The page table format sets the other
	 * limit.
	 */
	array->max_clusters = min(swapfile_maximum_size / SWAPFILE_CLUSTER,
				  pages * (PAGE_SIZE / sizeof(struct swap_table)));
	array->area = get_vm_area(vswap_max_pages(array) << PAGE_SHIFT,
				  VM_SPARSE);
	return array->area ? 0 : -ENOMEM;
}

static void vswap_users_release(struct percpu_ref *ref)
{
	/* The virtual device is never switched off. */
	WARN_ON_ONCE(1);
}

static int __init vswap_init(void)
{
	struct swap_info_struct *si;

	si = kzalloc_obj(*si);
	if (!si)
		goto fail;
	if (percpu_ref_init(&si->users, vswap_users_release, 0, GFP_KERNEL))
		goto free_info;
	if (vswap_array_init(&vswap_array))
		goto free_ref;
	vswap_backing_init();

	spin_lock_init(&si->lock);
	swap_init_cluster_lists(si);
	plist_node_init(&si->list, 0);
	plist_node_init(&si->avail_list, 0);
	si->type = SWP_TYPE_VSWAP;
	si->pages = LONG_MAX;	/* never full, and on no list of devices */
	si->ops = &vswap_ops;
	si->cluster_info = vswap_array.area->addr;
	/*
	 * Nothing here seeks, and what backs a slot is read synchronously:
	 * readahead would only decompress what nobody asked for. Pages under
	 * writeback are on their way to a device that may want them stable.
	 */
	si->flags = SWP_USED | SWP_WRITEOK | SWP_SOLIDSTATE |
		    SWP_SYNCHRONOUS_IO | SWP_STABLE_WRITES;

	vswap_info = si;
	/* Initialized before it can be found by type, as in alloc_swap_info() */
	smp_store_release(&swap_info[SWP_TYPE_VSWAP], si);
	return 0;

free_ref:
	percpu_ref_exit(&si->users);
free_info:
	kfree(si);
fail:
	pr_err("no memory for the virtual device, swapping to plain slots only\n");
	return -ENOMEM;
}

/* Comes after swapfile_init(), which finds the limit of the entry format. */
subsys_initcall(vswap_init);

#if IS_ENABLED(CONFIG_VSWAP_KUNIT_TEST)
#include "tests/vswap_kunit.h"
#endif
