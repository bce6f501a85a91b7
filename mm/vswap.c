// SPDX-License-Identifier: GPL-2.0
/*
 * Virtual swap space: the device, its clusters, and who gets virtual slots.
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
 * period, and unmaps only then.
 *
 * What backs a slot is in mm/vswap_backing.c, the knobs in mm/vswap_sysfs.c.
 */
#define pr_fmt(fmt) "vswap: " fmt

#include <linux/init.h>
#include <linux/jiffies.h>
#include <linux/kmemleak.h>
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
 * Reclaim is told that there is no room for this long when hardly a page that it
 * tries is taken: fewer than one in VSWAP_TAKEN_RATIO, over an eighth of the
 * anonymous memory or VSWAP_DECLINED_MIN pages.
 */
#define VSWAP_GIVE_UP_TIME	HZ
#define VSWAP_TAKEN_RATIO	16
#define VSWAP_DECLINED_MIN	256

/* How long free clusters are kept before their memory is given back. */
#define VSWAP_SHRINK_DELAY	HZ

struct swap_info_struct *vswap_info __ro_after_init;

/* Nobody does I/O on the virtual device, but reclaim asks for the flags. */
static struct swap_ops vswap_ops;

/* Physical and virtual cluster locks nest, in this order: virtual, physical. */
static struct lock_class_key vswap_cluster_lock_key;

/* The array of clusters and how much of it is there. */
struct vswap_array {
	struct vm_struct *area;		/* addresses for max_clusters */
	unsigned long max_clusters;
	unsigned long nr_pages;		/* mapped, protected by vswap_mutex */
};

static struct vswap_array vswap_array;

/* Serializes growing and shrinking. Taken in reclaim. */
static DEFINE_MUTEX(vswap_mutex);

static enum vswap_mode vswap_mode __read_mostly = VSWAP_AUTO;

static atomic_long_t vswap_events[NR_VSWAP_EVENTS];

/* Pages that backends took and declined; the latter since the last judgement. */
static DEFINE_PER_CPU(unsigned long, vswap_taken);
static atomic_long_t vswap_declined;
static unsigned long vswap_taken_before;	/* protected by vswap_judge_lock */
static DEFINE_SPINLOCK(vswap_judge_lock);
static unsigned long vswap_give_up_until;	/* jiffies, 0: never given up */

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
	return alloc_page(GFP_KERNEL | __GFP_ZERO | __GFP_HIGH |
			  __GFP_NOMEMALLOC | __GFP_NOWARN);
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

/* Map one more page of clusters and make them available. */
static int vswap_grow_array(struct swap_info_struct *si,
			    struct vswap_array *array)
{
	unsigned long first, end, i;
	int err;

	lockdep_assert_held(&vswap_mutex);

	if (array->nr_pages == vswap_max_pages(array))
		return -ENOSPC;

	err = vswap_map_page(array);
	if (err)
		return err;

	first = vswap_nr_clusters(array, array->nr_pages);
	end = vswap_nr_clusters(array, ++array->nr_pages);
	for (i = first; i < end; i++)
		vswap_init_cluster(&si->cluster_info[i]);

	/* Pairs with vswap_cluster_exists(): initialized before it is seen. */
	smp_store_release(&si->max, vswap_nr_slots(end));

	/* Offset 0 means "none" to the allocator, so cluster 0 is not used. */
	for (i = max(first, 1UL); i < end; i++)
		vswap_add_free_cluster(si, &si->cluster_info[i]);

	vswap_count_event(VSWAP_GROW);
	return 0;
}

/* Give back the pages at the end of the array that hold free clusters only. */
static void vswap_shrink_array(struct swap_info_struct *si,
			       struct vswap_array *array)
{
	unsigned long nr_clusters = vswap_nr_clusters(array, array->nr_pages);
	unsigned long first = nr_clusters, nr_pages, end, i;
	struct page *page;

	lockdep_assert_held(&vswap_mutex);

	/* Isolate what is free at the end, so that nobody allocates from it. */
	while (first > 1 &&
	       vswap_del_free_cluster(si, &si->cluster_info[first - 1])) {
		first--;
		cond_resched();
	}

	/* Keep the pages that hold a part of a cluster that stays. */
	nr_pages = first <= 1 ? 0 :
		   PFN_UP(first * sizeof(struct swap_cluster_info));
	end = vswap_nr_clusters(array, nr_pages);
	for (i = max(first, 1UL); i < end; i++)
		vswap_add_free_cluster(si, &si->cluster_info[i]);

	if (nr_pages == array->nr_pages)
		return;

	WRITE_ONCE(si->max, vswap_nr_slots(end));
	synchronize_rcu();

	while (array->nr_pages > nr_pages) {
		unsigned long addr = vswap_page_addr(array, --array->nr_pages);

		page = vmalloc_to_page((void *)addr);
		kmemleak_free((void *)addr);
		vm_area_unmap_pages(array->area, addr, addr + PAGE_SIZE);
		__free_page(page);
		vswap_count_event(VSWAP_SHRINK);
		cond_resched();
	}
}

static void vswap_shrink_work_fn(struct work_struct *work)
{
	mutex_lock(&vswap_mutex);
	vswap_shrink_array(vswap_info, &vswap_array);
	mutex_unlock(&vswap_mutex);
}

static DECLARE_DELAYED_WORK(vswap_shrink_work, vswap_shrink_work_fn);

/**
 * vswap_cluster_freed - Note that a cluster has become free.
 * @si: the device it is on, virtual or not.
 *
 * Context: Any. The caller may hold cluster locks.
 */
void vswap_cluster_freed(struct swap_info_struct *si)
{
	if (swap_is_vswap(si) && !delayed_work_pending(&vswap_shrink_work))
		queue_delayed_work(system_dfl_wq, &vswap_shrink_work,
				   VSWAP_SHRINK_DELAY);
}

/**
 * vswap_grow - Add clusters to the virtual device unless it has free ones.
 *
 * Context: May sleep; does not enter reclaim, from where it is called.
 * Return: true if there are free clusters now.
 */
bool vswap_grow(void)
{
	struct swap_info_struct *si = vswap_info;
	int err = 0;

	mutex_lock(&vswap_mutex);
	if (list_empty(&si->free_clusters))
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
 * Policy
 */

enum vswap_mode vswap_get_mode(void)
{
	return READ_ONCE(vswap_mode);
}

/**
 * vswap_set_mode - Choose which folios get virtual slots from now on.
 * @mode: the mode.
 *
 * Slots that are in use stay what they are until they are freed.
 *
 * Context: Any.
 */
void vswap_set_mode(enum vswap_mode mode)
{
	WRITE_ONCE(vswap_mode, mode);
}

/**
 * vswap_usable - Can pages be swapped out without a real device?
 *
 * Context: Any.
 * Return: true if virtual slots are handed out and zswap is there to fill them,
 * whether or not it has room at the moment.
 */
bool vswap_usable(void)
{
	return vswap_info && vswap_get_mode() != VSWAP_NEVER &&
	       zswap_is_enabled();
}

/**
 * vswap_note_taken - Note that a backend has taken a page.
 *
 * Context: Any.
 */
void vswap_note_taken(void)
{
	this_cpu_inc(vswap_taken);
}

/**
 * vswap_note_declined - Note that no backend has taken a folio.
 * @nr_pages: size of the folio.
 *
 * Where zswap has room but the data can't be compressed, and there is no device
 * for it, reclaim would go on and on compressing the same pages, and what little
 * it does gain would keep the OOM killer away. So judge now and then whether it
 * is worth it, and give up for a while if not.
 *
 * Context: Any.
 */
void vswap_note_declined(unsigned int nr_pages)
{
	unsigned long anon, declined, taken = 0;
	int cpu;

	vswap_count_event(VSWAP_DECLINED);
	declined = atomic_long_add_return(nr_pages, &vswap_declined);
	if (declined < VSWAP_DECLINED_MIN)
		return;
	anon = global_node_page_state(NR_ACTIVE_ANON) +
	       global_node_page_state(NR_INACTIVE_ANON);
	if (declined < anon / 8 || !spin_trylock(&vswap_judge_lock))
		return;

	for_each_possible_cpu(cpu)
		taken += per_cpu(vswap_taken, cpu);
	if ((taken - vswap_taken_before) * VSWAP_TAKEN_RATIO < declined) {
		WRITE_ONCE(vswap_give_up_until, jiffies + VSWAP_GIVE_UP_TIME);
		vswap_count_event(VSWAP_GIVE_UP);
	}
	vswap_taken_before = taken;
	atomic_long_set(&vswap_declined, 0);
	spin_unlock(&vswap_judge_lock);
}

static bool vswap_given_up(void)
{
	unsigned long until = READ_ONCE(vswap_give_up_until);

	return until && time_before(jiffies, until);
}

/* The room there is for pages that are as good or bad as those of late. */
static unsigned long vswap_room(void)
{
	return vswap_given_up() ? 0 : zswap_headroom_pages();
}

/**
 * vswap_free_pages - Estimate how much more virtual slots can take.
 *
 * The room that zswap's pool has left, as if no page could be compressed; none
 * if it has turned out that hardly any page is taken. This is for decisions
 * about reclaim, it is no capacity to be shown to users.
 *
 * Context: Any.
 * Return: Number of pages, 0 if reclaim need not try.
 */
unsigned long vswap_free_pages(void)
{
	return vswap_usable() ? vswap_room() : 0;
}
EXPORT_SYMBOL_GPL(vswap_free_pages);

/**
 * vswap_add_free_pages - Add what virtual slots can take for a cgroup.
 * @nr_swap_pages: what devices can take for it, in pages; may be negative.
 * @memcg: the cgroup, NULL for none.
 *
 * Context: Any, the caller makes sure that @memcg stays.
 * Return: Number of pages of @memcg that can be swapped out by either way; if
 * devices can take many, they alone.
 */
long vswap_add_free_pages(long nr_swap_pages, struct mem_cgroup *memcg)
{
	/* It only matters whether there are some, and those are enough */
	if (nr_swap_pages >= SWAPFILE_CLUSTER)
		return nr_swap_pages;

	return max(nr_swap_pages, 0L) +
	       mem_cgroup_zswap_headroom(memcg, vswap_free_pages());
}

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
 * vswap_limit_pages - How many pages virtual slots can name at the most.
 *
 * Context: Any.
 * Return: Number of pages, 0 if no page can be swapped out to a virtual slot.
 */
unsigned long vswap_limit_pages(void)
{
	return vswap_usable() ? vswap_nr_slots(vswap_array.max_clusters) : 0;
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
	WRITE_ONCE(vswap_ops.flags, vswap_ops.flags |
				    (si->ops->flags & SWAP_OPS_F_REQUIRE_NOFS));
}

/**
 * vswap_wanted - Should a folio get virtual slots?
 * @folio: folio that is about to be swapped out.
 *
 * In mode auto, if its cgroup may use zswap and zswap has room or can make some
 * by writing to a device. If it turns out that zswap does not take the folio,
 * the device takes it instead.
 *
 * Context: The caller holds the folio lock. Does not sleep.
 * Return: true for virtual slots, false for plain ones.
 */
bool vswap_wanted(struct folio *folio)
{
	bool wanted;

	KUNIT_STATIC_STUB_REDIRECT(vswap_wanted, folio);

	if (vswap_get_mode() == VSWAP_ALWAYS)
		return vswap_info && (total_swap_pages || zswap_is_enabled());
	if (!vswap_usable())
		return false;

	rcu_read_lock();
	if (atomic_long_read(&nr_swap_pages) > 0)
		wanted = mem_cgroup_zswap_allowed(folio_memcg(folio));
	else
		wanted = mem_cgroup_zswap_headroom(folio_memcg(folio), vswap_room());
	rcu_read_unlock();

	return wanted;
}

/*
 * Statistics
 */

void vswap_count_events(enum vswap_event event, unsigned long nr)
{
	atomic_long_add(nr, &vswap_events[event]);
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
	return atomic_long_read(&vswap_events[event]);
}

static void vswap_count_cluster(struct swap_cluster_info *ci,
				struct vswap_counts *counts)
{
	unsigned long swp_tb, word;

	spin_lock(&ci->lock);
	if (!rcu_access_pointer(ci->table))
		goto out;

	counts->clusters_used++;
	counts->memory += sizeof(struct swap_table);
#ifdef CONFIG_MEMCG
	if (ci->memcg_table)
		counts->memory += sizeof(*ci->memcg_table);
#endif
	if (ci->extend_table)
		counts->memory += SWAPFILE_CLUSTER * sizeof(*ci->extend_table);
	if (ci->backing) {
		counts->backing_tables++;
		counts->memory += sizeof(struct swap_table);
	}

	for (unsigned int i = 0; i < SWAPFILE_CLUSTER; i++) {
		swp_tb = __swap_table_get(ci, i);
		if (swp_tb_is_null(swp_tb))
			continue;
		counts->slots_used++;
		word = ci->backing ? atomic_long_read(&ci->backing->entries[i]) :
				     VSWAP_TB_NULL;
		if (vswap_tb_is_zswap(word))
			counts->slots_zswap++;
		else if (vswap_tb_is_slot(word))
			counts->slots_device++;
		else if (__swap_table_test_zero(ci, i))
			counts->slots_zero++;
		else
			counts->slots_cached++;
	}
out:
	spin_unlock(&ci->lock);
}

/**
 * vswap_count - Count slots and memory of the virtual device.
 * @counts: filled in.
 *
 * Walks all clusters, which takes some microseconds for each: this is for
 * people who look, nothing on a path that matters keeps counters for it.
 *
 * Context: May sleep.
 */
void vswap_count(struct vswap_counts *counts)
{
	struct swap_info_struct *si = vswap_info;

	memset(counts, 0, sizeof(*counts));
	if (!si)
		return;

	mutex_lock(&vswap_mutex);
	counts->clusters = vswap_nr_clusters(&vswap_array, vswap_array.nr_pages);
	counts->memory = vswap_array.nr_pages << PAGE_SHIFT;
	for (unsigned long i = 1; i < counts->clusters; i++) {
		vswap_count_cluster(&si->cluster_info[i], counts);
		cond_resched();
	}
	mutex_unlock(&vswap_mutex);
}

/*
 * Initialization
 */

static int __init vswap_array_init(struct vswap_array *array)
{
	/*
	 * A cluster in use has a swap table, so there can't be more of them
	 * than tables fit into memory. The page table format sets the other
	 * limit.
	 */
	array->max_clusters = min(swapfile_maximum_size / SWAPFILE_CLUSTER,
				  max_t(unsigned long, totalram_pages(),
					max_possible_pfn) *
				  (PAGE_SIZE / sizeof(struct swap_table)));
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
