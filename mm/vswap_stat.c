// SPDX-License-Identifier: GPL-2.0
/*
 * Virtual swap space: statistics.
 *
 * Events are counted as they happen, for each CPU. What slots there are is counted
 * when somebody asks, by walking the clusters. Both are shown in
 * /sys/kernel/debug/vswap/stats, see Documentation/admin-guide/mm/vswap.rst.
 */
#include <linux/debugfs.h>
#include <linux/init.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/seq_file.h>
#include "internal.h"
#include "swap_table.h"
#include "swap.h"
#include "vswap_internal.h"
#include "vswap_table.h"

/*
 * Events
 */

struct vswap_event_counts {
	unsigned long nr[NR_VSWAP_EVENTS];
};

static DEFINE_PER_CPU(struct vswap_event_counts, vswap_events);

void vswap_count_events(enum vswap_event event, unsigned long nr)
{
	this_cpu_add(vswap_events.nr[event], nr);
}

/**
 * vswap_read_event - How often something has happened since boot.
 * @event: what.
 *
 * Context: Any.
 * Return: The number of times.
 */
unsigned long vswap_read_event(enum vswap_event event)
{
	unsigned long nr = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		nr += READ_ONCE(per_cpu(vswap_events, cpu).nr[event]);

	return nr;
}

/*
 * Slots
 */

static void vswap_count_slot(unsigned long swp_tb, unsigned long word,
			     struct vswap_stats *stats)
{
	if (swp_tb_is_null(swp_tb))
		return;

	stats->slots_used++;
	if (vswap_tb_is_zswap(word))
		stats->slots_zswap++;
	else if (vswap_tb_is_phys(word))
		stats->slots_phys++;
	else if (vswap_tb_is_poison(word))
		stats->slots_poison++;
	else if (swp_tb_is_countable(swp_tb) && (swp_tb & SWP_TB_ZERO_FLAG))
		stats->slots_zero++;
	else
		stats->slots_cached++;
}

/*
 * Tables are freed by RCU, so what is read here are words of tables, though maybe
 * of one that has just been freed. All else is only looked at, not into.
 */
static void vswap_count_cluster(struct swap_cluster_info *ci,
				struct vswap_stats *stats)
{
	struct vswap_table *backing = READ_ONCE(ci->backing);
	atomic_long_t *table = rcu_dereference(ci->table);
	unsigned long word = VSWAP_TB_NULL;

	/* Otherwise zero flags are in a bitmap that is not freed by RCU */
	BUILD_BUG_ON(!SWAP_TABLE_HAS_ZEROFLAG);

	if (!table)
		return;

	stats->clusters_used++;
	stats->memory += sizeof(struct swap_table);
#ifdef CONFIG_MEMCG
	if (READ_ONCE(ci->memcg_table))
		stats->memory += sizeof(*ci->memcg_table);
#endif
	if (READ_ONCE(ci->extend_table))
		stats->memory += SWAPFILE_CLUSTER * sizeof(*ci->extend_table);
	if (backing) {
		stats->backing_tables++;
		stats->memory += sizeof(*backing);
	}

	for (unsigned int i = 0; i < SWAPFILE_CLUSTER; i++) {
		if (backing)
			word = atomic_long_read(&backing->words[i]);
		vswap_count_slot(atomic_long_read(&table[i]), word, stats);
	}
}

/**
 * vswap_collect_stats - Count slots and memory of the virtual device.
 * @stats: filled in.
 *
 * Walks all clusters, which takes some microseconds for each: this is for
 * people who look, nothing on a path that matters keeps counters for it, or
 * waits for it. No lock is taken, so what changes meanwhile may be counted or
 * not.
 *
 * Context: May sleep.
 */
void vswap_collect_stats(struct vswap_stats *stats)
{
	memset(stats, 0, sizeof(*stats));
	stats->memory = vswap_array_bytes();
	stats->clusters = vswap_max_slots() / SWAPFILE_CLUSTER;
	for (unsigned long i = 1; i < stats->clusters; i++) {
		rcu_read_lock();
		vswap_count_cluster(&vswap_info->cluster_info[i], stats);
		rcu_read_unlock();
		cond_resched();
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
 * 8 million slots of clusters in use: where there are more, some may not be counted.
 *
 * Context: May sleep. The caller makes sure that @root stays, and that its statistics
 * have been flushed.
 * Return: Number of pages.
 */
unsigned long vswap_owned_zeroes(struct mem_cgroup *root)
{
	unsigned long nr = 0, limit = memcg_events(root, SWPOUT_ZERO);
	unsigned long max = vswap_max_slots(), walked = 0;
	struct swap_cluster_info *ci;

	/* There is no cluster 0 */
	for (unsigned long offset = SWAPFILE_CLUSTER; offset < max && nr < limit &&
	     walked < VSWAP_WALK_SLOTS; offset += SWAPFILE_CLUSTER) {
		cond_resched();
		/* It may have been in use, and is not any more */
		if (!rcu_access_pointer(__swap_offset_to_cluster(vswap_info, offset)->table))
			continue;
		walked += SWAPFILE_CLUSTER;
		ci = swap_cluster_lock(vswap_info, offset);
		rcu_read_lock();
		if (rcu_access_pointer(ci->table))
			nr += vswap_cluster_zeroes(ci, root);
		rcu_read_unlock();
		swap_cluster_unlock(ci);
	}

	return nr;
}
#endif /* CONFIG_MEMCG */

#ifdef CONFIG_DEBUG_FS
static const char * const vswap_event_names[NR_VSWAP_EVENTS] = {
	[VSWAP_GROW]			= "grow",
	[VSWAP_GROW_FAIL]		= "grow_fail",
	[VSWAP_ALLOC_FAIL]		= "alloc_fail",
	[VSWAP_TABLE_FAIL]		= "table_fail",
	[VSWAP_REJECT]			= "rejected",
	[VSWAP_GIVE_UP]			= "give_up",
	[VSWAP_LOST]			= "lost",
	[VSWAP_PHYS_ALLOC]		= "phys_alloc",
	[VSWAP_PHYS_ALLOC_SPLIT]	= "phys_alloc_split",
	[VSWAP_PHYS_ALLOC_FAIL]		= "phys_alloc_fail",
	[VSWAP_WRITE_ERROR]		= "write_error",
	[VSWAP_READ_ERROR]		= "read_error",
	[VSWAP_EVACUATE]		= "evacuated",
};

static DEFINE_MUTEX(vswap_stats_mutex);

static int stats_show(struct seq_file *m, void *v)
{
	struct vswap_stats stats;
	int err;

	/*
	 * Whoever looks on takes cache lines away from those who work. However
	 * many people look, one does so at a time.
	 */
	err = mutex_lock_killable(&vswap_stats_mutex);
	if (err)
		return err;
	vswap_collect_stats(&stats);
	mutex_unlock(&vswap_stats_mutex);

	seq_printf(m, "slots_used %lu\n", stats.slots_used);
	seq_printf(m, "slots_cached %lu\n", stats.slots_cached);
	seq_printf(m, "slots_zero %lu\n", stats.slots_zero);
	seq_printf(m, "slots_zswap %lu\n", stats.slots_zswap);
	seq_printf(m, "slots_phys %lu\n", stats.slots_phys);
	seq_printf(m, "slots_poison %lu\n", stats.slots_poison);
	seq_printf(m, "clusters %lu\n", stats.clusters);
	seq_printf(m, "clusters_used %lu\n", stats.clusters_used);
	seq_printf(m, "backing_tables %lu\n", stats.backing_tables);
	seq_printf(m, "memory_bytes %lu\n", stats.memory);
	for (int i = 0; i < NR_VSWAP_EVENTS; i++)
		seq_printf(m, "%s %lu\n", vswap_event_names[i],
			   vswap_read_event(i));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(stats);

static int __init vswap_debugfs_init(void)
{
	struct dentry *dir = debugfs_create_dir("vswap", NULL);

	debugfs_create_file("stats", 0444, dir, NULL, &stats_fops);
	return 0;
}
late_initcall(vswap_debugfs_init);
#endif /* CONFIG_DEBUG_FS */
