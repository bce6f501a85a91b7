// SPDX-License-Identifier: GPL-2.0
/* Compressed RAM: /sys/kernel/mm/cram/nodeN. */
#include <linux/kstrtox.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/sysfs.h>
#include "cram.h"

static struct kobject *cram_kobj;

static struct cram_node *kobj_to_node(struct kobject *kobj)
{
	return container_of(kobj, struct cram_node, kobj);
}

static ssize_t advertised_bytes_show(struct kobject *kobj,
				     struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n",
			  (u64)kobj_to_node(kobj)->nr_pages << PAGE_SHIFT);
}

static struct kobj_attribute advertised_attr = __ATTR_RO(advertised_bytes);

static ssize_t capacity_bytes_show(struct kobject *kobj,
				   struct kobj_attribute *attr, char *buf)
{
	struct cram_usage usage;

	cram_get_usage(kobj_to_node(kobj), &usage);
	return sysfs_emit(buf, "%llu\n", usage.capacity);
}

static ssize_t capacity_bytes_store(struct kobject *kobj, struct kobj_attribute *attr,
				    const char *buf, size_t count)
{
	u64 bytes;
	int err;

	if (kstrtou64(buf, 10, &bytes))
		return -EINVAL;
	err = cram_set_capacity(kobj_to_node(kobj), bytes);
	return err ?: count;
}

static struct kobj_attribute capacity_attr = __ATTR_RW(capacity_bytes);

static ssize_t used_bytes_show(struct kobject *kobj, struct kobj_attribute *attr,
			       char *buf)
{
	struct cram_usage usage;

	cram_get_usage(kobj_to_node(kobj), &usage);
	return sysfs_emit(buf, "%llu\n", usage.used);
}

static struct kobj_attribute used_attr = __ATTR_RO(used_bytes);

static ssize_t stored_pages_show(struct kobject *kobj,
				 struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%ld\n",
			  atomic_long_read(&kobj_to_node(kobj)->stored));
}

static struct kobj_attribute pages_attr = __ATTR_RO(stored_pages);

/* Bytes stored for a byte in use, with two decimals. */
static ssize_t ratio_show(struct kobject *kobj, struct kobj_attribute *attr,
			  char *buf)
{
	struct cram_node *node = kobj_to_node(kobj);
	struct cram_usage usage;
	u64 ratio = 0;

	cram_get_usage(node, &usage);
	if (usage.used)
		ratio = div64_u64(((u64)atomic_long_read(&node->stored) << PAGE_SHIFT) * 100,
				  usage.used);
	return sysfs_emit(buf, "%llu.%02llu\n", ratio / 100, ratio % 100);
}

static struct kobj_attribute ratio_attr = __ATTR_RO(ratio);

#define CRAM_EVENT_ATTR(_name, _event)						\
static ssize_t _name##_show(struct kobject *kobj, struct kobj_attribute *attr,	\
			    char *buf)						\
{										\
	return sysfs_emit(buf, "%ld\n",						\
		atomic_long_read(&kobj_to_node(kobj)->events[_event]));		\
}										\
static struct kobj_attribute _name##_attr = __ATTR_RO(_name)

CRAM_EVENT_ATTR(stored, CRAM_STORED);
CRAM_EVENT_ATTR(loaded, CRAM_LOADED);
CRAM_EVENT_ATTR(refused, CRAM_REFUSED);
CRAM_EVENT_ATTR(poisoned, CRAM_POISONED);
CRAM_EVENT_ATTR(evicted, CRAM_EVICTED);
CRAM_EVENT_ATTR(trimmed, CRAM_TRIMMED);
CRAM_EVENT_ATTR(dropped, CRAM_DROPPED);

static ssize_t cram_watermark_store(struct kobject *kobj, unsigned int *mark,
				    const char *buf, size_t count)
{
	unsigned int percent;
	int err;

	if (kstrtouint(buf, 10, &percent))
		return -EINVAL;
	err = cram_set_watermark(kobj_to_node(kobj), mark, percent);
	return err ?: count;
}

static ssize_t high_watermark_show(struct kobject *kobj,
				   struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(kobj_to_node(kobj)->high));
}

static ssize_t high_watermark_store(struct kobject *kobj,
				    struct kobj_attribute *attr,
				    const char *buf, size_t count)
{
	return cram_watermark_store(kobj, &kobj_to_node(kobj)->high, buf, count);
}

static struct kobj_attribute high_attr = __ATTR_RW(high_watermark);

static ssize_t low_watermark_show(struct kobject *kobj,
				  struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(kobj_to_node(kobj)->low));
}

static ssize_t low_watermark_store(struct kobject *kobj,
				   struct kobj_attribute *attr,
				   const char *buf, size_t count)
{
	return cram_watermark_store(kobj, &kobj_to_node(kobj)->low, buf, count);
}

static struct kobj_attribute low_attr = __ATTR_RW(low_watermark);

static ssize_t state_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	struct cram_node *node = kobj_to_node(kobj);
	const char *state = "leaving";

	if (READ_ONCE(node->gone))
		state = "gone";
	else if (READ_ONCE(node->state) == CRAM_ONLINE)
		state = READ_ONCE(node->stopped) ? "stopped" : "online";
	else if (READ_ONCE(node->state) == CRAM_JOINING)
		state = "joining";
	else if (READ_ONCE(node->state) == CRAM_ORPHAN)
		state = "orphan";

	return sysfs_emit(buf, "%s\n", state);
}

static struct kobj_attribute state_attr = __ATTR_RO(state);

static ssize_t verify_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%d\n", READ_ONCE(kobj_to_node(kobj)->verify));
}

static ssize_t verify_store(struct kobject *kobj, struct kobj_attribute *attr,
			    const char *buf, size_t count)
{
	bool verify;

	if (kstrtobool(buf, &verify))
		return -EINVAL;
	WRITE_ONCE(kobj_to_node(kobj)->verify, verify);
	return count;
}

static struct kobj_attribute verify_attr = __ATTR_RW(verify);

static struct attribute *cram_attrs[] = {
	&advertised_attr.attr,
	&capacity_attr.attr,
	&used_attr.attr,
	&pages_attr.attr,
	&ratio_attr.attr,
	&stored_attr.attr,
	&loaded_attr.attr,
	&refused_attr.attr,
	&poisoned_attr.attr,
	&evicted_attr.attr,
	&trimmed_attr.attr,
	&dropped_attr.attr,
	&state_attr.attr,
	&verify_attr.attr,
	&high_attr.attr,
	&low_attr.attr,
	NULL
};
ATTRIBUTE_GROUPS(cram);

static void cram_kobj_release(struct kobject *kobj)
{
	cram_node_free(kobj_to_node(kobj));
}

static const struct kobj_type cram_ktype = {
	.release = cram_kobj_release,
	.sysfs_ops = &kobj_sysfs_ops,
	.default_groups = cram_groups,
};

/* From here on, kobject_put() frees the node. */
void cram_sysfs_init(struct cram_node *node)
{
	kobject_init(&node->kobj, &cram_ktype);
}

/* Show a device of a node to users. Returns 0 or -ENOMEM. */
int cram_sysfs_add(struct cram_node *node, int instance)
{
	node->instance = instance;
	if (!instance)
		return kobject_add(&node->kobj, cram_kobj, "node%d", node->nid);

	return kobject_add(&node->kobj, cram_kobj, "node%d.%d", node->nid, instance);
}

/* Waits for those who are reading or writing a file. */
void cram_sysfs_remove(struct cram_node *node)
{
	kobject_del(&node->kobj);
}

static int __init cram_sysfs_setup(void)
{
	cram_kobj = kobject_create_and_add("cram", mm_kobj);
	return cram_kobj ? 0 : -ENOMEM;
}
subsys_initcall(cram_sysfs_setup);
