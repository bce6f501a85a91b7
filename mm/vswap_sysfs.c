// SPDX-License-Identifier: GPL-2.0
/*
 * Virtual swap space: the knobs and counters that users see.
 *
 * vswap=MODE on the command line, /sys/kernel/mm/vswap/mode, and
 * /sys/kernel/debug/vswap/stats. Described in
 * Documentation/admin-guide/mm/vswap.rst.
 */
#define pr_fmt(fmt) "vswap: " fmt

#include <linux/debugfs.h>
#include <linux/init.h>
#include <linux/kobject.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/sysfs.h>
#include "swap.h"

static const char * const vswap_mode_names[NR_VSWAP_MODES] = {
	[VSWAP_AUTO]	= "auto",
	[VSWAP_ALWAYS]	= "always",
	[VSWAP_NEVER]	= "never",
};

static int __init vswap_setup(char *str)
{
	/* Without "=" there is no string */
	int mode = str ? match_string(vswap_mode_names, NR_VSWAP_MODES, str) : -EINVAL;

	if (mode < 0) {
		pr_err("vswap=%s: unknown mode, known are auto, always and never\n",
		       str ?: "");
		return 0;	/* has been reported */
	}

	vswap_set_mode(mode);
	return 0;
}
early_param("vswap", vswap_setup);

#ifdef CONFIG_SYSFS
static ssize_t mode_show(struct kobject *kobj, struct kobj_attribute *attr,
			 char *buf)
{
	enum vswap_mode mode = vswap_get_mode();
	int len = 0;

	for (int i = 0; i < NR_VSWAP_MODES; i++)
		len += sysfs_emit_at(buf, len, i == mode ? "%s[%s]" : "%s%s",
				     i ? " " : "", vswap_mode_names[i]);

	return len + sysfs_emit_at(buf, len, "\n");
}

static ssize_t mode_store(struct kobject *kobj, struct kobj_attribute *attr,
			  const char *buf, size_t count)
{
	int mode = __sysfs_match_string(vswap_mode_names, NR_VSWAP_MODES, buf);

	if (mode < 0)
		return -EINVAL;

	vswap_set_mode(mode);
	return count;
}

static struct kobj_attribute mode_attr = __ATTR_RW(mode);

static struct attribute *vswap_attrs[] = {
	&mode_attr.attr,
	NULL,
};

static const struct attribute_group vswap_attr_group = {
	.name = "vswap",
	.attrs = vswap_attrs,
};

static int __init vswap_sysfs_init(void)
{
	int err = sysfs_create_group(mm_kobj, &vswap_attr_group);

	if (err)
		pr_err("no sysfs files: %d\n", err);
	return err;
}
late_initcall(vswap_sysfs_init);
#endif /* CONFIG_SYSFS */

#ifdef CONFIG_DEBUG_FS
static const char * const vswap_event_names[NR_VSWAP_EVENTS] = {
	[VSWAP_GROW]		= "grow",
	[VSWAP_GROW_FAIL]	= "grow_fail",
	[VSWAP_SHRINK]		= "shrink",
	[VSWAP_ALLOC_FAIL]	= "alloc_fail",
	[VSWAP_TABLE_FAIL]	= "table_fail",
	[VSWAP_DECLINED]	= "declined",
	[VSWAP_GIVE_UP]		= "give_up",
	[VSWAP_LOST]		= "lost",
	[VSWAP_SLOTS_TAKEN]	= "slots_taken",
	[VSWAP_SLOTS_SPLIT]	= "slots_split",
	[VSWAP_SLOTS_FAIL]	= "slots_fail",
	[VSWAP_WRITE_ERROR]	= "write_error",
	[VSWAP_READ_ERROR]	= "read_error",
	[VSWAP_UNUSED]		= "unused",
};

static DEFINE_MUTEX(vswap_stats_mutex);

static int stats_show(struct seq_file *m, void *v)
{
	struct vswap_counts counts;
	int err;

	/*
	 * Whoever looks on takes cache lines away from those who work. However
	 * many people look, one does so at a time.
	 */
	err = mutex_lock_killable(&vswap_stats_mutex);
	if (err)
		return err;
	vswap_count(&counts);
	mutex_unlock(&vswap_stats_mutex);

	seq_printf(m, "slots_used %lu\n", counts.slots_used);
	seq_printf(m, "slots_cached %lu\n", counts.slots_cached);
	seq_printf(m, "slots_zero %lu\n", counts.slots_zero);
	seq_printf(m, "slots_zswap %lu\n", counts.slots_zswap);
	seq_printf(m, "slots_device %lu\n", counts.slots_device);
	seq_printf(m, "slots_poison %lu\n", counts.slots_poison);
	seq_printf(m, "clusters %lu\n", counts.clusters);
	seq_printf(m, "clusters_used %lu\n", counts.clusters_used);
	seq_printf(m, "backing_tables %lu\n", counts.backing_tables);
	seq_printf(m, "memory_bytes %lu\n", counts.memory);
	for (int i = 0; i < NR_VSWAP_EVENTS; i++)
		seq_printf(m, "%s %lu\n", vswap_event_names[i],
			   vswap_event_count(i));
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
