// SPDX-License-Identifier: GPL-2.0
/*
 * Virtual swap space: the device and its clusters.
 *
 * The virtual device is a swap_info_struct like any other, and the cluster
 * allocator of mm/swapfile.c serves it. What is different is that it has no
 * size: its array of clusters is a range of kernel addresses in which pages are
 * mapped as clusters are used up.
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
 * The end moves under vswap_mutex, and never back: an entry that has been valid
 * once can be looked up at any time. What is large, the tables of a cluster, is
 * freed with the cluster.
 *
 * Which folios get virtual slots is in mm/vswap_policy.c, what backs a slot in
 * mm/vswap_backing.c, how it is written and read in mm/vswap_io.c.
 */
#define pr_fmt(fmt) "vswap: " fmt

#include <linux/init.h>
#include <linux/kmemleak.h>
#include <linux/memblock.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/percpu-refcount.h>
#include <linux/plist.h>
#include <linux/sched/mm.h>
#include <linux/swap_ops.h>
#include <linux/swapfile.h>
#include <linux/vmalloc.h>
#include <linux/vswap.h>
#include <kunit/static_stub.h>
#include "internal.h"
#include "swap_table.h"
#include "swap.h"
#include "vswap_internal.h"

struct swap_info_struct *vswap_info __ro_after_init;

/* Devices not to be written to from within a file system; protected by swapon_mutex */
static unsigned int vswap_nofs_devices;

/* Physical and virtual cluster locks nest, in this order: virtual, physical. */
static struct lock_class_key vswap_cluster_lock_key;

/* The array of clusters and how much of it is there. */
struct vswap_array {
	struct vm_struct *area;		/* addresses for max_clusters */
	unsigned long max_clusters;
	unsigned long nr_pages;		/* that are mapped */
};

static struct vswap_array vswap_array;

/*
 * Serializes growing. Taken in reclaim, so it is never held for longer than it takes
 * to allocate one page of clusters.
 */
static DEFINE_MUTEX(vswap_mutex);

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

/* Make one more page of clusters available. */
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
	err = vswap_map_page(array);
	if (err)
		return err;
	WRITE_ONCE(array->nr_pages, array->nr_pages + 1);

	for (i = first; i < end; i++)
		vswap_init_cluster(&si->cluster_info[i]);

	/* Pairs with vswap_max_slots(): initialized before it is seen. */
	smp_store_release(&si->max, vswap_nr_slots(end));

	/* Offset 0 means "none" to the allocator, so cluster 0 is not used. */
	for (i = max(first, 1UL); i < end; i++)
		vswap_add_free_cluster(si, &si->cluster_info[i]);
	vswap_count_event(VSWAP_GROW);

	return 0;
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
 * Return: An offset, 0 if there is none.
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
 * vswap_max_slots - The end of the device, for those who look at all of it.
 *
 * Context: Any.
 * Return: Number of slots, whose clusters can all be looked at.
 */
unsigned long vswap_max_slots(void)
{
	/* Pairs with vswap_grow_array() */
	return vswap_info ? smp_load_acquire(&vswap_info->max) : 0;
}

/**
 * vswap_array_bytes - The memory that the array of clusters takes.
 *
 * Context: Any.
 * Return: Bytes, without what hangs off the clusters.
 */
unsigned long vswap_array_bytes(void)
{
	return READ_ONCE(vswap_array.nr_pages) << PAGE_SHIFT;
}

/**
 * vswap_add_device - Note that a folio may be written to a device from now on.
 * @si: the device, which is about to be enabled.
 *
 * If writing to it means that reclaim must not be about to enter a file system,
 * this is so for all folios with virtual slots, as nobody knows where they go.
 *
 * Context: The caller holds swapon_mutex.
 */
void vswap_add_device(struct swap_info_struct *si)
{
	if (!vswap_info || !(si->ops->flags & SWAP_OPS_F_REQUIRE_NOFS))
		return;
	if (!vswap_nofs_devices++)
		WRITE_ONCE(vswap_info->ops, &vswap_nofs_ops);
}

/**
 * vswap_remove_device - Note that no folio is written to a device any more.
 * @si: the device, which is empty and will not be written to again.
 *
 * See vswap_add_device().
 *
 * Context: The caller holds swapon_mutex.
 */
void vswap_remove_device(struct swap_info_struct *si)
{
	if (!vswap_info || !(si->ops->flags & SWAP_OPS_F_REQUIRE_NOFS))
		return;
	if (!--vswap_nofs_devices)
		WRITE_ONCE(vswap_info->ops, &vswap_ops);
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
	if (vswap_io_init())
		goto free_area;
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
	si->flags = SWP_USED | SWP_WRITEOK | SWP_VIRTUAL | SWP_SOLIDSTATE |
		    SWP_SYNCHRONOUS_IO | SWP_STABLE_WRITES;

	vswap_info = si;
	/* Initialized before it can be found by type, as in alloc_swap_info() */
	smp_store_release(&swap_info[SWP_TYPE_VSWAP], si);
	return 0;

free_area:
	free_vm_area(vswap_array.area);
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
